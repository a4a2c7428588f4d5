//! How far a recording is copied, beside the recording: what a crash in between goes on from.

use super::ArchiveError;
use crate::disk::{Disk, write_whole};
use crate::layout::Part;
use serde::{Deserialize, Serialize};
use session_record::SessionId;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

const VERSION: u32 = 1;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UploadState {
    version: u32,
    /// By the end of the file's name.
    pub(super) files: BTreeMap<String, FileState>,
    /// Every file of the recording was read back.
    confirmed: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileState {
    pub(super) object: String,
    pub(super) bytes: u64,
    /// In hexadecimal.
    pub(super) sha256: String,
    pub(super) multipart: Option<Multipart>,
    /// It was read back and had the digest.
    pub(super) confirmed: bool,
}

/// An object that is given in parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Multipart {
    pub(super) id: String,
    pub(super) part_bytes: u64,
    /// What the store called each part that it has.
    pub(super) parts: Vec<String>,
}

impl UploadState {
    /// What was saved, or that nothing was done.
    pub(super) fn load(recording: &Path, session: SessionId) -> Result<Self, ArchiveError> {
        let path = recording.with_extension(Part::Upload.extension());
        let json = match fs::read(&path) {
            Ok(json) => json,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Self { version: VERSION, files: BTreeMap::new(), confirmed: false });
            }
            Err(error) => {
                return Err(ArchiveError::disk(format!("read `{}`", path.display()))(error));
            }
        };
        let state: Self = serde_json::from_slice(&json)
            .map_err(|source| ArchiveError::State { session, source })?;
        if state.version == VERSION {
            return Ok(state);
        }
        let other = io::Error::other(format!("it has version {} of its format", state.version));
        Err(ArchiveError::disk(format!("read `{}`", path.display()))(other))
    }

    pub(super) fn save(&self, disk: &dyn Disk, recording: &Path) -> Result<(), ArchiveError> {
        let path = recording.with_extension(Part::Upload.extension());
        let failed = || ArchiveError::disk(format!("write `{}`", path.display()));
        let json = serde_json::to_vec_pretty(self).map_err(|error| failed()(error.into()))?;
        write_whole(disk, &path, &json).map_err(failed())
    }

    pub(super) const fn is_confirmed(&self) -> bool {
        self.confirmed
    }

    pub(super) const fn confirm(&mut self) {
        self.confirmed = true;
    }
}
