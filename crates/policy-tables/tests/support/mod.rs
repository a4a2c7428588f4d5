//! Random worlds as a node meets them: every pod has an address.

use net_types::{Family, Protocol};
use policy_engine::Program;
use policy_model::Snapshot;
use policy_tables::LocalPod;
use std::collections::BTreeSet;
use std::net::IpAddr;

pub(crate) const PORTS: [u16; 9] = [1, 52, 53, 54, 79, 80, 81, 8080, 65535];
pub(crate) const PROTOCOLS: [Protocol; 4] =
    [Protocol::Tcp, Protocol::Udp, Protocol::Sctp, Protocol::Other(1)];

#[expect(clippy::expect_used, reason = "worlds have few pods")]
fn free(taken: &mut BTreeSet<IpAddr>, family: Family) -> IpAddr {
    let mut addresses = (1..=250_u8).map(|slot| match family {
        Family::V4 => IpAddr::from([10, 0, 0, slot]),
        Family::V6 => IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, u16::from(slot)]),
    });
    addresses.find(|address| taken.insert(*address)).expect("an address is free")
}

/// Pods without an address get one that no other has, or one of each family.
pub(crate) fn with_addresses(mut snapshot: Snapshot) -> Snapshot {
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

/// All pods that have an interface of their own.
pub(crate) fn locals(program: &Program) -> Vec<LocalPod> {
    let pods = program.pods().filter(|(_, pod)| !pod.host_network);
    pods.map(|(pod, _)| LocalPod { pod }).collect()
}

/// Addresses that somebody has, and those of the alphabet.
pub(crate) fn peers(program: &Program) -> BTreeSet<IpAddr> {
    let pods = program.pods().flat_map(|(_, pod)| pod.addresses.clone());
    let nodes = program.nodes().flat_map(|node| node.addresses.clone());
    pods.chain(nodes).chain(policy_oracle::worlds::addresses()).collect()
}
