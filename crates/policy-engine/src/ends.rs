//! The ends of a question, and the facts that rules see of them.

use crate::facts::{Addresses, EndKind, Facts, NodeFacts};
use crate::ids::PodId;
use crate::program::{PolicySet, Program};
use policy_model::{Node, Pod, PodOrigin, WorkloadKind};
use std::fmt;
use std::net::IpAddr;

/// One end of a connection, with Services resolved.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum End {
    Pod(PodId),
    /// An address of a pod or a node means that pod or node; any other is outside the cluster.
    Address(IpAddr),
    /// A DNS name outside the cluster, as destination.
    Name(String),
}

/// Several pods of the input claim one address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AmbiguousAddress {
    pub address: IpAddr,
    pub pods: Vec<String>,
}

impl fmt::Display for AmbiguousAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the address {} belongs to {}", self.address, self.pods.join(" and "))
    }
}

impl std::error::Error for AmbiguousAddress {}

impl Program {
    /// What an address stands for: a pod, else itself (a node or the outside).
    pub fn end_at(&self, address: IpAddr) -> Result<End, AmbiguousAddress> {
        match self.objects.pods_at(address) {
            [] => Ok(End::Address(address)),
            [pod] => Ok(End::Pod(*pod)),
            pods => Err(AmbiguousAddress {
                address,
                pods: pods
                    .iter()
                    .filter_map(|id| self.objects.pod(*id))
                    .map(ToString::to_string)
                    .collect(),
            }),
        }
    }

    /// Traffic of a pod to its own address, which nothing filters. The template of a workload stands
    /// for several replicas, so it is not itself.
    pub(crate) fn is_self_traffic(&self, from: &End, to: &End) -> bool {
        let is_one_pod = |id| {
            self.objects.pod(id).is_some_and(|pod| match pod.origin {
                PodOrigin::Live => true,
                PodOrigin::Template => pod.workload.kind == WorkloadKind::Pod,
            })
        };
        self.is_same_pod(from, to) && self.pod_at(from).is_some_and(is_one_pod)
    }

    /// Also of the template of a workload.
    pub(crate) fn is_same_pod(&self, from: &End, to: &End) -> bool {
        self.pod_at(from).is_some_and(|pod| self.pod_at(to) == Some(pod))
    }

    /// The pod that an end is, also by its address.
    fn pod_at(&self, end: &End) -> Option<PodId> {
        match end {
            End::Pod(id) => Some(*id),
            End::Address(address) => self.objects.pods_at(*address).first().copied(),
            End::Name(_) => None,
        }
    }

    /// `None` for a pod that was removed.
    pub(crate) fn facts<'a>(&'a self, end: &'a End) -> Option<Facts<'a>> {
        match (self.pod_at(end), end) {
            (Some(pod), _) => self.pod_facts(pod),
            (None, End::Address(address)) => Some(self.address_facts(*address)),
            (None, End::Name(name)) => {
                Some(self.outside(Addresses::Name(name, self.objects.outside())))
            }
            (None, End::Pod(_)) => None,
        }
    }

    pub(crate) fn pod_facts(&self, id: PodId) -> Option<Facts<'_>> {
        let pod = self.objects.pod(id)?;
        let key = self.classes.key(self.classes.of(id)?)?;
        let (kind, addresses) = if pod.host_network {
            (EndKind::HostPod, self.host_addresses(pod))
        } else if pod.addresses.is_empty() {
            (EndKind::Pod, Addresses::Unknown(None))
        } else {
            (EndKind::Pod, Addresses::Own(&pod.addresses, None))
        };
        Some(Facts {
            kind,
            terms: &key.terms,
            addresses,
            node: self.node_of(pod),
            unknown_node: &self.unknown_node,
            via: None,
            policies: key.policies,
            served: self.classes.served(key.ports),
            served_id: key.ports,
        })
    }

    /// The node of a pod: `spec.nodeName`, else, on the host network, the owner of its address.
    pub(crate) fn node_of<'a>(&'a self, pod: &'a Pod) -> Option<&'a str> {
        let by_address = || {
            let addresses = pod.addresses.iter().filter(|_| pod.host_network);
            addresses.filter_map(|address| self.objects.node_at(*address)).next()
        };
        pod.node.as_deref().or_else(|| by_address().map(|node| node.name.as_str()))
    }

    fn host_addresses<'a>(&'a self, pod: &'a Pod) -> Addresses<'a> {
        let node = self.node_of(pod).map(|name| self.node_facts(name));
        if !pod.addresses.is_empty() {
            return Addresses::Own(&pod.addresses, node);
        }
        let of_node = |node: &'a Node| {
            let facts = self.node_facts(&node.name);
            node.addresses.iter().map(move |address| (*address, facts))
        };
        let possible: Vec<_> = match pod.node.as_deref() {
            Some(name) => self.objects.nodes.get(name).into_iter().flat_map(of_node).collect(),
            None => self.objects.nodes.values().flat_map(of_node).collect(),
        };
        if possible.is_empty() { Addresses::Unknown(node) } else { Addresses::AnyOf(possible) }
    }

    fn node_facts<'a>(&'a self, name: &'a str) -> NodeFacts<'a> {
        let known = self.node_terms.get(name).map(std::slice::from_ref);
        NodeFacts { name, readings: known.unwrap_or(&self.unknown_node) }
    }

    pub(crate) fn address_facts(&self, address: IpAddr) -> Facts<'_> {
        match self.objects.node_at(address) {
            Some(node) => Facts {
                kind: EndKind::Node,
                node: Some(&node.name),
                ..self.outside(Addresses::One(address, Some(self.node_facts(&node.name))))
            },
            None => self.outside(Addresses::One(address, None)),
        }
    }

    pub(crate) fn outside<'a>(&'a self, addresses: Addresses<'a>) -> Facts<'a> {
        Facts {
            kind: EndKind::Outside,
            terms: &[],
            addresses,
            node: None,
            unknown_node: &[],
            via: None,
            policies: PolicySet::NONE,
            served: &[],
            served_id: 0,
        }
    }
}
