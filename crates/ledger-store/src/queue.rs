//! What waits to be committed.
//!
//! Whoever appends waits for room first, so that a slow disk is felt by who writes and not by memory. The writer
//! takes all that is there at once: what came while a sync was under way becomes the next commit.

use crate::ledger::{AppendError, Committed};
use ledger_model::{Fact, SignerKey};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// How many entries wait at most.
pub(crate) const QUEUE_ENTRIES: u32 = 16_384;

/// What the writer is asked to do.
#[derive(Debug)]
pub(crate) enum Request {
    Append(Append),
    /// Signs with another key from here on.
    Rotate {
        key: Box<SignerKey>,
        reply: Reply,
    },
    /// Publishes all that is committed.
    Flush {
        reply: oneshot::Sender<Result<(), AppendError>>,
    },
}

/// Entries to add together.
#[derive(Debug)]
pub(crate) struct Append {
    pub facts: Vec<Fact>,
    pub reply: Reply,
    /// Given back when the entries are written.
    pub room: OwnedSemaphorePermit,
}

pub(crate) type Reply = oneshot::Sender<Result<Committed, AppendError>>;

/// Shared by a ledger's handles and its writer.
#[derive(Debug)]
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
    room: Arc<Semaphore>,
}

#[derive(Debug, Default)]
struct Waiting {
    requests: Vec<Request>,
    closed: bool,
}

/// What the writer found.
#[derive(Debug)]
pub(crate) enum Taken {
    Requests(Vec<Request>),
    /// Nothing came in the time that was given.
    Quiet,
    /// Nothing is waiting, and nothing will come.
    Closed,
}

impl Queue {
    pub(crate) fn new() -> Self {
        let room = Arc::new(Semaphore::new(QUEUE_ENTRIES as usize));
        Self { waiting: Mutex::default(), arrived: Condvar::new(), room }
    }

    /// Waits until there is room for so many entries.
    pub(crate) async fn room(&self, entries: usize) -> Result<OwnedSemaphorePermit, AppendError> {
        let entries = u32::try_from(entries).unwrap_or(QUEUE_ENTRIES).min(QUEUE_ENTRIES);
        let room = Arc::clone(&self.room).acquire_many_owned(entries).await;
        room.map_err(|_closed| AppendError::Closed)
    }

    /// Hands a request to the writer; gives it back when there is none any more.
    pub(crate) fn push(&self, request: Request) -> Result<(), Request> {
        let mut waiting = self.lock();
        if waiting.closed {
            return Err(request);
        }
        waiting.requests.push(request);
        drop(waiting);
        self.arrived.notify_one();
        Ok(())
    }

    /// All requests that are waiting, or what there is instead after at most `patience`.
    pub(crate) fn take(&self, patience: Duration) -> Taken {
        let waiting = self.lock();
        let empty = |waiting: &mut Waiting| waiting.requests.is_empty() && !waiting.closed;
        let (mut waiting, _timeout) = self
            .arrived
            .wait_timeout_while(waiting, patience, empty)
            .unwrap_or_else(PoisonError::into_inner);
        if !waiting.requests.is_empty() {
            return Taken::Requests(std::mem::take(&mut waiting.requests));
        }
        if waiting.closed { Taken::Closed } else { Taken::Quiet }
    }

    /// Nothing more is taken; what is waiting still is.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.room.close();
        self.arrived.notify_all();
    }

    // A thread that panicked held the lock for as long as it pushed or took a list, and left it whole.
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
