//! A call without a recording, and why.

use super::codes;
use super::session::LedgerRefusal;
use crate::audit::{Call, Outcome, moment};
use finding_model::{Code, Finding, Severity};
use std::fmt;

/// A privileged call that is not shown to be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    pub call: Call,
    pub kind: GapKind,
    /// Refusals of the gateway just before: who is refused may go round.
    pub refused_before: Vec<LedgerRefusal>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GapKind {
    /// It names no session.
    NoSession {
        by_gateway: bool,
    },
    /// What it names is no one session.
    Malformed {
        found: Vec<String>,
    },
    /// It names one, and the gateway did not make it. `by` is who did, or nobody where the id came with the caller's own
    /// credentials.
    Forged {
        session: String,
        by: Option<String>,
    },
    UnknownSession {
        session: String,
    },
    /// The recording is of something else.
    Differs {
        session: String,
        differences: Vec<Difference>,
    },
    OutOfTime {
        session: String,
        opened_ms: i64,
        ended_us: Option<i64>,
    },
    /// Another call has the session already.
    Reused {
        session: String,
        first: Box<Call>,
    },
    Missing {
        session: String,
    },
    Unreadable {
        session: String,
        why: String,
    },
}

/// What differs between a call and the recording that it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    pub what: &'static str,
    pub call: String,
    pub recording: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, call, recording } = self;
        write!(formatter, "{what} {call}, in the recording {recording}")
    }
}

impl GapKind {
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::NoSession { .. } => codes::UNRECORDED,
            Self::Malformed { .. } => codes::MALFORMED,
            Self::Forged { .. } => codes::FORGED,
            Self::UnknownSession { .. } => codes::UNKNOWN_SESSION,
            Self::Differs { .. } => codes::DIFFERS,
            Self::OutOfTime { .. } => codes::OUT_OF_TIME,
            Self::Reused { .. } => codes::REUSED,
            Self::Missing { .. } => codes::MISSING,
            Self::Unreadable { .. } => codes::UNREADABLE,
        }
    }

    /// The session that it names, where it is one.
    #[must_use]
    pub fn session(&self) -> Option<&str> {
        match self {
            Self::NoSession { .. } | Self::Malformed { .. } => None,
            Self::Forged { session, .. }
            | Self::UnknownSession { session }
            | Self::Differs { session, .. }
            | Self::OutOfTime { session, .. }
            | Self::Reused { session, .. }
            | Self::Missing { session }
            | Self::Unreadable { session, .. } => Some(session),
        }
    }

    fn why(&self) -> String {
        match self {
            Self::NoSession { by_gateway: false } => {
                "it did not come through the gateway: it names no session".to_owned()
            }
            Self::NoSession { by_gateway: true } => {
                "the gateway made it without a session".to_owned()
            }
            Self::Malformed { found } => {
                format!("it has {} as its session, which is not one id", found.join(" and "))
            }
            Self::Forged { session, by: Some(by) } => {
                format!(
                    "{by} impersonated the caller and set session {session}: only the gateway should be able to"
                )
            }
            Self::Forged { session, by: None } => {
                format!(
                    "session {session} came with the caller's own credentials, not from the gateway"
                )
            }
            Self::UnknownSession { session } => {
                format!("there is no recording of session {session}")
            }
            Self::Differs { session, differences } => {
                let differences: Vec<String> =
                    differences.iter().map(Difference::to_string).collect();
                format!(
                    "session {session} is of something else: in the call {}",
                    differences.join("; ")
                )
            }
            Self::OutOfTime { session, opened_ms, ended_us } => {
                let until =
                    ended_us.map_or_else(String::new, |at| format!(" until {}", moment(at)));
                let opened = moment(opened_ms.saturating_mul(1_000));
                format!("session {session} was open from {opened}{until}")
            }
            Self::Reused { session, first } => {
                let at = moment(first.received_us);
                format!("session {session} has a call already, of {at} at {}", first.place)
            }
            Self::Missing { session } => {
                format!("the ledger has session {session}, and its recording is not there")
            }
            Self::Unreadable { session, why } => {
                format!("the recording of session {session} cannot be read: {why}")
            }
        }
    }

    const fn help(&self) -> &'static str {
        match self {
            Self::NoSession { by_gateway: false } => {
                "find out what was done there; let the policy of `weir gateway install` refuse such calls, and see with \
                 `weir gateway doctor` who could make them"
            }
            Self::NoSession { by_gateway: true } => {
                "stop the gateway and compare its version and its log: it has to open a session for each such call"
            }
            Self::Malformed { .. } | Self::Forged { .. } => {
                "treat it as an attack: see with `weir gateway doctor` who may impersonate, and take that right away; if it \
                 was a gateway, name its identity with --gateway-identity"
            }
            Self::UnknownSession { .. } => {
                "give the recordings of all gateways of this cluster; if they are here, the id was made up or the recording \
                 removed: look for the session in the ledger"
            }
            Self::Differs { .. } | Self::Reused { .. } => {
                "treat it as an attack: the id was copied from another session; see with `weir gateway doctor` who may \
                 impersonate"
            }
            Self::OutOfTime { .. } => {
                "compare the clocks of the gateway and of the API server, and allow for their difference with --clock-skew; \
                 if they agree, the id was copied"
            }
            Self::Missing { .. } => {
                "bring the recording back from its copy, and look who could remove it: `weir ledger verify` shows what it was"
            }
            Self::Unreadable { .. } => {
                "look at the recording with `weir sessions verify`, and bring it back from its copy"
            }
        }
    }

    pub(super) fn finding(&self, call: &Call) -> Finding {
        let message = format!(
            "{} by {} on {} is not shown to be recorded",
            call.verb.word(),
            call.acting().name,
            call.object()
        );
        Finding::new(self.code(), Severity::Error, message, self.help())
            .about(format!("{} {}", call.verb.word(), call.object()))
            .because(self.why())
            .witnessed_by(witness(call))
    }
}

impl Gap {
    #[must_use]
    pub fn finding(&self) -> Finding {
        let finding = self.kind.finding(&self.call);
        self.refused_before.iter().fold(finding, |finding, refusal| {
            let at = moment(refusal.at_ms.saturating_mul(1_000));
            let LedgerRefusal { verb, object, why, .. } = refusal;
            finding
                .related_to(None, format!("the gateway refused {verb} on {object} at {at}: {why}"))
        })
    }
}

/// What the log has of a call.
pub(super) fn witness(call: &Call) -> String {
    let mut parts = vec![moment(call.received_us)];
    if !call.command.is_empty() {
        parts.push(format!("command {:?}", call.command));
    }
    if !call.source_addresses.is_empty() {
        parts.push(format!("from {}", call.source_addresses.join(", ")));
    }
    if let Some(impersonated) = &call.impersonated {
        parts.push(format!("{} as {}", call.user.name, impersonated.name));
    }
    if let Outcome::Unclear { why } = &call.outcome {
        parts.push(why.clone());
    }
    parts.push(format!("audit id {}", call.audit_id));
    parts.push(call.place.to_string());
    parts.join(", ")
}
