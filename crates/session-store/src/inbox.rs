//! What a writer thread has to do, and when.

use crate::session::Session;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A panic while a lock is held has already ended the thread; what it guards is still what it was.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Debug, Default)]
pub(crate) struct Inbox {
    due: Mutex<Due>,
    changed: Condvar,
    /// Since when the thread writes, by the recorder's clock; 0 while it does not.
    busy_since_us: AtomicU64,
    /// The same of the thread that syncs for it.
    syncing_since_us: AtomicU64,
    pub(crate) n_sessions: AtomicUsize,
}

#[derive(Debug, Default)]
struct Due {
    sessions: BinaryHeap<Reverse<DueSession>>,
    sequence: u64,
    stopping: bool,
}

#[derive(Debug)]
struct DueSession {
    at_us: u64,
    /// Those that came first, of those due at once.
    sequence: u64,
    session: Arc<Session>,
}

impl PartialEq for DueSession {
    fn eq(&self, other: &Self) -> bool {
        (self.at_us, self.sequence) == (other.at_us, other.sequence)
    }
}

impl Eq for DueSession {}

impl PartialOrd for DueSession {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for DueSession {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at_us, self.sequence).cmp(&(other.at_us, other.sequence))
    }
}

impl Inbox {
    /// Asks for a session to be looked at.
    pub(crate) fn put(&self, at_us: u64, session: Arc<Session>) {
        let mut due = locked(&self.due);
        due.sequence += 1;
        let sequence = due.sequence;
        let is_next = due.sessions.peek().is_none_or(|Reverse(next)| at_us < next.at_us);
        due.sessions.push(Reverse(DueSession { at_us, sequence, session }));
        drop(due);
        // The thread wakes by itself when what it waits for is due.
        if is_next {
            self.changed.notify_one();
        }
    }

    /// Waits for the next session that is due; none when there will be no more.
    pub(crate) fn next(&self, now_us: impl Fn() -> u64) -> Option<Arc<Session>> {
        let mut due = locked(&self.due);
        loop {
            let wait_us = match due.sessions.peek() {
                Some(_) if due.stopping => 0,
                Some(Reverse(next)) => next.at_us.saturating_sub(now_us()),
                None if due.stopping => return None,
                None => u64::MAX,
            };
            if wait_us == 0 {
                return due.sessions.pop().map(|Reverse(next)| next.session);
            }
            due = if wait_us == u64::MAX {
                self.changed.wait(due).unwrap_or_else(PoisonError::into_inner)
            } else {
                let waited = self.changed.wait_timeout(due, Duration::from_micros(wait_us));
                waited.unwrap_or_else(PoisonError::into_inner).0
            };
        }
    }

    /// Lets the thread end once everything is written.
    pub(crate) fn stop(&self) {
        locked(&self.due).stopping = true;
        self.changed.notify_one();
    }

    pub(crate) fn begin_work(&self, now_us: u64) {
        self.busy_since_us.store(now_us.max(1), Ordering::Release);
    }

    pub(crate) fn end_work(&self) {
        self.busy_since_us.store(0, Ordering::Release);
    }

    pub(crate) fn begin_sync(&self, now_us: u64) {
        self.syncing_since_us.store(now_us.max(1), Ordering::Release);
    }

    pub(crate) fn end_sync(&self) {
        self.syncing_since_us.store(0, Ordering::Release);
    }

    /// For how long either thread has been busy with one session.
    pub(crate) fn busy_us(&self, now_us: u64) -> u64 {
        let busy = |since: &AtomicU64| match since.load(Ordering::Acquire) {
            0 => 0,
            since => now_us.saturating_sub(since),
        };
        busy(&self.busy_since_us).max(busy(&self.syncing_since_us))
    }
}
