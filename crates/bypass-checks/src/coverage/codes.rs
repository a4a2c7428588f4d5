//! The codes of what a coverage finds.

use finding_model::Code;

pub(super) const UNRECORDED: Code = Code("unrecorded-call");
pub(super) const MALFORMED: Code = Code("session-id-malformed");
pub(super) const FORGED: Code = Code("session-id-forged");
pub(super) const UNKNOWN_SESSION: Code = Code("session-id-unknown");
pub(super) const DIFFERS: Code = Code("session-differs-from-call");
pub(super) const OUT_OF_TIME: Code = Code("session-not-open-then");
pub(super) const REUSED: Code = Code("session-id-reused");
pub(super) const MISSING: Code = Code("recording-missing");
pub(super) const UNREADABLE: Code = Code("recording-unreadable");
pub(super) const WITHOUT_CALL: Code = Code("recording-without-call");
pub(super) const BREAK_GLASS: Code = Code("break-glass-used");
pub(super) const REFUSED: Code = Code("refused-past-gateway");
pub(super) const PRIVILEGED_PODS: Code = Code("privileged-pods-created");
pub(super) const HOLE: Code = Code("audit-log-hole");
pub(super) const LOG_UNREADABLE: Code = Code("audit-log-unreadable");
pub(super) const BLIND: Code = Code("audit-policy-blind");
pub(super) const SERVER_MISSING: Code = Code("audit-log-server-missing");
pub(super) const NO_OUTCOME: Code = Code("audit-log-without-outcome");
pub(super) const NO_BODIES: Code = Code("audit-log-without-bodies");

/// All of them.
pub const COVERAGE_CODES: [Code; 19] = [
    UNRECORDED,
    MALFORMED,
    FORGED,
    UNKNOWN_SESSION,
    DIFFERS,
    OUT_OF_TIME,
    REUSED,
    MISSING,
    UNREADABLE,
    WITHOUT_CALL,
    BREAK_GLASS,
    REFUSED,
    PRIVILEGED_PODS,
    HOLE,
    LOG_UNREADABLE,
    BLIND,
    SERVER_MISSING,
    NO_OUTCOME,
    NO_BODIES,
];
