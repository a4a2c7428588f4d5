//! Ways around the gateway: closed, compared with the audit log, listed.
//!
//! A gateway records what goes through it. This crate is about what does not:
//!
//! ```text
//! Installation ─> objects: the gateway's identity, and policies that refuse what is not recorded
//! audit log ─┐
//! sessions ──┴─> Coverage: each privileged call with its recording, or why it has none
//! cluster's objects ─> findings: who could go round, by which right
//! ```
//!
//! The three answer different questions and rely on each other. The policy asks for a key that only the gateway should
//! be able to set; who else can is what the doctor lists; whether somebody did is what the coverage shows, because
//! the audit log has who really called. `docs/design/bypass.md` argues it.
//!
//! **Invariants.** A call counts as recorded only if the gateway itself made it, and its caller, verb, object, command
//! line and time are those of one recording that no other call has. What the log cannot speak of (holes, lines that
//! cannot be read, an audit policy that leaves something out) is reported as unknown and never counts as recorded.
//! Nothing is read into memory as a whole but objects of a cluster. Every finding says what to do.
//!
//! Deliberately absent: applying anything to a cluster, the ledger's and the recordings' formats (callers bring
//! [`Session`]s), and ways round that leave no trace at the API server, such as a shell on a node.

mod names;
mod privileged;

mod install;

mod audit;
mod coverage;

mod doctor;

pub use audit::{
    AuditLog, AuditPolicy, AuditPolicyError, Blindness, BroughtPods, Call, Component, Fault, Known,
    Limits, LogFile, LogFileError, LogReader, Outcome, Person, Place, Span, log_files,
};
pub use coverage::{
    BreakGlassUse, COVERAGE_CODES, Coverage, Difference, Evidence, Gap, GapKind, LedgerOpening,
    LedgerRefusal, Question, Session, SessionEnd, SessionFacts, Sessions, Tally, WithoutCall,
};
pub use doctor::{Cluster, ClusterError, DOCTOR_CODES, Expected};
pub use install::{
    BreakGlass, Document, GatewayIdentity, Impersonation, InstallError, Installation, PolicyMode,
    Requests, ServiceAccount,
};
pub use names::{
    BREAK_GLASS_ANNOTATION, BREAK_GLASS_POLICY, FAILURE_ANNOTATION, GATEWAY_IDENTITY, POLICY, ROLE,
    SESSION_KEY,
};
