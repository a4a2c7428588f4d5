//! Other programs read our ledgers, and we verify theirs: transparency-dev's reader and Tessera's own check on the
//! one side, a log that Tessera wrote on the other.

use crate::support::{copy, key, options, viewed};
use crate::witnessing::cosign_once;
use aws_lc_rs::digest::{Context, SHA256};
use finding_model::Severity;
use ledger_store::{Ledger, Place, Report, VerifyOptions, verify};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use test_folder::TestFolder;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

async fn verify_theirs(folder: &Path) -> Report {
    let key = fs::read_to_string(fixtures().join("tessera.pub")).unwrap();
    let options =
        VerifyOptions { keys: vec![key.trim().parse().unwrap()], ..VerifyOptions::default() };
    verify(&Place::Folder(folder.to_owned()), &options).await.unwrap()
}

#[tokio::test]
async fn a_log_that_tessera_wrote_is_verified() {
    let report = verify_theirs(&fixtures().join("tessera")).await;
    assert!(!report.has(Severity::Error), "{:?}", report.findings.first());
    assert_eq!(report.head.map(|head| head.size), Some(300));
    assert_eq!(report.signed_by.map(|key| key.name().to_owned()).unwrap(), "tessera.example/log");
    // They are in the log, and say nothing that Weir knows.
    assert_eq!(report.audited.unreadable, 300);
    let changed = TestFolder::new();
    copy(&fixtures().join("tessera"), changed.path());
    let path = changed.path().join("tile/entries/001.p/44");
    let mut bytes = fs::read(&path).unwrap();
    bytes[40] ^= 1;
    fs::write(&path, bytes).unwrap();
    assert!(verify_theirs(changed.path()).await.has(Severity::Error));
}

/// The Go program, built once for these sources into the project's cache.
fn program() -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testbed/tlog-interop");
    let mut digest = Context::new(&SHA256);
    for name in ["go.mod", "go.sum", "main.go"] {
        digest.update(&fs::read(source.join(name)).unwrap());
    }
    let name: String =
        digest.finish().as_ref()[..6].iter().map(|byte| format!("{byte:02x}")).collect();
    let cache = std::env::var_os("WEIR_CACHE").map_or_else(
        || PathBuf::from(std::env::var_os("HOME").unwrap()).join(".cache/weir"),
        PathBuf::from,
    );
    fs::create_dir_all(&cache).unwrap();
    let built = cache.join(format!("tlog-interop-{name}"));
    let lock = File::create(cache.join("tlog-interop.lock")).unwrap();
    lock.lock().unwrap();
    if !built.exists() {
        let unfinished = cache.join("tlog-interop.unfinished");
        let status = Command::new("go")
            .current_dir(&source)
            .args(["build", "-mod=readonly", "-o"])
            .arg(&unfinished)
            .arg(".")
            .env("GOFLAGS", "-buildvcs=false")
            .env("GOWORK", "off")
            .status()
            .expect("go is needed: install it from https://go.dev/dl");
        assert!(status.success(), "building {} failed", source.display());
        fs::rename(&unfinished, &built).unwrap();
    }
    built
}

fn check(arguments: &[&Path], key: &str, witness: &str) -> Result<String, String> {
    let mut command = Command::new(program());
    command.arg("check").arg(arguments[0]).arg(key);
    if let Some(earlier) = arguments.get(1) {
        command.arg(earlier).arg(witness);
    }
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        Ok(said)
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_implementation_verifies_ours() {
    let (folder, kept) = (TestFolder::new(), TestFolder::new());
    fs::create_dir_all(kept.path()).unwrap();
    let earlier = kept.path().join("earlier");
    for entries in [10, 700] {
        let ledger = Ledger::open(options(folder.path())).unwrap();
        ledger.append_all((0..entries).map(viewed).collect()).await.unwrap();
        ledger.close().await.unwrap();
        if entries == 10 {
            fs::copy(folder.path().join("checkpoint"), &earlier).unwrap();
        }
    }
    let witness = cosign_once(folder.path(), &kept.path().join("witness")).await;
    let key = key().public().to_string();
    let all = [folder.path(), earlier.as_path()];
    let said = check(&all, &key, &witness);
    assert_eq!(said.as_deref(), Ok("714 entries of ledger.example/prod\n"));
    let path = folder.path().join("tile/entries/002.p/202");
    let mut bytes = fs::read(&path).unwrap();
    bytes[40] ^= 1;
    fs::write(&path, bytes).unwrap();
    assert!(check(&[folder.path()], &key, "").is_err());
}
