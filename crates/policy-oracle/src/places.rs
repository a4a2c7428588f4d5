//! Where an end may be: its address and its node, for everything that the input leaves open.

use crate::question::{Assumptions, End};
use net_types::{AddressRange, AddressSet, Family};
use policy_model::{Node, PeerMatch, Peers, Pod, Snapshot};
use std::collections::BTreeSet;
use std::net::IpAddr;

/// What an end turns out to be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Resolved<'a> {
    Pod(&'a Pod),
    Node(&'a Node, IpAddr),
    Outside(IpAddr),
    Name(&'a str),
}

impl<'a> Resolved<'a> {
    pub(crate) fn of(snapshot: &'a Snapshot, end: End<'a>) -> Self {
        let address = match end {
            End::Pod(pod) => return Self::Pod(pod),
            End::Name(name) => return Self::Name(name),
            End::Address(address) => address,
        };
        let mut pods = snapshot.pods.iter().filter(|pod| !pod.host_network);
        if let Some(pod) = pods.find(|pod| pod.addresses.contains(&address)) {
            return Self::Pod(pod);
        }
        match owner(snapshot, address) {
            Some(node) => Self::Node(node, address),
            None => Self::Outside(address),
        }
    }
}

/// The address that an end has in a world, and the node whose address it is or on which it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place<'a> {
    /// `None` only where no address at all is possible.
    pub address: Option<IpAddr>,
    pub node: Option<&'a str>,
}

impl Place<'_> {
    pub(crate) fn family(self) -> Option<Family> {
        self.address.map(Family::of)
    }
}

pub(crate) fn families(places: &[Place<'_>]) -> BTreeSet<Option<Family>> {
    places.iter().map(|place| place.family()).collect()
}

/// Every place that can make a difference, in all families of the end; at least one.
pub(crate) fn places<'a>(
    snapshot: &'a Snapshot,
    assumptions: &Assumptions,
    end: Resolved<'a>,
) -> Vec<Place<'a>> {
    match end {
        Resolved::Pod(pod) if pod.host_network => host_network_places(snapshot, assumptions, pod),
        Resolved::Pod(pod) => pod_places(snapshot, assumptions, pod),
        Resolved::Node(node, address) => at(&[address], Some(&node.name)),
        Resolved::Outside(address) => at(&[address], None),
        Resolved::Name(_) => {
            at(&representatives(snapshot, &cluster_addresses(snapshot).complement()), None)
        }
    }
}

fn pod_places<'a>(snapshot: &Snapshot, assumptions: &Assumptions, pod: &'a Pod) -> Vec<Place<'a>> {
    let node = pod.node.as_deref();
    if pod.addresses.is_empty() {
        let possible = at(&representatives(snapshot, &assumptions.pod_networks), node);
        if possible.is_empty() { vec![Place { address: None, node }] } else { possible }
    } else {
        at(&pod.addresses, node)
    }
}

fn host_network_places<'a>(
    snapshot: &'a Snapshot,
    assumptions: &Assumptions,
    pod: &'a Pod,
) -> Vec<Place<'a>> {
    if !pod.addresses.is_empty() {
        let by_address = || pod.addresses.iter().find_map(|address| owner(snapshot, *address));
        let node = pod.node.as_deref().or_else(|| by_address().map(|node| node.name.as_str()));
        return at(&pod.addresses, node);
    }
    let may_be = |node: &Node| pod.node.as_ref().is_none_or(|name| *name == node.name);
    let of_nodes: Vec<Place<'a>> = snapshot
        .nodes
        .values()
        .filter(|node| may_be(node))
        .flat_map(|node| at(&node.addresses, Some(&node.name)))
        .collect();
    if of_nodes.is_empty() { pod_places(snapshot, assumptions, pod) } else { of_nodes }
}

fn at<'a>(addresses: &[IpAddr], node: Option<&'a str>) -> Vec<Place<'a>> {
    addresses.iter().map(|address| Place { address: Some(*address), node }).collect()
}

fn owner(snapshot: &Snapshot, address: IpAddr) -> Option<&Node> {
    snapshot.nodes.values().find(|node| node.addresses.contains(&address))
}

/// Addresses that are not outside the cluster.
fn cluster_addresses(snapshot: &Snapshot) -> AddressSet {
    let pods = snapshot.pods.iter().flat_map(|pod| &pod.addresses);
    let nodes = snapshot.nodes.values().flat_map(|node| &node.addresses);
    pods.chain(nodes).map(|address| AddressRange::single(*address)).collect()
}

/// One address at least of every set that the policies' blocks cut out of `allowed`: such a set is made
/// of ranges, and a range begins where `allowed` does or where a block begins or has ended.
fn representatives(snapshot: &Snapshot, allowed: &AddressSet) -> Vec<IpAddr> {
    let mut firsts: BTreeSet<IpAddr> = BTreeSet::new();
    firsts.extend(allowed.ranges().iter().map(|range| range.first()));
    for block in blocks(snapshot) {
        for part in [allowed.intersection(&block), allowed.difference(&block)] {
            firsts.extend(part.ranges().iter().map(|range| range.first()));
        }
    }
    firsts.into_iter().collect()
}

/// All blocks of all policies, and what is taken out of them.
fn blocks(snapshot: &Snapshot) -> Vec<AddressSet> {
    let mut blocks = Vec::new();
    for policy in snapshot.policies.values() {
        for rule in policy.ingress.iter().flatten().chain(policy.egress.iter().flatten()) {
            let Peers::Listed(peers) = &rule.peers else { continue };
            for peer in peers {
                let PeerMatch::Networks(networks) = &peer.matches else { continue };
                for network in networks {
                    blocks.push(network.block.into());
                    blocks.extend(network.except.iter().map(|except| (*except).into()));
                }
            }
        }
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worlds::objects;
    use net_types::IpNet;
    use policy_model::{Direction, Network};

    #[test]
    fn representatives_touch_every_piece_that_blocks_cut_out() {
        let network = Network {
            block: "10.0.1.0/24".parse::<IpNet>().unwrap(),
            except: vec!["10.0.1.128/25".parse::<IpNet>().unwrap()],
        };
        let mut snapshot = Snapshot::default();
        let policy = objects::network_policy(
            "shop",
            "web",
            Direction::Egress,
            vec![objects::accept(vec![PeerMatch::Networks(vec![network])])],
        );
        snapshot.policies.insert(policy.id.clone(), policy);
        let allowed = AddressSet::from("10.0.0.0/16".parse::<IpNet>().unwrap());
        let found: Vec<String> =
            representatives(&snapshot, &allowed).iter().map(ToString::to_string).collect();
        assert_eq!(found, ["10.0.0.0", "10.0.1.0", "10.0.1.128", "10.0.2.0"]);
    }
}
