//! Random changes of ledgers and bundles: each is found, and nothing that reads them falls over.

use crate::support::{Random, copy, key, options, viewed};
use crate::verifying::{opened, sealed};
use ledger_model::{SignedCheckpoint, TilePath, VerifierKey};
use ledger_store::{
    Ledger, LedgerReader, Place, Remembered, VerifyOptions, bundle_session, read_bundle, verify,
    verify_bundle, write_bundle,
};
use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt as _};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use test_folder::TestFolder;

type Files = BTreeMap<String, Vec<u8>>;

/// How many changes are made; set the variable for more.
fn mutations() -> u64 {
    std::env::var("WEIR_LEDGER_MUTATIONS").ok().and_then(|text| text.parse().ok()).unwrap_or(1500)
}

fn verify_options() -> VerifyOptions {
    VerifyOptions { keys: vec![key().public().clone()], ..VerifyOptions::default() }
}

async fn files(folder: &Path) -> Files {
    let place = Place::Folder(folder.to_owned());
    let mut files = Files::new();
    for name in place.list().await.unwrap() {
        let bytes = place.read(&name).await.unwrap().unwrap();
        files.insert(name, bytes);
    }
    files
}

/// A ledger of a full file of entries and a bit, as it was and as it is.
async fn two_states(folder: &Path) -> (Files, Files) {
    let ledger = Ledger::open(options(folder)).unwrap();
    ledger.append(opened("a")).await.unwrap();
    ledger.append_all((0..240).map(viewed).collect()).await.unwrap();
    ledger.flush().await.unwrap();
    let before = files(folder).await;
    ledger.append(sealed("a", [3; 32])).await.unwrap();
    ledger.append_all((0..40).map(viewed).collect()).await.unwrap();
    ledger.close().await.unwrap();
    (before, files(folder).await)
}

/// A ledger in memory, in which files are changed and put back.
struct Memory {
    store: Arc<InMemory>,
    place: Place,
}

impl Memory {
    async fn new(files: &Files) -> Self {
        let store = Arc::new(InMemory::new());
        let objects: Arc<dyn ObjectStore> = Arc::<InMemory>::clone(&store);
        let place = Place::Objects { store: objects, prefix: "l".into() };
        let memory = Self { store, place };
        for (name, bytes) in files {
            memory.put(name, Some(bytes)).await;
        }
        memory
    }

    async fn put(&self, name: &str, bytes: Option<&Vec<u8>>) {
        let path = format!("l/{name}").into();
        match bytes {
            Some(bytes) => drop(self.store.put(&path, bytes.clone().into()).await.unwrap()),
            None => self.store.delete(&path).await.unwrap(),
        }
    }
}

/// Changes bytes in one of many ways.
fn mutate(bytes: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    let length = bytes.len().max(1);
    let (from, to) = (random.below(length), random.below(length));
    let span = 1 + random.below(64);
    let end = |at: usize, length: usize| (at + span).min(length);
    match random.below(8) {
        0 | 1 => bytes[from] ^= 1 << random.below(8),
        2 => bytes.truncate(from),
        3 => drop(bytes.drain(from..end(from, bytes.len()))),
        4 => {
            let part = bytes[from..end(from, bytes.len())].to_vec();
            bytes.splice(to..to, part);
        }
        5 => {
            let from = random.below(other.len().max(1));
            let part = other[from.min(other.len())..end(from, other.len())].to_vec();
            let until = (to + part.len()).min(bytes.len());
            bytes.splice(to..until, part);
        }
        6 => {
            let (one, two) = (from / 32 * 32, to / 32 * 32);
            for at in 0..32 {
                if one + at < bytes.len() && two + at < bytes.len() {
                    bytes.swap(one + at, two + at);
                }
            }
        }
        _ => {
            let until = end(from, bytes.len());
            bytes[from..until].fill(0);
        }
    }
}

/// Whether a file may go away: a partial one of a smaller tree, or one that a full one has taken the place of.
fn may_go(name: &str, files: &Files, size: u64) -> bool {
    let Ok(path) = name.parse::<TilePath>() else { return false };
    let now = TilePath::of_tree(path.kind(), path.index(), size);
    now != Some(path) && now.is_some_and(|now| files.contains_key(&now.to_string()))
}

/// One change of the files: what is different now, by name.
fn change(files: &Files, before: &Files, size: u64, random: &mut Random) -> Files {
    let names: Vec<&String> = files.keys().collect();
    let (one, two) = (names[random.below(names.len())], names[random.below(names.len())]);
    let gone = || Vec::from(b"(gone)");
    match random.below(12) {
        0 if !may_go(one, files, size) => Files::from([(one.clone(), gone())]),
        1 => Files::from([(one.clone(), files[two].clone()), (two.clone(), files[one].clone())]),
        2 => Files::from([(one.clone(), files[two].clone())]),
        3 => before.get(one).map(|older| (one.clone(), older.clone())).into_iter().collect(),
        _ => {
            let mut bytes = files[one].clone();
            mutate(&mut bytes, &files[two], random);
            Files::from([(one.clone(), bytes)])
        }
    }
}

#[tokio::test]
async fn every_change_of_a_ledger_is_found() {
    let folder = TestFolder::new();
    let (before, files) = two_states(folder.path()).await;
    let memory = Memory::new(&files).await;
    let options = verify_options();
    let clean = verify(&memory.place, &options).await.unwrap();
    assert_eq!(clean.findings, []);
    let size = clean.head.unwrap().size;
    let mut random = Random(2);
    let mut changed = 0;
    for number in 0..mutations() {
        let change = change(&files, &before, size, &mut random);
        if change.iter().all(|(name, bytes)| files.get(name) == Some(bytes)) {
            continue;
        }
        for (name, bytes) in &change {
            memory.put(name, Some(bytes).filter(|bytes| bytes.as_slice() != b"(gone)")).await;
        }
        let report = verify(&memory.place, &options).await.unwrap();
        let names: Vec<&String> = change.keys().collect();
        assert_ne!(report.findings, [], "change {number} of {names:?} was not found");
        changed += 1;
        for name in change.keys() {
            memory.put(name, files.get(name)).await;
        }
    }
    assert!(changed > mutations() * 3 / 4, "{changed} changes");
    assert_eq!(verify(&memory.place, &options).await.unwrap().findings, []);
}

#[tokio::test]
async fn a_ledger_put_back_as_a_whole_is_found_by_who_remembers() {
    let folder = TestFolder::new();
    let (before, files) = two_states(folder.path()).await;
    let memory = Memory::new(&before).await;
    let mut options = verify_options();
    // An older state is a whole ledger, and nothing in it can tell. This is said.
    let report = verify(&memory.place, &options).await.unwrap();
    let errors = report.findings.iter().filter(|finding| finding.code.0 != "ledger-session-open");
    assert_eq!(errors.count(), 0);
    assert!(report.not_proven.iter().any(|line| line.contains("older state")));
    options.remembered = Some(Remembered::parse(&files["checkpoint"], &options.keys).unwrap());
    let report = verify(&memory.place, &options).await.unwrap();
    assert!(report.findings.iter().any(|finding| finding.code.0 == "ledger-rolled-back"));
}

#[tokio::test]
async fn every_change_of_a_journal_is_found() {
    let (folder, crashed) = (TestFolder::new(), TestFolder::new());
    let mut slow = options(folder.path());
    slow.publish_after = std::time::Duration::from_secs(3600);
    let ledger = Ledger::open(slow).unwrap();
    ledger.append(opened("a")).await.unwrap();
    ledger.flush().await.unwrap();
    for number in 0..5 {
        ledger.append(viewed(number)).await.unwrap();
    }
    copy(folder.path(), crashed.path());
    ledger.close().await.unwrap();
    let journal = crashed.path().join(".weir/journal-0000000000000000");
    let bytes = std::fs::read(&journal).unwrap();
    let used = bytes.iter().rposition(|&byte| byte != 0).unwrap() + 1;
    let place = Place::Folder(crashed.path().to_owned());
    let options = verify_options();
    let clean = verify(&place, &options).await.unwrap();
    assert_eq!(clean.in_journal, 5);
    let mut random = Random(3);
    for number in 0..mutations().min(20_000) / 4 {
        let mut changed = bytes[..used].to_vec();
        mutate(&mut changed, &bytes[..used], &mut random);
        changed.resize(bytes.len().max(changed.len()), 0);
        if changed == bytes {
            continue;
        }
        std::fs::write(&journal, &changed).unwrap();
        let report = verify(&place, &options).await.unwrap();
        // A commit that is missing as a whole was never there, as far as the files can tell.
        let seen = report.findings != clean.findings || report.in_journal < clean.in_journal;
        assert!(seen, "change {number} was not found");
    }
}

async fn bundle(folder: &Path) -> (Vec<u8>, Vec<VerifierKey>) {
    let recording = folder.join("recording");
    std::fs::write(&recording, b"what was recorded, byte for byte").unwrap();
    let digest = ledger_store::recording_digest(&recording).unwrap();
    let ledger = Ledger::open(options(&folder.join("ledger"))).unwrap();
    ledger.append(opened("a")).await.unwrap();
    ledger.append_all((0..300).map(viewed).collect()).await.unwrap();
    ledger.append(sealed("a", digest.sha256)).await.unwrap();
    ledger.close().await.unwrap();
    let reader = LedgerReader::new(Place::Folder(folder.join("ledger")));
    let bundle = bundle_session(&reader, "a", Some(digest.bytes)).await.unwrap();
    let path = folder.join("bundle");
    write_bundle(&path, &bundle, Some(&recording)).unwrap();
    (std::fs::read(path).unwrap(), vec![key().public().clone()])
}

#[tokio::test]
async fn every_change_of_a_bundle_is_found() {
    let folder = TestFolder::new();
    std::fs::create_dir_all(folder.path()).unwrap();
    let (bytes, keys) = bundle(folder.path()).await;
    let options = VerifyOptions { keys, ..VerifyOptions::default() };
    let path = folder.path().join("changed");
    let check = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        let (bundle, recording) = read_bundle(&path).unwrap();
        verify_bundle(bundle, recording, &options)
    };
    let clean = check(&bytes);
    assert_eq!((clean.findings.as_slice(), clean.recording_matches), ([].as_slice(), Some(true)));
    assert_eq!(clean.entries.len(), 2);
    let mut random = Random(4);
    for number in 0..mutations() {
        let mut changed = bytes.clone();
        mutate(&mut changed, &bytes, &mut random);
        if changed != bytes {
            assert_ne!(check(&changed).findings, [], "change {number} was not found");
        }
    }
}

/// What is read before anything is believed of it.
#[test]
fn garbage_is_no_checkpoint() {
    let mut random = Random(5);
    for length in 0..500 {
        let bytes: Vec<u8> = (0..length).map(|_| random.next().to_le_bytes()[0]).collect();
        assert!(SignedCheckpoint::parse(&bytes).is_err());
    }
}
