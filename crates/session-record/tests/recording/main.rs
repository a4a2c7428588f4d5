//! Recordings from events to bytes and back, and what is noticed when somebody changes them.
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot make what it looks at has failed"
)]

mod attacker;
mod document;
mod fixture;
mod mutations;
mod packed;
mod raw;
mod verify;
