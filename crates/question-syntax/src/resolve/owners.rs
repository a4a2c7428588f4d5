//! Which pod, node or Service has an address.

use super::{AddressedPeers, PeerError};
use net_types::{AddressRange, AddressSet};
use policy_model::{ServiceKind, Snapshot};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    Pod(usize),
    Node(String),
    Service(usize),
}

/// By address, so that a block is a range of keys.
#[derive(Debug)]
pub(super) struct Owners {
    by_address: BTreeMap<IpAddr, Owner>,
    /// The two pods, as they are named, where two claim one address: any question about it is an error.
    shared: BTreeMap<IpAddr, [String; 2]>,
}

impl Owners {
    /// A pod before a node before a Service, if the input gives one address to several.
    pub(super) fn of(snapshot: &Snapshot) -> Self {
        let mut by_address = BTreeMap::new();
        for (index, service) in snapshot.services.iter().enumerate() {
            if let ServiceKind::ClusterIp { addresses } = &service.kind {
                by_address
                    .extend(addresses.iter().map(|address| (*address, Owner::Service(index))));
            }
        }
        for (name, node) in &snapshot.nodes {
            let owner = |address: &IpAddr| (*address, Owner::Node(name.clone()));
            by_address.extend(node.addresses.iter().map(owner));
        }
        let mut shared = BTreeMap::new();
        let mut first: BTreeMap<IpAddr, usize> = BTreeMap::new();
        for (index, pod) in snapshot.pods.iter().enumerate().filter(|(_, pod)| !pod.host_network) {
            for address in &pod.addresses {
                by_address.insert(*address, Owner::Pod(index));
                let other = *first.entry(*address).or_insert(index);
                if let Some(other) = snapshot.pods.get(other).filter(|_| other != index) {
                    shared.insert(*address, [other.to_string(), pod.to_string()]);
                }
            }
        }
        Self { by_address, shared }
    }

    pub(super) fn of_address(&self, address: IpAddr) -> Result<Option<&Owner>, PeerError> {
        match self.shared.get(&address) {
            Some(pods) => Err(PeerError::SharedAddress { address, pods: pods.clone() }),
            None => Ok(self.by_address.get(&address)),
        }
    }

    /// Everything in a set of addresses.
    pub(super) fn within(&self, set: &AddressSet) -> Result<AddressedPeers, PeerError> {
        let (mut pods, mut nodes, mut services) =
            (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        let mut taken = Vec::new();
        for range in set.ranges() {
            for (address, owner) in self.by_address.range(range.first()..=range.last()) {
                self.of_address(*address)?;
                taken.push(AddressRange::single(*address));
                match owner {
                    Owner::Pod(index) => drop(pods.insert(*index)),
                    Owner::Node(name) => drop(nodes.insert(name.clone())),
                    Owner::Service(index) => drop(services.insert(*index)),
                }
            }
        }
        Ok(AddressedPeers {
            outside: set.difference(&taken.into_iter().collect()),
            pods: pods.into_iter().collect(),
            nodes: nodes.into_iter().collect(),
            services: services.into_iter().collect(),
        })
    }
}
