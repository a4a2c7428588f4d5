//! The beginning of a recording: what session it is of, and what its keys are measured by.

use crate::event::Compartment;
use crate::keys::{ContentKey, KeyPair, Keys};
use crate::opening::Opening;
use crate::opening_code::{opening, put_opening};
use crate::wire::{Cursor, Malformed, malformed, put_varint};
use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use thiserror::Error;

/// A SHA-256.
pub type Digest = [u8; 32];

pub(crate) const RAW_MAGIC: &[u8; 8] = b"weir-rec";
pub(crate) const PACKED_MAGIC: &[u8; 8] = b"weir-pak";
/// Of everything in this format; each page of docs/formats/recording.md is about one.
pub const FORMAT_VERSION: u16 = 1;
/// Magic, version, two zero bytes, length of the body.
pub(crate) const PREFIX_BYTES: usize = 16;
const DIGEST_BYTES: usize = 32;
/// An opening with the longest command line that Linux runs fits.
pub const MAX_HEADER_BODY_BYTES: usize = 4 << 20;

/// What a raw recording begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    pub opening: Opening,
    /// Random, so that no two recordings have ciphers in common.
    pub salt: [u8; 32],
    /// What was recorded longer ago than this was on disk, or the recording failed.
    pub commit_interval_ms: u32,
    pub(crate) commitments: Commitments,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Commitments {
    output: Digest,
    input: Digest,
}

/// A header with its bytes, its place and its digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) bytes: Bytes,
    pub(crate) digest: Digest,
}

/// A recording cannot begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum HeaderError {
    #[error("the session's description has {bytes} bytes, of which {MAX_HEADER_BODY_BYTES} fit")]
    TooLong { bytes: usize },
}

/// A key that is not the recording's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the key of the {} compartment is not the one that this recording was written with", compartment.word())]
pub struct WrongKey {
    pub compartment: Compartment,
}

impl Compartment {
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Output => "output",
            Self::Input => "input",
        }
    }
}

impl Header {
    #[must_use]
    pub fn new(opening: Opening, salt: [u8; 32], commit_interval_ms: u32, keys: &KeyPair) -> Self {
        let commitments = Commitments {
            output: keys.output.commitment(&salt, Compartment::Output),
            input: keys.input.commitment(&salt, Compartment::Input),
        };
        Self { opening, salt, commit_interval_ms, commitments }
    }

    pub(crate) fn write(&self) -> Result<Written, HeaderError> {
        let Self { opening, salt, commit_interval_ms, commitments } = self;
        let mut body = Vec::new();
        body.extend_from_slice(salt);
        body.extend_from_slice(&commitments.output);
        body.extend_from_slice(&commitments.input);
        put_varint(&mut body, u64::from(*commit_interval_ms));
        put_opening(&mut body, opening);
        framed(RAW_MAGIC, &body)
    }

    pub(crate) fn read(body: Bytes) -> Result<Self, Malformed> {
        let mut cursor = Cursor::new(body);
        let header = Self {
            salt: cursor.array("the salt")?,
            commitments: Commitments {
                output: cursor.array("the commitment to the output's key")?,
                input: cursor.array("the commitment to the input's key")?,
            },
            commit_interval_ms: cursor.number("the commit interval")?,
            opening: opening(&mut cursor)?,
        };
        cursor.end("the end of the header")?;
        Ok(header)
    }

    /// That the keys are the ones that the header commits to.
    pub fn check_keys(&self, keys: &Keys) -> Result<(), WrongKey> {
        let Commitments { output, input } = &self.commitments;
        self.check_key(keys.output.as_ref(), Compartment::Output, output)?;
        self.check_key(keys.input.as_ref(), Compartment::Input, input)
    }

    fn check_key(
        &self,
        key: Option<&ContentKey>,
        compartment: Compartment,
        commitment: &Digest,
    ) -> Result<(), WrongKey> {
        match key {
            Some(key) if !key.is_committed_by(&self.salt, compartment, commitment) => {
                Err(WrongKey { compartment })
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// Magic, version, length, body, digest of all that.
pub(crate) fn framed(magic: &[u8; 8], body: &[u8]) -> Result<Written, HeaderError> {
    let too_long = HeaderError::TooLong { bytes: body.len() };
    if body.len() > MAX_HEADER_BODY_BYTES {
        return Err(too_long);
    }
    let length = u32::try_from(body.len()).or(Err(too_long))?;
    let mut bytes = Vec::with_capacity(PREFIX_BYTES + body.len() + DIGEST_BYTES);
    bytes.extend_from_slice(magic);
    bytes.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
    bytes.extend_from_slice(&[0, 0]);
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(body);
    let digest = sha256(&[&bytes]);
    bytes.extend_from_slice(&digest);
    Ok(Written { bytes: bytes.into(), digest })
}

/// What the first bytes of a header say of the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Prefix {
    pub(crate) magic: [u8; 8],
    pub(crate) version: u16,
    pub(crate) total_bytes: usize,
}

impl Prefix {
    pub(crate) fn read(bytes: Bytes) -> Result<Self, Malformed> {
        let mut cursor = Cursor::new(bytes);
        let magic = cursor.array("the first bytes")?;
        let version = u16::from_le_bytes(cursor.array("the version")?);
        let zero: [u8; 2] = cursor.array("the header's beginning")?;
        let length = u32::from_le_bytes(cursor.array("the header's length")?);
        let length = usize::try_from(length).or(Err(malformed("the header's length")))?;
        if zero != [0, 0] || length > MAX_HEADER_BODY_BYTES {
            return Err(malformed("the header's beginning"));
        }
        Ok(Self { magic, version, total_bytes: PREFIX_BYTES + length + DIGEST_BYTES })
    }
}

/// Takes a whole header apart; none where its digest is not the one of its bytes.
pub(crate) fn unframed(bytes: &Bytes) -> Option<(Bytes, Digest)> {
    let length = bytes.len().checked_sub(DIGEST_BYTES)?;
    let (before, written) = bytes.split_at_checked(length)?;
    let digest = sha256(&[before]);
    (written == digest && length >= PREFIX_BYTES)
        .then(|| (bytes.slice(PREFIX_BYTES..length), digest))
}

pub(crate) fn sha256(parts: &[&[u8]]) -> Digest {
    if let [part] = parts {
        return of(digest(&SHA256, part).as_ref());
    }
    let mut context = aws_lc_rs::digest::Context::new(&SHA256);
    for part in parts {
        context.update(part);
    }
    of(context.finish().as_ref())
}

fn of(digest: &[u8]) -> Digest {
    let mut bytes = [0; 32];
    for (to, from) in bytes.iter_mut().zip(digest) {
        *to = *from;
    }
    bytes
}
