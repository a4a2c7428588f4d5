//! What a PEER of a question stands for in a snapshot.
//!
//! The meaning is that of `docs/design/semantics.md`, "An address as an end": an address that a pod,
//! a node or a Service has is that pod, node or Service; anything else is outside the cluster. A
//! host-network pod's address is its node's.

mod error;
mod internet;
mod owners;

pub use error::PeerError;

use crate::near::near;
use crate::peer::{KindArgument, PeerArgument};
use net_types::{AddressRange, AddressSet};
use owners::{Owner, Owners};
use policy_model::{PodOrigin, Snapshot, WorkloadKind};
use std::collections::HashMap;
use std::net::IpAddr;

/// The ends that a question asks about: all of them. Indices are into the snapshot's lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peer {
    /// A pod, the pods of a workload, or those of a namespace; not empty.
    Pods(Vec<usize>),
    /// An index into `Snapshot::services`.
    Service(usize),
    /// A key of `Snapshot::nodes`.
    Node(String),
    /// A block of addresses, or the internet.
    Addresses(AddressedPeers),
}

/// What a set of addresses holds, each address once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddressedPeers {
    /// Those that nothing in the snapshot has.
    pub outside: AddressSet,
    pub pods: Vec<usize>,
    pub nodes: Vec<String>,
    pub services: Vec<usize>,
}

/// Finds peers by name and by address; built once for a snapshot.
#[derive(Debug)]
pub struct PeerIndex<'a> {
    snapshot: &'a Snapshot,
    namespaces: HashMap<&'a str, NamespaceEntry<'a>>,
    owners: Owners,
}

#[derive(Debug, Default)]
struct NamespaceEntry<'a> {
    pods: Vec<usize>,
    names: HashMap<&'a str, NameEntry>,
}

/// Everything of one name in one namespace.
#[derive(Debug, Default)]
struct NameEntry {
    pod: Option<usize>,
    workloads: Vec<(WorkloadKind, Vec<usize>)>,
    service: Option<usize>,
}

impl<'a> PeerIndex<'a> {
    pub fn new(snapshot: &'a Snapshot) -> Self {
        let mut namespaces: HashMap<&str, NamespaceEntry<'_>> = snapshot
            .namespaces
            .keys()
            .map(|name| (name.as_str(), NamespaceEntry::default()))
            .collect();
        for (index, pod) in snapshot.pods.iter().enumerate() {
            let namespace = namespaces.entry(&pod.namespace).or_default();
            namespace.pods.push(index);
            if pod.origin == PodOrigin::Live || pod.workload.kind == WorkloadKind::Pod {
                namespace.names.entry(&pod.name).or_default().pod = Some(index);
            }
            if pod.workload.kind != WorkloadKind::Pod {
                let name = namespace.names.entry(&pod.workload.name).or_default();
                name.add_to_workload(pod.workload.kind, index);
            }
        }
        for (index, service) in snapshot.services.iter().enumerate() {
            let namespace = namespaces.entry(&service.namespace).or_default();
            namespace.names.entry(&service.name).or_default().service = Some(index);
        }
        Self { snapshot, namespaces, owners: Owners::of(snapshot) }
    }

    pub fn resolve(&self, peer: &PeerArgument) -> Result<Peer, PeerError> {
        match peer {
            PeerArgument::Named { namespace, name } => self.named(namespace, name),
            PeerArgument::OfKind { kind, namespace, name } => self.of_kind(*kind, namespace, name),
            PeerArgument::Namespace(namespace) => self.namespace(namespace),
            PeerArgument::Address(address) => self.address(*address),
            PeerArgument::Network(network) => {
                self.owners.within(&AddressSet::from(*network)).map(Peer::Addresses)
            }
            PeerArgument::Internet => {
                // A node with a public address is in the cluster all the same.
                let outside = self.owners.within(&internet::addresses())?.outside;
                Ok(Peer::Addresses(AddressedPeers { outside, ..AddressedPeers::default() }))
            }
        }
    }

    fn named(&self, namespace: &str, name: &str) -> Result<Peer, PeerError> {
        let entry = self.name(None, namespace, name)?;
        match (entry.pod, entry.workloads.as_slice()) {
            (Some(pod), _) => Ok(Peer::Pods(vec![pod])),
            (None, [(_, pods)]) => Ok(Peer::Pods(pods.clone())),
            (None, []) => Err(self.unknown(None, namespace, name)),
            (None, several) => Err(PeerError::Ambiguous {
                written: format!("{namespace}/{name}"),
                choices: several
                    .iter()
                    .map(|(kind, _)| {
                        format!("{}/{namespace}/{name}", KindArgument::Workload(*kind))
                    })
                    .collect(),
            }),
        }
    }

    fn of_kind(&self, kind: KindArgument, namespace: &str, name: &str) -> Result<Peer, PeerError> {
        let entry = self.name(Some(kind), namespace, name)?;
        let found = match kind {
            KindArgument::Service => entry.service.map(Peer::Service),
            KindArgument::Workload(WorkloadKind::Pod) => entry.pod.map(|pod| Peer::Pods(vec![pod])),
            KindArgument::Workload(kind) => {
                entry.pods_of(kind).map(|pods| Peer::Pods(pods.to_vec()))
            }
        };
        found.ok_or_else(|| self.unknown(Some(kind), namespace, name))
    }

    fn namespace(&self, namespace: &str) -> Result<Peer, PeerError> {
        let entry = self.known_namespace(namespace)?;
        if entry.pods.is_empty() {
            return Err(PeerError::EmptyNamespace(namespace.to_owned()));
        }
        Ok(Peer::Pods(entry.pods.clone()))
    }

    fn address(&self, address: IpAddr) -> Result<Peer, PeerError> {
        Ok(match self.owners.of_address(address)? {
            Some(Owner::Pod(pod)) => Peer::Pods(vec![*pod]),
            Some(Owner::Node(node)) => Peer::Node(node.clone()),
            Some(Owner::Service(service)) => Peer::Service(*service),
            None => {
                let outside = [AddressRange::single(address)].into_iter().collect();
                Peer::Addresses(AddressedPeers { outside, ..AddressedPeers::default() })
            }
        })
    }

    fn known_namespace(&self, namespace: &str) -> Result<&NamespaceEntry<'a>, PeerError> {
        self.namespaces.get(namespace).ok_or_else(|| PeerError::UnknownNamespace {
            name: namespace.to_owned(),
            near: near(namespace, self.namespaces.keys().copied()),
        })
    }

    fn name(
        &self,
        kind: Option<KindArgument>,
        namespace: &str,
        name: &str,
    ) -> Result<&NameEntry, PeerError> {
        let known = self.known_namespace(namespace)?;
        known.names.get(name).ok_or_else(|| self.unknown(kind, namespace, name))
    }

    /// Names what is near: the same name as something else or elsewhere, or a name that is misspelt.
    fn unknown(&self, kind: Option<KindArgument>, namespace: &str, name: &str) -> PeerError {
        let mut choices = Vec::new();
        if let Some(entry) = self.namespaces.get(namespace) {
            choices.extend(
                entry.names.get(name).iter().flat_map(|found| found.written(namespace, name)),
            );
            let misspelt = near(name, entry.names.keys().copied());
            choices.extend(misspelt.iter().filter(|near| *near != name).flat_map(|near| {
                let found = entry.names.get(near.as_str());
                found.map(|found| found.written(namespace, near)).unwrap_or_default()
            }));
        }
        if choices.is_empty() {
            let elsewhere = self.snapshot.namespaces.keys().filter(|other| *other != namespace);
            choices.extend(elsewhere.flat_map(|other| {
                let found =
                    self.namespaces.get(other.as_str()).and_then(|entry| entry.names.get(name));
                found.map(|found| found.written(other, name)).unwrap_or_default()
            }));
        }
        choices.truncate(4);
        let kind = kind.map_or_else(|| "pod or workload".to_owned(), |kind| kind.to_string());
        PeerError::Unknown { kind, written: format!("{namespace}/{name}"), near: choices }
    }
}

impl NameEntry {
    fn add_to_workload(&mut self, kind: WorkloadKind, pod: usize) {
        match self.workloads.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, pods)) => pods.push(pod),
            None => {
                self.workloads.push((kind, vec![pod]));
                self.workloads.sort_unstable();
            }
        }
    }

    fn pods_of(&self, kind: WorkloadKind) -> Option<&[usize]> {
        self.workloads.iter().find(|(known, _)| *known == kind).map(|(_, pods)| pods.as_slice())
    }

    /// How to write the things of this name as a PEER.
    fn written(&self, namespace: &str, name: &str) -> Vec<String> {
        let of_kind = |kind: KindArgument| format!("{kind}/{namespace}/{name}");
        let mut written = Vec::new();
        match (self.pod, self.workloads.as_slice()) {
            (Some(_), _) | (None, [_]) => written.push(format!("{namespace}/{name}")),
            (None, several) => {
                written
                    .extend(several.iter().map(|(kind, _)| of_kind(KindArgument::Workload(*kind))));
            }
        }
        written.extend(self.service.map(|_| of_kind(KindArgument::Service)));
        written
    }
}

#[cfg(test)]
mod tests;
