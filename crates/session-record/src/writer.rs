//! Turns events into the bytes of a raw recording. Whoever has the file appends them; nothing is rewritten.

use crate::chunk::{Chunk, ChunkKind, HEADER_BYTES, Head, Progress, chained, section_digest};
use crate::event::{Compartment, Event, Stream};
use crate::header::{Digest, Header, HeaderError};
use crate::keys::{Cipher, CipherRefused, KeyPair, Purpose, TAG_BYTES};
use crate::opening::Ending;
use crate::record_code::{payload_bytes, put_event};
use crate::scan::KeylessEnd;
use crate::seal::{End, Seal, State, Totals};
use bytes::Bytes;
use std::mem;
use thiserror::Error;

/// A chunk is closed when it has this many bytes.
pub const CHUNK_BYTES: usize = 256 << 10;
/// Longest text or object of one event. Data may be longer; it is written as several records.
pub const MAX_EVENT_BYTES: usize = 1 << 20;

/// A recording that is being written.
#[derive(Debug)]
pub struct Writer {
    header: Digest,
    output: Cipher,
    input: Cipher,
    chain: Digest,
    /// Of the next chunk. A number is used once: it is the nonce of both ciphers.
    number: u64,
    written: Written,
    /// Whole chunks, and after them the open one, not yet encrypted.
    buffer: Vec<u8>,
    open: Option<OpenChunk>,
    /// What the person sent, of the open chunk.
    sent: Vec<u8>,
}

/// Sums over what was pushed.
#[derive(Debug, Clone, Copy, Default)]
struct Written {
    /// Of the file so far, without what is in the buffer.
    bytes: u64,
    totals: Totals,
    last_us: u64,
}

#[derive(Debug, Clone, Copy)]
struct OpenChunk {
    /// Where it begins in the buffer.
    start: usize,
    first_record: u64,
    first_us: u64,
}

/// An event that cannot be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum WriteError {
    #[error("an event has {bytes} bytes, of which {MAX_EVENT_BYTES} can be recorded")]
    TooLong { bytes: usize },
    #[error(transparent)]
    Cipher(#[from] CipherRefused),
}

/// A recording cannot begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BeginError {
    #[error(transparent)]
    Header(#[from] HeaderError),
    #[error(transparent)]
    Cipher(#[from] CipherRefused),
}

/// How a recording ended, and its last bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Everything that was still in the buffer, and the end chunk.
    pub bytes: Vec<u8>,
    /// Comes after them. Its state may be changed when they could not be written where they belong; they may not.
    pub seal: Seal,
}

impl Writer {
    /// Gives the header's bytes as well, with which the file begins.
    pub fn begin(header: &Header, keys: &KeyPair) -> Result<(Self, Bytes), BeginError> {
        let written = header.write()?;
        let digest = written.digest;
        let writer = Self {
            header: digest,
            output: keys.output.cipher(&digest, Purpose::Raw(Compartment::Output))?,
            input: keys.input.cipher(&digest, Purpose::Raw(Compartment::Input))?,
            chain: digest,
            number: 0,
            written: Written { bytes: written.bytes.len() as u64, ..Written::default() },
            buffer: Vec::new(),
            open: None,
            sent: Vec::new(),
        };
        Ok((writer, written.bytes))
    }

    #[must_use]
    pub const fn header_digest(&self) -> Digest {
        self.header
    }

    /// After all that was cut.
    #[must_use]
    pub const fn progress(&self) -> Progress {
        let Written { bytes, totals, last_us } = self.written;
        Progress {
            head: Head { chunks: self.number, chain: self.chain },
            bytes,
            records: totals.records,
            last_us,
            sent_bytes: totals.stdin_bytes + totals.to_port_bytes,
        }
    }

    /// How many bytes [`Self::cut`] would give, about.
    #[must_use]
    pub const fn pending_bytes(&self) -> usize {
        self.buffer.len() + self.sent.len()
    }

    /// Takes an event. Times that go back are taken as the last one.
    pub fn push(&mut self, at_us: u64, event: &Event) -> Result<(), WriteError> {
        if let Event::Data { stream, bytes } = event {
            return self.push_data(at_us, *stream, bytes.clone());
        }
        let bytes = payload_bytes(event);
        if bytes > MAX_EVENT_BYTES {
            return Err(WriteError::TooLong { bytes });
        }
        self.push_one(at_us, event)
    }

    fn push_data(
        &mut self,
        at_us: u64,
        stream: Stream,
        mut bytes: Bytes,
    ) -> Result<(), WriteError> {
        while !bytes.is_empty() {
            let piece = bytes.split_to(bytes.len().min(CHUNK_BYTES));
            self.push_one(at_us, &Event::Data { stream, bytes: piece })?;
        }
        Ok(())
    }

    fn push_one(&mut self, at_us: u64, event: &Event) -> Result<(), WriteError> {
        let Written { bytes: _, totals, last_us } = &mut self.written;
        let at_us = at_us.max(*last_us);
        let open = self.open.get_or_insert_with(|| {
            let start = self.buffer.len();
            self.buffer.extend_from_slice(&[0; HEADER_BYTES]);
            *last_us = at_us;
            OpenChunk { start, first_record: totals.records, first_us: at_us }
        });
        put_event(&mut self.buffer, &mut self.sent, at_us.saturating_sub(*last_us), event);
        *last_us = at_us;
        totals.count(event);
        let start = open.start;
        if self.buffer.len().saturating_sub(start).max(self.sent.len()) >= CHUNK_BYTES {
            self.close(ChunkKind::Records)?;
        }
        Ok(())
    }

    /// Encrypts the open chunk, if there is one.
    fn close(&mut self, kind: ChunkKind) -> Result<(), CipherRefused> {
        let Some(OpenChunk { start, first_record, first_us }) = self.open.take() else {
            return Ok(());
        };
        let section = |length: usize| u32::try_from(length).or(Err(CipherRefused));
        let output_length = self.buffer.len().saturating_sub(start + HEADER_BYTES) + TAG_BYTES;
        let input_length = if self.sent.is_empty() { 0 } else { self.sent.len() + TAG_BYTES };
        let records = self.written.totals.records.saturating_sub(first_record);
        let header = Chunk {
            kind,
            number: self.number,
            first_record,
            n_records: u32::try_from(records).or(Err(CipherRefused))?,
            output_bytes: section(output_length)?,
            input_bytes: section(input_length)?,
            first_us,
            last_us: self.written.last_us,
        }
        .write();
        // The number is used up whatever happens from here on.
        let number = self.number;
        self.number += 1;
        let output = sealed(&self.output, number, &header, self.buffer.get_mut(start..))?;
        self.buffer.extend_from_slice(&output.tag);
        let output = section_digest(self.buffer.get(start + HEADER_BYTES..).unwrap_or_default());
        let input = self.close_input(number, &header)?;
        self.chain = chained(&self.chain, &header, &output, &input);
        self.buffer.extend_from_slice(&self.chain);
        Ok(())
    }

    /// Encrypts and appends what the person sent; its digest.
    fn close_input(&mut self, number: u64, header: &[u8]) -> Result<Digest, CipherRefused> {
        if self.sent.is_empty() {
            return Ok(section_digest(&[]));
        }
        let tag = self.input.seal(number, header, &mut self.sent)?;
        self.sent.extend_from_slice(&tag);
        self.buffer.extend_from_slice(&self.sent);
        let digest = section_digest(&self.sent);
        // A quiet session keeps nothing of a big transfer before.
        self.sent = Vec::new();
        Ok(digest)
    }

    /// Closes the open chunk and gives all bytes that are to be appended to the file, which may be none. `spare` is
    /// a buffer to go on with.
    pub fn cut(&mut self, mut spare: Vec<u8>) -> Result<Vec<u8>, CipherRefused> {
        self.close(ChunkKind::Records)?;
        spare.clear();
        let bytes = mem::replace(&mut self.buffer, spare);
        self.written.bytes += bytes.len() as u64;
        Ok(bytes)
    }

    /// Makes the end chunk and the seal.
    pub fn end(mut self, state: State, ending: Ending, at_ms: i64) -> Result<Ended, CipherRefused> {
        self.close(ChunkKind::Records)?;
        let ending = ending.bounded();
        let Written { bytes: _, totals, last_us } = self.written;
        let end = End { ending: ending.clone(), at_ms, totals }.write();
        let start = self.buffer.len();
        self.buffer.extend_from_slice(&[0; HEADER_BYTES]);
        self.buffer.extend_from_slice(&end);
        self.open = Some(OpenChunk { start, first_record: totals.records, first_us: last_us });
        self.close(ChunkKind::End)?;
        self.written.bytes += self.buffer.len() as u64;
        let end = KeylessEnd { state, ending, at_ms, torn: None };
        let seal = Seal { totals: Some(totals), ..self.progress().seal(self.header, end) };
        Ok(Ended { bytes: self.buffer, seal })
    }
}

struct Tagged {
    tag: [u8; TAG_BYTES],
}

/// Encrypts a chunk's output section, which begins after room for the header, and fills that room.
fn sealed(
    cipher: &Cipher,
    number: u64,
    header: &[u8; HEADER_BYTES],
    chunk: Option<&mut [u8]>,
) -> Result<Tagged, CipherRefused> {
    let (room, text) =
        chunk.and_then(|chunk| chunk.split_at_mut_checked(HEADER_BYTES)).ok_or(CipherRefused)?;
    room.copy_from_slice(header);
    Ok(Tagged { tag: cipher.seal(number, header, text)? })
}
