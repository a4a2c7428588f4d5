//! Compresses a sealed raw recording.
//!
//! This happens after the session: compression on its path would cost more than everything else together. The raw form
//! stays the evidence. Whoever has the output's key can make every raw chunk again and follow the raw chain, whose end
//! the seal commits to, so a compressed recording proves what the raw one proved.

use crate::beginning::Beginning;
use crate::block::{Block, MAX_BLOCK_CHUNKS, MAX_PLAIN_BYTES, block_chained};
use crate::chunk::{Head, section_digest};
use crate::error::ReadError;
use crate::event::Compartment;
use crate::header::{Digest, PACKED_MAGIC, framed};
use crate::index::{Index, IndexBlock};
use crate::keys::{Cipher, KeyPair, Keys, Purpose, TAG_BYTES};
use crate::plain::Ciphers;
use crate::raw::{Found, Place, RawChunk};
use crate::seal::{PackedSeal, Seal};
use crate::source::{Source, SourceError};
use crate::window::Window;
use crate::wire::put_bytes;
use crate::writer::CHUNK_BYTES;
use bytes::Bytes;
use thiserror::Error;

/// What a recording is packed with.
#[derive(Debug, Clone, Copy)]
pub struct Packing<'a> {
    pub keys: &'a KeyPair,
    /// Random, and new for each attempt: it decides on the ciphers.
    pub salt: [u8; 32],
    /// Of zstd.
    pub level: i32,
    /// Heads that the ledger was told. Those that the recording does not have are left out.
    pub heads: &'a [Head],
}

/// A recording cannot be packed. It stays as it is.
#[derive(Debug, Error)]
pub enum PackError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("only a raw recording with its end and its seal is packed")]
    NotWhole,
    #[error("the recording cannot be compressed")]
    Compress(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the packed recording cannot be written")]
    Write(#[source] SourceError),
}

/// Takes the bytes of a packed recording, in their order.
pub type Sink<'a> = &'a mut dyn FnMut(&[u8]) -> Result<(), SourceError>;

/// Reads a raw recording that is sealed and gives the packed one to `sink`; its seal.
pub fn pack<S: Source>(raw: S, packing: &Packing<'_>, sink: Sink<'_>) -> Result<Seal, PackError> {
    let mut window = Window::new(raw);
    let beginning = Beginning::read(&mut window)?;
    let digest = beginning.digest();
    let Beginning { header, bytes, first: mut place, packed } = beginning;
    if packed.is_some() {
        return Err(PackError::NotWhole);
    }
    let keys = Keys::from(packing.keys.clone());
    header.check_keys(&keys).map_err(ReadError::from)?;
    let ciphers = Ciphers::new(&keys, &digest, Purpose::Raw)
        .map_err(ReadError::from)?
        .ok_or(PackError::NotWhole)?;
    let mut packer = Packer::begin(packing, &bytes, digest, sink)?;
    let mut has_end = false;
    loop {
        let before = place;
        match place.read(&mut window)? {
            Found::Chunk(chunk) => {
                packer.push(*chunk, &ciphers, &before)?;
                has_end = place.ended;
            }
            Found::Seal(seal) if has_end => return packer.finish(*seal),
            Found::Seal(_) | Found::Nothing => return Err(PackError::NotWhole),
        }
    }
}

struct Packer<'a> {
    packing: &'a Packing<'a>,
    sink: Sink<'a>,
    output: Cipher,
    input: Cipher,
    header: Digest,
    chain: Digest,
    offset: u64,
    index: Index,
    /// As far as the raw recording was packed.
    head: Head,
    open: OpenBlock,
}

#[derive(Default)]
struct OpenBlock {
    block: Option<Block>,
    shown: Vec<u8>,
    sent: Vec<u8>,
}

impl<'a> Packer<'a> {
    fn begin(
        packing: &'a Packing<'a>,
        raw_header: &Bytes,
        raw_digest: Digest,
        sink: Sink<'a>,
    ) -> Result<Self, PackError> {
        let mut body = packing.salt.to_vec();
        put_bytes(&mut body, raw_header);
        let written = framed(PACKED_MAGIC, &body).or(Err(ReadError::Header))?;
        sink(&written.bytes).map_err(PackError::Write)?;
        let digest = written.digest;
        let cipher = |key: &crate::keys::ContentKey, compartment| {
            key.cipher(&digest, Purpose::Packed(compartment)).map_err(ReadError::from)
        };
        Ok(Self {
            packing,
            sink,
            output: cipher(&packing.keys.output, Compartment::Output)?,
            input: cipher(&packing.keys.input, Compartment::Input)?,
            header: digest,
            chain: digest,
            offset: written.bytes.len() as u64,
            index: Index::default(),
            head: Head { chunks: 0, chain: raw_digest },
            open: OpenBlock::default(),
        })
    }

    fn push(&mut self, chunk: RawChunk, ciphers: &Ciphers, at: &Place) -> Result<(), PackError> {
        let raw_chain = chunk.chain;
        let raw_header = chunk.header.clone();
        let input_digest = section_digest(&chunk.input);
        let plain = chunk.decrypt(ciphers, at)?;
        let header = plain.chunk;
        self.head = Head { chunks: header.number + 1, chain: raw_chain };
        if self.packing.heads.contains(&self.head) {
            self.index.heads.push(self.head);
        }
        let OpenBlock { block, shown, sent } = &mut self.open;
        let block = block.get_or_insert_with(|| Block {
            number: self.index.blocks.len() as u64,
            first_chunk: header.number,
            n_chunks: 0,
            n_records: 0,
            first_record: header.first_record,
            first_us: header.first_us,
            last_us: header.last_us,
            output_bytes: 0,
            input_bytes: 0,
            output_plain_bytes: 0,
            input_plain_bytes: 0,
            raw_chain,
        });
        block.n_chunks += 1;
        block.n_records = block.n_records.saturating_add(header.n_records);
        block.last_us = header.last_us;
        block.raw_chain = raw_chain;
        shown.extend_from_slice(&raw_header);
        if header.input_bytes > 0 {
            shown.extend_from_slice(&input_digest);
        }
        shown.extend_from_slice(&plain.output);
        sent.extend_from_slice(plain.input.as_deref().unwrap_or_default());
        let is_full = shown.len() + sent.len() >= CHUNK_BYTES || block.n_chunks >= MAX_BLOCK_CHUNKS;
        if is_full { self.close() } else { Ok(()) }
    }

    fn close(&mut self) -> Result<(), PackError> {
        let OpenBlock { block, shown, sent } = std::mem::take(&mut self.open);
        let Some(block) = block else { return Ok(()) };
        let mut output = self.compressed(&shown)?;
        let mut input = if sent.is_empty() { Vec::new() } else { self.compressed(&sent)? };
        let section = |bytes: &[u8]| if bytes.is_empty() { 0 } else { bytes.len() + TAG_BYTES };
        let number = |length: usize| u32::try_from(length).or(Err(PackError::NotWhole));
        let block = Block {
            output_bytes: number(section(&output))?,
            input_bytes: number(section(&input))?,
            output_plain_bytes: number(shown.len())?,
            input_plain_bytes: number(sent.len())?,
            ..block
        };
        let header = block.write();
        sealed(&self.output, block.number, &header, &mut output)?;
        if !input.is_empty() {
            sealed(&self.input, block.number, &header, &mut input)?;
        }
        self.chain =
            block_chained(&self.chain, &header, &section_digest(&output), &section_digest(&input));
        self.index.blocks.push(IndexBlock {
            offset: self.offset,
            first_chunk: block.first_chunk,
            first_record: block.first_record,
            last_us: block.last_us,
        });
        for part in [header.as_slice(), &output, &input, &self.chain] {
            (self.sink)(part).map_err(PackError::Write)?;
        }
        self.offset += block.total_bytes();
        Ok(())
    }

    fn compressed(&self, bytes: &[u8]) -> Result<Vec<u8>, PackError> {
        if bytes.len() > MAX_PLAIN_BYTES {
            return Err(PackError::NotWhole);
        }
        zstd::bulk::compress(bytes, self.packing.level)
            .map_err(|error| PackError::Compress(error.into()))
    }

    fn finish(mut self, raw: Seal) -> Result<Seal, PackError> {
        self.close()?;
        let index = self.index.write();
        let packed = PackedSeal {
            header: self.header,
            blocks: self.index.blocks.len() as u64,
            chain: self.chain,
            index_offset: self.offset,
            index_bytes: index.len() as u64,
            index: Index::digest(&index),
        };
        if raw.head != self.head {
            return Err(PackError::NotWhole);
        }
        let seal = Seal { packed: Some(packed), ..raw };
        for part in [index, seal.write()] {
            (self.sink)(&part).map_err(PackError::Write)?;
        }
        Ok(seal)
    }
}

fn sealed(
    cipher: &Cipher,
    number: u64,
    header: &[u8],
    section: &mut Vec<u8>,
) -> Result<(), PackError> {
    let tag = cipher.seal(number, header, section).map_err(ReadError::from)?;
    section.extend_from_slice(&tag);
    Ok(())
}
