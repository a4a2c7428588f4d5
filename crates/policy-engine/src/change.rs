//! Changes of one object at a time, without compiling the world again.
//!
//! A change touches the pods whose own policies or identity it changes; every other pod keeps its
//! verdicts towards every other. So only the rows and columns of touched pods are computed, before
//! and after, and compared (`delta.rs`).

use crate::classes::ClassKey;
use crate::delta::{Delta, Observation};
use crate::ids::{PodId, PolicyIx, TermId};
use crate::program::Program;
use policy_model::{Namespace, Node, Pod, PodOrigin, Policy, PolicyId, Service, WorkloadRef};
use roaring::RoaringBitmap;
use std::sync::Arc;

/// `Set` adds the object, or replaces the one of the same name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    SetPolicy(Box<Policy>),
    RemovePolicy(PolicyId),
    SetPod(Box<Pod>),
    RemovePod(PodName),
    SetNamespace(Namespace),
    /// Its pods stay; the namespace is then known by its name only.
    RemoveNamespace(String),
    SetNode(Node),
    RemoveNode(String),
    SetService(Box<Service>),
    RemoveService {
        namespace: String,
        name: String,
    },
}

/// A live pod by its name, or the template of a workload.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PodName {
    Live { namespace: String, name: String },
    Template(WorkloadRef),
}

impl PodName {
    pub fn of(pod: &Pod) -> Self {
        match pod.origin {
            PodOrigin::Live => {
                Self::Live { namespace: pod.namespace.clone(), name: pod.name.clone() }
            }
            PodOrigin::Template => Self::Template(pod.workload.clone()),
        }
    }
}

/// Whether verdicts before and after are compared, which takes longer than the change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Delta,
    Nothing,
}

impl Program {
    /// Makes the change and returns every verdict that it changed.
    ///
    /// Changing what does not exist is no change. Verdicts through Services change with their
    /// endpoints; a delta speaks of pods.
    pub fn apply(&mut self, change: Change) -> Delta {
        self.change(change, Asked::Delta)
    }

    /// Makes the change, as [`Self::apply`] does, for whoever does not ask what it did to verdicts.
    pub fn make(&mut self, change: Change) {
        self.change(change, Asked::Nothing);
    }

    fn change(&mut self, change: Change, asked: Asked) -> Delta {
        match change {
            Change::SetPolicy(policy) => self.set_policy(*policy, asked),
            Change::RemovePolicy(id) => self.remove_policy(&id, asked),
            Change::SetPod(pod) => self.set_pod(*pod, asked),
            Change::RemovePod(name) => self.remove_pod(&name, asked),
            Change::SetNamespace(namespace) => self.set_namespace(namespace, asked),
            Change::RemoveNamespace(name) => self.remove_namespace(&name, asked),
            Change::SetNode(node) => self.set_node(&node.name.clone(), Some(node), asked),
            Change::RemoveNode(name) => self.set_node(&name, None, asked),
            Change::SetService(service) => {
                self.remove_service(&service.namespace, &service.name);
                self.objects.services.push(*service);
                self.objects
                    .services
                    .sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
                Delta::default()
            }
            Change::RemoveService { namespace, name } => {
                self.remove_service(&namespace, &name);
                Delta::default()
            }
        }
    }

    fn before(&self, asked: Asked, touched: RoaringBitmap) -> Observation {
        match asked {
            Asked::Delta => self.observe(touched),
            Asked::Nothing => Observation::of_nothing(touched),
        }
    }

    fn remove_service(&mut self, namespace: &str, name: &str) {
        let services = &mut self.objects.services;
        services.retain(|service| service.namespace != namespace || service.name != name);
    }

    fn set_policy(&mut self, policy: Policy, asked: Asked) -> Delta {
        if self.policy(&policy.id) == Some(&policy) {
            return Delta::default();
        }
        let old = self.by_id.get(&policy.id).copied();
        let old_subjects = old
            .and_then(|ix| self.compiled(ix))
            .map(|old| old.subjects.clone())
            .unwrap_or_default();
        let subject = &policy.subject;
        let new_subjects = self.objects.select(&subject.namespaces, &subject.pods);
        let before = self.before(asked, old_subjects | new_subjects);
        self.retire_policy(old);
        let n_terms = self.terms.len();
        let new = self.add_policy(policy);
        self.adopt_terms(n_terms);
        self.exchange_policy(before.touched(), old, Some(new));
        self.compare(&before)
    }

    fn remove_policy(&mut self, id: &PolicyId, asked: Asked) -> Delta {
        let Some(old) = self.by_id.remove(id) else { return Delta::default() };
        let subjects = self.compiled(old).map(|old| old.subjects.clone()).unwrap_or_default();
        let before = self.before(asked, subjects);
        self.retire_policy(Some(old));
        self.exchange_policy(before.touched(), Some(old), None);
        self.compare(&before)
    }

    fn retire_policy(&mut self, old: Option<PolicyIx>) {
        if let Some(slot) = old.and_then(|ix| self.policies.get_mut(ix.index())) {
            *slot = None;
        }
    }

    /// Pods join the terms that a policy brought: their classes say so from now on.
    fn adopt_terms(&mut self, first_new: usize) {
        self.select_nodes();
        let mut joining = RoaringBitmap::new();
        for term in (first_new..self.terms.len()).map(TermId::from_index) {
            joining |= self.terms.members(term).cloned().unwrap_or_default();
        }
        if self.cut_networks() {
            joining.extend(self.objects.pods().map(|(id, _)| id.0));
        }
        for pod in joining.into_iter().map(PodId) {
            let Some(key) = self.key_of(pod) else { continue };
            let mut key = ClassKey::clone(key);
            let new = (first_new..self.terms.len()).map(TermId::from_index);
            let new = new.filter(|term| {
                self.terms.members(*term).is_some_and(|members| members.contains(pod.0))
            });
            key.terms.extend(new);
            if let Some(object) = self.objects.pod(pod) {
                key.addresses = self.address_key(object);
            }
            self.assign(pod, key);
        }
    }

    fn exchange_policy(
        &mut self,
        pods: &RoaringBitmap,
        old: Option<PolicyIx>,
        new: Option<PolicyIx>,
    ) {
        let subjects = new.and_then(|ix| self.compiled(ix)).map(|new| new.subjects.clone());
        for pod in pods.iter().map(PodId) {
            let Some(key) = self.key_of(pod) else { continue };
            let mut key = ClassKey::clone(key);
            let mut policies = self.policies_of_set(key.policies).to_vec();
            policies.retain(|ix| Some(*ix) != old);
            if subjects.as_ref().is_some_and(|subjects| subjects.contains(pod.0)) {
                policies.extend(new);
            }
            key.policies = self.policy_set(policies);
            self.assign(pod, key);
        }
    }

    fn find_pod(&self, name: &PodName) -> Option<PodId> {
        let namespace = match name {
            PodName::Live { namespace, .. } => namespace,
            PodName::Template(workload) => &workload.namespace,
        };
        let mut pods = self.objects.pods_of_namespace(namespace).into_iter().map(PodId);
        pods.find(|id| self.objects.pod(*id).is_some_and(|pod| PodName::of(pod) == *name))
    }

    fn set_pod(&mut self, pod: Pod, asked: Asked) -> Delta {
        let old = self.find_pod(&PodName::of(&pod));
        if old.and_then(|id| self.objects.pod(id)) == Some(&pod) {
            return Delta::default();
        }
        let id = old.unwrap_or_else(|| self.objects.next_pod());
        let before = self.before(asked, std::iter::once(id.0).collect());
        if old.is_some() {
            self.forget_pod(id);
        }
        self.objects.put_pod(id, pod);
        self.terms.add_pod(id, &self.objects);
        for compiled in self.policies.iter_mut().flatten() {
            if compiled.applies_to(&self.objects, id) {
                Arc::make_mut(compiled).subjects.insert(id.0);
            }
        }
        self.reclassify(id);
        self.compare(&before)
    }

    fn remove_pod(&mut self, name: &PodName, asked: Asked) -> Delta {
        let Some(id) = self.find_pod(name) else { return Delta::default() };
        let before = self.before(asked, std::iter::once(id.0).collect());
        self.forget_pod(id);
        self.compare(&before)
    }

    fn forget_pod(&mut self, id: PodId) {
        self.unassign(id);
        self.objects.remove_pod(id);
        self.terms.remove_pod(id);
        for compiled in self.policies.iter_mut().flatten() {
            if compiled.subjects.contains(id.0) {
                Arc::make_mut(compiled).subjects.remove(id.0);
            }
        }
    }

    fn set_namespace(&mut self, namespace: Namespace, asked: Asked) -> Delta {
        let name = namespace.name.clone();
        let same_labels =
            self.namespace(&name).is_some_and(|known| known.labels == namespace.labels);
        if same_labels {
            self.objects.set_namespace(namespace);
            return Delta::default();
        }
        let pods = self.objects.pods_of_namespace(&name);
        let before = self.before(asked, pods.clone());
        self.objects.set_namespace(namespace);
        self.terms.rescope(&name, &pods, &self.objects);
        for compiled in self.policies.iter_mut().flatten() {
            if compiled.has_selected_scope() {
                Arc::make_mut(compiled).select(&self.objects);
            }
        }
        pods.iter().for_each(|pod| self.reclassify(PodId(pod)));
        self.compare(&before)
    }

    fn remove_namespace(&mut self, name: &str, asked: Asked) -> Delta {
        if !self.objects.namespaces.contains_key(name) {
            return Delta::default();
        }
        let delta = self.set_namespace(Namespace::implied(name), asked);
        if self.objects.pods_of_namespace(name).is_empty() {
            self.objects.remove_namespace(name);
        }
        delta
    }

    /// Nodes are peers by their addresses, and host-network pods are their nodes.
    fn set_node(&mut self, name: &str, node: Option<Node>, asked: Asked) -> Delta {
        let on_host = self.objects.pods().filter(|(_, pod)| pod.host_network);
        let before = self.before(asked, on_host.map(|(id, _)| id.0).collect());
        self.objects.set_node(name, node);
        self.select_nodes();
        self.compare(&before)
    }
}
