//! The corner cases of policy semantics, one test each, from manifests to verdicts.
//!
//! A test is named after its case and fails if the case is decided in another way. Cases that are
//! input errors say which finding they get and where, and that the object decides nothing.

mod fixture;
mod networks;
mod ports;
mod selection;
mod subjects;
mod tiers;
mod time;
