//! A copy in object storage is a ledger at every moment, and grows with the one that it is of.

use crate::support::{Folder, copy, key, options, viewed};
use futures_util::stream::BoxStream;
use ledger_store::{
    Ledger, Mirror, MirrorError, MirrorOptions, Mirrored, Place, VerifyOptions, verify,
};
use object_store::memory::InMemory;
use object_store::path::Path as ObjectPath;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

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
    let folder = Folder::new("mirrored");
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let mirror = mirror(&folder.0, &store);
    grow(&folder.0, 10).await;
    assert_eq!(mirror.round().await.unwrap(), Mirrored { from: 0, to: 12, files: 3 });
    assert_eq!(mirror.round().await.unwrap(), Mirrored { from: 12, to: 12, files: 0 });
    grow(&folder.0, 600).await;
    // Two full files and a partial one of entries and of hashes, one of the level above, the checkpoint.
    assert_eq!(mirror.round().await.unwrap(), Mirrored { from: 12, to: 614, files: 8 });
    assert_eq!(size_of_copy(&store).await, Some(614));
}

#[tokio::test]
async fn another_history_is_not_copied() {
    let (folder, older) = (Folder::new("mirror-newer"), Folder::new("mirror-older"));
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    grow(&folder.0, 10).await;
    copy(&folder.0, &older.0);
    grow(&folder.0, 10).await;
    mirror(&folder.0, &store).round().await.unwrap();
    let error = mirror(&older.0, &store).round().await.unwrap_err();
    assert!(matches!(error, MirrorError::RolledBack { copy: 24, ledger: 12 }), "{error}");
    grow(&older.0, 300).await;
    let error = mirror(&older.0, &store).round().await.unwrap_err();
    assert!(matches!(error, MirrorError::Forked { size: 24, .. }), "{error}");
    assert_eq!(size_of_copy(&store).await, Some(24));
}

/// Storage that fails after some writes.
#[derive(Debug)]
struct Failing {
    inner: InMemory,
    left: AtomicI64,
}

impl fmt::Display for Failing {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("failing")
    }
}

#[tokio::test]
async fn a_run_that_is_broken_off_is_gone_on_with() {
    let folder = Folder::new("mirror-broken");
    grow(&folder.0, 100).await;
    let failing = Arc::new(Failing { inner: InMemory::new(), left: AtomicI64::new(i64::MAX) });
    let store: Arc<dyn ObjectStore> = Arc::<Failing>::clone(&failing);
    let mirror = mirror(&folder.0, &store);
    mirror.round().await.unwrap();
    grow(&folder.0, 1000).await;
    for left in 0..12 {
        failing.left.store(left, Ordering::SeqCst);
        let broken = mirror.round().await;
        let size = size_of_copy(&store).await;
        if broken.is_ok() {
            assert_eq!(size, Some(1104));
            return;
        }
        assert_eq!(size, Some(102), "the old checkpoint and what it needs are there");
    }
    panic!("it does not get further");
}

#[async_trait::async_trait]
impl ObjectStore for Failing {
    async fn put_opts(
        &self,
        location: &ObjectPath,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        if self.left.fetch_sub(1, Ordering::SeqCst) <= 0 {
            let source = "no more writes".into();
            return Err(object_store::Error::Generic { store: "failing", source });
        }
        self.inner.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &ObjectPath,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &ObjectPath, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<ObjectPath>>,
    ) -> BoxStream<'static, Result<ObjectPath>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&ObjectPath>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&ObjectPath>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(
        &self,
        from: &ObjectPath,
        to: &ObjectPath,
        options: CopyOptions,
    ) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
