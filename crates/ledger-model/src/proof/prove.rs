//! Makes proofs from tiles.
//!
//! Which tiles a proof needs is asked first and answered with names, so that whoever has the tiles may fetch
//! them in any way; then the proof is made from their bytes, which are checked against the checkpoint's root.

use super::{Inclusion, ProofError, grown, in_tree};
use crate::{Digest, TILE_WIDTH, TileKind, TilePath, TreeHead};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use tlog_tiles::{Error, Hash, Tile, TileHashReader, TileReader, prove_record, prove_tree};

/// The bytes of tiles.
pub type Tiles = BTreeMap<TilePath, Vec<u8>>;

/// The tiles that [`prove_inclusion`] needs.
///
/// # Errors
/// When there is no such entry.
pub fn tiles_for_inclusion(size: u64, index: u64) -> Result<Vec<TilePath>, ProofError> {
    in_tree(index, size)?;
    let asked = Reader::default();
    // It fails at the first tile, and has asked for all of them by then.
    drop(prove_record(size, index, &TileHashReader::new(size, Hash::default(), &asked)));
    Ok(asked.asked.into_inner())
}

/// The proof that an entry is in the tree.
///
/// # Errors
/// When there is no such entry, or the tiles are not those of the tree.
pub fn prove_inclusion(head: TreeHead, index: u64, tiles: &Tiles) -> Result<Inclusion, ProofError> {
    in_tree(index, head.size)?;
    let reader = Reader { tiles: Some(tiles), ..Reader::default() };
    let hashes = TileHashReader::new(head.size, Hash(head.root), &reader);
    let path = prove_record(head.size, index, &hashes).map_err(|_error| reader.why())?;
    Ok(Inclusion { index, path: digests(&path) })
}

/// The tiles that [`prove_consistency`] needs.
///
/// # Errors
/// When the new tree is smaller than the old one.
pub fn tiles_for_consistency(old: u64, new: u64) -> Result<Vec<TilePath>, ProofError> {
    grown(old, new)?;
    let asked = Reader::default();
    if old > 0 {
        drop(prove_tree(new, old, &TileHashReader::new(new, Hash::default(), &asked)));
    }
    Ok(asked.asked.into_inner())
}

/// The proof that the tree has grown from one of `old` entries.
///
/// # Errors
/// When the new tree is smaller than the old one, or the tiles are not those of the tree.
pub fn prove_consistency(
    old: u64,
    head: TreeHead,
    tiles: &Tiles,
) -> Result<Vec<Digest>, ProofError> {
    grown(old, head.size)?;
    if old == 0 {
        return Ok(Vec::new());
    }
    let reader = Reader { tiles: Some(tiles), ..Reader::default() };
    let hashes = TileHashReader::new(head.size, Hash(head.root), &reader);
    let path = prove_tree(head.size, old, &hashes).map_err(|_error| reader.why())?;
    Ok(digests(&path))
}

/// Reads from the tiles that there are, or notes which ones are asked for.
#[derive(Default)]
struct Reader<'a> {
    tiles: Option<&'a Tiles>,
    asked: RefCell<Vec<TilePath>>,
    missing: Cell<Option<TilePath>>,
}

impl Reader<'_> {
    fn why(&self) -> ProofError {
        self.missing.get().map_or(ProofError::WrongTiles, ProofError::MissingTile)
    }
}

impl TileReader for Reader<'_> {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, Error> {
        let paths: Option<Vec<TilePath>> = tiles.iter().map(path_of).collect();
        let paths = paths.ok_or(Error::BadMath)?;
        let Some(tiles) = self.tiles else {
            self.asked.replace(paths);
            return Err(Error::InvalidTile);
        };
        paths
            .into_iter()
            .map(|path| {
                let bytes = tiles.get(&path).cloned();
                bytes.ok_or_else(|| {
                    self.missing.set(Some(path));
                    Error::InvalidTile
                })
            })
            .collect()
    }

    fn save_tiles(&self, _tiles: &[Tile], _bytes: &[Vec<u8>]) {}
}

fn path_of(tile: &Tile) -> Option<TilePath> {
    let width = usize::try_from(tile.width()).ok().filter(|&width| width <= TILE_WIDTH)?;
    TilePath::new(TileKind::Level(tile.level()), tile.level_index(), width)
}

fn digests(path: &[Hash]) -> Vec<Digest> {
    path.iter().map(|hash| hash.0).collect()
}
