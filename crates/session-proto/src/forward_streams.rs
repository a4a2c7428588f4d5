//! Forwarded ports over SPDY: a pair of streams for each connection.
//!
//! The client opens `error` and then `data`, with the headers `port` and `requestid`; old clients leave the id out, and
//! then the data stream's number is the error stream's and two. The error stream has text, where something went wrong
//! (`k8s.io/cri-streaming`, portforward/httpstream.go). Tunnelled in a WebSocket the same bytes are payloads of
//! messages, cut anywhere.
//!
//! A connection is over when the runtime has ended both of its streams, or when the client reset the data stream. So
//! each connection has one `Disconnected`, which comes from one side.

use crate::channels::no_words;
use crate::codec::{Input, Output, Role};
use crate::queue::Queue;
use crate::spdy::{Connection, Happened, Headers};
use crate::terminal::shown;
use crate::violation::Violation;
use bytes::Bytes;
use session_record::{Event, Stream};
use std::collections::BTreeMap;

const MAX_ERROR_BYTES: usize = 64 << 10;
/// Longest id of a request; Go's clients count.
const MAX_ID_BYTES: usize = 64;
const REFUSED: &[u8] = b"the cluster did not accept the connection's streams";

/// Which stream of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Error,
    Data,
}

#[derive(Debug)]
struct Pair {
    error: u32,
    data: u32,
    /// What the runtime says, until it is whole.
    error_text: Vec<u8>,
    is_error_over: bool,
    is_data_over: bool,
}

/// A stream whose other one has not come.
#[derive(Debug)]
struct Half {
    stream: u32,
    side: Side,
    id: String,
    port: u16,
    is_over: bool,
}

#[derive(Debug)]
pub(crate) struct ForwardStreams {
    role: Role,
    is_tunnelled: bool,
    pub(crate) connection: Connection,
    halves: Vec<Half>,
    pairs: BTreeMap<u32, Pair>,
    /// The connection that a stream belongs to.
    owners: BTreeMap<u32, (u32, Side)>,
    n_connections: u32,
    pub(crate) events: Queue,
}

impl ForwardStreams {
    pub(crate) fn new(role: Role, is_tunnelled: bool) -> Self {
        Self {
            role,
            is_tunnelled,
            connection: Connection::new(role),
            halves: Vec::new(),
            pairs: BTreeMap::new(),
            owners: BTreeMap::new(),
            n_connections: 0,
            events: Queue::default(),
        }
    }

    pub(crate) fn receive(&mut self, input: Input) -> Result<(), Violation> {
        let bytes = match (self.is_tunnelled, input) {
            (true, Input::Binary(bytes)) | (false, Input::Bytes(bytes)) => bytes,
            (true, Input::Text(_) | Input::Bytes(_)) => {
                let what = "something else";
                return Err(Violation::InputKind { what, expected: "binary messages" });
            }
            (false, Input::Binary(_) | Input::Text(_)) => {
                return Err(Violation::InputKind { what: "a message", expected: "a stream" });
            }
        };
        self.connection.feed(bytes);
        while let Some(happened) = self.connection.next()? {
            match happened {
                Happened::Opened { stream, headers } => self.opened(stream, &headers)?,
                Happened::Data { stream, bytes } => self.data(stream, bytes)?,
                Happened::Finished { stream } => self.finished(stream),
                Happened::Reset { stream, had_finished } => self.reset(stream, had_finished),
                Happened::Refused { stream } => self.refused(stream),
                Happened::Replied { .. } => {}
            }
        }
        Ok(())
    }

    fn opened(&mut self, stream: u32, headers: &Headers) -> Result<(), Violation> {
        let kind = headers.value("streamtype").unwrap_or_default();
        let side = match kind {
            "data" => Side::Data,
            "error" => Side::Error,
            _ => return Err(Violation::stream_type(stream, kind)),
        };
        let port = headers.value("port").and_then(parse_port).ok_or(Violation::Port { stream })?;
        let id = match (headers.value("requestid"), side) {
            (Some(id), _) if id.len() > MAX_ID_BYTES => return Err(Violation::Headers),
            (Some(id), _) if !id.is_empty() => id.to_owned(),
            (_, Side::Error) => stream.to_string(),
            (_, Side::Data) => stream.saturating_sub(2).to_string(),
        };
        let half = Half { stream, side, id, port, is_over: false };
        match self.halves.iter().position(|other| other.id == half.id) {
            Some(place) => {
                let other = self.halves.swap_remove(place);
                self.paired(&half, &other)
            }
            None => {
                self.halves.push(half);
                Ok(())
            }
        }
    }

    fn paired(&mut self, half: &Half, other: &Half) -> Result<(), Violation> {
        if other.side == half.side || other.port != half.port {
            return Err(Violation::Pair);
        }
        let (error, data) = if half.side == Side::Data { (other, half) } else { (half, other) };
        let connection = self.n_connections;
        self.n_connections += 1;
        self.insert(connection, Pair::new(error.stream, data.stream));
        self.events.push(Event::Connected { connection, port: half.port });
        if data.is_over {
            self.finished(data.stream);
        }
        Ok(())
    }

    fn insert(&mut self, connection: u32, pair: Pair) {
        self.owners.insert(pair.error, (connection, Side::Error));
        self.owners.insert(pair.data, (connection, Side::Data));
        self.pairs.insert(connection, pair);
    }

    fn remove(&mut self, connection: u32) -> Option<Pair> {
        let pair = self.pairs.remove(&connection)?;
        self.owners.remove(&pair.error);
        self.owners.remove(&pair.data);
        Some(pair)
    }

    fn find(&mut self, stream: u32) -> Option<(u32, Side, &mut Pair)> {
        let (connection, side) = *self.owners.get(&stream)?;
        let pair = self.pairs.get_mut(&connection)?;
        Some((connection, side, pair))
    }

    const fn incoming(&self, connection: u32) -> Stream {
        match self.role {
            Role::Server => Stream::ToPort { connection },
            Role::Client => Stream::FromPort { connection },
        }
    }

    fn data(&mut self, stream: u32, bytes: Bytes) -> Result<(), Violation> {
        // Data before the pair is whole would be data without a connection.
        if self.halves.iter().any(|half| half.stream == stream) {
            return Err(Violation::Pair);
        }
        let role = self.role;
        let Some((connection, side, pair)) = self.find(stream) else { return Ok(()) };
        match (side, role) {
            (Side::Data, _) => {
                let stream = self.incoming(connection);
                self.events.push_data(stream, bytes);
            }
            (Side::Error, Role::Client) => {
                let length = pair.error_text.len() + bytes.len();
                if length > MAX_ERROR_BYTES {
                    let what = "an error's text";
                    return Err(Violation::TooLong { what, bytes: length, limit: MAX_ERROR_BYTES });
                }
                pair.error_text.extend_from_slice(&bytes);
            }
            // A client has nothing to say there, and no runtime reads it.
            (Side::Error, Role::Server) => {}
        }
        Ok(())
    }

    fn finished(&mut self, stream: u32) {
        let role = self.role;
        let Some((connection, side, pair)) = self.find(stream) else {
            if let Some(half) = self.halves.iter_mut().find(|half| half.stream == stream) {
                half.is_over = true;
            }
            return;
        };
        match side {
            Side::Data => {
                if !std::mem::replace(&mut pair.is_data_over, true) {
                    let stream = self.incoming(connection);
                    self.events.push(Event::End { stream });
                }
            }
            Side::Error => {
                pair.is_error_over = true;
                self.say_error(connection);
            }
        }
        let is_over =
            self.pairs.get(&connection).is_some_and(|pair| pair.is_data_over && pair.is_error_over);
        if role == Role::Client && is_over {
            self.disconnect(connection);
            self.events.push(Event::Disconnected { connection });
        }
    }

    /// What the runtime said of an error, once.
    fn say_error(&mut self, connection: u32) {
        let Some(pair) = self.pairs.get_mut(&connection) else { return };
        let text = std::mem::take(&mut pair.error_text);
        if !text.is_empty() {
            self.events.push(Event::ConnectionError { connection, text: text.into() });
        }
    }

    fn reset(&mut self, stream: u32, had_finished: bool) {
        self.halves.retain(|half| half.stream != stream);
        // A runtime breaks data off after it said why, and a client that sees the end of data waits no longer for that.
        if let Some((connection, Side::Data, _)) = self.find(stream) {
            self.say_error(connection);
        }
        if !had_finished {
            self.finished(stream);
        }
        // A client that resets the data stream wants nothing more of the connection; it still waits for the end of the
        // errors. One that resets the error stream only reads no errors.
        if self.role == Role::Server
            && let Some((connection, Side::Data, _)) = self.find(stream)
        {
            self.disconnect(connection);
            self.events.push(Event::Disconnected { connection });
        }
    }

    /// The runtime did not take one of the two streams, so there is no connection.
    fn refused(&mut self, stream: u32) {
        if let Some((connection, _, _)) = self.find(stream) {
            self.disconnect(connection);
            let text = Bytes::from_static(REFUSED);
            self.events.push(Event::ConnectionError { connection, text });
            self.events.push(Event::Disconnected { connection });
        }
    }

    pub(crate) fn send(&mut self, event: &Event) -> Result<(), Violation> {
        match (self.role, event) {
            (Role::Client, Event::Connected { connection, port }) => {
                self.connect(*connection, *port)?;
            }
            (Role::Client, Event::Data { stream: Stream::ToPort { connection }, bytes })
            | (Role::Server, Event::Data { stream: Stream::FromPort { connection }, bytes }) => {
                if let Some(pair) = self.pairs.get(connection) {
                    self.connection.send(pair.data, bytes);
                }
            }
            (Role::Client, Event::End { stream: Stream::ToPort { connection } })
            | (Role::Server, Event::End { stream: Stream::FromPort { connection } }) => {
                if let Some(pair) = self.pairs.get(connection) {
                    self.connection.finish(pair.data);
                }
            }
            (Role::Server, Event::ConnectionError { connection, text }) => {
                if let Some(pair) = self.pairs.get(connection) {
                    self.connection.send(pair.error, text);
                    self.connection.finish(pair.error);
                }
            }
            (_, Event::Disconnected { connection }) => self.disconnect(*connection),
            (Role::Server, Event::Notice { text }) => {
                self.tell_all(format!("weir: {}", shown(text)).as_bytes());
            }
            (Role::Server, Event::Status { text }) => self.tell_all(&crate::status::as_text(text)),
            (_, event) => return no_words(event),
        }
        Ok(())
    }

    fn connect(&mut self, connection: u32, port: u16) -> Result<(), Violation> {
        let (port, id) = (port.to_string(), connection.to_string());
        let headers = |kind| {
            Headers::new(&[
                ("port", port.as_str()),
                ("requestid", id.as_str()),
                ("streamtype", kind),
            ])
        };
        let error = self.connection.open(&headers("error"))?;
        self.connection.finish(error);
        let data = self.connection.open(&headers("data"))?;
        self.insert(connection, Pair::new(error, data));
        Ok(())
    }

    /// Nothing of a connection is sent or awaited any more. What was sent before arrives before the resets.
    fn disconnect(&mut self, connection: u32) {
        if let Some(pair) = self.remove(connection) {
            for stream in [pair.error, pair.data] {
                self.connection.finish(stream);
                self.connection.reset(stream);
            }
        }
    }

    /// What concerns the session is said on each connection, because there is nowhere else to say it.
    fn tell_all(&mut self, text: &[u8]) {
        for pair in self.pairs.values() {
            self.connection.send(pair.error, text);
            self.connection.finish(pair.error);
        }
    }

    pub(crate) fn next_output(&mut self) -> Option<Output> {
        let bytes = self.connection.take_output()?;
        Some(if self.is_tunnelled { Output::Binary(bytes) } else { Output::Bytes(bytes) })
    }
}

impl Pair {
    const fn new(error: u32, data: u32) -> Self {
        Self { error, data, error_text: Vec::new(), is_error_over: false, is_data_over: false }
    }
}

/// 1 to 65535, in digits alone: Rust would take a sign, and Go does not.
fn parse_port(text: &str) -> Option<u16> {
    let is_digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|port| is_digits && *port != 0)
}
