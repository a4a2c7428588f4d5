//! Reads a source front to back without asking it for every few bytes.

use crate::source::{Source, SourceError};
use bytes::Bytes;

/// How much is asked for at least.
const READ_AHEAD_BYTES: usize = 16 << 10;

#[derive(Debug)]
pub(crate) struct Window<S> {
    source: S,
    start: u64,
    bytes: Bytes,
}

impl<S: Source> Window<S> {
    pub(crate) const fn new(source: S) -> Self {
        Self { source, start: 0, bytes: Bytes::new() }
    }

    pub(crate) fn length(&self) -> Result<u64, SourceError> {
        self.source.length()
    }

    /// Exactly `length` bytes from `offset` on; none where there are fewer now.
    pub(crate) fn exactly(
        &mut self,
        offset: u64,
        length: usize,
    ) -> Result<Option<Bytes>, SourceError> {
        if let Some(bytes) = self.held(offset, length) {
            return Ok(Some(bytes));
        }
        self.bytes = self.source.read(offset, length.max(READ_AHEAD_BYTES))?;
        self.start = offset;
        Ok(self.held(offset, length))
    }

    fn held(&self, offset: u64, length: usize) -> Option<Bytes> {
        let from = usize::try_from(offset.checked_sub(self.start)?).ok()?;
        let to = from.checked_add(length)?;
        (to <= self.bytes.len()).then(|| self.bytes.slice(from..to))
    }
}
