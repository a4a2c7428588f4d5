//! The objects that a program speaks of, indexed for selectors and addresses.

use crate::ids::{Interner, PodId};
use net_types::{AddressRange, AddressSet};
use policy_model::{
    Entry, LabelSelector, Labels, LeftOut, Namespace, NamespaceScope, Node, Pod, Service, Snapshot,
};
use roaring::RoaringBitmap;
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

/// Which pods, namespaces and nodes a program has: equal only for a program and what grew out of it by changes
/// of nothing else.
#[derive(Clone, Debug, Default)]
pub struct ObjectsVersion(Arc<()>);

impl PartialEq for ObjectsVersion {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for ObjectsVersion {}

#[derive(Clone, Debug, Default)]
pub(crate) struct Objects {
    version: ObjectsVersion,
    pub(crate) namespaces: BTreeMap<String, Namespace>,
    pub(crate) nodes: BTreeMap<String, Node>,
    pub(crate) services: Vec<Service>,
    pub(crate) entries: Vec<Entry>,
    pub(crate) left_out: Vec<LeftOut>,
    /// A removed pod leaves a hole, so that ids stay.
    pods: Vec<Option<Pod>>,
    /// Pods of a namespace by their labels: a selector is matched once for each set of labels.
    by_namespace: BTreeMap<String, FxHashMap<usize, RoaringBitmap>>,
    labels: Interner<Labels>,
    /// Not host-network pods, whose addresses are their nodes'.
    by_address: FxHashMap<IpAddr, Vec<PodId>>,
    nodes_by_address: FxHashMap<IpAddr, String>,
}

impl Objects {
    /// The objects of a snapshot, and its policies apart.
    pub(crate) fn new(snapshot: Snapshot) -> (Self, Vec<policy_model::Policy>) {
        let Snapshot { namespaces, nodes, pods, services, entries, policies, left_out } = snapshot;
        let mut objects =
            Self { namespaces, nodes, services, entries, left_out, ..Self::default() };
        objects.index_nodes();
        for pod in pods {
            objects.add_pod(pod);
        }
        (objects, policies.into_values().collect())
    }

    pub(crate) fn version(&self) -> &ObjectsVersion {
        &self.version
    }

    fn changed(&mut self) {
        self.version = ObjectsVersion::default();
    }

    pub(crate) fn set_namespace(&mut self, namespace: Namespace) {
        self.changed();
        self.namespaces.insert(namespace.name.clone(), namespace);
    }

    pub(crate) fn remove_namespace(&mut self, name: &str) {
        self.changed();
        self.namespaces.remove(name);
    }

    fn index_nodes(&mut self) {
        self.nodes_by_address.clear();
        for node in self.nodes.values() {
            for address in &node.addresses {
                self.nodes_by_address.entry(*address).or_insert_with(|| node.name.clone());
            }
        }
    }

    pub(crate) fn set_node(&mut self, name: &str, node: Option<Node>) {
        self.changed();
        match node {
            Some(node) => self.nodes.insert(name.to_owned(), node),
            None => self.nodes.remove(name),
        };
        self.index_nodes();
    }

    /// A namespace that is named but not declared is added with its implied label.
    pub(crate) fn add_pod(&mut self, pod: Pod) -> PodId {
        let id = self.next_pod();
        self.put_pod(id, pod);
        id
    }

    /// The id that the next new pod gets.
    pub(crate) fn next_pod(&self) -> PodId {
        PodId::from_index(self.pods.len())
    }

    /// `id` must be free.
    pub(crate) fn put_pod(&mut self, id: PodId, pod: Pod) {
        self.changed();
        if !self.namespaces.contains_key(&pod.namespace) {
            self.namespaces.insert(pod.namespace.clone(), Namespace::implied(&pod.namespace));
        }
        let labels = self.labels.intern(pod.labels.clone());
        let groups = self.by_namespace.entry(pod.namespace.clone()).or_default();
        groups.entry(labels).or_default().insert(id.0);
        if !pod.host_network {
            for address in &pod.addresses {
                self.by_address.entry(*address).or_default().push(id);
            }
        }
        if self.pods.len() <= id.index() {
            self.pods.resize(id.index() + 1, None);
        }
        if let Some(slot) = self.pods.get_mut(id.index()) {
            *slot = Some(pod);
        }
    }

    pub(crate) fn remove_pod(&mut self, id: PodId) -> Option<Pod> {
        self.changed();
        let pod = self.pods.get_mut(id.index())?.take()?;
        if let Some(groups) = self.by_namespace.get_mut(&pod.namespace) {
            groups.retain(|_, members| {
                members.remove(id.0);
                !members.is_empty()
            });
        }
        for address in &pod.addresses {
            if let Some(ids) = self.by_address.get_mut(address) {
                ids.retain(|other| *other != id);
            }
        }
        Some(pod)
    }

    pub(crate) fn pod(&self, id: PodId) -> Option<&Pod> {
        self.pods.get(id.index())?.as_ref()
    }

    pub(crate) fn pods(&self) -> impl Iterator<Item = (PodId, &Pod)> {
        self.pods
            .iter()
            .enumerate()
            .filter_map(|(index, pod)| Some((PodId::from_index(index), pod.as_ref()?)))
    }

    pub(crate) fn pods_of_namespace(&self, namespace: &str) -> RoaringBitmap {
        let groups = self.by_namespace.get(namespace).into_iter().flat_map(FxHashMap::values);
        groups.fold(RoaringBitmap::new(), |all, members| all | members)
    }

    pub(crate) fn pods_at(&self, address: IpAddr) -> &[PodId] {
        self.by_address.get(&address).map_or(&[], Vec::as_slice)
    }

    /// All addresses that no pod and no node has.
    pub(crate) fn outside(&self) -> AddressSet {
        let pods = self.pods().flat_map(|(_, pod)| &pod.addresses);
        let cluster = pods.chain(self.nodes_by_address.keys());
        let cluster: AddressSet = cluster.map(|address| AddressRange::single(*address)).collect();
        cluster.complement()
    }

    pub(crate) fn node_at(&self, address: IpAddr) -> Option<&Node> {
        self.nodes.get(self.nodes_by_address.get(&address)?)
    }

    /// Pods in scope whose labels match, host-network pods too.
    pub(crate) fn select(&self, scope: &NamespaceScope, pods: &LabelSelector) -> RoaringBitmap {
        let mut selected = RoaringBitmap::new();
        match scope {
            NamespaceScope::Own(name) => self.select_in(name, pods, &mut selected),
            NamespaceScope::Selected(namespaces) => {
                for namespace in self.namespaces.values() {
                    if namespaces.matches(&namespace.labels) {
                        self.select_in(&namespace.name, pods, &mut selected);
                    }
                }
            }
        }
        selected
    }

    fn select_in(&self, namespace: &str, pods: &LabelSelector, into: &mut RoaringBitmap) {
        for (labels, members) in self.by_namespace.get(namespace).into_iter().flatten() {
            if self.labels.values().get(*labels).is_some_and(|labels| pods.matches(labels)) {
                *into |= members;
            }
        }
    }

    /// Whether [`Self::select`] would return the pod.
    pub(crate) fn selects(&self, scope: &NamespaceScope, pods: &LabelSelector, id: PodId) -> bool {
        self.pod(id).is_some_and(|pod| {
            let in_scope = match scope {
                NamespaceScope::Own(name) => *name == pod.namespace,
                NamespaceScope::Selected(selector) => self
                    .namespaces
                    .get(&pod.namespace)
                    .is_some_and(|namespace| selector.matches(&namespace.labels)),
            };
            in_scope && pods.matches(&pod.labels)
        })
    }
}
