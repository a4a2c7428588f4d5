//! What scenarios came to, for programs. `docs/formats.md` describes the fields; they only ever grow.

use super::{ScenarioReport, of_outcome};
use crate::json::{API_VERSION, write_pretty};
use finding_model::{SourceFiles, SourceSpan};
use lab_scenario::{Promise, ScenarioResult, StepResult, TrafficResult, TrafficTally};
use serde_json::{Value, json};
use std::io::{self, Write};

pub fn write(out: &mut dyn Write, report: &ScenarioReport<'_>) -> io::Result<()> {
    let failed = report.n_failed();
    let document = json!({
        "apiVersion": API_VERSION,
        "kind": "ScenarioResults",
        "passed": !report.fails(),
        "summary": {
            "scenarios": report.results.len(),
            "checks": report.n_checks(),
            "passed": report.n_checks() - failed,
            "failed": failed,
        },
        "scenarios":
            report.results.iter().map(|of| scenario(of, report.files)).collect::<Vec<_>>(),
    });
    write_pretty(out, &document)
}

fn scenario(result: &ScenarioResult, files: &SourceFiles) -> Value {
    let ScenarioResult { name, span, notes, steps, traffic } = result;
    let value = json!({
        "name": name,
        "passed": result.passed(),
        "notes": notes,
        "steps": steps.iter().map(|of| step(of, files)).collect::<Vec<_>>(),
        "traffic": traffic.iter().map(|of| generator(of, files)).collect::<Vec<_>>(),
    });
    placed(value, *span, files)
}

fn step(result: &StepResult, files: &SourceFiles) -> Value {
    let StepResult { title, span, outcome, notes, took_ms } = result;
    let (outcome, problems) = of_outcome(outcome).unwrap_or(("passed", Vec::new()));
    let value = json!({
        "title": title,
        "outcome": outcome,
        "problems": problems,
        "notes": notes,
        "tookMs": took_ms,
    });
    placed(value, *span, files)
}

fn generator(result: &TrafficResult, files: &SourceFiles) -> Value {
    let TrafficResult { title, span, promise, tally, problems } = result;
    let TrafficTally { passed, failed, slowest_ms } = tally;
    let mut value = json!({
        "title": title,
        "outcome": if problems.is_empty() { "passed" } else { "failed" },
        "attemptsPassed": passed,
        "attemptsFailed": failed,
        "slowestMs": slowest_ms,
        "problems": problems,
    });
    if let (Some(promise), Some(fields)) = (promise, value.as_object_mut()) {
        let word = match promise {
            Promise::NeverAllowed => "neverAllowed",
            Promise::NeverBroken => "neverBroken",
        };
        fields.insert("expect".to_owned(), word.into());
    }
    placed(value, *span, files)
}

fn placed(mut value: Value, span: SourceSpan, files: &SourceFiles) -> Value {
    let SourceSpan { file, line, column, length: _ } = span;
    if let Some(fields) = value.as_object_mut() {
        fields.insert("file".to_owned(), files.name(file).into());
        fields.insert("line".to_owned(), line.into());
        fields.insert("column".to_owned(), column.into());
    }
    value
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{HOSTILE, shown};
    use super::*;
    const FIELDS: &str = r#"{
  "apiVersion": "weir.dev/v1alpha1",
  "kind": "ScenarioResults",
  "passed": false,
  "scenarios": [
    {
      "column": 3,
      "file": "lab/db.yaml",
      "line": 1,
      "name": "db",
      "notes": [
        "db is no node"
      ],
      "passed": false,
      "steps": [
        {
          "column": 3,
          "file": "lab/db.yaml",
          "line": 9,
          "notes": [
            "db: 2 of 5 replicas"
          ],
          "outcome": "passed",
          "problems": [],
          "title": "apply deny.yaml",
          "tookMs": 12
        },
        {
          "column": 3,
          "file": "lab/db.yaml",
          "line": 10,
          "notes": [],
          "outcome": "failed",
          "problems": [
            "shop/web → shop/db 5432/tcp at 10.0.0.2: allow was expected of db"
          ],
          "title": "shop/web → shop/db 5432/tcp: allow",
          "tookMs": 12
        },
        {
          "column": 3,
          "file": "lab/db.yaml",
          "line": 11,
          "notes": [],
          "outcome": "broken",
          "problems": [
            "there is no pod db"
          ],
          "title": "stop shop/nobody",
          "tookMs": 12
        },
        {
          "column": 3,
          "file": "lab/db.yaml",
          "line": 12,
          "notes": [],
          "outcome": "not-run",
          "problems": [
            "not run: a step before it could not be done"
          ],
          "title": "probe everything",
          "tookMs": 12
        }
      ],
      "traffic": [
        {
          "attemptsFailed": 1,
          "attemptsPassed": 412,
          "column": 3,
          "expect": "neverBroken",
          "file": "lab/db.yaml",
          "line": 6,
          "outcome": "failed",
          "problems": [
            "730 ms after it began: nothing came back to db (900 ms)"
          ],
          "slowestMs": 4,
          "title": "shop/web → shop/db 5432/tcp, 20 a second"
        }
      ]
    }
  ],
  "summary": {
    "checks": 5,
    "failed": 4,
    "passed": 1,
    "scenarios": 1
  }
}
"#;

    #[test]
    fn every_field() {
        assert_eq!(shown("db", write), FIELDS);
    }

    #[test]
    fn hostile_names_are_values() {
        let text = shown(HOSTILE, write);
        assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'), "{text}");
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["scenarios"][0]["name"], HOSTILE);
    }
}
