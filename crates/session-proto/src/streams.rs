//! Commands over SPDY: a stream of the connection for each stream of the command.
//!
//! The client opens `error`, then what was asked for, each with the header `streamtype`; `resize` from v3 on where a
//! terminal was asked for. From v4 on the error stream has a `Status`, before that text, and nothing for success. A
//! runtime that is done resets all streams, in any order; with v1 it resets the error stream at the beginning
//! (`k8s.io/cri-streaming`, remotecommand/httpstream.go).

use crate::channels::no_words;
use crate::codec::{Asked, Input, Output, Role, Version};
use crate::queue::Queue;
use crate::spdy::{Connection, Happened, Headers};
use crate::status;
use crate::terminal::{MAX_RESIZE_BYTES, notice_line, parse_resize, too_long, write_resize};
use crate::violation::Violation;
use bytes::Bytes;
use session_record::{Event, Stream};

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
    /// Its sender will send no more, and that was said as an event.
    is_over: bool,
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
    has_status: bool,
    pub(crate) events: Queue,
}

impl CommandStreams {
    pub(crate) fn new(role: Role, version: Version, asked: Asked) -> Self {
        let mut streams = Self {
            role,
            version,
            asked,
            connection: Connection::new(role),
            streams: Vec::with_capacity(PURPOSES.len()),
            error: Vec::new(),
            resize: Vec::new(),
            has_status: false,
            events: Queue::default(),
        };
        if role == Role::Client {
            streams.open_all();
        }
        streams
    }

    const fn is_wanted(&self, purpose: Purpose) -> bool {
        let Asked { stdin, stdout, stderr, terminal } = self.asked;
        match purpose {
            Purpose::Error => true,
            Purpose::Stdin => stdin,
            Purpose::Stdout => stdout,
            Purpose::Stderr => stderr && !terminal,
            Purpose::Resize => {
                terminal && matches!(self.version, Version::V3 | Version::V4 | Version::V5)
            }
        }
    }

    /// A connection without streams has room for these.
    fn open_all(&mut self) {
        for (purpose, name) in PURPOSES {
            if self.is_wanted(purpose)
                && let Ok(number) = self.connection.open(&Headers::new(&[("streamtype", name)]))
            {
                self.streams.push(Known { number, purpose, is_answered: false, is_over: false });
            }
        }
    }

    pub(crate) fn is_ready(&self) -> bool {
        let wanted = PURPOSES.iter().filter(|(purpose, _)| self.is_wanted(*purpose)).count();
        self.streams.len() == wanted && self.streams.iter().all(|stream| stream.is_answered)
    }

    pub(crate) fn receive(&mut self, input: Input) -> Result<(), Violation> {
        let Input::Bytes(bytes) = input else {
            return Err(Violation::InputKind { what: "a message", expected: "a stream" });
        };
        self.connection.feed(bytes);
        while let Some(happened) = self.connection.next()? {
            self.take(happened)?;
        }
        Ok(())
    }

    fn take(&mut self, happened: Happened) -> Result<(), Violation> {
        match happened {
            Happened::Opened { stream, headers } => self.opened(stream, &headers)?,
            Happened::Replied { stream } => {
                if let Some(known) = self.known(stream) {
                    known.is_answered = true;
                }
            }
            Happened::Refused { stream } => return Err(Violation::Refused { stream }),
            Happened::Data { stream, bytes } => {
                if let Some(purpose) = self.known(stream).map(|known| known.purpose) {
                    self.data(purpose, bytes)?;
                }
            }
            Happened::Finished { stream } => self.finished(stream, Last::End),
            Happened::Reset { stream, had_finished: _ } => self.finished(stream, Last::Reset),
        }
        Ok(())
    }

    fn opened(&mut self, stream: u32, headers: &Headers) -> Result<(), Violation> {
        let kind = headers.value("streamtype").unwrap_or_default();
        let purpose = PURPOSES.iter().find(|(_, name)| *name == kind).map(|(purpose, _)| *purpose);
        let purpose = purpose
            .filter(|purpose| self.is_wanted(*purpose) && self.number(*purpose).is_none())
            .ok_or_else(|| Violation::stream_type(stream, kind))?;
        self.streams.push(Known { number: stream, purpose, is_answered: true, is_over: false });
        if self.is_ready() {
            self.connection.has_all_streams();
        }
        Ok(())
    }

    fn known(&mut self, stream: u32) -> Option<&mut Known> {
        self.streams.iter_mut().find(|known| known.number == stream)
    }

    fn number(&self, purpose: Purpose) -> Option<u32> {
        self.streams.iter().find(|known| known.purpose == purpose).map(|known| known.number)
    }

    fn data(&mut self, purpose: Purpose, bytes: Bytes) -> Result<(), Violation> {
        match (self.role, purpose) {
            (Role::Server, Purpose::Stdin) => self.events.push_data(Stream::Stdin, bytes),
            (Role::Server, Purpose::Resize) => return self.resized(&bytes),
            (Role::Client, Purpose::Stdout) => self.events.push_data(Stream::Stdout, bytes),
            (Role::Client, Purpose::Stderr) => self.events.push_data(Stream::Stderr, bytes),
            (Role::Client, Purpose::Error) => {
                status::check_length(self.error.len() + bytes.len())?;
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
                if let Some(event) = parse_resize(&std::mem::take(&mut self.resize))? {
                    self.events.push(event);
                }
            } else if self.resize.len() > MAX_RESIZE_BYTES {
                return Err(too_long(self.resize.len()));
            }
        }
        Ok(())
    }

    /// A stream can be finished and then reset; that is one end.
    fn finished(&mut self, stream: u32, last: Last) {
        let Some(known) = self.known(stream) else { return };
        let purpose = known.purpose;
        if std::mem::replace(&mut known.is_over, true) {
            return;
        }
        match (self.role, purpose) {
            (Role::Server, Purpose::Stdin) => {
                self.events.push(Event::End { stream: Stream::Stdin });
            }
            (Role::Client, Purpose::Stdout) => {
                self.events.push(Event::End { stream: Stream::Stdout });
            }
            (Role::Client, Purpose::Stderr) => {
                self.events.push(Event::End { stream: Stream::Stderr });
            }
            (Role::Client, Purpose::Error) => self.error_is_over(last),
            (
                Role::Server,
                Purpose::Error | Purpose::Stdout | Purpose::Stderr | Purpose::Resize,
            )
            | (Role::Client, Purpose::Stdin | Purpose::Resize) => {}
        }
        if self.role == Role::Client && self.version == Version::V1 && self.is_output_over() {
            self.status();
        }
    }

    /// Nothing on it is success, unless a runtime that always says something broke it off.
    fn error_is_over(&mut self, last: Last) {
        let says_nothing = self.error.is_empty();
        match (self.version, last) {
            (Version::V1, Last::Reset) if says_nothing => {}
            (Version::V4 | Version::V5, Last::Reset) if says_nothing => {}
            (_, Last::End | Last::Reset) => self.status(),
        }
    }

    fn is_output_over(&self) -> bool {
        let is_output = |known: &&Known| matches!(known.purpose, Purpose::Stdout | Purpose::Stderr);
        self.streams.iter().filter(is_output).all(|known| known.is_over)
    }

    fn status(&mut self) {
        if std::mem::replace(&mut self.has_status, true) {
            return;
        }
        let text = std::mem::take(&mut self.error);
        let text = if self.version >= Version::V4 && !text.is_empty() {
            text
        } else {
            status::of_text(&text)
        };
        self.events.push(Event::Status { text: text.into() });
    }

    pub(crate) fn send(&mut self, event: &Event) -> Result<(), Violation> {
        match (self.role, event) {
            (Role::Client, Event::Data { stream: Stream::Stdin, bytes }) => {
                self.say(Purpose::Stdin, bytes);
            }
            (Role::Client, Event::End { stream: Stream::Stdin }) => self.finish(Purpose::Stdin),
            (Role::Client, Event::Resize { columns, rows }) => {
                self.say(Purpose::Resize, write_resize(*columns, *rows).as_bytes());
            }
            (Role::Server, Event::Data { stream: Stream::Stdout, bytes }) => {
                self.say(Purpose::Stdout, bytes);
            }
            (Role::Server, Event::Data { stream: Stream::Stderr, bytes }) => {
                self.say(Purpose::Stderr, bytes);
            }
            // For clients of v1 a command is over with its output, and an error that comes later is none. So the ends
            // wait for the end of the connection, which follows the status.
            (Role::Server, Event::End { stream: Stream::Stdout | Stream::Stderr })
                if self.version == Version::V1 => {}
            (Role::Server, Event::End { stream: Stream::Stdout }) => self.finish(Purpose::Stdout),
            (Role::Server, Event::End { stream: Stream::Stderr }) => self.finish(Purpose::Stderr),
            // The stream ends with the connection, as output may still come.
            (Role::Server, Event::Status { text }) => {
                if self.version >= Version::V4 {
                    self.say(Purpose::Error, text);
                } else {
                    self.say(Purpose::Error, &status::as_text(text));
                }
            }
            (Role::Server, Event::Notice { text }) => {
                let is_apart = self.number(Purpose::Stderr).is_some();
                let purpose = if is_apart { Purpose::Stderr } else { Purpose::Stdout };
                self.say(purpose, notice_line(text).as_bytes());
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

/// What a stream's sender did last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Last {
    End,
    Reset,
}
