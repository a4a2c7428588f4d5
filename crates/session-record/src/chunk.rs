//! Chunks: what is written at once, and the chain through all of them.
//!
//! A chunk is a header of [`HEADER_BYTES`], the output section, the input section where something was sent, and the
//! value of the chain after it. Each section is encrypted for itself with the chunk's number as nonce and the header
//! as associated data. The chain covers digests of the sections, so it can be followed without holding either.

use crate::header::{Digest, sha256};
use crate::keys::TAG_BYTES;
use crate::wire::{Cursor, Malformed, malformed};
use bytes::Bytes;

pub(crate) const MAGIC: &[u8; 4] = b"wchk";
pub(crate) const HEADER_BYTES: usize = 56;
pub(crate) const CHAIN_BYTES: usize = 32;
/// Longest section with its tag. The longest record, the fullest chunk before it and their framing fit.
pub const MAX_SECTION_BYTES: usize = 4 << 20;

/// What is written at once, by what its header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chunk {
    pub kind: ChunkKind,
    /// Counts from 0 and is the nonce.
    pub number: u64,
    /// The number of its first record.
    pub first_record: u64,
    pub n_records: u32,
    /// Bytes of the encrypted sections, tags included. The second is 0 where nothing was sent.
    pub output_bytes: u32,
    pub input_bytes: u32,
    /// Of its first and last record.
    pub first_us: u64,
    pub last_us: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChunkKind {
    Records,
    /// The last chunk: how the session ended, and sums of what was recorded.
    End,
}

/// How far a recording is: what comes before `chain` cannot be changed without changing it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// How many chunks `chain` covers.
    pub chunks: u64,
    pub chain: Digest,
}

/// Sums up to a chunk that can be known without keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    pub head: Head,
    /// Up to the end of the chunk, from the beginning of the file.
    pub bytes: u64,
    pub records: u64,
    pub last_us: u64,
    /// Bytes that the person sent.
    pub sent_bytes: u64,
}

impl Chunk {
    pub(crate) fn write(&self) -> [u8; HEADER_BYTES] {
        let Self {
            kind,
            number,
            first_record,
            n_records,
            output_bytes,
            input_bytes,
            first_us,
            last_us,
        } = self;
        let kind = match kind {
            ChunkKind::Records => 1,
            ChunkKind::End => 2,
        };
        let mut bytes = [0; HEADER_BYTES];
        let fields: [&[u8]; 10] = [
            MAGIC,
            &[kind, 0, 0, 0],
            &number.to_le_bytes(),
            &first_record.to_le_bytes(),
            &n_records.to_le_bytes(),
            &output_bytes.to_le_bytes(),
            &input_bytes.to_le_bytes(),
            &[0; 4],
            &first_us.to_le_bytes(),
            &last_us.to_le_bytes(),
        ];
        for (to, from) in bytes.iter_mut().zip(fields.into_iter().flatten()) {
            *to = *from;
        }
        bytes
    }

    pub(crate) fn read(bytes: Bytes) -> Result<Self, Malformed> {
        let mut cursor = Cursor::new(bytes);
        if cursor.array("a chunk's first bytes")? != *MAGIC {
            return Err(malformed("a chunk's first bytes"));
        }
        let kind = match u32::from_le_bytes(cursor.array("a chunk's kind")?) {
            1 => ChunkKind::Records,
            2 => ChunkKind::End,
            _ => return Err(malformed("a chunk's kind")),
        };
        let what = "a chunk's header";
        let number = u64::from_le_bytes(cursor.array(what)?);
        let first_record = u64::from_le_bytes(cursor.array(what)?);
        let n_records = u32::from_le_bytes(cursor.array(what)?);
        let output_bytes = u32::from_le_bytes(cursor.array(what)?);
        let input_bytes = u32::from_le_bytes(cursor.array(what)?);
        let zero: [u8; 4] = cursor.array(what)?;
        let first_us = u64::from_le_bytes(cursor.array(what)?);
        let last_us = u64::from_le_bytes(cursor.array(what)?);
        cursor.end(what)?;
        let chunk = Self {
            kind,
            number,
            first_record,
            n_records,
            output_bytes,
            input_bytes,
            first_us,
            last_us,
        };
        if zero == [0; 4] && chunk.is_possible() { Ok(chunk) } else { Err(malformed(what)) }
    }

    fn is_possible(&self) -> bool {
        let tag = TAG_BYTES as u64;
        let longest = MAX_SECTION_BYTES as u64;
        let output = u64::from(self.output_bytes);
        let input = u64::from(self.input_bytes);
        let sections = (tag..=longest).contains(&output)
            && (input == 0 || (tag + 1..=longest).contains(&input));
        // A record takes at least two bytes of the output section.
        let records = match self.kind {
            ChunkKind::Records => self.n_records > 0 && u64::from(self.n_records) <= output / 2,
            ChunkKind::End => self.n_records == 0 && input == 0,
        };
        sections && records && self.first_us <= self.last_us
    }

    /// Bytes of the whole chunk.
    pub(crate) fn total_bytes(&self) -> u64 {
        (HEADER_BYTES + CHAIN_BYTES) as u64
            + u64::from(self.output_bytes)
            + u64::from(self.input_bytes)
    }

    /// How many bytes the person sent in it.
    pub(crate) fn sent_bytes(&self) -> u64 {
        u64::from(self.input_bytes).saturating_sub(TAG_BYTES as u64)
    }
}

/// The digest of a section; zeros where there is none, which no section has.
pub(crate) fn section_digest(section: &[u8]) -> Digest {
    if section.is_empty() { [0; 32] } else { sha256(&[section]) }
}

/// The chain after a chunk.
pub(crate) fn chained(before: &Digest, header: &[u8], output: &Digest, input: &Digest) -> Digest {
    sha256(&[b"weir recording 1 chunk", before, header, output, input])
}
