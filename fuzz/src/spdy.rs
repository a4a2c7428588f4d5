//! Bytes of SPDY connections, as a client or an API server may send them: commands in every version, and forwarded
//! ports, alone or in the messages of a WebSocket.
//!
//! The first byte says role, kind and version, the second which streams were asked for, the third how the bytes are
//! cut. Then come the bytes as they are, or steps of which frames are made here, so that the fuzzer gets past lengths
//! and zlib.

use crate::wire::{Again, Cursor, Said, Step, Told, asked, joined, told, version};
use bytes::{BufMut as _, Bytes};
use session_proto::{Asked, Codec, Input, Role, Status, Version};
use session_record::{Event, Stream};
use std::collections::BTreeMap;

const KINDS: [&str; 6] = ["error", "stdin", "stdout", "stderr", "resize", "data"];
/// That of a zlib stream with SPDY's dictionary.
const ZLIB_HEADER: [u8; 6] = [0x78, 0xf9, 0xe3, 0xc6, 0xa7, 0xc2];

pub fn spdy(bytes: &[u8]) {
    spdy_events(bytes);
}

/// How many events the peer's bytes were; none where it broke the protocol.
pub fn spdy_events(bytes: &[u8]) -> Option<usize> {
    let mut cursor = Cursor(bytes);
    let (kind, wanted, cut) = (cursor.byte(), cursor.byte(), cursor.byte());
    let session = Session {
        role: if kind & 1 == 0 { Role::Server } else { Role::Client },
        kind: match kind & 6 {
            0 => Kind::Command(version((kind >> 3) & 7), asked(wanted)),
            2 => Kind::Forward { is_tunnelled: false },
            4 => Kind::Forward { is_tunnelled: true },
            // Once more, because it is what most sessions are.
            _ => Kind::Command(Version::V4, asked(wanted)),
        },
    };
    let steps = if kind & 0x80 == 0 {
        vec![session.came(Bytes::copy_from_slice(cursor.0))]
    } else {
        Script::new(session, cursor).steps()
    };
    let told = session.tell(&steps, cut);
    told.violation.is_none().then(|| told.heard().len())
}

#[derive(Debug, Clone, Copy)]
struct Session {
    role: Role,
    kind: Kind,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Command(Version, Asked),
    Forward { is_tunnelled: bool },
}

impl Session {
    fn codec(&self, role: Role) -> Codec {
        match self.kind {
            Kind::Command(version, asked) => Codec::command_streams(role, version, asked),
            Kind::Forward { is_tunnelled } => Codec::forward_streams(role, is_tunnelled),
        }
    }

    const fn other(&self) -> Role {
        match self.role {
            Role::Server => Role::Client,
            Role::Client => Role::Server,
        }
    }

    const fn came(&self, bytes: Bytes) -> Step {
        Step::Peer(match self.kind {
            Kind::Forward { is_tunnelled: true } => Input::Binary(bytes),
            Kind::Command(..) | Kind::Forward { is_tunnelled: false } => Input::Bytes(bytes),
        })
    }

    fn tell(&self, steps: &[Step], cut: u8) -> Told {
        let whole = told(self.codec(self.role), steps);
        for longest in [1, 2 + usize::from(cut)] {
            whole.is_same_as(&told(self.codec(self.role), &self.in_pieces(steps, longest)));
        }
        self.says_again(&whole);
        whole
    }

    fn in_pieces(&self, steps: &[Step], longest: usize) -> Vec<Step> {
        let pieces = |step: &Step| match step {
            Step::Peer(Input::Bytes(bytes) | Input::Binary(bytes) | Input::Text(bytes)) => bytes
                .chunks(longest)
                .map(|piece| self.came(Bytes::copy_from_slice(piece)))
                .collect::<Vec<Step>>(),
            Step::Own(_) => vec![step.clone()],
        };
        steps.iter().flat_map(pieces).collect()
    }

    fn says_again(&self, whole: &Told) {
        let mut again = Again::say(self.codec(self.other()), self.codec(self.role), &whole.said);
        let heard = whole.heard();
        match (self.kind, self.role) {
            (Kind::Command(version, _), Role::Client) => {
                // The stream of the status ends with the connection, and all of them do in the first version.
                let is_at_the_end = |event: &&Event| {
                    matches!(event, Event::Status { .. })
                        || (version == Version::V1 && matches!(event, Event::End { .. }))
                };
                let others = |events: &[Event]| {
                    joined(events.iter().filter(|event| !is_at_the_end(event)).cloned())
                };
                assert_eq!(others(&again.events), others(&heard));
                let at_the_end: Vec<&Event> = heard.iter().filter(is_at_the_end).collect();
                if at_the_end.iter().any(|event| matches!(event, Event::Status { .. })) {
                    again.encoder.end();
                    again.carry();
                    let is_said = |event: &&Event| again.events.contains(event);
                    assert!(at_the_end.iter().all(is_said), "{:?} of {heard:?}", again.events);
                }
            }
            (Kind::Forward { .. }, Role::Client) => {
                let again = connections(&again.events);
                for (connection, (events, is_over)) in connections(&heard) {
                    let (events_again, is_over_again) =
                        again.get(&connection).cloned().unwrap_or_default();
                    assert_eq!((events_again, is_over_again || !is_over), (events, true));
                }
            }
            // Of a connection that is over on one stream, a client has less to say.
            (Kind::Forward { .. }, Role::Server) if whole.said.iter().any(ends_a_stream) => {
                let tells_errors = whole.said.iter().any(tells_an_error);
                let is_over = |connection| {
                    tells_errors && whole.said.contains(&Said::Own(end_of_port(connection)))
                };
                for connection in heard.iter().filter_map(connected) {
                    let heard = to_port(&heard, connection);
                    let again = to_port(&again.events, connection);
                    let is_same = if is_over(connection) {
                        // It ends the connection then, and says no more on it.
                        heard.0.starts_with(&again.0)
                    } else {
                        heard == again
                    };
                    assert!(is_same, "connection {connection}: {again:?} of {heard:?}");
                }
            }
            (Kind::Forward { .. }, Role::Server) => assert_eq!(joined(again.events), heard),
            (Kind::Command(..), Role::Server) => assert_eq!(joined(again.events), heard),
        }
    }
}

/// What happened on each connection. A runtime may say several errors of one, or break it off without ending its data:
/// a client is told one error, and the end comes first. When both streams are over it is, so the word for that is apart.
fn connections(heard: &[Event]) -> BTreeMap<u32, (Vec<Event>, bool)> {
    let mut all: BTreeMap<u32, (Vec<Event>, bool)> = BTreeMap::new();
    for event in heard {
        let Some(connection) = connection_of(event) else { continue };
        let (events, is_over) = all.entry(connection).or_default();
        let is_error = |event: &Event| matches!(event, Event::ConnectionError { .. });
        let end = end_of_port(connection);
        if matches!(event, Event::Disconnected { .. }) {
            *is_over = true;
            if !events.contains(&end) {
                events.push(end);
            }
        } else if !is_error(event) || !events.iter().any(is_error) {
            events.push(event.clone());
        }
    }
    for (events, _) in all.values_mut() {
        *events = joined(std::mem::take(events));
    }
    all
}

/// Errors are told on the stream for them, which ends with that.
const fn tells_an_error(said: &Said) -> bool {
    matches!(
        said,
        Said::Own(Event::ConnectionError { .. } | Event::Notice { .. } | Event::Status { .. })
    )
}

const fn ends_a_stream(said: &Said) -> bool {
    tells_an_error(said)
        || matches!(said, Said::Own(Event::End { stream: Stream::FromPort { .. } }))
}

const fn end_of_port(connection: u32) -> Event {
    Event::End { stream: Stream::FromPort { connection } }
}

const fn connected(event: &Event) -> Option<u32> {
    if let Event::Connected { connection, .. } = event { Some(*connection) } else { None }
}

/// All that came for a port on a connection, and whether it was ended.
fn to_port(events: &[Event], connection: u32) -> (Vec<u8>, bool) {
    let stream = Stream::ToPort { connection };
    let mut all = Vec::new();
    for event in events {
        if let Event::Data { stream: of, bytes } = event
            && *of == stream
        {
            all.extend_from_slice(bytes);
        }
    }
    (all, events.contains(&Event::End { stream }))
}

fn connection_of(event: &Event) -> Option<u32> {
    if let Event::Data { stream: Stream::FromPort { connection }, .. }
    | Event::End { stream: Stream::FromPort { connection } }
    | Event::ConnectionError { connection, .. }
    | Event::Disconnected { connection } = event
    {
        Some(*connection)
    } else {
        None
    }
}

/// Makes frames and events of the gateway's.
struct Script<'bytes> {
    session: Session,
    cursor: Cursor<'bytes>,
    next_stream: u32,
    next_connection: u32,
    has_headers: bool,
}

impl<'bytes> Script<'bytes> {
    const fn new(session: Session, cursor: Cursor<'bytes>) -> Self {
        let next_stream = match session.role {
            Role::Server => 1,
            Role::Client => 2,
        };
        Self { session, cursor, next_stream, next_connection: 0, has_headers: false }
    }

    fn steps(mut self) -> Vec<Step> {
        let mut steps = Vec::new();
        while !self.cursor.is_empty() {
            let (what, which) = (self.cursor.byte(), self.cursor.byte());
            steps.push(match what % 16 {
                9..=11 => Step::Own(self.own(which)),
                _ => {
                    let frame = self.frame(what, which);
                    self.session.came(frame.into())
                }
            });
        }
        steps
    }

    fn frame(&mut self, what: u8, which: u8) -> Vec<u8> {
        let number = u32::from(which).to_be_bytes();
        let fin = what >> 7;
        match what % 16 {
            0..=2 => self.opened(which, fin),
            3 => control(2, fin, &number),
            4 => control(3, 0, &[number, [0, 0, 0, 5]].concat()),
            5 => control(6, 0, &number),
            6 => control(7, 0, &[0; 8]),
            7 => {
                let payload = self.piece();
                control(u16::from(which % 12), fin, payload)
            }
            8 => self.piece().to_vec(),
            _ => {
                let payload = self.piece();
                let mut frame = number.to_vec();
                frame.put_u8(fin);
                frame.put_uint(payload.len() as u64, 3);
                frame.put_slice(payload);
                frame
            }
        }
    }

    fn piece(&mut self) -> &'bytes [u8] {
        let length = usize::from(self.cursor.byte());
        self.cursor.take(length)
    }

    /// The next stream of the peer.
    fn opened(&mut self, which: u8, fin: u8) -> Vec<u8> {
        let (port, id) = ((80 + u16::from(which >> 6)).to_string(), (which >> 3 & 7).to_string());
        let kind = KINDS.get(usize::from(which & 7)).copied().unwrap_or("data");
        let headers = match self.session.kind {
            Kind::Command(..) => vec![("streamtype", kind)],
            Kind::Forward { .. } => {
                vec![("port", port.as_str()), ("requestid", id.as_str()), ("streamtype", kind)]
            }
        };
        let mut payload = self.next_stream.to_be_bytes().to_vec();
        payload.put_bytes(0, 6);
        if !std::mem::replace(&mut self.has_headers, true) {
            payload.put_slice(&ZLIB_HEADER);
        }
        payload.put_slice(&stored(&headers));
        self.next_stream += 2;
        control(1, fin, &payload)
    }

    /// Connections of the gateway are numbered from 0.
    fn own(&mut self, which: u8) -> Event {
        let connection = u32::from(which >> 3);
        let bytes = Bytes::from_static(b"typed or shown");
        match (self.session.kind, self.session.role, which & 7) {
            (Kind::Command(..), Role::Client, 0) => Event::End { stream: Stream::Stdin },
            (Kind::Command(..), Role::Client, 1) => Event::Resize { columns: 80, rows: 24 },
            (Kind::Command(..), Role::Client, _) => Event::Data { stream: Stream::Stdin, bytes },
            (Kind::Command(..), Role::Server, 0) => Event::End { stream: Stream::Stdout },
            (Kind::Command(..), Role::Server, 1) => Event::End { stream: Stream::Stderr },
            (Kind::Command(..), Role::Server, 2) => Event::Data { stream: Stream::Stderr, bytes },
            (Kind::Command(..), Role::Server, 3) => {
                Event::Status { text: Status::Exited { code: 7 }.to_json().into() }
            }
            (_, Role::Server, 4) => Event::Notice { text: "it ends\u{1b}".to_owned() },
            (Kind::Command(..), Role::Server, _) => Event::Data { stream: Stream::Stdout, bytes },
            (Kind::Forward { .. }, _, 0) => Event::Disconnected { connection },
            (Kind::Forward { .. }, Role::Client, 1) => {
                Event::End { stream: Stream::ToPort { connection } }
            }
            (Kind::Forward { .. }, Role::Client, 2 | 3) => {
                Event::Data { stream: Stream::ToPort { connection }, bytes }
            }
            (Kind::Forward { .. }, Role::Client, _) => {
                let connection = self.next_connection;
                self.next_connection += 1;
                Event::Connected { connection, port: 80 }
            }
            (Kind::Forward { .. }, Role::Server, 1) => {
                Event::End { stream: Stream::FromPort { connection } }
            }
            (Kind::Forward { .. }, Role::Server, 2) => {
                Event::ConnectionError { connection, text: bytes }
            }
            (Kind::Forward { .. }, Role::Server, _) => {
                Event::Data { stream: Stream::FromPort { connection }, bytes }
            }
        }
    }
}

fn control(kind: u16, flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x80, 3];
    frame.put_u16(kind);
    frame.put_u8(flags);
    frame.put_uint(payload.len() as u64, 3);
    frame.put_slice(payload);
    frame
}

/// A block of headers that is not compressed.
fn stored(headers: &[(&str, &str)]) -> Vec<u8> {
    let mut plain = vec![0, 0, 0];
    plain.put_u8(u8::try_from(headers.len()).unwrap_or_default());
    for part in headers.iter().flat_map(|(name, value)| [name, value]) {
        plain.put_u32(u32::try_from(part.len()).unwrap_or_default());
        plain.put_slice(part.as_bytes());
    }
    let length = u16::try_from(plain.len()).unwrap_or_default();
    let mut block = vec![0];
    block.put_u16_le(length);
    block.put_u16_le(!length);
    block.put_slice(&plain);
    block.put_slice(&[0, 0, 0, 0xff, 0xff]);
    block
}
