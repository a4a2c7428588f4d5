//! What a start finds: recordings that nobody ended, and that the ledger does not know to have ended.
//!
//! No key is at hand: they were wrapped for auditors, and the recorder that had them is gone. Recovery therefore reads
//! and seals without keys. It changes nothing that was written: the seal goes into a second file, which takes the
//! recording up where its last whole chunk ends. That file is there whole or not at all, so a recovery that was cut
//! short is done again with the same result.

use crate::clock::Clock;
use crate::disk::{Disk, write_whole};
use crate::files::{FileSource, Files};
use crate::layout::{self, Layout, Part};
use aws_lc_rs::digest::{Context, SHA256};
use session_record::{
    Continuation, Digest, Ending, KeylessEnd, Keys, Opening, ReadError, Reader, Scan, Seal,
    SessionId, Source, SourceError, State, Torn,
};
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::PathBuf;

/// A recording that a start found.
#[derive(Debug)]
pub struct Recovered {
    pub session: SessionId,
    pub found: Found,
}

#[derive(Debug)]
pub enum Found {
    /// Sealed, now or by its recorder, whom something kept from settling it.
    Sealed { opening: Box<Opening>, header: Digest, seal: Box<Seal>, digest: Digest, loss: Loss },
    /// There is no header: the recorder ended before the session could begin. The file is kept apart.
    NeverBegan { kept: PathBuf },
    /// It stays where it is; the next start tries again.
    Unrecovered { why: ReadError },
}

/// What may be missing at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loss {
    /// Events of at most so many milliseconds before the end were not on disk yet, as far as the recorder did not wait
    /// for them. 0 where the recording was sealed by its recorder.
    pub at_most_ms: u32,
    /// Bytes of a chunk that was being written.
    pub torn_bytes: u64,
}

pub(crate) fn recover_all(
    disk: &dyn Disk,
    layout: &Layout,
    clock: &dyn Clock,
) -> io::Result<Vec<Recovered>> {
    let mut sessions = BTreeSet::new();
    for entry in fs::read_dir(layout.open_folder())? {
        let path = entry?.path();
        match layout::parsed(&path) {
            Some((session, _)) => {
                sessions.insert(session);
            }
            // What was being written as a whole, and is not.
            None if path.extension().is_some_and(|extension| extension == "new") => {
                disk.remove(&path)?
            }
            None => {}
        }
    }
    let mut recovered = Vec::new();
    for session in sessions {
        recovered.extend(recover(disk, layout, clock, session)?);
    }
    Ok(recovered)
}

fn recover(
    disk: &dyn Disk,
    layout: &Layout,
    clock: &dyn Clock,
    session: SessionId,
) -> io::Result<Option<Recovered>> {
    let open = Files::open(layout, session);
    let Some(first) = open.recording() else { return remove_leftovers(disk, &open) };
    if let (Some(_), Some(raw)) = (open.path(Part::Packed), open.path(Part::Raw)) {
        // A packed file has its name once it is whole and durable.
        disk.remove(&raw)?;
    }
    let opening = FileSource::open(&first).map(|source| Reader::open(source, &Keys::none()))?;
    let found = match opening {
        Ok(reader) => {
            let files = Files::of_day(layout, session, reader.opening().at_ms);
            seal_files(disk, &files, clock).unwrap_or_else(|why| Found::Unrecovered { why })
        }
        Err(ReadError::Source(why)) => Found::Unrecovered { why: why.into() },
        Err(_) => Found::NeverBegan { kept: keep_apart(disk, layout, session, &first)? },
    };
    Ok(Some(Recovered { session, found }))
}

/// Wrapped keys without a recording: the recorder ended between the two.
fn remove_leftovers(disk: &dyn Disk, open: &Files) -> io::Result<Option<Recovered>> {
    if let Some(keys) = open.path(Part::Keys) {
        disk.remove(&keys)?;
    }
    Ok(None)
}

fn keep_apart(
    disk: &dyn Disk,
    layout: &Layout,
    session: SessionId,
    path: &std::path::Path,
) -> io::Result<PathBuf> {
    let folder = layout.unreadable_folder();
    disk.make_folder(&folder)?;
    let kept = layout::file(&folder, session, Part::Raw);
    disk.rename(path, &kept)?;
    disk.sync_folder(&folder)?;
    disk.sync_folder(&layout.open_folder())?;
    Ok(kept)
}

fn seal_files(disk: &dyn Disk, files: &Files, clock: &dyn Clock) -> Result<Found, ReadError> {
    let source = files.source()?.ok_or(ReadError::NotARecording)?;
    let reader = Reader::open(&source, &Keys::none())?;
    let opening = Box::new(reader.opening().clone());
    let header = reader.header_digest();
    if let Some(seal) = reader.seal() {
        let seal = Box::new(seal.clone());
        let digest = seal.digest();
        let loss = Loss { at_most_ms: 0, torn_bytes: 0 };
        return Ok(Found::Sealed { opening, header, digest, seal, loss });
    }
    let scan = Scan::new(&source)?;
    let torn = torn(&source, scan.good.bytes)?;
    let end = KeylessEnd {
        state: State::Recovered,
        ending: Ending::Recovered,
        at_ms: clock.wall_ms(),
        torn,
    };
    let seal = Box::new(scan.good.seal(header, end));
    let mut bytes = Continuation { header, offset: scan.good.bytes }.write();
    bytes.extend_from_slice(&seal.write());
    let raw = files.path(Part::Raw).ok_or(ReadError::NotARecording)?;
    let more = raw.with_extension(Part::Continuation.extension());
    write_whole(disk, &more, &bytes).map_err(|error| SourceError(error.into()))?;
    let loss = Loss { at_most_ms: scan.header.commit_interval_ms, torn_bytes: scan.torn_bytes() };
    Ok(Found::Sealed { opening, header, digest: seal.digest(), seal, loss })
}

/// What a source has from an offset on.
pub(crate) fn torn(source: &dyn Source, from: u64) -> Result<Option<Torn>, SourceError> {
    const PIECE_BYTES: usize = 64 << 10;
    let mut context = Context::new(&SHA256);
    let mut offset = from;
    loop {
        let piece = source.read(offset, PIECE_BYTES)?;
        if piece.is_empty() {
            break;
        }
        context.update(&piece);
        offset += piece.len() as u64;
    }
    let bytes = offset - from;
    let digest = Digest::try_from(context.finish().as_ref()).unwrap_or_default();
    Ok((bytes > 0).then_some(Torn { bytes, digest }))
}
