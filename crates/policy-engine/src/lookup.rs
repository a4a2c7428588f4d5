//! What a program speaks of: its objects, and which policies apply to which pods.

use crate::ids::{ClassId, PodId};
use crate::program::Program;
use crate::semantics::Assumptions;
use policy_model::{
    Direction, Entry, LabelSelector, LeftOut, Namespace, NamespaceScope, Node, Pod, Policy,
    PolicyId, Service, Snapshot,
};
use std::net::IpAddr;

impl Program {
    pub fn assumptions(&self) -> &Assumptions {
        &self.assumptions
    }

    /// Live pods and templates, ascending by id.
    pub fn pods(&self) -> impl Iterator<Item = (PodId, &Pod)> {
        self.objects.pods()
    }

    /// `None` for a pod that was removed.
    pub fn pod(&self, id: PodId) -> Option<&Pod> {
        self.objects.pod(id)
    }

    /// By name.
    pub fn namespaces(&self) -> impl Iterator<Item = &Namespace> {
        self.objects.namespaces.values()
    }

    pub fn namespace(&self, name: &str) -> Option<&Namespace> {
        self.objects.namespaces.get(name)
    }

    /// By name.
    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.objects.nodes.values()
    }

    pub fn node_at(&self, address: IpAddr) -> Option<&Node> {
        self.objects.node_at(address)
    }

    pub fn services(&self) -> &[Service] {
        &self.objects.services
    }

    pub fn entries(&self) -> &[Entry] {
        &self.objects.entries
    }

    pub fn left_out(&self) -> &[LeftOut] {
        &self.objects.left_out
    }

    /// By kind and name.
    pub fn policies(&self) -> impl Iterator<Item = &Policy> {
        self.live_policies().map(|(_, compiled)| &compiled.policy)
    }

    pub fn policy(&self, id: &PolicyId) -> Option<&Policy> {
        self.compiled(*self.by_id.get(id)?).map(|compiled| &compiled.policy)
    }

    /// The pods that a policy applies to, ascending; host-network pods only for a NetworkPolicy, whose
    /// reading of them the API leaves open.
    pub fn subjects(&self, policy: &PolicyId) -> Vec<PodId> {
        let compiled = self.by_id.get(policy).and_then(|ix| self.compiled(*ix));
        compiled.into_iter().flat_map(|compiled| &compiled.subjects).map(PodId).collect()
    }

    /// The policies that apply to a pod in a direction, in the order in which they decide.
    pub fn policies_of(&self, pod: PodId, direction: Direction) -> Vec<&Policy> {
        let mut policies: Vec<&Policy> = self
            .live_policies()
            .filter(|(_, compiled)| compiled.subjects.contains(pod.0))
            .map(|(_, compiled)| &compiled.policy)
            .filter(|policy| policy.rules(direction).is_some())
            .collect();
        policies.sort_by_key(|policy| (policy.tier, policy.priority, policy.id.clone()));
        policies
    }

    /// Whether a NetworkPolicy isolates the pod: what none of them allows is denied.
    pub fn is_isolated(&self, pod: PodId, direction: Direction) -> bool {
        self.pod_facts(pod)
            .and_then(|facts| self.profile_of(facts.policies, direction))
            .is_some_and(|(_, profile)| profile.is_isolated())
    }

    /// The pods that a peer or subject selects, ascending, host-network pods too.
    pub fn select(&self, namespaces: &NamespaceScope, pods: &LabelSelector) -> Vec<PodId> {
        self.objects.select(namespaces, pods).into_iter().map(PodId).collect()
    }

    /// Pods that no rule can tell apart, ascending by their first pod.
    pub fn classes(&self) -> impl Iterator<Item = (ClassId, Vec<PodId>)> {
        self.classes
            .live()
            .map(|(class, _, members)| (class, members.into_iter().map(PodId).collect()))
    }

    /// The program's objects and policies as they are now.
    pub fn snapshot(&self) -> Snapshot {
        let mut pods: Vec<Pod> = self.pods().map(|(_, pod)| pod.clone()).collect();
        pods.sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
        Snapshot {
            namespaces: self.objects.namespaces.clone(),
            nodes: self.objects.nodes.clone(),
            pods,
            services: self.objects.services.clone(),
            entries: self.objects.entries.clone(),
            policies: self.policies().map(|policy| (policy.id.clone(), policy.clone())).collect(),
            left_out: self.objects.left_out.clone(),
        }
    }
}
