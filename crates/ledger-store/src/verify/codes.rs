//! The codes of what is wrong with the files of a ledger, their signatures, or a bundle.

use finding_model::Code;

pub(super) const NO_CHECKPOINT: Code = Code("ledger-no-checkpoint");
pub(super) const CHECKPOINT_UNSIGNED: Code = Code("ledger-checkpoint-unsigned");
pub(super) const ROOT_DIFFERS: Code = Code("ledger-root-differs");
pub(super) const TILE_MISSING: Code = Code("ledger-tile-missing");
pub(super) const TILE_DIFFERS: Code = Code("ledger-tile-differs");
pub(super) const ENTRIES_UNREADABLE: Code = Code("ledger-entries-unreadable");
pub(super) const FILE_UNEXPECTED: Code = Code("ledger-file-unexpected");
pub(super) const ROLLED_BACK: Code = Code("ledger-rolled-back");
pub(super) const FORKED: Code = Code("ledger-forked");
pub(super) const COSIGNATURES_MISSING: Code = Code("ledger-cosignatures-missing");
pub(super) const COSIGNATURE_WRONG: Code = Code("ledger-cosignature-wrong");
pub(super) const SIGNATURE_UNKNOWN: Code = Code("ledger-signature-unknown");
pub(super) const KEY_CHANGE_WRONG: Code = Code("ledger-key-change-wrong");
pub(super) const JOURNAL_UNFINISHED: Code = Code("ledger-journal-unfinished");
pub(super) const JOURNAL_DAMAGED: Code = Code("ledger-journal-damaged");
pub(super) const JOURNAL_DIFFERS: Code = Code("ledger-journal-differs");
pub(super) const NOT_PUBLISHED: Code = Code("ledger-not-published");
pub(super) const BUNDLE_UNREADABLE: Code = Code("ledger-bundle-unreadable");
pub(super) const BUNDLE_INCOMPLETE: Code = Code("ledger-bundle-incomplete");
pub(super) const BUNDLE_MIXED: Code = Code("ledger-bundle-mixed");
pub(super) const PROOF_WRONG: Code = Code("ledger-proof-wrong");
pub(super) const RECORDING_DIFFERS: Code = Code("ledger-recording-differs");
pub(super) const SEQUENCE_GAP: Code = Code("ledger-sequence-gap");
pub(super) const SEQUENCE_REPEATED: Code = Code("ledger-sequence-repeated");
