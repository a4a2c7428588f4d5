//! Recorded sessions on a real cluster: `weir gateway` in front of it, with the policy that it installs.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

mod bypass;
mod clients;
mod kills;
mod verbs;
mod world;
