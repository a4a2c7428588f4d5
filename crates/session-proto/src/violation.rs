//! How a peer broke its protocol.

use thiserror::Error;

/// What a peer did that its protocol does not allow, or that goes over a limit. The session ends.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Violation {
    #[error("{what} where the protocol has {expected}")]
    InputKind { what: &'static str, expected: &'static str },
    #[error("channel {channel} is closed, which is no channel")]
    NoChannel { channel: u8 },
    #[error("a message that closes a channel has {bytes} bytes instead of 2")]
    CloseLength { bytes: usize },
    #[error("a terminal's size that is not one")]
    Resize,
    #[error("base64 that is not base64")]
    Base64,
    #[error("{what} has {bytes} bytes, of which {limit} are accepted")]
    TooLong { what: &'static str, bytes: usize, limit: usize },
    #[error("a frame of SPDY version {version} instead of 3")]
    SpdyVersion { version: u16 },
    #[error("a SPDY frame of type {kind} that is not as long as it must be")]
    FrameLength { kind: u16 },
    #[error("headers that cannot be read")]
    Headers,
    #[error("more than {limit} streams at once")]
    TooManyStreams { limit: usize },
    #[error("{n_ports} ports, of which {limit} are accepted")]
    TooManyPorts { n_ports: usize, limit: usize },
    #[error("stream {stream} was opened, and the session has all its streams")]
    NoMoreStreams { stream: u32 },
    #[error("a stream is needed, and the other side said that it accepts no more")]
    GoingAway,
    #[error("stream {stream} was opened with a number that is not the next one of its side")]
    StreamNumber { stream: u32 },
    #[error("data of stream {stream} came before its answer")]
    BeforeReply { stream: u32 },
    #[error("data came after the end of stdin")]
    AfterEnd,
    #[error("stream {stream} is not open")]
    NotOpen { stream: u32 },
    #[error("stream {stream} is of a type that the session does not have, {kind:?}")]
    StreamType { stream: u32, kind: String },
    #[error("stream {stream} gives its headers a second time")]
    HeadersAgain { stream: u32 },
    #[error("stream {stream} names no port from 1 to 65535")]
    Port { stream: u32 },
    #[error("a data stream without its error stream, or the other way round")]
    Pair,
    #[error("the other side refused stream {stream}")]
    Refused { stream: u32 },
    #[error("an event that this protocol has no words for: {event}")]
    NoWords { event: &'static str },
}

impl Violation {
    pub(crate) fn stream_type(stream: u32, kind: &str) -> Self {
        /// Of what a peer calls a type, as much as helps to find it.
        const SHOWN: usize = 40;
        Self::StreamType { stream, kind: kind.chars().take(SHOWN).collect() }
    }
}
