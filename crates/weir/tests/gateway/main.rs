//! Recorded sessions on a real cluster: `weir gateway` in front of it, with the policy that it installs.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a test"
)]

mod bypass;
mod clients;
mod evidence;
mod kills;
mod large;
mod plain_text;
mod verbs;
mod world;
