//! Publishes a ledger to object storage: entries and tiles first, the checkpoint when they are all there.
//!
//! Whoever reads the copy sees the old checkpoint or the new one, and what either needs. A run that is broken off
//! is gone on with by the next one, which finds by their lengths what is there already; that it is right is for
//! `weir ledger verify` to see, of the copy as of any ledger.

use crate::place::{Place, ReadError, below};
use crate::reader::{COSIGNED, LedgerReader};
use futures_util::{StreamExt as _, TryStreamExt as _};
use ledger_model::{
    ProofError, SignedCheckpoint, TILE_WIDTH, TileKind, TilePath, TreeHead, check_consistency,
};
use object_store::path::Path as ObjectPath;
use object_store::{Attribute, Attributes, ObjectStore, PutOptions, PutPayload};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// So many files are on their way at once.
const TOGETHER: usize = 8;

/// From where to where.
#[derive(Debug, Clone)]
pub struct MirrorOptions {
    /// The ledger's folder.
    pub folder: PathBuf,
    pub store: Arc<dyn ObjectStore>,
    pub prefix: ObjectPath,
    /// Only what enough witnesses have signed; otherwise all that the ledger itself signed.
    pub cosigned_only: bool,
}

/// What a run did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Mirrored {
    /// How many entries the copy had, and has now.
    pub from: u64,
    pub to: u64,
    /// Files that were written, the checkpoint among them.
    pub files: u64,
}

/// How the copy stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MirrorState {
    pub entries: u64,
    pub trouble: Option<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum MirrorError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("could not write {name}")]
    Write { name: String, source: object_store::Error },
    #[error(
        "the copy has {copy} entries and the ledger {ledger}: the ledger is an older state, or the copy another's"
    )]
    RolledBack { copy: u64, ledger: u64 },
    #[error("the copy's {size} entries are not the first ones of the ledger")]
    Forked { size: u64, source: ProofError },
    #[error("the copy is of `{copy}`, and the ledger is `{ledger}`")]
    OtherLedger { copy: String, ledger: String },
}

/// Publishes a ledger.
#[derive(Debug)]
pub struct Mirror {
    options: MirrorOptions,
    local: LedgerReader,
    remote: LedgerReader,
}

impl Mirror {
    #[must_use]
    pub fn new(options: MirrorOptions) -> Self {
        let MirrorOptions { folder, store, prefix, .. } = &options;
        let remote = Place::Objects { store: Arc::clone(store), prefix: prefix.clone() };
        Self {
            local: LedgerReader::new(Place::Folder(folder.clone())),
            remote: LedgerReader::new(remote),
            options,
        }
    }

    /// Publishes again and again, for as long as it is polled, and tells how that goes.
    pub async fn run(self, every: Duration, told: watch::Sender<MirrorState>) {
        loop {
            match self.round().await {
                Ok(done) => {
                    drop(told.send_replace(MirrorState { entries: done.to, trouble: None }))
                }
                Err(error) => told.send_modify(|state| state.trouble = Some(chain(&error))),
            }
            tokio::time::sleep(every).await;
        }
    }

    /// Brings the copy to where the ledger is.
    ///
    /// # Errors
    /// When either cannot be read or written, or the ledger has not grown from the copy.
    pub async fn round(&self) -> Result<Mirrored, MirrorError> {
        let cosigned = self.local.cosigned().await?;
        let checkpoint = match (self.options.cosigned_only, &cosigned) {
            (true, _) => cosigned.as_ref().map(SignedCheckpoint::to_bytes),
            (false, _) => self.local.checkpoint().await?.map(|signed| signed.to_bytes()),
        };
        let Some(bytes) = checkpoint else { return Ok(Mirrored::default()) };
        let parsed = SignedCheckpoint::parse(&bytes);
        let checkpoint = parsed.map_err(|source| ReadError::Checkpoint {
            place: self.local.place().to_string(),
            source,
        })?;
        let before = self.remote.checkpoint().await?;
        let from = before.as_ref().map_or(0, |before| before.head().size);
        self.check_growth(before.as_ref(), &checkpoint).await?;
        let mut done = Mirrored { from, to: checkpoint.head().size, files: 0 };
        if checkpoint.head().size > from {
            done.files += self.put_tiles(from, checkpoint.head()).await?;
        }
        if before.is_none_or(|before| before.to_bytes() != bytes) {
            self.put("checkpoint", bytes).await?;
            done.files += 1;
        }
        let signed_too = cosigned.filter(|signed| signed.head().size <= checkpoint.head().size);
        if let Some(bytes) = signed_too.map(|signed| signed.to_bytes())
            && self.remote.place().read(COSIGNED).await?.is_none_or(|before| before != bytes)
        {
            self.put(COSIGNED, bytes).await?;
            done.files += 1;
        }
        Ok(done)
    }

    async fn check_growth(
        &self,
        before: Option<&SignedCheckpoint>,
        now: &SignedCheckpoint,
    ) -> Result<(), MirrorError> {
        let Some(before) = before else { return Ok(()) };
        let (old, new) = (before.checkpoint(), now.checkpoint());
        if old.origin != new.origin {
            let (copy, ledger) = (old.origin.clone(), new.origin.clone());
            return Err(MirrorError::OtherLedger { copy, ledger });
        }
        let (copy, ledger) = (old.head.size, new.head.size);
        if copy > ledger {
            return Err(MirrorError::RolledBack { copy, ledger });
        }
        let path = self.local.prove_consistency(copy, new.head).await?;
        check_consistency(old.head, new.head, &path)
            .map_err(|source| MirrorError::Forked { size: copy, source })
    }

    /// Writes all files that the ledger has and the copy of `from` entries has not.
    async fn put_tiles(&self, from: u64, head: TreeHead) -> Result<u64, MirrorError> {
        let lengths = if from == 0 || head.size - from > 512 {
            self.lengths().await?
        } else {
            BTreeMap::new()
        };
        let writes = new_files(from, head.size).into_iter().map(|path| {
            let there = lengths.get(&path.to_string()).copied();
            self.put_tile(path, there)
        });
        let written: Vec<bool> =
            futures_util::stream::iter(writes).buffer_unordered(TOGETHER).try_collect().await?;
        Ok(written.into_iter().filter(|written| *written).count() as u64)
    }

    /// Writes a file, unless it is there with the same length; whether it was written.
    async fn put_tile(&self, path: TilePath, there: Option<u64>) -> Result<bool, MirrorError> {
        let bytes = self.local.tile(path).await?;
        if there == Some(bytes.len() as u64) {
            return Ok(false);
        }
        self.put(&path.to_string(), bytes).await?;
        Ok(true)
    }

    /// The lengths of the copy's files, by name.
    async fn lengths(&self) -> Result<BTreeMap<String, u64>, MirrorError> {
        let MirrorOptions { store, prefix, .. } = &self.options;
        let objects: Result<Vec<_>, _> = store.list(Some(prefix)).try_collect().await;
        let objects = objects.map_err(|source| ReadError::Objects {
            place: self.remote.place().to_string(),
            name: "the list of files".to_owned(),
            source,
        })?;
        let name = |path: &ObjectPath| {
            let parts: Vec<_> = path.prefix_match(prefix)?.collect();
            Some(parts.iter().map(AsRef::as_ref).collect::<Vec<&str>>().join("/"))
        };
        Ok(objects
            .iter()
            .filter_map(|object| Some((name(&object.location)?, object.size)))
            .collect())
    }

    async fn put(&self, name: &str, bytes: Vec<u8>) -> Result<(), MirrorError> {
        let MirrorOptions { store, prefix, .. } = &self.options;
        let is_text = !name.starts_with("tile/");
        let kind = if is_text { "text/plain; charset=utf-8" } else { "application/octet-stream" };
        let attributes = Attributes::from_iter([(Attribute::ContentType, kind)]);
        let options = PutOptions { attributes, ..PutOptions::default() };
        let written = store.put_opts(&below(prefix, name), PutPayload::from(bytes), options).await;
        written.map(drop).map_err(|source| MirrorError::Write { name: name.to_owned(), source })
    }
}

/// The files of a tree of `to` entries that one of `from` entries does not have.
fn new_files(from: u64, to: u64) -> Vec<TilePath> {
    let mut files = Vec::new();
    let kinds = std::iter::once(TileKind::Entries).chain((0..7).map(TileKind::Level));
    for kind in kinds {
        let level = match kind {
            TileKind::Entries => 0,
            TileKind::Level(level) => u32::from(level),
        };
        let (before, now) = (from >> (8 * level), to >> (8 * level));
        if before == now {
            continue;
        }
        let width = TILE_WIDTH as u64;
        let tiles = before / width..now.div_ceil(width);
        files.extend(tiles.filter_map(|index| TilePath::of_tree(kind, index, to)));
    }
    files
}

/// An error and what caused it.
fn chain(error: &dyn std::error::Error) -> String {
    let sources = std::iter::successors(Some(error), |error| error.source());
    sources.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use ledger_model::TileBuilder;

    /// What is new is what the tree has now and did not have before.
    #[test]
    fn new_files_are_those_that_were_not_there() {
        let (mut builder, mut trees) = (TileBuilder::default(), Vec::new());
        let mut full: Vec<TilePath> = Vec::new();
        for size in 0..=1100_u64 {
            let partial = builder.partial().into_iter().map(|file| file.path);
            trees.push(full.iter().copied().chain(partial).collect::<Vec<_>>());
            builder.push(&size.to_be_bytes()).unwrap();
            full.extend(builder.take_full().into_iter().map(|file| file.path));
        }
        for (from, to) in
            [(0, 1), (0, 1100), (1, 2), (255, 256), (256, 257), (300, 300), (500, 1030)]
        {
            let mut expected: Vec<TilePath> = trees[to].clone();
            expected.retain(|path| !trees[from].contains(path));
            expected.sort();
            let mut found = new_files(from as u64, to as u64);
            found.sort();
            assert_eq!(found, expected, "from {from} to {to}");
        }
    }
}
