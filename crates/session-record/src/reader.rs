//! Reads a recording: what session it is of without keys, and step by step with them.

use crate::chunk::{ChunkKind, Head};
use crate::error::{Break, ReadError};
use crate::event::Compartment;
use crate::header::{Digest, FORMAT_VERSION, Header, PREFIX_BYTES, Prefix, RAW_MAGIC, unframed};
use crate::keys::{Cipher, Keys, Purpose};
use crate::opening::Opening;
use crate::raw::{Found, Place, RawChunk};
use crate::record_code::{RecordCursor, Step};
use crate::seal::{self, Seal};
use crate::source::Source;
use crate::window::Window;
use bytes::Bytes;

/// A recording that is read from its beginning, or from a moment on.
///
/// A recording may still grow: [`Self::next_step`] gives none when it is at the end of what is there, and goes on when
/// there is more. [`Self::is_over`] says whether there can be more.
#[derive(Debug)]
pub struct Reader<S> {
    window: Window<S>,
    header: Header,
    header_digest: Digest,
    ciphers: Option<Ciphers>,
    first: Place,
    place: Place,
    seal: Option<Seal>,
    open: Option<OpenChunk>,
}

#[derive(Debug)]
struct Ciphers {
    output: Cipher,
    input: Option<Cipher>,
}

#[derive(Debug)]
struct OpenChunk {
    records: RecordCursor,
    left: u32,
    last_us: u64,
}

impl<S: Source> Reader<S> {
    /// Without keys everything but the steps can be read.
    pub fn open(source: S, keys: &Keys) -> Result<Self, ReadError> {
        let mut window = Window::new(source);
        let (header, header_digest, first) = read_header(&mut window)?;
        header.check_keys(keys)?;
        let cipher = |compartment, key: &Option<crate::keys::DataKey>| {
            let purpose = Purpose::Raw(compartment);
            key.as_ref().map(|key| key.cipher(&header_digest, purpose)).transpose()
        };
        let output = cipher(Compartment::Output, &keys.output)?;
        let input = cipher(Compartment::Input, &keys.input)?;
        let ciphers = output.map(|output| Ciphers { output, input });
        let seal = read_seal(&mut window)?;
        Ok(Self { window, header, header_digest, ciphers, first, place: first, seal, open: None })
    }

    pub const fn opening(&self) -> &Opening {
        &self.header.opening
    }

    pub const fn header(&self) -> &Header {
        &self.header
    }

    pub const fn header_digest(&self) -> Digest {
        self.header_digest
    }

    /// None while the recording is open.
    pub const fn seal(&self) -> Option<&Seal> {
        self.seal.as_ref()
    }

    /// How far this reader is.
    pub const fn head(&self) -> Head {
        self.place.progress.head
    }

    /// Whether the recording was sealed and every step was read.
    pub const fn is_over(&self) -> bool {
        self.seal.is_some() && self.place.ended && self.open.is_none()
    }

    /// The next step; none at the end of what is there now.
    pub fn next_step(&mut self) -> Result<Option<Step>, ReadError> {
        loop {
            if let Some(step) = self.step_of_open_chunk()? {
                return Ok(Some(step));
            }
            if !self.open_next_chunk()? {
                return Ok(None);
            }
        }
    }

    fn step_of_open_chunk(&mut self) -> Result<Option<Step>, ReadError> {
        let Some(OpenChunk { records, left, last_us }) = &mut self.open else { return Ok(None) };
        let broken = || self.place.broken(Break::Records);
        if *left == 0 {
            records.end().or(Err(broken()))?;
            self.open = None;
            return Ok(None);
        }
        let step = records.step().or(Err(broken()))?;
        *left -= 1;
        if step.at_us() > *last_us || (*left == 0 && step.at_us() != *last_us) {
            return Err(broken());
        }
        Ok(Some(step))
    }

    fn open_next_chunk(&mut self) -> Result<bool, ReadError> {
        let before = self.place;
        match self.place.read(&mut self.window)? {
            Found::Nothing => Ok(false),
            Found::Seal(seal) => {
                self.seal = Some(*seal);
                self.place.ended = true;
                Ok(false)
            }
            Found::Chunk(chunk) => {
                self.open = self.decrypt(&chunk, before)?;
                Ok(true)
            }
        }
    }

    fn decrypt(&self, chunk: &RawChunk, before: Place) -> Result<Option<OpenChunk>, ReadError> {
        let Some(Ciphers { output, input }) = &self.ciphers else {
            return Err(ReadError::NoKey(Compartment::Output));
        };
        let RawChunk { chunk, header, output: output_section, input: input_section } = chunk;
        let open = |cipher: &Cipher, section: &Bytes, compartment| {
            let text = cipher.open(chunk.number, header, section.to_vec());
            text.map(Bytes::from).ok_or(before.broken(Break::Authenticity(compartment)))
        };
        let shown = open(output, output_section, Compartment::Output)?;
        let sent = match input {
            None => None,
            Some(_) if input_section.is_empty() => Some(Bytes::new()),
            Some(cipher) => Some(open(cipher, input_section, Compartment::Input)?),
        };
        let records = RecordCursor::new(shown, sent, chunk.first_us);
        Ok(match chunk.kind {
            ChunkKind::End => None,
            ChunkKind::Records => {
                Some(OpenChunk { records, left: chunk.n_records, last_us: chunk.last_us })
            }
        })
    }

    /// Goes to the first step that happened at `at_us` or later.
    pub fn seek(&mut self, at_us: u64) -> Result<(), ReadError> {
        self.open = None;
        if self.place.progress.last_us >= at_us {
            self.place = self.first;
        }
        loop {
            let before = self.place;
            let is_chunk = self.window.exactly(before.progress.bytes, seal::MAGIC.len())?;
            if is_chunk.is_none_or(|bytes| bytes == seal::MAGIC.as_slice()) {
                return Ok(());
            }
            match self.place.skip(&mut self.window)? {
                Some(chunk) if chunk.last_us < at_us && chunk.kind == ChunkKind::Records => {}
                Some(_) | None => {
                    self.place = before;
                    return self.pass_steps_before(at_us);
                }
            }
        }
    }

    fn pass_steps_before(&mut self, at_us: u64) -> Result<(), ReadError> {
        if !self.open_next_chunk()? {
            return Ok(());
        }
        while let Some(open) = &self.open {
            let mut ahead = open.records.clone();
            if open.left == 0 || ahead.step().is_ok_and(|step| step.at_us() >= at_us) {
                return Ok(());
            }
            self.step_of_open_chunk()?;
        }
        Ok(())
    }
}

/// The steps that are there now, for whoever does not wait for more.
impl<S: Source> Iterator for Reader<S> {
    type Item = Result<Step, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_step().transpose()
    }
}

pub(crate) fn read_header<S: Source>(
    window: &mut Window<S>,
) -> Result<(Header, Digest, Place), ReadError> {
    let prefix = window.exactly(0, PREFIX_BYTES)?.ok_or(ReadError::NotARecording)?;
    let prefix = Prefix::read(prefix).or(Err(ReadError::NotARecording))?;
    if prefix.magic != *RAW_MAGIC {
        return Err(ReadError::NotARecording);
    }
    if prefix.version != FORMAT_VERSION {
        return Err(ReadError::Version { found: prefix.version });
    }
    let bytes = window.exactly(0, prefix.total_bytes)?.ok_or(ReadError::Header)?;
    let (body, digest) = unframed(&bytes).ok_or(ReadError::Header)?;
    let header = Header::read(body).map_err(|source| ReadError::Malformed { offset: 0, source })?;
    Ok((header, digest, Place::first(prefix.total_bytes as u64, digest)))
}

/// The seal at the end of the source, if that is what stands there.
fn read_seal<S: Source>(window: &mut Window<S>) -> Result<Option<Seal>, ReadError> {
    let length = window.length()?;
    let last = window.exactly(length.saturating_sub(12), 12)?;
    let Some(bytes) = last.and_then(|last| seal::length_by_last_bytes(&last)) else {
        return Ok(None);
    };
    let Some(offset) = length.checked_sub(bytes) else { return Ok(None) };
    let seal = window.exactly(offset, usize::try_from(bytes).unwrap_or_default())?;
    Ok(seal.and_then(|seal| Seal::read(&seal).ok()).filter(|seal| seal.raw_bytes == offset))
}
