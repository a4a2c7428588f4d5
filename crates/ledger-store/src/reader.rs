//! Reads a ledger as anybody can: its checkpoint, its entries, and proofs of them.
//!
//! Entries that are read here are those that the files have. That they are the ledger's is shown by a proof, or
//! by `verify`.

use crate::place::{Place, ReadError};
use ledger_model::{
    Digest, Inclusion, SignedCheckpoint, TILE_WIDTH, TileKind, TilePath, Tiles, TreeHead,
    prove_consistency, prove_inclusion, split_entries, tiles_for_consistency, tiles_for_inclusion,
};

/// Reads a ledger.
#[derive(Debug, Clone)]
pub struct LedgerReader {
    place: Place,
}

impl LedgerReader {
    #[must_use]
    pub fn new(place: Place) -> Self {
        Self { place }
    }

    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The published checkpoint, whose signatures nobody has looked at; nothing when there is none.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn checkpoint(&self) -> Result<Option<SignedCheckpoint>, ReadError> {
        self.note("checkpoint").await
    }

    /// The last checkpoint that witnesses have signed.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn cosigned(&self) -> Result<Option<SignedCheckpoint>, ReadError> {
        self.note(COSIGNED).await
    }

    async fn note(&self, name: &str) -> Result<Option<SignedCheckpoint>, ReadError> {
        let Some(bytes) = self.place.read(name).await? else { return Ok(None) };
        let place = || self.place.to_string();
        let read = SignedCheckpoint::parse(&bytes);
        read.map(Some).map_err(|source| ReadError::Checkpoint { place: place(), source })
    }

    /// The entries of one file of a ledger of `size` entries: up to 256, of which the first has the index
    /// `256 * file`.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn entries(&self, file: u64, size: u64) -> Result<Vec<Vec<u8>>, ReadError> {
        let Some(path) = TilePath::of_tree(TileKind::Entries, file, size) else {
            return Ok(Vec::new());
        };
        let bytes = self.tile(path).await?;
        let entries = split_entries(&bytes, path.width())
            .map_err(|source| self.place.tile_error(&path.to_string(), source))?;
        Ok(entries.into_iter().map(<[u8]>::to_vec).collect())
    }

    /// One entry of a ledger of `size` entries; nothing when it has no such one.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn entry(&self, index: u64, size: u64) -> Result<Option<Vec<u8>>, ReadError> {
        let width = TILE_WIDTH as u64;
        let entries = self.entries(index / width, size).await?;
        let within = usize::try_from(index % width).unwrap_or_default();
        Ok(entries.into_iter().nth(within).filter(|_entry| index < size))
    }

    /// The proof that an entry is in the tree of a checkpoint.
    ///
    /// # Errors
    /// When there is no such entry, or its tiles cannot be read.
    pub async fn prove_inclusion(
        &self,
        index: u64,
        head: TreeHead,
    ) -> Result<Inclusion, ReadError> {
        let tiles = self.tiles(tiles_for_inclusion(head.size, index)?).await?;
        Ok(prove_inclusion(head, index, &tiles)?)
    }

    /// The proof that the tree of a checkpoint has grown from one of `old` entries.
    ///
    /// # Errors
    /// When it is smaller, or its tiles cannot be read.
    pub async fn prove_consistency(
        &self,
        old: u64,
        head: TreeHead,
    ) -> Result<Vec<Digest>, ReadError> {
        let tiles = self.tiles(tiles_for_consistency(old, head.size)?).await?;
        Ok(prove_consistency(old, head, &tiles)?)
    }

    async fn tiles(&self, paths: Vec<TilePath>) -> Result<Tiles, ReadError> {
        let mut tiles = Tiles::new();
        for path in paths {
            tiles.insert(path, self.tile(path).await?);
        }
        Ok(tiles)
    }

    /// A tile of just this width. A partial one may be gone since the ledger grew; the full one begins with it.
    ///
    /// # Errors
    /// When neither is there, or one is not long enough.
    pub async fn tile(&self, path: TilePath) -> Result<Vec<u8>, ReadError> {
        let name = path.to_string();
        if let Some(bytes) = self.place.read(&name).await? {
            return Ok(bytes);
        }
        let full = self.place.read(&path.full().to_string()).await?;
        let full = full.ok_or_else(|| self.place.missing(&name))?;
        path.cut(&full).map_err(|source| self.place.tile_error(&name, source))
    }
}

/// The name of the checkpoint with the witnesses' signatures. They come later than entries do, so it is an older
/// one than `checkpoint` most of the time.
pub(crate) const COSIGNED: &str = "checkpoint-cosigned";
