//! Finds how much of a raw recording is good, without keys, and seals it where nobody else will.

use crate::beginning::Beginning;
use crate::chunk::Progress;
use crate::error::ReadError;
use crate::header::{Digest, Header};
use crate::opening::Ending;
use crate::raw::{Found, Place};
use crate::seal::{Seal, State, Torn};
use crate::source::Source;
use crate::window::Window;

/// What is whole of a raw recording: header, chunks that continue the chain, and perhaps a seal.
#[derive(Debug)]
pub struct Scan {
    pub header: Header,
    pub header_digest: Digest,
    /// Up to the end of the last good chunk.
    pub good: Progress,
    /// Of the whole source.
    pub bytes: u64,
    /// Whether the last good chunk is the end.
    pub has_end: bool,
    /// Where it has one; then nothing follows.
    pub seal: Option<Seal>,
    /// Why the scan ended before the source did.
    pub stopped: Option<ReadError>,
}

/// What a recovery may say of a recording whose keys it does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeylessEnd {
    pub state: State,
    pub ending: Ending,
    pub at_ms: i64,
    pub torn: Option<Torn>,
}

impl Scan {
    /// Fails only where there is no good header, or where the source does.
    pub fn new<S: Source>(source: S) -> Result<Self, ReadError> {
        let mut window = Window::new(source);
        let beginning = Beginning::read(&mut window)?;
        if beginning.packed.is_some() {
            return Err(ReadError::NotARecording);
        }
        let (header_digest, header, mut place) =
            (beginning.digest(), beginning.header, beginning.first);
        let mut seal = None;
        let mut stopped = None;
        loop {
            match place.read(&mut window) {
                Ok(Found::Chunk(_)) => {}
                Ok(Found::Seal(found)) => {
                    seal = Some(*found);
                    break;
                }
                Ok(Found::Nothing) => break,
                Err(ReadError::Source(error)) => return Err(ReadError::Source(error)),
                Err(error) => {
                    stopped = Some(error);
                    break;
                }
            }
        }
        let Place { progress: good, ended: has_end } = place;
        Ok(Self { header, header_digest, good, bytes: window.length()?, has_end, seal, stopped })
    }

    /// Bytes after what is good: a chunk or a seal that was being written, or something changed.
    #[must_use]
    pub fn torn_bytes(&self) -> u64 {
        if self.seal.is_some() { 0 } else { self.bytes.saturating_sub(self.good.bytes) }
    }
}

impl Progress {
    /// The seal for all up to here; it belongs behind it.
    #[must_use]
    pub fn seal(&self, header: Digest, end: KeylessEnd) -> Seal {
        let KeylessEnd { state, ending, at_ms, torn } = end;
        Seal {
            state,
            ending: ending.bounded(),
            at_ms,
            last_us: self.last_us,
            header,
            head: self.head,
            raw_bytes: self.bytes,
            records: self.records,
            sent_bytes: self.sent_bytes,
            totals: None,
            torn,
            packed: None,
        }
    }
}
