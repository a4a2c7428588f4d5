//! Checks a bundle against nothing but public keys.

use super::{Found, VerifyOptions, codes, words};
use crate::entry_json::{decode_entry, session_of};
use finding_model::{Finding, Severity};
use ledger_model::{Bundle, BundleError, Digest, Entry, Fact, KeyHistory, TreeHead, VerifierKey};

/// The length of a recording, and its digest as the entry that sealed it has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordingDigest {
    pub bytes: u64,
    pub sha256: Digest,
}

/// What the verification of a bundle came to.
#[derive(Debug, Default)]
pub struct BundleReport {
    pub origin: String,
    pub session: String,
    pub head: Option<TreeHead>,
    pub signed_by: Option<VerifierKey>,
    /// The witnesses that signed, and when, in seconds since 1970.
    pub cosigned: Vec<(VerifierKey, u64)>,
    /// With their indexes, in the order of the ledger.
    pub entries: Vec<(u64, Entry)>,
    /// Whether the recording is the one that was sealed; nothing when none was given.
    pub recording_matches: Option<bool>,
    pub findings: Vec<Finding>,
    pub proven: Vec<String>,
    pub not_proven: Vec<String>,
}

/// Verifies a bundle, and a recording that comes with it or was given beside it.
#[must_use]
pub fn verify_bundle(
    bundle: Result<Bundle, BundleError>,
    recording: Option<RecordingDigest>,
    options: &VerifyOptions,
) -> BundleReport {
    let mut found = Found::default();
    let mut report = BundleReport::default();
    match bundle {
        Ok(bundle) => check(&bundle, recording, options, (&mut report, &mut found)),
        Err(error) => found.error(
            codes::BUNDLE_UNREADABLE,
            error.to_string(),
            "get the bundle again from who made it",
        ),
    }
    report.findings = found.findings;
    report.findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    words::bundle(&mut report, options);
    report
}

fn check(
    bundle: &Bundle,
    recording: Option<RecordingDigest>,
    options: &VerifyOptions,
    (report, found): (&mut BundleReport, &mut Found),
) {
    report.origin.clone_from(&bundle.checkpoint.checkpoint().origin);
    report.session.clone_from(&bundle.session);
    report.head = Some(bundle.checkpoint.head());
    if let Err(error) = bundle.check_proofs() {
        let help = "make the bundle again from the ledger";
        found.error(codes::PROOF_WRONG, with_source(&error), help);
    }
    let history = entries(bundle, report, found);
    sign(bundle, &history, options, (report, found));
    sealed(bundle, recording, report, found);
}

/// Reads the entries, which must be of the session, or change the ledger's key.
fn entries(bundle: &Bundle, report: &mut BundleReport, found: &mut Found) -> KeyHistory {
    let mut history = KeyHistory::default();
    for bundled in &bundle.entries {
        let index = bundled.inclusion.index;
        let entry = match decode_entry(&bundled.bytes) {
            Ok(entry) => entry,
            Err(error) => {
                mixed(format!("entry {index} cannot be read: {}", with_source(&error)), found);
                continue;
            }
        };
        if let Fact::KeyRotated { statement } = &entry.fact {
            if let Err(error) = history.take(statement, index, None) {
                found.error(
                    codes::KEY_CHANGE_WRONG,
                    format!("entry {index} names a new key, which is not believed: {error}"),
                    "ask the ledger's operator what happened there",
                );
            }
        } else if session_of(&entry.fact).is_some_and(|session| session == bundle.session) {
            report.entries.push((index, entry));
        } else {
            mixed(format!("entry {index} is not about session {}", bundle.session), found);
        }
    }
    history
}

fn mixed(message: String, found: &mut Found) {
    found.error(codes::BUNDLE_MIXED, message, "make the bundle again from the ledger");
}

fn sign(
    bundle: &Bundle,
    history: &KeyHistory,
    options: &VerifyOptions,
    (report, found): (&mut BundleReport, &mut Found),
) {
    report.signed_by = super::signatures::ledger(&bundle.checkpoint, history, options, found);
    report.cosigned = super::signatures::cosigners(&bundle.checkpoint, options, found);
    super::signatures::unknown(&bundle.checkpoint, history, options, "checkpoint", found);
    super::signatures::enough(report.cosigned.len(), options, found);
}

/// The entries that a session begins and ends with, and the recording that the last one commits to.
fn sealed(
    bundle: &Bundle,
    recording: Option<RecordingDigest>,
    report: &mut BundleReport,
    found: &mut Found,
) {
    let help =
        "make the bundle again with `weir ledger prove --session` when the session is sealed";
    let has_opened =
        report.entries.iter().any(|(_, entry)| matches!(entry.fact, Fact::SessionOpened(_)));
    if !has_opened {
        let message = format!("no entry opens session {}", bundle.session);
        found.error(codes::BUNDLE_INCOMPLETE, message, help);
    }
    let seal = report.entries.iter().rev().find_map(|(_, entry)| {
        if let Fact::SessionSealed(sealed) = &entry.fact { Some(sealed.clone()) } else { None }
    });
    let Some(seal) = seal else {
        found.add(
            codes::BUNDLE_INCOMPLETE,
            Severity::Warning,
            format!(
                "no entry seals session {}: nothing here commits to its recording as a whole",
                bundle.session
            ),
            help,
        );
        return;
    };
    let Some(recording) = recording else { return };
    let matches = recording.sha256 == seal.file
        && bundle.recording.is_none_or(|bytes| bytes == recording.bytes);
    report.recording_matches = Some(matches);
    if !matches {
        found.error(
            codes::RECORDING_DIFFERS,
            format!("the recording is not the one of session {} that was sealed", bundle.session),
            "it was altered, or is of another session: look for another copy",
        );
    }
}

fn with_source(error: &dyn std::error::Error) -> String {
    let source = error.source().map(|source| format!(": {source}"));
    format!("{error}{}", source.unwrap_or_default())
}
