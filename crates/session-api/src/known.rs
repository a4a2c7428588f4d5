//! What is known of a session without a key: from its recording, or from the ledger where there is none.

use access_model::SessionPlace;
use ledger_model::SessionOpened;
use serde_json::{Value, json};
use session_formats::{ending_text, moment};
use session_record::{Opening, SessionId};
use session_replay::quoted;
use session_store::{Condition, Listed};

#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) session: SessionId,
    pub(crate) at_ms: i64,
    pub(crate) state: State,
    pub(crate) user: String,
    pub(crate) cluster: String,
    pub(crate) namespace: Option<String>,
    pub(crate) verb: String,
    pub(crate) name: Option<String>,
    container: Option<String>,
    pub(crate) reason: Option<String>,
    rule: String,
    /// What the ledger does not have.
    pub(crate) recorded: Option<Recorded>,
    last_us: Option<u64>,
    ending: Option<String>,
}

#[derive(Debug, Clone)]
pub(crate) struct Recorded {
    groups: Vec<String>,
    proof: String,
    address: String,
    user_agent: Option<String>,
    pub(crate) command: Vec<String>,
    terminal: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Open,
    Sealed,
    Recovered,
    Damaged,
    Unreadable,
    /// The ledger knows that it began, and there is no recording.
    Missing,
}

impl State {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Sealed => "sealed",
            Self::Recovered => "recovered",
            Self::Damaged => "damaged",
            Self::Unreadable => "unreadable",
            Self::Missing => "missing",
        }
    }
}

impl Known {
    /// None of a recording that cannot be read, of which only the ledger says something.
    pub(crate) fn of_listed(listed: &Listed) -> Option<Self> {
        let opening = listed.opening()?;
        let Opening { session, at_ms, cluster, user, access, reason, rule, client, .. } = opening;
        let (state, last_us, ending) = match &listed.condition {
            Condition::Sealed { seal, .. } => {
                let state = match seal.state {
                    session_record::State::Sealed => State::Sealed,
                    session_record::State::Recovered => State::Recovered,
                    session_record::State::Damaged => State::Damaged,
                };
                (state, Some(seal.last_us), Some(ending_text(&seal.ending)))
            }
            Condition::Open { .. } | Condition::Unreadable { .. } => (State::Open, None, None),
        };
        Some(Self {
            session: *session,
            at_ms: *at_ms,
            state,
            user: user.name.clone(),
            cluster: cluster.clone(),
            namespace: access.namespace.clone(),
            verb: access.verb.clone(),
            name: access.name.clone(),
            container: access.container.clone(),
            reason: reason.clone(),
            rule: rule.clone(),
            recorded: Some(Recorded {
                groups: user.groups.clone(),
                proof: user.proof.clone(),
                address: client.address.clone(),
                user_agent: client.user_agent.clone(),
                command: access.command.clone(),
                terminal: access.terminal,
            }),
            last_us,
            ending,
        })
    }

    pub(crate) fn of_ledger(
        session: SessionId,
        at_ms: i64,
        opened: &SessionOpened,
        state: State,
    ) -> Self {
        Self {
            session,
            at_ms,
            state,
            user: opened.user.clone(),
            cluster: opened.cluster.clone(),
            namespace: opened.namespace.clone(),
            verb: opened.verb.clone(),
            name: opened.object.clone(),
            container: opened.container.clone(),
            reason: opened.reason.clone(),
            rule: opened.rule.clone(),
            recorded: None,
            last_us: None,
            ending: None,
        }
    }

    /// A recording of which neither it nor the ledger says whose it is: only whoever may see everything sees it.
    pub(crate) fn of_nobody(session: SessionId) -> Self {
        Self {
            session,
            at_ms: 0,
            state: State::Unreadable,
            user: String::new(),
            cluster: String::new(),
            namespace: None,
            verb: String::new(),
            name: None,
            container: None,
            reason: None,
            rule: String::new(),
            recorded: None,
            last_us: None,
            ending: None,
        }
    }

    pub(crate) fn place(&self) -> SessionPlace<'_> {
        SessionPlace {
            user: &self.user,
            cluster: &self.cluster,
            namespace: self.namespace.as_deref(),
        }
    }

    /// Newest first is the order of lists.
    pub(crate) const fn key(&self) -> (i64, SessionId) {
        (self.at_ms, self.session)
    }

    pub(crate) fn command_line(&self) -> String {
        self.recorded.as_ref().map(|recorded| quoted(&recorded.command)).unwrap_or_default()
    }

    /// The members of `GET /sessions`, but for what changes while a session goes on.
    pub(crate) fn json(&self) -> Value {
        let recorded = self.recorded.as_ref();
        json!({
            "session": self.session.to_string(), "state": self.state.word(), "startedAt": moment(self.at_ms),
            "durationUs": self.last_us, "user": self.user,
            "groups": recorded.map(|recorded| recorded.groups.as_slice()).unwrap_or_default(),
            "proof": recorded.map(|recorded| &recorded.proof),
            "client": recorded.map(|recorded| &recorded.address),
            "userAgent": recorded.and_then(|recorded| recorded.user_agent.as_ref()),
            "cluster": self.cluster, "verb": self.verb, "namespace": self.namespace, "name": self.name,
            "container": self.container,
            "command": recorded.map(|recorded| recorded.command.as_slice()).unwrap_or_default(),
            "terminal": recorded.is_some_and(|recorded| recorded.terminal),
            "reason": self.reason, "rule": self.rule, "ending": self.ending,
        })
    }
}
