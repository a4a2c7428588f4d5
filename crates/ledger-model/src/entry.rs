//! What a ledger holds: one entry for each thing that somebody may later have to prove.

/// The tiles' format has 16 bits for the length of an entry. What is larger is kept elsewhere, and named here by
/// its digest.
pub const MAX_ENTRY_BYTES: usize = 65_535;

/// An entry. The ledger commits to its bytes as they were written, and never writes it again from its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Milliseconds since 1970 (UTC), by the writer's clock.
    pub at_ms: i64,
    /// Name of the writer, for instance the gateway.
    pub source: String,
    /// Counts the entries of one source from 0, so that a missing one shows.
    pub sequence: u64,
    pub fact: Fact,
}

/// What happened. Digests are SHA-256.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    SourceStarted {
        version: String,
    },
    SourceStopped,
    /// Nothing happened since the entry before, and the source was there.
    Heartbeat,
    /// The recording's header is on disk; nothing has reached the cluster.
    SessionOpened(SessionOpened),
    /// How far a recording is: what comes before `chain` can no longer be cut off unseen.
    SessionHead {
        session: String,
        chunk: u64,
        chain: [u8; 32],
    },
    SessionSealed(SessionSealed),
    /// A request that was refused, and by what.
    SessionRefused {
        user: String,
        cluster: String,
        verb: String,
        object: String,
        why: String,
    },
    SessionKilled {
        session: String,
        by: String,
        why: String,
    },
    SessionFrozen {
        session: String,
        by: String,
    },
    SessionThawed {
        session: String,
        by: String,
    },
    /// Somebody read a recording; `how` is `play`, `export`, `grep`, `live`, …
    SessionViewed {
        session: String,
        by: String,
        how: String,
    },
    SessionNoted {
        session: String,
        by: String,
        at_us: u64,
        digest: [u8; 32],
    },
    HoldPlaced {
        session: String,
        by: String,
        why: String,
    },
    HoldLifted {
        session: String,
        by: String,
        why: String,
    },
    /// A recording was removed when its time was over.
    RecordingDeleted {
        session: String,
        chain: [u8; 32],
    },
    /// An access was approved before it began.
    Approved {
        user: String,
        by: String,
        what: String,
        until_ms: i64,
    },
    /// The rules that decide from now on.
    RulesChanged {
        by: String,
        digest: [u8; 32],
    },
    /// An identity that may pass the gateway did so.
    BreakGlass {
        user: String,
        what: String,
    },
    /// Checkpoints of this entry and of all after it are signed by another key.
    KeyRotated {
        /// The note that the old key and the new one signed; docs/formats/ledger.md.
        statement: String,
    },
    /// A kind that this version does not know. It is in the ledger like any other, and verified like it.
    Other {
        kind: String,
        /// What the entry says of it, in JSON as it was written.
        body: String,
    },
}

impl Fact {
    /// The session that this is about.
    #[must_use]
    pub fn session(&self) -> Option<&str> {
        match self {
            Self::SessionOpened(opened) => Some(&opened.session),
            Self::SessionSealed(sealed) => Some(&sealed.session),
            Self::SessionHead { session, .. }
            | Self::SessionKilled { session, .. }
            | Self::SessionFrozen { session, .. }
            | Self::SessionThawed { session, .. }
            | Self::SessionViewed { session, .. }
            | Self::SessionNoted { session, .. }
            | Self::HoldPlaced { session, .. }
            | Self::HoldLifted { session, .. }
            | Self::RecordingDeleted { session, .. } => Some(session),
            Self::SourceStarted { .. }
            | Self::SourceStopped
            | Self::Heartbeat
            | Self::SessionRefused { .. }
            | Self::Approved { .. }
            | Self::RulesChanged { .. }
            | Self::BreakGlass { .. }
            | Self::KeyRotated { .. }
            | Self::Other { .. } => None,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionOpened {
    pub session: String,
    pub cluster: String,
    pub user: String,
    pub verb: String,
    pub namespace: Option<String>,
    pub object: Option<String>,
    pub container: Option<String>,
    pub rule: String,
    pub reason: Option<String>,
    /// Of the recording's header as it is on disk.
    pub header: [u8; 32],
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionSealed {
    pub session: String,
    /// How it ended, in the words of the recording's seal.
    pub ending: String,
    /// `sealed`, `recovered` or `damaged`.
    pub state: String,
    pub chunks: u64,
    /// The value of the recording's chain after its last chunk.
    pub chain: [u8; 32],
    /// Of the whole sealed file.
    pub file: [u8; 32],
}
