//! The ends and ports of a question, as people write them on a command line and in a test, and what
//! they stand for in a snapshot.
//!
//! `peer.rs` and `port.rs` read the text; `resolve.rs` finds what a PEER means among the objects.
//! **Invariants.** One syntax everywhere: what `weir check` takes, a test takes, and both mean the same.
//! A name that is not in the snapshot is an error that names what is near, never an empty set.
//! Deliberately absent: sets made of selectors, which are for `policy-assertions`.

mod near;
mod network;
mod peer;
mod port;
mod resolve;

pub use near::{did_you_mean, near};
pub use network::parse_network;
pub use peer::{KindArgument, PeerArgument, PeerArgumentError};
pub use port::{PortArgument, PortArgumentError};
pub use resolve::{AddressedPeers, Peer, PeerError, PeerIndex};
