//! Opens a ledger, and brings in order what a crash left.
//!
//! The checkpoint is where others are; the journal may be further. Its records are believed only as far as their
//! checksums, their place in the tree and their signed checkpoints agree. What is in it is then published, into
//! files that are written now: after a sync that failed, what can be read need not be what is on the disk.

use crate::disk::Disk;
use crate::entry_json::source_of;
use crate::journal::{End, Journal, Record, scan, segment_number, segment_path};
use crate::layout::Layout;
use crate::ledger::{AppendError, LedgerOptions, Progress};
use crate::publisher::{Batch, Publisher};
use crate::queue::Queue;
use crate::writer::Writer;
use ledger_model::{
    CheckpointError, Digest, Fact, Frontier, MAX_TILE_BYTES, SignedCheckpoint, TILE_WIDTH,
    TileBuilder, TileError, TileKind, TilePath, TreeHead, VerifierKey, leaf_hash, split_entries,
    split_hashes,
};
use std::fs::{self, File, TryLockError};
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
    let LedgerOptions { folder, key, source, version, heartbeat, publish_after, disk, clock } =
        options;
    let layout = Layout::new(&folder);
    let lock = prepare(&disk, &layout)?;
    let tiles = published(&layout, key.public())?;
    let mut publisher = Publisher::new(disk.clone(), layout.clone(), tiles);
    let recovered = replay(&layout, &mut publisher, key.public())?;
    publisher.publish().map_err(OpenError::Publish)?;
    let frontier = publisher.tiles().frontier();
    let journal = fresh_journal(&disk, &layout, frontier.size())?;
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
    let ahead = move || {
        writer.run();
        // The publisher ends when nothing more can come. What it had to say is in `progress`.
        if let Err(_panicked) = behind.join() {}
        drop(lock);
    };
    let thread = std::thread::Builder::new().name("ledger-writer".into()).spawn(ahead);
    Ok((thread.map_err(OpenError::Threads)?, watching, recovered))
}

/// Makes the folders and locks the ledger for as long as the file is open.
fn prepare(disk: &Disk, layout: &Layout) -> Result<File, OpenError> {
    let error = |source| OpenError::Folder { folder: layout.root().to_owned(), source };
    let made = !layout.own().is_dir();
    fs::create_dir_all(layout.root()).map_err(error)?;
    disk.create_folder(&layout.own()).map_err(error)?;
    let lock = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(layout.lock())
        .map_err(error)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(OpenError::InUse(layout.root().to_owned())),
        Err(TryLockError::Error(source)) => return Err(error(source)),
    }
    if made {
        disk.sync_folder(&layout.own()).map_err(error)?;
        disk.sync_folder(layout.root()).map_err(error)?;
        let parent = layout.root().parent().filter(|parent| parent.is_dir());
        parent.map_or(Ok(()), |parent| disk.sync_folder(parent)).map_err(error)?;
    }
    Ok(lock)
}

/// The right edge of the tree that the checkpoint names.
fn published(layout: &Layout, key: &VerifierKey) -> Result<TileBuilder, OpenError> {
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
    let head = signed_head(&bytes, key).map_err(|source| OpenError::Checkpoint { path, source })?;
    let tiles = read_edge(layout, head.size)?;
    let adds_up = tiles.as_ref().is_some_and(|tiles| tiles.frontier().head() == head);
    tiles.filter(|_tiles| adds_up).ok_or_else(|| OpenError::Edge(layout.root().to_owned()))
}

/// What a checkpoint commits to, if this key signed it for its own ledger.
fn signed_head(bytes: &[u8], key: &VerifierKey) -> Result<TreeHead, CheckpointError> {
    let signed = SignedCheckpoint::parse(bytes)?;
    signed.signed_by(key)?;
    let origin = &signed.checkpoint().origin;
    if origin != key.name() {
        return Err(CheckpointError::OtherOrigin {
            found: origin.clone(),
            expected: key.name().to_owned(),
        });
    }
    Ok(signed.head())
}

fn read_edge(layout: &Layout, size: u64) -> Result<Option<TileBuilder>, OpenError> {
    let mut levels: Vec<Vec<Digest>> = Vec::new();
    let mut hashes = size;
    for level in 0_u8..7 {
        if hashes == 0 {
            break;
        }
        let read = read_partial(layout, TileKind::Level(level), hashes)?;
        let width = width(hashes);
        let tile = read.get(..width * 32).unwrap_or(&read);
        let kind = TileKind::Level(level);
        levels.push(split_hashes(tile, width).map_err(|source| tile_error(layout, kind, source))?);
        hashes /= TILE_WIDTH as u64;
    }
    let read = read_partial(layout, TileKind::Entries, size)?;
    let bundle = first_entries(&read, width(size))
        .map_err(|source| tile_error(layout, TileKind::Entries, source))?;
    Ok(TileBuilder::resume(size, levels, bundle))
}

fn width(hashes: u64) -> usize {
    usize::try_from(hashes % TILE_WIDTH as u64).unwrap_or_default()
}

fn tile_error(layout: &Layout, kind: TileKind, source: TileError) -> OpenError {
    let folder = match kind {
        TileKind::Entries => "tile/entries".to_owned(),
        TileKind::Level(level) => format!("tile/{level}"),
    };
    OpenError::Tile { path: layout.root().join(folder), source }
}

/// The partial file at the edge, or the full one that was made already when the checkpoint was not.
fn read_partial(layout: &Layout, kind: TileKind, hashes: u64) -> Result<Vec<u8>, OpenError> {
    let index = hashes / TILE_WIDTH as u64;
    let Some(partial) = TilePath::new(kind, index, width(hashes)) else { return Ok(Vec::new()) };
    let path = layout.tile(&partial);
    if let Some(bytes) = read_file(&path)? {
        return Ok(bytes);
    }
    let missing = || OpenError::Read { path, source: io::ErrorKind::NotFound.into() };
    read_file(&layout.tile(&partial.full()))?.ok_or_else(missing)
}

/// The first `count` entries of a file that may have more.
fn first_entries(bundle: &[u8], count: usize) -> Result<Vec<u8>, TileError> {
    let mut end = 0;
    for entry in 0..count {
        let cut = TileError::CutOff(entry);
        let Some(length) = bundle.get(end..).and_then(|rest| rest.first_chunk::<2>()) else {
            return Err(cut);
        };
        end += 2 + usize::from(u16::from_be_bytes(*length));
        if end > bundle.len() {
            return Err(cut);
        }
    }
    Ok(bundle.get(..end).unwrap_or_default().to_vec())
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
    key: &VerifierKey,
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
            let batch = checked(record, &mut frontier, key, (&path, segment))?;
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
    key: &VerifierKey,
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
    let head = signed_head(record.checkpoint, key)
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
fn fresh_journal(disk: &Disk, layout: &Layout, size: u64) -> Result<Journal, OpenError> {
    let old = segments(layout)?;
    let journal = Journal::create(disk, &layout.own(), size).map_err(OpenError::Journal)?;
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
