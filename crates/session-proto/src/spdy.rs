//! SPDY/3.1 as Kubernetes speaks it (the draft's framing; moby/spdystream is the other end almost everywhere).
//!
//! Frames, header blocks and which streams are open; no flow control, because moby/spdystream has none: windows that a
//! peer announces are skipped, and none are announced.

mod connection;
mod frame;
mod header_block;

pub(crate) use connection::{Connection, Happened};
pub(crate) use header_block::Headers;
