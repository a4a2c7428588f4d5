//! What is told of a failed check, line by line, in the formats that people read.

use super::TestRun;
use crate::counted;
use crate::map::addresses;
use finding_model::{SourceFiles, SourceSpan};
use policy_assertions::{CheckResult, Coverage, Example, Problem, SideWitness, Witness};

/// Uncovered rules that are listed where people read; JSON has all of them.
const MOST_UNCOVERED: usize = 20;

/// Everything about a check beyond its name, a line each. Not yet fit to show.
pub(super) fn lines(check: &CheckResult, files: &SourceFiles) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(reason) = check.reason.as_ref().filter(|_| !check.passed()) {
        lines.push(format!("it must hold because: {reason}"));
    }
    for problem in &check.problems {
        lines.extend(of_problem(problem, files));
    }
    lines.extend(check.notes.iter().map(|note| format!("note: {note}")));
    if !check.caveats.is_empty() {
        let objects: Vec<&str> =
            check.caveats.iter().map(|left_out| left_out.object.as_str()).collect();
        let objects = objects.join(", ");
        lines.push(format!("left out because of errors, and might change this: {objects}"));
    }
    lines
}

fn of_problem(problem: &Problem, files: &SourceFiles) -> Vec<String> {
    let Problem { kind: _, message, span, examples, n_examples, and_more } = problem;
    let mut lines = vec![format!("{message} ({})", place(files, *span))];
    for example in examples {
        match example {
            Example::Connection(witness) => lines.extend(of_witness(witness, files)),
            Example::Pod { name, span, text } => {
                lines.push(format!("  {name}: {text}{}", in_brackets(files, *span)));
            }
        }
    }
    let rest = n_examples.saturating_sub(examples.len());
    if rest > 0 {
        let least = if *and_more { "at least " } else { "" };
        lines.push(format!("  and {least}{rest} more"));
    }
    lines
}

fn of_witness(witness: &Witness, files: &SourceFiles) -> Vec<String> {
    let Witness { from, to, port, verdict, reasons, egress, ingress } = witness;
    let mut lines = vec![format!("  {from} → {to} {port}: {verdict}")];
    lines.extend([egress, ingress].map(|side| of_side(side, files)));
    lines.extend(reasons.iter().map(|reason| format!("    {reason}: {}", reason.text())));
    lines
}

fn of_side(side: &SideWitness, files: &SourceFiles) -> String {
    let SideWitness { direction, verdict, tier: _, policy: _, rule: _, span, text } = side;
    format!("    {direction} {verdict}: {text}{}", in_brackets(files, *span))
}

fn in_brackets(files: &SourceFiles, span: Option<SourceSpan>) -> String {
    span.map_or_else(String::new, |span| format!(" ({})", place(files, span)))
}

pub(super) fn place(files: &SourceFiles, span: SourceSpan) -> String {
    files.place(span)
}

/// `cases decide by 12 of 40 rules (30 %), assertions by 20`.
pub(super) fn coverage(coverage: &Coverage) -> String {
    format!(
        "rule coverage: cases decide by {} of {} ({} %), assertions by {}",
        coverage.n_by_case(),
        counted(coverage.rules.len(), "rule"),
        coverage.percent(),
        coverage.n_by_assertion()
    )
}

/// The rules that no case decides by.
pub(super) fn uncovered(run: &TestRun<'_>) -> Vec<String> {
    let rules: Vec<_> = run.results.coverage.rules.iter().filter(|rule| !rule.by_case).collect();
    let mut lines: Vec<String> = rules
        .iter()
        .take(MOST_UNCOVERED)
        .map(|rule| {
            let spoken_of = if rule.by_assertion { ", but an assertion does" } else { "" };
            let place = in_brackets(run.files, rule.span);
            format!("{}{place}{spoken_of}", rule.rule)
        })
        .collect();
    if !lines.is_empty() {
        lines.insert(0, "no case decides by".to_owned());
    }
    let rest = rules.len().saturating_sub(MOST_UNCOVERED);
    if rest > 0 {
        lines.push(format!("and by {} more, which -o json lists", counted(rest, "rule")));
    }
    lines
}

/// `profile upstream; pods without an address are taken to be in 10.0.0.0/8, …`.
pub(super) fn assumed(run: &TestRun<'_>) -> String {
    let networks = addresses::networks(&run.assumptions.pod_networks);
    let networks: Vec<String> = networks.iter().map(ToString::to_string).collect();
    format!(
        "profile {}; pods without an address are taken to be in {}",
        run.assumptions.semantics,
        networks.join(", ")
    )
}
