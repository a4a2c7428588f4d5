//! Brings what is in the journal into tiles, where others read it.
//!
//! Nobody waits for it: entries are durable before. It works behind the writer, on a thread of its own, and the
//! order in which it makes files is the order in which others may believe them: entries and tiles, then the
//! checkpoint, then what is in the way of nobody any more is removed.

use crate::disk::{Disk, SyncPoint};
use crate::journal::segment_path;
use crate::layout::Layout;
use crate::ledger::{AppendError, Failure, Progress};
use ledger_model::{Digest, TILE_WIDTH, TileBuilder, TileFile, TilePath, split_entries};
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};
use tokio::sync::{oneshot, watch};

/// So many bytes of full tiles are not kept in memory any longer.
const FULL_BYTES: usize = 8 << 20;

/// So many files are cheaper synced with all the disk has than one by one.
const MANY_FILES: usize = 12;

/// What the writer sends.
#[derive(Debug)]
pub(crate) enum Work {
    Batch(Batch),
    Flush(oneshot::Sender<Result<(), AppendError>>),
}

/// A commit, as it is in the journal.
#[derive(Debug)]
pub(crate) struct Batch {
    pub bundle: Vec<u8>,
    pub leaves: Vec<Digest>,
    pub checkpoint: Arc<[u8]>,
    /// The segment of the journal that it is in.
    pub segment: u64,
}

#[derive(Debug)]
pub(crate) struct Publisher {
    disk: Disk,
    layout: Layout,
    tiles: TileBuilder,
    /// What was added last, when it is not published yet.
    pending: Option<Arc<[u8]>>,
    full: Vec<TileFile>,
    full_bytes: usize,
    /// The partial files that are on disk already.
    partial: BTreeSet<TilePath>,
    folders: BTreeSet<PathBuf>,
    /// Segments of the journal that are not removed, the one that is written last.
    segments: Vec<u64>,
}

impl Publisher {
    pub(crate) fn new(disk: Disk, layout: Layout, tiles: TileBuilder) -> Self {
        let partial = tiles.partial().into_iter().map(|file| file.path).collect();
        Self {
            disk,
            layout,
            tiles,
            pending: None,
            full: Vec::new(),
            full_bytes: 0,
            partial,
            folders: BTreeSet::new(),
            segments: Vec::new(),
        }
    }

    pub(crate) fn tiles(&self) -> &TileBuilder {
        &self.tiles
    }

    /// Takes a commit. It is published by [`Self::publish`].
    pub(crate) fn add(&mut self, batch: &Batch) -> io::Result<()> {
        let invalid = |error| io::Error::new(io::ErrorKind::InvalidData, error);
        let entries = split_entries(&batch.bundle, batch.leaves.len()).map_err(invalid)?;
        for (entry, leaf) in entries.into_iter().zip(&batch.leaves) {
            self.tiles.push_hashed(entry, *leaf).map_err(invalid)?;
        }
        let full = self.tiles.take_full();
        self.full_bytes += full.iter().map(|file| file.bytes.len()).sum::<usize>();
        self.full.extend(full);
        self.pending = Some(Arc::clone(&batch.checkpoint));
        if self.segments.last() != Some(&batch.segment) {
            self.segments.push(batch.segment);
        }
        Ok(())
    }

    /// Makes all that was added readable for others.
    pub(crate) fn publish(&mut self) -> io::Result<()> {
        let Some(checkpoint) = self.pending.take() else { return Ok(()) };
        let full = std::mem::take(&mut self.full);
        self.full_bytes = 0;
        let partial = self.tiles.partial();
        let new = partial.iter().filter(|file| !self.partial.contains(&file.path));
        let files: Vec<&TileFile> = full.iter().chain(new).collect();
        self.write_files(&files)?;
        self.replace_checkpoint(&checkpoint)?;
        self.partial = partial.into_iter().map(|file| file.path).collect();
        self.remove_what_was_replaced(&full)
    }

    /// Writes files, and returns when they and their names are on the disk.
    fn write_files(&mut self, files: &[&TileFile]) -> io::Result<()> {
        let mut touched = BTreeSet::new();
        let many = files.len() >= MANY_FILES;
        let since = SyncPoint::new(self.layout.root())?;
        for file in files {
            let path = self.layout.tile(&file.path);
            if let Some(folder) = path.parent() {
                self.create_folders(folder, &mut touched)?;
                touched.insert(folder.to_owned());
            }
            let written = self.disk.write_unsynced(&path, &file.bytes)?;
            if !many {
                self.disk.sync(&written)?;
            }
        }
        if many {
            return self.disk.sync_disk(&since);
        }
        touched.iter().try_for_each(|folder| self.disk.sync_folder(folder))
    }

    /// Puts a checkpoint in the place of the one before, as a whole.
    fn replace_checkpoint(&self, checkpoint: &[u8]) -> io::Result<()> {
        let new = self.layout.new_checkpoint();
        self.disk.write_file(&new, checkpoint)?;
        self.disk.rename(&new, &self.layout.checkpoint())?;
        self.disk.sync_folder(self.layout.root())
    }

    fn create_folders(&mut self, folder: &Path, touched: &mut BTreeSet<PathBuf>) -> io::Result<()> {
        if folder == self.layout.root() || self.folders.contains(folder) {
            return Ok(());
        }
        if let Some(parent) = folder.parent() {
            self.create_folders(parent, touched)?;
            touched.insert(parent.to_owned());
        }
        self.disk.create_folder(folder)?;
        self.folders.insert(folder.to_owned());
        Ok(())
    }

    /// Partial files whose full one is there, and segments of the journal whose entries are all published.
    fn remove_what_was_replaced(&mut self, full: &[TileFile]) -> io::Result<()> {
        for file in full {
            let partial = TilePath::new(file.path.kind(), file.path.index(), TILE_WIDTH - 1);
            let path = partial.map(|path| self.layout.tile(&path));
            if let Some(folder) =
                path.as_deref().and_then(Path::parent).filter(|path| path.is_dir())
            {
                self.disk.remove(folder)?;
                self.folders.remove(folder);
            }
        }
        let last = self.segments.pop();
        for segment in self.segments.drain(..) {
            self.disk.remove(&segment_path(&self.layout.own(), segment))?;
        }
        self.segments.extend(last);
        Ok(())
    }

    /// Publishes what the writer sends, at most `patience` after it was sent, until the writer is gone.
    pub(crate) fn run(
        mut self,
        work: &Receiver<Work>,
        progress: &watch::Sender<Progress>,
        patience: Duration,
    ) {
        let mut since: Option<Instant> = None;
        loop {
            let wait = since.map_or(Duration::from_secs(3600), |since| {
                patience.saturating_sub(since.elapsed())
            });
            let received = work.recv_timeout(wait);
            let failed = progress.borrow().failed.clone();
            let (reply, done) = match received {
                Ok(Work::Batch(batch)) => {
                    since = since.or_else(|| Some(Instant::now()));
                    if failed.is_none() {
                        report(self.add(&batch), "gathering entries into tiles", progress);
                    }
                    if self.full_bytes < FULL_BYTES {
                        continue;
                    }
                    (None, false)
                }
                Ok(Work::Flush(reply)) => (Some(reply), false),
                Err(RecvTimeoutError::Timeout) => (None, false),
                Err(RecvTimeoutError::Disconnected) => (None, true),
            };
            since = None;
            if progress.borrow().failed.is_none() {
                self.publish_and_report(progress);
            }
            if let Some(reply) = reply {
                let failed = progress.borrow().failed.clone();
                // Who asked may have gone away.
                drop(
                    reply.send(failed.map_or(Ok(()), |failure| Err(AppendError::Failed(failure)))),
                );
            }
            if done {
                return;
            }
        }
    }

    fn publish_and_report(&mut self, progress: &watch::Sender<Progress>) {
        let published = self.publish();
        let size = self.tiles.size();
        if report(published, "publishing entries", progress) {
            progress.send_modify(|progress| progress.published = size);
        }
    }
}

/// Says in `progress` that something failed, and whether nothing did.
fn report(done: io::Result<()>, during: &str, progress: &watch::Sender<Progress>) -> bool {
    match done {
        Ok(()) => true,
        Err(error) => {
            progress.send_modify(|progress| {
                progress.failed.get_or_insert_with(|| Failure::new(during, &error));
            });
            false
        }
    }
}
