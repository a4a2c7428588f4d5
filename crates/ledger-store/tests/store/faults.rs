//! A disk that is full or broken, at every change that a ledger makes to its files: nothing is acknowledged any
//! more, and what was is there when the ledger is opened again.

use crate::support::{Acknowledged, options, viewed};
use ledger_store::{AppendError, Change, Disk, Fault, Ledger};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use test_folder::TestFolder;

/// What happens at the change with this number, and at all later ones.
#[derive(Clone, Copy)]
enum Broken {
    /// Half of a write still fits.
    Full,
    Failing,
}

fn broken_from(number: usize, broken: Broken, seen: &Arc<AtomicUsize>) -> Disk {
    let seen = Arc::clone(seen);
    Disk::watched(Arc::new(move |change: &Change<'_>| {
        if seen.fetch_add(1, Ordering::SeqCst) < number {
            return None;
        }
        let (written, error) = match (broken, change) {
            (Broken::Full, Change::Write { bytes, .. }) => {
                (bytes.len() / 2, io::ErrorKind::StorageFull.into())
            }
            (Broken::Full, _) => (0, io::ErrorKind::StorageFull.into()),
            // What EIO is called here has no name of its own.
            (Broken::Failing, _) => (0, io::Error::other("input/output error")),
        };
        Some(Fault { written, error })
    }))
}

/// Appends until something fails. What is acknowledged is noted.
async fn write(folder: &Path, disk: Disk, acknowledged: &mut Acknowledged) {
    let mut options = options(folder);
    options.disk = disk;
    options.segment_bytes = 4096;
    let Ok(ledger) = Ledger::open(options) else { return };
    let mut failed = false;
    for session in 0..260 {
        let together = if session == 3 { 255 } else { 1 };
        let facts = (0..together).map(|_| viewed(session)).collect();
        match ledger.append_all(facts).await {
            Ok(committed) => {
                assert!(!failed, "something was acknowledged after a failure");
                acknowledged.note(session, &committed);
            }
            Err(error) => {
                assert!(matches!(error, AppendError::Failed(_)), "{error}");
                failed = true;
            }
        }
        if session % 3 == 0 && ledger.flush().await.is_err() {
            failed = true;
        }
        if session > 8 {
            break;
        }
    }
    assert_eq!(ledger.progress().borrow().failed.is_some(), failed);
    let closed = ledger.close().await;
    assert!(closed.is_err() || !failed);
}

async fn at_every_change(broken: Broken) {
    let seen = Arc::new(AtomicUsize::new(0));
    let whole = TestFolder::new();
    let mut all = Acknowledged::default();
    write(whole.path(), broken_from(usize::MAX, broken, &seen), &mut all).await;
    assert_eq!(all.entries.len(), 10);
    for number in 0..seen.load(Ordering::SeqCst) {
        let folder = TestFolder::new();
        let mut acknowledged = Acknowledged::default();
        let seen = Arc::new(AtomicUsize::new(0));
        write(folder.path(), broken_from(number, broken, &seen), &mut acknowledged).await;
        let ledger = Ledger::open(options(folder.path())).unwrap_or_else(|error| {
            panic!("after a fault at change {number}: {error}");
        });
        ledger.append(viewed(0)).await.unwrap();
        ledger.close().await.unwrap();
        acknowledged.check(folder.path()).await;
    }
}

#[tokio::test]
async fn a_full_disk_ends_the_ledger_and_loses_nothing() {
    at_every_change(Broken::Full).await;
}

#[tokio::test]
async fn a_failing_disk_ends_the_ledger_and_loses_nothing() {
    at_every_change(Broken::Failing).await;
}
