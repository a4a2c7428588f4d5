//! Forwarded ports over SPDY: a pair of streams for each connection.
//!
//! The client opens `error` and then `data`, with the headers `port` and `requestid`; old clients leave the id out, and
//! then the data stream's number is the error stream's and two. The error stream has text, where something went wrong
//! (`k8s.io/cri-streaming`, portforward/httpstream.go). Tunnelled in a WebSocket the same bytes are payloads of
//! messages, cut anywhere.

use crate::channels::{no_words, push_data};
use crate::codec::{Input, Output, Role};
use crate::spdy::{Connection, Happened, Headers};
use crate::violation::Violation;
use bytes::Bytes;
use session_record::{Event, Stream};
use std::collections::{BTreeMap, VecDeque};

const MAX_ERROR_BYTES: usize = 64 << 10;
/// Longest id of a request; Go's clients count.
const MAX_ID_BYTES: usize = 64;

#[derive(Debug)]
struct Pair {
    error: u32,
    data: u32,
    error_text: Vec<u8>,
    is_error_over: bool,
    /// What came on the data stream is over, and what goes.
    is_data_over: bool,
    is_sending_over: bool,
}

/// An error stream whose data stream has not come.
#[derive(Debug)]
struct Half {
    stream: u32,
    is_data: bool,
    id: String,
    port: u16,
}

#[derive(Debug)]
pub(crate) struct ForwardStreams {
    role: Role,
    is_tunnelled: bool,
    pub(crate) connection: Connection,
    halves: Vec<Half>,
    pairs: BTreeMap<u32, Pair>,
    n_connections: u32,
    pub(crate) events: VecDeque<Event>,
}

impl ForwardStreams {
    pub(crate) fn new(role: Role, is_tunnelled: bool) -> Self {
        Self {
            role,
            is_tunnelled,
            connection: Connection::new(role),
            halves: Vec::new(),
            pairs: BTreeMap::new(),
            n_connections: 0,
            events: VecDeque::new(),
        }
    }

    pub(crate) fn receive(&mut self, input: Input) -> Result<(), Violation> {
        let bytes = match (self.is_tunnelled, input) {
            (true, Input::Binary(bytes)) | (false, Input::Bytes(bytes)) => bytes,
            (true, _) => {
                return Err(Violation::MessageKind { kind: "other", expected: "binary messages" });
            }
            (false, _) => {
                return Err(Violation::MessageKind { kind: "message", expected: "a stream" });
            }
        };
        self.connection.feed(&bytes);
        while let Some(happened) = self.connection.next()? {
            match happened {
                Happened::Opened { stream, headers } => self.opened(stream, &headers)?,
                Happened::Data { stream, bytes } => self.data(stream, bytes)?,
                Happened::Finished { stream } => self.finished(stream),
                Happened::Reset { stream } => self.reset(stream),
                Happened::Replied { .. } | Happened::GoneAway => {}
            }
        }
        Ok(())
    }

    fn opened(&mut self, stream: u32, headers: &Headers) -> Result<(), Violation> {
        let kind = headers.value("streamtype").unwrap_or_default();
        let is_data = match (self.role, kind) {
            (Role::Server, "data") => true,
            (Role::Server, "error") => false,
            _ => {
                return Err(Violation::StreamType {
                    stream,
                    kind: kind.chars().take(40).collect(),
                });
            }
        };
        let port =
            headers.value("port").and_then(|port| port.parse().ok()).filter(|port| *port != 0);
        let port: u16 = port.ok_or(Violation::Port { stream })?;
        let id = match headers.value("requestid") {
            Some(id) if id.len() > MAX_ID_BYTES => return Err(Violation::Headers),
            Some(id) => id.to_owned(),
            None => format!("stream {}", if is_data { stream.saturating_sub(2) } else { stream }),
        };
        let Some(place) = self.halves.iter().position(|half| half.id == id) else {
            self.halves.push(Half { stream, is_data, id, port });
            return Ok(());
        };
        let other = self.halves.swap_remove(place);
        if other.is_data == is_data || other.port != port {
            return Err(Violation::Pair);
        }
        let (error, data) = if is_data { (other.stream, stream) } else { (stream, other.stream) };
        let connection = self.n_connections;
        self.n_connections += 1;
        self.pairs.insert(connection, Pair::new(error, data));
        self.events.push_back(Event::Connected { connection, port });
        Ok(())
    }

    fn find(&mut self, stream: u32) -> Option<(u32, bool, &mut Pair)> {
        let found =
            self.pairs.iter_mut().find(|(_, pair)| pair.error == stream || pair.data == stream);
        found.map(|(connection, pair)| (*connection, pair.data == stream, pair))
    }

    fn data(&mut self, stream: u32, bytes: Bytes) -> Result<(), Violation> {
        let incoming = self.incoming();
        // Data before the pair is whole would be data without a connection.
        if self.halves.iter().any(|half| half.stream == stream) {
            return Err(Violation::Pair);
        }
        match self.find(stream) {
            Some((connection, true, _)) => push_data(&mut self.events, incoming(connection), bytes),
            Some((_, false, pair)) => {
                if pair.error_text.len() + bytes.len() > MAX_ERROR_BYTES {
                    let bytes = pair.error_text.len() + bytes.len();
                    return Err(Violation::TooLong {
                        what: "an error's text",
                        bytes,
                        limit: MAX_ERROR_BYTES,
                    });
                }
                pair.error_text.extend_from_slice(&bytes);
            }
            None => {}
        }
        Ok(())
    }

    fn finished(&mut self, stream: u32) {
        let (role, incoming) = (self.role, self.incoming());
        let Some((connection, is_data, pair)) = self.find(stream) else { return };
        if is_data {
            pair.is_data_over = true;
            self.events.push_back(Event::End { stream: incoming(connection) });
        } else {
            pair.is_error_over = true;
            let text = std::mem::take(&mut pair.error_text);
            if role == Role::Client && !text.is_empty() {
                self.events.push_back(Event::ConnectionError { connection, text: text.into() });
            }
        }
        self.disconnect_if_over(connection);
    }

    /// A reset of the data stream ends the connection; one of the error stream only says that nobody reads errors.
    fn reset(&mut self, stream: u32) {
        let incoming = self.incoming();
        let Some((connection, is_data, pair)) = self.find(stream) else {
            self.halves.retain(|half| half.stream != stream);
            return;
        };
        if !is_data {
            pair.is_error_over = true;
            self.disconnect_if_over(connection);
            return;
        }
        let (error, was_over) = (pair.error, pair.is_data_over);
        self.pairs.remove(&connection);
        self.connection.finish(error);
        if !was_over {
            self.events.push_back(Event::End { stream: incoming(connection) });
        }
        self.events.push_back(Event::Disconnected { connection });
    }

    /// The client's side of the error stream is over from the beginning, so it is no sign of an end towards it.
    fn disconnect_if_over(&mut self, connection: u32) {
        let is_server = self.role == Role::Server;
        let over = self.pairs.get(&connection).is_some_and(|pair| {
            pair.is_data_over && pair.is_sending_over && (is_server || pair.is_error_over)
        });
        if over && let Some(pair) = self.pairs.remove(&connection) {
            self.connection.finish(pair.error);
            self.events.push_back(Event::Disconnected { connection });
        }
    }

    const fn incoming(&self) -> fn(u32) -> Stream {
        match self.role {
            Role::Server => |connection| Stream::ToPort { connection },
            Role::Client => |connection| Stream::FromPort { connection },
        }
    }

    pub(crate) fn send(&mut self, event: &Event) -> Result<(), Violation> {
        match (self.role, event) {
            (Role::Client, Event::Connected { connection, port }) => {
                self.connect(*connection, *port)?
            }
            (Role::Client, Event::Data { stream: Stream::ToPort { connection }, bytes })
            | (Role::Server, Event::Data { stream: Stream::FromPort { connection }, bytes }) => {
                if let Some(pair) = self.pairs.get(connection) {
                    self.connection.send(pair.data, bytes);
                }
            }
            (Role::Client, Event::End { stream: Stream::ToPort { connection } })
            | (Role::Server, Event::End { stream: Stream::FromPort { connection } }) => {
                if let Some(pair) = self.pairs.get_mut(connection) {
                    pair.is_sending_over = true;
                    self.connection.finish(pair.data);
                    self.disconnect_if_over(*connection);
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
                self.tell_all(format!("weir: {text}").as_bytes())
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
        self.pairs.insert(connection, Pair::new(error, data));
        Ok(())
    }

    /// Both ends are done with a connection.
    fn disconnect(&mut self, connection: u32) {
        if let Some(pair) = self.pairs.remove(&connection) {
            self.connection.finish(pair.error);
            self.connection.finish(pair.data);
            if self.connection.is_open(pair.data) {
                self.connection.reset(pair.data);
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
        Self {
            error,
            data,
            error_text: Vec::new(),
            is_error_over: false,
            is_data_over: false,
            is_sending_over: false,
        }
    }
}
