//! What a comparison came to.

use super::Gap;
use super::session::Session;
use crate::audit::{Call, Span};
use access_model::Verb;
use finding_model::Finding;
use std::collections::BTreeMap;

/// The privileged calls of a log, compared with sessions.
#[derive(Debug, Clone, PartialEq)]
pub struct Coverage {
    /// What was compared; `None` where the log has nothing.
    pub window: Option<Span>,
    pub tally: Tally,
    /// In the order of time.
    pub gaps: Vec<Gap>,
    pub break_glass: Vec<BreakGlassUse>,
    pub without_call: Vec<WithoutCall>,
    /// Everything that a person should see, gaps first.
    pub findings: Vec<Finding>,
    /// How far the API server's clock is ahead of the gateway's: the middle of all pairs.
    pub clock_offset_us: Option<i64>,
}

/// How many there are of what.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Privileged calls that reached what they asked for, or may have, without those of components.
    pub calls: u64,
    /// Of these, the ones with a recording of their own.
    pub recorded: u64,
    /// Calls that were refused by the API server, in all and by the policy.
    pub refused: u64,
    pub refused_by_policy: u64,
    pub by_verb: BTreeMap<Verb, u64>,
    /// Calls of components: tokens of pods, proxies of a monitoring system.
    pub of_components: u64,
    /// Sessions that began in the window.
    pub sessions: u64,
    /// Of these, the ones of verbs that are not compared.
    pub sessions_not_compared: u64,
    /// Of these, the ones whose call would be where the log cannot speak.
    pub sessions_unknown: u64,
    /// Reasons why the answer may be incomplete.
    pub unknown: u64,
}

/// A call of who may pass the gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BreakGlassUse {
    pub call: Call,
    /// Whether the policy marked it; otherwise it was known by its name.
    pub is_marked: bool,
}

/// A session of which the log has no call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WithoutCall {
    pub session: Session,
    /// Whether there must have been one.
    pub ran: bool,
}

impl Coverage {
    /// Whether every call in the window is recorded, as far as the log can tell.
    #[must_use]
    pub fn has_no_gap(&self) -> bool {
        self.gaps.is_empty()
    }

    /// Whether the log can tell for the whole window.
    #[must_use]
    pub const fn is_certain(&self) -> bool {
        self.tally.unknown == 0
    }
}
