//! Forwarded ports over a WebSocket's channels, as clients before the tunnel have it: `?ports=80,81`.
//!
//! Port `i` has the channels `2i` for data and `2i+1` for errors; the first message of the server on each is the port,
//! little-endian (`k8s.io/cri-streaming`, portforward/websocket.go). Each port is one connection, and it begins at once.

use crate::channels::{no_words, push_data};
use crate::codec::{Input, Output};
use crate::violation::Violation;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use session_record::{Event, Stream};
use std::collections::VecDeque;

#[derive(Debug)]
pub(crate) struct ForwardChannels {
    is_base64: bool,
    n_ports: u32,
    pub(crate) events: VecDeque<Event>,
    pub(crate) outputs: VecDeque<Output>,
}

impl ForwardChannels {
    pub(crate) fn new(is_base64: bool, ports: &[u16]) -> Self {
        let mut channels =
            Self { is_base64, n_ports: 0, events: VecDeque::new(), outputs: VecDeque::new() };
        for (connection, port) in (0_u32..127).zip(ports) {
            channels.n_ports = connection + 1;
            channels.say(connection * 2, &port.to_le_bytes());
            channels.say(connection * 2 + 1, &port.to_le_bytes());
            channels.events.push_back(Event::Connected { connection, port: *port });
        }
        channels
    }

    pub(crate) fn receive(&mut self, input: Input) -> Result<(), Violation> {
        let (channel, payload) = match (self.is_base64, input) {
            (false, Input::Binary(mut message)) if !message.is_empty() => {
                let channel = message.split_to(1);
                (channel.first().copied().unwrap_or_default(), message)
            }
            (true, Input::Text(message)) => {
                let Some((digit, encoded)) = message.split_first() else { return Ok(()) };
                let channel =
                    digit.checked_sub(b'0').ok_or(Violation::NoChannel { channel: *digit })?;
                (channel, Bytes::from(STANDARD.decode(encoded).or(Err(Violation::Base64))?))
            }
            (false, Input::Binary(_)) => return Ok(()),
            (true, _) => return Err(Violation::MessageKind { kind: "other", expected: "text" }),
            (false, _) => {
                return Err(Violation::MessageKind { kind: "other", expected: "binary messages" });
            }
        };
        let connection = u32::from(channel / 2);
        if channel % 2 == 0 && connection < self.n_ports {
            push_data(&mut self.events, Stream::ToPort { connection }, payload);
            return Ok(());
        }
        Err(Violation::NoChannel { channel })
    }

    pub(crate) fn send(&mut self, event: &Event) -> Result<(), Violation> {
        match event {
            Event::Data { stream: Stream::FromPort { connection }, bytes } => {
                self.say(connection * 2, bytes)
            }
            Event::ConnectionError { connection, text } => self.say(connection * 2 + 1, text),
            Event::Notice { text } => {
                for connection in 0..self.n_ports {
                    self.say(connection * 2 + 1, format!("weir: {text}").as_bytes());
                }
            }
            // There are no words for the end of a channel; the connection ends with the WebSocket.
            Event::End { stream: Stream::FromPort { .. } } | Event::Disconnected { .. } => {}
            Event::Data { .. }
            | Event::End { .. }
            | Event::Resize { .. }
            | Event::Status { .. }
            | Event::Connected { .. }
            | Event::Call { .. }
            | Event::Frozen { .. }
            | Event::Thawed { .. }
            | Event::Marker { .. } => return no_words(event),
        }
        Ok(())
    }

    fn say(&mut self, channel: u32, payload: &[u8]) {
        let channel = u8::try_from(channel).unwrap_or(u8::MAX);
        self.outputs.push_back(if self.is_base64 {
            let mut message = String::new();
            message.push(char::from(b'0'.saturating_add(channel)));
            STANDARD.encode_string(payload, &mut message);
            Output::Text(message)
        } else {
            let mut message = vec![channel];
            message.extend_from_slice(payload);
            Output::Binary(message.into())
        });
    }
}
