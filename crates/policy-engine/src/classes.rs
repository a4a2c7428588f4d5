//! Peer classes: pods that no rule can tell apart, as peer or as subject.
//!
//! 100,000 pods become the few hundred or thousand classes that the selectors in use distinguish.
//! A class is its key; equal keys are one class, so a change re-keys only the pods that it touches.

use crate::ids::{ClassId, Interner, PodId, TermId};
use crate::program::PolicySet;
use policy_model::ContainerPort;
use roaring::RoaringBitmap;
use std::net::IpAddr;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ClassKey {
    /// Sorted pods terms that select its pods.
    pub(crate) terms: Vec<TermId>,
    pub(crate) policies: PolicySet,
    pub(crate) addresses: AddressKey,
    /// An index into [`Classes::ports`].
    pub(crate) ports: usize,
    pub(crate) host: Option<HostKey>,
}

/// Which networks contain the pod's addresses, as far as rules can tell.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum AddressKey {
    Unknown,
    /// Network terms by family; `None` where the pod has no address of the family.
    Known {
        v4: Option<Vec<TermId>>,
        v6: Option<Vec<TermId>>,
    },
    /// A host-network pod is told apart by its very addresses.
    Host(Vec<IpAddr>),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct HostKey {
    pub(crate) node: Option<String>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Classes {
    keys: Interner<ClassKey>,
    members: Vec<RoaringBitmap>,
    of_pod: Vec<Option<ClassId>>,
    ports: Interner<Vec<ContainerPort>>,
}

impl Classes {
    /// Returns the class, and whether the pod is its first. The pod must have no class.
    pub(crate) fn assign(&mut self, pod: PodId, key: ClassKey) -> (ClassId, bool) {
        let class = ClassId::from_index(self.keys.intern(key));
        if self.members.len() <= class.index() {
            self.members.resize_with(class.index() + 1, RoaringBitmap::new);
        }
        let mut first = false;
        if let Some(members) = self.members.get_mut(class.index()) {
            first = members.is_empty();
            members.insert(pod.0);
        }
        if self.of_pod.len() <= pod.index() {
            self.of_pod.resize(pod.index() + 1, None);
        }
        if let Some(slot) = self.of_pod.get_mut(pod.index()) {
            *slot = Some(class);
        }
        (class, first)
    }

    /// Returns the pod's class, and whether the pod was its last.
    pub(crate) fn remove(&mut self, pod: PodId) -> Option<(ClassId, bool)> {
        let class = self.of_pod.get_mut(pod.index())?.take()?;
        let members = self.members.get_mut(class.index())?;
        members.remove(pod.0);
        Some((class, members.is_empty()))
    }

    pub(crate) fn of(&self, pod: PodId) -> Option<ClassId> {
        self.of_pod.get(pod.index()).copied().flatten()
    }

    pub(crate) fn key(&self, class: ClassId) -> Option<&ClassKey> {
        self.keys.values().get(class.index()).map(AsRef::as_ref)
    }

    pub(crate) fn members(&self, class: ClassId) -> Option<&RoaringBitmap> {
        self.members.get(class.index())
    }

    /// Classes that have a pod.
    pub(crate) fn live(&self) -> impl Iterator<Item = (ClassId, &ClassKey, &RoaringBitmap)> {
        let classes = self.keys.values().iter().zip(&self.members).enumerate();
        classes
            .filter(|(_, (_, members))| !members.is_empty())
            .map(|(index, (key, members))| (ClassId::from_index(index), key.as_ref(), members))
    }

    /// Classes ever made, dead ones too.
    pub(crate) fn n_keys(&self) -> usize {
        self.keys.values().len()
    }

    pub(crate) fn intern_ports(&mut self, mut ports: Vec<ContainerPort>) -> usize {
        ports.retain(|port| port.name.is_some());
        ports.sort_unstable();
        ports.dedup();
        self.ports.intern(ports)
    }

    /// The named ports that the pods of a class serve.
    pub(crate) fn served(&self, ports: usize) -> &[ContainerPort] {
        self.ports.values().get(ports).map_or(&[], |ports| ports.as_slice())
    }
}
