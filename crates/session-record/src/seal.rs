//! The end of a recording, which can be read without keys: in which state it is, and what it commits to.

use crate::chunk::Head;
use crate::event::{Event, Stream};
use crate::header::{Digest, sha256};
use crate::opening::Ending;
use crate::opening_code::{ending, put_ending};
use crate::wire::{Cursor, Malformed, malformed, put_option, put_signed, put_varint};
use bytes::Bytes;

pub(crate) const MAGIC: &[u8; 8] = b"weirseal";
const LAST_BYTES: &[u8; 8] = b"weir-end";
/// Longest body; reasons are the only part without a bound of their own, and are cut before.
pub const MAX_SEAL_BODY_BYTES: usize = 64 << 10;
/// What a writer keeps free on disk, so that an end and a seal always fit.
pub const SEAL_RESERVE_BYTES: u64 = 64 << 10;
/// Magic and length before the body; digest, length and last bytes after it.
pub(crate) const FRAME_BYTES: usize = 12 + 32 + 12;

/// What a recording came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Ended by whoever recorded it, with all that was recorded.
    Sealed,
    /// Whoever recorded it was gone; what was on disk is here.
    Recovered,
    /// The recording failed, and the session with it.
    Damaged,
}

/// The last words of a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seal {
    pub state: State,
    pub ending: Ending,
    /// Milliseconds since 1970 (UTC), by the clock of whoever sealed.
    pub at_ms: i64,
    /// Time of the last record.
    pub last_us: u64,
    /// Of the raw recording's header.
    pub header: Digest,
    /// After the last chunk, the end included.
    pub head: Head,
    /// Bytes of the raw recording before the seal.
    pub raw_bytes: u64,
    pub records: u64,
    /// Bytes that the person sent.
    pub sent_bytes: u64,
    /// None where the seal was written without keys.
    pub totals: Option<Totals>,
    /// What a recovery found after the last whole chunk, where there was something.
    pub torn: Option<Torn>,
    /// Where the recording was compressed.
    pub packed: Option<PackedSeal>,
}

/// Sums of a recording. The end chunk repeats them encrypted, so that they cannot be written by others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    pub records: u64,
    pub stdin_bytes: u64,
    pub stdout_bytes: u64,
    pub stderr_bytes: u64,
    pub to_port_bytes: u64,
    pub from_port_bytes: u64,
    pub connections: u64,
    pub calls: u64,
}

/// Bytes that were not whole when a recording was recovered. They are kept beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Torn {
    pub bytes: u64,
    pub digest: Digest,
}

/// What a seal says of the compressed form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackedSeal {
    /// Of the compressed form's header.
    pub header: Digest,
    pub blocks: u64,
    /// After the last block.
    pub chain: Digest,
    pub index_offset: u64,
    pub index_bytes: u64,
    pub index: Digest,
}

impl State {
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Sealed => "sealed",
            Self::Recovered => "recovered",
            Self::Damaged => "damaged",
        }
    }
}

impl Totals {
    pub(crate) fn count(&mut self, event: &Event) {
        match event {
            Event::Data { stream, bytes } => return self.count_bytes(*stream, bytes.len() as u64),
            Event::Connected { .. } => self.connections += 1,
            Event::Call { .. } => self.calls += 1,
            Event::End { .. }
            | Event::Resize { .. }
            | Event::Status { .. }
            | Event::ConnectionError { .. }
            | Event::Disconnected { .. }
            | Event::Notice { .. }
            | Event::Frozen { .. }
            | Event::Thawed { .. }
            | Event::Marker { .. } => {}
        }
        self.records += 1;
    }

    /// Counts a record of which only the length may be known.
    pub(crate) const fn count_bytes(&mut self, stream: Stream, length: u64) {
        self.records += 1;
        let sum = match stream {
            Stream::Stdin => &mut self.stdin_bytes,
            Stream::Stdout => &mut self.stdout_bytes,
            Stream::Stderr => &mut self.stderr_bytes,
            Stream::ToPort { connection: _ } => &mut self.to_port_bytes,
            Stream::FromPort { connection: _ } => &mut self.from_port_bytes,
        };
        *sum = sum.saturating_add(length);
    }

    pub(crate) fn write(&self, into: &mut Vec<u8>) {
        let Self {
            records,
            stdin_bytes,
            stdout_bytes,
            stderr_bytes,
            to_port_bytes,
            from_port_bytes,
            connections,
            calls,
        } = *self;
        let numbers = [
            records,
            stdin_bytes,
            stdout_bytes,
            stderr_bytes,
            to_port_bytes,
            from_port_bytes,
            connections,
            calls,
        ];
        for number in numbers {
            put_varint(into, number);
        }
    }

    pub(crate) fn read(cursor: &mut Cursor) -> Result<Self, Malformed> {
        let what = "the sums of a recording";
        Ok(Self {
            records: cursor.varint(what)?,
            stdin_bytes: cursor.varint(what)?,
            stdout_bytes: cursor.varint(what)?,
            stderr_bytes: cursor.varint(what)?,
            to_port_bytes: cursor.varint(what)?,
            from_port_bytes: cursor.varint(what)?,
            connections: cursor.varint(what)?,
            calls: cursor.varint(what)?,
        })
    }
}

/// What the end chunk has encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) ending: Ending,
    pub(crate) at_ms: i64,
    pub(crate) totals: Totals,
}

impl End {
    pub(crate) fn write(&self) -> Vec<u8> {
        let Self { ending, at_ms, totals } = self;
        let mut bytes = Vec::new();
        put_ending(&mut bytes, ending);
        put_signed(&mut bytes, *at_ms);
        totals.write(&mut bytes);
        bytes
    }

    pub(crate) fn read(bytes: Bytes) -> Result<Self, Malformed> {
        let mut cursor = Cursor::new(bytes);
        let end = Self {
            ending: ending(&mut cursor)?,
            at_ms: cursor.signed("the time of the end")?,
            totals: Totals::read(&mut cursor)?,
        };
        cursor.end("the end chunk")?;
        Ok(end)
    }
}

impl Seal {
    /// The seal as the file has it, from its magic to its last bytes.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        let body = self.body();
        let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
        let mut bytes = Vec::with_capacity(FRAME_BYTES + body.len());
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(&body);
        let digest = sha256(&[&bytes]);
        bytes.extend_from_slice(&digest);
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(LAST_BYTES);
        bytes
    }

    /// What commits to the whole file: the digest that the seal has of itself.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let body = self.body();
        let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
        sha256(&[MAGIC, &length.to_le_bytes(), &body])
    }

    fn body(&self) -> Vec<u8> {
        let Self { state, ending, at_ms, last_us, header, head, raw_bytes, .. } = self;
        let Self { records, sent_bytes, totals, torn, packed, .. } = self;
        let mut body = vec![state_byte(*state)];
        put_ending(&mut body, ending);
        put_signed(&mut body, *at_ms);
        put_varint(&mut body, *last_us);
        body.extend_from_slice(header);
        put_varint(&mut body, head.chunks);
        body.extend_from_slice(&head.chain);
        put_varint(&mut body, *raw_bytes);
        put_varint(&mut body, *records);
        put_varint(&mut body, *sent_bytes);
        put_option(&mut body, totals.as_ref(), |into, totals| totals.write(into));
        put_option(&mut body, torn.as_ref(), |into, torn| {
            put_varint(into, torn.bytes);
            into.extend_from_slice(&torn.digest);
        });
        put_option(&mut body, packed.as_ref(), |into, packed| packed.write(into));
        body
    }

    /// Reads the part between length and digest.
    pub(crate) fn read_body(body: Bytes) -> Result<Self, Malformed> {
        let mut cursor = Cursor::new(body);
        let what = "the seal";
        let seal = Self {
            state: state(cursor.byte(what)?)?,
            ending: ending(&mut cursor)?,
            at_ms: cursor.signed(what)?,
            last_us: cursor.varint(what)?,
            header: cursor.array(what)?,
            head: Head { chunks: cursor.varint(what)?, chain: cursor.array(what)? },
            raw_bytes: cursor.varint(what)?,
            records: cursor.varint(what)?,
            sent_bytes: cursor.varint(what)?,
            totals: cursor.option(what, Totals::read)?,
            torn: cursor.option(what, |cursor| {
                Ok(Torn { bytes: cursor.varint(what)?, digest: cursor.array(what)? })
            })?,
            packed: cursor.option(what, PackedSeal::read)?,
        };
        cursor.end(what)?;
        Ok(seal)
    }

    /// Takes a whole seal, from its magic to its last bytes.
    pub(crate) fn read(bytes: &Bytes) -> Result<Self, Malformed> {
        let what = "the seal";
        let mut cursor = Cursor::new(bytes.clone());
        let magic: [u8; 8] = cursor.array(what)?;
        let length = u32::from_le_bytes(cursor.array(what)?);
        let n_bytes = usize::try_from(length).or(Err(malformed(what)))?;
        if magic != *MAGIC || n_bytes > MAX_SEAL_BODY_BYTES {
            return Err(malformed(what));
        }
        let body = cursor.take(n_bytes, what)?;
        let digest: Digest = cursor.array(what)?;
        let again = u32::from_le_bytes(cursor.array(what)?);
        let last: [u8; 8] = cursor.array(what)?;
        cursor.end(what)?;
        let is_whole = digest == sha256(&[MAGIC, &length.to_le_bytes(), &body])
            && again == length
            && last == *LAST_BYTES;
        if is_whole { Self::read_body(body) } else { Err(malformed(what)) }
    }
}

impl PackedSeal {
    fn write(&self, into: &mut Vec<u8>) {
        let Self { header, blocks, chain, index_offset, index_bytes, index } = self;
        into.extend_from_slice(header);
        put_varint(into, *blocks);
        into.extend_from_slice(chain);
        put_varint(into, *index_offset);
        put_varint(into, *index_bytes);
        into.extend_from_slice(index);
    }

    fn read(cursor: &mut Cursor) -> Result<Self, Malformed> {
        let what = "the seal of the compressed form";
        Ok(Self {
            header: cursor.array(what)?,
            blocks: cursor.varint(what)?,
            chain: cursor.array(what)?,
            index_offset: cursor.varint(what)?,
            index_bytes: cursor.varint(what)?,
            index: cursor.array(what)?,
        })
    }
}

/// How long a seal is whose last 12 bytes these are, none where it is no seal.
pub(crate) fn length_by_last_bytes(bytes: &Bytes) -> Option<u64> {
    let mut cursor = Cursor::new(bytes.clone());
    let length = u32::from_le_bytes(cursor.array("length").ok()?);
    let last: [u8; 8] = cursor.array("last bytes").ok()?;
    let is_seal = last == *LAST_BYTES && length as usize <= MAX_SEAL_BODY_BYTES;
    is_seal.then(|| u64::from(length) + FRAME_BYTES as u64)
}

const fn state_byte(state: State) -> u8 {
    match state {
        State::Sealed => 0,
        State::Recovered => 1,
        State::Damaged => 2,
    }
}

fn state(byte: u8) -> Result<State, Malformed> {
    match byte {
        0 => Ok(State::Sealed),
        1 => Ok(State::Recovered),
        2 => Ok(State::Damaged),
        _ => Err(malformed("the state")),
    }
}

/// Whether these are the first bytes of a seal of which the rest is not there yet.
pub(crate) fn is_beginning(bytes: &Bytes) -> bool {
    let mut cursor = Cursor::new(bytes.clone());
    let Ok(magic) = cursor.array::<8>("magic") else { return true };
    let Ok(length) = cursor.array("length").map(u32::from_le_bytes) else { return magic == *MAGIC };
    let is_possible = magic == *MAGIC && length as usize <= MAX_SEAL_BODY_BYTES;
    is_possible && bytes.len() < length as usize + FRAME_BYTES
}
