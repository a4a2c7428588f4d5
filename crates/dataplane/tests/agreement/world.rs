//! One state of a random world: what a node compiles it to, and what can be asked about it.

use crate::Case;
use net_types::{Family, Protocol};
use policy_engine::{Assumptions, PodId, Program, Semantics};
use policy_model::{Ports, Rule, Snapshot};
use policy_oracle::worlds::objects;
use policy_tables::{LocalPod, Modes, Tables};
use std::collections::BTreeSet;
use std::net::IpAddr;

pub(crate) const PORTS: [u16; 9] = [1, 52, 53, 54, 79, 80, 81, 8080, 65535];
pub(crate) const PROTOCOLS: [Protocol; 4] =
    [Protocol::Tcp, Protocol::Udp, Protocol::Sctp, Protocol::Other(1)];

pub(crate) struct Step {
    /// Every pod has an address.
    pub(crate) snapshot: Snapshot,
    pub(crate) program: Program,
    pub(crate) modes: Modes,
    pub(crate) locals: Vec<PodId>,
    pub(crate) peers: BTreeSet<IpAddr>,
}

impl Step {
    /// The modes turn by one with every second step.
    pub(crate) fn new(snapshot: &Snapshot, case: &Case, number: usize) -> Self {
        let mut snapshot = with_addresses(snapshot.clone());
        for (policy, fill) in snapshot.policies.values_mut().zip(case.fill.iter().cycle()) {
            for rules in [&mut policy.ingress, &mut policy.egress].into_iter().flatten() {
                rules.splice(0..0, std::iter::repeat_n(nobodys_rule(), *fill));
            }
        }
        let program = Program::compile(snapshot.clone(), Assumptions::new(Semantics::Upstream));
        let modes = case.modes.iter().copied().cycle().skip(number / 2);
        let pods = program.pods().filter(|(_, pod)| !pod.host_network);
        Self {
            modes: snapshot.policies.keys().cloned().zip(modes).collect(),
            locals: pods.map(|(pod, _)| pod).collect(),
            peers: peers(&program),
            snapshot,
            program,
        }
    }

    pub(crate) fn tables(&self, previous: Option<&Tables>) -> Tables {
        let locals: Vec<LocalPod> = self.locals.iter().map(|pod| LocalPod { pod: *pod }).collect();
        Tables::build(&self.program, &locals, &self.modes, previous)
    }

    pub(crate) fn addresses(&self, pod: PodId) -> &[IpAddr] {
        self.program.pod(pod).map_or(&[], |pod| &pod.addresses)
    }
}

/// Admits pods that are not there to a port that nobody asks about.
fn nobodys_rule() -> Rule {
    let ports = Ports::Listed(vec![objects::port(Protocol::Tcp, 7).unwrap()]);
    Rule { ports, ..objects::accept(vec![objects::pods(&[("app", "nobody")])]) }
}

/// Addresses that somebody has, and those of the alphabet.
fn peers(program: &Program) -> BTreeSet<IpAddr> {
    let pods = program.pods().flat_map(|(_, pod)| pod.addresses.clone());
    let nodes = program.nodes().flat_map(|node| node.addresses.clone());
    pods.chain(nodes).chain(policy_oracle::worlds::addresses()).collect()
}

/// Pods without an address get one that no other has, or one of each family.
fn with_addresses(mut snapshot: Snapshot) -> Snapshot {
    let taken = snapshot.pods.iter().flat_map(|pod| pod.addresses.clone());
    let mut taken: BTreeSet<IpAddr> = taken.collect();
    for (index, pod) in snapshot.pods.iter_mut().enumerate() {
        if pod.host_network || !pod.addresses.is_empty() {
            continue;
        }
        let families: &[Family] = match index % 3 {
            0 => &[Family::V4],
            1 => &[Family::V4, Family::V6],
            _ => &[Family::V6],
        };
        pod.addresses = families.iter().map(|family| free(&mut taken, *family)).collect();
    }
    snapshot
}

fn free(taken: &mut BTreeSet<IpAddr>, family: Family) -> IpAddr {
    let mut addresses = (1..=250_u8).map(|slot| match family {
        Family::V4 => IpAddr::from([10, 0, 0, slot]),
        Family::V6 => IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, u16::from(slot)]),
    });
    addresses.find(|address| taken.insert(*address)).expect("worlds have few pods")
}
