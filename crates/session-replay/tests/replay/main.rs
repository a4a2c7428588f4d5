//! What sessions look like when they are told again.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

mod commands;
mod files;
mod fixture;
mod shown;
