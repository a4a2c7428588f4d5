//! Forwarded ports over a WebSocket's channels, as clients before the tunnel have it: `?ports=80,81`.
//!
//! Port `i` has the channels `2i` for data and `2i+1` for errors; the first message of the server on each is the port,
//! little-endian (`k8s.io/cri-streaming`, portforward/websocket.go). Each port is one connection, and it begins at once.
//! There are no words for the end of a channel: the WebSocket ends when all connections have.

use crate::channels::{no_words, put_together, taken_apart};
use crate::codec::{Input, Output};
use crate::queue::Queue;
use crate::terminal::shown;
use crate::violation::Violation;
use session_record::{Event, Stream};
use std::collections::VecDeque;

/// Most ports of one request: their channels fit into a digit of base64, of which the last is `DEL`.
const MAX_PORTS: usize = 32;

#[derive(Debug)]
pub(crate) struct ForwardChannels {
    is_base64: bool,
    /// For each connection whether it is there.
    are_open: Vec<bool>,
    pub(crate) events: Queue,
    pub(crate) outputs: VecDeque<Output>,
}

impl ForwardChannels {
    pub(crate) fn new(is_base64: bool, ports: &[u16]) -> Result<Self, Violation> {
        if ports.len() > MAX_PORTS {
            return Err(Violation::TooManyPorts { n_ports: ports.len(), limit: MAX_PORTS });
        }
        let mut channels = Self {
            is_base64,
            are_open: vec![true; ports.len()],
            events: Queue::default(),
            outputs: VecDeque::new(),
        };
        for (connection, port) in (0..).zip(ports) {
            channels.say(connection * 2, &port.to_le_bytes());
            channels.say(connection * 2 + 1, &port.to_le_bytes());
            channels.events.push(Event::Connected { connection, port: *port });
        }
        Ok(channels)
    }

    /// Channels of errors, unknown ones, and those of connections that are over are read by nobody.
    pub(crate) fn receive(&mut self, input: Input) -> Result<(), Violation> {
        let Some((channel, payload)) = taken_apart(self.is_base64, input)? else { return Ok(()) };
        let connection = u32::from(channel / 2);
        if channel % 2 == 0 && self.is_open(connection) {
            self.events.push_data(Stream::ToPort { connection }, payload);
        }
        Ok(())
    }

    fn is_open(&self, connection: u32) -> bool {
        usize::try_from(connection)
            .ok()
            .and_then(|connection| self.are_open.get(connection).copied())
            .unwrap_or_default()
    }

    pub(crate) fn send(&mut self, event: &Event) -> Result<(), Violation> {
        match event {
            Event::Data { stream: Stream::FromPort { connection }, bytes } => {
                self.say(connection * 2, bytes);
            }
            Event::ConnectionError { connection, text } => self.say(connection * 2 + 1, text),
            Event::Notice { text } => {
                for connection in (0..).take(self.are_open.len()) {
                    self.say(connection * 2 + 1, format!("weir: {}", shown(text)).as_bytes());
                }
            }
            Event::Disconnected { connection } => {
                let place = usize::try_from(*connection).ok();
                if let Some(is_open) = place.and_then(|place| self.are_open.get_mut(place)) {
                    *is_open = false;
                }
            }
            Event::End { stream: Stream::FromPort { .. } } => {}
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

    /// On a connection that is there; others have no channels.
    fn say(&mut self, channel: u32, payload: &[u8]) {
        if self.is_open(channel / 2)
            && let Ok(channel) = u8::try_from(channel)
        {
            self.outputs.push_back(put_together(self.is_base64, channel, payload));
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.are_open.iter().all(|is_open| !is_open)
    }
}
