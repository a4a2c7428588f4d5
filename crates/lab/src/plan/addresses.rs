//! Addresses for what has none in the input. What the input says stays, families included: a pod with an
//! IPv4 address alone has no other in the lab. Only nodes get the family that they lack.

use super::{Assigned, NodePlan, PodKey};
use policy_model::{Node, Service, ServiceKind, Snapshot};
use std::collections::{BTreeMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whose network is that of most clusters made with kind or kubeadm.
const NODES_V4: u32 = u32::from_be_bytes([172, 18, 0, 0]);
const NODES_V6: u128 = 0xfd00_0172_0018 << 80;
const PODS_V4: u32 = u32::from_be_bytes([10, 244, 0, 0]);
const PODS_V6: u128 = 0xfd00_0010_0244 << 80;
const SERVICES_V4: u32 = u32::from_be_bytes([10, 96, 0, 0]);
const SERVICES_V6: u128 = 0xfd00_0010_0096 << 80;
/// Below are the API server and DNS.
const FIRST_SERVICE: u32 = 11;
/// Of a node's network; below is its gateway in most clusters.
const FIRST_HOST: u32 = 2;
const N_HOSTS_V4: u32 = 253;

#[derive(Debug)]
pub(super) struct Addresses {
    used: HashSet<IpAddr>,
    /// How many addresses each node's pods have used up.
    turns: BTreeMap<usize, u32>,
    /// Of peers outside.
    external: HashSet<IpAddr>,
    /// One of those, where something of the cluster would have it.
    passed_over: Option<IpAddr>,
}

impl Addresses {
    pub(super) fn new(snapshot: &Snapshot, external: &[IpAddr], assigned: &Assigned) -> Self {
        let earlier = assigned.pods.values().flat_map(|pod| &pod.addresses);
        let earlier = earlier.chain(assigned.services.values().flatten());
        let pods = snapshot.pods.iter().flat_map(|pod| &pod.addresses);
        let nodes = snapshot.nodes.values().flat_map(|node| &node.addresses);
        let services = snapshot.services.iter().flat_map(cluster_addresses);
        Self {
            used: pods
                .chain(nodes)
                .chain(services)
                .chain(external)
                .chain(earlier)
                .copied()
                .collect(),
            turns: assigned.turns.clone(),
            external: external.iter().copied().collect(),
            passed_over: None,
        }
    }

    /// The address of a peer outside that something of the cluster would have without it.
    pub(super) fn passed_over(&self) -> Option<IpAddr> {
        self.passed_over
    }

    pub(super) fn turns(self) -> BTreeMap<usize, u32> {
        self.turns
    }

    /// A node has both families: what it masquerades goes out with its own address.
    pub(super) fn fill_node(&mut self, node: &mut Node, place: usize) {
        let host = u32::try_from(place).unwrap_or(u32::MAX).saturating_add(2);
        if !node.addresses.iter().any(IpAddr::is_ipv4) {
            node.addresses.push(self.free_v4(NODES_V4, host));
        }
        if !node.addresses.iter().any(IpAddr::is_ipv6) {
            node.addresses.push(self.free_v6(NODES_V6, host));
        }
    }

    /// A host-network pod has its node's addresses, whatever the input says of its own.
    pub(super) fn fill_pods(
        &mut self,
        snapshot: &mut Snapshot,
        placed: &[usize],
        nodes: &[NodePlan],
        assigned: &Assigned,
    ) {
        for (pod, place) in snapshot.pods.iter_mut().zip(placed) {
            if pod.host_network {
                pod.addresses =
                    nodes.get(*place).map(|node| node.addresses.clone()).unwrap_or_default();
            } else if let Some(earlier) = assigned.with_link(&PodKey::of(pod)) {
                pod.addresses.clone_from(&earlier.addresses);
            } else if pod.addresses.is_empty() {
                pod.addresses = self.free_of_node(*place);
            }
        }
    }

    pub(super) fn fill_services(&mut self, snapshot: &mut Snapshot, assigned: &Assigned) {
        for service in &mut snapshot.services {
            let key = service_key(service);
            let ServiceKind::ClusterIp { addresses } = &mut service.kind else { continue };
            if let Some(earlier) = assigned.services.get(&key).filter(|_| addresses.is_empty()) {
                addresses.clone_from(earlier);
            } else if addresses.is_empty() {
                *addresses = vec![
                    self.free_v4(SERVICES_V4, FIRST_SERVICE),
                    self.free_v6(SERVICES_V6, FIRST_SERVICE),
                ];
            }
        }
    }

    /// One of each family from the node's network, in turn. A full network goes on behind its end.
    fn free_of_node(&mut self, place: usize) -> Vec<IpAddr> {
        let node = u32::try_from(place).unwrap_or(u32::MAX);
        let turn = self.turns.get(&place).copied().unwrap_or_default();
        let own = PODS_V4.wrapping_add(node.wrapping_mul(256));
        let host = |turn: &u32| Ipv4Addr::from_bits(own + FIRST_HOST + turn % N_HOSTS_V4);
        let mut turns = turn..turn.saturating_add(N_HOSTS_V4);
        let free = turns.find(|turn| self.is_free(host(turn).into()));
        let v4 = match &free {
            Some(turn) => host(turn).into(),
            None => self.free_v4(own, FIRST_HOST),
        };
        let turn = free.unwrap_or(turn);
        self.turns.insert(place, turn.saturating_add(1));
        // A node's network of this family has more addresses than a lab uses.
        let v6 = self.free_v6(PODS_V6 | u128::from(node) << 64, FIRST_HOST.saturating_add(turn));
        vec![v4, v6]
    }

    /// The first one from `start` that nothing has; a full network goes on behind its end.
    fn free_v4(&mut self, network: u32, start: u32) -> IpAddr {
        let is_host = |bits: &u32| !matches!(bits & 0xff, 0 | 0xff);
        let hosts = (start..).map(|host| network.wrapping_add(host)).filter(is_host);
        self.take(hosts.map(|bits| Ipv4Addr::from_bits(bits).into()))
    }

    fn free_v6(&mut self, network: u128, start: u32) -> IpAddr {
        let hosts = (start..).map(|host| network | u128::from(host));
        self.take(hosts.map(|bits| Ipv6Addr::from_bits(bits).into()))
    }

    fn take(&mut self, mut candidates: impl Iterator<Item = IpAddr>) -> IpAddr {
        let free = candidates.find(|address| self.is_free(*address));
        // Not reached: more than memory holds would have to be used.
        free.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
    }

    /// It is used from here on.
    fn is_free(&mut self, address: IpAddr) -> bool {
        if self.external.contains(&address) {
            self.passed_over = self.passed_over.or(Some(address));
        }
        self.used.insert(address)
    }
}

/// `shop/web`.
pub(super) fn service_key(service: &Service) -> String {
    format!("{}/{}", service.namespace, service.name)
}

pub(super) fn cluster_addresses(service: &Service) -> &[IpAddr] {
    match &service.kind {
        ServiceKind::ClusterIp { addresses } => addresses,
        ServiceKind::Headless | ServiceKind::ExternalName(_) => &[],
    }
}
