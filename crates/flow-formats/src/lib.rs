//! Flows as lines of text, as JSON, and as Hubble's JSON; and read back from both kinds of JSON.
//!
//! `docs/formats.md` is what others rely on. **Invariants.** The same flow gives the same bytes. What
//! [`json`] and [`hubble`] write they read as the same value. No line holds a character that hides or reorders text. A
//! line that cannot be read is an error with its number: nothing is dropped in silence. Deliberately
//! absent: what the fields mean (`flow-model`), names looked up later, and files.

pub mod hubble;
pub mod json;
mod lines;
mod record;
pub mod text;

#[cfg(test)]
mod arbitrary;
#[cfg(test)]
mod fixtures;

pub use lines::{MAX_LINE_BYTES, Problem, ReadError};
