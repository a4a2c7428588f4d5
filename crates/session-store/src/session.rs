//! One recording as its handles and its writer thread share it.

use crate::clock::Clock;
use crate::failure::Failure;
use crate::inbox::{Inbox, locked};
use crate::work::{NotSealed, Spares, Synced, Syncing, Work};
use session_record::{
    CHUNK_BYTES, Digest, Durability, Ending, Event, Head, KeyPair, Seal, SessionId,
};
use std::collections::VecDeque;
use std::mem;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, mpsc};
use tokio::sync::{Notify, Semaphore, oneshot};

/// What an event costs of the queue's bytes besides its own.
const EVENT_OVERHEAD_BYTES: usize = 64;

#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) id: SessionId,
    pub(crate) at_ms: i64,
    pub(crate) header: Digest,
    pub(crate) durability: Durability,
    pub(crate) terminal: bool,
    pub(crate) keys: KeyPair,
    pub(crate) limits: Limits,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) inbox: Arc<Inbox>,
    started_us: u64,
    queue: Mutex<Queue>,
    /// Bytes that the queue has room for.
    pub(crate) room: Semaphore,
    /// How many events are on disk.
    durable: AtomicU64,
    failure: OnceLock<Failure>,
    sealed: AtomicBool,
    /// Something of the three above is different, or the file grew.
    pub(crate) changed: Notify,
    heads: Mutex<Heads>,
    work: Mutex<Work>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) queue_bytes: usize,
    pub(crate) commit_interval_us: u64,
    pub(crate) commit_bytes: u64,
}

#[derive(Debug, Default)]
struct Queue {
    events: VecDeque<Queued>,
    bytes: usize,
    accepted: u64,
    last_us: u64,
    /// Somebody waits until this many events are on disk.
    wanted: u64,
    seal: Option<SealRequest>,
    closed: bool,
    /// When the writer thread will look here.
    due_us: Option<u64>,
}

#[derive(Debug)]
struct Queued {
    at_us: u64,
    cost: usize,
    event: Event,
}

#[derive(Debug)]
struct SealRequest {
    ending: Ending,
    answer: oneshot::Sender<Result<Seal, NotSealed>>,
}

/// Heads that somebody was told, so that the compressed form can say where each was.
#[derive(Debug)]
struct Heads {
    durable: Head,
    told: Vec<Head>,
}

/// Which events: as many as there were when this one was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(pub(crate) u64);

impl Session {
    pub(crate) fn new(facts: Facts, work: Work) -> Self {
        let Facts { id, at_ms, header, durability, terminal, keys, limits, clock, inbox } = facts;
        let heads = Heads { durable: work.durable().head, told: Vec::new() };
        Self {
            id,
            at_ms,
            header,
            durability,
            terminal,
            keys,
            limits,
            started_us: clock.monotonic_us(),
            clock,
            inbox,
            queue: Mutex::default(),
            room: Semaphore::new(limits.queue_bytes),
            durable: AtomicU64::new(0),
            failure: OnceLock::new(),
            sealed: AtomicBool::new(false),
            changed: Notify::new(),
            heads: Mutex::new(heads),
            work: Mutex::new(work),
        }
    }

    /// What an event takes of the room; at most all of it.
    pub(crate) fn cost(&self, payload_bytes: usize) -> u32 {
        let cost = payload_bytes.saturating_add(EVENT_OVERHEAD_BYTES).min(self.limits.queue_bytes);
        u32::try_from(cost).unwrap_or(u32::MAX)
    }

    pub(crate) fn failure(&self) -> Option<&Failure> {
        self.failure.get()
    }

    pub(crate) fn durable(&self) -> u64 {
        self.durable.load(Ordering::Acquire)
    }

    pub(crate) fn is_sealed(&self) -> bool {
        self.sealed.load(Ordering::Acquire)
    }

    /// The durable head, remembered as one that somebody was told.
    pub(crate) fn tell_head(&self) -> Head {
        let mut heads = locked(&self.heads);
        let head = heads.durable;
        if heads.told.last() != Some(&head) {
            heads.told.push(head);
        }
        head
    }

    pub(crate) fn told_heads(&self) -> Vec<Head> {
        locked(&self.heads).told.clone()
    }

    /// Puts an event into the queue, for which room was taken; none where the recording is closed.
    pub(crate) fn enqueue(self: &Arc<Self>, event: Event, cost: u32) -> Option<Position> {
        let now_us = self.clock.monotonic_us();
        let mut queue = locked(&self.queue);
        if queue.closed {
            return None;
        }
        let at_us = now_us.saturating_sub(self.started_us).max(queue.last_us);
        queue.last_us = at_us;
        queue.accepted += 1;
        let position = Position(queue.accepted);
        let cost = cost as usize;
        queue.bytes += cost;
        queue.events.push_back(Queued { at_us, cost, event });
        let is_much = queue.bytes >= CHUNK_BYTES.min(self.limits.queue_bytes / 2);
        let due_us = if is_much { now_us } else { now_us + self.limits.commit_interval_us };
        self.schedule(&mut queue, due_us);
        Some(position)
    }

    /// Asks for everything up to a position to be made durable now.
    pub(crate) fn want(self: &Arc<Self>, position: Position) {
        let mut queue = locked(&self.queue);
        queue.wanted = queue.wanted.max(position.0);
        self.schedule(&mut queue, self.clock.monotonic_us());
    }

    /// Closes the recording and asks for its end.
    pub(crate) fn ask_for_seal(
        self: &Arc<Self>,
        ending: Ending,
    ) -> oneshot::Receiver<Result<Seal, NotSealed>> {
        let (answer, receiver) = oneshot::channel();
        let mut queue = locked(&self.queue);
        if queue.closed && self.failure().is_none() {
            // Whoever waits learns by the dropped sender that it ended already.
            return receiver;
        }
        queue.closed = true;
        queue.seal = Some(SealRequest { ending, answer });
        self.schedule(&mut queue, self.clock.monotonic_us());
        self.room.close();
        receiver
    }

    fn schedule(self: &Arc<Self>, queue: &mut Queue, due_us: u64) {
        if queue.due_us.is_none_or(|due| due_us < due) {
            queue.due_us = Some(due_us);
            self.inbox.put(due_us, Arc::clone(self));
        }
    }

    /// The recording cannot go on. Only the first reason counts.
    pub(crate) fn fail(&self, failure: Failure) {
        let _first = self.failure.set(failure).is_ok();
        locked(&self.queue).closed = true;
        self.room.close();
        self.changed.notify_waiters();
    }

    /// Whether there is something that is not on disk.
    pub(crate) fn is_behind(&self) -> bool {
        let queue = locked(&self.queue);
        queue.accepted > self.durable() || queue.seal.is_some()
    }

    /// Writes what is queued, and makes it durable where that is due: at once where somebody waits, else by another
    /// thread. Only the writer thread calls this.
    pub(crate) fn write(self: &Arc<Self>, hands: &mut Hands) {
        let mut queue = locked(&self.queue);
        queue.due_us = None;
        let events = mem::take(&mut queue.events);
        queue.bytes = 0;
        let (accepted, wanted, seal) = (queue.accepted, queue.wanted, queue.seal.take());
        drop(queue);
        let mut work = locked(&self.work);
        let since_us = events.front().map(|queued| queued.at_us);
        if let Err(failure) = self.push(&mut work, events, &mut hands.spares) {
            self.fail(failure);
        }
        if self.failure().is_none() && seal.is_none() {
            self.commit_if_due(&mut work, Due { accepted, wanted, since_us }, hands);
        }
        if let Some(SealRequest { ending, answer }) = seal {
            let sealed = work.end(ending, self.clock.wall_ms());
            match &sealed {
                Ok(seal) => {
                    locked(&self.heads).durable = seal.head;
                    self.durable.store(accepted, Ordering::Release);
                    self.sealed.store(true, Ordering::Release);
                }
                // Nobody waits for what will not be on disk any more.
                Err(why) => self.fail(Failure::Disk { what: "be sealed", why: why.to_string() }),
            }
            // Nobody may wait any more; the recording is sealed all the same.
            let _heard = answer.send(sealed).is_ok();
        }
        self.changed.notify_waiters();
    }

    fn push(
        &self,
        work: &mut Work,
        events: VecDeque<Queued>,
        spares: &mut Spares,
    ) -> Result<(), Failure> {
        let mut result = Ok(());
        for Queued { at_us, cost, event } in events {
            let pushed = work.push(at_us, &event, spares);
            result = result.and(pushed);
            self.room.add_permits(cost);
        }
        result
    }

    fn commit_if_due(self: &Arc<Self>, work: &mut Work, due: Due, hands: &mut Hands) {
        let Due { accepted, wanted, since_us } = due;
        let durable = self.durable();
        if accepted <= durable.max(work.syncing_events) && wanted <= durable {
            return;
        }
        let now_us = self.clock.monotonic_us();
        let commit_at_us = self.commit_at_us(work, since_us, now_us);
        let unsynced_bytes = work.unsynced_bytes();
        // The tail is kept in memory until it is on disk, so a disk that is behind has to be waited for.
        let is_far_behind = unsynced_bytes >= self.limits.commit_bytes.saturating_mul(2);
        if wanted > durable || is_far_behind {
            let committed = work.commit(&mut hands.spares);
            return self.judge(work, committed, accepted);
        }
        if unsynced_bytes < self.limits.commit_bytes && commit_at_us > now_us {
            let mut queue = locked(&self.queue);
            return self.schedule(&mut queue, commit_at_us);
        }
        match work.begin_sync() {
            Ok(Some(syncing)) => {
                work.syncing_events = accepted;
                work.waiting_since_us = None;
                hands.sync(SyncRequest { session: Arc::clone(self), syncing, accepted });
            }
            Ok(None) => {
                let mut queue = locked(&self.queue);
                self.schedule(&mut queue, now_us.saturating_add(self.limits.commit_interval_us));
            }
            Err(failure) => self.fail(failure),
        }
    }

    /// What became of a sync beside the writing.
    fn end_sync(&self, synced: Synced, accepted: u64, spares: &mut Spares) {
        let mut work = locked(&self.work);
        let committed = work.end_sync(synced, spares);
        self.judge(&mut work, committed, accepted);
        drop(work);
        self.changed.notify_waiters();
    }

    fn judge(&self, work: &mut Work, committed: Result<(), Failure>, accepted: u64) {
        match committed {
            Ok(()) => {
                if self.durable.fetch_max(accepted, Ordering::AcqRel) < accepted {
                    locked(&self.heads).durable = work.durable().head;
                    if work.syncing_events <= accepted {
                        work.waiting_since_us = None;
                    }
                }
            }
            Err(failure) => self.fail(failure),
        }
    }

    fn commit_at_us(&self, work: &mut Work, since_us: Option<u64>, now_us: u64) -> u64 {
        let since_us = since_us.map_or(now_us, |since| since.saturating_add(self.started_us));
        let since_us = *work.waiting_since_us.get_or_insert(since_us);
        since_us.saturating_add(self.limits.commit_interval_us)
    }
}

/// What a writer thread works with.
#[derive(Debug)]
pub(crate) struct Hands {
    spares: Spares,
    syncs: mpsc::Sender<SyncRequest>,
}

/// A sync that another thread does.
#[derive(Debug)]
pub(crate) struct SyncRequest {
    session: Arc<Session>,
    syncing: Syncing,
    accepted: u64,
}

impl Hands {
    pub(crate) fn new(syncs: mpsc::Sender<SyncRequest>) -> Self {
        Self { spares: Spares::default(), syncs }
    }

    fn sync(&self, request: SyncRequest) {
        // The other thread ends after this one, unless it panicked; then the sync is done here.
        if let Err(mpsc::SendError(request)) = self.syncs.send(request) {
            request.run_with(None);
        }
    }
}

impl SyncRequest {
    pub(crate) fn run(self) {
        let inbox = Arc::clone(&self.session.inbox);
        self.run_with(Some(&inbox));
    }

    fn run_with(self, inbox: Option<&Inbox>) {
        let Self { session, syncing, accepted } = self;
        if let Some(inbox) = inbox {
            inbox.begin_sync(session.clock.monotonic_us());
        }
        let synced = syncing.run();
        if let Some(inbox) = inbox {
            inbox.end_sync();
        }
        // The buffers go: the thread that uses them again is another.
        session.end_sync(synced, accepted, &mut Spares::default());
    }
}

#[derive(Debug, Clone, Copy)]
struct Due {
    accepted: u64,
    wanted: u64,
    /// When the first of the events now taken happened.
    since_us: Option<u64>,
}

/// What a session is made with.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) id: SessionId,
    pub(crate) at_ms: i64,
    pub(crate) header: Digest,
    pub(crate) durability: Durability,
    pub(crate) terminal: bool,
    pub(crate) keys: KeyPair,
    pub(crate) limits: Limits,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) inbox: Arc<Inbox>,
}
