//! Results to render: ordinary ones and hostile ones.

use super::ScenarioReport;
use finding_model::{SourceFiles, SourceSpan};
use lab_scenario::{Promise, ScenarioResult, StepOutcome, StepResult, TrafficResult, TrafficTally};
use std::io::{self, Write};

pub(super) const HOSTILE: &str = "a\u{1b}[2J\n<b>\u{202e}\"\\";

fn result(name: &str, files: &mut SourceFiles) -> ScenarioResult {
    let file = files.add("lab/db.yaml".to_owned());
    let span = |line| SourceSpan { file, line, column: 3, length: 4 };
    let step = |title: &str, line, outcome| StepResult {
        title: title.to_owned(),
        span: span(line),
        outcome,
        notes: Vec::new(),
        took_ms: 12,
    };
    let wrong = format!("shop/web → shop/db 5432/tcp at 10.0.0.2: allow was expected of {name}");
    let mut steps = vec![
        step("apply deny.yaml", 9, StepOutcome::Passed),
        step("shop/web → shop/db 5432/tcp: allow", 10, StepOutcome::Failed(vec![wrong])),
        step("stop shop/nobody", 11, StepOutcome::Broken(format!("there is no pod {name}"))),
        step("probe everything", 12, StepOutcome::NotRun),
    ];
    steps[0].notes.push(format!("{name}: 2 of 5 replicas"));
    let traffic = TrafficResult {
        title: "shop/web → shop/db 5432/tcp, 20 a second".to_owned(),
        span: span(6),
        promise: Some(Promise::NeverBroken),
        tally: TrafficTally { passed: 412, failed: 1, slowest_ms: 4 },
        problems: vec![format!("730 ms after it began: nothing came back to {name} (900 ms)")],
    };
    let notes = vec![format!("{name} is no node")];
    ScenarioResult { name: name.to_owned(), span: span(1), notes, steps, traffic: vec![traffic] }
}

/// What a format makes of a scenario of this name.
pub(super) fn shown(
    name: &str,
    write: impl Fn(&mut dyn Write, &ScenarioReport<'_>) -> io::Result<()>,
) -> String {
    let mut files = SourceFiles::default();
    let results = [result(name, &mut files)];
    let mut bytes = Vec::new();
    write(&mut bytes, &ScenarioReport { results: &results, files: &files }).unwrap();
    String::from_utf8(bytes).unwrap()
}
