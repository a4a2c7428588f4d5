//! Test results as TAP 14, with what is told of a check as its YAML diagnostics.
//!
//! A JSON string is a YAML string, so diagnostics are written as JSON values one key at a time.

use super::{TestReport, TestRun, checks, told};
use crate::json::write_line;
use crate::visible;
use policy_assertions::CheckResult;
use std::io::{self, Write};

pub fn write(out: &mut dyn Write, report: &TestReport<'_>) -> io::Result<()> {
    let counts = report.counts();
    let n_coverage = report.coverage_min.map_or(0, |_| report.runs.len());
    writeln!(out, "TAP version 14\n1..{}", counts.passed + counts.failed + n_coverage)?;
    let mut number = 0;
    for run in report.runs {
        comment(out, &told::assumed(run))?;
        for (test, check) in checks(run) {
            number += 1;
            point(out, (check.passed(), number), &format!("{test}: {}", check.title))?;
            diagnostics(out, run, check)?;
        }
        comment(out, &told::coverage(&run.results.coverage))?;
        for line in told::uncovered(run) {
            comment(out, &line)?;
        }
        if let Some(least) = report.coverage_min {
            number += 1;
            let passed = !report.is_too_low(&run.results.coverage);
            point(out, (passed, number), &format!("rule coverage of at least {least} %"))?;
        }
    }
    Ok(())
}

fn comment(out: &mut dyn Write, text: &str) -> io::Result<()> {
    writeln!(out, "# {}", visible(text))
}

/// `#` starts a directive such as SKIP, so it is escaped, and the escape itself.
fn point(out: &mut dyn Write, (passed, number): (bool, usize), title: &str) -> io::Result<()> {
    let word = if passed { "ok" } else { "not ok" };
    let title = visible(title).replace('\\', "\\\\").replace('#', "\\#");
    writeln!(out, "{word} {number} - {title}")
}

fn diagnostics(out: &mut dyn Write, run: &TestRun<'_>, check: &CheckResult) -> io::Result<()> {
    let lines = told::lines(check, run.files);
    if lines.is_empty() {
        return Ok(());
    }
    writeln!(out, "  ---")?;
    if let Some(problem) = check.problems.first() {
        member(out, "message", &problem.message)?;
        member(out, "code", problem.kind.code())?;
    }
    member(out, "at", &told::place(run.files, check.span))?;
    writeln!(out, "  told:")?;
    for line in lines {
        write!(out, "    - ")?;
        write_line(out, &line)?;
    }
    writeln!(out, "  ...")
}

fn member(out: &mut dyn Write, name: &str, value: &str) -> io::Result<()> {
    write!(out, "  {name}: ")?;
    write_line(out, &value)
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{HOSTILE, hostile, ordinary, shown};
    use super::*;
    use expect_test::expect;

    #[test]
    fn a_point_for_each_check() {
        expect![[r#"
            TAP version 14
            1..4
            # profile upstream; pods without an address are taken to be in 10.0.0.0/8, 100.64.0.0/10, 172.16.0.0/12, 192.168.0.0/16
            ok 1 - db: shop/web → pci/api 8443/tcp: allow
            not ok 2 - db: nothing outside pci reaches pci
              ---
              message: "expected none of these connections"
              code: "wrong-verdict"
              at: "tests/pci.yaml:9:3"
              told:
                - "it must hold because: requirement 1.3 of db"
                - "expected none of these connections (tests/pci.yaml:10:3)"
                - "  shop/web → pci/db 5432/tcp: allow"
                - "    egress allow: no policy applies"
                - "    ingress allow: NetworkPolicy pci/db ingress[1] accepts it (pci/policies.yaml:40:3)"
                - "  pci/db: no policy"
                - "  and at least 998 more"
              ...
            ok 3 - db: with an exception
              ---
              at: "tests/pci.yaml:12:3"
              told:
                - "note: the exception excuses nothing"
                - "left out because of errors, and might change this: NetworkPolicy shop/db"
              ...
            # rule coverage: cases decide by 1 of 3 rules (33 %), assertions by 1
            # no case decides by
            # NetworkPolicy pci/db ingress[1] (pci/policies.yaml:30:3), but an assertion does
            # NetworkPolicy pci/db ingress[2] (pci/policies.yaml:30:3)
            not ok 4 - rule coverage of at least 50 %
        "#]].assert_eq(&shown(ordinary, write));
    }

    #[test]
    fn hostile_names_are_no_directives() {
        let text = shown(hostile, write);
        assert!(!text.contains(HOSTILE), "{text}");
        let points = text.lines().filter(|line| line.contains("ok ") && !line.starts_with(' '));
        for point in points {
            assert!(!point.replace("\\#", "").contains('#'), "{point}");
        }
    }
}
