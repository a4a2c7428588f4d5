//! The compiled program: objects, interned terms, policies, profiles and classes, kept together.

use crate::atoms::Atoms;
use crate::class_index::ClassIndex;
use crate::classes::{AddressKey, ClassKey, Classes, HostKey};
use crate::ids::{ClassId, Interner, PodId, PolicyIx, ProfileId, ShapeId, TermId};
use crate::node_labels::{NodeReading, possible_readings};
use crate::objects::Objects;
use crate::policies::CompiledPolicy;
use crate::profile::Profile;
use crate::semantics::Assumptions;
use crate::shape::Shape;
use crate::terms::{Term, Terms, addresses};
use net_types::{AddressSet, Family};
use policy_model::{Direction, LabelSelector, Pod, Policy, PolicyId, Snapshot};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

/// The policies that select a pod: an index into [`Program::profiles_of_sets`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PolicySet(usize);

impl PolicySet {
    /// No policy selects it: the first set of every program.
    pub(crate) const NONE: Self = Self(0);
}

/// A snapshot and its policies, compiled for one reading of the API.
#[derive(Clone, Debug)]
pub struct Program {
    pub(crate) assumptions: Assumptions,
    /// The families of pods whose address is not known.
    pub(crate) pod_families: Vec<Family>,
    pub(crate) objects: Objects,
    pub(crate) terms: Terms,
    pub(crate) policies: Vec<Option<Arc<CompiledPolicy>>>,
    pub(crate) by_id: BTreeMap<PolicyId, PolicyIx>,
    pub(crate) classes: Classes,
    pub(crate) index: ClassIndex,
    /// For each node of the input, which nodes terms select it.
    pub(crate) node_terms: BTreeMap<String, NodeReading>,
    /// For a node that is not in the input.
    pub(crate) unknown_node: Vec<NodeReading>,
    policy_sets: Interner<Vec<PolicyIx>>,
    profiles_of_sets: Vec<[ProfileId; 2]>,
    profiles: Vec<Arc<Profile>>,
    shapes: Interner<Shape>,
    profile_ids: FxHashMap<(Direction, Vec<PolicyIx>), ProfileId>,
    networks: GlobalNetworks,
}

/// All networks of all policies: what tells the addresses of pods apart.
#[derive(Clone, Debug, Default)]
struct GlobalNetworks {
    terms: Vec<TermId>,
    atoms: Atoms,
}

impl Program {
    /// Total: whatever a snapshot holds has a meaning.
    pub fn compile(snapshot: Snapshot, assumptions: Assumptions) -> Self {
        let (objects, policies) = Objects::new(snapshot);
        let mut program = Self {
            pod_families: assumptions.pod_families(),
            assumptions,
            objects,
            terms: Terms::default(),
            policies: Vec::with_capacity(policies.len()),
            by_id: BTreeMap::new(),
            classes: Classes::default(),
            index: ClassIndex::default(),
            node_terms: BTreeMap::new(),
            unknown_node: Vec::new(),
            policy_sets: Interner::default(),
            profiles_of_sets: Vec::new(),
            profiles: Vec::new(),
            shapes: Interner::default(),
            profile_ids: FxHashMap::default(),
            networks: GlobalNetworks::default(),
        };
        // Ends that are not pods rely on the first entries: no policies, no named ports.
        program.policy_set(Vec::new());
        program.classes.intern_ports(Vec::new());
        for policy in policies {
            program.add_policy(policy);
        }
        program.cut_networks();
        program.select_nodes();
        program.classify_all();
        program
    }

    pub(crate) fn add_policy(&mut self, policy: Policy) -> PolicyIx {
        let ix = PolicyIx::from_index(self.policies.len());
        self.by_id.insert(policy.id.clone(), ix);
        let compiled = CompiledPolicy::new(policy, &self.objects, &mut self.terms);
        self.policies.push(Some(Arc::new(compiled)));
        ix
    }

    pub(crate) fn compiled(&self, ix: PolicyIx) -> Option<&Arc<CompiledPolicy>> {
        self.policies.get(ix.index())?.as_ref()
    }

    pub(crate) fn live_policies(&self) -> impl Iterator<Item = (PolicyIx, &Arc<CompiledPolicy>)> {
        self.by_id.values().filter_map(|ix| Some((*ix, self.compiled(*ix)?)))
    }

    /// Cuts the address space anew. Returns whether pods may fall into other atoms than before.
    pub(crate) fn cut_networks(&mut self) -> bool {
        if self.networks.terms.len() == self.terms.n_networks() {
            return false;
        }
        let (ids, sets): (Vec<TermId>, Vec<AddressSet>) = self
            .terms
            .iter()
            .filter_map(|(id, term)| match term {
                Term::Network(network) => Some((id, addresses(network))),
                Term::Pods { .. } | Term::Nodes(_) => None,
            })
            .unzip();
        self.networks = GlobalNetworks { terms: ids, atoms: Atoms::cut(&sets) };
        true
    }

    pub(crate) fn select_nodes(&mut self) {
        let selectors: Vec<(TermId, &LabelSelector)> = self.terms.of_nodes().collect();
        let node_terms = self.objects.nodes.values().map(|node| {
            let selecting = selectors.iter().filter(|(_, one)| one.matches(&node.labels));
            (node.name.clone(), NodeReading::known(selecting.map(|(id, _)| *id).collect()))
        });
        let (node_terms, unknown_node) = (node_terms.collect(), possible_readings(&selectors));
        self.node_terms = node_terms;
        self.unknown_node = unknown_node;
    }

    fn classify_all(&mut self) {
        let n_pods = self.objects.pods().last().map_or(0, |(id, _)| id.index() + 1);
        let mut terms: Vec<Vec<TermId>> = vec![Vec::new(); n_pods];
        for index in 0..self.terms.len() {
            let term = TermId::from_index(index);
            for pod in self.terms.members(term).into_iter().flatten() {
                if let Some(list) = terms.get_mut(pod as usize) {
                    list.push(term);
                }
            }
        }
        let mut policies: Vec<Vec<PolicyIx>> = vec![Vec::new(); n_pods];
        for (ix, policy) in self.live_policies() {
            for pod in &policy.subjects {
                if let Some(list) = policies.get_mut(pod as usize) {
                    list.push(ix);
                }
            }
        }
        let ids: Vec<PodId> = self.objects.pods().map(|(id, _)| id).collect();
        for id in ids {
            let terms = terms.get_mut(id.index()).map(std::mem::take).unwrap_or_default();
            let policies = policies.get_mut(id.index()).map(std::mem::take).unwrap_or_default();
            self.classify(id, terms, policies);
        }
    }

    /// Finds the class of one pod from scratch.
    pub(crate) fn reclassify(&mut self, id: PodId) {
        let terms = (0..self.terms.len()).map(TermId::from_index);
        let terms = terms
            .filter(|term| self.terms.members(*term).is_some_and(|pods| pods.contains(id.0)))
            .collect();
        let policies = self
            .live_policies()
            .filter(|(_, policy)| policy.subjects.contains(id.0))
            .map(|(ix, _)| ix)
            .collect();
        self.classify(id, terms, policies);
    }

    pub(crate) fn classify(&mut self, id: PodId, terms: Vec<TermId>, policies: Vec<PolicyIx>) {
        let policies = self.policy_set(policies);
        let Some(pod) = self.objects.pod(id) else { return };
        let key = ClassKey {
            terms,
            policies,
            addresses: self.address_key(pod),
            ports: self.classes.intern_ports(pod.ports.clone()),
            host: pod.host_network.then(|| HostKey { node: pod.node.clone() }),
        };
        self.assign(id, key);
    }

    pub(crate) fn key_of(&self, pod: PodId) -> Option<&ClassKey> {
        self.classes.key(self.classes.of(pod)?)
    }

    pub(crate) fn assign(&mut self, pod: PodId, key: ClassKey) {
        if self.key_of(pod) == Some(&key) {
            return;
        }
        self.unassign(pod);
        let (class, is_first) = self.classes.assign(pod, key);
        if is_first {
            self.index_class(class, true);
        }
    }

    pub(crate) fn unassign(&mut self, pod: PodId) {
        if let Some((class, true)) = self.classes.remove(pod) {
            self.index_class(class, false);
        }
    }

    pub(crate) fn address_key(&self, pod: &Pod) -> AddressKey {
        if pod.host_network {
            return AddressKey::Host(pod.addresses.clone());
        }
        if pod.addresses.is_empty() {
            return AddressKey::Unknown;
        }
        let of = |family| {
            let address = pod.addresses.iter().find(|address| Family::of(**address) == family)?;
            Some(self.networks_containing(*address))
        };
        AddressKey::Known { v4: of(Family::V4), v6: of(Family::V6) }
    }

    /// Sorted network terms.
    pub(crate) fn networks_containing(&self, address: IpAddr) -> Vec<TermId> {
        let set = self.networks.atoms.set_of(address);
        let blocks = self.networks.atoms.sets().get(set).into_iter().flatten();
        blocks.filter_map(|block| self.networks.terms.get(*block).copied()).collect()
    }

    /// The profiles of pods that exactly these policies select.
    pub(crate) fn policy_set(&mut self, mut policies: Vec<PolicyIx>) -> PolicySet {
        policies.sort_unstable();
        let set = self.policy_sets.intern(policies);
        if set == self.profiles_of_sets.len() {
            let list = self.policy_sets.values().get(set).map(|list| list.as_ref().clone());
            let list = list.unwrap_or_default();
            let profiles = Direction::BOTH.map(|direction| self.intern_profile(direction, &list));
            self.profiles_of_sets.push(profiles);
        }
        PolicySet(set)
    }

    pub(crate) fn policies_of_set(&self, set: PolicySet) -> &[PolicyIx] {
        self.policy_sets.values().get(set.0).map_or(&[], |list| list.as_slice())
    }

    fn intern_profile(&mut self, direction: Direction, policies: &[PolicyIx]) -> ProfileId {
        let covering: Vec<(PolicyIx, Arc<CompiledPolicy>)> = policies
            .iter()
            .filter_map(|ix| Some((*ix, Arc::clone(self.compiled(*ix)?))))
            .filter(|(_, policy)| policy.rules(direction).is_some())
            .collect();
        let key = (direction, covering.iter().map(|(ix, _)| *ix).collect::<Vec<_>>());
        if let Some(id) = self.profile_ids.get(&key) {
            return *id;
        }
        let borrowed: Vec<(PolicyIx, &CompiledPolicy)> =
            covering.iter().map(|(ix, policy)| (*ix, policy.as_ref())).collect();
        let pod_networks = &self.assumptions.pod_networks;
        let profile = Profile::new(&borrowed, direction, pod_networks, &mut self.shapes);
        let id = ProfileId::from_index(self.profiles.len());
        self.profiles.push(Arc::new(profile));
        self.profile_ids.insert(key, id);
        id
    }

    pub(crate) fn profile_of(
        &self,
        set: PolicySet,
        direction: Direction,
    ) -> Option<(ProfileId, &Arc<Profile>)> {
        let [ingress, egress] = *self.profiles_of_sets.get(set.0)?;
        let id = match direction {
            Direction::Ingress => ingress,
            Direction::Egress => egress,
        };
        Some((id, self.profiles.get(id.index())?))
    }

    pub(crate) fn profile(&self, id: ProfileId) -> Option<&Arc<Profile>> {
        self.profiles.get(id.index())
    }

    pub(crate) fn shape(&self, id: ShapeId) -> Option<&Shape> {
        self.shapes.values().get(id.index()).map(AsRef::as_ref)
    }

    pub(crate) fn n_profiles(&self) -> usize {
        self.profiles.len()
    }

    /// The class of a live pod.
    pub fn class_of(&self, pod: PodId) -> Option<ClassId> {
        self.classes.of(pod)
    }

    /// Things that grew with changes and are no longer in use: a server compiles anew when they
    /// outweigh what is.
    pub fn n_stale(&self) -> usize {
        let live_classes = self.classes.live().count();
        (self.policies.len() - self.by_id.len()) + (self.classes.n_keys() - live_classes)
    }
}
