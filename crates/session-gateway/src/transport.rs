//! The wire of one side of a session: messages of a WebSocket, or bytes.
//!
//! Receiving and sending are apart, so that one side can be waited for in both directions at once. Neither keeps
//! more than the peer's last message and what is queued; whoever queues asks [`Sender::is_clear`] first.

use crate::places::Socket;
use bytes::{Buf as _, Bytes, BytesMut};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{Sink as _, SinkExt as _, StreamExt as _};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf};
use tokio_rustls::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tungstenite::{Message, Utf8Bytes};

pub(crate) type Io = TlsStream<Socket>;

/// What an idle connection keeps to read into.
const READ_BYTES: usize = 4 << 10;
/// What a bare stream reads at once: one TLS record.
const PONGS_BYTES: usize = 1 << 20;
const STREAM_READ_BYTES: usize = 16 << 10;

/// What came from the peer.
#[derive(Debug)]
pub(crate) enum Incoming {
    Binary(Bytes),
    Text(Bytes),
    /// A piece of a byte stream, cut anywhere.
    Bytes(Bytes),
    /// A ping, which is answered already, or a pong.
    Alive,
    /// The peer said that it is done: its code and what it gave as reason.
    Closed {
        code: u16,
        reason: String,
    },
    /// The peer is gone without a word, or with its last byte.
    Eof,
}

/// What goes to the peer.
#[derive(Debug)]
pub(crate) enum Outgoing {
    Binary(Bytes),
    Text(Utf8Bytes),
    Bytes(Bytes),
    /// Only on a WebSocket.
    Ping,
    /// Only on a WebSocket: the last message.
    Close {
        code: u16,
        reason: &'static str,
    },
}

#[derive(Debug)]
pub(crate) enum Receiver {
    WebSocket(SplitStream<WebSocketStream<Io>>),
    Stream { half: ReadHalf<Io>, buffer: BytesMut },
}

#[derive(Debug)]
pub(crate) struct Sender {
    wire: Wire,
    queue: VecDeque<Outgoing>,
    /// Something was handed to the wire and not flushed.
    unflushed: bool,
}

#[derive(Debug)]
enum Wire {
    WebSocket(SplitSink<WebSocketStream<Io>, Message>),
    Stream(WriteHalf<Io>),
}

/// The wire broke, or the peer broke the rules of a WebSocket.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TransportError {
    #[error("the connection broke")]
    Io(#[from] io::Error),
    #[error("the WebSocket was not spoken as RFC 6455 says")]
    Protocol(#[source] Box<tungstenite::Error>),
}

impl From<tungstenite::Error> for TransportError {
    fn from(error: tungstenite::Error) -> Self {
        if let tungstenite::Error::Io(error) = error {
            Self::Io(error)
        } else {
            Self::Protocol(Box::new(error))
        }
    }
}

/// A WebSocket after its handshake. `read` is what came with the handshake already.
pub(crate) async fn web_socket(
    io: Io,
    read: &[u8],
    role: Role,
    longest_message: usize,
) -> (Receiver, Sender) {
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BYTES)
        .write_buffer_size(0)
        // A message that the peer takes slowly, and answers to its pings until there is no more room for them.
        .max_write_buffer_size(longest_message.saturating_add(PONGS_BYTES))
        .max_message_size(Some(longest_message))
        .max_frame_size(Some(longest_message));
    let socket = WebSocketStream::from_partially_read(io, read.to_vec(), role, Some(config)).await;
    let (sink, stream) = socket.split();
    (Receiver::WebSocket(stream), Sender::new(Wire::WebSocket(sink)))
}

/// A byte stream.
pub(crate) fn byte_stream(io: Io, read: &[u8]) -> (Receiver, Sender) {
    let (reader, writer) = tokio::io::split(io);
    let receiver = Receiver::Stream { half: reader, buffer: BytesMut::from(read) };
    (receiver, Sender::new(Wire::Stream(writer)))
}

impl Receiver {
    /// What comes next. Nothing is lost when the future is dropped.
    pub(crate) async fn next(&mut self) -> Result<Incoming, TransportError> {
        match self {
            Self::WebSocket(stream) => next_message(stream).await,
            Self::Stream { half, buffer } => {
                if buffer.is_empty() {
                    buffer.reserve(STREAM_READ_BYTES);
                    if half.read_buf(buffer).await? == 0 {
                        return Ok(Incoming::Eof);
                    }
                }
                Ok(Incoming::Bytes(std::mem::take(buffer).freeze()))
            }
        }
    }
}

async fn next_message(
    stream: &mut SplitStream<WebSocketStream<Io>>,
) -> Result<Incoming, TransportError> {
    Ok(match stream.next().await {
        None
        | Some(Err(tungstenite::Error::ConnectionClosed | tungstenite::Error::AlreadyClosed)) => {
            Incoming::Eof
        }
        Some(Err(error)) => return Err(error.into()),
        Some(Ok(message)) => match message {
            Message::Binary(bytes) => Incoming::Binary(bytes),
            Message::Text(text) => Incoming::Text(text.into()),
            Message::Ping(_) | Message::Pong(_) => Incoming::Alive,
            // RFC 6455, 7.1.5: no code was present.
            Message::Close(None) => Incoming::Closed { code: 1005, reason: String::new() },
            Message::Close(Some(CloseFrame { code, reason })) => {
                Incoming::Closed { code: code.into(), reason: reason.as_str().to_owned() }
            }
            // Only writing makes these.
            Message::Frame(_) => Incoming::Alive,
        },
    })
}

impl Sender {
    fn new(wire: Wire) -> Self {
        Self { wire, queue: VecDeque::new(), unflushed: false }
    }

    pub(crate) fn queue(&mut self, outgoing: Outgoing) {
        self.queue.push_back(outgoing);
    }

    /// Everything that was queued has left.
    pub(crate) fn is_clear(&self) -> bool {
        self.queue.is_empty() && !self.unflushed
    }

    /// Forgets what is queued: there is nobody any more whom it could reach.
    pub(crate) fn give_up(&mut self) {
        self.queue.clear();
        self.unflushed = false;
    }

    /// Sends what is queued. Nothing is lost or sent twice when the future is dropped and made again.
    pub(crate) async fn push(&mut self) -> Result<(), TransportError> {
        match &mut self.wire {
            Wire::WebSocket(sink) => {
                while !self.queue.is_empty() {
                    poll_fn(|context| Pin::new(&mut *sink).poll_ready(context)).await?;
                    if let Some(message) = self.queue.pop_front().and_then(message) {
                        self.unflushed = true;
                        Pin::new(&mut *sink).start_send(message)?;
                    }
                }
                sink.flush().await?;
            }
            Wire::Stream(half) => {
                while let Some(outgoing) = self.queue.front_mut() {
                    if let Outgoing::Bytes(bytes) = outgoing
                        && !bytes.is_empty()
                    {
                        self.unflushed = true;
                        let written = half.write(bytes).await?;
                        if written == 0 {
                            return Err(io::Error::from(io::ErrorKind::WriteZero).into());
                        }
                        bytes.advance(written);
                        if !bytes.is_empty() {
                            continue;
                        }
                    }
                    self.queue.pop_front();
                }
                half.flush().await?;
            }
        }
        self.unflushed = false;
        Ok(())
    }

    /// Says that nothing more will come; what the peer sends can still be read.
    pub(crate) async fn shut(&mut self) -> Result<(), TransportError> {
        match &mut self.wire {
            Wire::WebSocket(_) => Ok(()),
            Wire::Stream(half) => Ok(half.shutdown().await?),
        }
    }
}

fn message(outgoing: Outgoing) -> Option<Message> {
    match outgoing {
        Outgoing::Binary(bytes) => Some(Message::Binary(bytes)),
        Outgoing::Text(text) => Some(Message::Text(text)),
        Outgoing::Ping => Some(Message::Ping(Bytes::new())),
        Outgoing::Close { code, reason } => {
            let code = CloseCode::from(code);
            Some(Message::Close(Some(CloseFrame { code, reason: Utf8Bytes::from_static(reason) })))
        }
        // A WebSocket carries bytes only in messages; whoever queued these took it for a stream.
        Outgoing::Bytes(bytes) => Some(Message::Binary(bytes)),
    }
}
