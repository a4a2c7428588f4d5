//! Events that wait to be asked for.

use bytes::{Bytes, BytesMut};
use session_record::{Event, Stream};
use std::collections::VecDeque;

/// Longest slice of a message or frame in one event.
const MAX_DATA_BYTES: usize = 64 << 10;
/// Shorter slices are copied. A keystroke would otherwise keep the whole buffer that it was read into, for as long as
/// its event waits for a disk; and frames of one byte become one event.
const COPIED_BYTES: usize = 4 << 10;
/// Room that is kept by a queue that is empty.
const KEPT_EVENTS: usize = 16;

#[derive(Debug, Default)]
pub(crate) struct Queue(VecDeque<Event>);

impl Queue {
    pub(crate) fn push(&mut self, event: Event) {
        self.0.push_back(event);
    }

    /// Data of a stream, in as many events as it takes.
    pub(crate) fn push_data(&mut self, stream: Stream, mut bytes: Bytes) {
        if bytes.len() < COPIED_BYTES {
            return self.push_copy(stream, &bytes);
        }
        while !bytes.is_empty() {
            let next = bytes.split_to(bytes.len().min(MAX_DATA_BYTES));
            self.0.push_back(Event::Data { stream, bytes: next });
        }
    }

    fn push_copy(&mut self, stream: Stream, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        if let Some(Event::Data { stream: last, bytes: before }) = self.0.back_mut()
            && *last == stream
            && before.len() < COPIED_BYTES
        {
            // Nobody else has seen it, so this does not copy what is there already.
            let mut joined = std::mem::take(before).try_into_mut().unwrap_or_else(BytesMut::from);
            joined.extend_from_slice(bytes);
            *before = joined.freeze();
        } else {
            self.0.push_back(Event::Data { stream, bytes: Bytes::copy_from_slice(bytes) });
        }
    }

    pub(crate) fn pop(&mut self) -> Option<Event> {
        let event = self.0.pop_front();
        if self.0.is_empty() && self.0.capacity() > KEPT_EVENTS {
            self.0 = VecDeque::new();
        }
        event
    }
}
