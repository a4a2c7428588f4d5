//! The few names, labels, blocks and addresses that worlds are made of.

use net_types::IpNet;
use proptest::prelude::*;
use proptest::sample::select;
use std::net::IpAddr;

/// The first is the busiest.
pub(super) const NAMESPACES: [&str; 5] = ["shop", "shop", "shop", "pay", "ops"];
pub(super) const NODES: [&str; 3] = ["n1", "n2", "n3"];
pub(super) const WORKLOADS: [&str; 3] = ["web", "db", "log"];
/// `y` is there because a careless reader of YAML takes it for a boolean.
pub(super) const LABELS: [(&str, [&str; 2]); 2] = [("app", ["web", "y"]), ("tier", ["1", "2"])];
pub(super) const PORT_NAMES: [&str; 2] = ["http", "dns"];
pub(super) const PORTS: [u16; 3] = [53, 80, 8080];
/// At, beside and far from the numbers above.
pub(super) const ASKED_PORTS: [u16; 9] = [1, 52, 53, 54, 79, 80, 81, 8080, 65535];

/// Patterns; the first ones also match each other's names.
pub(super) const DOMAIN_NAMES: [&str; 4] =
    ["*.example.com", "api.example.com", "example.com", "*.api.example.com"];

/// Names that a question may ask about.
const NAMES: [&str; 4] = ["example.com", "api.example.com", "v1.api.example.com", "badexample.com"];

/// Pods have 10.0.0.1 to 10.0.0.6 and fd00::1 to fd00::6; nodes have 172.18.0.1 and fd01::1 onwards;
/// Services have 10.96.0.1 and fd96::1 onwards.
const BLOCKS: [&str; 18] = [
    "0.0.0.0/0",
    "10.0.0.0/8",
    "10.0.0.0/29",
    "10.0.0.0/30",
    "10.0.0.2/31",
    "10.0.0.3/32",
    "10.96.0.0/29",
    "172.18.0.0/24",
    "172.18.0.2/32",
    "203.0.113.0/24",
    "203.0.113.128/25",
    "::/0",
    "fd00::/8",
    "fd00::2/127",
    "fd01::/64",
    "fd96::/16",
    "2001:db8::/32",
    "2001:db8::/33",
];

const OUTSIDE: [&str; 8] = [
    "9.255.255.255",
    "11.0.0.0",
    "203.0.113.0",
    "203.0.113.127",
    "203.0.113.128",
    "203.0.114.0",
    "2001:db8::",
    "2001:db8:8000::",
];

pub(super) fn name_of(names: &'static [&'static str]) -> impl Strategy<Value = String> {
    select(names).prop_map(str::to_owned)
}

/// Parsed once for each call; a block that does not parse would be missing, which a test excludes.
pub(super) fn blocks() -> Vec<IpNet> {
    BLOCKS.iter().filter_map(|block| block.parse().ok()).collect()
}

/// Addresses worth asking about: of pods and nodes, beside them, and at the ends of blocks.
pub fn addresses() -> Vec<IpAddr> {
    let listed = OUTSIDE.iter().filter_map(|address| address.parse().ok());
    let slots = (0..=SLOTS).flat_map(|slot| [pod_v4(slot), pod_v6(slot)]);
    let nodes = (0..=4).flat_map(|slot| [node_v4(slot), node_v6(slot)]);
    slots.chain(nodes).chain(listed).collect()
}

/// DNS names worth asking about.
pub fn names() -> &'static [&'static str] {
    &NAMES
}

/// Pods take addresses from slots 1 to this one.
pub(super) const SLOTS: u8 = 6;

pub(super) fn pod_v4(slot: u8) -> IpAddr {
    IpAddr::from([10, 0, 0, slot])
}

pub(super) fn pod_v6(slot: u8) -> IpAddr {
    IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, u16::from(slot)])
}

pub(super) fn node_v4(slot: u8) -> IpAddr {
    IpAddr::from([172, 18, 0, slot])
}

pub(super) fn node_v6(slot: u8) -> IpAddr {
    IpAddr::from([0xfd01, 0, 0, 0, 0, 0, 0, u16::from(slot)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_block_and_address_parses() {
        assert_eq!(blocks().len(), BLOCKS.len());
        assert_eq!(addresses().len(), 2 * 7 + 2 * 5 + OUTSIDE.len());
    }
}
