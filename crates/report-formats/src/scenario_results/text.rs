//! What scenarios came to, for people: every step with how it ended.

use super::{ScenarioReport, of_outcome, tally};
use crate::{Palette, Role, counted, visible};
use lab_scenario::{ScenarioResult, StepResult, TrafficResult};
use std::io::{self, Write};

pub fn write(out: &mut dyn Write, report: &ScenarioReport<'_>, palette: Palette) -> io::Result<()> {
    for result in report.results {
        write_result(out, report, result, palette)?;
    }
    let failed = report.n_failed();
    let role = if report.fails() { Role::Deny } else { Role::Allow };
    let text = format!("{} passed, {failed} failed", report.n_checks() - failed);
    let scenarios = counted(report.results.len(), "scenario");
    writeln!(out, "{} in {scenarios}", palette.paint(role, &text))
}

fn write_result(
    out: &mut dyn Write,
    report: &ScenarioReport<'_>,
    result: &ScenarioResult,
    palette: Palette,
) -> io::Result<()> {
    let ScenarioResult { name, span, notes, steps, traffic } = result;
    let file = visible(report.files.name(span.file)).into_owned();
    writeln!(out, "{} ({file})", palette.paint(Role::Strong, &visible(name)))?;
    write_notes(out, notes, palette)?;
    for step in steps {
        let StepResult { title, span, outcome, notes, took_ms } = step;
        let problem = of_outcome(outcome);
        let word = word(problem.is_none(), palette);
        let took = palette.paint(Role::Faint, &format!("{took_ms} ms"));
        writeln!(out, "  {word}  {}  {took}", visible(title))?;
        let lines = problem.map(|(_, lines)| lines).unwrap_or_default();
        write_lines(out, &lines, &report.files.place(*span))?;
        write_notes(out, notes, palette)?;
    }
    for of in traffic {
        let TrafficResult { title, span, promise: _, tally: _, problems } = of;
        writeln!(out, "  {}  traffic {}", word(problems.is_empty(), palette), visible(title))?;
        writeln!(out, "        {}", palette.paint(Role::Faint, &tally(of)))?;
        write_lines(out, problems, &report.files.place(*span))?;
    }
    writeln!(out)
}

fn word(passed: bool, palette: Palette) -> String {
    if passed { palette.paint(Role::Allow, "pass") } else { palette.paint(Role::Deny, "FAIL") }
}

fn write_lines(out: &mut dyn Write, lines: &[String], place: &str) -> io::Result<()> {
    for line in lines {
        writeln!(out, "        {}", visible(line))?;
    }
    if !lines.is_empty() {
        writeln!(out, "        at {}", visible(place))?;
    }
    Ok(())
}

fn write_notes(out: &mut dyn Write, notes: &[String], palette: Palette) -> io::Result<()> {
    for note in notes {
        let note = format!("note: {}", visible(note));
        writeln!(out, "        {}", palette.paint(Role::Faint, &note))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{HOSTILE, shown};
    use super::*;
    use expect_test::expect;

    #[test]
    fn every_step_and_what_went_wrong() {
        let text = shown("db", |out, report| write(out, report, Palette::Plain));
        expect![[r#"
            db (lab/db.yaml)
                    note: db is no node
              pass  apply deny.yaml  12 ms
                    note: db: 2 of 5 replicas
              FAIL  shop/web → shop/db 5432/tcp: allow  12 ms
                    shop/web → shop/db 5432/tcp at 10.0.0.2: allow was expected of db
                    at lab/db.yaml:10:3
              FAIL  stop shop/nobody  12 ms
                    there is no pod db
                    at lab/db.yaml:11:3
              FAIL  probe everything  12 ms
                    not run: a step before it could not be done
                    at lab/db.yaml:12:3
              FAIL  traffic shop/web → shop/db 5432/tcp, 20 a second
                    412 passed, 1 failed, the slowest took 4 ms; never broken
                    730 ms after it began: nothing came back to db (900 ms)
                    at lab/db.yaml:6:3

            1 passed, 4 failed in 1 scenario
        "#]]
        .assert_eq(&text);
    }

    #[test]
    fn hostile_names_do_nothing() {
        let text = shown(HOSTILE, |out, report| write(out, report, Palette::Plain));
        assert!(!text.contains(HOSTILE) && !text.contains('\u{1b}'), "{text}");
    }
}
