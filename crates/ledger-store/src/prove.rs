//! Makes proofs of what is in a ledger, for who has nothing of it.

use crate::entry_json::{decode_entry, session_of};
use crate::place::ReadError;
use crate::reader::LedgerReader;
use ledger_model::{Bundle, BundledEntry, Fact, ProofFile, SignedCheckpoint, TILE_WIDTH, TreeHead};
use memchr::memmem;

#[derive(Debug, thiserror::Error)]
pub enum ProveError {
    #[error("the ledger in {0} has no checkpoint yet")]
    NoCheckpoint(String),
    #[error("the ledger has {size} entries, of which none has the index {index}")]
    NoEntry { index: u64, size: u64 },
    #[error("no entry of the ledger is about session {0}")]
    NoSession(String),
    #[error(
        "the ledger's own checkpoint is of {found} entries, and a proof for one of {asked} is asked for"
    )]
    Later { asked: u64, found: u64 },
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// The proof that an entry is in the ledger, with the entry.
///
/// # Errors
/// When there is no such entry, or the ledger cannot be read.
pub async fn prove_entry(reader: &LedgerReader, index: u64) -> Result<ProofFile, ProveError> {
    let checkpoint = checkpoint_for(reader, index).await?;
    let head = checkpoint.head();
    let entry = reader.entry(index, head.size).await?;
    let entry = entry.ok_or(ProveError::NoEntry { index, size: head.size })?;
    let inclusion = reader.prove_inclusion(index, head).await?;
    Ok(ProofFile { entry: Some(entry), inclusion, checkpoint })
}

/// The proof that the ledger has grown from an earlier checkpoint: its present one, and the hashes.
///
/// # Errors
/// When the ledger is smaller, or cannot be read.
pub async fn prove_growth(
    reader: &LedgerReader,
    from: TreeHead,
) -> Result<(SignedCheckpoint, Vec<ledger_model::Digest>), ProveError> {
    let checkpoint = published(reader).await?;
    let head = checkpoint.head();
    if from.size > head.size {
        return Err(ProveError::Later { asked: from.size, found: head.size });
    }
    let path = reader.prove_consistency(from.size, head).await?;
    Ok((checkpoint, path))
}

/// What proves one session: all entries about it, and those that changed the ledger's key.
///
/// # Errors
/// When there is none, or the ledger cannot be read.
pub async fn bundle_session(
    reader: &LedgerReader,
    session: &str,
    recording: Option<u64>,
) -> Result<Bundle, ProveError> {
    let latest = published(reader).await?;
    let found = entries_about(reader, session, latest.head()).await?;
    let last = found.iter().rev().find(|(_, of_session, _)| *of_session).map(|(index, ..)| *index);
    let last = last.ok_or_else(|| ProveError::NoSession(session.to_owned()))?;
    let checkpoint = checkpoint_for(reader, last).await?;
    let head = checkpoint.head();
    let mut entries = Vec::new();
    for (index, _, bytes) in found.into_iter().filter(|(index, ..)| *index < head.size) {
        entries.push(BundledEntry { bytes, inclusion: reader.prove_inclusion(index, head).await? });
    }
    Ok(Bundle { session: session.to_owned(), entries, checkpoint, recording })
}

/// Entries by index: whether they are about the session, otherwise they change the key.
async fn entries_about(
    reader: &LedgerReader,
    session: &str,
    head: TreeHead,
) -> Result<Vec<(u64, bool, Vec<u8>)>, ReadError> {
    let (name, change) = (memmem::Finder::new(session), memmem::Finder::new("key.rotated"));
    let mut found = Vec::new();
    for file in 0..head.size.div_ceil(TILE_WIDTH as u64) {
        let entries = reader.entries(file, head.size).await?;
        for (index, bytes) in (file * TILE_WIDTH as u64..).zip(entries) {
            // Most entries are about something else, and need not be read.
            if name.find(&bytes).is_none() && change.find(&bytes).is_none() {
                continue;
            }
            let Ok(entry) = decode_entry(&bytes) else { continue };
            let of_session = session_of(&entry.fact).is_some_and(|about| about == session);
            if of_session || matches!(entry.fact, Fact::KeyRotated { .. }) {
                found.push((index, of_session, bytes));
            }
        }
    }
    Ok(found)
}

/// The checkpoint that witnesses have signed, if it covers the entry; otherwise the latest one.
async fn checkpoint_for(reader: &LedgerReader, index: u64) -> Result<SignedCheckpoint, ProveError> {
    match reader.cosigned().await? {
        Some(cosigned) if index < cosigned.head().size => Ok(cosigned),
        Some(_) | None => published(reader).await,
    }
}

async fn published(reader: &LedgerReader) -> Result<SignedCheckpoint, ProveError> {
    let checkpoint = reader.checkpoint().await?;
    checkpoint.ok_or_else(|| ProveError::NoCheckpoint(reader.place().to_string()))
}
