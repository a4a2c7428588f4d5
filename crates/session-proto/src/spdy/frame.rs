//! Frames: 8 bytes, then as many as those say.
//!
//! Control: `1 | version(15) | type(16) | flags(8) | length(24)`. Data: `0 | stream(31) | flags(8) | length(24)`. All
//! numbers are big-endian. Data is given on as it comes, without copying; only a header or a control frame that is cut
//! is kept until the rest comes.

use crate::violation::Violation;
use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};

pub(crate) const SYN_STREAM: u16 = 1;
pub(crate) const SYN_REPLY: u16 = 2;
pub(crate) const RST_STREAM: u16 = 3;
pub(crate) const PING: u16 = 6;
pub(crate) const GOAWAY: u16 = 7;
pub(crate) const HEADERS: u16 = 8;
pub(crate) const FIN: u8 = 1;
/// The opener of a stream reads nothing on it.
pub(crate) const UNIDIRECTIONAL: u8 = 2;
const VERSION: u16 = 3;
const HEADER_BYTES: usize = 8;
/// Longest control frame: names of a few streams and ports are far below it.
const MAX_CONTROL_BYTES: usize = 16 << 10;
pub(crate) const MAX_STREAM: u32 = 0x7fff_ffff;
/// Longest data frame that is written.
const MAX_DATA_BYTES: usize = 64 << 10;

/// What was read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    Control {
        kind: u16,
        flags: u8,
        payload: Bytes,
    },
    /// A part of a data frame; `fin` with the last part of one that has the flag.
    Data {
        stream: u32,
        bytes: Bytes,
        fin: bool,
    },
}

#[derive(Debug, Default)]
pub(crate) struct Reader {
    /// What was fed and not read.
    input: Bytes,
    /// The beginning of a header or control frame that came before `input`.
    held: BytesMut,
    /// A data frame whose end has not come.
    open: Option<OpenFrame>,
    /// A stream whose end came along with something else.
    end: Option<u32>,
}

#[derive(Debug, Clone, Copy)]
struct OpenFrame {
    stream: u32,
    left: usize,
    fin: bool,
}

impl Reader {
    /// Takes more bytes. All pieces of those before have been read.
    pub(crate) fn feed(&mut self, bytes: Bytes) {
        self.input = if self.input.is_empty() {
            bytes
        } else {
            [self.input.as_ref(), bytes.as_ref()].concat().into()
        };
    }

    /// Makes the end of a stream the next piece.
    pub(crate) const fn put_back_end(&mut self, stream: u32) {
        self.end = Some(stream);
    }

    /// The next piece that is there.
    pub(crate) fn next(&mut self) -> Result<Option<Piece>, Violation> {
        if let Some(stream) = self.end.take() {
            return Ok(Some(Piece::Data { stream, bytes: Bytes::new(), fin: true }));
        }
        let piece = match self.open.take() {
            Some(open) => self.data(open),
            None => self.frame()?,
        };
        if piece.is_none() {
            // An empty slice would keep the whole buffer that it is of.
            self.input = Bytes::new();
        }
        Ok(piece)
    }

    fn frame(&mut self) -> Result<Option<Piece>, Violation> {
        let Some((first, second)) = self.peek() else { return Ok(None) };
        let [flags, high, middle, low] = second.to_be_bytes();
        let length = u32::from_be_bytes([0, high, middle, low]) as usize;
        if first & 0x8000_0000 == 0 {
            // Nothing was kept of a data frame but its header.
            self.take(HEADER_BYTES);
            return Ok(self.data(OpenFrame { stream: first, left: length, fin: flags & FIN != 0 }));
        }
        let [version_high, version_low, kind_high, kind_low] = first.to_be_bytes();
        let version = u16::from_be_bytes([version_high & 0x7f, version_low]);
        if version != VERSION {
            return Err(Violation::SpdyVersion { version });
        }
        if length > MAX_CONTROL_BYTES {
            return Err(Violation::TooLong {
                what: "a control frame",
                bytes: length,
                limit: MAX_CONTROL_BYTES,
            });
        }
        if !self.has(HEADER_BYTES + length) {
            return Ok(None);
        }
        let mut payload = self.take(HEADER_BYTES + length);
        payload.advance(HEADER_BYTES);
        Ok(Some(Piece::Control { kind: u16::from_be_bytes([kind_high, kind_low]), flags, payload }))
    }

    fn peek(&mut self) -> Option<(u32, u32)> {
        if !self.has(HEADER_BYTES) {
            return None;
        }
        let bytes: &[u8] = if self.held.is_empty() { &self.input } else { &self.held };
        let mut header = bytes.get(..HEADER_BYTES)?;
        Some((header.get_u32(), header.get_u32()))
    }

    /// Whether so many bytes of a frame are there, in one piece. Otherwise those that are there are kept.
    fn has(&mut self, wanted: usize) -> bool {
        if self.held.is_empty() && self.input.len() >= wanted {
            return true;
        }
        let missing = wanted.saturating_sub(self.held.len()).min(self.input.len());
        self.held.extend_from_slice(&self.input.split_to(missing));
        self.held.len() >= wanted
    }

    /// As many bytes as [`Self::has`] found.
    fn take(&mut self, length: usize) -> Bytes {
        if self.held.is_empty() {
            self.input.split_to(length.min(self.input.len()))
        } else {
            std::mem::take(&mut self.held).freeze()
        }
    }

    /// What is there of an open frame; an empty frame is a piece, because it may have the flag.
    fn data(&mut self, open: OpenFrame) -> Option<Piece> {
        let OpenFrame { stream, left, fin } = open;
        let now = left.min(self.input.len());
        if now == 0 && left > 0 {
            self.open = Some(OpenFrame { stream, left, fin });
            return None;
        }
        let bytes = self.input.split_to(now);
        let left = left - now;
        if left > 0 {
            self.open = Some(OpenFrame { stream, left, fin });
        }
        Some(Piece::Data { stream, bytes, fin: fin && left == 0 })
    }
}

pub(crate) fn write_control(out: &mut BytesMut, kind: u16, flags: u8, payload: &[u8]) {
    out.reserve(HEADER_BYTES + payload.len());
    out.put_u16(0x8000 | VERSION);
    out.put_u16(kind);
    put_length(out, flags, payload.len());
    out.put_slice(payload);
}

/// One or more frames; the flag goes with the last.
pub(crate) fn write_data(out: &mut BytesMut, stream: u32, bytes: &[u8], fin: bool) {
    let mut rest = bytes;
    loop {
        let (now, later) = rest.split_at(rest.len().min(MAX_DATA_BYTES));
        rest = later;
        out.reserve(HEADER_BYTES + now.len());
        out.put_u32(stream & MAX_STREAM);
        put_length(out, if fin && rest.is_empty() { FIN } else { 0 }, now.len());
        out.put_slice(now);
        if rest.is_empty() {
            return;
        }
    }
}

fn put_length(out: &mut BytesMut, flags: u8, length: usize) {
    out.put_u8(flags);
    out.put_uint(length as u64, 3);
}
