//! What scenarios came to as JUnit XML: a suite for each scenario, a test case for each step and each
//! generator of traffic.

use super::{ScenarioReport, of_outcome, tally};
use crate::visible;
use finding_model::SourceSpan;
use lab_scenario::{ScenarioResult, StepResult, TrafficResult};
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use std::io::{self, Write};
use std::time::Duration;

pub fn write(out: &mut dyn Write, report: &ScenarioReport<'_>) -> io::Result<()> {
    let mut document = Report::new("weir lab run");
    document.add_test_suites(report.results.iter().map(|result| suite(report, result)));
    document.serialize(out).map_err(io::Error::other)
}

fn suite(report: &ScenarioReport<'_>, result: &ScenarioResult) -> TestSuite {
    let ScenarioResult { name, span, notes, steps, traffic } = result;
    let file = visible(report.files.name(span.file)).into_owned();
    let mut suite = TestSuite::new(visible(name).into_owned());
    for note in notes {
        suite.add_property(("note", &*visible(note)));
    }
    suite.add_test_cases(steps.iter().map(|step| of_step(step, &file)));
    suite.add_test_cases(traffic.iter().map(|traffic| of_traffic(traffic, &file)));
    suite
}

fn of_step(step: &StepResult, file: &str) -> TestCase {
    let StepResult { title, span, outcome, notes, took_ms } = step;
    let status = of_outcome(outcome)
        .map_or_else(TestCaseStatus::success, |(code, lines)| failure(code, &lines));
    let mut case = case(title, *span, file, status);
    case.set_time(Duration::from_millis(*took_ms));
    if !notes.is_empty() {
        case.set_system_out(shown(notes));
    }
    case
}

fn of_traffic(traffic: &TrafficResult, file: &str) -> TestCase {
    let TrafficResult { title, span, promise: _, tally: _, problems } = traffic;
    let status = match problems.as_slice() {
        [] => TestCaseStatus::success(),
        problems => failure("traffic", problems),
    };
    let mut case = case(title, *span, file, status);
    case.set_system_out(tally(traffic));
    case
}

fn case(title: &str, span: SourceSpan, file: &str, status: TestCaseStatus) -> TestCase {
    let mut case = TestCase::new(visible(title).into_owned(), status);
    case.set_classname(file);
    case.extra.insert("line".into(), span.line.to_string().into());
    case
}

fn failure(code: &str, lines: &[String]) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
    let first = lines.first().map(|line| visible(line).into_owned()).unwrap_or_default();
    status.set_message(first).set_type(code.to_owned()).set_description(shown(lines));
    status
}

fn shown(lines: &[String]) -> String {
    let lines: Vec<String> = lines.iter().map(|line| visible(line).into_owned()).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{HOSTILE, shown};
    use super::*;
    use expect_test::expect;

    #[test]
    fn a_suite_for_each_scenario() {
        expect![[r#"
            <?xml version="1.0" encoding="UTF-8"?>
            <testsuites name="weir lab run" tests="5" skipped="0" failures="4" errors="0">
                <testsuite name="db" tests="5" skipped="0" errors="0" failures="4">
                    <properties>
                        <property name="note" value="db is no node"/>
                    </properties>
                    <testcase name="apply deny.yaml" classname="lab/db.yaml" time="0.012" line="9">
                        <system-out>db: 2 of 5 replicas</system-out>
                    </testcase>
                    <testcase name="shop/web → shop/db 5432/tcp: allow" classname="lab/db.yaml" time="0.012" line="10">
                        <failure message="shop/web → shop/db 5432/tcp at 10.0.0.2: allow was expected of db" type="failed">shop/web → shop/db 5432/tcp at 10.0.0.2: allow was expected of db</failure>
                    </testcase>
                    <testcase name="stop shop/nobody" classname="lab/db.yaml" time="0.012" line="11">
                        <failure message="there is no pod db" type="broken">there is no pod db</failure>
                    </testcase>
                    <testcase name="probe everything" classname="lab/db.yaml" time="0.012" line="12">
                        <failure message="not run: a step before it could not be done" type="not-run">not run: a step before it could not be done</failure>
                    </testcase>
                    <testcase name="shop/web → shop/db 5432/tcp, 20 a second" classname="lab/db.yaml" line="6">
                        <failure message="730 ms after it began: nothing came back to db (900 ms)" type="traffic">730 ms after it began: nothing came back to db (900 ms)</failure>
                        <system-out>412 passed, 1 failed, the slowest took 4 ms; never broken</system-out>
                    </testcase>
                </testsuite>
            </testsuites>
        "#]].assert_eq(&shown("db", write));
    }

    #[test]
    fn hostile_names_cannot_leave_their_element() {
        let text = shown(HOSTILE, write);
        assert!(!text.contains(HOSTILE) && !text.contains("<b>"), "{text}");
    }
}
