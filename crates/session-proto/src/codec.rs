//! One side of a session, whatever its protocol.

use crate::channels::Channels;
use crate::forward_channels::ForwardChannels;
use crate::forward_streams::ForwardStreams;
use crate::streams::CommandStreams;
use crate::violation::Violation;
use bytes::Bytes;
use session_record::Event;

/// Which end of the protocol a codec is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The peer is the client of the session.
    Server,
    /// The peer is the API server.
    Client,
}

/// Versions of the protocol of commands, `channel.k8s.io` to `v5.channel.k8s.io`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    V1,
    V2,
    V3,
    V4,
    V5,
}

/// Which streams a command was asked to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    pub stdin: bool,
    pub stdout: bool,
    pub stderr: bool,
    pub terminal: bool,
}

/// What came from the peer: a message of a WebSocket, or a piece of a byte stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    Binary(Bytes),
    Text(Bytes),
    Bytes(Bytes),
}

/// What goes to the peer, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    Binary(Bytes),
    /// UTF-8.
    Text(String),
    Bytes(Bytes),
}

/// One side of a session.
#[derive(Debug)]
pub struct Codec(Kind);

#[derive(Debug)]
enum Kind {
    Channels(Channels),
    CommandStreams(Box<CommandStreams>),
    ForwardStreams(Box<ForwardStreams>),
    ForwardChannels(ForwardChannels),
}

impl Codec {
    /// A command over a WebSocket: a message is a byte that names the channel, and what is sent on it.
    #[must_use]
    pub fn command_channels(role: Role, version: Version, is_base64: bool, asked: Asked) -> Self {
        Self(Kind::Channels(Channels::new(role, version, is_base64, asked)))
    }

    /// A command over SPDY/3.1: a stream of the connection for each stream of the command. v5 is v4 here.
    #[must_use]
    pub fn command_streams(role: Role, version: Version, asked: Asked) -> Self {
        Self(Kind::CommandStreams(Box::new(CommandStreams::new(
            role,
            version.min(Version::V4),
            asked,
        ))))
    }

    /// Forwarded ports over SPDY/3.1, as a connection of its own or tunnelled in the messages of a WebSocket.
    #[must_use]
    pub fn forward_streams(role: Role, is_tunnelled: bool) -> Self {
        Self(Kind::ForwardStreams(Box::new(ForwardStreams::new(role, is_tunnelled))))
    }

    /// Forwarded ports over a WebSocket's channels, towards a client only: two channels for each port that was asked for.
    ///
    /// # Errors
    /// There are more ports than channels.
    pub fn forward_channels(is_base64: bool, ports: &[u16]) -> Result<Self, Violation> {
        ForwardChannels::new(is_base64, ports).map(Kind::ForwardChannels).map(Self)
    }

    /// Takes what came from the peer.
    ///
    /// # Errors
    /// The peer broke its protocol; the codec is not used any more.
    pub fn receive(&mut self, input: Input) -> Result<(), Violation> {
        match &mut self.0 {
            Kind::Channels(codec) => codec.receive(input),
            Kind::CommandStreams(codec) => codec.receive(input),
            Kind::ForwardStreams(codec) => codec.receive(input),
            Kind::ForwardChannels(codec) => codec.receive(input),
        }
    }

    /// What the peer did, in its order.
    pub fn next_event(&mut self) -> Option<Event> {
        match &mut self.0 {
            Kind::Channels(codec) => codec.events.pop(),
            Kind::CommandStreams(codec) => codec.events.pop(),
            Kind::ForwardStreams(codec) => codec.events.pop(),
            Kind::ForwardChannels(codec) => codec.events.pop(),
        }
    }

    /// Says an event to the peer. Events that only the recording has, such as marks, are said by nobody.
    ///
    /// # Errors
    /// The protocol has no words for it, or the stream is over.
    pub fn send(&mut self, event: &Event) -> Result<(), Violation> {
        match &mut self.0 {
            Kind::Channels(codec) => codec.send(event),
            Kind::CommandStreams(codec) => codec.send(event),
            Kind::ForwardStreams(codec) => codec.send(event),
            Kind::ForwardChannels(codec) => codec.send(event),
        }
    }

    /// What goes to the peer, answers to what it said included.
    pub fn next_output(&mut self) -> Option<Output> {
        match &mut self.0 {
            Kind::Channels(codec) => codec.outputs.pop_front(),
            Kind::CommandStreams(codec) => codec.next_output(),
            Kind::ForwardStreams(codec) => codec.next_output(),
            Kind::ForwardChannels(codec) => codec.outputs.pop_front(),
        }
    }

    /// Whether all streams are there, so that what is sent arrives. SPDY's receivers drop data of a stream that they
    /// did not answer yet; nothing but what [`Codec::next_output`] gives may be sent before.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        match &self.0 {
            Kind::Channels(_) | Kind::ForwardStreams(_) | Kind::ForwardChannels(_) => true,
            Kind::CommandStreams(codec) => codec.is_ready(),
        }
    }

    /// Whether the protocol has nothing left to say, so that the connection is to be closed: all ports of a request that
    /// named them are over. Other protocols end with a status, or with a peer that closes.
    #[must_use]
    pub fn is_over(&self) -> bool {
        match &self.0 {
            Kind::Channels(_) | Kind::CommandStreams(_) | Kind::ForwardStreams(_) => false,
            Kind::ForwardChannels(codec) => codec.is_over(),
        }
    }

    /// Says that nothing more is sent, before the connection is closed: SPDY's streams end one by one, where the end of
    /// a WebSocket says it all.
    pub fn end(&mut self) {
        match &mut self.0 {
            Kind::Channels(_) | Kind::ForwardChannels(_) => {}
            Kind::CommandStreams(codec) => codec.connection.end(),
            Kind::ForwardStreams(codec) => codec.connection.end(),
        }
    }

    /// Asks the peer for a sign of life, where the protocol itself can: SPDY does, a WebSocket has its own.
    pub fn ping(&mut self) {
        match &mut self.0 {
            Kind::Channels(_) | Kind::ForwardChannels(_) => {}
            Kind::CommandStreams(codec) => codec.connection.ping(),
            Kind::ForwardStreams(codec) => codec.connection.ping(),
        }
    }
}
