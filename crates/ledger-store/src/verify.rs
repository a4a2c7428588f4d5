//! Checks a ledger against nothing but its files and public keys, and says what that shows and what it does not.
//!
//! The whole tree is computed again from the entries, and every file is compared with what it must be, so that
//! any change of any file is seen. What a file cannot show is said as well: an older state of a ledger is a
//! perfect ledger, and only who remembers a newer one can tell.

mod bundle;
mod codes;
mod journal;
mod signatures;
mod walk;
mod words;

pub use bundle::{BundleReport, RecordingDigest, verify_bundle};

use crate::place::{Place, ReadError};
use crate::reader::COSIGNED;
use finding_model::{Code, Finding, Severity};
use ledger_model::{
    Audit, Audited, CheckpointError, KeyHistory, SignedCheckpoint, TreeHead, VerifierKey,
};
use walk::Walk;

/// What is known from elsewhere than from the ledger.
#[derive(Debug, Clone)]
pub struct VerifyOptions {
    /// Keys of the ledger. One that was in force at any time is enough: changes are followed.
    pub keys: Vec<VerifierKey>,
    pub witnesses: Vec<VerifierKey>,
    /// How many of the witnesses must have signed.
    pub quorum: usize,
    /// A checkpoint of this ledger from before.
    pub remembered: Option<Remembered>,
    /// How often a source says that it is there when nothing happens.
    pub heartbeat_ms: i64,
}

/// A checkpoint that was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    pub origin: String,
    pub head: TreeHead,
}

/// What a verification came to.
#[derive(Debug, Default)]
pub struct Report {
    pub origin: String,
    /// What the checkpoint commits to.
    pub head: Option<TreeHead>,
    /// The key that signed it, when that is one that is believed.
    pub signed_by: Option<VerifierKey>,
    /// The witnesses that signed, and when by their clocks, in seconds since 1970.
    pub cosigned: Vec<(VerifierKey, u64)>,
    /// How many entries the witnesses have signed.
    pub cosigned_size: Option<u64>,
    /// Changes of the ledger's key: the entry, and the key from there on.
    pub key_changes: Vec<(u64, VerifierKey)>,
    /// Acknowledged entries that are in the journal and not in tiles yet.
    pub in_journal: u64,
    pub files: u64,
    pub audited: Audited,
    /// Of everything, the worst first.
    pub findings: Vec<Finding>,
    /// What is shown to be so.
    pub proven: Vec<String>,
    /// What nobody should think is shown.
    pub not_proven: Vec<String>,
}

/// What is found on the way.
#[derive(Debug, Default)]
struct Found {
    findings: Vec<Finding>,
}

impl Default for VerifyOptions {
    fn default() -> Self {
        Self {
            keys: Vec::new(),
            witnesses: Vec::new(),
            quorum: 0,
            remembered: None,
            heartbeat_ms: 60_000,
        }
    }
}

impl Remembered {
    /// A checkpoint that was kept, if it is one of these keys'.
    ///
    /// # Errors
    /// When it cannot be read, or is not signed by one of them.
    pub fn parse(bytes: &[u8], keys: &[VerifierKey]) -> Result<Self, CheckpointError> {
        let signed = SignedCheckpoint::parse(bytes)?;
        signed.signed_by_one(keys)?;
        Ok(Self { origin: signed.checkpoint().origin.clone(), head: signed.head() })
    }
}

impl Found {
    fn add(&mut self, code: Code, severity: Severity, message: String, help: &str) {
        self.findings.push(Finding::new(code, severity, message, help));
    }

    fn error(&mut self, code: Code, message: String, help: &str) {
        self.add(code, Severity::Error, message, help);
    }
}

impl Report {
    /// Whether anything is wrong, as opposed to worth knowing.
    #[must_use]
    pub fn has(&self, severity: Severity) -> bool {
        self.findings.iter().any(|finding| finding.severity >= severity)
    }

    fn has_error_of(&self, codes: &[Code]) -> bool {
        self.findings.iter().any(|finding| codes.contains(&finding.code))
    }
}

/// Verifies the ledger in a place.
///
/// # Errors
/// When the place cannot be read. What is wrong with a ledger that can be read is a finding.
pub async fn verify(place: &Place, options: &VerifyOptions) -> Result<Report, ReadError> {
    let mut found = Found::default();
    let mut report = Report::default();
    let Some(checkpoint) = read_checkpoint(place, &mut found).await? else {
        report.findings = found.findings;
        report.not_proven.push("anything: there is no checkpoint to prove it by".to_owned());
        return Ok(report);
    };
    let head = checkpoint.head();
    report.origin.clone_from(&checkpoint.checkpoint().origin);
    report.head = Some(head);
    let cosigned = read_cosigned(place, &mut found).await?;
    let mut walk = Walk::new(place, head.size, Audit::new(options.heartbeat_ms));
    walk.watch(cosigned.as_ref().map(|signed| signed.head().size));
    walk.watch(options.remembered.as_ref().map(|remembered| remembered.head.size));
    walk.run(&mut found).await?;
    if walk.is_whole() && walk.head() != head {
        found.error(
            codes::ROOT_DIFFERS,
            format!("the {} entries are not those that the checkpoint commits to", head.size),
            "an entry was altered, left out, added or moved; tiles that differ say where, and a copy of the \
             ledger has what was there",
        );
    }
    report.signed_by = signatures::ledger(&checkpoint, walk.history(), options, &mut found);
    let (size, signers) =
        signatures::witnesses(&checkpoint, cosigned.as_ref(), &walk, options, &mut found);
    report.cosigned_size = (!signers.is_empty()).then_some(size);
    report.cosigned = signers;
    signatures::remembered(&report, &walk, options, &mut found);
    if let Place::Folder(folder) = place {
        let own = crate::layout::Layout::new(folder);
        report.in_journal = journal::verify(&own, &mut walk, options, &mut found).await?;
    }
    finish(report, walk, found, options)
}

fn finish(
    mut report: Report,
    walk: Walk<'_>,
    found: Found,
    options: &VerifyOptions,
) -> Result<Report, ReadError> {
    report.files = walk.files();
    report.key_changes = key_changes(walk.history());
    let whole = walk.is_whole();
    report.audited = walk.finish();
    report.findings = found.findings;
    report.findings.extend(report.audited.findings.iter().cloned());
    // The order of what was found is kept among the equally bad.
    report.findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    words::ledger(&mut report, options, whole);
    Ok(report)
}

async fn read_checkpoint(
    place: &Place,
    found: &mut Found,
) -> Result<Option<SignedCheckpoint>, ReadError> {
    let help = "a copy of a ledger needs the file `checkpoint`, as the ledger wrote it";
    let Some(bytes) = place.read("checkpoint").await? else {
        let message = format!("there is no checkpoint in {place}");
        found.error(codes::NO_CHECKPOINT, message, help);
        return Ok(None);
    };
    match SignedCheckpoint::parse(&bytes) {
        Ok(checkpoint) => Ok(Some(checkpoint)),
        Err(error) => {
            let message = format!("the checkpoint in {place} cannot be read: {error}");
            found.error(codes::NO_CHECKPOINT, message, help);
            Ok(None)
        }
    }
}

async fn read_cosigned(
    place: &Place,
    found: &mut Found,
) -> Result<Option<SignedCheckpoint>, ReadError> {
    let Some(bytes) = place.read(COSIGNED).await? else { return Ok(None) };
    match SignedCheckpoint::parse(&bytes) {
        Ok(checkpoint) => Ok(Some(checkpoint)),
        Err(error) => {
            found.error(
                codes::COSIGNATURE_WRONG,
                format!("the checkpoint with the witnesses' signatures cannot be read: {error}"),
                "restore it from a copy, or let the ledger ask its witnesses again",
            );
            Ok(None)
        }
    }
}

fn key_changes(history: &KeyHistory) -> Vec<(u64, VerifierKey)> {
    let changes = history.rotations().iter();
    changes.map(|change| (change.before.size, change.new.clone())).collect()
}
