//! The sessions that are going on, as this crate needs them: the gateway's, and those of tests.

use session_record::SessionId;
use std::fmt::Debug;
use thiserror::Error;

/// How far a session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    Running,
    Frozen,
    /// Nothing more passes.
    Ending,
}

/// Why something that was asked will not be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NotDone {
    #[error("no session with this id is going on")]
    NotGoing,
    #[error("the session has not done yet what it was asked before")]
    Busy,
}

/// Sessions that go on. Asking is all that happens here; what came of it shows in [`Going::phase`].
pub trait Going: Debug + Send + Sync {
    /// None where no such session goes on.
    fn phase(&self, session: SessionId) -> Option<Phase>;

    /// Ends a session at once, and has its person told who did and why.
    fn kill(&self, session: SessionId, by: &str, why: &str) -> Result<(), NotDone>;

    /// Stops a session's streams until [`Going::thaw`].
    fn freeze(&self, session: SessionId, by: &str) -> Result<(), NotDone>;

    fn thaw(&self, session: SessionId, by: &str) -> Result<(), NotDone>;
}
