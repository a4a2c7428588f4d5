//! Commands over a WebSocket: `[v1…v5.]channel.k8s.io` and the base64 variants.
//!
//! A message's first byte names the channel: 0 stdin, 1 stdout, 2 stderr, 3 the status, 4 the terminal's size, 255 the
//! end of a channel (v5; the channel is the second and last byte). In base64 the channel is a digit, and the rest of the
//! message is base64 (`k8s.io/cri-streaming`, remotecommand/websocket.go). Runtimes do not look at whether a message is
//! binary or text, and clients rely on it: Python's sends what is typed as text.

use crate::codec::{Asked, Input, Output, Role, Version};
use crate::queue::Queue;
use crate::status;
use crate::terminal::{notice_line, parse_resize, write_resize};
use crate::violation::Violation;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{BufMut as _, Bytes, BytesMut};
use session_record::{Event, Stream};
use std::collections::VecDeque;

const STDIN: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const STATUS: u8 = 3;
const RESIZE: u8 = 4;
const CLOSE: u8 = 255;

#[derive(Debug)]
pub(crate) struct Channels {
    role: Role,
    version: Version,
    is_base64: bool,
    asked: Asked,
    /// The person will send no more.
    is_stdin_over: bool,
    pub(crate) events: Queue,
    pub(crate) outputs: VecDeque<Output>,
}

impl Channels {
    pub(crate) fn new(role: Role, version: Version, is_base64: bool, asked: Asked) -> Self {
        let mut channels = Self {
            role,
            version,
            is_base64,
            asked,
            is_stdin_over: false,
            events: Queue::default(),
            outputs: VecDeque::new(),
        };
        if role == Role::Server {
            // Runtimes say so that they are there: an empty message on the first channel that they write.
            let first = channels.shown_on().unwrap_or(STATUS);
            channels.say(first, b"");
        }
        channels
    }

    /// The first channel that shows something to the person.
    const fn shown_on(&self) -> Option<u8> {
        match self.asked {
            Asked { stdout: true, .. } => Some(STDOUT),
            Asked { stderr: true, terminal: false, .. } => Some(STDERR),
            Asked { .. } => None,
        }
    }

    pub(crate) fn receive(&mut self, input: Input) -> Result<(), Violation> {
        let Some((channel, payload)) = taken_apart(self.is_base64, input)? else { return Ok(()) };
        match self.role {
            Role::Server => self.client_said(channel, payload),
            Role::Client => self.runtime_said(channel, payload),
        }
    }

    /// Channels that the client does not write, and unknown ones, are read by no runtime either; nothing of them goes on.
    fn client_said(&mut self, channel: u8, payload: Bytes) -> Result<(), Violation> {
        match channel {
            STDIN if self.asked.stdin => {
                if self.is_stdin_over && !payload.is_empty() {
                    return Err(Violation::AfterEnd);
                }
                self.events.push_data(Stream::Stdin, payload);
            }
            RESIZE if self.asked.terminal && !payload.is_empty() => {
                if let Some(event) = parse_resize(&payload)? {
                    self.events.push(event);
                }
            }
            CLOSE if self.version >= Version::V5 => return self.closed(&payload),
            _ => {}
        }
        Ok(())
    }

    /// `FF` and the channel. Ends of channels that the client only reads mean nothing.
    fn closed(&mut self, payload: &[u8]) -> Result<(), Violation> {
        let [channel] = payload else {
            return Err(Violation::CloseLength { bytes: payload.len() + 1 });
        };
        if *channel > RESIZE {
            return Err(Violation::NoChannel { channel: *channel });
        }
        if *channel == STDIN && self.asked.stdin && !self.is_stdin_over {
            self.is_stdin_over = true;
            self.events.push(Event::End { stream: Stream::Stdin });
        }
        Ok(())
    }

    /// What is not among the channels that were asked for would confuse the client, and is not passed on.
    fn runtime_said(&mut self, channel: u8, payload: Bytes) -> Result<(), Violation> {
        match channel {
            STDOUT if self.asked.stdout => self.events.push_data(Stream::Stdout, payload),
            STDERR if self.asked.stderr && !self.asked.terminal => {
                self.events.push_data(Stream::Stderr, payload);
            }
            STATUS if !payload.is_empty() => {
                status::check_length(payload.len())?;
                let text = if self.version >= Version::V4 {
                    payload
                } else {
                    status::of_text(&payload).into()
                };
                self.events.push(Event::Status { text });
            }
            _ => {}
        }
        Ok(())
    }

    pub(crate) fn send(&mut self, event: &Event) -> Result<(), Violation> {
        match (self.role, event) {
            (Role::Client, Event::Data { stream: Stream::Stdin, bytes }) => self.say(STDIN, bytes),
            (Role::Client, Event::End { stream: Stream::Stdin }) => {
                // Before v5 there are no words for it, and the runtime goes on to wait.
                if self.version >= Version::V5 {
                    self.say(CLOSE, &[STDIN]);
                }
            }
            (Role::Client, Event::Resize { columns, rows }) => {
                self.say(RESIZE, write_resize(*columns, *rows).as_bytes());
            }
            (Role::Server, Event::Data { stream: Stream::Stdout, bytes }) => {
                self.say(STDOUT, bytes);
            }
            (Role::Server, Event::Data { stream: Stream::Stderr, bytes }) => {
                self.say(STDERR, bytes);
            }
            (Role::Server, Event::Status { text }) => self.say_status(text),
            // A client learns it from the end of the WebSocket.
            (Role::Server, Event::End { stream: Stream::Stdout | Stream::Stderr }) => {}
            (Role::Server, Event::Notice { text }) => self.say_notice(text),
            (_, event) => return no_words(event),
        }
        Ok(())
    }

    fn say_status(&mut self, text: &Bytes) {
        if self.version >= Version::V4 {
            return self.say(STATUS, text);
        }
        let text = status::as_text(text);
        if !text.is_empty() {
            self.say(STATUS, &text);
        }
    }

    /// On stderr, which is apart from output that may go into a file; a terminal has only stdout.
    fn say_notice(&mut self, text: &str) {
        let apart = self.asked.stderr && !self.asked.terminal;
        if let Some(channel) = if apart { Some(STDERR) } else { self.shown_on() } {
            self.say(channel, notice_line(text).as_bytes());
        }
    }

    fn say(&mut self, channel: u8, payload: &[u8]) {
        self.outputs.push_back(put_together(self.is_base64, channel, payload));
    }
}

/// A message's channel and what is said on it; nothing for an empty message.
pub(crate) fn taken_apart(is_base64: bool, input: Input) -> Result<Option<(u8, Bytes)>, Violation> {
    let mut message = match input {
        Input::Binary(message) | Input::Text(message) => message,
        Input::Bytes(_) => {
            return Err(Violation::InputKind { what: "a stream", expected: "messages" });
        }
    };
    let Some(first) = message.first().copied() else { return Ok(None) };
    let payload = message.split_off(1);
    if !is_base64 {
        return Ok(Some((first, payload)));
    }
    let decoded = STANDARD.decode(&payload).or(Err(Violation::Base64))?;
    // As in Go, what is below the digit 0 becomes a channel that nobody has.
    Ok(Some((first.wrapping_sub(b'0'), decoded.into())))
}

pub(crate) fn put_together(is_base64: bool, channel: u8, payload: &[u8]) -> Output {
    if is_base64 {
        let mut message = String::with_capacity(1 + payload.len().div_ceil(3) * 4);
        message.push(char::from(b'0'.wrapping_add(channel) & 0x7f));
        STANDARD.encode_string(payload, &mut message);
        Output::Text(message)
    } else {
        let mut message = BytesMut::with_capacity(1 + payload.len());
        message.put_u8(channel);
        message.put_slice(payload);
        Output::Binary(message.freeze())
    }
}

/// What is for the recording alone is no fault; everything else is one of the gateway's.
pub(crate) const fn no_words(event: &Event) -> Result<(), Violation> {
    let event = match event {
        Event::Call { .. } | Event::Frozen { .. } | Event::Thawed { .. } | Event::Marker { .. } => {
            return Ok(());
        }
        Event::Data { .. } => "data",
        Event::End { .. } => "end",
        Event::Resize { .. } => "resize",
        Event::Status { .. } => "status",
        Event::Connected { .. } => "connected",
        Event::ConnectionError { .. } => "connection error",
        Event::Disconnected { .. } => "disconnected",
        Event::Notice { .. } => "notice",
    };
    Err(Violation::NoWords { event })
}
