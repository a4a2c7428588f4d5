//! A witness: signs a ledger's checkpoint only if it grew from the one that it signed before.
//!
//! What it signed last is all that it knows, and is on disk before a signature goes out. It is one file for each
//! ledger, which is the checkpoint with its signature.

mod server;

pub use server::{WitnessListener, WitnessServeError};

use crate::disk::Disk;
use crate::ledger::Clock;
use crate::recovery::read_file;
use aws_lc_rs::digest::{SHA256, digest};
use folder_lock::FolderLock;
use ledger_model::{
    AddCheckpoint, Algorithm, CheckpointError, Refusal, RequestError, SignedCheckpoint, SignerKey,
    TreeHead, VerifierKey,
};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

/// How a witness is opened.
#[derive(Debug)]
pub struct WitnessOptions {
    /// Where it keeps what it signed.
    pub folder: PathBuf,
    pub key: SignerKey,
    /// The keys of the ledgers that it signs for; a ledger whose key changes has two for a while.
    pub ledgers: Vec<VerifierKey>,
    pub disk: Disk,
    pub clock: Clock,
}

#[derive(Debug)]
pub struct Witness {
    options: WitnessOptions,
    /// What was signed last for each ledger.
    last: Mutex<BTreeMap<String, TreeHead>>,
    _lock: FolderLock,
}

/// What a witness answers, as the protocol has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub content_type: &'static str,
    pub body: String,
    /// What happened, for who runs the witness.
    pub event: String,
}

#[derive(Debug, thiserror::Error)]
pub enum WitnessError {
    #[error("the key is one of a ledger; `weir ledger key --witness` makes one for a witness")]
    Key,
    #[error("{0} is the key of a witness, and not that of a ledger")]
    Ledger(String),
    #[error("could not prepare the witness's folder {folder}")]
    Folder { folder: PathBuf, source: io::Error },
    #[error("the witness's folder {0} is in use")]
    InUse(PathBuf),
    #[error(
        "{path} is not what this witness signed last: restore it; without it the witness would sign an older state"
    )]
    State { path: PathBuf, source: CheckpointError },
}

const SIZE: &str = "text/x.tlog.size";
const TEXT: &str = "text/plain; charset=utf-8";

impl Witness {
    /// Opens a witness and reads what it signed.
    ///
    /// # Errors
    /// When the folder cannot be used, or what is in it is not the witness's.
    pub fn open(options: WitnessOptions) -> Result<Self, WitnessError> {
        if options.key.public().algorithm() != Algorithm::Ed25519Cosignature {
            return Err(WitnessError::Key);
        }
        let of_witness = |key: &&VerifierKey| key.algorithm() == Algorithm::Ed25519Cosignature;
        if let Some(key) = options.ledgers.iter().find(of_witness) {
            return Err(WitnessError::Ledger(key.short()));
        }
        let error = |source| WitnessError::Folder { folder: options.folder.clone(), source };
        fs::create_dir_all(&options.folder).map_err(error)?;
        let taken = || WitnessError::InUse(options.folder.clone());
        let lock = FolderLock::take(&options.folder.join("lock")).map_err(error)?;
        let lock = lock.ok_or_else(taken)?;
        options.disk.sync_folder(&options.folder).map_err(error)?;
        let mut last = BTreeMap::new();
        for ledger in &options.ledgers {
            if let Some(head) = read_last(&options, ledger.name())? {
                last.insert(ledger.name().to_owned(), head);
            }
        }
        Ok(Self { options, last: Mutex::new(last), _lock: lock })
    }

    /// Answers a request. It blocks while the disk works.
    pub fn add_checkpoint(&self, body: &[u8]) -> Answer {
        let request = match AddCheckpoint::parse(body) {
            Ok(request) => request,
            Err(error) => return bad_request(&error),
        };
        let checkpoint = request.checkpoint.checkpoint();
        let (origin, size) = (checkpoint.origin.clone(), checkpoint.head.size);
        // One decision at a time, until it is on disk.
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match request.consider(&self.options.ledgers, last.get(&origin).copied()) {
            Err(refusal) => refused(&refusal, &origin, size),
            Ok(head) => match self.sign(&request, &origin) {
                Ok(line) => {
                    last.insert(origin.clone(), head);
                    let event = format!("signed {size} entries of {origin}");
                    Answer { status: 200, content_type: TEXT, body: line, event }
                }
                Err(error) => {
                    let event = format!("could not keep {size} entries of {origin}: {error}");
                    let body = "the witness could not keep its state\n".to_owned();
                    Answer { status: 500, content_type: TEXT, body, event }
                }
            },
        }
    }

    #[must_use]
    pub fn key(&self) -> &VerifierKey {
        self.options.key.public()
    }

    /// Signs, and makes durable that it did. The line goes out only after that.
    fn sign(&self, request: &AddCheckpoint, origin: &str) -> io::Result<String> {
        let seconds = u64::try_from((self.options.clock.0)() / 1000).unwrap_or_default();
        let signature = self.options.key.sign(request.checkpoint.text(), seconds);
        let line = String::from_utf8(signature.to_bytes()).map_err(io::Error::other)?;
        let signed = request.checkpoint.with_signature(signature).to_bytes();
        let Self { options: WitnessOptions { disk, folder, .. }, .. } = self;
        let (new, path) = (folder.join("new"), path_of(&self.options, origin));
        disk.write_file(&new, &signed)?;
        disk.rename(&new, &path)?;
        disk.sync_folder(folder)?;
        Ok(line)
    }
}

/// What was signed last for a ledger, which must bear the witness's own signature.
fn read_last(options: &WitnessOptions, origin: &str) -> Result<Option<TreeHead>, WitnessError> {
    let path = path_of(options, origin);
    let folder = || options.folder.clone();
    let bytes = read_file(&path).map_err(|error| WitnessError::Folder {
        folder: folder(),
        source: io::Error::other(error),
    })?;
    let Some(bytes) = bytes else { return Ok(None) };
    let read = SignedCheckpoint::parse(&bytes).and_then(|signed| {
        signed.signed_by(options.key.public())?;
        let found = signed.checkpoint().origin.clone();
        if found == origin {
            Ok(signed.head())
        } else {
            Err(CheckpointError::OtherOrigin { found, expected: origin.to_owned() })
        }
    });
    read.map(Some).map_err(|source| WitnessError::State { path, source })
}

/// Names of ledgers have slashes; their digests do not.
fn path_of(options: &WitnessOptions, origin: &str) -> PathBuf {
    let name: String = digest(&SHA256, origin.as_bytes())
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    options.folder.join(name)
}

fn bad_request(error: &RequestError) -> Answer {
    let event = format!("did not understand a request: {error}");
    Answer { status: 400, content_type: TEXT, body: format!("{error}\n"), event }
}

fn refused(refusal: &Refusal, origin: &str, size: u64) -> Answer {
    let event = format!("refused {size} entries of {}: {refusal}", visible(origin));
    let (content_type, body) = match refusal {
        Refusal::OtherSize(size) => (SIZE, format!("{size}\n")),
        Refusal::UnknownLedger(_)
        | Refusal::NotSigned(_)
        | Refusal::Shrunk
        | Refusal::Forked(_)
        | Refusal::NotGrown(_) => (TEXT, format!("{refusal}\n")),
    };
    Answer { status: refusal.status(), content_type, body, event }
}

/// A name that anybody may have made up, for a log.
fn visible(origin: &str) -> String {
    origin.escape_debug().take(200).collect()
}
