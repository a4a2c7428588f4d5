//! Reads a raw recording chunk by chunk, with or without keys.

use crate::chunk::{
    CHAIN_BYTES, Chunk, ChunkKind, HEADER_BYTES, Head, Progress, chained, section_digest,
};
use crate::error::{Break, ReadError};
use crate::header::Digest;
use crate::seal::{self, FRAME_BYTES, MAX_SEAL_BODY_BYTES, Seal};
use crate::source::Source;
use crate::window::Window;
use bytes::Bytes;

/// Where a reader is, and what has to come next there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// Of all before.
    pub(crate) progress: Progress,
    pub(crate) ended: bool,
}

/// A chunk, whole and where the chain says it belongs.
#[derive(Debug, Clone)]
pub(crate) struct RawChunk {
    pub(crate) chunk: Chunk,
    pub(crate) header: Bytes,
    pub(crate) output: Bytes,
    pub(crate) input: Bytes,
    /// After it.
    pub(crate) chain: Digest,
}

/// What stands at a place.
#[derive(Debug)]
pub(crate) enum Found {
    Chunk(Box<RawChunk>),
    Seal(Box<Seal>),
    /// The file ends here, perhaps inside of a chunk that is being written.
    Nothing,
}

impl Place {
    pub(crate) const fn first(header_bytes: u64, header: Digest) -> Self {
        let head = Head { chunks: 0, chain: header };
        let progress =
            Progress { head, bytes: header_bytes, records: 0, last_us: 0, sent_bytes: 0 };
        Self { progress, ended: false }
    }

    /// Reads what stands here and goes behind it.
    pub(crate) fn read<S: Source>(&mut self, window: &mut Window<S>) -> Result<Found, ReadError> {
        let Some(first) = window.exactly(self.progress.bytes, seal::MAGIC.len())? else {
            return Ok(Found::Nothing);
        };
        if first == seal::MAGIC.as_slice() {
            return self.read_seal(window);
        }
        let Some((chunk, header)) = self.read_header(window)? else { return Ok(Found::Nothing) };
        let sections = (chunk.output_bytes + chunk.input_bytes) as usize;
        let rest =
            window.exactly(self.progress.bytes + HEADER_BYTES as u64, sections + CHAIN_BYTES)?;
        let Some(rest) = rest else { return Ok(Found::Nothing) };
        let output = rest.slice(..chunk.output_bytes as usize);
        let input = rest.slice(chunk.output_bytes as usize..sections);
        let chain = chained(
            &self.progress.head.chain,
            &header,
            &section_digest(&output),
            &section_digest(&input),
        );
        if rest.slice(sections..) != chain.as_slice() {
            return Err(self.broken(Break::Chain));
        }
        self.pass(&chunk, chain);
        Ok(Found::Chunk(Box::new(RawChunk { chunk, header, output, input, chain })))
    }

    /// Reads a chunk's header and goes behind the chunk, trusting the chain that is written there. For finding a
    /// place; what is then read from there is checked.
    pub(crate) fn skip<S: Source>(
        &mut self,
        window: &mut Window<S>,
    ) -> Result<Option<Chunk>, ReadError> {
        let Some((chunk, _)) = self.read_header(window)? else { return Ok(None) };
        let chain = window
            .exactly(self.progress.bytes + chunk.total_bytes() - CHAIN_BYTES as u64, CHAIN_BYTES)?;
        let Some(chain) = chain.and_then(|chain| Digest::try_from(chain.as_ref()).ok()) else {
            return Ok(None);
        };
        self.pass(&chunk, chain);
        Ok(Some(chunk))
    }

    pub(crate) fn read_header<S: Source>(
        &self,
        window: &mut Window<S>,
    ) -> Result<Option<(Chunk, Bytes)>, ReadError> {
        let Some(header) = window.exactly(self.progress.bytes, HEADER_BYTES)? else {
            return Ok(None);
        };
        let chunk = Chunk::read(header.clone())
            .map_err(|source| ReadError::Malformed { offset: self.progress.bytes, source })?;
        let is_next = chunk.number == self.progress.head.chunks
            && chunk.first_record == self.progress.records
            && chunk.first_us >= self.progress.last_us
            && !self.ended;
        if is_next { Ok(Some((chunk, header))) } else { Err(self.broken(Break::Order)) }
    }

    fn pass(&mut self, chunk: &Chunk, chain: Digest) {
        let Progress { head, bytes, records, last_us: _, sent_bytes } = self.progress;
        let progress = Progress {
            head: Head { chunks: head.chunks + 1, chain },
            bytes: bytes + chunk.total_bytes(),
            records: records + u64::from(chunk.n_records),
            last_us: chunk.last_us,
            sent_bytes: sent_bytes + chunk.sent_bytes(),
        };
        *self = Self { progress, ended: chunk.kind == ChunkKind::End };
    }

    fn read_seal<S: Source>(&self, window: &mut Window<S>) -> Result<Found, ReadError> {
        let malformed = |source| ReadError::Malformed { offset: self.progress.bytes, source };
        let rest = window.length()?.saturating_sub(self.progress.bytes);
        let longest = (MAX_SEAL_BODY_BYTES + FRAME_BYTES) as u64;
        let length = usize::try_from(rest.min(longest + 1)).unwrap_or_default();
        let Some(bytes) = window.exactly(self.progress.bytes, length)? else {
            return Ok(Found::Nothing);
        };
        if seal::is_beginning(&bytes) {
            return Ok(Found::Nothing);
        }
        Seal::read(&bytes).map(|seal| Found::Seal(Box::new(seal))).map_err(malformed)
    }

    pub(crate) const fn broken(&self, what: Break) -> ReadError {
        ReadError::Broken { chunk: self.progress.head.chunks, offset: self.progress.bytes, what }
    }
}
