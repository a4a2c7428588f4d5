//! The threads that write, and the one that watches whether they do.

use crate::clock::Clock;
use crate::disk::Disk;
use crate::failure::Failure;
use crate::inbox::{Inbox, locked};
use crate::session::{Hands, Session, SyncRequest};
use crate::space::{SpaceLevel, SpaceWatch};
use session_record::SessionId;
use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// All recordings that are being written.
pub(crate) type Sessions = Mutex<HashMap<SessionId, Weak<Session>>>;

/// A few threads for any number of sessions, each of which stays with one.
#[derive(Debug)]
pub(crate) struct Writers {
    inboxes: Vec<Arc<Inbox>>,
    /// For each inbox the one that writes, and the one that syncs for it.
    threads: Vec<[JoinHandle<()>; 2]>,
    watch: Arc<Watch>,
    watcher: Option<JoinHandle<()>>,
}

/// What the watching thread sees.
#[derive(Debug)]
pub(crate) struct Watch {
    pub(crate) sessions: Sessions,
    pub(crate) space: SpaceWatch,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) folder: PathBuf,
    pub(crate) stall: Duration,
    stopping: Mutex<bool>,
    stop: Condvar,
}

impl Watch {
    pub(crate) fn new(given: WatchGiven) -> Self {
        let WatchGiven { space, clock, disk, folder, stall } = given;
        Self {
            sessions: Mutex::default(),
            space,
            clock,
            disk,
            folder,
            stall,
            stopping: Mutex::new(false),
            stop: Condvar::new(),
        }
    }

    fn stall_us(&self) -> u64 {
        u64::try_from(self.stall.as_micros()).unwrap_or(u64::MAX)
    }

    /// Looks a few times in the time after which a stall counts.
    fn run(&self, inboxes: &[Arc<Inbox>]) {
        let mut stopping = locked(&self.stopping);
        while !*stopping {
            let waited = self.stop.wait_timeout(stopping, self.stall / 4);
            stopping = waited.unwrap_or_else(PoisonError::into_inner).0;
            self.fail_stalled(inboxes);
            self.fail_without_space();
        }
    }

    fn fail_stalled(&self, inboxes: &[Arc<Inbox>]) {
        let now_us = self.clock.monotonic_us();
        let is_stuck = |inbox: &Arc<Inbox>| inbox.busy_us(now_us) > self.stall_us();
        if !inboxes.iter().any(is_stuck) {
            return;
        }
        let stall_ms = u64::try_from(self.stall.as_millis()).unwrap_or(u64::MAX);
        for session in self.live() {
            if is_stuck(&session.inbox) && session.is_behind() {
                session.fail(Failure::Stalled { stall_ms });
            }
        }
    }

    fn fail_without_space(&self) {
        // A disk that does not say how much room it has shows by its writes whether it has any.
        let Ok(space) = self.space.look(self.disk.as_ref(), &self.folder) else { return };
        if space.level == SpaceLevel::Critical {
            for session in self.live() {
                session.fail(Failure::SpaceCritical { free_bytes: space.free_bytes });
            }
        }
    }

    fn live(&self) -> Vec<Arc<Session>> {
        let mut sessions = locked(&self.sessions);
        sessions.retain(|_, session| session.strong_count() > 0);
        sessions.values().filter_map(Weak::upgrade).filter(|session| !session.is_sealed()).collect()
    }
}

/// What a [`Watch`] is made with.
#[derive(Debug)]
pub(crate) struct WatchGiven {
    pub(crate) space: SpaceWatch,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) folder: PathBuf,
    pub(crate) stall: Duration,
}

impl Writers {
    pub(crate) fn start(n_writers: usize, watch: Arc<Watch>) -> io::Result<Self> {
        let inboxes: Vec<Arc<Inbox>> = (0..n_writers.max(1)).map(|_| Arc::default()).collect();
        let mut writers = Self { inboxes, threads: Vec::new(), watch, watcher: None };
        for (n, inbox) in writers.inboxes.iter().enumerate() {
            let (syncs, requests) = mpsc::channel();
            let (inbox, clock) = (Arc::clone(inbox), Arc::clone(&writers.watch.clock));
            let named = thread::Builder::new().name(format!("recorder-{n}"));
            let writer = named.spawn(move || write_all(&inbox, clock.as_ref(), syncs))?;
            let named = thread::Builder::new().name(format!("recorder-sync-{n}"));
            let syncer = named.spawn(move || requests.into_iter().for_each(SyncRequest::run))?;
            writers.threads.push([writer, syncer]);
        }
        let (watch, inboxes) = (Arc::clone(&writers.watch), writers.inboxes.clone());
        let named = thread::Builder::new().name("recorder-watch".to_owned());
        writers.watcher = Some(named.spawn(move || watch.run(&inboxes))?);
        Ok(writers)
    }

    /// The thread with the fewest sessions of those that are not stuck; none where all are.
    pub(crate) fn least_busy(&self) -> Option<Arc<Inbox>> {
        let now_us = self.watch.clock.monotonic_us();
        let awake =
            self.inboxes.iter().filter(|inbox| inbox.busy_us(now_us) <= self.watch.stall_us());
        awake.min_by_key(|inbox| inbox.n_sessions.load(Ordering::Relaxed)).cloned()
    }
}

impl Drop for Writers {
    /// Everything that is queued is written before; a thread that is stuck is left behind.
    fn drop(&mut self) {
        *locked(&self.watch.stopping) = true;
        self.watch.stop.notify_one();
        for inbox in &self.inboxes {
            inbox.stop();
        }
        let now_us = self.watch.clock.monotonic_us();
        for (threads, inbox) in self.threads.drain(..).zip(&self.inboxes) {
            if inbox.busy_us(now_us) <= self.watch.stall_us() {
                // A thread that panicked has said so.
                let _ended = threads.map(|thread| thread.join().is_ok());
            }
        }
        let _ended = self.watcher.take().map(JoinHandle::join);
    }
}

fn write_all(inbox: &Inbox, clock: &dyn Clock, syncs: mpsc::Sender<SyncRequest>) {
    let mut hands = Hands::new(syncs);
    while let Some(session) = inbox.next(|| clock.monotonic_us()) {
        inbox.begin_work(clock.monotonic_us());
        session.write(&mut hands);
        inbox.end_work();
    }
}
