//! A connection: which streams are open in which direction, and what is answered at once.

use super::frame::{
    self, FIN, GOAWAY, HEADERS, MAX_STREAM, PING, Piece, RST_STREAM, Reader, SYN_REPLY, SYN_STREAM,
};
use super::header_block::{Headers, Inflater, Storer};
use crate::codec::Role;
use crate::violation::Violation;
use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use std::collections::BTreeMap;

/// Streams that are open at once: two for each of 512 forwarded connections.
const MAX_STREAMS: usize = 1024;
const CANCEL: u32 = 5;
const REFUSED: u32 = 3;

/// What the peer did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Happened {
    /// It opened a stream, which is answered already.
    Opened {
        stream: u32,
        headers: Headers,
    },
    /// It answered a stream of ours.
    Replied {
        stream: u32,
    },
    Data {
        stream: u32,
        bytes: Bytes,
    },
    /// It will send no more on a stream.
    Finished {
        stream: u32,
    },
    /// It wants nothing of a stream any more, in both directions.
    Reset {
        stream: u32,
    },
    /// It will open no more streams.
    GoneAway,
}

#[derive(Debug)]
pub(crate) struct Connection {
    role: Role,
    reader: Reader,
    inflater: Inflater,
    storer: Storer,
    streams: BTreeMap<u32, Open>,
    last_of_peer: u32,
    next_own: u32,
    next_ping: u32,
    out: BytesMut,
}

/// Directions that are open.
#[derive(Debug, Clone, Copy)]
struct Open {
    receives: bool,
    sends: bool,
}

impl Connection {
    pub(crate) fn new(role: Role) -> Self {
        // A client's numbers are odd.
        let own = match role {
            Role::Client => 1,
            Role::Server => 2,
        };
        Self {
            role,
            reader: Reader::default(),
            inflater: Inflater::new(),
            storer: Storer::default(),
            streams: BTreeMap::new(),
            last_of_peer: 0,
            next_own: own,
            next_ping: own,
            out: BytesMut::new(),
        }
    }

    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        self.reader.feed(bytes);
    }

    /// What happened next, of what was fed.
    pub(crate) fn next(&mut self) -> Result<Option<Happened>, Violation> {
        while let Some(piece) = self.reader.next()? {
            let happened = match piece {
                Piece::Data { stream, bytes, fin } => self.data(stream, bytes, fin)?,
                Piece::Control { kind, flags, payload } => self.control(kind, flags, payload)?,
            };
            if happened.is_some() {
                return Ok(happened);
            }
        }
        Ok(None)
    }

    /// Data and the end in one frame are two things that happened: the end is put back as an empty frame.
    fn data(
        &mut self,
        stream: u32,
        bytes: Bytes,
        fin: bool,
    ) -> Result<Option<Happened>, Violation> {
        let Some(open) = self.streams.get_mut(&stream) else {
            // What was on its way when we reset the stream.
            return if self.was_open(stream) {
                Ok(None)
            } else {
                Err(Violation::NotOpen { stream })
            };
        };
        if !open.receives {
            return Err(Violation::NotOpen { stream });
        }
        if !bytes.is_empty() {
            if fin {
                self.reader.put_back_end(stream);
            }
            return Ok(Some(Happened::Data { stream, bytes }));
        }
        if !fin {
            return Ok(None);
        }
        open.receives = false;
        self.forget_if_over(stream);
        Ok(Some(Happened::Finished { stream }))
    }

    fn control(
        &mut self,
        kind: u16,
        flags: u8,
        payload: Bytes,
    ) -> Result<Option<Happened>, Violation> {
        match kind {
            SYN_STREAM => self.syn_stream(flags, payload).map(Some),
            SYN_REPLY => self.syn_reply(flags, payload),
            RST_STREAM => self.reset_by_peer(payload),
            PING => self.pinged(&payload),
            GOAWAY => Ok(Some(Happened::GoneAway)),
            // Whatever it says, inflating keeps the stream of headers readable; then a type would be said twice.
            HEADERS => {
                let (stream, block) = numbered(HEADERS, payload)?;
                self.inflater.read(&block)?;
                Err(Violation::HeadersAgain { stream })
            }
            // SETTINGS, WINDOW_UPDATE, and what later drafts add: about flow control, of which there is none.
            _ => Ok(None),
        }
    }

    fn syn_stream(&mut self, flags: u8, payload: Bytes) -> Result<Happened, Violation> {
        let (stream, mut rest) = numbered(SYN_STREAM, payload)?;
        // Associated stream, priority, slot.
        if rest.len() < 6 {
            return Err(Violation::FrameLength { kind: SYN_STREAM });
        }
        rest.advance(6);
        let headers = self.inflater.read(&rest)?;
        if !self.is_of_peer(stream) || stream <= self.last_of_peer {
            return Err(Violation::StreamNumber { stream });
        }
        if self.streams.len() >= MAX_STREAMS {
            return Err(Violation::TooManyStreams {
                count: self.streams.len() + 1,
                limit: MAX_STREAMS,
            });
        }
        self.last_of_peer = stream;
        self.streams.insert(stream, Open { receives: true, sends: true });
        let mut reply = BytesMut::new();
        reply.put_u32(stream);
        reply.put_slice(&self.storer.write(&Headers::new(&[])));
        frame::write_control(&mut self.out, SYN_REPLY, 0, &reply);
        if flags & FIN != 0 {
            self.reader.put_back_end(stream);
        }
        Ok(Happened::Opened { stream, headers })
    }

    fn syn_reply(&mut self, flags: u8, payload: Bytes) -> Result<Option<Happened>, Violation> {
        let (stream, rest) = numbered(SYN_REPLY, payload)?;
        self.inflater.read(&rest)?;
        if !self.streams.contains_key(&stream) || self.is_of_peer(stream) {
            return if self.was_open(stream) {
                Ok(None)
            } else {
                Err(Violation::NotOpen { stream })
            };
        }
        if flags & FIN != 0 {
            self.reader.put_back_end(stream);
        }
        Ok(Some(Happened::Replied { stream }))
    }

    fn reset_by_peer(&mut self, payload: Bytes) -> Result<Option<Happened>, Violation> {
        let (stream, mut rest) = numbered(RST_STREAM, payload)?;
        let status = rest.try_get_u32().or(Err(Violation::FrameLength { kind: RST_STREAM }))?;
        if self.streams.remove(&stream).is_none() {
            return if self.was_open(stream) {
                Ok(None)
            } else {
                Err(Violation::NotOpen { stream })
            };
        }
        if status == REFUSED && !self.is_of_peer(stream) {
            return Err(Violation::Refused { stream });
        }
        Ok(Some(Happened::Reset { stream }))
    }

    /// Pings of the peer come back; answers to ours have our number.
    fn pinged(&mut self, payload: &Bytes) -> Result<Option<Happened>, Violation> {
        let number =
            <[u8; 4]>::try_from(payload.as_ref()).or(Err(Violation::FrameLength { kind: PING }))?;
        if self.is_of_peer(u32::from_be_bytes(number)) {
            frame::write_control(&mut self.out, PING, 0, &number);
        }
        Ok(None)
    }

    const fn is_of_peer(&self, number: u32) -> bool {
        let is_odd = number % 2 == 1;
        match self.role {
            Role::Server => is_odd,
            Role::Client => !is_odd,
        }
    }

    const fn was_open(&self, stream: u32) -> bool {
        stream != 0
            && if self.is_of_peer(stream) {
                stream <= self.last_of_peer
            } else {
                stream < self.next_own
            }
    }

    fn forget_if_over(&mut self, stream: u32) {
        if self.streams.get(&stream).is_some_and(|open| !open.receives && !open.sends) {
            self.streams.remove(&stream);
        }
    }

    /// Opens a stream of ours.
    pub(crate) fn open(&mut self, headers: &Headers) -> Result<u32, Violation> {
        if self.streams.len() >= MAX_STREAMS || self.next_own > MAX_STREAM {
            return Err(Violation::TooManyStreams {
                count: self.streams.len() + 1,
                limit: MAX_STREAMS,
            });
        }
        let stream = self.next_own;
        self.next_own += 2;
        self.streams.insert(stream, Open { receives: true, sends: true });
        let mut payload = BytesMut::new();
        payload.put_u32(stream);
        payload.put_slice(&[0; 6]);
        payload.put_slice(&self.storer.write(headers));
        frame::write_control(&mut self.out, SYN_STREAM, 0, &payload);
        Ok(stream)
    }

    /// Sends on a stream. What the peer does not want any more is not sent.
    pub(crate) fn send(&mut self, stream: u32, bytes: &[u8]) {
        if self.streams.get(&stream).is_some_and(|open| open.sends) && !bytes.is_empty() {
            frame::write_data(&mut self.out, stream, bytes, false);
        }
    }

    /// Says that no more is sent on a stream; once.
    pub(crate) fn finish(&mut self, stream: u32) {
        if let Some(open) = self.streams.get_mut(&stream)
            && std::mem::replace(&mut open.sends, false)
        {
            frame::write_data(&mut self.out, stream, &[], true);
            self.forget_if_over(stream);
        }
    }

    /// Ends a stream in both directions.
    pub(crate) fn reset(&mut self, stream: u32) {
        if self.streams.remove(&stream).is_some() {
            let mut payload = BytesMut::new();
            payload.put_u32(stream);
            payload.put_u32(CANCEL);
            frame::write_control(&mut self.out, RST_STREAM, 0, &payload);
        }
    }

    pub(crate) fn ping(&mut self) {
        frame::write_control(&mut self.out, PING, 0, &self.next_ping.to_be_bytes());
        self.next_ping = self.next_ping.wrapping_add(2);
    }

    pub(crate) fn is_open(&self, stream: u32) -> bool {
        self.streams.contains_key(&stream)
    }

    /// All that is to be sent now.
    pub(crate) fn take_output(&mut self) -> Option<Bytes> {
        (!self.out.is_empty()).then(|| std::mem::take(&mut self.out).freeze())
    }
}

/// The stream's number, with which most control frames begin.
fn numbered(kind: u16, mut payload: Bytes) -> Result<(u32, Bytes), Violation> {
    let number = payload.try_get_u32().or(Err(Violation::FrameLength { kind }))?;
    Ok((number & MAX_STREAM, payload))
}
