//! The sessions that are going on, for whoever may list, stop and end them.
//!
//! Asking is all that happens here: a session hears what is asked of it between two events, does it, and writes it
//! into its recording and the ledger. Who may ask is decided by whoever calls. Watching is not here: viewers read the
//! recording while it is written, so that they cannot slow a session down.

use session_record::{Ending, Event, Opening, SessionId};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Asks that a session has not heard yet.
const ASKS: usize = 8;

/// What may be asked of a session that goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ask {
    Freeze { by: String },
    Thaw { by: String },
    Mark { by: String, text: String },
}

/// How far a session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Phase {
    /// Its recording has begun; the cluster is not reached yet.
    Opening,
    Running,
    Frozen,
    /// Nothing more passes; the recording is being ended.
    Sealing,
}

const PHASES: [Phase; 4] = [Phase::Opening, Phase::Running, Phase::Frozen, Phase::Sealing];

/// A session that is going on.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) opening: Opening,
    phase: AtomicU8,
    asks: mpsc::Sender<Ask>,
    /// What somebody ended it with; the first counts.
    ending: OnceLock<Ending>,
    ended: CancellationToken,
    from_client: AtomicU64,
    to_client: AtomicU64,
}

/// What a list shows of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveSession {
    pub opening: Opening,
    pub phase: Phase,
    pub bytes_from_client: u64,
    pub bytes_to_client: u64,
}

/// Why something that was asked will not be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    #[error("no session with this id is going on")]
    NoSuchSession,
    #[error("the session has not done yet what it was asked before")]
    Busy,
}

/// All sessions that are going on. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    sessions: Arc<Mutex<BTreeMap<SessionId, Arc<Live>>>>,
}

/// Takes a session out of the registry when it is over, however that came.
#[derive(Debug)]
pub(crate) struct Registered {
    registry: Registry,
    pub(crate) live: Arc<Live>,
}

impl Registry {
    pub(crate) fn enter(&self, opening: Opening) -> (Registered, mpsc::Receiver<Ask>) {
        let (asks, heard) = mpsc::channel(ASKS);
        let live = Arc::new(Live {
            opening,
            phase: AtomicU8::new(Phase::Opening as u8),
            asks,
            ending: OnceLock::new(),
            ended: CancellationToken::new(),
            from_client: AtomicU64::new(0),
            to_client: AtomicU64::new(0),
        });
        self.locked().insert(live.opening.session, Arc::clone(&live));
        (Registered { registry: self.clone(), live }, heard)
    }

    /// In the order of their ids.
    #[must_use]
    pub fn list(&self) -> Vec<LiveSession> {
        self.locked().values().map(|live| live.session()).collect()
    }

    #[must_use]
    pub fn find(&self, session: SessionId) -> Option<LiveSession> {
        self.locked().get(&session).map(|live| live.session())
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.locked().len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.locked().is_empty()
    }

    /// Ends a session at once; its person is told who did and why.
    ///
    /// # Errors
    /// When there is no such session.
    pub fn kill(&self, session: SessionId, by: &str, why: &str) -> Result<(), AskError> {
        let ending = Ending::Killed { by: by.to_owned(), why: why.to_owned() };
        self.live(session)?.end(ending);
        Ok(())
    }

    /// Stops a session's streams until [`Self::thaw`].
    ///
    /// # Errors
    /// When there is no such session, or it is behind with what it was asked before.
    pub fn freeze(&self, session: SessionId, by: &str) -> Result<(), AskError> {
        self.ask(session, Ask::Freeze { by: by.to_owned() })
    }

    /// # Errors
    /// As [`Self::freeze`].
    pub fn thaw(&self, session: SessionId, by: &str) -> Result<(), AskError> {
        self.ask(session, Ask::Thaw { by: by.to_owned() })
    }

    /// Marks this moment in a session's recording.
    ///
    /// # Errors
    /// As [`Self::freeze`].
    pub fn mark(&self, session: SessionId, by: &str, text: &str) -> Result<(), AskError> {
        self.ask(session, Ask::Mark { by: by.to_owned(), text: text.to_owned() })
    }

    /// Ends all sessions in the same way.
    pub(crate) fn end_all(&self, ending: &Ending) {
        for live in self.locked().values() {
            live.end(ending.clone());
        }
    }

    fn ask(&self, session: SessionId, ask: Ask) -> Result<(), AskError> {
        self.live(session)?.asks.try_send(ask).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => AskError::Busy,
            mpsc::error::TrySendError::Closed(_) => AskError::NoSuchSession,
        })
    }

    fn live(&self, session: SessionId) -> Result<Arc<Live>, AskError> {
        self.locked().get(&session).cloned().ok_or(AskError::NoSuchSession)
    }

    // Whoever panicked with the lock had inserted or removed one session, or not.
    fn locked(&self) -> MutexGuard<'_, BTreeMap<SessionId, Arc<Live>>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Live {
    pub(crate) fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Relaxed);
    }

    /// Ends the session. It need not be able to hear anything else for that.
    pub(crate) fn end(&self, ending: Ending) {
        self.ending.get_or_init(|| ending);
        self.ended.cancel();
    }

    /// Waits until somebody ends the session.
    pub(crate) async fn ended(&self) -> Ending {
        self.ended.cancelled().await;
        self.ending.get().cloned().unwrap_or(Ending::GatewayStopped)
    }

    /// What somebody ended it with.
    pub(crate) fn ending(&self) -> Option<Ending> {
        self.ending.get().cloned()
    }

    /// Counts what passes.
    pub(crate) fn passed(&self, event: &Event) {
        let (side, bytes) = match event {
            Event::Data { stream, bytes } if stream.is_from_person() => (&self.from_client, bytes),
            Event::Data { stream: _, bytes } | Event::Call { json: bytes } => {
                (&self.to_client, bytes)
            }
            Event::End { .. }
            | Event::Resize { .. }
            | Event::Status { .. }
            | Event::Connected { .. }
            | Event::ConnectionError { .. }
            | Event::Disconnected { .. }
            | Event::Notice { .. }
            | Event::Frozen { .. }
            | Event::Thawed { .. }
            | Event::Marker { .. } => return,
        };
        side.fetch_add(bytes.len() as u64, Ordering::Relaxed);
    }

    /// From the client, and to it.
    pub(crate) fn bytes(&self) -> (u64, u64) {
        (self.from_client.load(Ordering::Relaxed), self.to_client.load(Ordering::Relaxed))
    }

    fn session(&self) -> LiveSession {
        let (bytes_from_client, bytes_to_client) = self.bytes();
        let phase = usize::from(self.phase.load(Ordering::Relaxed));
        LiveSession {
            opening: self.opening.clone(),
            phase: PHASES.get(phase).copied().unwrap_or(Phase::Sealing),
            bytes_from_client,
            bytes_to_client,
        }
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.registry.locked().remove(&self.live.opening.session);
    }
}
