//! The beginning of a second file, where the first could not be appended to any more.
//!
//! The bytes behind it go on where the first file's bytes up to `offset` end, as if they stood there: same chain, same
//! ciphers, no number twice. What the first file has behind `offset` is not part of the recording.

use crate::beginning::Beginning;
use crate::error::ReadError;
use crate::header::{Digest, FORMAT_VERSION, sha256};
use crate::source::{Source, SourceError};
use crate::window::Window;
use crate::wire::{Cursor, malformed};
use bytes::{Bytes, BytesMut};

const MAGIC: &[u8; 8] = b"weirmore";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Continuation {
    /// Of the recording that goes on.
    pub header: Digest,
    pub offset: u64,
}

/// Two files as the one that they would have been.
#[derive(Debug)]
pub struct Continued<A, B> {
    first: A,
    offset: u64,
    more: B,
}

impl Continuation {
    pub const BYTES: usize = 88;

    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        let Self { header, offset } = self;
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
        bytes.extend_from_slice(&[0; 6]);
        bytes.extend_from_slice(&offset.to_le_bytes());
        bytes.extend_from_slice(header);
        let digest = sha256(&[&bytes]);
        bytes.extend_from_slice(&digest);
        bytes
    }

    pub fn read(bytes: &Bytes) -> Result<Self, ReadError> {
        let what = "the beginning of a continuation";
        let failed = |source| ReadError::Malformed { offset: 0, source };
        let mut cursor = Cursor::new(bytes.clone());
        let magic: [u8; 8] = cursor.array(what).map_err(failed)?;
        let version = u16::from_le_bytes(cursor.array(what).map_err(failed)?);
        let zero: [u8; 6] = cursor.array(what).map_err(failed)?;
        let offset = u64::from_le_bytes(cursor.array(what).map_err(failed)?);
        let header = cursor.array(what).map_err(failed)?;
        let digest: Digest = cursor.array(what).map_err(failed)?;
        let covered = bytes.get(..Self::BYTES - digest.len()).unwrap_or_default();
        if magic != *MAGIC || zero != [0; 6] || digest != sha256(&[covered]) {
            return Err(failed(malformed(what)));
        }
        if version != FORMAT_VERSION {
            return Err(ReadError::Version { found: version });
        }
        Ok(Self { header, offset })
    }
}

impl<A: Source, B: Source> Continued<A, B> {
    /// `more` begins with a [`Continuation`] of the recording in `first`.
    pub fn new(first: A, more: B) -> Result<Self, ReadError> {
        let beginning = more.read(0, Continuation::BYTES)?;
        let Continuation { header, offset } = Continuation::read(&beginning)?;
        let beginning = Beginning::read(&mut Window::new(&first))?;
        if beginning.digest() != header || beginning.packed.is_some() || offset > first.length()? {
            return Err(ReadError::NotContinued);
        }
        Ok(Self { first, offset, more })
    }
}

impl<A: Source, B: Source> Source for Continued<A, B> {
    fn length(&self) -> Result<u64, SourceError> {
        let more = self.more.length()?.saturating_sub(Continuation::BYTES as u64);
        Ok(self.offset.saturating_add(more))
    }

    fn read(&self, offset: u64, length: usize) -> Result<Bytes, SourceError> {
        let before =
            usize::try_from(self.offset.saturating_sub(offset)).unwrap_or(usize::MAX).min(length);
        if before == length {
            return self.first.read(offset, length);
        }
        let from = offset.saturating_sub(self.offset).saturating_add(Continuation::BYTES as u64);
        let more = self.more.read(from, length - before)?;
        if before == 0 {
            return Ok(more);
        }
        let first = self.first.read(offset, before)?;
        // A first file that lost bytes must not let the second's slide into their place.
        if first.len() < before {
            return Ok(first);
        }
        let mut both = BytesMut::from(first);
        both.extend_from_slice(&more);
        Ok(both.freeze())
    }
}
