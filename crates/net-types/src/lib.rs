//! Protocols, port sets and address ranges: the vocabulary that every other crate shares.
//!
//! **Invariants.** A [`PortSet`] and an [`AddressSet`] are sorted, disjoint and maximally joined, so
//! equal sets compare equal. Nothing here knows of Kubernetes, files or time.

mod address;
mod port;
mod traffic;

pub use address::{AddressRange, AddressSet, Family};
pub use ipnet::{IpNet, Ipv4Net, Ipv6Net};
pub use port::{PortRange, PortSet};
pub use traffic::{Protocol, Traffic, UnknownProtocol};
