//! Test results for people.

use super::{TestReport, TestRun, told};
use crate::{Palette, Role, counted, visible};
use policy_assertions::{CheckResult, TestResult};
use std::io::{self, Write};

/// Which checks are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Show {
    /// Those that failed, or of which there is something to say.
    Failed,
    All,
}

pub fn write(
    out: &mut dyn Write,
    report: &TestReport<'_>,
    show: Show,
    palette: Palette,
) -> io::Result<()> {
    for run in report.runs {
        for test in &run.results.tests {
            write_test(out, (run, test), show, palette)?;
        }
        writeln!(out, "{}", visible(&told::coverage(&run.results.coverage)))?;
        for line in told::uncovered(run) {
            writeln!(out, "  {}", palette.paint(Role::Faint, &visible(&line)))?;
        }
        if report.is_too_low(&run.results.coverage) {
            let least = report.coverage_min.unwrap_or_default();
            let text = format!("the coverage is below the {least} % that are asked for");
            writeln!(out, "{}", palette.paint(Role::Deny, &text))?;
        }
        writeln!(out, "{}", palette.paint(Role::Faint, &visible(&told::assumed(run))))?;
        writeln!(out)?;
    }
    write_summary(out, report, palette)
}

fn write_test(
    out: &mut dyn Write,
    (run, test): (&TestRun<'_>, &TestResult),
    show: Show,
    palette: Palette,
) -> io::Result<()> {
    let name = palette.paint(Role::Strong, &visible(&test.name));
    let n_passed = test.checks.iter().filter(|check| check.passed()).count();
    let file = visible(run.files.name(test.span.file)).into_owned();
    let of = counted(test.checks.len(), "check");
    writeln!(out, "{name} ({file}): {n_passed} of {of} passed")?;
    for check in &test.checks {
        let lines = told::lines(check, run.files);
        if show == Show::Failed && check.passed() && lines.is_empty() {
            continue;
        }
        write_check(out, check, palette)?;
        for line in lines {
            writeln!(out, "    {}", visible(&line))?;
        }
    }
    writeln!(out)
}

fn write_check(out: &mut dyn Write, check: &CheckResult, palette: Palette) -> io::Result<()> {
    let word = if check.passed() {
        palette.paint(Role::Allow, "pass")
    } else {
        palette.paint(Role::Deny, "FAIL")
    };
    writeln!(out, "  {word}  {}", visible(&check.title))
}

fn write_summary(out: &mut dyn Write, report: &TestReport<'_>, palette: Palette) -> io::Result<()> {
    let counts = report.counts();
    let role = if report.fails() { Role::Deny } else { Role::Allow };
    let text = format!("{} passed, {} failed", counts.passed, counts.failed);
    writeln!(out, "{} in {}", palette.paint(role, &text), counted(counts.tests, "test"))
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{HOSTILE, hostile, ordinary, shown};
    use super::*;
    use expect_test::expect;

    #[test]
    fn failures_are_explained() {
        expect![[r#"
            db (tests/pci.yaml): 2 of 3 checks passed
              FAIL  nothing outside pci reaches pci
                it must hold because: requirement 1.3 of db
                expected none of these connections (tests/pci.yaml:10:3)
                  shop/web → pci/db 5432/tcp: allow
                    egress allow: no policy applies
                    ingress allow: NetworkPolicy pci/db ingress[1] accepts it (pci/policies.yaml:40:3)
                  pci/db: no policy
                  and at least 998 more
              pass  with an exception
                note: the exception excuses nothing
                left out because of errors, and might change this: NetworkPolicy shop/db

            rule coverage: cases decide by 1 of 3 rules (33 %), assertions by 1
              no case decides by
              NetworkPolicy pci/db ingress[1] (pci/policies.yaml:30:3), but an assertion does
              NetworkPolicy pci/db ingress[2] (pci/policies.yaml:30:3)
            the coverage is below the 50 % that are asked for
            profile upstream; pods without an address are taken to be in 10.0.0.0/8, 100.64.0.0/10, 172.16.0.0/12, 192.168.0.0/16

            2 passed, 1 failed in 1 test
        "#]].assert_eq(&shown(ordinary, |out, report| {
            write(out, report, Show::Failed, Palette::Plain)
        }));
    }

    #[test]
    fn everything_can_be_shown() {
        let text = shown(ordinary, |out, report| write(out, report, Show::All, Palette::Plain));
        assert!(text.contains("  pass  shop/web → pci/api 8443/tcp: allow\n"), "{text}");
    }

    #[test]
    fn hostile_names_stay_on_their_line() {
        let text = shown(hostile, |out, report| write(out, report, Show::All, Palette::Plain));
        assert!(!text.contains(HOSTILE) && !text.contains('\u{1b}'), "{text}");
    }
}
