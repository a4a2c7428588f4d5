//! A recording that is being written, as the gateway holds it.

use crate::failure::Failure;
use crate::recorder::Shared;
use crate::session::{Position, Session};
use crate::work::NotSealed;
use session_record::{
    Digest, Ending, Event, Head, MAX_EVENT_BYTES, Seal, SessionId, payload_bytes,
};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use thiserror::Error;

/// Takes events of one session. Clones are the same recording; when the last one is dropped without
/// [`seal`](Self::seal), the recording ends as failed.
#[derive(Debug, Clone)]
pub struct Recording {
    held: Arc<Held>,
}

#[derive(Debug)]
struct Held {
    session: Arc<Session>,
    shared: Arc<Shared>,
}

/// An event was not recorded, so it must not go on.
#[derive(Debug, Error)]
pub enum RecordError {
    #[error(transparent)]
    Failed(#[from] Failure),
    #[error("the recording has ended")]
    Ended,
    #[error("an event has {bytes} bytes, of which {MAX_EVENT_BYTES} can be recorded")]
    TooLong { bytes: usize },
}

/// A recording was not sealed. The next recorder's start seals it as recovered.
#[derive(Debug, Error)]
pub enum SealError {
    #[error(transparent)]
    NotSealed(#[from] NotSealed),
    #[error("the disk with the recordings did not answer while the recording was sealed")]
    Stalled,
}

/// What came of a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    pub session: SessionId,
    /// When the session opened: with it [`crate::Recorder::settle`] finds the day.
    pub opened_at_ms: i64,
    pub seal: Seal,
    /// Commits to every byte of the recording.
    pub digest: Digest,
}

impl Recording {
    pub(crate) fn new(session: Arc<Session>, shared: Arc<Shared>) -> Self {
        Self { held: Arc::new(Held { session, shared }) }
    }

    #[must_use]
    pub fn session(&self) -> SessionId {
        self.held.session.id
    }

    /// Of the header as it is on disk.
    #[must_use]
    pub fn header_digest(&self) -> Digest {
        self.held.session.header
    }

    /// Takes an event. Waits while the disk is slower than what is recorded; drops nothing.
    pub async fn record(&self, event: Event) -> Result<Position, RecordError> {
        let session = &self.held.session;
        let bytes = payload_bytes(&event);
        if bytes > MAX_EVENT_BYTES && !matches!(event, Event::Data { .. }) {
            return Err(RecordError::TooLong { bytes });
        }
        let cost = session.cost(bytes);
        let Ok(room) = session.room.acquire_many(cost).await else { return Err(self.why_closed()) };
        let position = session.enqueue(event, cost).ok_or_else(|| self.why_closed())?;
        // The writer thread gives the room back.
        room.forget();
        Ok(position)
    }

    /// Takes an event, and waits until it is on disk where the session's durability asks for that. What this returns
    /// for may go on.
    pub async fn admit(&self, event: Event) -> Result<Position, RecordError> {
        let session = &self.held.session;
        let waits = session.durability.waits_for(session.terminal, &event);
        let position = self.record(event).await?;
        if waits {
            self.durable(position).await?;
        }
        Ok(position)
    }

    /// Waits until an event and all before it are on disk.
    pub async fn durable(&self, position: Position) -> Result<(), RecordError> {
        let session = &self.held.session;
        let mut asked = false;
        loop {
            let mut changed = pin!(session.changed.notified());
            changed.as_mut().enable();
            if session.durable() >= position.0 {
                return Ok(());
            }
            if let Some(failure) = session.failure() {
                return Err(failure.clone().into());
            }
            if !asked {
                session.want(position);
                asked = true;
            }
            changed.await;
        }
    }

    /// How much is on disk: what the ledger is told now and then.
    #[must_use]
    pub fn head(&self) -> Head {
        self.held.session.tell_head()
    }

    /// Waits until the recording cannot go on; the session has to end then, with [`Ending::RecordingFailed`].
    pub async fn failed(&self) -> Failure {
        let session = &self.held.session;
        loop {
            let mut changed = pin!(session.changed.notified());
            changed.as_mut().enable();
            if let Some(failure) = session.failure() {
                return failure.clone();
            }
            changed.await;
        }
    }

    /// Ends the recording, and compresses it. Nothing is recorded after this was called.
    pub async fn seal(&self, ending: Ending) -> Result<Sealed, SealError> {
        let Held { session, shared } = self.held.as_ref();
        let answer = session.ask_for_seal(ending);
        let answered =
            tokio::time::timeout(shared.config.stall, answer).await.or(Err(SealError::Stalled))?;
        let raw = answered.unwrap_or(Err(NotSealed::Ended))?;
        let seal = pack(session, shared, raw).await;
        let digest = seal.digest();
        Ok(Sealed { session: session.id, opened_at_ms: session.at_ms, seal, digest })
    }

    fn why_closed(&self) -> RecordError {
        self.held.session.failure().map_or(RecordError::Ended, |failure| failure.clone().into())
    }
}

/// The seal of the packed recording, or of the raw one where it was not packed.
async fn pack(session: &Arc<Session>, shared: &Arc<Shared>, raw: Seal) -> Seal {
    let Ok(packer) = Arc::clone(&shared.packers).acquire_owned().await else { return raw };
    let (session, shared) = (Arc::clone(session), Arc::clone(shared));
    let sealed = raw.clone();
    let packed = tokio::task::spawn_blocking(move || {
        let packed = shared.pack(&session, &sealed);
        drop(packer);
        packed
    });
    packed.await.ok().flatten().unwrap_or(raw)
}

impl Drop for Held {
    fn drop(&mut self) {
        let Self { session, shared: _ } = self;
        session.inbox.n_sessions.fetch_sub(1, Ordering::Relaxed);
        if !session.is_sealed() {
            let why = session.failure().cloned().unwrap_or(Failure::LetGo).to_string();
            drop(session.ask_for_seal(Ending::RecordingFailed { why }));
        }
    }
}
