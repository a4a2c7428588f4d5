//! The all-pairs map by class: for one source class, every class that it may reach.
//!
//! Most pairs of a segmented cluster are denied, so nobody asks about them: the classes that the
//! source's rules accept are intersected with the classes whose rules accept the source, and only
//! what is in both is evaluated.

use crate::classes::{AddressKey, ClassKey};
use crate::ids::{ClassId, PodId, TermId};
use crate::profile::Profile;
use crate::program::Program;
use crate::traffic::{PairTraffic, TrafficCache};
use policy_model::Direction;
use roaring::RoaringBitmap;
use std::collections::BTreeMap;

/// Stands for every node but the source's own; no node has this name.
const ELSEWHERE: &str = "";

/// Which classes terms select, and which classes' rules accept terms. Kept up to date as classes come
/// and go.
#[derive(Clone, Debug, Default)]
pub(crate) struct ClassIndex {
    all: RoaringBitmap,
    /// By term: the classes that it selects or whose addresses it contains.
    selected: Vec<RoaringBitmap>,
    /// Classes that networks or nodes peers may match by addresses that are not in their key.
    unsettled: RoaringBitmap,
    ingress: DirectionIndex,
    egress: DirectionIndex,
}

#[derive(Clone, Debug, Default)]
struct DirectionIndex {
    /// By term: the classes whose rules accept it.
    accepting: Vec<RoaringBitmap>,
    /// Classes that may allow peers that no term selects.
    anyone: RoaringBitmap,
    /// Classes whose rules look at addresses or nodes.
    by_address: RoaringBitmap,
}

/// One entry of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reached {
    pub(crate) class: ClassId,
    /// `None`: all pods of the class.
    pub(crate) pods: Option<RoaringBitmap>,
    pub(crate) traffic: PairTraffic,
}

impl ClassIndex {
    fn direction_mut(&mut self, direction: Direction) -> &mut DirectionIndex {
        match direction {
            Direction::Ingress => &mut self.ingress,
            Direction::Egress => &mut self.egress,
        }
    }

    fn direction(&self, direction: Direction) -> &DirectionIndex {
        match direction {
            Direction::Ingress => &self.ingress,
            Direction::Egress => &self.egress,
        }
    }
}

impl DirectionIndex {
    fn mark(&mut self, profile: &Profile, beyond_pods: bool, key: &ClassKey, mark: Mark) {
        if profile.may_allow_anyone() || key.host.is_some() {
            mark.on(&mut self.anyone);
            return;
        }
        if beyond_pods {
            mark.on(&mut self.by_address);
        }
        for term in profile.accepting_terms().chain(profile.network_terms().iter().copied()) {
            mark.on_term(&mut self.accepting, term);
        }
    }
}

/// Adds a class to sets, or takes it out of them.
#[derive(Clone, Copy)]
struct Mark {
    class: ClassId,
    present: bool,
}

impl Mark {
    fn on(self, set: &mut RoaringBitmap) {
        if self.present {
            set.insert(self.class.0);
        } else {
            set.remove(self.class.0);
        }
    }

    fn on_term(self, table: &mut Vec<RoaringBitmap>, term: TermId) {
        if table.len() <= term.index() {
            table.resize_with(term.index() + 1, RoaringBitmap::new);
        }
        if let Some(set) = table.get_mut(term.index()) {
            self.on(set);
        }
    }
}

/// Networks or nodes peers, which match host-network pods and pods whose address is not known.
fn looks_beyond_pods(program: &Program, profile: &Profile) -> bool {
    profile.looks_at_addresses()
        || profile.accepting_terms().any(|term| program.terms.is_nodes(term))
}

fn network_terms(key: &ClassKey) -> impl Iterator<Item = &TermId> {
    let known = match &key.addresses {
        AddressKey::Known { v4, v6 } => [v4.as_deref(), v6.as_deref()],
        AddressKey::Unknown | AddressKey::Host(_) => [None, None],
    };
    known.into_iter().flatten().flatten()
}

impl Program {
    /// A class has its first pod, or has lost its last.
    pub(crate) fn index_class(&mut self, class: ClassId, present: bool) {
        let Some(key) = self.classes.key(class) else { return };
        let mark = Mark { class, present };
        let mut index = std::mem::take(&mut self.index);
        mark.on(&mut index.all);
        for term in key.terms.iter().chain(network_terms(key)) {
            mark.on_term(&mut index.selected, *term);
        }
        if !matches!(key.addresses, AddressKey::Known { .. }) {
            mark.on(&mut index.unsettled);
        }
        for direction in Direction::BOTH {
            if let Some((_, profile)) = self.profile_of(key.policies, direction) {
                let beyond_pods = looks_beyond_pods(self, profile);
                index.direction_mut(direction).mark(profile, beyond_pods, key, mark);
            }
        }
        self.index = index;
    }

    /// Classes worth asking about as peers of a class whose own side is `direction`: every other
    /// class is denied on one side.
    fn candidates(&self, direction: Direction, key: &ClassKey) -> RoaringBitmap {
        let index = &self.index;
        // Traffic from a node to its own pods needs no rule.
        let is_exempt = key.host.is_some() && direction == Direction::Egress;
        if is_exempt {
            return index.all.clone();
        }
        let (mine, theirs) = match direction {
            Direction::Egress => (Direction::Egress, index.direction(Direction::Ingress)),
            Direction::Ingress => (Direction::Ingress, index.direction(Direction::Egress)),
        };
        let mut accept_me = theirs.anyone.clone();
        for term in key.terms.iter().chain(network_terms(key)) {
            if let Some(classes) = theirs.accepting.get(term.index()) {
                accept_me |= classes;
            }
        }
        if !matches!(key.addresses, AddressKey::Known { .. }) {
            accept_me |= &theirs.by_address;
        }
        let Some((_, profile)) = self.profile_of(key.policies, mine) else { return accept_me };
        if profile.may_allow_anyone() || key.host.is_some() {
            return accept_me;
        }
        let mut accepted = RoaringBitmap::new();
        for term in profile.accepting_terms().chain(profile.network_terms().iter().copied()) {
            if let Some(classes) = index.selected.get(term.index()) {
                accepted |= classes;
            }
        }
        if looks_beyond_pods(self, profile) || direction == Direction::Ingress {
            accepted |= &index.unsettled;
        }
        accepted & accept_me
    }

    /// Everything that pods of a class may reach, ascending by class. `only` limits the destinations.
    pub(crate) fn row(
        &self,
        source: ClassId,
        only: Option<&RoaringBitmap>,
        cache: &mut TrafficCache,
    ) -> Vec<Reached> {
        let Some(key) = self.classes.key(source) else { return Vec::new() };
        let mut candidates = self.candidates(Direction::Egress, key);
        if let Some(only) = only {
            candidates &= only;
        }
        let mut row = Vec::new();
        for class in candidates.into_iter().map(ClassId) {
            if key.host.is_some() {
                self.reach_from_host(source, class, cache, &mut row);
            } else if let (Some(from), Some(to)) = (self.first_pod(source), self.first_pod(class)) {
                let traffic = self.pair(from, to, cache);
                if !traffic.is_empty() {
                    row.push(Reached { class, pods: None, traffic });
                }
            }
        }
        row
    }

    /// Every class whose pods may reach this pod, ascending.
    pub(crate) fn column(&self, to: PodId, cache: &mut TrafficCache) -> Vec<Reached> {
        let Some(key) = self.classes.of(to).and_then(|class| self.classes.key(class)) else {
            return Vec::new();
        };
        let sources = self.candidates(Direction::Ingress, key).into_iter().map(ClassId);
        let reached = sources.filter_map(|class| {
            let traffic = self.pair(self.first_pod(class)?, to, cache);
            (!traffic.is_empty()).then_some(Reached { class, pods: None, traffic })
        });
        reached.collect()
    }

    /// Pods on the source's own node answer differently from others, so each group is asked once.
    fn reach_from_host(
        &self,
        source: ClassId,
        class: ClassId,
        cache: &mut TrafficCache,
        row: &mut Vec<Reached>,
    ) {
        let Some(from) = self.first_pod(source) else { return };
        let home = self.objects.pod(from).and_then(|pod| self.node_of(pod));
        let mut groups: BTreeMap<Option<&str>, RoaringBitmap> = BTreeMap::new();
        for to in self.classes.members(class).into_iter().flatten() {
            let node = self.objects.pod(PodId(to)).and_then(|pod| self.node_of(pod));
            let elsewhere = home.is_some() && node.is_some() && node != home;
            let group = if elsewhere { Some(ELSEWHERE) } else { node };
            groups.entry(group).or_default().insert(to);
        }
        for pods in groups.into_values() {
            let Some(to) = pods.min().map(PodId) else { continue };
            let traffic = self.pair(from, to, cache);
            if !traffic.is_empty() {
                row.push(Reached { class, pods: Some(pods), traffic });
            }
        }
    }

    /// Between two pods, or two replicas of one: a pod's traffic to itself is not asked about here.
    fn pair(&self, from: PodId, to: PodId, cache: &mut TrafficCache) -> PairTraffic {
        match (self.pod_facts(from), self.pod_facts(to)) {
            (Some(source), Some(destination)) => self.traffic_between(&source, &destination, cache),
            (None, _) | (_, None) => PairTraffic::default(),
        }
    }

    pub(crate) fn first_pod(&self, class: ClassId) -> Option<PodId> {
        self.classes.members(class)?.min().map(PodId)
    }
}
