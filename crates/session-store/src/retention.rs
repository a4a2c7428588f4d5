//! How long recordings are kept, who holds them longer, and what is left of those that were deleted.
//!
//! Deleting is three steps for whoever does it: [`Recordings::expired`] says what may go, [`Recordings::begin_deletion`]
//! that nobody holds it and nobody can until that is dropped, then the ledger is told, and [`Deleting::finish`] removes
//! it. The wrapped keys go first and for good: where copies of a recording are in storage that keeps them, they
//! are noise from then on.

use crate::disk::{Disk, write_whole};
use crate::files::Files;
use crate::layout::{self, Part};
use crate::recordings::{Condition, FetchError, Listed, Recordings};
use folder_lock::FolderLock;
use serde::{Deserialize, Serialize};
use session_record::{Seal, SessionId};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;
use thiserror::Error;

const VERSION: u32 = 1;
/// Longest file of holds that is read.
const MAX_BYTES: u64 = 1 << 20;

/// Somebody wants a recording to be kept, whatever its age.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hold {
    pub by: String,
    pub why: String,
    pub at_ms: i64,
}

/// What is left of a recording that was deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tombstone {
    pub version: u32,
    pub session: String,
    pub opened_at_ms: i64,
    pub deleted_at_ms: i64,
    pub why: String,
    /// SHA-256 in hexadecimal: of the header, after the last chunk, of the seal.
    pub header: String,
    pub chain: String,
    pub seal: String,
    pub chunks: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Holds {
    version: u32,
    holds: Vec<Hold>,
}

/// When and why a recording is deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deletion {
    pub at_ms: i64,
    pub why: String,
}

/// A settled recording that nobody holds. While it lives nobody can hold one, in any process.
#[derive(Debug)]
pub struct Deleting {
    session: SessionId,
    opened_at_ms: i64,
    seal: Box<Seal>,
    files: Files,
    _alone: FolderLock,
}

/// A recording was not held, let go, or deleted.
#[derive(Debug, Error)]
pub enum RetentionError {
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error("cannot {what} recording {session}")]
    Disk {
        what: &'static str,
        session: SessionId,
        #[source]
        source: io::Error,
    },
    #[error("recording {session} is held by {by}: {why}")]
    Held { session: SessionId, by: String, why: String },
    #[error("`{by}` does not hold recording {session}")]
    NotHeld { session: SessionId, by: String },
    #[error("recording {0} is not sealed and settled")]
    NotSettled(SessionId),
    #[error("the holds of recording {session} are not as their format says")]
    Holds {
        session: SessionId,
        #[source]
        source: serde_json::Error,
    },
    #[error(
        "the holds of recording {session} have version {found} of their format; this program reads {VERSION}"
    )]
    Version { session: SessionId, found: u32 },
}

impl Recordings {
    /// Everybody who holds a recording.
    pub fn holds(&self, session: SessionId) -> Result<Vec<Hold>, RetentionError> {
        let files = self.files(session)?;
        let Some(path) = files.path(Part::Hold) else { return Ok(Vec::new()) };
        let mut json = Vec::new();
        File::open(path).and_then(|file| file.take(MAX_BYTES).read_to_end(&mut json)).map_err(
            |source| RetentionError::Disk { what: "read the holds of", session, source },
        )?;
        let Holds { version, holds } = serde_json::from_slice(&json)
            .map_err(|source| RetentionError::Holds { session, source })?;
        if version == VERSION {
            Ok(holds)
        } else {
            Err(RetentionError::Version { session, found: version })
        }
    }

    /// Keeps a recording until whoever holds it lets go.
    pub fn hold(
        &self,
        disk: &dyn Disk,
        session: SessionId,
        hold: Hold,
    ) -> Result<(), RetentionError> {
        let _alone = self.alone(session)?;
        let mut holds = self.holds(session)?;
        holds.retain(|other| other.by != hold.by);
        holds.push(hold);
        self.write_holds(disk, session, holds)
    }

    /// Lets go of a recording. Others may still hold it.
    pub fn lift(
        &self,
        disk: &dyn Disk,
        session: SessionId,
        by: &str,
    ) -> Result<(), RetentionError> {
        let _alone = self.alone(session)?;
        let mut holds = self.holds(session)?;
        let n_before = holds.len();
        holds.retain(|hold| hold.by != by);
        if holds.len() == n_before {
            return Err(RetentionError::NotHeld { session, by: by.to_owned() });
        }
        self.write_holds(disk, session, holds)
    }

    fn alone(&self, session: SessionId) -> Result<FolderLock, RetentionError> {
        let locked = FolderLock::wait_for(&self.layout.retention_lock());
        locked.map_err(|source| RetentionError::Disk { what: "lock what holds", session, source })
    }

    fn write_holds(
        &self,
        disk: &dyn Disk,
        session: SessionId,
        holds: Vec<Hold>,
    ) -> Result<(), RetentionError> {
        let files = self.files(session)?;
        let failed = |source| RetentionError::Disk { what: "write the holds of", session, source };
        let recording = files.recording().ok_or(FetchError::NoRecording(session))?;
        let path = recording.with_extension(Part::Hold.extension());
        if holds.is_empty() {
            let folder = path.parent().unwrap_or(Path::new("."));
            return disk.remove(&path).and_then(|()| disk.sync_folder(folder)).map_err(failed);
        }
        let json = serde_json::to_vec_pretty(&Holds { version: VERSION, holds });
        let json = json.map_err(|source| RetentionError::Holds { session, source })?;
        write_whole(disk, &path, &json).map_err(failed)
    }

    /// Settled recordings that ended before a moment and that nobody holds.
    pub fn expired(&self, ended_before_ms: i64) -> Result<Vec<Listed>, RetentionError> {
        let mut expired = Vec::new();
        for listed in self.list()? {
            let Condition::Sealed { seal, .. } = &listed.condition else { continue };
            let is_over = seal.at_ms < ended_before_ms && self.is_settled(listed.session)?;
            if is_over && self.holds(listed.session)?.is_empty() {
                expired.push(listed);
            }
        }
        Ok(expired)
    }

    fn is_settled(&self, session: SessionId) -> Result<bool, RetentionError> {
        let open = Files::open(&self.layout, session);
        Ok(open.recording().is_none() && self.files(session)?.recording().is_some())
    }

    /// Makes sure that a recording may be deleted, until what this gives is dropped. Waits while somebody else holds
    /// or deletes a recording.
    pub fn begin_deletion(&self, session: SessionId) -> Result<Deleting, RetentionError> {
        let alone = self.alone(session)?;
        if let Some(Hold { by, why, at_ms: _ }) = self.holds(session)?.pop() {
            return Err(RetentionError::Held { session, by, why });
        }
        if !self.is_settled(session)? {
            return Err(RetentionError::NotSettled(session));
        }
        let Condition::Sealed { opening, seal, .. } = self.look(session)?.condition else {
            return Err(RetentionError::NotSettled(session));
        };
        let files = self.files(session)?;
        Ok(Deleting { session, opened_at_ms: opening.at_ms, seal, files, _alone: alone })
    }

    /// What is left of every recording that was deleted.
    pub fn tombstones(&self) -> Result<Vec<Tombstone>, RetentionError> {
        let mut tombstones = Vec::new();
        let sealed = self.layout.sealed_folder();
        let failed = |source| FetchError::Folder { path: sealed.clone(), source };
        for day in crate::recordings::entries(&sealed).map_err(failed)? {
            for path in crate::recordings::entries(&day).map_err(failed)? {
                if let Some((session, Part::Tombstone)) = layout::parsed(&path) {
                    let json = fs::read(&path).map_err(failed)?;
                    let parsed = serde_json::from_slice(&json);
                    tombstones
                        .push(parsed.map_err(|source| RetentionError::Holds { session, source })?);
                }
            }
        }
        Ok(tombstones)
    }
}

impl Deleting {
    /// What the recording's seal says of its end.
    #[must_use]
    pub fn seal(&self) -> &Seal {
        &self.seal
    }

    /// Removes the recording for good. What is left says that it was there.
    pub fn finish(self, disk: &dyn Disk, deletion: Deletion) -> Result<Tombstone, RetentionError> {
        let Self { session, opened_at_ms, seal, files, _alone } = self;
        let tombstone = tombstone(session, opened_at_ms, &seal, deletion);
        let failed = |source| RetentionError::Disk { what: "delete", session, source };
        let recording = files.recording().ok_or(FetchError::NoRecording(session))?;
        let json = serde_json::to_vec_pretty(&tombstone).map_err(|source| failed(source.into()))?;
        write_whole(disk, &recording.with_extension(Part::Tombstone.extension()), &json)
            .map_err(failed)?;
        remove(disk, &files).map_err(failed)?;
        Ok(tombstone)
    }
}

fn tombstone(session: SessionId, opened_at_ms: i64, seal: &Seal, deletion: Deletion) -> Tombstone {
    let Deletion { at_ms, why } = deletion;
    Tombstone {
        version: VERSION,
        session: session.to_string(),
        opened_at_ms,
        deleted_at_ms: at_ms,
        why,
        header: hexadecimal(&seal.header),
        chain: hexadecimal(&seal.head.chain),
        seal: hexadecimal(&seal.digest()),
        chunks: seal.head.chunks,
    }
}

pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The keys first: should this be cut short, what remains cannot be read by anybody.
fn remove(disk: &dyn Disk, files: &Files) -> io::Result<()> {
    if let Some(keys) = files.path(Part::Keys) {
        overwrite(&keys)?;
        disk.remove(&keys)?;
        disk.sync_folder(keys.parent().unwrap_or(Path::new(".")))?;
    }
    for part in [Part::Raw, Part::Continuation, Part::Packed, Part::Notes, Part::Upload] {
        if let Some(path) = files.path(part) {
            disk.remove(&path)?;
            disk.sync_folder(path.parent().unwrap_or(Path::new(".")))?;
        }
    }
    Ok(())
}

/// A removed file's bytes stay on many disks until others take their place. Where a file system writes elsewhere this
/// does nothing, and auditors' keys are what protects.
fn overwrite(path: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).open(path)?;
    let length = usize::try_from(file.metadata()?.len()).unwrap_or_default();
    file.write_all(&vec![0; length])?;
    file.sync_all()
}
