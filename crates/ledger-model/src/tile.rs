//! The files of a ledger (c2sp.org/tlog-tiles): their names, what is in them, and how they come from entries.
//!
//! `tlog_tiles` names tiles as Go's checksum database does, with the height in the path and `data` for entries;
//! C2SP's names leave the height out and say `entries`. So names are made here.

use crate::tree::node_hash;
use crate::{Digest, Frontier, MAX_ENTRY_BYTES, MAX_SIZE, leaf_hash};
use std::fmt;
use std::str::FromStr;

/// How many hashes or entries a full tile has.
pub const TILE_WIDTH: usize = 256;

/// The largest file of a ledger below `tile/`.
pub const MAX_TILE_BYTES: usize = TILE_WIDTH * (2 + MAX_ENTRY_BYTES);

/// What a file below `tile/` holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TileKind {
    Entries,
    /// Hashes, each of a full tile of the level below; on level 0 of an entry.
    Level(u8),
}

/// The name of a file below `tile/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TilePath {
    kind: TileKind,
    index: u64,
    /// From 1 to [`TILE_WIDTH`].
    width: usize,
}

/// A file that a ledger has: its name and its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TileFile {
    pub path: TilePath,
    pub bytes: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TileError {
    #[error("`{0}` is not the name of a tile")]
    Name(String),
    #[error("the file of entries is cut off within entry {0}")]
    CutOff(usize),
    #[error("the file of entries has {found} entries and not {expected}")]
    Count { found: usize, expected: usize },
    #[error("the tile has {found} bytes and not {expected}")]
    Length { found: usize, expected: usize },
    #[error("an entry has {0} bytes, and no more than 65535 fit")]
    EntryTooLarge(usize),
    #[error("the ledger is full")]
    Full,
}

impl TilePath {
    /// The name of a tile; nothing when there is no such tile.
    #[must_use]
    pub fn new(kind: TileKind, index: u64, width: usize) -> Option<Self> {
        let level_fits = match kind {
            TileKind::Entries => true,
            TileKind::Level(level) => level <= 6,
        };
        let fits = level_fits && (1..=TILE_WIDTH).contains(&width) && index <= MAX_SIZE;
        fits.then_some(Self { kind, index, width })
    }

    #[must_use]
    pub fn kind(&self) -> TileKind {
        self.kind
    }

    /// Which tile of its level this is.
    #[must_use]
    pub fn index(&self) -> u64 {
        self.index
    }

    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// The tile that a tree of `size` entries has in this place, full or partial; nothing when it has none.
    #[must_use]
    pub fn of_tree(kind: TileKind, index: u64, size: u64) -> Option<Self> {
        let level = match kind {
            TileKind::Entries => 0,
            TileKind::Level(level) => level.min(6),
        };
        let hashes = size >> (8 * u32::from(level));
        let before = index.checked_mul(TILE_WIDTH as u64)?;
        let width = hashes.checked_sub(before)?.min(TILE_WIDTH as u64);
        Self::new(kind, index, usize::try_from(width).ok()?)
    }

    /// The full tile in the same place, which may have taken the place of a partial one.
    #[must_use]
    pub fn full(&self) -> Self {
        Self { width: TILE_WIDTH, ..*self }
    }
}

impl TilePath {
    /// The bytes of this tile out of those of a wider one in its place.
    ///
    /// # Errors
    /// When there are not enough.
    pub fn cut(&self, wider: &[u8]) -> Result<Vec<u8>, TileError> {
        let end = match self.kind {
            TileKind::Level(_) => self.width * 32,
            TileKind::Entries => bundle_end(wider, self.width)?,
        };
        let short = TileError::Length { found: wider.len(), expected: end };
        wider.get(..end).map(<[u8]>::to_vec).ok_or(short)
    }
}

/// Where the first `count` entries of a file end.
fn bundle_end(bundle: &[u8], count: usize) -> Result<usize, TileError> {
    let mut end = 0;
    for entry in 0..count {
        let length = bundle.get(end..).and_then(|rest| rest.first_chunk::<2>());
        let length = length.ok_or(TileError::CutOff(entry))?;
        end += 2 + usize::from(u16::from_be_bytes(*length));
    }
    Ok(end)
}

impl fmt::Display for TilePath {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            TileKind::Entries => write!(out, "tile/entries/")?,
            TileKind::Level(level) => write!(out, "tile/{level}/")?,
        }
        let mut above = Vec::new();
        let mut rest = self.index / 1000;
        while rest > 0 {
            above.push(rest % 1000);
            rest /= 1000;
        }
        for group in above.iter().rev() {
            write!(out, "x{group:03}/")?;
        }
        write!(out, "{:03}", self.index % 1000)?;
        if self.width < TILE_WIDTH { write!(out, ".p/{}", self.width) } else { Ok(()) }
    }
}

impl FromStr for TilePath {
    type Err = TileError;

    fn from_str(text: &str) -> Result<Self, TileError> {
        let read = read_path(text).filter(|read| read.to_string() == text);
        read.ok_or_else(|| TileError::Name(text.chars().take(80).collect()))
    }
}

/// Reads more than the names that are written; who calls compares.
fn read_path(text: &str) -> Option<TilePath> {
    let (kind, rest) = text.strip_prefix("tile/")?.split_once('/')?;
    let kind = match kind {
        "entries" => TileKind::Entries,
        level => TileKind::Level(level.parse().ok()?),
    };
    let (index, width) = match rest.split_once(".p/") {
        Some((index, width)) => (index, width.parse().ok()?),
        None => (rest, TILE_WIDTH),
    };
    let mut number: u64 = 0;
    for group in index.split('/') {
        let digits = group.strip_prefix('x').unwrap_or(group);
        number = number.checked_mul(1000)?.checked_add(digits.parse().ok()?)?;
    }
    TilePath::new(kind, number, width)
}

/// Appends an entry to the bytes of a file of entries.
///
/// # Errors
/// When the entry is too large for its length to be written.
pub fn push_entry(bundle: &mut Vec<u8>, entry: &[u8]) -> Result<(), TileError> {
    let length =
        u16::try_from(entry.len()).map_err(|_large| TileError::EntryTooLarge(entry.len()))?;
    bundle.extend_from_slice(&length.to_be_bytes());
    bundle.extend_from_slice(entry);
    Ok(())
}

/// The entries of a file of entries, of which there must be `expected` and nothing else.
///
/// # Errors
/// When the lengths in the file do not add up to it.
pub fn split_entries(bundle: &[u8], expected: usize) -> Result<Vec<&[u8]>, TileError> {
    let mut entries = Vec::with_capacity(expected.min(TILE_WIDTH));
    let mut rest = bundle;
    while !rest.is_empty() {
        let cut = TileError::CutOff(entries.len());
        let Some((length, after)) = rest.split_first_chunk::<2>() else { return Err(cut) };
        let length = usize::from(u16::from_be_bytes(*length));
        let Some((entry, after)) = after.split_at_checked(length) else { return Err(cut) };
        entries.push(entry);
        if entries.len() > expected {
            break;
        }
        rest = after;
    }
    if entries.len() == expected {
        Ok(entries)
    } else {
        Err(TileError::Count { found: entries.len(), expected })
    }
}

/// The hashes in a tile, of which there must be `expected`.
///
/// # Errors
/// When the file has another length.
pub fn split_hashes(tile: &[u8], expected: usize) -> Result<Vec<Digest>, TileError> {
    let (hashes, rest) = tile.as_chunks::<32>();
    if rest.is_empty() && hashes.len() == expected {
        Ok(hashes.to_vec())
    } else {
        Err(TileError::Length { found: tile.len(), expected: expected.saturating_mul(32) })
    }
}

/// Makes the files of a ledger from its entries.
///
/// Levels are kept as far as they are not full; a level holds fewer than [`TILE_WIDTH`] hashes, and the size is
/// what they add up to.
#[derive(Debug, Clone, Default)]
pub struct TileBuilder {
    size: u64,
    bundle: Vec<u8>,
    levels: Vec<Vec<Digest>>,
    full: Vec<TileFile>,
}

impl TileBuilder {
    /// Goes on from a tree's partial tiles, from level 0, and its partial file of entries.
    ///
    /// Nothing when these are not those of one tree of `size` entries.
    #[must_use]
    pub fn resume(size: u64, levels: Vec<Vec<Digest>>, bundle: Vec<u8>) -> Option<Self> {
        let mut rest = size;
        for hashes in &levels {
            if hashes.len() as u64 != rest % TILE_WIDTH as u64 {
                return None;
            }
            rest /= TILE_WIDTH as u64;
        }
        if size > MAX_SIZE || rest > 0 {
            return None;
        }
        let empty = Vec::new();
        let leaves = levels.first().unwrap_or(&empty);
        let entries = split_entries(&bundle, leaves.len()).ok()?;
        let same = entries.iter().zip(leaves).all(|(entry, leaf)| leaf_hash(entry) == *leaf);
        same.then_some(Self { size, bundle, levels, full: Vec::new() })
    }

    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds an entry.
    ///
    /// # Errors
    /// When it is too large, or the ledger is.
    pub fn push(&mut self, entry: &[u8]) -> Result<(), TileError> {
        self.push_hashed(entry, leaf_hash(entry))
    }

    /// As [`Self::push`], for who knows the hash already.
    ///
    /// # Errors
    /// As [`Self::push`].
    pub fn push_hashed(&mut self, entry: &[u8], leaf: Digest) -> Result<(), TileError> {
        if self.size >= MAX_SIZE {
            return Err(TileError::Full);
        }
        push_entry(&mut self.bundle, entry)?;
        self.size += 1;
        let mut index = self.size / TILE_WIDTH as u64;
        if self.size.is_multiple_of(TILE_WIDTH as u64) {
            let bytes = std::mem::take(&mut self.bundle);
            self.finish(TileKind::Entries, index - 1, bytes);
        }
        let mut hash = leaf;
        for level in 0..7 {
            if self.levels.len() <= usize::from(level) {
                self.levels.push(Vec::new());
            }
            let Some(hashes) = self.levels.get_mut(usize::from(level)) else { break };
            hashes.push(hash);
            if hashes.len() < TILE_WIDTH {
                break;
            }
            let hashes = std::mem::take(hashes);
            hash = subtree_hash(&hashes);
            self.finish(TileKind::Level(level), index - 1, hashes.concat());
            index /= TILE_WIDTH as u64;
        }
        Ok(())
    }

    /// The full files that there are since they were last taken.
    pub fn take_full(&mut self) -> Vec<TileFile> {
        std::mem::take(&mut self.full)
    }

    /// The partial files of the tree as it is now.
    #[must_use]
    pub fn partial(&self) -> Vec<TileFile> {
        let mut files = Vec::new();
        let mut index = self.size / TILE_WIDTH as u64;
        let leaves = self.levels.first().map_or(0, Vec::len);
        if let Some(path) = TilePath::new(TileKind::Entries, index, leaves) {
            files.push(TileFile { path, bytes: self.bundle.clone() });
        }
        for (level, hashes) in (0_u8..).zip(&self.levels) {
            if let Some(path) = TilePath::new(TileKind::Level(level), index, hashes.len()) {
                files.push(TileFile { path, bytes: hashes.concat() });
            }
            index /= TILE_WIDTH as u64;
        }
        files
    }

    /// What commits to the tree as it is now.
    #[must_use]
    pub fn frontier(&self) -> Frontier {
        let mut peaks = Vec::new();
        for hashes in self.levels.iter().rev() {
            let mut rest = hashes.as_slice();
            while !rest.is_empty() {
                // A level has fewer than 256 hashes, of which the largest power of two is one subtree.
                let (subtree, after) = rest.split_at(1 << rest.len().ilog2());
                peaks.push(subtree_hash(subtree));
                rest = after;
            }
        }
        Frontier::new(self.size, peaks).unwrap_or_default()
    }

    fn finish(&mut self, kind: TileKind, index: u64, bytes: Vec<u8>) {
        if let Some(path) = TilePath::new(kind, index, TILE_WIDTH) {
            self.full.push(TileFile { path, bytes });
        }
    }
}

/// The root of a full subtree over these hashes, whose number is a power of two.
fn subtree_hash(hashes: &[Digest]) -> Digest {
    match hashes {
        [] => Digest::default(),
        [one] => *one,
        more => {
            let (left, right) = more.split_at(more.len() / 2);
            node_hash(&subtree_hash(left), &subtree_hash(right))
        }
    }
}

#[cfg(test)]
#[path = "tile/tests.rs"]
mod tests;
