//! Ledgers in folders that go away.

use ledger_model::{Algorithm, Fact, SignerKey};
use ledger_store::LedgerOptions;
use std::path::{Path, PathBuf};

/// A folder of its own below the system's for temporary files, which goes away with it.
pub(crate) struct Folder(pub PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("weir-ledger-{name}-{}", std::process::id()));
        drop(std::fs::remove_dir_all(&path));
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

pub(crate) fn key() -> SignerKey {
    SignerKey::from_seed("ledger.example/prod", Algorithm::Ed25519, [7; 32]).unwrap()
}

pub(crate) fn options(folder: &Path) -> LedgerOptions {
    LedgerOptions::new(folder.to_owned(), key(), "gateway-1", "0.1.0")
}

pub(crate) fn viewed(session: u64) -> Fact {
    Fact::SessionViewed {
        session: format!("session-{session}"),
        by: "anna".into(),
        how: "play".into(),
    }
}

pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for file in std::fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        let to = to.join(file.file_name());
        if file.path().is_dir() {
            copy(&file.path(), &to);
        } else {
            std::fs::copy(file.path(), to).unwrap();
        }
    }
}
