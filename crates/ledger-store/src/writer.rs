//! The one thread that adds to a ledger.

use crate::disk::Disk;
use crate::entry_json::{Around, write_entry};
use crate::journal::{Journal, Parts};
use crate::layout::Layout;
use crate::ledger::{AppendError, Clock, Committed, Failure, Progress};
use crate::publisher::{Batch, Work};
use crate::queue::{Append, Queue, Reply, Request, Taken};
use ledger_model::{
    Checkpoint, Digest, Fact, Frontier, Rotation, SignedCheckpoint, SignerKey, leaf_hash,
};
use std::io;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, watch};

/// A commit with so many bytes of entries waits for no more of them.
const COMMIT_BYTES: usize = 1 << 20;

/// What may be appended together.
const MAX_TOGETHER: usize = 4096;

#[derive(Debug)]
pub(crate) struct Writer {
    pub queue: Arc<Queue>,
    pub disk: Disk,
    pub layout: Layout,
    pub journal: Journal,
    pub segment_bytes: usize,
    pub key: SignerKey,
    pub source: String,
    /// Of the source's next entry.
    pub sequence: u64,
    pub frontier: Frontier,
    pub clock: Clock,
    pub heartbeat: Duration,
    pub progress: Arc<watch::Sender<Progress>>,
    pub publisher: SyncSender<Work>,
}

/// Entries that become durable together, and who waits for them.
#[derive(Debug, Default)]
struct Commit {
    bundle: Vec<u8>,
    leaves: Vec<Digest>,
    replies: Vec<(Reply, usize)>,
    rooms: Vec<OwnedSemaphorePermit>,
}

impl Writer {
    /// Writes until the queue is closed; then the number of the segment that it wrote last.
    pub(crate) fn run(mut self) -> u64 {
        loop {
            match self.queue.take(self.heartbeat) {
                Taken::Requests(requests) => self.serve(requests),
                Taken::Quiet => {
                    if let Some(beat) = self.one(&Fact::Heartbeat) {
                        self.commit(beat);
                    }
                }
                Taken::Closed => return self.journal.number(),
            }
        }
    }

    /// Commits one fact without anybody waiting for it.
    pub(crate) fn commit_now(&mut self, fact: &Fact) -> Result<(), AppendError> {
        if let Some(commit) = self.one(fact) {
            self.commit(commit);
        }
        let failed = self.progress.borrow().failed.clone();
        failed.map_or(Ok(()), |failure| Err(AppendError::Failed(failure)))
    }

    fn one(&self, fact: &Fact) -> Option<Commit> {
        let mut commit = Commit::default();
        self.gather(std::slice::from_ref(fact), &mut commit).ok().map(|()| commit)
    }

    fn serve(&mut self, requests: Vec<Request>) {
        let mut commit = Commit::default();
        for request in requests {
            match request {
                Request::Append(append) => {
                    self.join(append, &mut commit);
                    if commit.bundle.len() >= COMMIT_BYTES {
                        self.commit(std::mem::take(&mut commit));
                    }
                }
                Request::Rotate { key, reply } => {
                    self.commit(std::mem::take(&mut commit));
                    self.rotate(*key, reply);
                }
                Request::Flush { reply } => {
                    self.commit(std::mem::take(&mut commit));
                    // Without a publisher the reply is dropped with the request, which is an answer, too.
                    drop(self.publisher.send(Work::Flush(reply)));
                }
            }
        }
        self.commit(commit);
    }

    /// Commits the entry that names the new key, under a checkpoint that is the new key's already.
    fn rotate(&mut self, key: SignerKey, reply: Reply) {
        let mut commit = Commit::default();
        let statement = Rotation::sign(self.frontier.head(), &self.key, &key);
        let gathered = statement
            .map_err(|error| AppendError::Refused(error.to_string()))
            .and_then(|statement| self.gather(&[Fact::KeyRotated { statement }], &mut commit));
        match gathered {
            Ok(()) => {
                self.key = key;
                commit.replies.push((reply, 0));
                self.commit(commit);
            }
            // Who asked may have gone away.
            Err(error) => drop(reply.send(Err(error))),
        }
    }

    /// Adds what was asked for to a commit, or tells who asked why not.
    fn join(&self, append: Append, commit: &mut Commit) {
        let Append { facts, reply, room } = append;
        let before = commit.leaves.len();
        match self.gather(&facts, commit) {
            Ok(()) => {
                commit.replies.push((reply, before));
                commit.rooms.push(room);
            }
            // Who asked may have gone away.
            Err(error) => drop(reply.send(Err(error))),
        }
    }

    fn gather(&self, facts: &[Fact], commit: &mut Commit) -> Result<(), AppendError> {
        let (bytes, leaves) = (commit.bundle.len(), commit.leaves.len());
        let gathered = self.gather_all(facts, commit);
        if gathered.is_err() {
            commit.bundle.truncate(bytes);
            commit.leaves.truncate(leaves);
        }
        gathered
    }

    fn gather_all(&self, facts: &[Fact], commit: &mut Commit) -> Result<(), AppendError> {
        if facts.is_empty() || facts.len() > MAX_TOGETHER {
            return Err(AppendError::TooMany(facts.len()));
        }
        let begin = commit.bundle.len();
        let at_ms = (self.clock.0)();
        for fact in facts {
            let sequence = self.sequence + commit.leaves.len() as u64;
            let around = Around { at_ms, source: &self.source, sequence };
            let length_at = commit.bundle.len();
            commit.bundle.extend_from_slice(&[0; 2]);
            write_entry(around, fact, &mut commit.bundle)?;
            let written = commit.bundle.get(length_at + 2..).unwrap_or_default();
            let leaf = leaf_hash(written);
            // An entry that was written fits into the two bytes.
            let length = u16::try_from(written.len()).unwrap_or_default().to_be_bytes();
            if let Some(at) = commit.bundle.get_mut(length_at..length_at + 2) {
                at.copy_from_slice(&length);
            }
            commit.leaves.push(leaf);
        }
        let too_large = commit.bundle.len() - begin > COMMIT_BYTES;
        if too_large { Err(AppendError::TooMany(facts.len())) } else { Ok(()) }
    }

    /// Makes entries durable under a signed checkpoint, and only then tells who waits.
    fn commit(&mut self, commit: Commit) {
        if commit.leaves.is_empty() {
            return;
        }
        let failed = self.progress.borrow().failed.clone();
        let checkpoint = match failed {
            Some(failure) => Err(failure),
            None => self.make_durable(&commit),
        };
        let first = self.frontier.size();
        let sequence = self.sequence;
        let Commit { bundle, leaves, replies, rooms } = commit;
        match checkpoint {
            Ok((checkpoint, frontier)) => {
                self.sequence += leaves.len() as u64;
                self.frontier = frontier;
                let committed = self.frontier.head();
                self.progress.send_modify(|progress| progress.committed = committed);
                for (reply, offset) in replies {
                    let (index, sequence) = (first + offset as u64, sequence + offset as u64);
                    let checkpoint = Arc::clone(&checkpoint);
                    drop(reply.send(Ok(Committed { index, sequence, checkpoint })));
                }
                let segment = self.journal.number();
                let batch = Batch { bundle, leaves, checkpoint, segment };
                // A publisher that is gone has said why in `progress`, and the next commit fails by it.
                drop(self.publisher.send(Work::Batch(batch)));
            }
            Err(failure) => {
                self.progress.send_modify(|progress| {
                    progress.failed.get_or_insert_with(|| failure.clone());
                });
                for (reply, _offset) in replies {
                    drop(reply.send(Err(AppendError::Failed(failure.clone()))));
                }
            }
        }
        drop(rooms);
    }

    fn make_durable(&mut self, commit: &Commit) -> Result<(Arc<[u8]>, Frontier), Failure> {
        let mut frontier = self.frontier.clone();
        for leaf in &commit.leaves {
            frontier.push(*leaf);
        }
        let origin = self.key.public().name().to_owned();
        let checkpoint = Checkpoint { origin, head: frontier.head() };
        let signed = SignedCheckpoint::sign(checkpoint, &self.key)
            .map_err(|error| Failure::new("signing a checkpoint", &io::Error::other(error)))?;
        let note: Arc<[u8]> = signed.to_bytes().into();
        let parts = Parts {
            first: self.frontier.size(),
            count: u32::try_from(commit.leaves.len()).unwrap_or(u32::MAX),
            bundle: &commit.bundle,
            checkpoint: &note,
        };
        if !self.journal.has_room(&parts) {
            let bytes = self.segment_bytes.max(parts.record_bytes());
            self.journal = Journal::create(&self.disk, &self.layout.own(), parts.first, bytes)
                .map_err(|error| Failure::new("making room in the journal", &error))?;
        }
        self.journal
            .append(&self.disk, &parts)
            .map_err(|error| Failure::new("writing to the journal", &error))?;
        Ok((note, frontier))
    }
}
