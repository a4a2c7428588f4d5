//! The file of one recording: appended to, made durable, ended. What goes wrong is never tried again.

use crate::disk::{Disk, DiskFile, write_all};
use crate::failure::Failure;
use session_record::{
    CHUNK_BYTES, CipherRefused, Continuation, Ended, Ending, Event, KeylessEnd, Progress,
    SEAL_RESERVE_BYTES, Seal, State, WriteError, Writer,
};
use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use thiserror::Error;

/// By how much the space grows that a file has for itself.
const FIRST_EXTENT_BYTES: u64 = 16 << 10;
const LARGEST_EXTENT_BYTES: u64 = 64 << 20;

/// Where a recording's files are.
#[derive(Debug, Clone)]
pub(crate) struct Paths {
    pub(crate) folder: PathBuf,
    pub(crate) raw: PathBuf,
    pub(crate) more: PathBuf,
    pub(crate) ballast: PathBuf,
}

#[derive(Debug)]
pub(crate) struct Work {
    disk: Arc<dyn Disk>,
    paths: Paths,
    file: Box<dyn DiskFile>,
    /// None once it ended.
    writer: Option<Writer>,
    extent: Extent,
    /// As of the last sync.
    durable: Progress,
    /// All bytes after `durable`, written or not: they go into the continuation if there must be one.
    tail: VecDeque<TailPart>,
    /// Whether the file is being synced by another thread than the one that writes.
    syncs_beside: bool,
    trouble: Option<Trouble>,
    /// When the first event happened that neither is durable nor is being made so.
    pub(crate) waiting_since_us: Option<u64>,
    /// How many events were pushed when the sync began that another thread does, or did last.
    pub(crate) syncing_events: u64,
}

#[derive(Debug, Clone, Copy)]
struct Extent {
    written: u64,
    /// Bytes that the file system promised.
    reserved: u64,
}

/// Why nothing more is appended to the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    /// It cannot grow; what is reserved can still be used.
    NoRoom,
    /// What of it is on disk is unknown.
    Poisoned,
}

#[derive(Debug)]
struct TailPart {
    bytes: Vec<u8>,
    /// Where it ends in the recording.
    end: u64,
}

/// A sync that goes on beside further writing. It has the file open for itself: a failed write-back is told once to each
/// opening, and this one must not take what [`Work::commit`] would have been told. It is closed afterwards, so that
/// a quiet session holds one file; what nobody was told yet is told to whoever opens the file next
/// (Linux, `lib/errseq.c`).
#[derive(Debug)]
pub(crate) struct Syncing {
    file: Box<dyn DiskFile>,
    up_to: Progress,
}

#[derive(Debug)]
pub(crate) struct Synced {
    up_to: Progress,
    result: io::Result<()>,
}

impl Syncing {
    pub(crate) fn run(mut self) -> Synced {
        Synced { up_to: self.up_to, result: self.file.sync() }
    }
}

/// A recording was not sealed. It is recovered when the next recorder starts.
#[derive(Debug, Error)]
pub enum NotSealed {
    #[error("the recording ended already")]
    Ended,
    #[error("the end of the recording could not be written")]
    Disk(#[source] io::Error),
    #[error(transparent)]
    Cipher(#[from] CipherRefused),
}

impl Work {
    /// Makes the file with its header, durable but for the folder's entry.
    pub(crate) fn begin(
        disk: Arc<dyn Disk>,
        paths: Paths,
        writer: Writer,
        header: &[u8],
    ) -> io::Result<Self> {
        let mut file = disk.create(&paths.raw)?;
        let written = header.len() as u64;
        let reserved = written + SEAL_RESERVE_BYTES + FIRST_EXTENT_BYTES;
        file.reserve(reserved)?;
        write_all(file.as_mut(), header)?;
        file.sync()?;
        let durable = writer.progress();
        let extent = Extent { written, reserved };
        Ok(Self {
            disk,
            paths,
            file,
            writer: Some(writer),
            extent,
            durable,
            tail: VecDeque::new(),
            syncs_beside: false,
            trouble: None,
            waiting_since_us: None,
            syncing_events: 0,
        })
    }

    pub(crate) const fn durable(&self) -> Progress {
        self.durable
    }

    pub(crate) const fn unsynced_bytes(&self) -> u64 {
        self.extent.written.saturating_sub(self.durable.bytes)
    }

    /// Takes an event, and writes whole chunks.
    pub(crate) fn push(
        &mut self,
        at_us: u64,
        event: &Event,
        spares: &mut Spares,
    ) -> Result<(), Failure> {
        let Some(writer) = &mut self.writer else { return Ok(()) };
        writer.push(at_us, event).map_err(|error| match error {
            WriteError::Cipher(refused) => Failure::Cipher(refused),
            // Whoever queued it has checked its length.
            WriteError::TooLong { bytes: _ } => Failure::Cipher(CipherRefused),
        })?;
        if writer.pending_bytes() < CHUNK_BYTES || self.trouble.is_some() {
            return Ok(());
        }
        let spare = spares.give();
        self.write(spare)
    }

    /// Makes everything durable that was pushed.
    pub(crate) fn commit(&mut self, spares: &mut Spares) -> Result<(), Failure> {
        // Without a spare: a session that is quiet from now on keeps no buffer.
        self.write(Vec::new())?;
        let Some(writer) = &self.writer else { return Ok(()) };
        let progress = writer.progress();
        if progress.bytes == self.durable.bytes {
            return Ok(());
        }
        let result = self.file.sync();
        self.judge_sync(progress, &result, spares)
    }

    /// Writes everything that was pushed and gives what makes it durable; none while that was given already.
    pub(crate) fn begin_sync(&mut self) -> Result<Option<Syncing>, Failure> {
        if self.syncs_beside {
            return Ok(None);
        }
        self.write(Vec::new())?;
        let Some(writer) = &self.writer else { return Ok(None) };
        let up_to = writer.progress();
        let file = self.disk.append(&self.paths.raw).map_err(|error| {
            self.trouble = Some(Trouble::Poisoned);
            Failure::of_disk("be opened again", &error)
        })?;
        self.syncs_beside = true;
        Ok(Some(Syncing { file, up_to }))
    }

    pub(crate) fn end_sync(&mut self, synced: Synced, spares: &mut Spares) -> Result<(), Failure> {
        let Synced { up_to, result } = synced;
        self.syncs_beside = false;
        if self.writer.is_none() {
            // It ended meanwhile, with a sync of its own.
            return Ok(());
        }
        self.judge_sync(up_to, &result, spares)
    }

    fn judge_sync(
        &mut self,
        up_to: Progress,
        result: &io::Result<()>,
        spares: &mut Spares,
    ) -> Result<(), Failure> {
        if let Err(error) = result {
            self.trouble = Some(Trouble::Poisoned);
            return Err(Failure::of_disk("be made durable", error));
        }
        if up_to.bytes > self.durable.bytes {
            self.durable = up_to;
            while let Some(part) = self.tail.pop_front_if(|part| part.end <= up_to.bytes) {
                spares.take(part.bytes);
            }
        }
        Ok(())
    }

    fn write(&mut self, spare: Vec<u8>) -> Result<(), Failure> {
        let Some(writer) = &mut self.writer else { return Ok(()) };
        let bytes = writer.cut(spare)?;
        if bytes.is_empty() {
            return Ok(());
        }
        self.tail.push_back(TailPart { bytes, end: writer.progress().bytes });
        self.append_last()
    }

    /// Appends the last part of the tail.
    fn append_last(&mut self) -> Result<(), Failure> {
        let Some(TailPart { bytes, end: _ }) = self.tail.back() else { return Ok(()) };
        let Extent { written, reserved } = self.extent;
        let length = written + bytes.len() as u64;
        if length + SEAL_RESERVE_BYTES > reserved {
            let extent = (length / 4).clamp(FIRST_EXTENT_BYTES, LARGEST_EXTENT_BYTES);
            let wanted = length + SEAL_RESERVE_BYTES + extent;
            if let Err(error) = self.file.reserve(wanted) {
                self.trouble = Some(Trouble::NoRoom);
                return Err(Failure::of_disk("grow", &error));
            }
            self.extent.reserved = wanted;
        }
        if let Err(error) = write_all(self.file.as_mut(), bytes) {
            self.trouble = Some(Trouble::Poisoned);
            return Err(Failure::of_disk("be written", &error));
        }
        self.extent.written = length;
        Ok(())
    }

    /// Ends the recording: in its file where that can be trusted, else in a second one.
    pub(crate) fn end(&mut self, ending: Ending, at_ms: i64) -> Result<Seal, NotSealed> {
        let writer = self.writer.take().ok_or(NotSealed::Ended)?;
        let Ended { bytes, seal } = writer.end(State::Sealed, ending, at_ms)?;
        self.tail.push_back(TailPart { bytes, end: seal.raw_bytes });
        if self.trouble != Some(Trouble::Poisoned) && self.end_in_place(&seal) {
            return Ok(seal);
        }
        let damaged = Seal { state: State::Damaged, ..seal };
        match self.continue_with(&damaged, Carry::Everything) {
            Ok(()) => Ok(damaged),
            Err(_) => self.end_at_durable(damaged),
        }
    }

    /// Whether the end is in the file, durable.
    fn end_in_place(&mut self, seal: &Seal) -> bool {
        let mut bytes: Vec<u8> = Vec::new();
        let mut skip = self.unsynced_bytes();
        for TailPart { bytes: part, end: _ } in &self.tail {
            let length = part.len() as u64;
            bytes.extend_from_slice(
                part.get(usize::try_from(skip).unwrap_or(usize::MAX)..).unwrap_or_default(),
            );
            skip = skip.saturating_sub(length);
        }
        bytes.extend_from_slice(&seal.write());
        let length = self.extent.written + bytes.len() as u64;
        if length > self.extent.reserved
            && (self.trouble.is_some() || self.file.reserve(length).is_err())
        {
            return false;
        }
        if write_all(self.file.as_mut(), &bytes).and_then(|()| self.file.sync()).is_err() {
            return false;
        }
        // What was reserved and not used is given back; if that fails it only costs space.
        let _given_back = self.file.truncate(length).is_ok();
        true
    }

    /// Writes a second file, with the room of the ballast if there is no other.
    fn continue_with(&self, seal: &Seal, carry: Carry) -> io::Result<()> {
        let continuation = Continuation { header: seal.header, offset: self.durable.bytes };
        let mut bytes = continuation.write();
        match carry {
            Carry::Everything => {
                self.tail.iter().for_each(|part| bytes.extend_from_slice(&part.bytes))
            }
            Carry::Nothing => {}
        }
        bytes.extend_from_slice(&seal.write());
        self.write_continuation(&bytes).or_else(|_| {
            self.disk.remove(&self.paths.ballast)?;
            self.write_continuation(&bytes)
        })
    }

    fn write_continuation(&self, bytes: &[u8]) -> io::Result<()> {
        crate::disk::write_whole(self.disk.as_ref(), &self.paths.more, bytes)
    }

    /// The last resort: what was durable, sealed without the rest.
    fn end_at_durable(&self, seal: Seal) -> Result<Seal, NotSealed> {
        let end = KeylessEnd {
            state: State::Damaged,
            ending: seal.ending,
            at_ms: seal.at_ms,
            torn: None,
        };
        let short = self.durable.seal(seal.header, end);
        self.continue_with(&short, Carry::Nothing).map_err(NotSealed::Disk)?;
        Ok(short)
    }
}

/// What a continuation has before the seal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Carry {
    Everything,
    Nothing,
}

/// Buffers that a writer thread uses again, so that large transfers do not ask the system for new ones.
#[derive(Debug, Default)]
pub(crate) struct Spares(Vec<Vec<u8>>);

impl Spares {
    const MAX: usize = 32;

    fn give(&mut self) -> Vec<u8> {
        self.0.pop().unwrap_or_default()
    }

    fn take(&mut self, buffer: Vec<u8>) {
        // Small ones are cheap to make.
        if self.0.len() < Self::MAX && buffer.capacity() >= CHUNK_BYTES {
            self.0.push(buffer);
        }
    }
}
