//! The beginning of a recording in either form, and its seal.

use crate::block::BlockPlace;
use crate::error::ReadError;
use crate::header::{
    Digest, FORMAT_VERSION, Header, MAX_HEADER_BODY_BYTES, PACKED_MAGIC, PREFIX_BYTES, Prefix,
    RAW_MAGIC, unframed,
};
use crate::raw::Place;
use crate::seal::{self, Seal};
use crate::source::Source;
use crate::window::Window;
use crate::wire::{Cursor, Malformed, malformed};
use bytes::Bytes;

/// What stands before the first chunk or block.
#[derive(Debug)]
pub(crate) struct Beginning {
    pub(crate) header: Header,
    /// The raw recording's header, whole.
    pub(crate) bytes: Bytes,
    /// Where the raw recording's first chunk is, or was.
    pub(crate) first: Place,
    /// Where the recording is compressed.
    pub(crate) packed: Option<PackedBeginning>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct PackedBeginning {
    pub(crate) header: Digest,
    pub(crate) bytes: u64,
}

impl Beginning {
    pub(crate) fn read<S: Source>(window: &mut Window<S>) -> Result<Self, ReadError> {
        let whole = read_framed(window)?;
        if whole.magic == *RAW_MAGIC {
            return Self::of_raw(whole.bytes, None);
        }
        if whole.magic != *PACKED_MAGIC {
            return Err(ReadError::NotARecording);
        }
        let (body, header) = unframed(&whole.bytes).ok_or(ReadError::Header)?;
        let raw = raw_header(body).map_err(|source| ReadError::Malformed { offset: 0, source })?;
        Self::of_raw(raw, Some(PackedBeginning { header, bytes: whole.bytes.len() as u64 }))
    }

    fn of_raw(bytes: Bytes, packed: Option<PackedBeginning>) -> Result<Self, ReadError> {
        let prefix = Prefix::read(bytes.slice(..PREFIX_BYTES.min(bytes.len())))
            .or(Err(ReadError::Header))?;
        if prefix.magic != *RAW_MAGIC || prefix.total_bytes != bytes.len() {
            return Err(ReadError::Header);
        }
        if prefix.version != FORMAT_VERSION {
            return Err(ReadError::Version { found: prefix.version });
        }
        let (body, digest) = unframed(&bytes).ok_or(ReadError::Header)?;
        let header =
            Header::read(body).map_err(|source| ReadError::Malformed { offset: 0, source })?;
        let first = Place::first(bytes.len() as u64, digest);
        Ok(Self { header, bytes, first, packed })
    }

    /// Of the raw recording's header.
    pub(crate) const fn digest(&self) -> Digest {
        self.first.progress.head.chain
    }
}

impl PackedBeginning {
    /// Where the first block is; `seal` says where blocks end.
    pub(crate) fn first(&self, raw: &Place, seal: &Seal) -> Option<BlockPlace> {
        let end = seal.packed.filter(|packed| packed.header == self.header)?.index_offset;
        Some(BlockPlace {
            number: 0,
            offset: self.bytes,
            chain: self.header,
            raw: raw.progress,
            end,
        })
    }
}

struct Framed {
    magic: [u8; 8],
    bytes: Bytes,
}

fn read_framed<S: Source>(window: &mut Window<S>) -> Result<Framed, ReadError> {
    let prefix = window.exactly(0, PREFIX_BYTES)?.ok_or(ReadError::NotARecording)?;
    let prefix = Prefix::read(prefix).or(Err(ReadError::NotARecording))?;
    if prefix.magic != *RAW_MAGIC && prefix.magic != *PACKED_MAGIC {
        return Err(ReadError::NotARecording);
    }
    if prefix.version != FORMAT_VERSION {
        return Err(ReadError::Version { found: prefix.version });
    }
    let bytes = window.exactly(0, prefix.total_bytes)?.ok_or(ReadError::Header)?;
    Ok(Framed { magic: prefix.magic, bytes })
}

/// The body of a compressed recording's header: a salt, and the raw header as it was.
fn raw_header(body: Bytes) -> Result<Bytes, Malformed> {
    let what = "the compressed recording's header";
    let mut cursor = Cursor::new(body);
    let _salt: [u8; 32] = cursor.array(what)?;
    let raw = cursor.bytes(what)?;
    cursor.end(what)?;
    if raw.len() < PREFIX_BYTES || raw.len() > MAX_HEADER_BODY_BYTES {
        Err(malformed(what))
    } else {
        Ok(raw)
    }
}

/// The seal at the end of a source, if that is what stands there, and where it begins.
pub(crate) fn read_seal<S: Source>(
    window: &mut Window<S>,
) -> Result<Option<(Seal, u64)>, ReadError> {
    let length = window.length()?;
    let last = window.exactly(length.saturating_sub(12), 12)?;
    let Some(bytes) = last.and_then(|last| seal::length_by_last_bytes(&last)) else {
        return Ok(None);
    };
    let Some(offset) = length.checked_sub(bytes) else { return Ok(None) };
    let seal = window.exactly(offset, usize::try_from(bytes).unwrap_or_default())?;
    Ok(seal
        .and_then(|seal| Seal::read(&seal).ok())
        .filter(|seal| seal.ends_at(offset))
        .map(|seal| (seal, offset)))
}

impl Seal {
    /// Whether a seal that begins here is where it says.
    fn ends_at(&self, offset: u64) -> bool {
        match self.packed {
            None => self.raw_bytes == offset,
            Some(packed) => packed.index_offset.checked_add(packed.index_bytes) == Some(offset),
        }
    }
}
