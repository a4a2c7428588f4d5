//! Recordings as they are read for an answer: with the server's keys, few at once, and no longer than somebody waits.

use crate::answer::Refused;
use crate::api::Shared;
use session_record::{Keys, ReadError, Reader, SessionId};
use session_store::{FetchError, RecordingSource, Recordings, UnwrapKey, WrapError, unwrap_keys};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use thiserror::Error;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

/// Whether what was typed is opened as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Typed {
    Withheld,
    Opened,
}

/// Why a recording cannot be read here.
#[derive(Debug, Error)]
pub(crate) enum NotRead {
    #[error("no key opens it")]
    NoKey,
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error("its keys could not be unwrapped")]
    Unwrap(#[from] WrapError),
}

/// Tells a reading that nobody waits for it any more, when it is dropped.
#[derive(Debug, Default)]
pub(crate) struct Waiting(Arc<AtomicBool>);

/// Asked by whoever reads.
#[derive(Debug, Clone)]
pub(crate) struct GivenUp(Arc<AtomicBool>);

impl Waiting {
    pub(crate) fn asked(&self) -> GivenUp {
        GivenUp(Arc::clone(&self.0))
    }
}

impl GivenUp {
    pub(crate) fn is_so(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl From<NotRead> for Refused {
    fn from(error: NotRead) -> Self {
        match error {
            NotRead::NoKey | NotRead::Fetch(FetchError::NoKeys(_)) => Self::no_key(),
            NotRead::Fetch(FetchError::NoRecording(_)) => Self::unknown_session(),
            NotRead::Fetch(FetchError::Read(ReadError::Source(_)))
            | NotRead::Fetch(FetchError::Folder { .. })
            | NotRead::Fetch(FetchError::Keys { .. })
            | NotRead::Fetch(FetchError::KeysFile(_))
            | NotRead::Fetch(FetchError::Read(_))
            | NotRead::Unwrap(_) => Self::failed("read the recording", &error),
        }
    }
}

/// The keys of a recording that the server opens. Blocks.
pub(crate) fn keys(
    recordings: &Recordings,
    by: &[Arc<dyn UnwrapKey>],
    session: SessionId,
    typed: Typed,
) -> Result<Keys, NotRead> {
    if by.is_empty() {
        return Err(NotRead::NoKey);
    }
    let mut keys = unwrap_keys(&recordings.keys_file(session)?, by)?;
    if typed == Typed::Withheld {
        keys.input = None;
    }
    if keys.output.is_none() { Err(NotRead::NoKey) } else { Ok(keys) }
}

/// A recording, opened. Blocks.
pub(crate) fn reader(
    recordings: &Recordings,
    by: &[Arc<dyn UnwrapKey>],
    session: SessionId,
    typed: Typed,
) -> Result<(Reader<RecordingSource>, Keys), NotRead> {
    let keys = keys(recordings, by, session, typed)?;
    Ok((recordings.reader(session, &keys)?, keys))
}

impl Shared {
    /// As [`Self::opened`]; none where no key opens it, or it cannot be read, which is for its proof to say.
    pub(crate) async fn opened_if_readable(
        &self,
        session: SessionId,
        typed: Typed,
    ) -> Result<Option<Reader<RecordingSource>>, Refused> {
        let (recordings, by) = (self.recordings.clone(), self.keys.clone());
        match self.read(move || reader(&recordings, &by, session, typed)).await? {
            Ok((reader, _keys)) => Ok(Some(reader)),
            Err(
                NotRead::NoKey
                | NotRead::Fetch(
                    FetchError::NoKeys(_) | FetchError::NoRecording(_) | FetchError::Read(_),
                ),
            ) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Opens a recording. Nothing of it is shown by that.
    pub(crate) async fn opened(
        &self,
        session: SessionId,
        typed: Typed,
    ) -> Result<(Reader<RecordingSource>, Keys), Refused> {
        let (recordings, by) = (self.recordings.clone(), self.keys.clone());
        self.read(move || reader(&recordings, &by, session, typed)).await?.map_err(Refused::from)
    }

    /// Does what reads a recording's content, when it is its turn.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        what: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Refused> {
        in_turn(&self.turns.reading, what).await
    }
}

/// What blocks is done by few at once: the threads for it are those that begin recordings, too.
#[derive(Debug)]
pub(crate) struct Turns {
    /// Headers, folders, and what is beside a recording.
    pub(crate) looking: Arc<Semaphore>,
    /// Content.
    reading: Arc<Semaphore>,
    /// Whole recordings, whoever may still wait for it: apart, so that nobody else waits for them.
    pub(crate) proving: Arc<Semaphore>,
}

impl Default for Turns {
    fn default() -> Self {
        let [looking, reading, proving] = [8, 4, 2].map(|n| Arc::new(Semaphore::new(n)));
        Self { looking, reading, proving }
    }
}

/// Does what blocks, when it is its turn.
pub(crate) async fn in_turn<T: Send + 'static>(
    turns: &Arc<Semaphore>,
    what: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Refused> {
    let turn = Arc::clone(turns).acquire_owned().await;
    let turn = turn.map_err(|error| Refused::failed("read its files", &error))?;
    let done = spawn_blocking(move || {
        let done = what();
        drop(turn);
        done
    });
    done.await.map_err(|error| Refused::failed("read its files", &error))
}
