//! The snapshot and the program that checks are asked of, and what all checks need of them.

use crate::lookup::Lookup;
use crate::members::{Members, number};
use net_types::{AddressRange, AddressSet, PortRange, Protocol};
use policy_engine::{End, PodId, Program};
use policy_model::{
    Action, Direction, PodOrigin, PortMatch, Ports, ServiceKind, Snapshot, WorkloadKind,
};
use question_syntax::PeerIndex;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

#[derive(Debug)]
pub(crate) struct World<'a> {
    pub(crate) snapshot: &'a Snapshot,
    /// Compiled from the snapshot and not changed since, so that a pod's id is its index.
    pub(crate) program: &'a Program,
    pub(crate) index: PeerIndex<'a>,
    pub(crate) lookup: Lookup<'a>,
    anywhere: Members,
    /// By protocol: the ports at which some rule starts or stops to match.
    cuts: BTreeMap<Protocol, BTreeSet<u16>>,
    /// Whether a rule passes the decision on.
    pub(crate) has_pass: bool,
}

impl<'a> World<'a> {
    pub(crate) fn new(snapshot: &'a Snapshot, program: &'a Program) -> Self {
        let pods = program.pods().map(|(id, _)| number(id)).collect();
        let anywhere = Members { pods, outside: outside(snapshot), ..Members::default() };
        let mut cuts: BTreeMap<Protocol, BTreeSet<u16>> = BTreeMap::new();
        let mut has_pass = false;
        let policies = snapshot.policies.values();
        let rules = policies.flat_map(|policy| {
            Direction::BOTH.into_iter().filter_map(|direction| policy.rules(direction)).flatten()
        });
        for rule in rules {
            has_pass |= rule.action == Action::Pass;
            let Ports::Listed(ports) = &rule.ports else { continue };
            for port in ports {
                let PortMatch::Numbers { protocol, range } = &port.matches else { continue };
                let cuts = cuts.entry(*protocol).or_default();
                cuts.insert(range.first());
                cuts.extend(range.last().checked_add(1));
            }
        }
        Self {
            snapshot,
            program,
            index: PeerIndex::new(snapshot),
            lookup: Lookup::new(program),
            anywhere,
            cuts,
            has_pass,
        }
    }

    /// Every pod, and every address that nothing in the cluster has.
    pub(crate) fn anywhere(&self) -> &Members {
        &self.anywhere
    }

    /// The ports of a range at which the answer may change for this destination, its first included.
    pub(crate) fn cuts(&self, protocol: Protocol, range: PortRange, to: &End) -> Vec<u16> {
        let mut ports = BTreeSet::from([range.first()]);
        if let Some(cuts) = self.cuts.get(&protocol) {
            ports.extend(cuts.range(range.first()..=range.last()));
        }
        if let End::Pod(id) = to
            && let Some(pod) = self.program.pod(*id)
        {
            let named = pod.ports.iter().filter(|port| port.protocol == protocol);
            let ends = named.flat_map(|port| [Some(port.port), port.port.checked_add(1)]);
            ports.extend(ends.flatten().filter(|port| range.contains(*port)));
        }
        ports.into_iter().collect()
    }

    /// Whether traffic between two ends of this pod is a pod's own, which nothing filters.
    pub(crate) fn is_itself(&self, pod: PodId) -> bool {
        self.program.pod(pod).is_some_and(|pod| match pod.origin {
            PodOrigin::Live => true,
            PodOrigin::Template => pod.workload.kind == WorkloadKind::Pod,
        })
    }

    pub(crate) fn name(&self, end: &End) -> String {
        match end {
            End::Pod(pod) => {
                self.program.pod(*pod).map_or_else(|| "?".to_owned(), ToString::to_string)
            }
            End::Address(address) => match self.program.node_at(*address) {
                Some(node) => format!("{address} (node {})", node.name),
                None => address.to_string(),
            },
            End::Name(name) => name.clone(),
        }
    }
}

/// The addresses that no pod, node or Service has.
fn outside(snapshot: &Snapshot) -> AddressSet {
    let of_pods = snapshot.pods.iter().flat_map(|pod| &pod.addresses);
    let of_nodes = snapshot.nodes.values().flat_map(|node| &node.addresses);
    let of_services = snapshot.services.iter().flat_map(|service| match &service.kind {
        ServiceKind::ClusterIp { addresses } => addresses.as_slice(),
        ServiceKind::Headless | ServiceKind::ExternalName(_) => &[],
    });
    let taken = of_pods.chain(of_nodes).chain(of_services);
    let taken: AddressSet = taken.map(|address| AddressRange::single(*address)).collect();
    taken.complement()
}

/// An address of the set to show as an example: a well-known public one where there is one.
pub(crate) fn example_address(addresses: &AddressSet) -> Option<IpAddr> {
    let known = IpAddr::from([1, 1, 1, 1]);
    if addresses.contains(known) {
        return Some(known);
    }
    addresses.ranges().first().map(|range| range.first())
}
