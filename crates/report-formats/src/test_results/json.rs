//! Test results for programs. `docs/formats.md` describes the fields; they only ever grow.

use super::{TestReport, TestRun};
use crate::json::{API_VERSION, write_pretty};
use crate::map::addresses;
use finding_model::{SourceFiles, SourceSpan};
use policy_assertions::{
    CheckResult, Example, Problem, RuleCoverage, SideWitness, TestResult, Witness,
};
use serde_json::{Map, Value, json};
use std::io::{self, Write};

pub fn write(out: &mut dyn Write, report: &TestReport<'_>) -> io::Result<()> {
    let counts = report.counts();
    let mut summary = json!({
        "tests": counts.tests,
        "checks": counts.passed + counts.failed,
        "passed": counts.passed,
        "failed": counts.failed,
    });
    if let (Some(least), Some(fields)) = (report.coverage_min, summary.as_object_mut()) {
        fields.insert("coverageMin".to_owned(), least.into());
    }
    let document = json!({
        "apiVersion": API_VERSION,
        "kind": "TestResults",
        "passed": !report.fails(),
        "summary": summary,
        "runs": report.runs.iter().map(run).collect::<Vec<_>>(),
    });
    write_pretty(out, &document)
}

fn run(run: &TestRun<'_>) -> Value {
    let coverage = &run.results.coverage;
    let uncovered = coverage.rules.iter().filter(|rule| !rule.by_case);
    let networks = addresses::networks(&run.assumptions.pod_networks);
    json!({
        "profile": run.assumptions.semantics.to_string(),
        "assumptions": {
            "podNetworks": networks.iter().map(ToString::to_string).collect::<Vec<_>>(),
        },
        "tests": run.results.tests.iter().map(|result| test(result, run.files)).collect::<Vec<_>>(),
        "coverage": {
            "rules": coverage.rules.len(),
            "byCases": coverage.n_by_case(),
            "byAssertions": coverage.n_by_assertion(),
            "percent": coverage.percent(),
            "uncovered": uncovered.map(|rule| uncovered_rule(rule, run.files)).collect::<Vec<_>>(),
        },
    })
}

fn uncovered_rule(covered: &RuleCoverage, files: &SourceFiles) -> Value {
    let RuleCoverage { rule, span, by_case: _, by_assertion } = covered;
    let mut value = json!({
        "kind": rule.policy.kind.as_str(),
        "policy": rule.policy.path(),
        "direction": rule.direction.to_string(),
        "rule": rule.rule,
        "byAssertion": by_assertion,
    });
    place(&mut value, *span, files);
    value
}

fn test(result: &TestResult, files: &SourceFiles) -> Value {
    let TestResult { name, span, checks } = result;
    let mut value = json!({
        "name": name,
        "checks": checks.iter().map(|result| check(result, files)).collect::<Vec<_>>(),
    });
    place(&mut value, Some(*span), files);
    value
}

fn check(result: &CheckResult, files: &SourceFiles) -> Value {
    let CheckResult { kind, title, span, reason, problems, notes, caveats } = result;
    let caveats: Vec<&str> = caveats.iter().map(|left_out| left_out.object.as_str()).collect();
    let mut value = json!({
        "kind": kind.as_str(),
        "title": title,
        "passed": problems.is_empty(),
        "problems": problems.iter().map(|found| problem(found, files)).collect::<Vec<_>>(),
        "notes": notes,
        "caveats": caveats,
    });
    if let (Some(reason), Some(fields)) = (reason, value.as_object_mut()) {
        fields.insert("reason".to_owned(), reason.as_str().into());
    }
    place(&mut value, Some(*span), files);
    value
}

fn problem(found: &Problem, files: &SourceFiles) -> Value {
    let Problem { kind, message, span, examples, n_examples, and_more } = found;
    let mut value = json!({
        "code": kind.code(),
        "message": message,
        "examples": examples.iter().map(|shown| example(shown, files)).collect::<Vec<_>>(),
        "count": n_examples,
        "countIsLeast": and_more,
    });
    place(&mut value, Some(*span), files);
    value
}

fn example(shown: &Example, files: &SourceFiles) -> Value {
    match shown {
        Example::Pod { name, span, text } => {
            let mut value = json!({"pod": name, "text": text});
            place(&mut value, *span, files);
            value
        }
        Example::Connection(witness) => {
            let Witness { from, to, port, verdict, reasons, egress, ingress } = witness.as_ref();
            json!({
                "from": from,
                "to": to,
                "port": port,
                "verdict": verdict.as_str(),
                "reasons": reasons.iter().map(|reason| reason.code()).collect::<Vec<_>>(),
                "egress": side(egress, files),
                "ingress": side(ingress, files),
            })
        }
    }
}

fn side(of: &SideWitness, files: &SourceFiles) -> Value {
    let SideWitness { direction: _, verdict, tier, policy, rule, span, text } = of;
    let mut value = json!({"verdict": verdict.as_str(), "tier": tier.as_str(), "text": text});
    if let Some(fields) = value.as_object_mut() {
        if let Some(policy) = policy {
            fields.insert("kind".to_owned(), policy.kind.as_str().into());
            fields.insert("policy".to_owned(), policy.path().into());
        }
        if let Some(rule) = rule {
            fields.insert("rule".to_owned(), rule.rule.into());
        }
    }
    place(&mut value, *span, files);
    value
}

/// `file`, `line` and `column`, present together or not at all.
fn place(value: &mut Value, span: Option<SourceSpan>, files: &SourceFiles) {
    let fields: Option<&mut Map<String, Value>> = value.as_object_mut();
    if let (Some(SourceSpan { file, line, column, length: _ }), Some(fields)) = (span, fields) {
        fields.insert("file".to_owned(), files.name(file).into());
        fields.insert("line".to_owned(), line.into());
        fields.insert("column".to_owned(), column.into());
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{HOSTILE, hostile, ordinary, shown};
    use super::*;

    const FIELDS: &str = r#"{
  "apiVersion": "weir.dev/v1alpha1",
  "kind": "TestResults",
  "passed": false,
  "runs": [
    {
      "assumptions": {
        "podNetworks": [
          "10.0.0.0/8",
          "100.64.0.0/10",
          "172.16.0.0/12",
          "192.168.0.0/16"
        ]
      },
      "coverage": {
        "byAssertions": 1,
        "byCases": 1,
        "percent": 33,
        "rules": 3,
        "uncovered": [
          {
            "byAssertion": true,
            "column": 3,
            "direction": "ingress",
            "file": "pci/policies.yaml",
            "kind": "NetworkPolicy",
            "line": 30,
            "policy": "pci/db",
            "rule": 1
          },
          {
            "byAssertion": false,
            "column": 3,
            "direction": "ingress",
            "file": "pci/policies.yaml",
            "kind": "NetworkPolicy",
            "line": 30,
            "policy": "pci/db",
            "rule": 2
          }
        ]
      },
      "profile": "upstream",
      "tests": [
        {
          "checks": [
            {
              "caveats": [],
              "column": 3,
              "file": "tests/pci.yaml",
              "kind": "case",
              "line": 6,
              "notes": [],
              "passed": true,
              "problems": [],
              "title": "shop/web → pci/api 8443/tcp: allow"
            },
            {
              "caveats": [],
              "column": 3,
              "file": "tests/pci.yaml",
              "kind": "assertion",
              "line": 9,
              "notes": [],
              "passed": false,
              "problems": [
                {
                  "code": "wrong-verdict",
                  "column": 3,
                  "count": 1000,
                  "countIsLeast": true,
                  "examples": [
                    {
                      "egress": {
                        "text": "no policy applies",
                        "tier": "Default",
                        "verdict": "allow"
                      },
                      "from": "shop/web",
                      "ingress": {
                        "column": 3,
                        "file": "pci/policies.yaml",
                        "kind": "NetworkPolicy",
                        "line": 40,
                        "policy": "pci/db",
                        "rule": 1,
                        "text": "NetworkPolicy pci/db ingress[1] accepts it",
                        "tier": "NetworkPolicy",
                        "verdict": "allow"
                      },
                      "port": "5432/tcp",
                      "reasons": [],
                      "to": "pci/db",
                      "verdict": "allow"
                    },
                    {
                      "pod": "pci/db",
                      "text": "no policy"
                    }
                  ],
                  "file": "tests/pci.yaml",
                  "line": 10,
                  "message": "expected none of these connections"
                }
              ],
              "reason": "requirement 1.3 of db",
              "title": "nothing outside pci reaches pci"
            },
            {
              "caveats": [
                "NetworkPolicy shop/db"
              ],
              "column": 3,
              "file": "tests/pci.yaml",
              "kind": "assertion",
              "line": 12,
              "notes": [
                "the exception excuses nothing"
              ],
              "passed": true,
              "problems": [],
              "title": "with an exception"
            }
          ],
          "column": 3,
          "file": "tests/pci.yaml",
          "line": 1,
          "name": "db"
        }
      ]
    }
  ],
  "summary": {
    "checks": 3,
    "coverageMin": 50,
    "failed": 1,
    "passed": 2,
    "tests": 1
  }
}
"#;

    #[test]
    fn the_fields_are_these() {
        assert_eq!(shown(ordinary, write), FIELDS);
    }

    #[test]
    fn hostile_names_come_back_unchanged() {
        let value: Value = serde_json::from_str(&shown(hostile, write)).unwrap();
        assert_eq!(value["runs"][0]["tests"][0]["name"], HOSTILE);
    }
}
