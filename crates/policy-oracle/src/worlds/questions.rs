//! Questions that do not borrow from a snapshot, so that they outlive changes to it.

use super::alphabet::{ASKED_PORTS, addresses, names};
use crate::{End, Question};
use net_types::Protocol;
use policy_model::{Pod, PodOrigin, Snapshot, WorkloadRef};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use std::net::IpAddr;

/// Names one pod of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PodKey {
    pub namespace: String,
    pub name: String,
    pub origin: PodOrigin,
    pub workload: WorkloadRef,
}

impl PodKey {
    pub fn of(pod: &Pod) -> Self {
        Self {
            namespace: pod.namespace.clone(),
            name: pod.name.clone(),
            origin: pod.origin,
            workload: pod.workload.clone(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AskedEnd {
    Pod(PodKey),
    Address(IpAddr),
    Name(&'static str),
}

impl AskedEnd {
    /// `None` where the snapshot has no such pod.
    pub fn end<'a>(&self, snapshot: &'a Snapshot) -> Option<End<'a>> {
        match self {
            Self::Pod(key) => {
                snapshot.pods.iter().find(|pod| PodKey::of(pod) == *key).map(End::Pod)
            }
            Self::Address(address) => Some(End::Address(*address)),
            Self::Name(name) => Some(End::Name(name)),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Asked {
    pub from: AskedEnd,
    pub to: AskedEnd,
    pub protocol: Protocol,
    pub port: u16,
}

impl Asked {
    /// `None` where the snapshot lacks an end.
    pub fn question<'a>(&self, snapshot: &'a Snapshot) -> Option<Question<'a>> {
        Some(Question {
            from: self.from.end(snapshot)?,
            to: self.to.end(snapshot)?,
            protocol: self.protocol,
            port: self.port,
        })
    }
}

/// A question before it is known which pods there are.
#[derive(Clone, Debug)]
pub(super) struct Picked {
    from: PickedEnd,
    to: PickedEnd,
    protocol: Protocol,
    port: u16,
}

#[derive(Clone, Debug)]
enum PickedEnd {
    /// Or the address, where there are no pods.
    Pod(Index, IpAddr),
    Address(IpAddr),
    Name(&'static str),
}

impl Picked {
    pub(super) fn of(self, snapshot: &Snapshot) -> Asked {
        let Self { from, to, protocol, port } = self;
        Asked { from: from.of(snapshot), to: to.of(snapshot), protocol, port }
    }
}

impl PickedEnd {
    fn of(self, snapshot: &Snapshot) -> AskedEnd {
        match self {
            Self::Pod(_, address) if snapshot.pods.is_empty() => AskedEnd::Address(address),
            Self::Pod(index, _) => AskedEnd::Pod(PodKey::of(index.get(&snapshot.pods))),
            Self::Address(address) => AskedEnd::Address(address),
            Self::Name(name) => AskedEnd::Name(name),
        }
    }
}

fn pod_end() -> impl Strategy<Value = PickedEnd> {
    (any::<Index>(), select(addresses())).prop_map(|(pod, or)| PickedEnd::Pod(pod, or))
}

fn address_end() -> impl Strategy<Value = PickedEnd> {
    select(addresses()).prop_map(PickedEnd::Address)
}

/// Most ends are pods: there is nothing to decide between two addresses outside.
fn picked_ends() -> impl Strategy<Value = (PickedEnd, PickedEnd)> {
    prop_oneof![
        10 => (pod_end(), pod_end()),
        4 => (pod_end(), address_end()),
        4 => (address_end(), pod_end()),
        1 => (address_end(), address_end()),
        1 => (pod_end(), select(names()).prop_map(PickedEnd::Name)),
    ]
}

pub(super) fn picked() -> impl Strategy<Value = Picked> {
    let protocol = prop_oneof![
        6 => Just(Protocol::Tcp),
        4 => Just(Protocol::Udp),
        1 => Just(Protocol::Sctp),
        1 => Just(Protocol::Other(1)),
        1 => Just(Protocol::Other(58)),
    ];
    (picked_ends(), protocol, select(&ASKED_PORTS[..]))
        .prop_map(|((from, to), protocol, port)| Picked { from, to, protocol, port })
}
