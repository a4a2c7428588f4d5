//! Reads a recording: what session it is of without keys, and step by step with them.

use crate::beginning::{Beginning, read_seal};
use crate::block::{BlockPlace, CHAIN_BYTES};
use crate::chunk::{ChunkKind, Head};
use crate::error::{Break, ReadError};
use crate::event::Compartment;
use crate::header::{Digest, Header};
use crate::index::{Index, MAX_INDEX_BYTES};
use crate::keys::{Keys, Purpose};
use crate::opening::Opening;
use crate::plain::{ChunkSteps, Ciphers};
use crate::raw::{Found, Place};
use crate::record_code::Step;
use crate::seal::{self, PackedSeal, Seal};
use crate::source::Source;
use crate::window::Window;
use std::collections::VecDeque;

/// A recording that is read from its beginning, or from a moment on.
///
/// A recording may still grow: [`Self::next_step`] gives none when it is at the end of what is there, and goes on when
/// there is more. [`Self::is_over`] says whether there can be more.
#[derive(Debug)]
pub struct Reader<S> {
    window: Window<S>,
    beginning: Beginning,
    ciphers: Option<Ciphers>,
    form: Form,
    seal: Option<Seal>,
    /// Chunks whose steps were not all given yet.
    open: VecDeque<ChunkSteps>,
}

#[derive(Debug)]
enum Form {
    Raw(Place),
    Packed { first: BlockPlace, place: BlockPlace },
}

impl<S: Source> Reader<S> {
    /// Without keys everything but the steps can be read.
    pub fn open(source: S, keys: &Keys) -> Result<Self, ReadError> {
        let mut window = Window::new(source);
        let beginning = Beginning::read(&mut window)?;
        beginning.header.check_keys(keys)?;
        let seal = read_seal(&mut window)?.map(|(seal, _)| seal);
        let (form, ciphers) = match beginning.packed {
            None => {
                (Form::Raw(beginning.first), Ciphers::new(keys, &beginning.digest(), Purpose::Raw)?)
            }
            Some(packed) => {
                // Packed recordings are made whole, so one without its seal was cut off.
                let first = seal.as_ref().and_then(|seal| packed.first(&beginning.first, seal));
                let first = first.ok_or(ReadError::NoSeal)?;
                (
                    Form::Packed { first, place: first },
                    Ciphers::new(keys, &packed.header, Purpose::Packed)?,
                )
            }
        };
        Ok(Self { window, beginning, ciphers, form, seal, open: VecDeque::new() })
    }

    pub const fn opening(&self) -> &Opening {
        &self.beginning.header.opening
    }

    pub const fn header(&self) -> &Header {
        &self.beginning.header
    }

    /// Of the raw recording's header, in either form.
    pub const fn header_digest(&self) -> Digest {
        self.beginning.digest()
    }

    /// None while the recording is open.
    pub const fn seal(&self) -> Option<&Seal> {
        self.seal.as_ref()
    }

    pub const fn is_packed(&self) -> bool {
        self.beginning.packed.is_some()
    }

    /// How far this reader is.
    pub const fn head(&self) -> Head {
        match &self.form {
            Form::Raw(place) => place.progress.head,
            Form::Packed { first: _, place } => place.raw.head,
        }
    }

    /// Whether the recording was sealed and every step was read.
    pub fn is_over(&self) -> bool {
        let is_at_end = match &self.form {
            Form::Raw(place) => {
                self.seal.as_ref().is_some_and(|seal| seal.head == place.progress.head)
            }
            Form::Packed { first: _, place } => place.offset >= place.end,
        };
        is_at_end && self.open.is_empty()
    }

    /// The next step; none at the end of what is there now.
    pub fn next_step(&mut self) -> Result<Option<Step>, ReadError> {
        loop {
            while let Some(steps) = self.open.front_mut() {
                match steps.next().or(Err(Break::Records)).map_err(|what| self.form.broken(what))? {
                    Some(step) => return Ok(Some(step)),
                    None => self.open.pop_front(),
                };
            }
            if !self.open_more()? {
                return Ok(None);
            }
        }
    }

    /// Reads the next chunk, or the chunks of the next block.
    fn open_more(&mut self) -> Result<bool, ReadError> {
        let Self { window, ciphers, form, seal, open, beginning: _ } = self;
        let ciphers = || ciphers.as_ref().ok_or(ReadError::NoKey(Compartment::Output));
        match form {
            Form::Raw(place) => {
                let at = *place;
                match place.read(window)? {
                    Found::Nothing => Ok(false),
                    Found::Seal(found) => {
                        *seal = Some(*found);
                        Ok(false)
                    }
                    Found::Chunk(chunk) => {
                        open.extend(chunk.decrypt(ciphers()?, &at)?.steps());
                        Ok(true)
                    }
                }
            }
            Form::Packed { first: _, place } => {
                let at = *place;
                let Some(block) = place.read(window)? else { return Ok(false) };
                let chunks = block.unpack(ciphers()?, &at)?;
                open.extend(chunks.into_iter().filter_map(|chunk| chunk.plain.steps()));
                Ok(true)
            }
        }
    }

    /// Goes to the first step that happened at `at_us` or later.
    pub fn seek(&mut self, at_us: u64) -> Result<(), ReadError> {
        self.open.clear();
        match self.form {
            Form::Raw(place) => self.seek_chunk(place, at_us)?,
            Form::Packed { first, .. } => self.seek_block(first, at_us)?,
        }
        loop {
            while let Some(steps) = self.open.front_mut() {
                match steps.next_at_us() {
                    Some(next_us) if next_us >= at_us => return Ok(()),
                    Some(_) => {
                        steps
                            .next()
                            .or(Err(Break::Records))
                            .map_err(|what| self.form.broken(what))?;
                    }
                    None => {
                        self.open.pop_front();
                    }
                }
            }
            if !self.open_more()? {
                return Ok(());
            }
        }
    }

    fn seek_chunk(&mut self, place: Place, at_us: u64) -> Result<(), ReadError> {
        let mut place = if place.progress.last_us >= at_us { self.beginning.first } else { place };
        loop {
            self.form = Form::Raw(place);
            let next = self.window.exactly(place.progress.bytes, seal::MAGIC.len())?;
            if next.is_none_or(|bytes| bytes == seal::MAGIC.as_slice()) {
                return Ok(());
            }
            match place.skip(&mut self.window)? {
                Some(chunk) if chunk.last_us < at_us && chunk.kind == ChunkKind::Records => {}
                Some(_) | None => return Ok(()),
            }
        }
    }

    fn seek_block(&mut self, first: BlockPlace, at_us: u64) -> Result<(), ReadError> {
        let index = self.index()?;
        let n_before = index.blocks.partition_point(|block| block.last_us < at_us);
        let mut place = first;
        if let Some((before, block)) =
            n_before.checked_sub(1).and_then(|n| Some((index.blocks.get(n)?, n_before)))
        {
            // Where the chain stood is read from the block before; what comes is then checked against it.
            place = BlockPlace { number: block as u64 - 1, offset: before.offset, ..first };
            place.raw.head.chunks = before.first_chunk;
            place.raw.records = before.first_record;
            let (header, _) = place.read_header(&mut self.window)?;
            let chain_at = before.offset + header.total_bytes() - CHAIN_BYTES as u64;
            let chain = self.window.exactly(chain_at, CHAIN_BYTES)?;
            let chain = chain.and_then(|chain| Digest::try_from(chain.as_ref()).ok());
            place.pass(&header, chain.ok_or(place.broken(Break::Chain))?);
        }
        self.form = Form::Packed { first, place };
        Ok(())
    }

    fn index(&mut self) -> Result<Index, ReadError> {
        let packed = self.seal.as_ref().and_then(|seal| seal.packed).ok_or(ReadError::NoSeal)?;
        read_index(&mut self.window, &packed)
    }
}

/// The index that a seal commits to.
pub(crate) fn read_index<S: Source>(
    window: &mut Window<S>,
    packed: &PackedSeal,
) -> Result<Index, ReadError> {
    let length = usize::try_from(packed.index_bytes.min(MAX_INDEX_BYTES + 1)).unwrap_or(usize::MAX);
    let bytes = window.exactly(packed.index_offset, length)?.ok_or(ReadError::Index)?;
    if Index::digest(&bytes) != packed.index {
        return Err(ReadError::Index);
    }
    Index::read(bytes).or(Err(ReadError::Index))
}

impl Form {
    const fn broken(&self, what: Break) -> ReadError {
        match self {
            Self::Raw(place) => place.broken(what),
            Self::Packed { first: _, place } => place.broken(what),
        }
    }
}

/// The steps that are there now, for whoever does not wait for more.
impl<S: Source> Iterator for Reader<S> {
    type Item = Result<Step, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_step().transpose()
    }
}
