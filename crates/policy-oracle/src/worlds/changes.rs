//! Changes of one object, and how a snapshot takes them without losing its invariants.

use super::Contents;
use super::cluster::{namespace, namespace_name, node, node_name, pod};
use super::policies::policy;
use super::questions::PodKey;
use policy_model::{
    Namespace, NamespaceScope, Node, PeerMatch, Peers, Pod, PodOrigin, Policy, PolicyId, Snapshot,
};
use proptest::collection::vec;
use proptest::prelude::*;

#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Adds or replaces.
    PutNamespace(Namespace),
    /// A namespace that others still name is no longer declared.
    RemoveNamespace(String),
    PutNode(Node),
    RemoveNode(String),
    PutPod(Pod),
    RemovePod(PodKey),
    PutPolicy(Policy),
    RemovePolicy(PolicyId),
}

impl Change {
    pub fn apply(self, snapshot: &mut Snapshot) {
        match self {
            Self::PutNamespace(namespace) => put_namespace(snapshot, namespace),
            Self::RemoveNamespace(name) => remove_namespace(snapshot, &name),
            Self::PutNode(node) => put_node(snapshot, node),
            Self::RemoveNode(name) => {
                snapshot.nodes.remove(&name);
            }
            Self::PutPod(pod) => put_pod(snapshot, pod),
            Self::RemovePod(key) => snapshot.pods.retain(|pod| PodKey::of(pod) != key),
            Self::PutPolicy(policy) => put_policy(snapshot, policy),
            Self::RemovePolicy(id) => {
                snapshot.policies.remove(&id);
            }
        }
    }
}

/// Changes for a property, to apply in order.
pub fn changes(contents: Contents) -> impl Strategy<Value = Vec<Change>> {
    vec(change(contents), 1..=6)
}

pub(super) fn change(contents: Contents) -> impl Strategy<Value = Change> {
    prop_oneof![
        2 => namespace().prop_map(Change::PutNamespace),
        1 => namespace_name().prop_map(Change::RemoveNamespace),
        2 => node().prop_map(Change::PutNode),
        1 => node_name().prop_map(Change::RemoveNode),
        5 => pod(contents).prop_map(Change::PutPod),
        2 => pod(contents).prop_map(|pod| Change::RemovePod(PodKey::of(&pod))),
        5 => policy(contents).prop_map(Change::PutPolicy),
        2 => policy(contents).prop_map(|policy| Change::RemovePolicy(policy.id)),
    ]
}

pub fn put_namespace(snapshot: &mut Snapshot, namespace: Namespace) {
    snapshot.namespaces.insert(namespace.name.clone(), namespace);
}

pub fn put_node(snapshot: &mut Snapshot, node: Node) {
    snapshot.nodes.insert(node.name.clone(), node);
}

/// Adds or replaces the pod. It takes its addresses from any other pod; a live pod replaces the
/// template of its workload, and the template of a workload with live pods is dropped.
pub fn put_pod(snapshot: &mut Snapshot, pod: Pod) {
    let of_its_workload = |other: &Pod| other.workload == pod.workload;
    match pod.origin {
        PodOrigin::Live => {
            snapshot.pods.retain(|other| other.origin == PodOrigin::Live || !of_its_workload(other))
        }
        PodOrigin::Template => {
            let has_live = |other: &Pod| other.origin == PodOrigin::Live && of_its_workload(other);
            if snapshot.pods.iter().any(has_live) {
                return;
            }
        }
    }
    let name = (pod.namespace.clone(), pod.name.clone());
    // Live pods are one kind of object: no two share a name, whatever their workloads.
    snapshot.pods.retain(|other| {
        let is_replaced = match pod.origin {
            PodOrigin::Live => {
                other.origin == PodOrigin::Live
                    && (&other.namespace, &other.name) == (&name.0, &name.1)
            }
            PodOrigin::Template => PodKey::of(other) == PodKey::of(&pod),
        };
        !is_replaced
    });
    if !pod.host_network {
        for other in snapshot.pods.iter_mut().filter(|other| !other.host_network) {
            other.addresses.retain(|address| !pod.addresses.contains(address));
        }
    }
    ensure_namespace(snapshot, &pod.namespace);
    snapshot.pods.push(pod);
    snapshot.pods.sort_by_cached_key(|pod| {
        (pod.namespace.clone(), pod.name.clone(), pod.workload.kind, pod.origin)
    });
}

pub fn put_policy(snapshot: &mut Snapshot, policy: Policy) {
    for namespace in namespaces_named_by(&policy) {
        ensure_namespace(snapshot, &namespace);
    }
    snapshot.policies.insert(policy.id.clone(), policy);
}

pub(super) fn ensure_namespace(snapshot: &mut Snapshot, name: &str) {
    let implied = || Namespace::implied(name);
    snapshot.namespaces.entry(name.to_owned()).or_insert_with(implied);
}

fn remove_namespace(snapshot: &mut Snapshot, name: &str) {
    snapshot.namespaces.remove(name);
    let pods = snapshot.pods.iter().map(|pod| pod.namespace.clone());
    let services = snapshot.services.iter().map(|service| service.namespace.clone());
    let entries = snapshot.entries.iter().map(|entry| entry.namespace.clone());
    let policies = snapshot.policies.values().flat_map(namespaces_named_by);
    let mut names = pods.chain(services).chain(entries).chain(policies);
    if names.any(|other| other == name) {
        ensure_namespace(snapshot, name);
    }
}

fn namespaces_named_by(policy: &Policy) -> Vec<String> {
    let mut names: Vec<String> = policy.id.namespace.iter().cloned().collect();
    let rules = policy.ingress.iter().flatten().chain(policy.egress.iter().flatten());
    let peers = rules.filter_map(|rule| match &rule.peers {
        Peers::Any => None,
        Peers::Listed(peers) => Some(peers),
    });
    for peer in peers.flatten() {
        if let PeerMatch::Pods { namespaces: NamespaceScope::Own(name), .. } = &peer.matches {
            names.push(name.clone());
        }
    }
    names
}
