//! The recording that a bundle is about, as the ledger's entry commits to it.
//!
//! The entry has the digest that the seal has of itself, and a sealed recording may be stored raw or packed. So its bytes
//! are verified as a recording, against what the bundle's entries say, and not compared as a file.

use bytes::Bytes;
use ledger_model::Fact;
use ledger_store::{BundleReport, RecordingDigest};
use session_record::{Anchors, Digest, Keys, Source, SourceError, Verdict, verify};
use std::fs::File;
use std::os::unix::fs::FileExt as _;

/// The end of a file.
#[derive(Debug)]
pub(super) struct Tail {
    pub(super) file: File,
    /// Where it begins, and how long it is.
    pub(super) offset: u64,
    pub(super) length: u64,
}

impl Source for Tail {
    fn length(&self) -> Result<u64, SourceError> {
        Ok(self.length)
    }

    fn read(&self, offset: u64, length: usize) -> Result<Bytes, SourceError> {
        let left = usize::try_from(self.length.saturating_sub(offset)).unwrap_or(usize::MAX);
        let mut bytes = vec![0; length.min(left)];
        let at = self.offset.saturating_add(offset);
        self.file.read_exact_at(&mut bytes, at).map_err(|error| SourceError(Box::new(error)))?;
        Ok(bytes.into())
    }
}

/// The recording's digest as the ledger has it: the sealing entry's, if the recording is the one that was sealed.
/// Otherwise that of its bytes, which no entry has.
pub(super) fn as_sealed(
    report: &BundleReport,
    recording: Tail,
    of_bytes: RecordingDigest,
) -> RecordingDigest {
    let mut anchors = Anchors::default();
    for (_, entry) in &report.entries {
        if let Fact::SessionOpened(opened) = &entry.fact {
            anchors.header = Some(opened.header);
        } else if let Fact::SessionSealed(sealed) = &entry.fact {
            anchors.seal = Some(sealed.file);
        }
    }
    let sealed: Option<Digest> = anchors.seal;
    let is_sound = verify(recording, &Keys::none(), &anchors)
        .is_ok_and(|report| report.verdict() == Verdict::Sound);
    match sealed {
        Some(sha256) if is_sound => RecordingDigest { sha256, ..of_bytes },
        _ => of_bytes,
    }
}
