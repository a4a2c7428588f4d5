//! What people wrote about moments of a recording.
//!
//! Notes stand beside the recording and are no part of it: nothing that is added later changes what was recorded. The
//! digest of each is for the ledger, so that a note that was taken away or changed shows.

use crate::disk::{Disk, write_whole};
use crate::files::Files;
use crate::layout::Part;
use crate::recordings::{FetchError, Recordings};
use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use session_record::{Digest, SessionId};
use std::fs::File;
use std::io::{self, Read as _};
use thiserror::Error;

const VERSION: u32 = 1;
/// Longest text of one note, and longest file of them.
const MAX_TEXT_BYTES: usize = 8 << 10;
const MAX_BYTES: usize = 1 << 20;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Note {
    pub by: String,
    /// When it was written, in milliseconds since 1970 (UTC).
    pub written_at_ms: i64,
    /// The moment of the recording that it is about, in microseconds since its beginning.
    pub at_us: u64,
    pub text: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Notes {
    version: u32,
    notes: Vec<Note>,
}

/// A note was not written, or notes cannot be read.
#[derive(Debug, Error)]
pub enum NoteError {
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error("cannot {what} the notes of recording {session}")]
    Disk {
        what: &'static str,
        session: SessionId,
        #[source]
        source: io::Error,
    },
    #[error("the notes of recording {session} are not as their format says")]
    Format {
        session: SessionId,
        #[source]
        source: serde_json::Error,
    },
    #[error(
        "the notes of recording {session} have version {found} of their format; this program reads {VERSION}"
    )]
    Version { session: SessionId, found: u32 },
    #[error("a note has {bytes} bytes, of which {MAX_TEXT_BYTES} can be kept")]
    TooLong { bytes: usize },
    #[error("recording {0} has as many notes as can be kept")]
    TooMany(SessionId),
}

impl Note {
    /// Of the note as it stands in the file, without blanks.
    ///
    /// # Errors
    /// Never for a note that was read or written.
    pub fn digest(&self) -> Result<Digest, serde_json::Error> {
        let json = serde_json::to_vec(self)?;
        Ok(Digest::try_from(digest(&SHA256, &json).as_ref()).unwrap_or_default())
    }
}

impl Recordings {
    /// In the order in which they were written.
    pub fn notes(&self, session: SessionId) -> Result<Vec<Note>, NoteError> {
        let files = self.files(session)?;
        if files.recording().is_none() {
            return Err(FetchError::NoRecording(session).into());
        }
        read(&files, session)
    }

    /// Adds a note, which is on disk when this returns.
    pub fn add_note(
        &self,
        disk: &dyn Disk,
        session: SessionId,
        note: Note,
    ) -> Result<(), NoteError> {
        if note.text.len() > MAX_TEXT_BYTES {
            return Err(NoteError::TooLong { bytes: note.text.len() });
        }
        let files = self.files(session)?;
        let recording = files.recording().ok_or(FetchError::NoRecording(session))?;
        let mut notes = read(&files, session)?;
        notes.push(note);
        let json = serde_json::to_vec_pretty(&Notes { version: VERSION, notes })
            .map_err(|source| NoteError::Format { session, source })?;
        if json.len() > MAX_BYTES {
            return Err(NoteError::TooMany(session));
        }
        write_whole(disk, &recording.with_extension(Part::Notes.extension()), &json)
            .map_err(|source| NoteError::Disk { what: "write", session, source })
    }
}

fn read(files: &Files, session: SessionId) -> Result<Vec<Note>, NoteError> {
    let Some(path) = files.path(Part::Notes) else { return Ok(Vec::new()) };
    let mut json = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_BYTES as u64 + 1).read_to_end(&mut json))
        .map_err(|source| NoteError::Disk { what: "read", session, source })?;
    let Notes { version, notes } =
        serde_json::from_slice(&json).map_err(|source| NoteError::Format { session, source })?;
    if version == VERSION { Ok(notes) } else { Err(NoteError::Version { session, found: version }) }
}
