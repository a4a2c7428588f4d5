//! The codes of what is missing from a ledger, or does not fit together in it.

use finding_model::Code;

pub(crate) const ENTRY_UNREADABLE: Code = Code("ledger-entry-unreadable");
pub(crate) const MORE_FINDINGS: Code = Code("ledger-more-findings");
pub(crate) const SEQUENCE_GAP: Code = Code("ledger-sequence-gap");
pub(crate) const SEQUENCE_REPEATED: Code = Code("ledger-sequence-repeated");
pub(crate) const SOURCE_NOT_STOPPED: Code = Code("ledger-source-not-stopped");
pub(crate) const SOURCE_NOT_STARTED: Code = Code("ledger-source-not-started");
pub(crate) const SILENCE: Code = Code("ledger-silence");
pub(crate) const CLOCK_BACK: Code = Code("ledger-clock-back");
pub(crate) const SESSION_NOT_OPENED: Code = Code("ledger-session-not-opened");
pub(crate) const SESSION_OPENED_TWICE: Code = Code("ledger-session-opened-twice");
pub(crate) const SESSION_NOT_SEALED: Code = Code("ledger-session-not-sealed");
pub(crate) const SESSION_OPEN: Code = Code("ledger-session-open");
pub(crate) const SESSION_SEALED_TWICE: Code = Code("ledger-session-sealed-twice");
pub(crate) const RECORDING_CUT: Code = Code("ledger-recording-cut");
pub(crate) const RECORDING_DAMAGED: Code = Code("ledger-recording-damaged");
pub(crate) const DELETED_UNDER_HOLD: Code = Code("ledger-deleted-under-hold");
