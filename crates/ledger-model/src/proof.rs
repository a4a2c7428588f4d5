//! What shows offline that an entry is in a ledger, or that one checkpoint grew from another.
//!
//! The mathematics are `tlog_tiles`'s. What comes in from outside is bounded before it gets there: the library
//! answers with a panic to sizes and indexes that do not fit together.

mod file;
mod prove;

pub use file::{ProofFile, ProofFileError};
pub use prove::{
    Tiles, prove_consistency, prove_inclusion, tiles_for_consistency, tiles_for_inclusion,
};

use crate::tree::EMPTY_ROOT;
use crate::{Digest, MAX_SIZE, TilePath, TreeHead};
use tlog_tiles::Hash;

/// No tree is higher, so no proof is longer.
pub(crate) const MAX_PROOF_HASHES: usize = 63;

/// Where an entry is, and the hashes beside its way up to the root, from the lowest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inclusion {
    pub index: u64,
    pub path: Vec<Digest>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    #[error("entry {index} is not one of the {size} that the checkpoint is of")]
    Index { index: u64, size: u64 },
    #[error("a tree of {new} entries has not grown from one of {old}")]
    Sizes { old: u64, new: u64 },
    #[error("the checkpoint is for {0} entries, which is more than a ledger can have")]
    TooLarge(u64),
    #[error("the proof does not lead to the checkpoint's root")]
    Wrong,
    #[error("{0} is needed for the proof, and is missing")]
    MissingTile(TilePath),
    #[error(
        "the tiles do not lead to the checkpoint's root: run `weir ledger verify` on the ledger"
    )]
    WrongTiles,
}

impl Inclusion {
    /// Checks that the entry with this hash is in the tree.
    ///
    /// # Errors
    /// When it is not shown to be.
    pub fn check(&self, leaf: &Digest, head: TreeHead) -> Result<(), ProofError> {
        let Self { index, ref path } = *self;
        in_tree(index, head.size)?;
        if path.len() > MAX_PROOF_HASHES {
            return Err(ProofError::Wrong);
        }
        tlog_tiles::check_record(&hashes(path), head.size, Hash(head.root), index, Hash(*leaf))
            .map_err(|_rejected| ProofError::Wrong)
    }
}

/// Checks that the new tree has the old one as its beginning.
///
/// # Errors
/// When it is not shown to have.
pub fn check_consistency(old: TreeHead, new: TreeHead, path: &[Digest]) -> Result<(), ProofError> {
    grown(old.size, new.size)?;
    if old.size == 0 {
        // Every tree grows from the empty one.
        let empty = path.is_empty() && old.root == EMPTY_ROOT;
        return if empty { Ok(()) } else { Err(ProofError::Wrong) };
    }
    if path.len() > MAX_PROOF_HASHES {
        return Err(ProofError::Wrong);
    }
    let (old_root, new_root) = (Hash(old.root), Hash(new.root));
    tlog_tiles::check_tree(&hashes(path), new.size, new_root, old.size, old_root)
        .map_err(|_rejected| ProofError::Wrong)
}

fn in_tree(index: u64, size: u64) -> Result<(), ProofError> {
    if size > MAX_SIZE {
        return Err(ProofError::TooLarge(size));
    }
    if index < size { Ok(()) } else { Err(ProofError::Index { index, size }) }
}

fn grown(old: u64, new: u64) -> Result<(), ProofError> {
    if new > MAX_SIZE {
        return Err(ProofError::TooLarge(new));
    }
    if old <= new { Ok(()) } else { Err(ProofError::Sizes { old, new }) }
}

fn hashes(path: &[Digest]) -> Vec<Hash> {
    path.iter().map(|digest| Hash(*digest)).collect()
}

#[cfg(test)]
mod tests;
