//! Findings as JUnit XML: a failed test case for each finding that fails the run.
//!
//! Test cases are grouped by file, as CI systems show them. A run without findings has one case that
//! passed, because many CI systems take an empty report for a broken one.

use super::FindingReport;
use crate::{visible, visible_lines};
use finding_model::Finding;
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use std::collections::BTreeMap;
use std::io::{self, Write};

pub fn write(out: &mut dyn Write, report: &FindingReport<'_>) -> io::Result<()> {
    let mut document = Report::new("weir lint");
    document.add_test_suites(suites(report));
    document.serialize(out).map_err(io::Error::other)
}

fn suites(report: &FindingReport<'_>) -> Vec<TestSuite> {
    let mut cases: BTreeMap<String, Vec<TestCase>> = BTreeMap::new();
    for finding in report.findings {
        let file = finding.span.map_or("weir lint", |span| report.files.name(span.file));
        cases.entry(visible(file).into_owned()).or_default().push(case(report, file, finding));
    }
    if cases.is_empty() {
        let passed = TestCase::new("no findings", TestCaseStatus::success());
        cases.insert("weir lint".to_owned(), vec![passed]);
    }
    let suite = |(file, cases): (String, Vec<TestCase>)| {
        let mut suite = TestSuite::new(file);
        suite.add_test_cases(cases);
        suite
    };
    cases.into_iter().map(suite).collect()
}

fn case(report: &FindingReport<'_>, file: &str, finding: &Finding) -> TestCase {
    let fails = finding.severity >= report.fail_on;
    let mut status = if fails {
        TestCaseStatus::non_success(NonSuccessKind::Failure)
    } else {
        TestCaseStatus::success()
    };
    if fails {
        status
            .set_message(visible(&finding.message).into_owned())
            .set_type(finding.code.0)
            .set_description(details(report, finding));
    }
    let place = finding.span.map(|span| format!(" {}:{}", span.line, span.column));
    let object = finding.object.as_deref().map(|object| format!(" {object}"));
    let name =
        [Some(finding.code.0), place.as_deref(), object.as_deref()].map(Option::unwrap_or_default);
    let mut case = TestCase::new(visible(&name.concat()).into_owned(), status);
    case.set_classname(visible(file).into_owned());
    if !fails {
        case.set_system_out(details(report, finding));
    }
    case
}

/// Everything the finding says, a line each.
fn details(report: &FindingReport<'_>, finding: &Finding) -> String {
    let Finding { code, severity, span, object, message, why, witness, help, fix, related } =
        finding;
    let mut lines = vec![format!("{severity}[{code}]: {}", visible(message))];
    lines.extend(span.map(|span| format!("  --> {}", visible(&report.files.place(span)))));
    let notes = [("in", object.as_deref()), ("why", why.as_deref())];
    let notes =
        notes.into_iter().chain([("example", witness.as_deref()), ("help", Some(help.as_str()))]);
    lines.extend(
        notes.filter_map(|(name, text)| text.map(|text| format!("  {name}: {}", visible(text)))),
    );
    if let Some(fix) = fix {
        lines.push(format!("  fix: {}", visible(&fix.summary)));
        let patch = fix.patch.iter().flat_map(|patch| patch.lines());
        lines.extend(patch.map(|line| format!("    {}", visible_lines(line))));
    }
    for related in related {
        let place = related.span.map(|span| format!("{}: ", report.files.place(span)));
        let place = place.unwrap_or_default();
        lines.push(format!("  note: {}{}", visible(&place), visible(&related.message)));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{hostile, ordinary, report, shown};
    use super::*;
    use expect_test::expect;
    use finding_model::SourceFiles;

    #[test]
    fn failures_are_what_fails_the_run() {
        let (findings, files) = ordinary();
        expect![[r#"
            <?xml version="1.0" encoding="UTF-8"?>
            <testsuites name="weir lint" tests="3" skipped="0" failures="2" errors="0">
                <testsuite name="shop/web.yaml" tests="2" skipped="0" errors="0" failures="2">
                    <testcase name="unknown-field 14:6 NetworkPolicy shop/web" classname="shop/web.yaml">
                        <failure message="unknown field `form` in an ingress rule" type="unknown-field">error[unknown-field]: unknown field `form` in an ingress rule
              --&gt; shop/web.yaml:14:6
              in: NetworkPolicy shop/web
              why: without `from` the rule admits every source
              example: 0.0.0.0 → shop/web 80/tcp
              help: did you mean `from`?
              fix: write `from`
                  - from:
                    - a
              note: shop/web.yaml:3:12: the policy
              note: every namespace</failure>
                    </testcase>
                    <testcase name="yaml-11 99:2" classname="shop/web.yaml">
                        <failure message="`y` is text" type="yaml-11">warning[yaml-11]: `y` is text
              --&gt; shop/web.yaml:99:2
              help: quote it</failure>
                    </testcase>
                </testsuite>
                <testsuite name="weir lint" tests="1" skipped="0" errors="0" failures="0">
                    <testcase name="no-dns" classname="weir lint">
                        <system-out>info[no-dns]: no DNS
              help: allow 53/udp</system-out>
                    </testcase>
                </testsuite>
            </testsuites>
        "#]].assert_eq(&shown(|out| write(out, &report(&findings, &files))));
    }

    #[test]
    fn a_clean_run_has_a_case_that_passed() {
        let files = SourceFiles::default();
        expect![[r#"
            <?xml version="1.0" encoding="UTF-8"?>
            <testsuites name="weir lint" tests="1" skipped="0" failures="0" errors="0">
                <testsuite name="weir lint" tests="1" skipped="0" errors="0" failures="0">
                    <testcase name="no findings"/>
                </testsuite>
            </testsuites>
        "#]]
        .assert_eq(&shown(|out| write(out, &report(&[], &files))));
    }

    #[test]
    fn hostile_text_cannot_leave_its_element() {
        let (findings, files) = hostile();
        let text = shown(|out| write(out, &report(&findings, &files)));
        assert!(!text.contains("<b>"), "{text}");
        assert!(text.contains("&lt;b&gt;"), "{text}");
    }
}
