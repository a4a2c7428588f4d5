//! SPDY/3.1 as Kubernetes speaks it (the draft's framing; moby/spdystream is the other end almost everywhere).
//!
//! Frames, header blocks and which streams are open; no flow control, because no implementation that is met here has
//! it: windows that a peer announces are read and not needed.

mod connection;
mod frame;
mod header_block;

pub(crate) use connection::{Connection, Happened};
pub(crate) use header_block::Headers;
