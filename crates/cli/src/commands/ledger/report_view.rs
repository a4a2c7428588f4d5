//! What a verification came to, for people and for programs.

use super::arguments::LedgerFormat;
use super::entry_view::{self, time};
use finding_model::{Code, Finding, Severity, SourceFiles};
use ledger_model::{ProofFile, ProofFileError};
use ledger_store::{BundleReport, Report, encode_entry};
use report_formats::{Palette, Role, findings, json, visible};
use serde_json::{Map, Value, json};
use std::io::{self, Write};

/// A verification, whatever it is of.
pub(super) struct Seen {
    kind: &'static str,
    /// What stands above the findings, for people.
    facts: Vec<(&'static str, String)>,
    /// Entries that are shown, with their indexes.
    entries: Vec<(u64, Vec<u8>)>,
    /// The fields beside the findings, for programs.
    fields: Map<String, Value>,
    findings: Vec<Finding>,
    proven: Vec<String>,
    not_proven: Vec<String>,
}

impl Seen {
    pub(super) fn ledger(report: Report) -> Self {
        let fields = ledger_fields(&report);
        let size = report.head.map_or(0, |head| head.size);
        let mut facts = vec![("ledger", report.origin.clone()), ("entries", size.to_string())];
        if report.in_journal > 0 {
            facts.push(("in the journal", report.in_journal.to_string()));
        }
        facts.extend(report.signed_by.as_ref().map(|key| ("signed by", key.short())));
        for (index, key) in &report.key_changes {
            facts.push(("key changed", format!("at entry {index} to {}", key.short())));
        }
        for (witness, at) in &report.cosigned {
            let at = time(i64::try_from(*at).unwrap_or(i64::MAX).saturating_mul(1000));
            facts.push(("witness", format!("{} at {at}", witness.short())));
        }
        for (name, source) in &report.audited.sources {
            let (entries, last) = (source.entries, time(source.last_at_ms));
            let word = if source.running { "running" } else { "stopped" };
            facts.push(("source", format!("{name}: {entries} entries, last at {last}, {word}")));
        }
        let sessions = report.audited.sessions;
        let text = format!(
            "{} opened, {} sealed, {} not sealed, {} refused",
            sessions.opened, sessions.sealed, sessions.open, sessions.refused
        );
        facts.push(("sessions", text));
        for (kind, count) in &report.audited.unknown_kinds {
            facts.push((
                "unknown kind",
                format!("{kind}: {count} entries, verified like all others"),
            ));
        }
        Self {
            kind: "LedgerVerification",
            facts,
            entries: Vec::new(),
            fields,
            findings: report.findings,
            proven: report.proven,
            not_proven: report.not_proven,
        }
    }

    pub(super) fn bundle(report: BundleReport) -> Self {
        let entries: Vec<(u64, Vec<u8>)> = report
            .entries
            .iter()
            .filter_map(|(index, entry)| Some((*index, encode_entry(entry).ok()?)))
            .collect();
        let mut facts = vec![
            ("ledger", report.origin.clone()),
            ("session", report.session.clone()),
            ("of entries", report.head.map_or(0, |head| head.size).to_string()),
        ];
        facts.extend(report.signed_by.as_ref().map(|key| ("signed by", key.short())));
        let fields = json!({
            "ledger": report.origin,
            "session": report.session,
            "size": report.head.map(|head| head.size),
            "signedBy": report.signed_by.as_ref().map(ToString::to_string),
            "witnesses": witnesses(&report.cosigned),
            "recordingMatches": report.recording_matches,
            "entries": documents(&entries),
        });
        Self {
            kind: "LedgerBundleVerification",
            facts,
            entries,
            fields: object(fields),
            findings: report.findings,
            proven: report.proven,
            not_proven: report.not_proven,
        }
    }

    pub(super) fn proof(file: &ProofFile, checked: Result<Vec<u8>, ProofFileError>) -> Self {
        let checkpoint = file.checkpoint.checkpoint();
        let (index, size) = (file.inclusion.index, checkpoint.head.size);
        let mut seen = Self {
            kind: "LedgerProofVerification",
            facts: vec![("ledger", checkpoint.origin.clone())],
            entries: Vec::new(),
            fields: Map::new(),
            findings: Vec::new(),
            proven: Vec::new(),
            not_proven: Vec::new(),
        };
        match checked {
            Ok(entry) => {
                seen.entries.push((index, entry));
                let origin = &checkpoint.origin;
                seen.proven
                    .push(format!("entry {index} is one of the {size} that {origin} signed"));
            }
            Err(error) => {
                seen.not_proven.push("that the entry is in the ledger".to_owned());
                seen.findings.push(Finding::new(
                    Code("ledger-proof-wrong"),
                    Severity::Error,
                    error.to_string(),
                    "make the proof again from the ledger, and give the ledger's key with --key",
                ));
            }
        }
        seen.not_proven.push("that what the entry says is what happened".to_owned());
        let entries = documents(&seen.entries);
        let fields = json!({ "ledger": checkpoint.origin, "index": index, "size": size, "entries": entries });
        seen.fields = object(fields);
        seen
    }

    pub(super) fn fails(&self, fail_on: Severity) -> bool {
        self.findings.iter().any(|finding| finding.severity >= fail_on)
    }
}

fn ledger_fields(report: &Report) -> Map<String, Value> {
    let sources: Map<String, Value> = report
        .audited
        .sources
        .iter()
        .map(|(name, source)| {
            let fields = json!({
                "entries": source.entries,
                "firstAt": time(source.first_at_ms),
                "lastAt": time(source.last_at_ms),
                "lastSequence": source.last_sequence,
                "runs": source.runs,
                "running": source.running,
            });
            (name.clone(), fields)
        })
        .collect();
    let sessions = report.audited.sessions;
    let changes: Vec<Value> = report
        .key_changes
        .iter()
        .map(|(index, key)| json!({ "index": index, "key": key.to_string() }))
        .collect();
    object(json!({
        "ledger": report.origin,
        "size": report.head.map(|head| head.size),
        "root": report.head.map(|head| hex(&head.root)),
        "signedBy": report.signed_by.as_ref().map(ToString::to_string),
        "keyChanges": changes,
        "witnesses": witnesses(&report.cosigned),
        "witnessedSize": report.cosigned_size,
        "inJournal": report.in_journal,
        "files": report.files,
        "sources": sources,
        "sessions": {
            "opened": sessions.opened,
            "sealed": sessions.sealed,
            "notSealed": sessions.open,
            "refused": sessions.refused,
        },
        "unknownKinds": report.audited.unknown_kinds,
        "unreadable": report.audited.unreadable,
    }))
}

fn witnesses(cosigned: &[(ledger_model::VerifierKey, u64)]) -> Vec<Value> {
    let at = |at: u64| time(i64::try_from(at).unwrap_or(i64::MAX).saturating_mul(1000));
    cosigned.iter().map(|(key, when)| json!({ "key": key.to_string(), "at": at(*when) })).collect()
}

fn documents(entries: &[(u64, Vec<u8>)]) -> Vec<Value> {
    let entry = |(index, bytes): &(u64, Vec<u8>)| {
        let entry: Value = serde_json::from_slice(bytes).unwrap_or_default();
        json!({ "index": index, "entry": entry })
    };
    entries.iter().map(entry).collect()
}

fn object(value: Value) -> Map<String, Value> {
    if let Value::Object(fields) = value { fields } else { Map::new() }
}

fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn write_text(out: &mut dyn Write, seen: &Seen, palette: Palette) -> io::Result<()> {
    let width = seen.facts.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    for (name, value) in &seen.facts {
        writeln!(out, "{name:width$}  {}", visible(value))?;
    }
    for (index, bytes) in &seen.entries {
        entry_view::write(out, (*index, bytes), LedgerFormat::Text, palette)?;
    }
    writeln!(out)?;
    findings::text::write_findings(out, &seen.findings, &SourceFiles::default(), palette)?;
    for shown in &seen.proven {
        writeln!(out, "{} {}", palette.paint(Role::Allow, "shown:"), visible(shown))?;
    }
    for shown in &seen.not_proven {
        writeln!(out, "{} {}", palette.paint(Role::Faint, "not shown:"), visible(shown))?;
    }
    let counts = findings::Counts::of(&seen.findings);
    writeln!(out, "\n{counts}")
}

pub(super) fn write_json(out: &mut dyn Write, seen: &Seen) -> io::Result<()> {
    let counts = findings::Counts::of(&seen.findings);
    let mut document = Map::new();
    document.insert("apiVersion".to_owned(), json::API_VERSION.into());
    document.insert("kind".to_owned(), seen.kind.into());
    document.extend(seen.fields.clone());
    document.insert("proven".to_owned(), seen.proven.clone().into());
    document.insert("notProven".to_owned(), seen.not_proven.clone().into());
    let summary =
        json!({ "error": counts.errors, "warning": counts.warnings, "info": counts.infos });
    document.insert("summary".to_owned(), summary);
    let listed: Vec<Value> = seen
        .findings
        .iter()
        .map(|finding| {
            json!({
                "code": finding.code.0,
                "severity": finding.severity.to_string(),
                "message": finding.message,
                "help": finding.help,
            })
        })
        .collect();
    document.insert("findings".to_owned(), listed.into());
    json::write_pretty(out, &Value::Object(document))
}
