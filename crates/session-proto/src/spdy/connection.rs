//! A connection: which streams are open in which direction, and what is answered at once.
//!
//! Only clients open streams. So a server reads headers of its client, and a client those of nobody: what a server
//! answers has none that mean something, and is not inflated. An inflater costs some 50 KiB for as long as it is there.

use super::frame::{
    self, FIN, GOAWAY, HEADERS, MAX_STREAM, PING, Piece, RST_STREAM, Reader, SYN_REPLY, SYN_STREAM,
    UNIDIRECTIONAL,
};
use super::header_block::{Headers, Inflater, Storer};
use crate::codec::Role;
use crate::violation::Violation;
use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use std::collections::BTreeMap;

/// Streams that are open at once: two for each of 512 forwarded connections.
const MAX_STREAMS: usize = 1024;
const CANCEL: u32 = 5;

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
    /// It did not accept a stream of ours.
    Refused {
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
    /// It wants nothing of a stream any more, in both directions; whether it had finished sending before.
    Reset {
        stream: u32,
        had_finished: bool,
    },
}

#[derive(Debug)]
pub(crate) struct Connection {
    role: Role,
    reader: Reader,
    /// There as long as the peer may open streams.
    inflater: Option<Inflater>,
    storer: Storer,
    streams: BTreeMap<u32, Open>,
    last_of_peer: u32,
    next_own: u32,
    next_ping: u32,
    /// The peer will accept no more streams.
    is_going_away: bool,
    /// We said that.
    has_ended: bool,
    out: BytesMut,
}

/// Directions that are open.
#[derive(Debug, Clone, Copy)]
struct Open {
    receives: bool,
    sends: bool,
    is_answered: bool,
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
            inflater: (role == Role::Server).then(Inflater::new),
            storer: Storer::default(),
            streams: BTreeMap::new(),
            last_of_peer: 0,
            next_own: own,
            next_ping: own,
            is_going_away: false,
            has_ended: false,
            out: BytesMut::new(),
        }
    }

    /// From now on the peer may open no more streams.
    pub(crate) fn has_all_streams(&mut self) {
        self.inflater = None;
    }

    /// Takes more bytes. All that happened in those before has been asked for.
    pub(crate) fn feed(&mut self, bytes: Bytes) {
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
            // What was on its way when the stream was over for us.
            return self.nothing_of(stream);
        };
        if !open.is_answered {
            return Err(Violation::BeforeReply { stream });
        }
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
            GOAWAY => {
                self.is_going_away = true;
                Ok(None)
            }
            // A stream's type or port would be said twice.
            HEADERS => Err(Violation::HeadersAgain { stream: numbered(HEADERS, payload)?.0 }),
            // SETTINGS, WINDOW_UPDATE, and what later drafts add: about flow control, of which there is none.
            _ => Ok(None),
        }
    }

    fn syn_stream(&mut self, flags: u8, payload: Bytes) -> Result<Happened, Violation> {
        let (stream, mut rest) = numbered(SYN_STREAM, payload)?;
        let Some(inflater) = &mut self.inflater else {
            return Err(Violation::NoMoreStreams { stream });
        };
        // Associated stream, priority, slot.
        if rest.len() < 6 {
            return Err(Violation::FrameLength { kind: SYN_STREAM });
        }
        rest.advance(6);
        let headers = inflater.read(&rest)?;
        if !self.is_of_peer(stream) || stream <= self.last_of_peer {
            return Err(Violation::StreamNumber { stream });
        }
        if self.streams.len() >= MAX_STREAMS {
            return Err(Violation::TooManyStreams { limit: MAX_STREAMS });
        }
        self.last_of_peer = stream;
        let sends = flags & UNIDIRECTIONAL == 0;
        self.streams.insert(stream, Open { receives: true, sends, is_answered: true });
        let mut reply = BytesMut::new();
        reply.put_u32(stream);
        reply.put_slice(&self.storer.write(&Headers::default()));
        frame::write_control(&mut self.out, SYN_REPLY, 0, &reply);
        if flags & FIN != 0 {
            self.reader.put_back_end(stream);
        }
        Ok(Happened::Opened { stream, headers })
    }

    fn syn_reply(&mut self, flags: u8, payload: Bytes) -> Result<Option<Happened>, Violation> {
        let (stream, _headers) = numbered(SYN_REPLY, payload)?;
        if self.is_of_peer(stream) {
            return Err(Violation::NotOpen { stream });
        }
        let Some(open) = self.streams.get_mut(&stream) else { return self.nothing_of(stream) };
        if std::mem::replace(&mut open.is_answered, true) {
            return Err(Violation::HeadersAgain { stream });
        }
        if flags & FIN != 0 {
            self.reader.put_back_end(stream);
        }
        Ok(Some(Happened::Replied { stream }))
    }

    fn reset_by_peer(&mut self, payload: Bytes) -> Result<Option<Happened>, Violation> {
        let (stream, status) = numbered(RST_STREAM, payload)?;
        if status.len() != 4 {
            return Err(Violation::FrameLength { kind: RST_STREAM });
        }
        let Some(open) = self.streams.remove(&stream) else { return self.nothing_of(stream) };
        Ok(Some(if open.is_answered {
            Happened::Reset { stream, had_finished: !open.receives }
        } else {
            Happened::Refused { stream }
        }))
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

    /// What still comes of a stream that is over means nothing; of one that never was, it is a fault.
    const fn nothing_of(&self, stream: u32) -> Result<Option<Happened>, Violation> {
        let was_open = if self.is_of_peer(stream) {
            stream <= self.last_of_peer
        } else {
            stream < self.next_own
        };
        if was_open && stream != 0 { Ok(None) } else { Err(Violation::NotOpen { stream }) }
    }

    fn forget_if_over(&mut self, stream: u32) {
        if self.streams.get(&stream).is_some_and(|open| !open.receives && !open.sends) {
            self.streams.remove(&stream);
        }
    }

    /// Opens a stream of ours. Data may follow at once (SPDY/3 draft, 2.3.1); servers keep the order of a stream.
    pub(crate) fn open(&mut self, headers: &Headers) -> Result<u32, Violation> {
        if self.is_going_away {
            return Err(Violation::GoingAway);
        }
        if self.streams.len() >= MAX_STREAMS || self.next_own > MAX_STREAM {
            return Err(Violation::TooManyStreams { limit: MAX_STREAMS });
        }
        let stream = self.next_own;
        self.next_own += 2;
        self.streams.insert(stream, Open { receives: true, sends: true, is_answered: false });
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

    /// Ends a stream in both directions, if it is not over.
    pub(crate) fn reset(&mut self, stream: u32) {
        if self.streams.remove(&stream).is_some() {
            let mut payload = BytesMut::new();
            payload.put_u32(stream);
            payload.put_u32(CANCEL);
            frame::write_control(&mut self.out, RST_STREAM, 0, &payload);
        }
    }

    /// Says that nothing more is sent on any stream, and that none is accepted.
    pub(crate) fn end(&mut self) {
        if std::mem::replace(&mut self.has_ended, true) {
            return;
        }
        let numbers: Vec<u32> = self.streams.keys().copied().collect();
        for stream in numbers {
            self.finish(stream);
        }
        let mut payload = BytesMut::new();
        payload.put_u32(self.last_of_peer);
        payload.put_u32(0);
        frame::write_control(&mut self.out, GOAWAY, 0, &payload);
    }

    pub(crate) fn ping(&mut self) {
        frame::write_control(&mut self.out, PING, 0, &self.next_ping.to_be_bytes());
        self.next_ping = if self.next_ping >= MAX_STREAM - 2 {
            1 + u32::from(self.role == Role::Server)
        } else {
            self.next_ping + 2
        };
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
