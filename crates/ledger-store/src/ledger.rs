//! The ledger as its writers know it.

use crate::disk::Disk;
use crate::entry_json::EntryError;
use crate::journal::SEGMENT_BYTES;
use crate::queue::{Append, Queue, Request};
use crate::recovery::{OpenError, Recovered, open};
use ledger_model::{Fact, SignerKey, TreeHead};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::{oneshot, watch};

/// How a ledger is opened.
#[derive(Debug)]
pub struct LedgerOptions {
    pub folder: PathBuf,
    /// Signs checkpoints; its name is the ledger's origin.
    pub key: SignerKey,
    /// Who writes, in every entry. A source counts its entries, also over restarts.
    pub source: String,
    /// Of the program that writes, for the entry that it started.
    pub version: String,
    /// After so long without an entry, one says that there was none.
    pub heartbeat: Duration,
    /// How long entries may be in the journal only, durable but not yet in tiles for others to read.
    pub publish_after: Duration,
    /// How large a segment of the journal is.
    pub segment_bytes: usize,
    pub disk: Disk,
    pub clock: Clock,
}

/// Milliseconds since 1970.
#[derive(Clone)]
pub struct Clock(pub Arc<dyn Fn() -> i64 + Send + Sync>);

/// A ledger that entries are added to. Clones are handles of the same one.
#[derive(Debug, Clone)]
pub struct Ledger {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    queue: Arc<Queue>,
    progress: watch::Receiver<Progress>,
    recovered: Recovered,
    writer: Mutex<Option<JoinHandle<()>>>,
}

/// What an acknowledgement says: the entry is on disk, and so is a signed checkpoint that covers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// Of the entry in the ledger; of the first one when there were several, which have consecutive ones.
    pub index: u64,
    /// The source's own count of it.
    pub sequence: u64,
    /// The signed note.
    pub checkpoint: Arc<[u8]>,
}

/// How far a ledger is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// What is durable, signed and acknowledged.
    pub committed: TreeHead,
    /// How many entries are in tiles, under the checkpoint that others read.
    pub published: u64,
    /// Why no entries are taken any more.
    pub failed: Option<Failure>,
}

/// Why a ledger stopped taking entries.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{during}: {error}")]
pub struct Failure {
    pub during: String,
    pub error: String,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    #[error("the entry cannot be one: {0}")]
    Refused(String),
    #[error("{0} entries at once are too many, or are too large together")]
    TooMany(usize),
    /// Whether the entry is in the ledger is known when it is opened again, and not before.
    #[error(
        "the ledger takes no entries until it is opened again, since something failed while it was {0}"
    )]
    Failed(Failure),
    #[error("the ledger is closed")]
    Closed,
}

impl LedgerOptions {
    /// What is usual.
    #[must_use]
    pub fn new(folder: PathBuf, key: SignerKey, source: &str, version: &str) -> Self {
        Self {
            folder,
            key,
            source: source.to_owned(),
            version: version.to_owned(),
            heartbeat: Duration::from_secs(60),
            publish_after: Duration::from_millis(250),
            segment_bytes: SEGMENT_BYTES,
            disk: Disk::default(),
            clock: Clock::default(),
        }
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self(Arc::new(|| {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
        }))
    }
}

impl std::fmt::Debug for Clock {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Clock")
    }
}

impl Failure {
    pub(crate) fn new(during: &str, error: &io::Error) -> Self {
        Self { during: during.to_owned(), error: error.to_string() }
    }
}

impl From<EntryError> for AppendError {
    fn from(error: EntryError) -> Self {
        Self::Refused(error.to_string())
    }
}

impl Ledger {
    /// Opens the ledger in a folder, which is made if it is not there, brings what a crash left in order, and
    /// says that its source started. Blocks for as long as that takes.
    ///
    /// # Errors
    /// When the folder is in use, is not this key's ledger, or is damaged.
    pub fn open(options: LedgerOptions) -> Result<Self, OpenError> {
        let queue = Arc::new(Queue::new());
        let opened = open(options, Arc::clone(&queue))?;
        let (writer, progress, recovered) = opened;
        Ok(Self {
            inner: Arc::new(Inner { queue, progress, recovered, writer: Mutex::new(Some(writer)) }),
        })
    }

    /// Adds an entry. When this returns it is durable and under a signed checkpoint.
    ///
    /// The entry is added also when the future is dropped before it is ready.
    ///
    /// # Errors
    /// When the entry is too large, or the ledger failed or was closed.
    pub async fn append(&self, fact: Fact) -> Result<Committed, AppendError> {
        self.append_all(vec![fact]).await
    }

    /// Adds entries in this order, all or none, in one commit.
    ///
    /// # Errors
    /// As [`Self::append`], and when they are too many for one commit.
    pub async fn append_all(&self, facts: Vec<Fact>) -> Result<Committed, AppendError> {
        let room = self.inner.queue.room(facts.len()).await.map_err(|closed| self.why(closed))?;
        let (reply, answer) = oneshot::channel();
        self.ask(Request::Append(Append { facts, reply, room }))?;
        answer.await.unwrap_or_else(|_gone| Err(self.why(AppendError::Closed)))
    }

    /// Adds the entry by which this checkpoint and all later ones are signed with another key.
    ///
    /// # Errors
    /// As [`Self::append`], and when the key cannot follow the ledger's.
    pub async fn rotate(&self, key: SignerKey) -> Result<Committed, AppendError> {
        let (reply, answer) = oneshot::channel();
        self.ask(Request::Rotate { key: Box::new(key), reply })?;
        answer.await.unwrap_or_else(|_gone| Err(self.why(AppendError::Closed)))
    }

    /// Waits until all that was acknowledged is in tiles, for others to read.
    ///
    /// # Errors
    /// When the ledger failed or was closed.
    pub async fn flush(&self) -> Result<(), AppendError> {
        let (reply, answer) = oneshot::channel();
        self.ask(Request::Flush { reply })?;
        answer.await.unwrap_or_else(|_gone| Err(self.why(AppendError::Closed)))
    }

    /// How far the ledger is, now and whenever that changes.
    #[must_use]
    pub fn progress(&self) -> watch::Receiver<Progress> {
        self.inner.progress.clone()
    }

    /// What opening it had to bring in order.
    #[must_use]
    pub fn recovered(&self) -> &Recovered {
        &self.inner.recovered
    }

    /// Says that the source stopped, publishes all, and gives the folder free.
    ///
    /// # Errors
    /// When the ledger failed before or while closing. The folder is free then, too.
    pub async fn close(self) -> Result<(), AppendError> {
        let stopped = self.append(Fact::SourceStopped).await;
        self.inner.queue.close();
        let inner = Arc::clone(&self.inner);
        let joined = tokio::task::spawn_blocking(move || inner.join()).await;
        stopped?;
        let failed = self.inner.progress.borrow().failed.clone();
        match (failed, joined) {
            (Some(failure), _) => Err(AppendError::Failed(failure)),
            (None, Err(_panicked)) => Err(AppendError::Closed),
            (None, Ok(())) => Ok(()),
        }
    }

    fn ask(&self, request: Request) -> Result<(), AppendError> {
        self.inner.queue.push(request).map_err(|_back| self.why(AppendError::Closed))
    }

    /// The failure that closed the ledger, if that is what did.
    fn why(&self, otherwise: AppendError) -> AppendError {
        let failed = self.inner.progress.borrow().failed.clone();
        failed.map_or(otherwise, AppendError::Failed)
    }
}

impl Inner {
    fn join(&self) {
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        // It reports through `progress` what there is to say; a panic of it closes every answer.
        if let Some(Err(_panicked)) = writer.map(JoinHandle::join) {}
    }
}

/// The last handle publishes what is committed and gives the folder free. It does not say that the source
/// stopped: that is for who closed it.
impl Drop for Inner {
    fn drop(&mut self) {
        self.queue.close();
        self.join();
    }
}
