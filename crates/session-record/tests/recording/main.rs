//! Recordings from events to bytes and back.

mod fixture;
mod raw;
