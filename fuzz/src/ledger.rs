//! Bytes of ledgers: checkpoints, tiles, entries, proofs, requests to witnesses, bundles and segments of the journal.
//!
//! What is read has one way to be written, so each reader is asked to write what it read again. Digests and checksums
//! in front of a reader are made here for the bytes, so that the fuzzer gets past them.

use aws_lc_rs::digest::{SHA256, digest};
use ledger_model::{
    AddCheckpoint, Algorithm, Bundle, FirstLine, KeyHistory, ProofFile, Rotation, SignedCheckpoint,
    SignerKey, TILE_WIDTH, TileBuilder, TilePath, TreeHead, VerifierKey, push_entry, split_entries,
    split_hashes,
};
use ledger_store::{decode_entry, encode_entry, scan};

/// The first byte says what the others are.
pub fn ledger(bytes: &[u8]) {
    ledger_read(bytes);
}

/// Whether the bytes were read as what the first of them says.
pub fn ledger_read(bytes: &[u8]) -> bool {
    let Some((kind, rest)) = bytes.split_first() else { return false };
    match kind % 9 {
        0 => checkpoint(rest),
        1 => proof(rest),
        2 => request(rest),
        3 => bundle(rest),
        4 => journal(rest),
        5 => entries(rest),
        6 => entry(rest),
        7 => statement(rest),
        _ => names(rest),
    }
}

fn keys() -> Vec<VerifierKey> {
    [Algorithm::Ed25519, Algorithm::Ed25519Cosignature]
        .into_iter()
        .filter_map(|algorithm| SignerKey::from_seed("ledger.example/a", algorithm, [7; 32]).ok())
        .map(|key| key.public().clone())
        .collect()
}

fn checkpoint(bytes: &[u8]) -> bool {
    let Ok(read) = SignedCheckpoint::parse(bytes) else { return false };
    assert!(read.to_bytes() == bytes, "written otherwise than read");
    for key in keys() {
        drop(read.signed_by(&key));
    }
    true
}

fn proof(bytes: &[u8]) -> bool {
    let Ok(read) = ProofFile::parse(bytes) else { return false };
    assert!(read.to_bytes() == bytes, "written otherwise than read");
    drop(read.check(None, &keys()));
    drop(read.inclusion.check(&[1; 32], read.checkpoint.head()));
    true
}

fn request(bytes: &[u8]) -> bool {
    let Ok(read) = AddCheckpoint::parse(bytes) else { return false };
    assert!(read.to_bytes() == bytes, "written otherwise than read");
    let last = TreeHead { size: read.old, root: [1; 32] };
    for last in [None, Some(last), Some(read.checkpoint.head())] {
        drop(read.consider(&keys(), last));
    }
    true
}

fn bundle(bytes: &[u8]) -> bool {
    drop(FirstLine::parse(bytes));
    let sha256 = digest(&SHA256, bytes);
    let Ok(sha256) = sha256.as_ref().try_into() else { return false };
    let first = FirstLine { head_bytes: bytes.len(), digest: sha256, line_bytes: 0 };
    let Ok(read) = Bundle::parse(&first, bytes) else { return false };
    let written = read.to_bytes();
    assert!(written.is_ok_and(|written| written.ends_with(bytes)), "written otherwise than read");
    drop(read.check_proofs());
    true
}

fn journal(bytes: &[u8]) -> bool {
    let found = scan(5, bytes);
    let used: usize =
        found.records.iter().map(|record| record.bundle.len() + record.checkpoint.len()).sum();
    assert!(used <= bytes.len(), "more than there is");
    !found.records.is_empty()
}

/// A file of entries, as long as it says; the tree over it goes on from its own parts.
fn entries(bytes: &[u8]) -> bool {
    drop(split_hashes(bytes, bytes.len() / 32));
    let Some(found) = (0..=TILE_WIDTH).find_map(|count| split_entries(bytes, count).ok()) else {
        return false;
    };
    let (mut written, mut builder) = (Vec::new(), TileBuilder::default());
    for entry in &found {
        assert!(push_entry(&mut written, entry).is_ok() && builder.push(entry).is_ok());
    }
    assert!(written == bytes, "written otherwise than read");
    true
}

fn entry(bytes: &[u8]) -> bool {
    let Ok(read) = decode_entry(bytes) else { return false };
    // It may be too large when everything that needs it is escaped.
    if let Ok(written) = encode_entry(&read) {
        assert!(decode_entry(&written).is_ok_and(|again| again == read), "read otherwise again");
    }
    true
}

fn statement(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let Ok(read) = Rotation::parse(text) else { return false };
    let mut history = KeyHistory::default();
    assert!(history.take(text, read.before.size, None).is_ok());
    true
}

fn names(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    if let Ok(path) = text.parse::<TilePath>() {
        assert_eq!(path.to_string(), text);
        drop(path.cut(bytes));
        return true;
    }
    if let Ok(key) = text.parse::<VerifierKey>() {
        assert_eq!(key.to_string(), text);
        return true;
    }
    text.parse::<SignerKey>().is_ok()
}
