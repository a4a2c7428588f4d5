//! An object as a source of bytes. Reading waits for the network, so it belongs on a thread that may wait.

use super::Objects;
use bytes::Bytes;
use object_store::ObjectStoreExt;
use object_store::path::Path as ObjectPath;
use session_record::{Source, SourceError};
use std::sync::{Arc, Mutex};
use tokio::runtime::Handle;

/// Asked for at once; a request costs more than its bytes.
const WINDOW_BYTES: u64 = 1 << 20;

#[derive(Debug)]
pub(super) struct RemoteSource {
    objects: Arc<dyn Objects>,
    path: ObjectPath,
    length: u64,
    runtime: Handle,
    window: Mutex<(u64, Bytes)>,
}

impl RemoteSource {
    pub(super) fn new(
        objects: Arc<dyn Objects>,
        path: ObjectPath,
        length: u64,
        runtime: Handle,
    ) -> Self {
        Self { objects, path, length, runtime, window: Mutex::new((0, Bytes::new())) }
    }
}

impl Source for RemoteSource {
    fn length(&self) -> Result<u64, SourceError> {
        Ok(self.length)
    }

    fn read(&self, offset: u64, length: usize) -> Result<Bytes, SourceError> {
        let end = offset.saturating_add(length as u64).min(self.length);
        if offset >= end {
            return Ok(Bytes::new());
        }
        let mut window = crate::inbox::locked(&self.window);
        let (start, bytes) = &mut *window;
        if offset < *start || end > *start + bytes.len() as u64 {
            let until = offset.saturating_add(WINDOW_BYTES).max(end).min(self.length);
            let got = self.runtime.block_on(self.objects.get_range(&self.path, offset..until));
            *bytes = got.map_err(|error| SourceError(error.into()))?;
            *start = offset;
        }
        let from = usize::try_from(offset - *start).unwrap_or(usize::MAX).min(bytes.len());
        let to = usize::try_from(end - *start).unwrap_or(usize::MAX).min(bytes.len());
        Ok(bytes.slice(from..to))
    }
}
