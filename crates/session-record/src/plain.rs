//! A chunk with its sections decrypted, from whichever form of a recording.

use crate::chunk::{Chunk, ChunkKind};
use crate::error::{Break, ReadError};
use crate::event::Compartment;
use crate::header::Digest;
use crate::keys::{Cipher, CipherRefused, Keys, Purpose};
use crate::raw::{Place, RawChunk};
use crate::record_code::{RecordCursor, Step};
use crate::seal::End;
use bytes::Bytes;

/// What opens the sections of one file.
#[derive(Debug)]
pub(crate) struct Ciphers {
    pub(crate) output: Cipher,
    pub(crate) input: Option<Cipher>,
}

#[derive(Debug)]
pub(crate) struct PlainChunk {
    pub(crate) chunk: Chunk,
    pub(crate) output: Bytes,
    /// None where the key is not at hand; empty where nothing was sent.
    pub(crate) input: Option<Bytes>,
}

/// Gives the records of a chunk and checks that they are what its header says.
#[derive(Debug)]
pub(crate) struct ChunkSteps {
    records: RecordCursor,
    left: u32,
    last_us: u64,
}

impl Ciphers {
    /// None without the output's key, without which nothing can be read.
    pub(crate) fn new(
        keys: &Keys,
        header: &Digest,
        purpose: fn(Compartment) -> Purpose,
    ) -> Result<Option<Self>, CipherRefused> {
        let Keys { output, input } = keys;
        let Some(output) = output else { return Ok(None) };
        let output = output.cipher(header, purpose(Compartment::Output))?;
        let input = input
            .as_ref()
            .map(|key| key.cipher(header, purpose(Compartment::Input)))
            .transpose()?;
        Ok(Some(Self { output, input }))
    }
}

impl RawChunk {
    /// `at` is where it stands, for whoever is told that it is wrong.
    pub(crate) fn decrypt(self, ciphers: &Ciphers, at: &Place) -> Result<PlainChunk, ReadError> {
        let Self { chunk, header, output, input, chain: _ } = self;
        let open = |cipher: &Cipher, section: Bytes, compartment| {
            let text = cipher.open(chunk.number, &header, section.into());
            text.map(Bytes::from).ok_or(at.broken(Break::Authenticity(compartment)))
        };
        Ok(PlainChunk {
            chunk,
            output: open(&ciphers.output, output, Compartment::Output)?,
            input: match &ciphers.input {
                None => None,
                Some(_) if input.is_empty() => Some(Bytes::new()),
                Some(cipher) => Some(open(cipher, input, Compartment::Input)?),
            },
        })
    }
}

impl PlainChunk {
    /// None for the end.
    pub(crate) fn steps(self) -> Option<ChunkSteps> {
        let Self { chunk, output, input } = self;
        match chunk.kind {
            ChunkKind::End => None,
            ChunkKind::Records => Some(ChunkSteps {
                records: RecordCursor::new(output, input, chunk.first_us),
                left: chunk.n_records,
                last_us: chunk.last_us,
            }),
        }
    }

    /// What the last chunk says; none for the others.
    pub(crate) fn end(&self) -> Option<Result<End, crate::wire::Malformed>> {
        match self.chunk.kind {
            ChunkKind::End => Some(End::read(self.output.clone())),
            ChunkKind::Records => None,
        }
    }
}

/// The records of a chunk are not what its header says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NotAsTheHeaderSays;

impl ChunkSteps {
    pub(crate) fn next(&mut self) -> Result<Option<Step>, NotAsTheHeaderSays> {
        let Self { records, left, last_us } = self;
        if *left == 0 {
            return records.end().map(|()| None).or(Err(NotAsTheHeaderSays));
        }
        let step = records.step().or(Err(NotAsTheHeaderSays))?;
        *left -= 1;
        // The last record's time is the chunk's.
        let is_in_time = step.at_us() == *last_us || (step.at_us() < *last_us && *left > 0);
        if is_in_time { Ok(Some(step)) } else { Err(NotAsTheHeaderSays) }
    }

    /// When the next record happened.
    pub(crate) fn next_at_us(&self) -> Option<u64> {
        (self.left > 0).then(|| self.records.clone().step().ok()).flatten().map(|step| step.at_us())
    }
}
