//! Why a recording cannot go on, and with it the session.

use session_record::CipherRefused;
use std::io;
use thiserror::Error;

/// The reason is for the person whose session ends, for the recording and for the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Failure {
    #[error("the disk with the recordings is full")]
    DiskFull,
    #[error("the recording could not {what}: {why}")]
    Disk { what: &'static str, why: String },
    #[error("the disk with the recordings did not answer for {stall_ms} ms")]
    Stalled { stall_ms: u64 },
    #[error("only {free_bytes} bytes are free on the disk with the recordings")]
    SpaceCritical { free_bytes: u64 },
    #[error(transparent)]
    Cipher(#[from] CipherRefused),
    #[error("the gateway let go of the recording without an ending")]
    LetGo,
}

impl Failure {
    pub(crate) fn of_disk(what: &'static str, error: &io::Error) -> Self {
        let kind = error.kind();
        if kind == io::ErrorKind::StorageFull || kind == io::ErrorKind::QuotaExceeded {
            return Self::DiskFull;
        }
        Self::Disk { what, why: error.to_string() }
    }
}
