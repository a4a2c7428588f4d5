//! Findings as SARIF 2.1.0, which code hosts show beside the lines of a change.
//!
//! Source: OASIS "Static Analysis Results Interchange Format Version 2.1.0"; § below is its section.

mod document;
mod location;

use super::FindingReport;
use crate::json::write_pretty;
use crate::visible;
use document::{
    Configuration, Driver, Log, Message, MultiformatMessage, Properties, ResultObject, Rule, Run,
    Tool,
};
use finding_model::{Code, Finding, Fix, Severity};
use std::collections::BTreeMap;
use std::io::{self, Write};

pub fn write(out: &mut dyn Write, report: &FindingReport<'_>) -> io::Result<()> {
    write_pretty(out, &log(report))
}

fn log<'a>(report: &'a FindingReport<'_>) -> Log<'a> {
    let rules = rules(report);
    let index: BTreeMap<&str, usize> =
        rules.iter().enumerate().map(|(index, rule)| (rule.id, index)).collect();
    let mut seen = BTreeMap::new();
    let results = report.findings.iter().map(|finding| {
        let rule_index = index.get(finding.code.0).copied().unwrap_or_default();
        result(report, finding, rule_index, &mut seen)
    });
    let results = results.collect();
    let driver = Driver {
        name: "weir",
        information_uri: "https://weir.dev",
        semantic_version: env!("CARGO_PKG_VERSION"),
        rules,
    };
    let run = Run {
        tool: Tool { driver },
        column_kind: "unicodeCodePoints",
        properties: BTreeMap::from([("profile", report.profile)]),
        results,
    };
    Log { schema: document::SCHEMA_URI, version: "2.1.0", runs: [run] }
}

/// One rule for each code that was found, by code, with the worst severity it was found with.
fn rules<'a>(report: &FindingReport<'a>) -> Vec<Rule<'a>> {
    let mut worst: BTreeMap<Code, &Finding> = BTreeMap::new();
    for finding in report.findings {
        let known = worst.entry(finding.code).or_insert(finding);
        if finding.severity > known.severity {
            *known = finding;
        }
    }
    worst.into_values().map(|finding| rule(report, finding)).collect()
}

/// A page is its code as title, a paragraph that says what is wrong, and the rest.
fn rule<'a>(report: &FindingReport<'a>, finding: &'a Finding) -> Rule<'a> {
    let page = (report.page)(finding.code.0);
    let summary = page.and_then(|page| page.split("\n\n").nth(1));
    let summary = summary.map(|paragraph| paragraph.trim().replace('\n', " "));
    let help = page.map_or_else(|| visible(&finding.help), Into::into);
    Rule {
        id: finding.code.0,
        short_description: MultiformatMessage {
            text: summary.map_or(finding.code.0.into(), Into::into),
            markdown: None,
        },
        help: MultiformatMessage { text: help, markdown: page },
        default_configuration: Configuration { level: level(finding.severity) },
        properties: document::RuleProperties {
            tags: ["kubernetes", "network-policy"],
            problem_severity: problem_severity(finding.severity),
        },
    }
}

fn result<'a>(
    report: &FindingReport<'_>,
    finding: &'a Finding,
    rule_index: usize,
    seen: &mut BTreeMap<u64, u32>,
) -> ResultObject<'a> {
    let Finding { code, severity, span, object, message: _, why, witness, help: _, fix, related } =
        finding;
    let files = report.files;
    let related_location = |(id, related): (u32, &finding_model::Related)| {
        let mut place = location::of(related.span, files);
        place.id = Some(id);
        place.message = Some(Message { text: message_text(&related.message) });
        place
    };
    ResultObject {
        rule_id: code.0,
        rule_index,
        level: level(*severity),
        message: Message { text: message_text(&text(finding)) },
        locations: [location::of_result(*span, related, files)],
        related_locations: (1..).zip(related).map(related_location).collect(),
        partial_fingerprints: BTreeMap::from([(
            "weirFinding/v1",
            fingerprint(report, finding, seen),
        )]),
        properties: Properties {
            object: object.as_deref().map(visible),
            why: why.as_deref().map(visible),
            witness: witness.as_deref().map(visible),
            fix: fix.as_ref().map(|fix| visible(&fix.summary)),
            patch: fix
                .as_ref()
                .and_then(|Fix { patch, .. }| patch.as_deref().map(crate::visible_lines)),
        },
    }
}

/// A viewer may show nothing but the message, so it says everything.
fn text(finding: &Finding) -> String {
    let message = match &finding.object {
        Some(object) => format!("{} (in {object})", finding.message),
        None => finding.message.clone(),
    };
    let notes = [("Why", finding.why.as_deref()), ("Example", finding.witness.as_deref())];
    let notes = notes.into_iter().chain([("Help", Some(finding.help.as_str()))]);
    let notes = notes.filter_map(|(title, note)| note.map(|note| format!("{title}: {note}")));
    let sentences: Vec<String> = std::iter::once(message).chain(notes).map(sentence).collect();
    sentences.join(" ")
}

fn sentence(mut text: String) -> String {
    if !text.ends_with(['.', '?', '!']) {
        text.push('.');
    }
    text
}

/// Doubles braces, which would be placeholders (§3.11.5), and breaks up links (§3.11.6).
fn message_text(text: &str) -> String {
    let text = visible(text).replace('{', "{{").replace('}', "}}");
    if text.contains("](") { text.replace('[', "\\[").replace(']', "\\]") } else { text }
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "note",
    }
}

/// GitHub's own words for the same.
fn problem_severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "recommendation",
    }
}

/// Stays the same when lines move: the code, the file, the object and the message, and which of
/// several equal ones it is.
fn fingerprint(
    report: &FindingReport<'_>,
    finding: &Finding,
    seen: &mut BTreeMap<u64, u32>,
) -> String {
    let file = finding.span.map_or("", |span| report.files.name(span.file));
    let object = finding.object.as_deref().unwrap_or_default();
    let hash = fnv1a(&[finding.code.0, file, object, &finding.message]);
    let occurrence = seen.entry(hash).or_default();
    *occurrence += 1;
    format!("{hash:016x}:{occurrence}")
}

/// FNV-1a, because it must give the same on every machine and in every version.
fn fnv1a(texts: &[&str]) -> u64 {
    let bytes = texts.iter().flat_map(|text| text.bytes().chain([0]));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests;
