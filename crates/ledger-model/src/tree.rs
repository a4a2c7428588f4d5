//! The tree over a ledger's entries (RFC 6962, SHA-256), as far as who adds to it needs to know it.
//!
//! `tlog_tiles` has the mathematics of proofs. Its way to add an entry asks for stored hashes by a dense index
//! and allocates for each; a writer needs no more than the roots of the full subtrees that make up the tree, so
//! that is what is kept here, and compared with the library in tests.

use tlog_tiles::Hash;

/// A SHA-256 value.
pub type Digest = [u8; 32];

/// No ledger is larger. What claims to be is refused before anything is computed with its size.
pub const MAX_SIZE: u64 = 1 << 48;

/// What commits to a tree without entries.
pub(crate) const EMPTY_ROOT: Digest = tlog_tiles::EMPTY_HASH.0;

/// How many entries a tree has, and what commits to all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TreeHead {
    pub size: u64,
    pub root: Digest,
}

/// The full subtrees that a tree is made of, from the largest, which is also the leftmost.
///
/// There is one for each bit that is set in the size.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frontier {
    size: u64,
    peaks: Vec<Digest>,
}

/// What the tree has for an entry.
#[must_use]
pub fn leaf_hash(entry: &[u8]) -> Digest {
    tlog_tiles::record_hash(entry).0
}

/// What the tree has above two neighbours.
pub(crate) fn node_hash(left: &Digest, right: &Digest) -> Digest {
    tlog_tiles::node_hash(Hash(*left), Hash(*right)).0
}

impl Frontier {
    /// The frontier of a tree of `size` entries, from the roots of its full subtrees.
    ///
    /// Nothing when their number is not that of the bits of the size.
    #[must_use]
    pub fn new(size: u64, peaks: Vec<Digest>) -> Option<Self> {
        (peaks.len() == size.count_ones() as usize && size <= MAX_SIZE)
            .then_some(Self { size, peaks })
    }

    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds an entry by its [`leaf_hash`].
    pub fn push(&mut self, leaf: Digest) {
        let mut hash = leaf;
        // Every trailing one of the size is a subtree that is as large as what was made so far.
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                hash = node_hash(&left, &hash);
            }
        }
        self.peaks.push(hash);
        self.size += 1;
    }

    #[must_use]
    pub fn head(&self) -> TreeHead {
        let mut peaks = self.peaks.iter().rev();
        let root = match peaks.next() {
            None => EMPTY_ROOT,
            Some(&last) => peaks.fold(last, |right, left| node_hash(left, &right)),
        };
        TreeHead { size: self.size, root }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use tlog_tiles::{Error, HashReader, stored_hashes, tree_hash};

    #[derive(Default)]
    struct Stored(RefCell<Vec<Hash>>);

    impl HashReader for Stored {
        fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, Error> {
            let stored = self.0.borrow();
            Ok(indexes.iter().map(|&at| stored[usize::try_from(at).unwrap()]).collect())
        }
    }

    #[test]
    fn roots_are_those_of_the_library() {
        let stored = Stored::default();
        let mut frontier = Frontier::default();
        assert_eq!(frontier.head().root, tree_hash(0, &stored).unwrap().0);
        for index in 0..1100_u64 {
            let entry = index.to_be_bytes();
            let new = stored_hashes(index, &entry, &stored).unwrap();
            stored.0.borrow_mut().extend(new);
            frontier.push(leaf_hash(&entry));
            let head = TreeHead { size: index + 1, root: tree_hash(index + 1, &stored).unwrap().0 };
            assert_eq!(frontier.head(), head);
            assert_eq!(
                Frontier::new(frontier.size, frontier.peaks.clone()),
                Some(frontier.clone())
            );
        }
    }
}
