//! Entries, trees, checkpoints and proofs of a ledger.
//!
//! A ledger is a list of entries that can only grow, and shows when it did not. What commits to it is a Merkle
//! tree as certificate transparency has it (RFC 6962), kept in files as C2SP's tlog-tiles has them, so that
//! programs that know nothing of Weir can check it. `docs/design/ledger.md` argues it, `docs/formats/ledger.md`
//! says what the bytes are.
//!
//! # Invariants
//! * An entry is its bytes. Nothing is hashed that was written again from what was read.
//! * What comes from outside has one way to be written: what was read and is written again is the same.
//! * No size, index, length or number of hashes from outside is computed with before it is bounded.
//! * Keys have their algorithm in their name. What this version does not know is refused by name.
//!
//! # Absent on purpose
//! Files, clocks and randomness: seeds, times and bytes are given. JSON: what an entry says is for who writes
//! and reads entries, and here it is a value or bytes.

mod audit;
mod bundle;
mod checkpoint;
mod entry;
mod key;
mod proof;
mod rotation;
mod text;
mod tile;
mod tree;
mod witness;

pub use audit::{Audit, Audited, SessionSummary, SourceSummary};
pub use bundle::{Bundle, BundleError, BundledEntry, FirstLine, MAX_HEAD_BYTES};
pub use checkpoint::{Checkpoint, CheckpointError, SignedCheckpoint, cosigned_at};
pub use entry::{Entry, Fact, MAX_ENTRY_BYTES, SessionOpened, SessionSealed};
pub use key::{Algorithm, KeyError, SignerKey, VerifierKey};
pub use proof::{
    Inclusion, ProofError, ProofFile, ProofFileError, Tiles, check_consistency, prove_consistency,
    prove_inclusion, tiles_for_consistency, tiles_for_inclusion,
};
pub use rotation::{KeyHistory, Rotation, RotationError};
pub use tile::{
    MAX_TILE_BYTES, TILE_WIDTH, TileBuilder, TileError, TileFile, TileKind, TilePath, push_entry,
    split_entries, split_hashes,
};
pub use tree::{Digest, Frontier, MAX_SIZE, TreeHead, leaf_hash};
pub use witness::{AddCheckpoint, MAX_REQUEST_BYTES, Refusal, RequestError};
