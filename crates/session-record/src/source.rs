//! Where the bytes of a recording come from: a file, an object in a bucket, or bytes at hand.

use bytes::Bytes;
use std::fmt::Debug;
use thiserror::Error;

/// Bytes that can be read from any place. A source may grow, and does not change otherwise.
pub trait Source: Debug {
    /// How many bytes there are now.
    fn length(&self) -> Result<u64, SourceError>;

    /// The bytes from `offset` on, as many of `length` as there are.
    fn read(&self, offset: u64, length: usize) -> Result<Bytes, SourceError>;
}

/// What lies behind a source failed.
#[derive(Debug, Error)]
#[error("cannot read the recording")]
pub struct SourceError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

impl Source for Bytes {
    fn length(&self) -> Result<u64, SourceError> {
        Ok(self.len() as u64)
    }

    fn read(&self, offset: u64, length: usize) -> Result<Bytes, SourceError> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(self.len());
        let end = start.saturating_add(length).min(self.len());
        Ok(self.slice(start..end))
    }
}

impl<S: Source + ?Sized> Source for Box<S> {
    fn length(&self) -> Result<u64, SourceError> {
        (**self).length()
    }

    fn read(&self, offset: u64, length: usize) -> Result<Bytes, SourceError> {
        (**self).read(offset, length)
    }
}

impl<S: Source + ?Sized> Source for &S {
    fn length(&self) -> Result<u64, SourceError> {
        (**self).length()
    }

    fn read(&self, offset: u64, length: usize) -> Result<Bytes, SourceError> {
        (**self).read(offset, length)
    }
}
