//! What a verification finds, and what it says is shown.

use crate::support::{key, options, viewed};
use expect_test::{Expect, expect};
use ledger_model::{Algorithm, Fact, SessionOpened, SessionSealed, SignerKey};
use ledger_store::{Ledger, Place, Remembered, Report, VerifyOptions, verify};
use std::path::{Path, PathBuf};
use std::time::Duration;
use test_folder::TestFolder;

pub(crate) fn opened(session: &str) -> Fact {
    Fact::SessionOpened(SessionOpened {
        session: session.into(),
        cluster: "prod".into(),
        user: "anna".into(),
        verb: "exec".into(),
        namespace: Some("pci".into()),
        object: Some("pod/db-0".into()),
        container: None,
        rule: "on-call".into(),
        reason: None,
        header: [1; 32],
    })
}

pub(crate) fn sealed(session: &str, file: [u8; 32]) -> Fact {
    Fact::SessionSealed(SessionSealed {
        session: session.into(),
        ending: "exit 0".into(),
        state: "sealed".into(),
        chunks: 2,
        chain: [2; 32],
        file,
    })
}

/// A ledger of two files of entries and a bit, with partial tiles of earlier sizes.
async fn ledger(folder: &Path) {
    let ledger = Ledger::open(options(folder)).unwrap();
    ledger.append(opened("a")).await.unwrap();
    ledger.flush().await.unwrap();
    ledger.append_all((0..540).map(viewed).collect()).await.unwrap();
    ledger.flush().await.unwrap();
    ledger.append(sealed("a", [3; 32])).await.unwrap();
    ledger.close().await.unwrap();
}

fn verify_options() -> VerifyOptions {
    VerifyOptions { keys: vec![key().public().clone()], ..VerifyOptions::default() }
}

async fn report(folder: &Path, options: &VerifyOptions) -> Report {
    verify(&Place::Folder(folder.to_owned()), options).await.unwrap()
}

fn told(report: &Report, expected: &Expect) {
    let findings = report
        .findings
        .iter()
        .map(|finding| format!("{} {}: {}\n", finding.severity, finding.code, finding.message));
    let proven = report.proven.iter().map(|shown| format!("shown: {shown}\n"));
    let not_proven = report.not_proven.iter().map(|shown| format!("not shown: {shown}\n"));
    let all: Vec<String> = findings.chain(proven).chain(not_proven).collect();
    expected.assert_eq(&all.concat());
}

#[tokio::test]
async fn a_ledger_that_is_whole_is_shown_to_be() {
    let folder = TestFolder::new();
    ledger(folder.path()).await;
    let report = report(folder.path(), &verify_options()).await;
    told(
        &report,
        &expect![[r#"
        shown: the 544 entries are those that ledger.example/prod+5e2eb614 signed: none was altered, removed, added or moved since
        shown: each source's entries are counted without a gap
        not shown: that others are shown the same history: no witness vouches for it
        not shown: that this is not an older state of the ledger: nothing newer is remembered, and no witness vouches for it
        not shown: that nothing happened after the last entry
        not shown: that recordings are as they were: the ledger has their digests, which `weir sessions verify` compares
        not shown: that what a source wrote is what happened: one that lies when it writes is not found here
        not shown: that times are right: they are what the sources' clocks said
    "#]],
    );
    assert_eq!(report.head.map(|head| head.size), Some(544));
    assert_eq!(report.audited.sessions.sealed, 1);
}

#[tokio::test]
async fn another_key_shows_nothing() {
    let folder = TestFolder::new();
    ledger(folder.path()).await;
    let other = SignerKey::from_seed("ledger.example/prod", Algorithm::Ed25519, [9; 32]).unwrap();
    let options = VerifyOptions { keys: vec![other.public().clone()], ..VerifyOptions::default() };
    told(
        &report(folder.path(), &options).await,
        &expect![[r#"
        error ledger-checkpoint-unsigned: the checkpoint of 544 entries is not the ledger's: the checkpoint has no signature of ledger.example/prod+d775d809; it is signed by ledger.example/prod+5e2eb614
        info ledger-signature-unknown: the checkpoint has a signature of ledger.example/prod+5e2eb614, which was not given as a key
        not shown: that the entries are the ledger's: see the findings
        not shown: that others are shown the same history: no witness vouches for it
        not shown: that this is not an older state of the ledger: nothing newer is remembered, and no witness vouches for it
        not shown: that nothing happened after the last entry
        not shown: that recordings are as they were: the ledger has their digests, which `weir sessions verify` compares
        not shown: that what a source wrote is what happened: one that lies when it writes is not found here
        not shown: that times are right: they are what the sources' clocks said
    "#]],
    );
}

/// Changes a file and verifies.
async fn changed(file: &str, change: impl Fn(&mut Vec<u8>), expected: &Expect) {
    let folder = TestFolder::new();
    ledger(folder.path()).await;
    let path = folder.path().join(file);
    let mut bytes = std::fs::read(&path).unwrap();
    change(&mut bytes);
    std::fs::write(&path, bytes).unwrap();
    let report = report(folder.path(), &verify_options()).await;
    let findings: Vec<String> = report
        .findings
        .iter()
        .map(|finding| format!("{} {}: {}\n", finding.severity, finding.code, finding.message))
        .collect();
    expected.assert_eq(&findings.concat());
}

#[tokio::test]
async fn an_entry_that_was_altered_is_named() {
    let replace = |bytes: &mut Vec<u8>| {
        let at = bytes.windows(4).position(|word| word == b"anna").unwrap();
        bytes[at..at + 4].copy_from_slice(b"otto");
    };
    changed("tile/entries/001", replace, &expect![[r#"
        error ledger-tile-differs: tile/0/001 does not have the hash of entry 256 as it stands in the ledger
        error ledger-tile-differs: tile/1/000.p/2 does not have the hash of entries 256 to 511 as they stand in the ledger
        error ledger-root-differs: the 544 entries are not those that the checkpoint commits to
    "#]]).await;
}

#[tokio::test]
async fn tiles_that_were_altered_are_named() {
    changed("tile/0/001", |bytes| bytes[64] ^= 1, &expect![[r#"
        error ledger-tile-differs: tile/0/001 does not have the hash of entry 258 as it stands in the ledger
    "#]]).await;
    changed("tile/1/000.p/2", |bytes| bytes[33] ^= 1, &expect![[r#"
        error ledger-tile-differs: tile/1/000.p/2 does not have the hash of entries 256 to 511 as they stand in the ledger
    "#]]).await;
    let earlier = "tile/entries/002.p/30";
    changed(earlier, |bytes| bytes[5] ^= 1, &expect![[r#"
        error ledger-tile-differs: tile/entries/002.p/30 is not the beginning of tile/entries/002.p/32, which took its place
    "#]]).await;
}

#[tokio::test]
async fn files_of_entries_that_are_cut_off_or_gone_are_named() {
    changed("tile/entries/001", |bytes| bytes.truncate(999), &expect![[r#"
        error ledger-entries-unreadable: tile/entries/001 cannot be read: the file of entries is cut off within entry 6; no entry from there on can be checked
        info ledger-session-open: session a, opened at entry 1, is not sealed yet
    "#]]).await;
    let folder = TestFolder::new();
    ledger(folder.path()).await;
    std::fs::remove_file(folder.path().join("tile/entries/001")).unwrap();
    std::fs::remove_file(folder.path().join("tile/0/000")).unwrap();
    std::fs::write(folder.path().join("notes.txt"), "hello").unwrap();
    told(
        &report(folder.path(), &verify_options()).await,
        &expect![[r#"
        error ledger-tile-missing: tile/0/000 is missing: it can be computed from the entries, which are there
        error ledger-tile-missing: tile/entries/001 is missing: the entries in it and all behind them cannot be checked
        warning ledger-file-unexpected: notes.txt is no file of a ledger
        info ledger-session-open: session a, opened at entry 1, is not sealed yet
        not shown: that the entries are the ledger's: see the findings
        not shown: that others are shown the same history: no witness vouches for it
        not shown: that this is not an older state of the ledger: nothing newer is remembered, and no witness vouches for it
        not shown: that nothing happened after the last entry
        not shown: that recordings are as they were: the ledger has their digests, which `weir sessions verify` compares
        not shown: that what a source wrote is what happened: one that lies when it writes is not found here
        not shown: that times are right: they are what the sources' clocks said
    "#]],
    );
}

#[tokio::test]
async fn an_older_state_is_found_by_who_remembers_a_newer_one() {
    let (folder, older) = (TestFolder::new(), TestFolder::new());
    ledger(folder.path()).await;
    crate::support::copy(folder.path(), older.path());
    ledger(folder.path()).await;
    let newer = std::fs::read(folder.path().join("checkpoint")).unwrap();
    let mut options = verify_options();
    options.remembered = Some(Remembered::parse(&newer, &options.keys).unwrap());
    let rolled_back = report(older.path(), &options).await;
    assert_eq!(
        codes(&rolled_back),
        ["ledger-rolled-back"],
        "nothing else is wrong with an older state"
    );
    // Gone on with, it is another history.
    ledger(older.path()).await;
    ledger(older.path()).await;
    assert_eq!(codes(&report(older.path(), &options).await), ["ledger-forked"]);
    // And the newer one has grown from the older.
    let remembered = std::fs::read(older.path().join("checkpoint")).unwrap();
    assert!(Remembered::parse(&remembered, &[]).is_err());
}

fn codes(report: &Report) -> Vec<&'static str> {
    let errors = report.findings.iter().filter(|finding| {
        finding.severity == finding_model::Severity::Error
            && !finding.code.0.starts_with("ledger-session")
    });
    errors.map(|finding| finding.code.0).collect()
}

#[tokio::test]
async fn changes_of_the_key_are_followed() {
    let folder = TestFolder::new();
    let new_key =
        || SignerKey::from_seed("ledger.example/prod", Algorithm::Ed25519, [8; 32]).unwrap();
    let crashed = TestFolder::new();
    {
        let mut slow = options(folder.path());
        slow.publish_after = Duration::from_secs(3600);
        let ledger = Ledger::open(slow).unwrap();
        ledger.append(opened("a")).await.unwrap();
        ledger.flush().await.unwrap();
        let other = SignerKey::from_seed("other.example", Algorithm::Ed25519, [8; 32]).unwrap();
        ledger.rotate(other).await.unwrap_err();
        ledger.rotate(new_key()).await.unwrap();
        ledger.append(sealed("a", [3; 32])).await.unwrap();
        crate::support::copy(folder.path(), crashed.path());
        ledger.close().await.unwrap();
    }
    for folder in [folder.path(), crashed.path()] {
        let error = Ledger::open(options(folder)).unwrap_err().to_string();
        assert!(error.contains("key") || error.contains("cannot be gone on from"), "{error}");
        let mut options = options(folder);
        options.key = new_key();
        Ledger::open(options).unwrap().close().await.unwrap();
        // The first key is enough.
        let report = report(folder, &verify_options()).await;
        assert_eq!(report.signed_by.as_ref(), Some(new_key().public()));
        assert_eq!(report.key_changes, [(2, new_key().public().clone())]);
        assert_eq!(codes(&report), [""; 0]);
    }
}

#[tokio::test]
async fn what_is_in_the_journal_only_is_verified_too() {
    let (folder, crashed) = (TestFolder::new(), TestFolder::new());
    let mut slow = options(folder.path());
    slow.publish_after = Duration::from_secs(3600);
    let ledger = Ledger::open(slow).unwrap();
    ledger.append(opened("a")).await.unwrap();
    ledger.flush().await.unwrap();
    for number in 0..300 {
        ledger.append(viewed(number)).await.unwrap();
    }
    crate::support::copy(folder.path(), crashed.path());
    let before = report(crashed.path(), &verify_options()).await;
    assert_eq!((before.in_journal, codes(&before)), (300, vec![]));
    let journals = journals(crashed.path());
    assert!(journals.len() > 1);
    let bytes = std::fs::read(&journals[0]).unwrap();
    let mut changed = bytes.clone();
    changed[1000] ^= 1;
    std::fs::write(&journals[0], changed).unwrap();
    let damaged = report(crashed.path(), &verify_options()).await;
    assert_eq!(codes(&damaged), ["ledger-journal-damaged", "ledger-journal-differs"]);
    std::fs::write(&journals[0], bytes).unwrap();
    std::fs::remove_file(&journals[1]).unwrap();
    ledger.close().await.unwrap();
}

fn journals(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder.join(".weir"))
        .unwrap()
        .map(|file| file.unwrap().path())
        .filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("journal-"))
        .collect();
    files.sort();
    files
}
