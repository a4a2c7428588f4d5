//! What happens in a session: the one type into which both sides of a gateway are read, which is recorded,
//! and from which both sides are written again.
//!
//! What is forwarded is therefore what is recorded. Times are not part of an event; a [`Record`] has one.

use bytes::Bytes;

/// One event, and when it happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Microseconds since the recording began, by a clock that never goes back.
    pub at_us: u64,
    pub event: Event,
}

/// Something that happened in a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Bytes of a stream, exactly as they were sent. Never empty.
    Data { stream: Stream, bytes: Bytes },
    /// The sender of a stream will send no more on it.
    End { stream: Stream },
    /// The person's terminal has this size from now on.
    Resize { columns: u16, rows: u16 },
    /// How the command ended, as the runtime said it: a `Status` object as JSON (protocol v4 and later), or
    /// text (v1 to v3).
    Status { text: Bytes },
    /// A connection to a port of the pod began. Connections of a session are numbered from 0.
    Connected { connection: u32, port: u16 },
    /// What the runtime said went wrong with a connection.
    ConnectionError { connection: u32, text: Bytes },
    /// Both directions of a connection are over.
    Disconnected { connection: u32 },
    /// One call of the API, as a JSON object; docs/formats says which members it has.
    Call { json: Bytes },
    /// What the gateway itself said to the person.
    Notice { text: String },
    /// Somebody stopped the session's streams for a while.
    Frozen { by: String },
    /// Its streams go on.
    Thawed { by: String },
    /// Somebody marked this moment.
    Marker { by: String, text: String },
}

/// A stream of bytes of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stream {
    /// What the person sends to the process.
    Stdin,
    Stdout,
    Stderr,
    /// What the person sends to a port of the pod, on a connection.
    ToPort {
        connection: u32,
    },
    /// What the port answers.
    FromPort {
        connection: u32,
    },
}

/// Which key opens a record: what a person typed may be a password, so it is apart from what was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Compartment {
    /// What was shown, and what happened.
    Output,
    /// What was typed or sent by the person.
    Input,
}

impl Stream {
    /// Whether the person is the sender.
    #[must_use]
    pub const fn is_from_person(self) -> bool {
        match self {
            Self::Stdin | Self::ToPort { connection: _ } => true,
            Self::Stdout | Self::Stderr | Self::FromPort { connection: _ } => false,
        }
    }
}

impl Event {
    /// Where the event is kept.
    #[must_use]
    pub const fn compartment(&self) -> Compartment {
        match self {
            Self::Data { stream, bytes: _ } if stream.is_from_person() => Compartment::Input,
            Self::Data { .. }
            | Self::End { .. }
            | Self::Resize { .. }
            | Self::Status { .. }
            | Self::Connected { .. }
            | Self::ConnectionError { .. }
            | Self::Disconnected { .. }
            | Self::Call { .. }
            | Self::Notice { .. }
            | Self::Frozen { .. }
            | Self::Thawed { .. }
            | Self::Marker { .. } => Compartment::Output,
        }
    }
}
