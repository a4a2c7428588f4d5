//! Test results as JUnit XML: a suite for each test, a test case for each check.

use super::{TestReport, TestRun, told};
use crate::visible;
use policy_assertions::{CheckResult, TestResult};
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use std::io::{self, Write};

pub fn write(out: &mut dyn Write, report: &TestReport<'_>) -> io::Result<()> {
    let mut document = Report::new("weir test");
    for run in report.runs {
        document.add_test_suites(run.results.tests.iter().map(|test| suite(run, test)));
        document.add_test_suites(report.coverage_min.map(|least| coverage(run, report, least)));
    }
    document.serialize(out).map_err(io::Error::other)
}

fn suite(run: &TestRun<'_>, test: &TestResult) -> TestSuite {
    let mut suite = TestSuite::new(visible(&test.name).into_owned());
    suite.add_property(("profile", run.assumptions.semantics.to_string().as_str()));
    suite.add_property(("assumptions", told::assumed(run).as_str()));
    suite.add_property(("coverage", told::coverage(&run.results.coverage).as_str()));
    let file = visible(run.files.name(test.span.file)).into_owned();
    suite.add_test_cases(test.checks.iter().map(|check| case(run, &file, check)));
    suite
}

fn case(run: &TestRun<'_>, file: &str, check: &CheckResult) -> TestCase {
    let lines: Vec<String> =
        told::lines(check, run.files).iter().map(|line| visible(line).into_owned()).collect();
    let status = match check.problems.first() {
        None => TestCaseStatus::success(),
        Some(problem) => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status
                .set_message(visible(&problem.message).into_owned())
                .set_type(problem.kind.code())
                .set_description(lines.join("\n"));
            status
        }
    };
    let mut case = TestCase::new(visible(&check.title).into_owned(), status);
    case.set_classname(file);
    case.extra.insert("line".into(), check.span.line.to_string().into());
    if check.passed() && !lines.is_empty() {
        case.set_system_out(lines.join("\n"));
    }
    case
}

fn coverage(run: &TestRun<'_>, report: &TestReport<'_>, least: usize) -> TestSuite {
    let text = told::coverage(&run.results.coverage);
    let mut status = TestCaseStatus::success();
    if report.is_too_low(&run.results.coverage) {
        let uncovered: Vec<String> =
            told::uncovered(run).iter().map(|line| visible(line).into_owned()).collect();
        status = TestCaseStatus::non_success(NonSuccessKind::Failure);
        status
            .set_message(format!("{text}, below {least} %"))
            .set_type("coverage")
            .set_description(uncovered.join("\n"));
    }
    let mut suite = TestSuite::new("rule coverage");
    suite.add_test_case(TestCase::new(format!("at least {least} %"), status));
    suite
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{HOSTILE, hostile, ordinary, shown};
    use super::*;
    use expect_test::expect;

    #[test]
    fn a_suite_for_each_test() {
        expect![[r#"
            <?xml version="1.0" encoding="UTF-8"?>
            <testsuites name="weir test" tests="4" skipped="0" failures="2" errors="0">
                <testsuite name="db" tests="3" skipped="0" errors="0" failures="1">
                    <properties>
                        <property name="profile" value="upstream"/>
                        <property name="assumptions" value="profile upstream; pods without an address are taken to be in 10.0.0.0/8, 100.64.0.0/10, 172.16.0.0/12, 192.168.0.0/16"/>
                        <property name="coverage" value="rule coverage: cases decide by 1 of 3 rules (33 %), assertions by 1"/>
                    </properties>
                    <testcase name="shop/web → pci/api 8443/tcp: allow" classname="tests/pci.yaml" line="6"/>
                    <testcase name="nothing outside pci reaches pci" classname="tests/pci.yaml" line="9">
                        <failure message="expected none of these connections" type="wrong-verdict">it must hold because: requirement 1.3 of db
            expected none of these connections (tests/pci.yaml:10:3)
              shop/web → pci/db 5432/tcp: allow
                egress allow: no policy applies
                ingress allow: NetworkPolicy pci/db ingress[1] accepts it (pci/policies.yaml:40:3)
              pci/db: no policy
              and at least 998 more</failure>
                    </testcase>
                    <testcase name="with an exception" classname="tests/pci.yaml" line="12">
                        <system-out>note: the exception excuses nothing
            left out because of errors, and might change this: NetworkPolicy shop/db</system-out>
                    </testcase>
                </testsuite>
                <testsuite name="rule coverage" tests="1" skipped="0" errors="0" failures="1">
                    <testcase name="at least 50 %">
                        <failure message="rule coverage: cases decide by 1 of 3 rules (33 %), assertions by 1, below 50 %" type="coverage">no case decides by
            NetworkPolicy pci/db ingress[1] (pci/policies.yaml:30:3), but an assertion does
            NetworkPolicy pci/db ingress[2] (pci/policies.yaml:30:3)</failure>
                    </testcase>
                </testsuite>
            </testsuites>
        "#]].assert_eq(&shown(ordinary, write));
    }

    #[test]
    fn hostile_names_cannot_leave_their_element() {
        let text = shown(hostile, write);
        assert!(!text.contains(HOSTILE) && !text.contains("<b>"), "{text}");
    }
}
