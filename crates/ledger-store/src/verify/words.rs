//! What a verification shows, and what it does not, in sentences.

use super::{BundleReport, Report, VerifyOptions, codes};
use finding_model::Severity;

/// What nothing in a ledger shows.
const ALWAYS: [&str; 2] = [
    "that what a source wrote is what happened: one that lies when it writes is not found here",
    "that times are right: they are what the sources' clocks said",
];

pub(super) fn ledger(report: &mut Report, options: &VerifyOptions, whole: bool) {
    let mut proven = Vec::new();
    let mut not_proven = Vec::new();
    let size = report.head.map_or(0, |head| head.size);
    let tree = whole
        && report.signed_by.is_some()
        && !report.has_error_of(&[codes::ROOT_DIFFERS, codes::KEY_CHANGE_WRONG]);
    if let (true, Some(key)) = (tree, &report.signed_by) {
        proven.push(format!(
            "the {size} entries are those that {} signed: none was altered, removed, added or moved since",
            key.short()
        ));
    } else {
        not_proven.push("that the entries are the ledger's: see the findings".to_owned());
    }
    if report.in_journal > 0 && tree && !report.has_error_of(&[codes::JOURNAL_DIFFERS]) {
        proven.push(format!("{} more are in the journal, and signed as well", report.in_journal));
    }
    if tree && !report.has_error_of(&[codes::SEQUENCE_GAP, codes::SEQUENCE_REPEATED]) {
        proven.push("each source's entries are counted without a gap".to_owned());
    }
    witnessed(report, options, tree, &mut proven, &mut not_proven);
    if report.head.is_some() {
        let last = report.audited.sources.values().map(|source| source.last_at_ms).max();
        if last.is_some() {
            not_proven.push("that nothing happened after the last entry".to_owned());
        }
        not_proven.push(
            "that recordings are as they were: the ledger has their digests, which `weir sessions verify` \
             compares"
                .to_owned(),
        );
    }
    not_proven.extend(ALWAYS.map(str::to_owned));
    report.proven = proven;
    report.not_proven = not_proven;
}

fn witnessed(
    report: &Report,
    options: &VerifyOptions,
    tree: bool,
    proven: &mut Vec<String>,
    not_proven: &mut Vec<String>,
) {
    let broken = report.has_error_of(&[codes::FORKED, codes::ROLLED_BACK]);
    if let (Some(remembered), true) = (&options.remembered, tree && !broken) {
        let size = remembered.head.size;
        proven.push(format!("it has grown from the {size} entries that were remembered"));
    }
    let signed = report.cosigned.len();
    match report.cosigned_size {
        Some(size) if tree && !broken && signed >= options.quorum.max(1) => proven.push(format!(
            "{signed} of {} witnesses have seen the first {size} entries, and no other history of this ledger",
            options.witnesses.len()
        )),
        Some(_) | None => {
            not_proven.push("that others are shown the same history: no witness vouches for it".to_owned());
        }
    }
    if options.remembered.is_none() && report.cosigned_size.is_none() {
        not_proven.push(
            "that this is not an older state of the ledger: nothing newer is remembered, and no witness vouches \
             for it"
                .to_owned(),
        );
    }
}

pub(super) fn bundle(report: &mut BundleReport, options: &VerifyOptions) {
    let mut proven = Vec::new();
    let mut not_proven = Vec::new();
    let wrong = report.findings.iter().any(|finding| finding.severity == Severity::Error);
    if let (Some(key), false) = (&report.signed_by, wrong) {
        proven.push(format!(
            "the {} entries of session {} are in the ledger that {} signed, as they are here",
            report.entries.len(),
            report.session,
            key.short()
        ));
        if report.recording_matches == Some(true) {
            proven.push("the recording is byte for byte the one that was sealed".to_owned());
        }
        if report.cosigned.len() >= options.quorum.max(1) {
            proven.push(format!("{} witnesses have seen that ledger", report.cosigned.len()));
        }
    } else {
        not_proven.push("anything about the session: see the findings".to_owned());
    }
    if report.recording_matches.is_none() {
        not_proven.push("that a recording is the sealed one: none was given".to_owned());
    }
    not_proven.push(format!(
        "that these are all entries about session {}: only the whole ledger shows that",
        report.session
    ));
    if report.cosigned.is_empty() {
        not_proven
            .push("that others are shown the same ledger: no witness vouches for it".to_owned());
    }
    not_proven.extend(ALWAYS.map(str::to_owned));
    report.proven = proven;
    report.not_proven = not_proven;
}
