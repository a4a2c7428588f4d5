//! A ledger that is kept in the repository: what was written once is read always, and the same entries make the same
//! files. `UPDATE=1` writes it anew; the change is for review, and is one of the format.

use crate::support::{key, options};
use crate::verifying::{opened, sealed};
use ledger_model::Fact;
use ledger_store::{
    Clock, Ledger, LedgerReader, Place, VerifyOptions, bundle_session, recording_digest, verify,
    write_bundle,
};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use test_folder::TestFolder;

async fn write(folder: &Path) {
    let recording = folder.join("recording");
    fs::create_dir_all(folder).unwrap();
    fs::write(&recording, "what was recorded\n").unwrap();
    let digest = recording_digest(&recording).unwrap();
    let seconds = AtomicI64::new(1_790_000_000);
    let mut options = options(&folder.join("ledger"));
    options.clock = Clock(Arc::new(move || seconds.fetch_add(1, Ordering::SeqCst) * 1000));
    let ledger = Ledger::open(options).unwrap();
    ledger.append(opened("0190-a")).await.unwrap();
    let refused = Fact::SessionRefused {
        user: "otto@example.com".into(),
        cluster: "prod".into(),
        verb: "exec".into(),
        object: "pci/pod/db-0".into(),
        why: "no rule allows it".into(),
    };
    ledger.append(refused).await.unwrap();
    ledger.append(sealed("0190-a", digest.sha256)).await.unwrap();
    let later = Fact::Other { kind: "policy.changed".into(), body: r#"{"to":"v7"}"#.into() };
    ledger.append(later).await.unwrap();
    ledger.close().await.unwrap();
    fs::remove_dir_all(folder.join("ledger/.weir")).unwrap();
    let reader = LedgerReader::new(Place::Folder(folder.join("ledger")));
    let bundle = bundle_session(&reader, "0190-a", Some(digest.bytes)).await.unwrap();
    write_bundle(&folder.join("bundle"), &bundle, Some(&recording)).unwrap();
    fs::write(folder.join("ledger.pub"), format!("{}\n", key().public())).unwrap();
}

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for file in fs::read_dir(next).unwrap() {
            let path = file.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_string_lossy().into_owned();
                files.insert(name, fs::read(path).unwrap());
            }
        }
    }
    files
}

#[tokio::test]
async fn the_format_is_as_it_was() {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/kept");
    let written = TestFolder::new();
    write(written.path()).await;
    // When tiles are published is a matter of time; which ones the ledger has at the end is not.
    let mut now = files(written.path());
    let last = |name: &String| {
        !name.contains(".p/") || name.ends_with("/6") || name.ends_with("1/000.p/1")
    };
    now.retain(|name, _| last(name));
    if std::env::var_os("UPDATE").is_some() {
        drop(fs::remove_dir_all(&kept));
        for (name, bytes) in &now {
            let path = kept.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
    }
    assert!(files(&kept) == now, "the files are others than those that are kept");
    let options = VerifyOptions { keys: vec![key().public().clone()], ..VerifyOptions::default() };
    let report = verify(&Place::Folder(kept.join("ledger")), &options).await.unwrap();
    assert_eq!(report.findings, []);
}
