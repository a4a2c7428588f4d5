//! Opens a ledger, and brings in order what a crash left.
//!
//! The checkpoint is where others are; the journal may be further. Its records are believed only as far as their
//! checksums, their place in the tree and their signed checkpoints agree. What is in it is then published, into
//! files that are written now: after a sync that failed, what can be read need not be what is on the disk.

use crate::disk::Disk;
use crate::entry_json::{decode_entry, source_of};
use crate::journal::{End, Journal, Record, scan, segment_number, segment_path};
use crate::layout::Layout;
use crate::ledger::{AppendError, LedgerOptions, Progress};
use crate::publisher::{Batch, Publisher};
use crate::queue::Queue;
use crate::writer::Writer;
use folder_lock::FolderLock;
use ledger_model::{
    CheckpointError, Digest, Entry, Fact, Frontier, KeyHistory, MAX_TILE_BYTES, RotationError,
    SignedCheckpoint, TILE_WIDTH, TileBuilder, TileError, TileKind, TilePath, TreeHead,
    VerifierKey, leaf_hash, split_entries, split_hashes,
};
use memchr::memmem;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;
use tokio::sync::watch;

/// So many commits wait for the publisher; then writers wait.
const PUBLISHER_QUEUE: usize = 32;

/// What opening a ledger had to bring in order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Acknowledged entries that were in the journal only.
    pub entries: u64,
    /// A commit that was not finished, and acknowledged to nobody, was left out.
    pub unfinished: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("could not prepare the ledger's folder {folder}")]
    Folder { folder: PathBuf, source: io::Error },
    #[error("the ledger in {0} is in use: one process writes a ledger at a time")]
    InUse(PathBuf),
    #[error("could not read {path}")]
    Read { path: PathBuf, source: io::Error },
    #[error("the checkpoint in {path} cannot be gone on from")]
    Checkpoint { path: PathBuf, source: CheckpointError },
    #[error("{0} has tiles and no checkpoint: restore the checkpoint, or use another folder")]
    NoCheckpoint(PathBuf),
    #[error("{path} is not what its checkpoint needs")]
    Tile { path: PathBuf, source: TileError },
    #[error(
        "the tiles in {0} do not add up to their checkpoint: run `weir ledger verify` on it, and restore what it names"
    )]
    Edge(PathBuf),
    #[error(
        "{path} is damaged at byte {at}, which no crash does; entries that were acknowledged may be there: keep a \
         copy, and restore it, or remove it to go on without them"
    )]
    Damaged { path: PathBuf, at: usize },
    #[error("{path} goes on at entry {found} of the ledger, and entry {expected} is nowhere")]
    Gap { path: PathBuf, expected: u64, found: u64 },
    #[error("a record in {path} does not have the checkpoint of its entries")]
    Record { path: PathBuf, source: CheckpointError },
    #[error("a record in {path} has a checkpoint of other entries")]
    OtherTree { path: PathBuf },
    #[error("the ledger's key was changed to {0}: open it with that one")]
    OldKey(String),
    #[error("entry {index} names a new key of the ledger, which cannot be gone on with")]
    KeyChange { index: u64, source: RotationError },
    #[error("could not publish what the journal had")]
    Publish(#[source] io::Error),
    #[error("could not begin a new journal")]
    Journal(#[source] io::Error),
    #[error("could not write the first entry")]
    First(#[source] AppendError),
    #[error("could not start the ledger's threads")]
    Threads(#[source] io::Error),
}

type Opened = (JoinHandle<()>, watch::Receiver<Progress>, Recovered);

/// Opens a ledger and starts what writes it.
pub(crate) fn open(options: LedgerOptions, queue: Arc<Queue>) -> Result<Opened, OpenError> {
    let LedgerOptions { folder, key, source, version, segment_bytes, disk, .. } = options;
    let (heartbeat, publish_after, clock) =
        (options.heartbeat, options.publish_after, options.clock);
    let layout = Layout::new(&folder);
    let lock = prepare(&disk, &layout)?;
    let keys = Keys { own: key.public(), history: changes_of_key(&layout)? };
    let tiles = published(&layout, &keys)?;
    let mut publisher = Publisher::new(disk.clone(), layout.clone(), tiles);
    let recovered = replay(&layout, &mut publisher, &keys)?;
    keys.check_own(publisher.tiles().size())?;
    publisher.publish().map_err(OpenError::Publish)?;
    let frontier = publisher.tiles().frontier();
    let journal = fresh_journal(&disk, &layout, frontier.size(), segment_bytes)?;
    let sequence = next_sequence(&layout, publisher.tiles(), &source)?;
    let progress =
        Progress { committed: frontier.head(), published: frontier.size(), failed: None };
    let (progress, watching) = watch::channel(progress);
    let progress = Arc::new(progress);
    let (sender, receiver) = sync_channel(PUBLISHER_QUEUE);
    let mut writer = Writer {
        queue,
        disk,
        layout,
        journal,
        segment_bytes,
        key,
        source,
        sequence,
        frontier,
        clock,
        heartbeat,
        progress: Arc::clone(&progress),
        publisher: sender,
    };
    writer.commit_now(&Fact::SourceStarted { version }).map_err(OpenError::First)?;
    let behind = std::thread::Builder::new()
        .name("ledger-publisher".into())
        .spawn(move || publisher.run(&receiver, &progress, publish_after))
        .map_err(OpenError::Threads)?;
    let (disk, own, ended) = (writer.disk.clone(), writer.layout.own(), watching.clone());
    let ahead = move || {
        let last = writer.run();
        // The publisher ends when nothing more can come. What it had to say is in `progress`.
        if let Err(_panicked) = behind.join() {}
        let Progress { committed, published, failed } = ended.borrow().clone();
        if failed.is_none() && published == committed.size {
            // All that it had is published. Left behind, it would be read once more and found to have nothing new.
            if let Err(_left_behind) = disk.remove(&segment_path(&own, last)) {}
        }
        drop(lock);
    };
    let thread = std::thread::Builder::new().name("ledger-writer".into()).spawn(ahead);
    Ok((thread.map_err(OpenError::Threads)?, watching, recovered))
}

/// Who signed what is there.
///
/// A crash may have come between the entry that names a new key, which is in the journal, and the checkpoint
/// that covers it: what is published is the old key's then. The statement in the entry is believed because the
/// ledger's own key signed it, too.
struct Keys<'a> {
    own: &'a VerifierKey,
    history: KeyHistory,
}

impl Keys<'_> {
    /// What a checkpoint commits to, if the key that was in force signed it for its own ledger.
    fn signed_head(&self, bytes: &[u8]) -> Result<TreeHead, CheckpointError> {
        let signed = SignedCheckpoint::parse(bytes)?;
        let head = signed.head();
        signed.signed_by(self.history.at(head.size).unwrap_or(self.own))?;
        let origin = &signed.checkpoint().origin;
        if origin != self.own.name() {
            let (found, expected) = (origin.clone(), self.own.name().to_owned());
            return Err(CheckpointError::OtherOrigin { found, expected });
        }
        Ok(head)
    }

    /// The next checkpoint is signed by the key that this is opened with, so it must be the one in force.
    fn check_own(&self, size: u64) -> Result<(), OpenError> {
        match self.history.at(size) {
            Some(in_force) if in_force != self.own => Err(OpenError::OldKey(in_force.short())),
            Some(_) | None => Ok(()),
        }
    }
}

/// The changes of the ledger's key that are in the journal.
fn changes_of_key(layout: &Layout) -> Result<KeyHistory, OpenError> {
    let mut history = KeyHistory::default();
    for segment in segments(layout)? {
        let path = segment_path(&layout.own(), segment);
        let bytes = read_file(&path)?.unwrap_or_default();
        for record in scan(segment, &bytes).records {
            let entries = split_entries(record.bundle, record.count as usize).unwrap_or_default();
            for (index, entry) in (record.first..).zip(entries) {
                let change =
                    memmem::find(entry, b"key.rotated").and_then(|_| decode_entry(entry).ok());
                if let Some(Entry { fact: Fact::KeyRotated { statement }, .. }) = change {
                    history
                        .take(&statement, index, None)
                        .map_err(|source| OpenError::KeyChange { index, source })?;
                }
            }
        }
    }
    Ok(history)
}

/// Makes the folders and locks the ledger.
fn prepare(disk: &Disk, layout: &Layout) -> Result<FolderLock, OpenError> {
    let error = |source| OpenError::Folder { folder: layout.root().to_owned(), source };
    let made = !layout.own().is_dir();
    fs::create_dir_all(layout.root()).map_err(error)?;
    disk.create_folder(&layout.own()).map_err(error)?;
    let taken = || OpenError::InUse(layout.root().to_owned());
    let lock = FolderLock::take(&layout.lock()).map_err(error)?.ok_or_else(taken)?;
    if made {
        disk.sync_folder(&layout.own()).map_err(error)?;
        disk.sync_folder(layout.root()).map_err(error)?;
        let parent = layout.root().parent().filter(|parent| parent.is_dir());
        parent.map_or(Ok(()), |parent| disk.sync_folder(parent)).map_err(error)?;
    }
    Ok(lock)
}

/// The right edge of the tree that the checkpoint names.
fn published(layout: &Layout, keys: &Keys<'_>) -> Result<TileBuilder, OpenError> {
    let path = layout.checkpoint();
    let Some(bytes) = read_file(&path)? else {
        let tiles = layout.root().join("tile");
        let begun =
            tiles.is_dir() && fs::read_dir(&tiles).is_ok_and(|mut all| all.next().is_some());
        let first_journal = segment_path(&layout.own(), 0).is_file();
        return if begun && !first_journal {
            Err(OpenError::NoCheckpoint(layout.root().to_owned()))
        } else {
            Ok(TileBuilder::default())
        };
    };
    let head = keys.signed_head(&bytes).map_err(|source| OpenError::Checkpoint { path, source })?;
    let tiles = read_edge(layout, head.size)?;
    let adds_up = tiles.as_ref().is_some_and(|tiles| tiles.frontier().head() == head);
    tiles.filter(|_tiles| adds_up).ok_or_else(|| OpenError::Edge(layout.root().to_owned()))
}

fn read_edge(layout: &Layout, size: u64) -> Result<Option<TileBuilder>, OpenError> {
    let mut levels: Vec<Vec<Digest>> = Vec::new();
    let mut hashes = size;
    for level in 0_u8..7 {
        if hashes == 0 {
            break;
        }
        let tile = read_partial(layout, TileKind::Level(level), hashes)?;
        levels.push(split_hashes(&tile, tile.len() / 32).unwrap_or_default());
        hashes /= TILE_WIDTH as u64;
    }
    let bundle = read_partial(layout, TileKind::Entries, size)?;
    Ok(TileBuilder::resume(size, levels, bundle))
}

/// The partial file at the edge, or as much of the full one that was made already when the checkpoint was not.
fn read_partial(layout: &Layout, kind: TileKind, hashes: u64) -> Result<Vec<u8>, OpenError> {
    let width = usize::try_from(hashes % TILE_WIDTH as u64).unwrap_or_default();
    let Some(partial) = TilePath::new(kind, hashes / TILE_WIDTH as u64, width) else {
        return Ok(Vec::new());
    };
    let path = layout.tile(&partial);
    if let Some(bytes) = read_file(&path)? {
        return Ok(bytes);
    }
    let full = layout.tile(&partial.full());
    let bytes = read_file(&full)?;
    let missing = || OpenError::Read { path, source: io::ErrorKind::NotFound.into() };
    let bytes = bytes.ok_or_else(missing)?;
    partial.cut(&bytes).map_err(|source| OpenError::Tile { path: full, source })
}

/// A file of a ledger; nothing when it is not there.
pub(crate) fn read_file(path: &Path) -> Result<Option<Vec<u8>>, OpenError> {
    let error = |source| OpenError::Read { path: path.to_owned(), source };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(missing) if missing.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(other) => return Err(error(other)),
    };
    let mut bytes = Vec::new();
    file.take(MAX_TILE_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(error)?;
    if bytes.len() > MAX_TILE_BYTES {
        return Err(error(io::ErrorKind::FileTooLarge.into()));
    }
    Ok(Some(bytes))
}

/// Adds to the publisher what the journal has beyond it.
fn replay(
    layout: &Layout,
    publisher: &mut Publisher,
    keys: &Keys<'_>,
) -> Result<Recovered, OpenError> {
    let segments = segments(layout)?;
    let mut recovered = Recovered::default();
    let mut frontier = publisher.tiles().frontier();
    for (at, &segment) in segments.iter().enumerate() {
        let path = segment_path(&layout.own(), segment);
        let bytes = read_file(&path)?.unwrap_or_default();
        let scan = scan(segment, &bytes);
        match scan.end {
            End::Clean => {}
            // Only what was written last can be unfinished.
            End::Unfinished { .. } if at + 1 == segments.len() => recovered.unfinished = true,
            End::Unfinished { at } | End::Damaged { at } => {
                return Err(OpenError::Damaged { path, at });
            }
        }
        for record in &scan.records {
            if record.first + u64::from(record.count) <= frontier.size() {
                continue;
            }
            let batch = checked(record, &mut frontier, keys, (&path, segment))?;
            publisher.add(&batch).map_err(OpenError::Publish)?;
            recovered.entries += batch.leaves.len() as u64;
        }
    }
    Ok(recovered)
}

/// A record of the journal whose checkpoint is that of the tree with its entries.
fn checked(
    record: &Record<'_>,
    frontier: &mut Frontier,
    keys: &Keys<'_>,
    (path, segment): (&Path, u64),
) -> Result<Batch, OpenError> {
    let path = || path.to_owned();
    // The publisher publishes whole commits.
    if record.first != frontier.size() {
        let (expected, found) = (frontier.size(), record.first);
        return Err(OpenError::Gap { path: path(), expected, found });
    }
    let entries = split_entries(record.bundle, record.count as usize)
        .map_err(|source| OpenError::Tile { path: path(), source })?;
    let leaves: Vec<Digest> = entries.into_iter().map(leaf_hash).collect();
    for leaf in &leaves {
        frontier.push(*leaf);
    }
    let head = keys
        .signed_head(record.checkpoint)
        .map_err(|source| OpenError::Record { path: path(), source })?;
    if head != frontier.head() {
        return Err(OpenError::OtherTree { path: path() });
    }
    let bundle = record.bundle.to_vec();
    Ok(Batch { bundle, leaves, checkpoint: record.checkpoint.into(), segment })
}

/// The segments of the journal, in their order.
fn segments(layout: &Layout) -> Result<Vec<u64>, OpenError> {
    let error = |source| OpenError::Read { path: layout.own(), source };
    let mut numbers = Vec::new();
    for file in fs::read_dir(layout.own()).map_err(error)? {
        let name = file.map_err(error)?.file_name();
        numbers.extend(name.to_str().and_then(segment_number));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// Begins a journal after entry `size`, when all before it is published.
fn fresh_journal(
    disk: &Disk,
    layout: &Layout,
    size: u64,
    bytes: usize,
) -> Result<Journal, OpenError> {
    let old = segments(layout)?;
    let journal = Journal::create(disk, &layout.own(), size, bytes).map_err(OpenError::Journal)?;
    for number in old.into_iter().filter(|&number| number != size) {
        let path = segment_path(&layout.own(), number);
        disk.remove(&path).map_err(OpenError::Journal)?;
    }
    Ok(journal)
}

/// The number of the next entry of a source: one more than that of its last one.
fn next_sequence(layout: &Layout, tiles: &TileBuilder, source: &str) -> Result<u64, OpenError> {
    let next_in = |bundle: &[u8], count: usize| {
        let entries = split_entries(bundle, count).unwrap_or_default();
        let mut own = entries.iter().rev().filter_map(|entry| source_of(entry));
        own.find(|(name, _)| name == source).map(|(_, sequence)| sequence.saturating_add(1))
    };
    for file in tiles.partial() {
        if file.path.kind() == TileKind::Entries
            && let Some(next) = next_in(&file.bytes, file.path.width())
        {
            return Ok(next);
        }
    }
    for index in (0..tiles.size() / TILE_WIDTH as u64).rev() {
        let Some(path) = TilePath::new(TileKind::Entries, index, TILE_WIDTH) else { continue };
        let path = layout.tile(&path);
        let Some(bytes) = read_file(&path)? else {
            return Err(OpenError::Read { path, source: io::ErrorKind::NotFound.into() });
        };
        if let Some(next) = next_in(&bytes, TILE_WIDTH) {
            return Ok(next);
        }
    }
    Ok(0)
}
