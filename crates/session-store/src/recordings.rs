//! Which recordings a folder has, without a key, and the bytes of each.

use crate::files::Files;
use crate::key_wrap::{KEYS_FILE_MAX_BYTES, KeysFile, KeysFileError};
use crate::layout::{self, Layout, Part};
use session_record::{
    Anchors, Digest, Keys, Opening, ReadError, Reader, Report, Seal, SessionId, Source, verify,
};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// The recordings in a folder. A recorder may be writing there.
#[derive(Debug, Clone)]
pub struct Recordings {
    pub(crate) layout: Layout,
}

/// What can be said of a recording without a key.
#[derive(Debug)]
pub struct Listed {
    pub session: SessionId,
    pub condition: Condition,
}

/// In which state a recording is found.
#[derive(Debug)]
pub enum Condition {
    /// Being written, or left so by a recorder that is gone; the next start of one decides.
    Open {
        opening: Box<Opening>,
        header: Digest,
    },
    /// Its seal says in which state it ended.
    Sealed {
        opening: Box<Opening>,
        header: Digest,
        seal: Box<Seal>,
    },
    Unreadable {
        why: ReadError,
    },
}

/// A recording cannot be fetched.
#[derive(Debug, Error)]
pub enum FetchError {
    #[error("there is no recording of session {0}")]
    NoRecording(SessionId),
    #[error("cannot look for recordings in `{}`", path.display())]
    Folder {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the wrapped keys of session {0} are gone")]
    NoKeys(SessionId),
    #[error("cannot read the wrapped keys of session {session}")]
    Keys {
        session: SessionId,
        #[source]
        source: io::Error,
    },
    #[error(transparent)]
    KeysFile(#[from] KeysFileError),
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// The bytes of a recording.
pub type RecordingSource = Box<dyn Source + Send>;

impl Recordings {
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        Self { layout: Layout::new(folder) }
    }

    /// Every session of which there is a file, in the order of their ids.
    pub fn sessions(&self) -> Result<Vec<SessionId>, FetchError> {
        let mut sessions = BTreeSet::new();
        self.visit(&self.layout.open_folder(), &mut sessions)?;
        for day in entries(&self.layout.sealed_folder()).map_err(|error| self.failed(error))? {
            self.visit(&day, &mut sessions)?;
        }
        Ok(sessions.into_iter().collect())
    }

    fn visit(&self, folder: &Path, sessions: &mut BTreeSet<SessionId>) -> Result<(), FetchError> {
        let entries = entries(folder).map_err(|error| self.failed(error))?;
        let parsed = entries.iter().filter_map(|path| layout::parsed(path));
        sessions.extend(
            parsed
                .filter(|(_, part)| matches!(part, Part::Raw | Part::Packed))
                .map(|(session, _)| session),
        );
        Ok(())
    }

    fn failed(&self, source: io::Error) -> FetchError {
        FetchError::Folder { path: self.layout.root().to_owned(), source }
    }

    /// What can be said of every recording, oldest session first.
    pub fn list(&self) -> Result<Vec<Listed>, FetchError> {
        let mut listed: Vec<Listed> = Vec::new();
        for session in self.sessions()? {
            match self.look(session) {
                Ok(found) => listed.push(found),
                // It was removed meanwhile.
                Err(FetchError::NoRecording(_)) => {}
                Err(error) => return Err(error),
            }
        }
        listed.sort_by_key(|listed| (listed.opened_at_ms(), listed.session));
        Ok(listed)
    }

    pub fn look(&self, session: SessionId) -> Result<Listed, FetchError> {
        let condition = match self.reader(session, &Keys::none()) {
            Ok(reader) => condition(&reader),
            Err(FetchError::Read(why)) => Condition::Unreadable { why },
            Err(error) => return Err(error),
        };
        Ok(Listed { session, condition })
    }

    pub fn source(&self, session: SessionId) -> Result<RecordingSource, FetchError> {
        self.files(session)?.source()?.ok_or(FetchError::NoRecording(session))
    }

    pub fn reader(
        &self,
        session: SessionId,
        keys: &Keys,
    ) -> Result<Reader<RecordingSource>, FetchError> {
        Ok(Reader::open(self.source(session)?, keys)?)
    }

    /// Verifies all of a recording's files: the recording, and what its raw file has behind it.
    pub fn verify(
        &self,
        session: SessionId,
        keys: &Keys,
        anchors: &Anchors,
    ) -> Result<Report, FetchError> {
        let files = self.files(session)?;
        let source = files.source()?.ok_or(FetchError::NoRecording(session))?;
        let mut report = verify(source, keys, anchors)?;
        if report.seal.is_some() {
            report.check_torn(files.torn()?);
        }
        Ok(report)
    }

    pub fn keys_file(&self, session: SessionId) -> Result<KeysFile, FetchError> {
        let path = self.files(session)?.path(Part::Keys).ok_or(FetchError::NoKeys(session))?;
        let mut json = Vec::new();
        File::open(path)
            .and_then(|file| file.take(KEYS_FILE_MAX_BYTES).read_to_end(&mut json))
            .map_err(|source| FetchError::Keys { session, source })?;
        Ok(KeysFile::parse(&json)?)
    }

    pub(crate) fn files(&self, session: SessionId) -> Result<Files, FetchError> {
        Files::find(&self.layout, session).map_err(|error| self.failed(error))
    }
}

impl Listed {
    #[must_use]
    pub fn opening(&self) -> Option<&Opening> {
        match &self.condition {
            Condition::Open { opening, .. } | Condition::Sealed { opening, .. } => Some(opening),
            Condition::Unreadable { why: _ } => None,
        }
    }

    fn opened_at_ms(&self) -> i64 {
        self.opening().map_or(i64::MIN, |opening| opening.at_ms)
    }
}

/// What a recording says of itself without a key.
pub(crate) fn condition<S: Source>(reader: &Reader<S>) -> Condition {
    let opening = Box::new(reader.opening().clone());
    let header = reader.header_digest();
    match reader.seal() {
        None => Condition::Open { opening, header },
        Some(seal) => Condition::Sealed { opening, header, seal: Box::new(seal.clone()) },
    }
}

/// What is in a folder, if there is one.
pub(crate) fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(folder) {
        Ok(entries) => entries.map(|entry| entry.map(|entry| entry.path())).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}
