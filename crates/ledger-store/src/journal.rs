//! The journal: where entries are durable before they are in tiles.
//!
//! A commit is one record: the entries, the checkpoint that covers them, and a checksum of it all. One write and
//! one sync of one file make it durable, where tiles would take a file and a folder for each. A segment is
//! filled with zeros before it is used, for two reasons: a sync then has no new blocks to tell the file system
//! of, which is most of its cost; and a record that a crash left unfinished has sectors that are still zero,
//! which tells it from one that somebody or something has damaged.

mod scan;

use crate::disk::{Disk, OpenFile};
use std::io;
use std::path::{Path, PathBuf};

pub use scan::{End, Record, Scan, scan};

/// Begins a record; its last byte is the version.
const MAGIC: [u8; 4] = *b"WLR1";

/// Magic, checksum of what follows the header, index of the first entry, number of entries, lengths of entries and
/// checkpoint, checksum of the header.
const HEADER_BYTES: usize = 32;

/// How large a segment usually is. Entries that are in no tile yet fill no more than a few.
pub(crate) const SEGMENT_BYTES: usize = 4 << 20;

/// The most bytes of entries, with their lengths, that are in one record.
pub(crate) const MAX_RECORD_BYTES: usize = 2 << 20;

/// A checkpoint in a record is not longer: it has one signature or two.
const MAX_NOTE_BYTES: usize = 64 << 10;

/// A segment that records are written to.
#[derive(Debug)]
pub(crate) struct Journal {
    file: OpenFile,
    number: u64,
    used: usize,
    bytes: usize,
}

/// What goes into a record.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parts<'a> {
    pub first: u64,
    pub count: u32,
    /// As in a file of entries: each with its length.
    pub bundle: &'a [u8],
    pub checkpoint: &'a [u8],
}

impl Parts<'_> {
    pub(crate) fn record_bytes(&self) -> usize {
        HEADER_BYTES + self.bundle.len() + self.checkpoint.len()
    }
}

impl Journal {
    /// A new segment of `bytes` below `folder`, numbered by the index of the next entry. It is durable when this
    /// returns.
    pub(crate) fn create(
        disk: &Disk,
        folder: &Path,
        number: u64,
        bytes: usize,
    ) -> io::Result<Self> {
        let new = folder.join("journal-new");
        let file = disk.create_file(&new)?;
        let zeros = vec![0; bytes.min(1 << 20)];
        let mut offset = 0;
        while offset < bytes {
            let part = zeros.get(..bytes - offset).unwrap_or(&zeros);
            disk.write_at(&file, offset as u64, part)?;
            offset += part.len();
        }
        disk.sync(&file)?;
        let path = segment_path(folder, number);
        disk.rename(&new, &path)?;
        disk.sync_folder(folder)?;
        Ok(Self { file: file.renamed(path), number, used: 0, bytes })
    }

    /// The index of the entry before which this segment was begun.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Whether a record of these parts has room.
    pub(crate) fn has_room(&self, parts: &Parts<'_>) -> bool {
        self.used + parts.record_bytes() <= self.bytes
    }

    /// Makes a record durable.
    pub(crate) fn append(&mut self, disk: &Disk, parts: &Parts<'_>) -> io::Result<()> {
        let record = encode(self.number, parts).ok_or(io::ErrorKind::InvalidInput)?;
        disk.write_at(&self.file, self.used as u64, &record)?;
        disk.sync(&self.file)?;
        self.used += record.len();
        Ok(())
    }
}

/// The name of a segment.
pub(crate) fn segment_path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("journal-{number:016x}"))
}

/// The number in the name of a segment.
pub(crate) fn segment_number(name: &str) -> Option<u64> {
    let digits = name.strip_prefix("journal-").filter(|digits| digits.len() == 16)?;
    u64::from_str_radix(digits, 16).ok()
}

fn encode(segment: u64, parts: &Parts<'_>) -> Option<Vec<u8>> {
    let Parts { first, count, bundle, checkpoint } = *parts;
    if bundle.len() > MAX_RECORD_BYTES || checkpoint.len() > MAX_NOTE_BYTES {
        return None;
    }
    let mut record = Vec::with_capacity(HEADER_BYTES + bundle.len() + checkpoint.len());
    record.extend_from_slice(&MAGIC);
    record.extend_from_slice(
        &crc32c::crc32c_append(crc32c::crc32c(bundle), checkpoint).to_be_bytes(),
    );
    record.extend_from_slice(&first.to_be_bytes());
    record.extend_from_slice(&count.to_be_bytes());
    record.extend_from_slice(&u32::try_from(bundle.len()).ok()?.to_be_bytes());
    record.extend_from_slice(&u32::try_from(checkpoint.len()).ok()?.to_be_bytes());
    record.extend_from_slice(&header_checksum(segment, &record).to_be_bytes());
    record.extend_from_slice(bundle);
    record.extend_from_slice(checkpoint);
    Some(record)
}

/// The segment is part of it: a record that was copied from another one is none.
fn header_checksum(segment: u64, before: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&segment.to_be_bytes()), before)
}
