//! A copy in object storage is a ledger at every moment, and grows with the one that it is of.

use crate::support::{Random, copy, key, options, viewed};
use futures_util::TryStreamExt as _;
use ledger_store::{
    Ledger, Mirror, MirrorError, MirrorOptions, Mirrored, Place, VerifyOptions, verify,
};
use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt as _};
use std::path::Path;
use std::sync::Arc;
use test_folder::TestFolder;

async fn grow(folder: &Path, entries: u64) {
    let ledger = Ledger::open(options(folder)).unwrap();
    ledger.append_all((0..entries).map(viewed).collect()).await.unwrap();
    ledger.close().await.unwrap();
}

fn mirror(folder: &Path, store: &Arc<dyn ObjectStore>) -> Mirror {
    Mirror::new(MirrorOptions {
        folder: folder.to_owned(),
        store: Arc::clone(store),
        prefix: "ledgers/prod".into(),
        cosigned_only: false,
    })
}

async fn size_of_copy(store: &Arc<dyn ObjectStore>) -> Option<u64> {
    let place = Place::Objects { store: Arc::clone(store), prefix: "ledgers/prod".into() };
    let options = VerifyOptions { keys: vec![key().public().clone()], ..VerifyOptions::default() };
    let report = verify(&place, &options).await.unwrap();
    let wrong: Vec<_> = report
        .findings
        .iter()
        .filter(|finding| {
            !["ledger-no-checkpoint", "ledger-file-unexpected"].contains(&finding.code.0)
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    report.head.map(|head| head.size)
}

#[tokio::test]
async fn a_copy_grows_with_its_ledger() {
    let folder = TestFolder::new();
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let mirror = mirror(folder.path(), &store);
    grow(folder.path(), 10).await;
    assert_eq!(mirror.round().await.unwrap(), Mirrored { from: 0, to: 12, files: 3 });
    assert_eq!(mirror.round().await.unwrap(), Mirrored { from: 12, to: 12, files: 0 });
    grow(folder.path(), 600).await;
    // Two full files and a partial one of entries and of hashes, one of the level above, the checkpoint.
    assert_eq!(mirror.round().await.unwrap(), Mirrored { from: 12, to: 614, files: 8 });
    assert_eq!(size_of_copy(&store).await, Some(614));
}

#[tokio::test]
async fn another_history_is_not_copied() {
    let (folder, older) = (TestFolder::new(), TestFolder::new());
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    grow(folder.path(), 10).await;
    copy(folder.path(), older.path());
    grow(folder.path(), 10).await;
    mirror(folder.path(), &store).round().await.unwrap();
    let error = mirror(older.path(), &store).round().await.unwrap_err();
    assert!(matches!(error, MirrorError::RolledBack { copy: 24, ledger: 12 }), "{error}");
    grow(older.path(), 300).await;
    let error = mirror(older.path(), &store).round().await.unwrap_err();
    assert!(matches!(error, MirrorError::Forked { size: 24, .. }), "{error}");
    assert_eq!(size_of_copy(&store).await, Some(24));
}

/// A run that was broken off leaves the old checkpoint and some of the new files: the checkpoint is written last.
#[tokio::test]
async fn a_run_that_is_broken_off_is_gone_on_with() {
    let folder = TestFolder::new();
    let (whole, broken): (Arc<dyn ObjectStore>, Arc<dyn ObjectStore>) =
        (Arc::new(InMemory::new()), Arc::new(InMemory::new()));
    grow(folder.path(), 100).await;
    mirror(folder.path(), &whole).round().await.unwrap();
    mirror(folder.path(), &broken).round().await.unwrap();
    grow(folder.path(), 1000).await;
    let all = mirror(folder.path(), &whole).round().await.unwrap();
    assert_eq!(all, Mirrored { from: 102, to: 1104, files: 12 });
    let objects: Vec<_> = whole.list(None).try_collect().await.unwrap();
    let checkpoint =
        objects.iter().find(|object| object.location.as_ref().ends_with("/checkpoint"));
    let last = checkpoint.unwrap().last_modified;
    assert!(objects.iter().all(|object| object.last_modified <= last), "something came after it");
    let mut random = Random(6);
    for object in &objects {
        if object.location.as_ref().contains("/tile/") && random.coin() {
            let bytes = whole.get(&object.location).await.unwrap().bytes().await.unwrap();
            broken.put(&object.location, bytes.into()).await.unwrap();
        }
    }
    assert_eq!(size_of_copy(&broken).await, Some(102));
    let rest = mirror(folder.path(), &broken).round().await.unwrap();
    assert!(rest.files > 1 && rest.files < all.files, "{rest:?}");
    assert_eq!(size_of_copy(&broken).await, Some(1104));
}
