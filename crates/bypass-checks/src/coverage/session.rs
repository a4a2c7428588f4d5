//! Sessions as recordings and the ledger have them.

use session_record::{Ending, Opening, Seal, State};
use std::collections::BTreeMap;

/// A session by its id, and what vouches for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    pub id: String,
    pub evidence: Evidence,
    /// `None` where what there is cannot be read.
    pub facts: Option<SessionFacts>,
}

/// What is there of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Evidence {
    Recording,
    /// The recording is there and cannot be read.
    Unreadable {
        why: String,
    },
    /// Only the ledger was looked at.
    Ledger,
    /// The ledger says that the recording was removed when its time was over.
    Deleted,
    /// The ledger has the session, and its recording is not there.
    Missing,
}

/// What a session says of its call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionFacts {
    pub cluster: String,
    pub user: String,
    pub uid: Option<String>,
    /// `None` where they are not known.
    pub groups: Option<Vec<String>>,
    /// The word of the verb.
    pub verb: String,
    pub namespace: Option<String>,
    pub name: Option<String>,
    pub object_uid: Option<String>,
    pub container: Option<String>,
    /// `None` where it is not known.
    pub command: Option<Vec<String>>,
    /// Milliseconds since 1970 (UTC), by the gateway's clock.
    pub opened_ms: i64,
    pub end: SessionEnd,
}

/// When it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionEnd {
    Open,
    /// `ran` is whether the runtime ended it, so that there must have been a call.
    At {
        ms: i64,
        ran: bool,
    },
    Unknown,
}

/// A session's first entry in the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerOpening {
    pub session: String,
    pub at_ms: i64,
    pub cluster: String,
    pub user: String,
    pub verb: String,
    pub namespace: Option<String>,
    pub name: Option<String>,
    pub container: Option<String>,
}

/// A request that the gateway refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerRefusal {
    pub at_ms: i64,
    pub cluster: String,
    pub user: String,
    pub verb: String,
    pub object: String,
    pub why: String,
}

/// All sessions, from one or both sources.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sessions {
    sessions: BTreeMap<String, Session>,
    refusals: Vec<LedgerRefusal>,
    /// Whether recordings were looked for: then one that the ledger has must be there.
    with_recordings: bool,
}

impl Sessions {
    /// For recordings that were looked for: one that the ledger has must be there.
    #[must_use]
    pub fn of_recordings() -> Self {
        Self { with_recordings: true, ..Self::default() }
    }

    pub fn add_recording(&mut self, opening: &Opening, seal: Option<&Seal>) {
        let id = opening.session.to_string();
        let facts = SessionFacts::of_recording(opening, seal);
        self.put(Session { id, evidence: Evidence::Recording, facts: Some(facts) });
    }

    pub fn add_unreadable(&mut self, id: String, why: String) {
        self.put(Session { id, evidence: Evidence::Unreadable { why }, facts: None });
    }

    /// Entries of the ledger come after recordings, whose facts are kept.
    pub fn add_ledger_opening(&mut self, opening: LedgerOpening) {
        let LedgerOpening { session: id, at_ms, cluster, user, verb, namespace, name, container } =
            opening;
        let evidence = if self.with_recordings { Evidence::Missing } else { Evidence::Ledger };
        let facts = SessionFacts {
            cluster,
            user,
            uid: None,
            groups: None,
            verb,
            namespace,
            name,
            object_uid: None,
            container,
            command: None,
            opened_ms: at_ms,
            end: SessionEnd::Open,
        };
        let known = self.sessions.entry(id.clone());
        let session = known.or_insert_with(|| Session { id, evidence, facts: None });
        session.facts.get_or_insert(facts);
    }

    /// `ending` is the word of the entry.
    pub fn add_ledger_sealing(&mut self, id: &str, at_ms: i64, ending: &str) {
        let Some(facts) = self.sessions.get_mut(id).and_then(|session| session.facts.as_mut())
        else {
            return;
        };
        if facts.end == SessionEnd::Open {
            facts.end = SessionEnd::At { ms: at_ms, ran: ending == "finished" };
        }
    }

    pub fn add_ledger_deletion(&mut self, id: &str) {
        let is_looked_for = |session: &&mut Session| {
            matches!(session.evidence, Evidence::Missing | Evidence::Ledger)
        };
        if let Some(session) = self.sessions.get_mut(id).filter(is_looked_for) {
            session.evidence = Evidence::Deleted;
        }
    }

    pub fn add_refusal(&mut self, refusal: LedgerRefusal) {
        self.refusals.push(refusal);
    }

    pub(super) fn put(&mut self, session: Session) {
        self.sessions.insert(session.id.clone(), session);
    }

    #[must_use]
    pub fn find(&self, id: &str) -> Option<&Session> {
        self.sessions.get(id)
    }

    /// In the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = &Session> {
        self.sessions.values()
    }

    pub(super) fn refusals(&self) -> &[LedgerRefusal] {
        &self.refusals
    }
}

impl SessionFacts {
    fn of_recording(opening: &Opening, seal: Option<&Seal>) -> Self {
        let access = &opening.access;
        Self {
            cluster: opening.cluster.clone(),
            user: opening.user.name.clone(),
            uid: opening.user.uid.clone(),
            groups: Some(opening.user.groups.clone()),
            verb: access.verb.clone(),
            namespace: access.namespace.clone(),
            name: access.name.clone(),
            object_uid: access.uid.clone(),
            container: access.container.clone(),
            command: Some(access.command.clone()),
            opened_ms: opening.at_ms,
            end: seal.map_or(SessionEnd::Open, end_of),
        }
    }

    /// The last moment at which its call can have come to the API server, in microseconds.
    pub(super) fn last_us(&self) -> Option<i64> {
        match self.end {
            SessionEnd::Open | SessionEnd::Unknown => None,
            SessionEnd::At { ms, ran: _ } => Some(ms.saturating_mul(1_000)),
        }
    }

    pub(super) const fn opened_us(&self) -> i64 {
        self.opened_ms.saturating_mul(1_000)
    }

    /// Whether there must have been a call: a command that ended had begun.
    pub(super) const fn ran(&self) -> bool {
        match self.end {
            SessionEnd::At { ms: _, ran } => ran,
            SessionEnd::Open | SessionEnd::Unknown => false,
        }
    }
}

fn end_of(seal: &Seal) -> SessionEnd {
    let ran = match &seal.ending {
        Ending::Finished { .. } => true,
        Ending::ClientLeft
        | Ending::UpstreamLeft { .. }
        | Ending::Killed { .. }
        | Ending::Limit { .. }
        | Ending::RecordingFailed { .. }
        | Ending::Protocol { .. }
        | Ending::GatewayStopped
        | Ending::Recovered => false,
    };
    match seal.state {
        State::Sealed | State::Damaged => SessionEnd::At { ms: seal.at_ms, ran },
        // When it ended is not known, only when that was found out.
        State::Recovered => SessionEnd::At { ms: seal.at_ms, ran: false },
    }
}
