//! Entries, trees, checkpoints and proofs of a ledger.
//!
//! `docs/design/ledger.md` argues it. Values in, values out; keys, time and randomness are given.

mod checkpoint;
mod entry;
mod key;
mod tile;
mod tree;

pub use checkpoint::{Checkpoint, CheckpointError, SignedCheckpoint, cosigned_at};
pub use entry::{Entry, Fact, MAX_ENTRY_BYTES, SessionOpened, SessionSealed};
pub use key::{Algorithm, KeyError, SignerKey, VerifierKey};
pub use tile::{
    MAX_TILE_BYTES, TILE_WIDTH, TileBuilder, TileError, TileFile, TileKind, TilePath, push_entry,
    split_entries, split_hashes,
};
pub use tree::{Digest, Frontier, MAX_SIZE, TreeHead, leaf_hash};
