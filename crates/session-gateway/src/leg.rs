//! One side of a session: its wire and the protocol on it.

use crate::chain::chain;
use crate::transport::{Incoming, Outgoing, Receiver, Sender, TransportError};
use session_proto::{Codec, Input, Output, Violation};
use session_record::Event;
use std::time::Duration;
use tungstenite::Utf8Bytes;

/// RFC 6455, 7.4.1: a normal closure.
const NORMAL: u16 = 1000;
/// How long a peer may take to read the last words and close. Nothing of the session waits for it.
const LINGER: Duration = Duration::from_secs(60);
/// What the protocol may answer a peer that reads none of it: pings are answered in memory.
const UNREAD_ANSWERS_BYTES: usize = 1 << 20;

#[derive(Debug)]
pub(crate) struct Leg {
    pub(crate) receiver: Receiver,
    pub(crate) sender: Sender,
    codec: Codec,
    is_web_socket: bool,
    /// Of answers that were queued since everything had last left.
    unread_answers: usize,
}

/// What came of something that a peer sent.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) events: Vec<Event>,
    /// The peer sends no more; how it said so.
    pub(crate) over: Option<String>,
}

/// What a peer sent is not to be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DecodeError {
    #[error(transparent)]
    Violation(#[from] Violation),
    #[error("it asks for answers of the protocol and reads none of them")]
    Unread,
}

/// Why a side did not become ready.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotReady {
    #[error(transparent)]
    Transport(#[from] TransportError),
    #[error(transparent)]
    Decode(#[from] DecodeError),
    #[error("{0}")]
    Over(String),
    #[error("the streams of the session were not there within {} s", .0.as_secs())]
    Slow(Duration),
}

impl Leg {
    pub(crate) fn web_socket((receiver, sender): (Receiver, Sender), codec: Codec) -> Self {
        let mut leg = Self { receiver, sender, codec, is_web_socket: true, unread_answers: 0 };
        leg.collect();
        leg
    }

    pub(crate) fn spdy((receiver, sender): (Receiver, Sender), codec: Codec) -> Self {
        let mut leg = Self { receiver, sender, codec, is_web_socket: false, unread_answers: 0 };
        leg.collect();
        leg
    }

    /// The protocol has nothing left to say.
    pub(crate) fn is_over(&self) -> bool {
        self.codec.is_over()
    }

    /// Waits until what is sent arrives. Gives what the peer did meanwhile.
    pub(crate) async fn ready(&mut self, patience: Duration) -> Result<Vec<Event>, NotReady> {
        let mut early = Vec::new();
        let until = tokio::time::Instant::now() + patience;
        loop {
            let ready = self.codec.is_ready();
            if ready && self.sender.is_clear() {
                return Ok(early);
            }
            let push = !self.sender.is_clear();
            let came = tokio::select! {
                pushed = self.sender.push(), if push => { pushed?; continue }
                came = self.receiver.next(), if !ready => came?,
                () = tokio::time::sleep_until(until) => return Err(NotReady::Slow(patience)),
            };
            let received = self.decode(came)?;
            early.extend(received.events);
            if let Some(how) = received.over {
                return Err(NotReady::Over(how));
            }
        }
    }

    /// What the peer did. What the protocol itself answers is queued.
    pub(crate) fn decode(&mut self, incoming: Incoming) -> Result<Received, DecodeError> {
        if self.sender.is_clear() {
            self.unread_answers = 0;
        }
        let (input, over) = match incoming {
            Incoming::Binary(bytes) => (Some(Input::Binary(bytes)), None),
            Incoming::Text(bytes) => (Some(Input::Text(bytes)), None),
            Incoming::Bytes(bytes) => (Some(Input::Bytes(bytes)), None),
            Incoming::Alive => (None, None),
            Incoming::Closed { code, reason } => (None, Some(closed(code, &reason))),
            Incoming::Eof => (None, Some("the connection was closed".to_owned())),
        };
        if let Some(input) = input {
            self.codec.receive(input)?;
        }
        let events = std::iter::from_fn(|| self.codec.next_event()).collect();
        self.unread_answers += self.collect();
        if self.unread_answers > UNREAD_ANSWERS_BYTES {
            return Err(DecodeError::Unread);
        }
        Ok(Received { events, over })
    }

    /// Queues what says an event to the peer.
    pub(crate) fn encode(&mut self, event: &Event) -> Result<(), Violation> {
        self.codec.send(event)?;
        self.collect();
        Ok(())
    }

    pub(crate) fn ping(&mut self) {
        if self.is_web_socket {
            self.sender.queue(Outgoing::Ping);
        }
        self.codec.ping();
        self.collect();
    }

    /// Ends this side: what is queued is sent, then its end, and the peer may take a moment to read it. A connection
    /// that is closed while something of its peer is unread is reset, and takes back what the peer did not read yet.
    pub(crate) async fn close(mut self) {
        self.codec.end();
        self.collect();
        if self.is_web_socket {
            self.sender.queue(Outgoing::Close { code: NORMAL, reason: "" });
        }
        let closing = async {
            let mut pushed = self.sender.push().await;
            if pushed.is_ok() {
                pushed = self.sender.shut().await;
            }
            if let Err(error) = pushed {
                tracing::debug!(error = chain(&error), "a peer did not hear how its session ended");
                return;
            }
            while !matches!(
                self.receiver.next().await,
                Ok(Incoming::Eof | Incoming::Closed { .. }) | Err(_)
            ) {}
        };
        if tokio::time::timeout(LINGER, closing).await.is_err() {
            tracing::debug!("a peer did not close its connection after its session ended");
        }
    }

    /// Queues what the protocol says, and gives how many bytes that is.
    fn collect(&mut self) -> usize {
        let mut n_bytes = 0;
        while let Some(output) = self.codec.next_output() {
            n_bytes += match &output {
                Output::Binary(bytes) | Output::Bytes(bytes) => bytes.len(),
                Output::Text(text) => text.len(),
            };
            self.sender.queue(match output {
                Output::Binary(bytes) => Outgoing::Binary(bytes),
                Output::Text(text) => Outgoing::Text(Utf8Bytes::from(text)),
                Output::Bytes(bytes) => Outgoing::Bytes(bytes),
            });
        }
        n_bytes
    }
}

fn closed(code: u16, reason: &str) -> String {
    if reason.is_empty() {
        format!("the WebSocket was closed with code {code}")
    } else {
        format!("the WebSocket was closed with code {code}: {reason}")
    }
}
