//! How a peer broke its protocol.

use thiserror::Error;

/// What a peer did that its protocol does not allow, or that goes over a limit. The session ends.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Violation {
    #[error("a message of kind {kind} where the protocol has {expected}")]
    MessageKind { kind: &'static str, expected: &'static str },
    #[error("a message for channel {channel:?}, which is no channel")]
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
    #[error("{count} streams at once, of which {limit} are accepted")]
    TooManyStreams { count: usize, limit: usize },
    #[error("stream {stream} was opened with a number that is not the next one of its side")]
    StreamNumber { stream: u32 },
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
    #[error("the channel's first message must be the port that was asked for")]
    FirstMessage,
    #[error("an event that this protocol has no words for: {event}")]
    NoWords { event: &'static str },
}
