//! The index of a compressed recording: where each block is, and where heads were that the ledger may know.

use crate::chunk::Head;
use crate::header::{Digest, sha256};
use crate::wire::{Cursor, Malformed, malformed, put_length, put_varint};
use bytes::Bytes;

const MAGIC: &[u8; 8] = b"weir-idx";
/// Longest index that is read: a recording of a tebibyte fits.
pub(crate) const MAX_INDEX_BYTES: u64 = 64 << 20;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Index {
    pub(crate) blocks: Vec<IndexBlock>,
    pub(crate) heads: Vec<Head>,
}

/// A block, by what is before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct IndexBlock {
    pub(crate) offset: u64,
    pub(crate) first_chunk: u64,
    pub(crate) first_record: u64,
    /// Of its last record.
    pub(crate) last_us: u64,
}

impl Index {
    pub(crate) fn write(&self) -> Vec<u8> {
        let Self { blocks, heads } = self;
        let mut bytes = MAGIC.to_vec();
        put_length(&mut bytes, blocks.len());
        let mut before = IndexBlock { offset: 0, first_chunk: 0, first_record: 0, last_us: 0 };
        for block in blocks {
            put_varint(&mut bytes, block.offset - before.offset);
            put_varint(&mut bytes, block.first_chunk - before.first_chunk);
            put_varint(&mut bytes, block.first_record - before.first_record);
            put_varint(&mut bytes, block.last_us - before.last_us);
            before = *block;
        }
        put_length(&mut bytes, heads.len());
        let mut chunks = 0;
        for head in heads {
            put_varint(&mut bytes, head.chunks - chunks);
            bytes.extend_from_slice(&head.chain);
            chunks = head.chunks;
        }
        bytes
    }

    pub(crate) fn read(bytes: Bytes) -> Result<Self, Malformed> {
        let what = "the index";
        let mut cursor = Cursor::new(bytes);
        if cursor.array(what)? != *MAGIC {
            return Err(malformed(what));
        }
        let add = |before: u64, more: u64| before.checked_add(more).ok_or(malformed(what));
        let mut index = Self::default();
        let mut last = IndexBlock { offset: 0, first_chunk: 0, first_record: 0, last_us: 0 };
        for _ in 0..cursor.varint(what)? {
            last = IndexBlock {
                offset: add(last.offset, cursor.varint(what)?)?,
                first_chunk: add(last.first_chunk, cursor.varint(what)?)?,
                first_record: add(last.first_record, cursor.varint(what)?)?,
                last_us: add(last.last_us, cursor.varint(what)?)?,
            };
            index.blocks.push(last);
        }
        let mut chunks = 0;
        for _ in 0..cursor.varint(what)? {
            chunks = add(chunks, cursor.varint(what)?)?;
            index.heads.push(Head { chunks, chain: cursor.array(what)? });
        }
        cursor.end(what)?;
        Ok(index)
    }

    pub(crate) fn digest(bytes: &[u8]) -> Digest {
        sha256(&[bytes])
    }
}
