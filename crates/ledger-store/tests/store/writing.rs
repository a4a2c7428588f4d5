//! A ledger as its writers know it: what it says is done is done, over restarts.

use crate::support::{copy, key, options, viewed};
use ledger_model::{Algorithm, Fact, SignedCheckpoint, SignerKey};
use ledger_store::{AppendError, Ledger, OpenError, Recovered};
use std::time::Duration;
use test_folder::TestFolder;

#[tokio::test]
async fn entries_are_counted_over_restarts() {
    let folder = TestFolder::new();
    for start in 0..3_u64 {
        let ledger = Ledger::open(options(folder.path())).unwrap();
        assert_eq!(ledger.recovered(), &Recovered::default());
        let committed = ledger.append(viewed(start)).await.unwrap();
        assert_eq!((committed.index, committed.sequence), (start * 3 + 1, start * 3 + 1));
        let checkpoint = SignedCheckpoint::parse(&committed.checkpoint).unwrap();
        assert!(checkpoint.signed_by(key().public()).is_ok());
        assert_eq!(checkpoint.head().size, start * 3 + 2);
        ledger.close().await.unwrap();
        let published = std::fs::read(folder.path().join("checkpoint")).unwrap();
        assert_eq!(SignedCheckpoint::parse(&published).unwrap().head().size, start * 3 + 3);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_append_at_once_and_each_has_its_own_index() {
    let folder = TestFolder::new();
    let ledger = Ledger::open(options(folder.path())).unwrap();
    let tasks: Vec<_> = (0..1000)
        .map(|number| {
            let ledger = ledger.clone();
            tokio::spawn(async move { ledger.append(viewed(number)).await.unwrap().index })
        })
        .collect();
    let mut indexes = Vec::new();
    for task in tasks {
        indexes.push(task.await.unwrap());
    }
    indexes.sort_unstable();
    assert_eq!(indexes, (1..=1000).collect::<Vec<_>>());
    let together = ledger.append_all((0..100).map(viewed).collect()).await.unwrap();
    assert_eq!(together.index, 1001);
    ledger.flush().await.unwrap();
    let progress = ledger.progress().borrow().clone();
    assert_eq!((progress.committed.size, progress.published, progress.failed), (1101, 1101, None));
    ledger.close().await.unwrap();
    Ledger::open(options(folder.path())).unwrap().close().await.unwrap();
}

#[tokio::test]
async fn what_is_in_the_journal_only_is_there_after_a_crash() {
    let (folder, crashed) = (TestFolder::new(), TestFolder::new());
    let mut slow = options(folder.path());
    slow.publish_after = Duration::from_secs(3600);
    let ledger = Ledger::open(slow).unwrap();
    for number in 0..600 {
        ledger.append(viewed(number)).await.unwrap();
    }
    copy(folder.path(), crashed.path());
    ledger.close().await.unwrap();
    let ledger = Ledger::open(options(crashed.path())).unwrap();
    assert_eq!(ledger.recovered(), &Recovered { entries: 601, unfinished: false });
    assert_eq!(ledger.append(viewed(0)).await.unwrap().sequence, 602);
    ledger.close().await.unwrap();
}

#[tokio::test]
async fn a_folder_has_one_writer_and_one_key() {
    let folder = TestFolder::new();
    let ledger = Ledger::open(options(folder.path())).unwrap();
    let second = Ledger::open(options(folder.path())).unwrap_err();
    assert!(matches!(second, OpenError::InUse(path) if path == folder.path()));
    ledger.close().await.unwrap();
    let mut other = options(folder.path());
    other.key = SignerKey::from_seed("ledger.example/prod", Algorithm::Ed25519, [8; 32]).unwrap();
    let error = Ledger::open(other).unwrap_err();
    assert!(matches!(error, OpenError::Checkpoint { .. }), "{error}");
}

#[tokio::test]
async fn a_refused_entry_leaves_no_gap() {
    let folder = TestFolder::new();
    let ledger = Ledger::open(options(folder.path())).unwrap();
    let large = Fact::BreakGlass { user: "u".repeat(66_000), what: String::new() };
    let refused = ledger.append_all(vec![viewed(1), large]).await;
    assert!(matches!(refused, Err(AppendError::Refused(_))), "{refused:?}");
    assert_eq!(ledger.append_all(vec![]).await, Err(AppendError::TooMany(0)));
    assert_eq!(ledger.append(viewed(2)).await.unwrap().sequence, 1);
    let other = ledger.clone();
    ledger.close().await.unwrap();
    assert_eq!(other.append(viewed(3)).await, Err(AppendError::Closed));
}

#[tokio::test]
async fn silence_is_said_too() {
    let folder = TestFolder::new();
    let mut quick = options(folder.path());
    quick.heartbeat = Duration::from_millis(5);
    let ledger = Ledger::open(quick).unwrap();
    let mut progress = ledger.progress();
    progress.wait_for(|progress| progress.committed.size >= 4).await.unwrap();
    drop(progress);
    ledger.close().await.unwrap();
}
