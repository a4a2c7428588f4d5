//! The files of one recording, wherever they are, as one source of bytes.

use crate::layout::{self, Layout, Part};
use bytes::{Bytes, BytesMut};
use session_record::{Continuation, Continued, ReadError, SessionId, Source, SourceError, Torn};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// A file that is read at any place.
#[derive(Debug)]
pub(crate) struct FileSource(File);

impl FileSource {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        File::open(path).map(Self)
    }
}

impl Source for FileSource {
    fn length(&self) -> Result<u64, SourceError> {
        self.0.metadata().map(|metadata| metadata.len()).map_err(|error| SourceError(error.into()))
    }

    fn read(&self, offset: u64, length: usize) -> Result<Bytes, SourceError> {
        let mut bytes = BytesMut::zeroed(length);
        let mut n_read = 0;
        while let Some(rest) = bytes.get_mut(n_read..).filter(|rest| !rest.is_empty()) {
            match self.0.read_at(rest, offset + n_read as u64) {
                Ok(0) => break,
                Ok(more) => n_read += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(SourceError(error.into())),
            }
        }
        bytes.truncate(n_read);
        Ok(bytes.freeze())
    }
}

/// The folders in which a recording's files may be: a move from the first to the second may have been cut short.
#[derive(Debug, Clone)]
pub(crate) struct Files {
    session: SessionId,
    folders: Vec<PathBuf>,
}

impl Files {
    pub(crate) fn open(layout: &Layout, session: SessionId) -> Self {
        Self { session, folders: vec![layout.open_folder()] }
    }

    /// Of a session that opened at a time.
    pub(crate) fn of_day(layout: &Layout, session: SessionId, at_ms: i64) -> Self {
        Self { session, folders: vec![layout.open_folder(), layout.day_folder(at_ms)] }
    }

    /// Of a session of which only the id is known.
    pub(crate) fn find(layout: &Layout, session: SessionId) -> io::Result<Self> {
        let mut folders = vec![layout.open_folder()];
        let sealed = layout.sealed_folder();
        if fs::exists(&sealed)? {
            for day in fs::read_dir(sealed)? {
                let day = day?.path();
                if Part::ALL.iter().any(|part| layout::file(&day, session, *part).exists()) {
                    folders.push(day);
                }
            }
        }
        Ok(Self { session, folders })
    }

    pub(crate) fn path(&self, part: Part) -> Option<PathBuf> {
        let paths = self.folders.iter().map(|folder| layout::file(folder, self.session, part));
        paths.into_iter().find(|path| path.exists())
    }

    /// The recording's own file, in whichever form it is.
    pub(crate) fn recording(&self) -> Option<PathBuf> {
        self.path(Part::Packed).or_else(|| self.path(Part::Raw))
    }

    /// What the raw file has behind the place at which a second one takes the recording up.
    pub(crate) fn torn(&self) -> Result<Option<Torn>, ReadError> {
        let (Some(raw), Some(more), None) =
            (self.path(Part::Raw), self.path(Part::Continuation), self.path(Part::Packed))
        else {
            return Ok(None);
        };
        let open = |path: &Path| FileSource::open(path).map_err(|error| SourceError(error.into()));
        let beginning = open(&more)?.read(0, Continuation::BYTES)?;
        let Continuation { header: _, offset } = Continuation::read(&beginning)?;
        Ok(crate::recovery::torn(&open(&raw)?, offset)?)
    }

    /// The recording, in whichever form it is; none where there is none.
    pub(crate) fn source(&self) -> Result<Option<Box<dyn Source + Send>>, ReadError> {
        let open = |path: &Path| FileSource::open(path).map_err(|error| SourceError(error.into()));
        if let Some(packed) = self.path(Part::Packed) {
            return Ok(Some(Box::new(open(&packed)?)));
        }
        let Some(raw) = self.path(Part::Raw) else { return Ok(None) };
        let raw = open(&raw)?;
        Ok(Some(match self.path(Part::Continuation) {
            None => Box::new(raw),
            Some(more) => Box::new(Continued::new(raw, open(&more)?)?),
        }))
    }
}
