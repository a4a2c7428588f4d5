//! Who listens where.

use super::{ExternalPlan, Listener, PodPlan, ServicePlan};
use net_types::IpNet;
use policy_model::{Direction, Peer, PeerMatch, Peers, PortMatch, Ports, Rule, Snapshot};
use std::collections::{BTreeSet, HashSet};
use std::net::IpAddr;

/// A pod listens on the ports that it declares, and on those that Services send to it: a manifest need
/// not declare a port to serve it.
pub(super) fn of_pods(
    snapshot: &Snapshot,
    placed: &[(usize, Option<u32>)],
    services: &[ServicePlan],
    notes: &mut Vec<String>,
) -> Vec<PodPlan> {
    let mut listeners: Vec<BTreeSet<Listener>> = snapshot
        .pods
        .iter()
        .map(|pod| {
            let ports = pod.ports.iter();
            ports.map(|port| Listener { protocol: port.protocol, port: port.port }).collect()
        })
        .collect();
    for port in services.iter().flat_map(|service| &service.ports) {
        for endpoint in &port.endpoints {
            if let Some(of_pod) = listeners.get_mut(endpoint.pod) {
                of_pod.insert(Listener { protocol: port.protocol, port: endpoint.port });
            }
        }
    }
    let mut taken: HashSet<(usize, Listener)> = HashSet::new();
    let mut plans = Vec::with_capacity(placed.len());
    for ((pod, (node, link)), mut listeners) in snapshot.pods.iter().zip(placed).zip(listeners) {
        if pod.host_network {
            listeners.retain(|listener| {
                let is_free = taken.insert((*node, *listener));
                if !is_free {
                    let Listener { protocol, port } = listener;
                    notes.push(format!("{pod}: port {port}/{protocol} of its node is taken"));
                }
                is_free
            });
        }
        plans.push(PodPlan {
            node: *node,
            link: *link,
            listeners: listeners.into_iter().collect(),
        });
    }
    plans
}

/// A peer outside listens on the ports that policies name for its address.
pub(super) fn of_external(snapshot: &Snapshot, external: &[IpAddr]) -> Vec<ExternalPlan> {
    let unique: BTreeSet<IpAddr> = external.iter().copied().collect();
    let plan = |address| ExternalPlan { address, listeners: named_for(snapshot, address) };
    unique.into_iter().map(plan).collect()
}

fn named_for(snapshot: &Snapshot, address: IpAddr) -> Vec<Listener> {
    let rules = snapshot.policies.values().filter_map(|policy| policy.rules(Direction::Egress));
    let about = rules.flatten().filter(|rule| names(rule, address));
    let listeners: BTreeSet<Listener> = about.flat_map(ports).collect();
    listeners.into_iter().collect()
}

fn names(rule: &Rule, address: IpAddr) -> bool {
    let contains = |peer: &Peer| match &peer.matches {
        PeerMatch::Networks(networks) => networks.iter().any(|network| {
            let is_excepted = network.except.iter().any(|block: &IpNet| block.contains(&address));
            network.block.contains(&address) && !is_excepted
        }),
        PeerMatch::Pods { .. }
        | PeerMatch::Nodes(_)
        | PeerMatch::DomainNames(_)
        | PeerMatch::Unknown => false,
    };
    match &rule.peers {
        Peers::Any => true,
        Peers::Listed(peers) => peers.iter().any(contains),
    }
}

/// Of a range, the first and the last.
fn ports(rule: &Rule) -> Vec<Listener> {
    let specs = match &rule.ports {
        Ports::All => return Vec::new(),
        Ports::Listed(specs) => specs,
    };
    let of_spec = |matches: &PortMatch| match matches {
        PortMatch::Numbers { protocol, range } if protocol.has_ports() => {
            [range.first(), range.last()]
                .map(|port| Listener { protocol: *protocol, port })
                .to_vec()
        }
        PortMatch::Numbers { .. } | PortMatch::Named { .. } => Vec::new(),
    };
    specs.iter().flat_map(|spec| of_spec(&spec.matches)).collect()
}
