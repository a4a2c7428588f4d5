//! Commands over a WebSocket: `[v1…v5.]channel.k8s.io` and the base64 variants.
//!
//! A message's first byte names the channel: 0 stdin, 1 stdout, 2 stderr, 3 the status, 4 the terminal's size (from v3
//! on), 255 the end of a channel (v5; the channel is the second and last byte). In base64 the channel is a digit, and the
//! rest of the message is base64 (`k8s.io/cri-streaming`, remotecommand/websocket.go).

use crate::codec::{Asked, Input, Output, Role, Version};
use crate::status;
use crate::violation::Violation;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{BufMut as _, Bytes, BytesMut};
use serde_json::Value;
use session_record::{Event, Stream};
use std::collections::VecDeque;

const STDIN: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const STATUS: u8 = 3;
const RESIZE: u8 = 4;
const CLOSE: u8 = 255;
/// Longest slice of a message in one event.
pub(crate) const MAX_EVENT_BYTES: usize = 64 << 10;
/// Two numbers and two names.
pub(crate) const MAX_RESIZE_BYTES: usize = 256;

#[derive(Debug)]
pub(crate) struct Channels {
    role: Role,
    version: Version,
    is_base64: bool,
    asked: Asked,
    pub(crate) events: VecDeque<Event>,
    pub(crate) outputs: VecDeque<Output>,
}

impl Channels {
    pub(crate) fn new(role: Role, version: Version, is_base64: bool, asked: Asked) -> Self {
        let mut channels = Self {
            role,
            version,
            is_base64,
            asked,
            events: VecDeque::new(),
            outputs: VecDeque::new(),
        };
        if role == Role::Server {
            // Runtimes say so that they are there: an empty message on the first channel that they write.
            let first = if asked.stdout {
                STDOUT
            } else if asked.stderr {
                STDERR
            } else {
                STATUS
            };
            channels.say(first, b"");
        }
        channels
    }

    pub(crate) fn receive(&mut self, input: Input) -> Result<(), Violation> {
        let Some((channel, payload)) = self.taken_apart(input)? else { return Ok(()) };
        match self.role {
            Role::Server => self.client_said(channel, payload),
            Role::Client => {
                self.runtime_said(channel, payload);
                Ok(())
            }
        }
    }

    fn taken_apart(&self, input: Input) -> Result<Option<(u8, Bytes)>, Violation> {
        match (self.is_base64, input) {
            (false, Input::Binary(mut message)) => {
                if message.is_empty() {
                    return Ok(None);
                }
                let channel = message.split_to(1);
                Ok(channel.first().map(|channel| (*channel, message)))
            }
            (true, Input::Text(message)) => {
                let Some((digit, encoded)) = message.split_first() else { return Ok(None) };
                let channel = digit.checked_sub(b'0').filter(|channel| *channel <= 9);
                let channel = channel.ok_or(Violation::NoChannel { channel: *digit })?;
                let payload = STANDARD.decode(encoded).or(Err(Violation::Base64))?;
                Ok(Some((channel, payload.into())))
            }
            (true, Input::Binary(_) | Input::Bytes(_)) => {
                Err(Violation::MessageKind { kind: "binary", expected: "text" })
            }
            (false, Input::Text(_)) => {
                Err(Violation::MessageKind { kind: "text", expected: "binary messages" })
            }
            (false, Input::Bytes(_)) => {
                Err(Violation::MessageKind { kind: "stream", expected: "messages" })
            }
        }
    }

    /// Channels that the client does not write, and unknown ones, are read by no runtime either; nothing of them goes on.
    fn client_said(&mut self, channel: u8, payload: Bytes) -> Result<(), Violation> {
        match channel {
            STDIN if self.asked.stdin => push_data(&mut self.events, Stream::Stdin, payload),
            RESIZE if self.asked.terminal && self.version >= Version::V3 && !payload.is_empty() => {
                self.events.push_back(parse_resize(&payload)?);
            }
            CLOSE if self.version >= Version::V5 => match payload.as_ref() {
                [STDIN] if self.asked.stdin => {
                    self.events.push_back(Event::End { stream: Stream::Stdin })
                }
                [_] => {}
                _ => return Err(Violation::CloseLength { bytes: payload.len() + 1 }),
            },
            _ => {}
        }
        Ok(())
    }

    /// What is not among the channels that were asked for would confuse the client, and is not passed on.
    fn runtime_said(&mut self, channel: u8, payload: Bytes) {
        match channel {
            STDOUT if self.asked.stdout => push_data(&mut self.events, Stream::Stdout, payload),
            STDERR if self.asked.stderr && !self.asked.terminal => {
                push_data(&mut self.events, Stream::Stderr, payload)
            }
            STATUS if !payload.is_empty() => {
                let text = if self.version >= Version::V4 {
                    payload
                } else {
                    status::of_text(&payload).into()
                };
                self.events.push_back(Event::Status { text });
            }
            _ => {}
        }
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
                if self.version >= Version::V3 {
                    self.say(RESIZE, write_resize(*columns, *rows).as_bytes());
                }
            }
            (Role::Server, Event::Data { stream: Stream::Stdout, bytes }) => {
                self.say(STDOUT, bytes)
            }
            (Role::Server, Event::Data { stream: Stream::Stderr, bytes }) => {
                self.say(STDERR, bytes)
            }
            (Role::Server, Event::Status { text }) => {
                if self.version >= Version::V4 {
                    self.say(STATUS, text);
                } else {
                    let text = status::as_text(text);
                    if !text.is_empty() {
                        self.say(STATUS, &text);
                    }
                }
            }
            (Role::Server, Event::End { stream: Stream::Stdout | Stream::Stderr }) => {}
            (Role::Server, Event::Notice { text }) => {
                let line = notice_line(text);
                self.say(
                    if self.asked.terminal || !self.asked.stderr { STDOUT } else { STDERR },
                    line.as_bytes(),
                );
            }
            (_, event) => return no_words(event),
        }
        Ok(())
    }

    fn say(&mut self, channel: u8, payload: &[u8]) {
        self.outputs.push_back(if self.is_base64 {
            let mut message = String::with_capacity(1 + payload.len().div_ceil(3) * 4);
            message.push(char::from(b'0' + channel.min(9)));
            STANDARD.encode_string(payload, &mut message);
            Output::Text(message)
        } else {
            let mut message = BytesMut::with_capacity(1 + payload.len());
            message.put_u8(channel);
            message.put_slice(payload);
            Output::Binary(message.freeze())
        });
    }
}

/// Events of at most [`MAX_EVENT_BYTES`], without copying.
pub(crate) fn push_data(events: &mut VecDeque<Event>, stream: Stream, mut bytes: Bytes) {
    while !bytes.is_empty() {
        let next = bytes.split_to(bytes.len().min(MAX_EVENT_BYTES));
        events.push_back(Event::Data { stream, bytes: next });
    }
}

/// A line of the gateway's own, apart from what the command writes. A terminal may be in raw mode.
pub(crate) fn notice_line(text: &str) -> String {
    format!("\r\nweir: {text}\r\n")
}

/// `{"Width":…,"Height":…}`, with names in any case, as Go reads them.
pub(crate) fn parse_resize(json: &[u8]) -> Result<Event, Violation> {
    if json.len() > MAX_RESIZE_BYTES {
        return Err(Violation::TooLong {
            what: "a terminal's size",
            bytes: json.len(),
            limit: MAX_RESIZE_BYTES,
        });
    }
    let value: Value = serde_json::from_slice(json).or(Err(Violation::Resize))?;
    let object = value.as_object().ok_or(Violation::Resize)?;
    let number = |wanted: &str| {
        let value = object
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(wanted))
            .map(|(_, value)| value);
        match value {
            None => Some(0),
            Some(value) => value.as_u64().and_then(|number| u16::try_from(number).ok()),
        }
    };
    match (number("width"), number("height")) {
        (Some(columns), Some(rows)) => Ok(Event::Resize { columns, rows }),
        _ => Err(Violation::Resize),
    }
}

pub(crate) fn write_resize(columns: u16, rows: u16) -> String {
    format!("{{\"Width\":{columns},\"Height\":{rows}}}\n")
}

/// What is for the recording alone is no fault; everything else is one of the gateway's.
pub(crate) fn no_words(event: &Event) -> Result<(), Violation> {
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
