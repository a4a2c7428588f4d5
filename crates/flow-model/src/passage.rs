//! Whether packets pass, and whether they would if everything were enforced: what `--denied` asks for.

use crate::{Flow, FlowVerdict, Report, Trace};

/// Why something that passes would not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WouldDeny {
    /// The policies that are in force deny it, and the pod is only observed.
    Enforced,
    /// A policy that is observed does.
    Observed,
    /// A policy that is staged does.
    Staged,
}

impl Flow {
    /// `None` for what is dropped, and for what every policy allows.
    pub fn would_deny(&self) -> Option<WouldDeny> {
        if self.dropped {
            return None;
        }
        if denies(self.decision.as_ref()) {
            return Some(WouldDeny::Enforced);
        }
        if denies(self.observed.as_ref()) {
            return Some(WouldDeny::Observed);
        }
        if denies(self.staged.as_ref()) {
            return Some(WouldDeny::Staged);
        }
        match self.report {
            Report::Denied | Report::Revoked | Report::Refused(_) => Some(WouldDeny::Enforced),
            Report::Opened | Report::Active | Report::Closed => None,
        }
    }

    /// It was dropped, or would be.
    pub fn is_denied_or_would_be(&self) -> bool {
        self.dropped || self.would_deny().is_some()
    }
}

fn denies(trace: Option<&Trace>) -> bool {
    trace.is_some_and(|trace| trace.verdict == FlowVerdict::Deny)
}
