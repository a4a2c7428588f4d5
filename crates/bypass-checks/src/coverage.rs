//! Coverage: the privileged calls of an audit log, each with its recording or with the reason why it has none.
//!
//! A session's id in a call shows nothing by itself: whoever may impersonate can copy one. So a call is recorded only if
//! the gateway made it, all that both sides say agrees, and no other call has the same session.

mod codes;
mod compare;
mod gap;
mod question;
mod report;
mod session;
mod unknown;

pub use codes::COVERAGE_CODES;
pub use gap::{Difference, Gap, GapKind};
pub use question::Question;
pub use report::{BreakGlassUse, Coverage, Tally, WithoutCall};
pub use session::{
    Evidence, LedgerOpening, LedgerRefusal, Session, SessionEnd, SessionFacts, Sessions,
};

use crate::audit::AuditLog;

impl Coverage {
    /// Compares a log with sessions.
    #[must_use]
    pub fn of(log: &AuditLog, sessions: &Sessions, question: &Question) -> Self {
        compare::compare(log, sessions, question)
    }
}

#[cfg(test)]
mod tests;
