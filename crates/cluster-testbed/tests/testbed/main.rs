//! A cluster works, is shared, and leaves nothing, however those who use it end.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test; processes of it say what they did"
)]

mod cluster;
mod ends;
mod machine;
