//! Networks as prefixes: the longest one that contains an address knows every network that does,
//! because prefixes nest.

use crate::features::Features;
use crate::numbers::FeatureNumber;
use net_types::{IpNet, Ipv4Net, Ipv6Net};
use policy_engine::Term;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

/// Which networks begin and end at a prefix.
#[derive(Default)]
struct Edges {
    blocks: Vec<FeatureNumber>,
    exceptions: Vec<FeatureNumber>,
}

/// All prefixes at which the set of networks changes, with that set, sorted.
pub(crate) fn prefixes(features: &Features) -> BTreeMap<IpNet, Vec<FeatureNumber>> {
    let mut edges: BTreeMap<IpNet, Edges> = BTreeMap::new();
    for (term, number) in features.terms() {
        let Term::Network(network) = term else { continue };
        edges.entry(network.block.trunc()).or_default().blocks.push(number);
        for except in &network.except {
            edges.entry(except.trunc()).or_default().exceptions.push(number);
        }
    }
    // No packet has such an address, and the kernel knows IPv4 addresses by this prefix.
    edges.retain(|prefix, _| !is_mapped(prefix));
    let mut sets: BTreeMap<IpNet, Vec<FeatureNumber>> = BTreeMap::new();
    let mut around: Vec<(IpNet, BTreeSet<FeatureNumber>)> = Vec::new();
    for (prefix, edges) in edges {
        while around.last().is_some_and(|(outer, _)| !outer.contains(&prefix)) {
            around.pop();
        }
        let outer = around.last().map(|(_, set)| set.clone()).unwrap_or_default();
        let mut set = outer.clone();
        set.extend(edges.blocks);
        for network in edges.exceptions {
            set.remove(&network);
        }
        if set != outer {
            sets.insert(prefix, set.iter().copied().collect());
        }
        around.push((prefix, set));
    }
    shield_v4(&mut sets);
    sets
}

/// The kernel keeps both families in one table, IPv4 within IPv6. A block of IPv6 never contains an
/// IPv4 address, so where one would, a prefix for all of IPv4 goes before it.
fn shield_v4(sets: &mut BTreeMap<IpNet, Vec<FeatureNumber>>) {
    let mapped = mapped();
    let covers = |prefix: &IpNet| match (prefix, &mapped) {
        (IpNet::V6(prefix), Some(mapped)) => prefix.contains(mapped),
        (IpNet::V6(_), None) | (IpNet::V4(_), _) => false,
    };
    if sets.keys().any(covers) {
        let all = Ipv4Net::new(Ipv4Addr::UNSPECIFIED, 0).ok().map(IpNet::V4);
        if let Some(all) = all {
            sets.entry(all).or_default();
        }
    }
}

fn is_mapped(prefix: &IpNet) -> bool {
    match (prefix, mapped()) {
        (IpNet::V6(prefix), Some(mapped)) => mapped.contains(prefix),
        (IpNet::V6(_), None) | (IpNet::V4(_), _) => false,
    }
}

/// `::ffff:0:0/96`.
fn mapped() -> Option<Ipv6Net> {
    Ipv6Net::new(Ipv4Addr::UNSPECIFIED.to_ipv6_mapped(), 96).ok()
}
