//! Blocks: the chunks of a raw recording, some at a time, compressed and encrypted again.
//!
//! A block's output section has the headers of its chunks as they were, so that the raw chunks can be made again, bit
//! for bit: the ciphers and numbers are the same. Of what a person sent it has the digest of the encrypted section,
//! with which the raw chain can be followed without the input's key.

use crate::chunk::{Chunk, HEADER_BYTES, Head, Progress, chained, section_digest};
use crate::error::{Break, ReadError};
use crate::event::Compartment;
use crate::header::{Digest, sha256};
use crate::keys::{Cipher, TAG_BYTES};
use crate::plain::{Ciphers, PlainChunk};
use crate::source::Source;
use crate::window::Window;
use crate::wire::{Cursor, Malformed, malformed};
use bytes::Bytes;

pub(crate) const MAGIC: &[u8; 4] = b"wblk";
pub(crate) const BLOCK_HEADER_BYTES: usize = 104;
pub(crate) const CHAIN_BYTES: usize = 32;
/// Longest section before compression. A block is closed when it has [`crate::CHUNK_BYTES`], so the longest has one
/// byte less and a longest chunk.
pub(crate) const MAX_PLAIN_BYTES: usize = 5 << 20;
/// What does not compress grows a little.
const MAX_BLOCK_SECTION_BYTES: usize = 6 << 20;
pub(crate) const MAX_BLOCK_CHUNKS: u32 = 8192;

/// What a block's header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) number: u64,
    pub(crate) first_chunk: u64,
    pub(crate) n_chunks: u32,
    pub(crate) n_records: u32,
    pub(crate) first_record: u64,
    pub(crate) first_us: u64,
    pub(crate) last_us: u64,
    /// Encrypted, with tag; the second 0 where nothing was sent.
    pub(crate) output_bytes: u32,
    pub(crate) input_bytes: u32,
    /// Before compression.
    pub(crate) output_plain_bytes: u32,
    pub(crate) input_plain_bytes: u32,
    /// The raw recording's chain after the last chunk.
    pub(crate) raw_chain: Digest,
}

impl Block {
    pub(crate) fn write(&self) -> Vec<u8> {
        let Self {
            number, first_chunk, n_chunks, n_records, first_record, first_us, last_us, ..
        } = self;
        let Self {
            output_bytes,
            input_bytes,
            output_plain_bytes,
            input_plain_bytes,
            raw_chain,
            ..
        } = self;
        let mut bytes = Vec::with_capacity(BLOCK_HEADER_BYTES);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&number.to_le_bytes());
        bytes.extend_from_slice(&first_chunk.to_le_bytes());
        bytes.extend_from_slice(&n_chunks.to_le_bytes());
        bytes.extend_from_slice(&n_records.to_le_bytes());
        bytes.extend_from_slice(&first_record.to_le_bytes());
        bytes.extend_from_slice(&first_us.to_le_bytes());
        bytes.extend_from_slice(&last_us.to_le_bytes());
        for number in [output_bytes, input_bytes, output_plain_bytes, input_plain_bytes] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        bytes.extend_from_slice(raw_chain);
        bytes
    }

    pub(crate) fn read(bytes: Bytes) -> Result<Self, Malformed> {
        let what = "a block's header";
        let mut cursor = Cursor::new(bytes);
        let magic: [u8; 4] = cursor.array(what)?;
        let zero: [u8; 4] = cursor.array(what)?;
        let block = Self {
            number: u64::from_le_bytes(cursor.array(what)?),
            first_chunk: u64::from_le_bytes(cursor.array(what)?),
            n_chunks: u32::from_le_bytes(cursor.array(what)?),
            n_records: u32::from_le_bytes(cursor.array(what)?),
            first_record: u64::from_le_bytes(cursor.array(what)?),
            first_us: u64::from_le_bytes(cursor.array(what)?),
            last_us: u64::from_le_bytes(cursor.array(what)?),
            output_bytes: u32::from_le_bytes(cursor.array(what)?),
            input_bytes: u32::from_le_bytes(cursor.array(what)?),
            output_plain_bytes: u32::from_le_bytes(cursor.array(what)?),
            input_plain_bytes: u32::from_le_bytes(cursor.array(what)?),
            raw_chain: cursor.array(what)?,
        };
        cursor.end(what)?;
        if magic == *MAGIC && zero == [0; 4] && block.is_possible() {
            Ok(block)
        } else {
            Err(malformed(what))
        }
    }

    fn is_possible(&self) -> bool {
        let sections = (TAG_BYTES + 1..=MAX_BLOCK_SECTION_BYTES)
            .contains(&(self.output_bytes as usize))
            && (HEADER_BYTES..=MAX_PLAIN_BYTES).contains(&(self.output_plain_bytes as usize));
        let input = (self.input_bytes == 0 && self.input_plain_bytes == 0)
            || ((TAG_BYTES + 1..=MAX_BLOCK_SECTION_BYTES).contains(&(self.input_bytes as usize))
                && (1..=MAX_PLAIN_BYTES).contains(&(self.input_plain_bytes as usize)));
        sections
            && input
            && (1..=MAX_BLOCK_CHUNKS).contains(&self.n_chunks)
            && self.first_us <= self.last_us
    }

    pub(crate) fn total_bytes(&self) -> u64 {
        (BLOCK_HEADER_BYTES + CHAIN_BYTES) as u64
            + u64::from(self.output_bytes)
            + u64::from(self.input_bytes)
    }
}

/// The chain after a block.
pub(crate) fn block_chained(
    before: &Digest,
    header: &[u8],
    output: &Digest,
    input: &Digest,
) -> Digest {
    sha256(&[b"weir recording 1 block", before, header, output, input])
}

/// Where a reader of a compressed recording is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BlockPlace {
    pub(crate) number: u64,
    pub(crate) offset: u64,
    pub(crate) chain: Digest,
    /// Of the raw recording.
    pub(crate) raw: Progress,
    /// Where the index begins.
    pub(crate) end: u64,
}

/// A block, whole and where the chain says it belongs.
#[derive(Debug)]
pub(crate) struct WholeBlock {
    pub(crate) block: Block,
    header: Bytes,
    output: Bytes,
    input: Bytes,
}

impl BlockPlace {
    /// Reads the block that stands here and goes behind it; none at the end.
    pub(crate) fn read<S: Source>(
        &mut self,
        window: &mut Window<S>,
    ) -> Result<Option<WholeBlock>, ReadError> {
        if self.offset >= self.end {
            return Ok(None);
        }
        let (block, header) = self.read_header(window)?;
        let sections = block.output_bytes as usize + block.input_bytes as usize;
        let rest =
            window.exactly(self.offset + BLOCK_HEADER_BYTES as u64, sections + CHAIN_BYTES)?;
        let rest = rest.ok_or(self.broken(Break::Chain))?;
        let output = rest.slice(..block.output_bytes as usize);
        let input = rest.slice(block.output_bytes as usize..sections);
        let chain =
            block_chained(&self.chain, &header, &section_digest(&output), &section_digest(&input));
        if rest.slice(sections..) != chain.as_slice() {
            return Err(self.broken(Break::Chain));
        }
        self.pass(&block, chain);
        Ok(Some(WholeBlock { block, header, output, input }))
    }

    pub(crate) fn read_header<S: Source>(
        &self,
        window: &mut Window<S>,
    ) -> Result<(Block, Bytes), ReadError> {
        let header =
            window.exactly(self.offset, BLOCK_HEADER_BYTES)?.ok_or(self.broken(Break::Order))?;
        let malformed = |source| ReadError::Malformed { offset: self.offset, source };
        let block = Block::read(header.clone()).map_err(malformed)?;
        let is_next = block.number == self.number
            && block.first_chunk == self.raw.head.chunks
            && block.first_record == self.raw.records
            && block.first_us >= self.raw.last_us
            && block.total_bytes() <= self.end - self.offset;
        if is_next { Ok((block, header)) } else { Err(self.broken(Break::Order)) }
    }

    pub(crate) fn pass(&mut self, block: &Block, chain: Digest) {
        self.number += 1;
        self.offset += block.total_bytes();
        self.chain = chain;
        self.raw.head =
            Head { chunks: block.first_chunk + u64::from(block.n_chunks), chain: block.raw_chain };
        self.raw.records += u64::from(block.n_records);
        self.raw.last_us = block.last_us;
    }

    pub(crate) const fn broken(&self, what: Break) -> ReadError {
        ReadError::Broken { chunk: self.number, offset: self.offset, what }
    }
}

/// A chunk out of a block, and the digest of its encrypted input section.
#[derive(Debug)]
pub(crate) struct UnpackedChunk {
    pub(crate) plain: PlainChunk,
    pub(crate) header: Bytes,
    pub(crate) input_digest: Digest,
}

impl WholeBlock {
    /// `at` is where it stands, for whoever is told that it is wrong.
    pub(crate) fn unpack(
        self,
        ciphers: &Ciphers,
        at: &BlockPlace,
    ) -> Result<Vec<UnpackedChunk>, ReadError> {
        let Self { block, header, output, input } = self;
        let open = |cipher: &Cipher, section: Bytes, plain_bytes: u32, compartment| {
            let text = cipher.open(block.number, &header, section.into());
            let text = text.ok_or(at.broken(Break::Authenticity(compartment)))?;
            decompressed(&text, plain_bytes as usize).ok_or(at.broken(Break::Records))
        };
        let shown = open(&ciphers.output, output, block.output_plain_bytes, Compartment::Output)?;
        let sent = match &ciphers.input {
            None => None,
            Some(_) if input.is_empty() => Some(Bytes::new()),
            Some(cipher) => Some(open(cipher, input, block.input_plain_bytes, Compartment::Input)?),
        };
        unpacked(&block, shown, sent).or(Err(at.broken(Break::Records)))
    }
}

fn decompressed(bytes: &[u8], plain_bytes: usize) -> Option<Bytes> {
    let plain = zstd::bulk::decompress(bytes, plain_bytes).ok()?;
    (plain.len() == plain_bytes).then(|| plain.into())
}

/// Cuts a block's sections into chunks that follow each other.
fn unpacked(
    block: &Block,
    shown: Bytes,
    sent: Option<Bytes>,
) -> Result<Vec<UnpackedChunk>, Malformed> {
    let what = "a block's chunks";
    let (mut shown, mut sent) = (Cursor::new(shown), sent.map(Cursor::new));
    let mut chunks = Vec::new();
    let (mut records, mut last_us, mut sent_bytes) = (block.first_record, block.first_us, 0);
    for number in (block.first_chunk..).take(block.n_chunks as usize) {
        let header = shown.take(HEADER_BYTES, what)?;
        let chunk = Chunk::read(header.clone())?;
        if chunk.number != number || chunk.first_record != records || chunk.first_us < last_us {
            return Err(malformed(what));
        }
        records += u64::from(chunk.n_records);
        last_us = chunk.last_us;
        sent_bytes += chunk.sent_bytes();
        let input_digest = if chunk.input_bytes > 0 { shown.array(what)? } else { [0; 32] };
        let output = shown.take((chunk.output_bytes as usize).saturating_sub(TAG_BYTES), what)?;
        let sent_here = usize::try_from(chunk.sent_bytes()).or(Err(malformed(what)))?;
        let input = sent.as_mut().map(|sent| sent.take(sent_here, what)).transpose()?;
        chunks.push(UnpackedChunk {
            plain: PlainChunk { chunk, output, input },
            header,
            input_digest,
        });
    }
    shown.end(what)?;
    sent.map_or(Ok(()), |sent| sent.end(what))?;
    let first_us = chunks.first().map(|first| first.plain.chunk.first_us);
    let is_whole = records == block.first_record + u64::from(block.n_records)
        && (first_us, last_us) == (Some(block.first_us), block.last_us)
        && sent_bytes == u64::from(block.input_plain_bytes);
    if is_whole { Ok(chunks) } else { Err(malformed(what)) }
}

impl UnpackedChunk {
    /// The raw chain after this chunk, as it must have been: the sections are encrypted again as they were.
    pub(crate) fn raw_chain(
        &self,
        before: &Digest,
        raw: &Ciphers,
    ) -> Result<Option<Digest>, ReadError> {
        let Self { plain: PlainChunk { chunk, output, input }, header, input_digest } = self;
        let output = encrypted_digest(&raw.output, chunk.number, header, output)?;
        let input_again = match (&raw.input, input) {
            (Some(cipher), Some(input)) if !input.is_empty() => {
                encrypted_digest(cipher, chunk.number, header, input)?
            }
            (Some(_), Some(_)) => [0; 32],
            (Some(_) | None, _) => *input_digest,
        };
        Ok((input_again == *input_digest).then(|| chained(before, header, &output, input_digest)))
    }
}

fn encrypted_digest(
    cipher: &Cipher,
    number: u64,
    header: &[u8],
    text: &[u8],
) -> Result<Digest, ReadError> {
    let mut section = text.to_vec();
    let tag = cipher.seal(number, header, &mut section)?;
    section.extend_from_slice(&tag);
    Ok(section_digest(&section))
}
