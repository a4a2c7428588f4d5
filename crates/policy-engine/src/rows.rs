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

/// Which classes terms select, and which classes' rules accept terms.
#[derive(Debug)]
pub(crate) struct ClassIndex {
    pub(crate) all: RoaringBitmap,
    /// By term: the classes that it selects or whose addresses it contains.
    selected: Vec<RoaringBitmap>,
    /// By term: the classes that accept it for ingress.
    accepting: Vec<RoaringBitmap>,
    /// Classes whose ingress may allow peers that no term selects.
    anyone: RoaringBitmap,
    /// Classes that networks or nodes peers may match by addresses that are not in their key.
    unsettled: RoaringBitmap,
    /// Classes whose ingress rules look at addresses.
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
    pub(crate) fn new(program: &Program) -> Self {
        let empty = || vec![RoaringBitmap::new(); program.terms.len()];
        let mut index = Self {
            all: RoaringBitmap::new(),
            selected: empty(),
            accepting: empty(),
            anyone: RoaringBitmap::new(),
            unsettled: RoaringBitmap::new(),
            by_address: RoaringBitmap::new(),
        };
        for (class, key, _) in program.classes.live() {
            index.add(program, class, key);
        }
        index
    }

    fn add(&mut self, program: &Program, class: ClassId, key: &ClassKey) {
        self.all.insert(class.0);
        for term in key.terms.iter().chain(network_terms(key)) {
            insert(&mut self.selected, *term, class);
        }
        if !matches!(key.addresses, AddressKey::Known { .. }) {
            self.unsettled.insert(class.0);
        }
        let Some((_, ingress)) = program.profile_of(key.policies, Direction::Ingress) else {
            return;
        };
        if ingress.may_allow_anyone() || key.host.is_some() {
            self.anyone.insert(class.0);
            return;
        }
        if looks_beyond_pods(program, ingress) {
            self.by_address.insert(class.0);
        }
        for term in ingress.accepting_terms().chain(ingress.network_terms().iter().copied()) {
            insert(&mut self.accepting, term, class);
        }
    }

    /// Classes that are worth asking about: every class outside is denied on one side.
    fn candidates(&self, program: &Program, key: &ClassKey) -> RoaringBitmap {
        if key.host.is_some() {
            return self.all.clone();
        }
        let mut accept_source = self.anyone.clone();
        for term in key.terms.iter().chain(network_terms(key)) {
            accept_source |= self.accepting.get(term.index()).unwrap_or(&self.anyone);
        }
        if !matches!(key.addresses, AddressKey::Known { .. }) {
            accept_source |= &self.by_address;
        }
        let Some((_, egress)) = program.profile_of(key.policies, Direction::Egress) else {
            return accept_source;
        };
        if egress.may_allow_anyone() {
            return accept_source;
        }
        let mut accepted = RoaringBitmap::new();
        for term in egress.accepting_terms().chain(egress.network_terms().iter().copied()) {
            accepted |= self.selected.get(term.index()).unwrap_or(&self.anyone);
        }
        if looks_beyond_pods(program, egress) {
            accepted |= &self.unsettled;
        }
        accepted & accept_source
    }
}

fn insert(table: &mut [RoaringBitmap], term: TermId, class: ClassId) {
    if let Some(classes) = table.get_mut(term.index()) {
        classes.insert(class.0);
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
    /// Everything that pods of a class may reach, ascending by class. `only` limits the destinations.
    pub(crate) fn row(
        &self,
        index: &ClassIndex,
        source: ClassId,
        only: Option<&RoaringBitmap>,
        cache: &mut TrafficCache,
    ) -> Vec<Reached> {
        let Some(key) = self.classes.key(source) else { return Vec::new() };
        let mut candidates = index.candidates(self, key);
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
