//! Entries, trees, checkpoints and proofs of a ledger.
//!
//! `docs/design/ledger.md` argues it. Values in, values out; keys, time and randomness are given.

mod entry;

pub use entry::{Entry, Fact, SessionOpened, SessionSealed};
