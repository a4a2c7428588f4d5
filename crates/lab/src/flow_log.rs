//! The newest flows of all nodes, for whoever wants to see them. Memory is bounded, and who reads too
//! slowly is told how many were missed.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

const MOST: usize = 50_000;

#[derive(Debug, Default)]
pub(crate) struct FlowLog {
    kept: Mutex<Kept>,
    came: Condvar,
}

#[derive(Debug, Default)]
struct Kept {
    lines: VecDeque<Arc<str>>,
    /// Of the first line that is kept.
    first: u64,
}

/// What came since a place in the log.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Read {
    pub lines: Vec<Arc<str>>,
    /// Lines behind the place that are not kept any more.
    pub missed: u64,
    /// Where to go on.
    pub next: u64,
}

impl FlowLog {
    pub(crate) fn push(&self, lines: impl IntoIterator<Item = String>) {
        let mut kept = self.lock();
        for line in lines {
            if kept.lines.len() == MOST {
                kept.lines.pop_front();
                kept.first += 1;
            }
            kept.lines.push_back(line.into());
        }
        drop(kept);
        self.came.notify_all();
    }

    /// Behind the newest line.
    pub(crate) fn end(&self) -> u64 {
        let kept = self.lock();
        kept.first + kept.lines.len() as u64
    }

    pub(crate) fn read(&self, from: u64) -> Read {
        self.lock().since(from)
    }

    /// Waits for something to come, but not for longer than this.
    pub(crate) fn wait(&self, from: u64, patience: Duration) -> Read {
        let kept = self.lock();
        let is_empty = |kept: &mut Kept| kept.first + kept.lines.len() as u64 <= from;
        let waited = self.came.wait_timeout_while(kept, patience, is_empty);
        waited.unwrap_or_else(PoisonError::into_inner).0.since(from)
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // Lines are whole, whatever became of who held it.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn since(&self, from: u64) -> Read {
        let skip = usize::try_from(from.saturating_sub(self.first)).unwrap_or(usize::MAX);
        let lines: Vec<Arc<str>> = self.lines.iter().skip(skip).cloned().collect();
        Read {
            lines,
            missed: self.first.saturating_sub(from),
            next: (self.first + self.lines.len() as u64).max(from),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_reads_too_late_learns_how_much_is_gone() {
        let log = FlowLog::default();
        log.push((0..MOST + 3).map(|n| n.to_string()));
        let read = log.read(0);
        assert_eq!((read.missed, read.lines.len()), (3, MOST));
        assert_eq!(read.lines.first().map(|line| &**line), Some("3"));
        assert_eq!(read.next, log.end());
        let read = log.read(read.next);
        assert_eq!(read, Read { lines: vec![], missed: 0, next: log.end() });
    }

    #[test]
    fn waiting_ends_with_the_next_line() {
        let log = Arc::new(FlowLog::default());
        let writer = Arc::clone(&log);
        let thread = std::thread::spawn(move || writer.push(["a".to_owned()]));
        let read = log.wait(0, Duration::from_secs(60));
        thread.join().unwrap();
        assert_eq!(read.lines.len(), 1);
        assert_eq!(log.wait(read.next, Duration::ZERO).lines.len(), 0);
    }
}
