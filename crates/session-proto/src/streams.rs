//! Commands over SPDY: a stream of the connection for each stream of the command.
//!
//! The client opens `error`, then what was asked for, each with the header `streamtype`; `resize` from v3 on where a
//! terminal was asked for. From v4 on the error stream has a `Status`, before that text, and nothing for success
//! (`k8s.io/cri-streaming`, remotecommand/httpstream.go).

use crate::channels::{
    MAX_RESIZE_BYTES, no_words, notice_line, parse_resize, push_data, write_resize,
};
use crate::codec::{Asked, Input, Output, Role, Version};
use crate::spdy::{Connection, Happened, Headers};
use crate::status;
use crate::violation::Violation;
use bytes::Bytes;
use session_record::{Event, Stream};
use std::collections::VecDeque;

const MAX_STATUS_BYTES: usize = 1 << 20;

/// What a stream of the connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Error,
    Stdin,
    Stdout,
    Stderr,
    Resize,
}

const PURPOSES: [(Purpose, &str); 5] = [
    (Purpose::Error, "error"),
    (Purpose::Stdin, "stdin"),
    (Purpose::Stdout, "stdout"),
    (Purpose::Stderr, "stderr"),
    (Purpose::Resize, "resize"),
];

#[derive(Debug)]
struct Known {
    number: u32,
    purpose: Purpose,
    /// Answered by whoever did not open it.
    is_answered: bool,
}

#[derive(Debug)]
pub(crate) struct CommandStreams {
    role: Role,
    version: Version,
    asked: Asked,
    pub(crate) connection: Connection,
    streams: Vec<Known>,
    /// Text of the error stream, or of a size, that is not whole yet.
    error: Vec<u8>,
    resize: Vec<u8>,
    pub(crate) events: VecDeque<Event>,
}

impl CommandStreams {
    pub(crate) fn new(role: Role, version: Version, asked: Asked) -> Self {
        let mut streams = Self {
            role,
            version,
            asked,
            connection: Connection::new(role),
            streams: Vec::new(),
            error: Vec::new(),
            resize: Vec::new(),
            events: VecDeque::new(),
        };
        if role == Role::Client {
            streams.open_all();
        }
        streams
    }

    fn is_wanted(&self, purpose: Purpose) -> bool {
        let Asked { stdin, stdout, stderr, terminal } = self.asked;
        match purpose {
            Purpose::Error => true,
            Purpose::Stdin => stdin,
            Purpose::Stdout => stdout,
            Purpose::Stderr => stderr && !terminal,
            Purpose::Resize => terminal && self.version >= Version::V3,
        }
    }

    /// A connection without streams has room for these.
    fn open_all(&mut self) {
        for (purpose, name) in PURPOSES {
            if self.is_wanted(purpose)
                && let Ok(number) = self.connection.open(&Headers::new(&[("streamtype", name)]))
            {
                self.streams.push(Known { number, purpose, is_answered: false });
            }
        }
    }

    pub(crate) fn is_ready(&self) -> bool {
        let wanted = PURPOSES.iter().filter(|(purpose, _)| self.is_wanted(*purpose)).count();
        self.streams.len() == wanted && self.streams.iter().all(|stream| stream.is_answered)
    }

    pub(crate) fn receive(&mut self, input: Input) -> Result<(), Violation> {
        let Input::Bytes(bytes) = input else {
            return Err(Violation::MessageKind { kind: "message", expected: "a stream" });
        };
        self.connection.feed(&bytes);
        while let Some(happened) = self.connection.next()? {
            self.take(happened)?;
        }
        Ok(())
    }

    fn take(&mut self, happened: Happened) -> Result<(), Violation> {
        match happened {
            Happened::Opened { stream, headers } => self.opened(stream, &headers),
            Happened::Replied { stream } => {
                if let Some(known) = self.streams.iter_mut().find(|known| known.number == stream) {
                    known.is_answered = true;
                }
                Ok(())
            }
            Happened::Data { stream, bytes } => match self.purpose(stream) {
                Some(purpose) => self.data(purpose, bytes),
                None => Ok(()),
            },
            Happened::Finished { stream } | Happened::Reset { stream } => {
                if let Some(purpose) = self.purpose(stream) {
                    self.finished(purpose);
                }
                Ok(())
            }
            Happened::GoneAway => Ok(()),
        }
    }

    fn opened(&mut self, stream: u32, headers: &Headers) -> Result<(), Violation> {
        let kind = headers.value("streamtype").unwrap_or_default();
        let purpose = PURPOSES.iter().find(|(_, name)| *name == kind).map(|(purpose, _)| *purpose);
        match purpose {
            Some(purpose)
                if self.role == Role::Server
                    && self.is_wanted(purpose)
                    && !self.streams.iter().any(|known| known.purpose == purpose) =>
            {
                self.streams.push(Known { number: stream, purpose, is_answered: true });
                Ok(())
            }
            Some(_) | None => {
                Err(Violation::StreamType { stream, kind: kind.chars().take(40).collect() })
            }
        }
    }

    fn purpose(&self, stream: u32) -> Option<Purpose> {
        self.streams.iter().find(|known| known.number == stream).map(|known| known.purpose)
    }

    fn number(&self, purpose: Purpose) -> Option<u32> {
        self.streams.iter().find(|known| known.purpose == purpose).map(|known| known.number)
    }

    fn data(&mut self, purpose: Purpose, bytes: Bytes) -> Result<(), Violation> {
        match (self.role, purpose) {
            (Role::Server, Purpose::Stdin) => push_data(&mut self.events, Stream::Stdin, bytes),
            (Role::Server, Purpose::Resize) => return self.resized(&bytes),
            (Role::Client, Purpose::Stdout) => push_data(&mut self.events, Stream::Stdout, bytes),
            (Role::Client, Purpose::Stderr) => push_data(&mut self.events, Stream::Stderr, bytes),
            (Role::Client, Purpose::Error) => {
                if self.error.len() + bytes.len() > MAX_STATUS_BYTES {
                    let bytes = self.error.len() + bytes.len();
                    return Err(Violation::TooLong {
                        what: "a status",
                        bytes,
                        limit: MAX_STATUS_BYTES,
                    });
                }
                self.error.extend_from_slice(&bytes);
            }
            // Sent against the stream's direction; nobody reads it.
            (Role::Server, Purpose::Error | Purpose::Stdout | Purpose::Stderr)
            | (Role::Client, Purpose::Stdin | Purpose::Resize) => {}
        }
        Ok(())
    }

    /// Sizes are JSON objects one after the other; an object here has no braces inside.
    fn resized(&mut self, bytes: &[u8]) -> Result<(), Violation> {
        for byte in bytes {
            if self.resize.is_empty() && byte.is_ascii_whitespace() {
                continue;
            }
            self.resize.push(*byte);
            if *byte == b'}' {
                let event = parse_resize(&std::mem::take(&mut self.resize))?;
                self.events.push_back(event);
            } else if self.resize.len() > MAX_RESIZE_BYTES {
                let bytes = self.resize.len();
                return Err(Violation::TooLong {
                    what: "a terminal's size",
                    bytes,
                    limit: MAX_RESIZE_BYTES,
                });
            }
        }
        Ok(())
    }

    fn finished(&mut self, purpose: Purpose) {
        match (self.role, purpose) {
            (Role::Server, Purpose::Stdin) => {
                self.events.push_back(Event::End { stream: Stream::Stdin })
            }
            (Role::Client, Purpose::Stdout) => {
                self.events.push_back(Event::End { stream: Stream::Stdout })
            }
            (Role::Client, Purpose::Stderr) => {
                self.events.push_back(Event::End { stream: Stream::Stderr })
            }
            (Role::Client, Purpose::Error) => {
                let text = std::mem::take(&mut self.error);
                let text = if self.version >= Version::V4 && !text.is_empty() {
                    text
                } else {
                    status::of_text(&text)
                };
                self.events.push_back(Event::Status { text: text.into() });
            }
            (
                Role::Server,
                Purpose::Error | Purpose::Stdout | Purpose::Stderr | Purpose::Resize,
            )
            | (Role::Client, Purpose::Stdin | Purpose::Resize) => {}
        }
    }

    pub(crate) fn send(&mut self, event: &Event) -> Result<(), Violation> {
        match (self.role, event) {
            (Role::Client, Event::Data { stream: Stream::Stdin, bytes }) => {
                self.say(Purpose::Stdin, bytes)
            }
            (Role::Client, Event::End { stream: Stream::Stdin }) => self.finish(Purpose::Stdin),
            (Role::Client, Event::Resize { columns, rows }) => {
                self.say(Purpose::Resize, write_resize(*columns, *rows).as_bytes());
            }
            (Role::Server, Event::Data { stream: Stream::Stdout, bytes }) => {
                self.say(Purpose::Stdout, bytes)
            }
            (Role::Server, Event::Data { stream: Stream::Stderr, bytes }) => {
                self.say(Purpose::Stderr, bytes)
            }
            (Role::Server, Event::End { stream: Stream::Stdout }) => self.finish(Purpose::Stdout),
            (Role::Server, Event::End { stream: Stream::Stderr }) => self.finish(Purpose::Stderr),
            (Role::Server, Event::Status { text }) => {
                let text =
                    if self.version >= Version::V4 { text.to_vec() } else { status::as_text(text) };
                self.say(Purpose::Error, &text);
                for purpose in [Purpose::Stdout, Purpose::Stderr, Purpose::Error] {
                    self.finish(purpose);
                }
            }
            (Role::Server, Event::Notice { text }) => {
                let line = notice_line(text);
                let purpose = if self.number(Purpose::Stderr).is_some() {
                    Purpose::Stderr
                } else {
                    Purpose::Stdout
                };
                self.say(purpose, line.as_bytes());
            }
            (_, event) => return no_words(event),
        }
        Ok(())
    }

    /// A stream that was not asked for is not there, and its bytes have nowhere to go.
    fn say(&mut self, purpose: Purpose, bytes: &[u8]) {
        if let Some(number) = self.number(purpose) {
            self.connection.send(number, bytes);
        }
    }

    fn finish(&mut self, purpose: Purpose) {
        if let Some(number) = self.number(purpose) {
            self.connection.finish(number);
        }
    }

    pub(crate) fn next_output(&mut self) -> Option<Output> {
        self.connection.take_output().map(Output::Bytes)
    }
}
