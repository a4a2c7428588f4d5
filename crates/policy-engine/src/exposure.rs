//! Exposure: what a peer is open to, whether or not it is there yet.
//!
//! Three things that a map of pairs does not say at a glance: which namespaces and outside addresses
//! reach a peer at all, through which Services and routes the outside comes in, and what rules would
//! let in that does not exist: any pod with a label that nobody has today may be created tomorrow.

mod entrance;
mod possible;

use crate::ids::PodId;
use crate::map::{ConnectionMap, MapPeer};
use crate::program::Program;
use crate::traffic::{PairTraffic, TrafficCache};
use net_types::AddressSet;
use policy_model::{Direction, LabelSelector, NamespaceScope};
use rustc_hash::FxHashMap;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

pub use entrance::{Entrance, EntranceKind};
pub use possible::{PossibleNamespace, PossiblePeer};

/// What the pods of one peer are open to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exposure {
    /// Its place in [`ConnectionMap::peers`].
    pub peer: usize,
    pub ingress: SideExposure,
    pub egress: SideExposure,
    /// Services and routes that lead the outside to it, whether or not policies let it in.
    pub entrances: Vec<Entrance>,
}

/// One direction of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SideExposure {
    pub n_pods: usize,
    /// Of them, those that some NetworkPolicy isolates.
    pub n_isolated: usize,
    /// Addresses outside the cluster, where something is allowed or undefined.
    pub outside: Vec<(AddressSet, PairTraffic)>,
    /// Namespaces with pods of other peers, by name; the peer's own too.
    pub namespaces: Vec<(Rc<str>, Rc<PairTraffic>)>,
    /// Pods that do not exist and would be let through.
    pub possible: Vec<PossiblePeer>,
    /// Selectors for which every pod that was tried is refused, and not all were tried.
    pub unsettled: Vec<(NamespaceScope, LabelSelector)>,
}

impl ConnectionMap<'_> {
    /// The exposure of every peer, or of those in focus.
    pub fn exposures(&self) -> Vec<Exposure> {
        let program = self.program();
        let mut cache = TrafficCache::default();
        let mut neighbours = Neighbours::collect(self);
        let mut entrances = entrance::by_pod(program);
        let focused = (0..self.peers().len()).filter(|peer| self.is_focused(*peer));
        focused
            .map(|peer| {
                let pods: BTreeSet<PodId> = self.pods(peer).collect();
                let [ingress, egress] = Direction::BOTH.map(|direction| {
                    let (possible, unsettled) =
                        program.possible_peers(&pods, direction, &mut cache);
                    let isolated = pods.iter().filter(|pod| program.is_isolated(**pod, direction));
                    SideExposure {
                        n_pods: pods.len(),
                        n_isolated: isolated.count(),
                        outside: neighbours.take_outside(peer, direction),
                        namespaces: neighbours.take_namespaces(peer, direction),
                        possible,
                        unsettled,
                    }
                });
                let of_pods = pods.iter().filter_map(|pod| entrances.remove(pod)).flatten();
                let entrances: BTreeSet<Entrance> = of_pods.collect();
                Exposure { peer, ingress, egress, entrances: entrances.into_iter().collect() }
            })
            .collect()
    }
}

/// The rows of a map, summed up by namespace.
#[derive(Default)]
struct Neighbours {
    namespaces: BTreeMap<(usize, Direction), BTreeMap<Rc<str>, Rc<PairTraffic>>>,
    outside: BTreeMap<(usize, Direction), Vec<(AddressSet, PairTraffic)>>,
    names: BTreeMap<String, Rc<str>>,
    /// A large map repeats the same traffic.
    shared: FxHashMap<PairTraffic, Rc<PairTraffic>>,
}

impl Neighbours {
    fn collect(map: &ConnectionMap<'_>) -> Self {
        let places: FxHashMap<&MapPeer, usize> =
            map.peers().enumerate().map(|(place, peer)| (peer, place)).collect();
        let mut neighbours = Self::default();
        map.visit(|row| {
            let (from, to) = (places.get(row.from), places.get(row.to));
            neighbours.add(from, row.to, Direction::Egress, row.traffic);
            neighbours.add(to, row.from, Direction::Ingress, row.traffic);
            true
        });
        neighbours
    }

    fn add(
        &mut self,
        peer: Option<&usize>,
        other: &MapPeer,
        direction: Direction,
        traffic: &PairTraffic,
    ) {
        let Some(peer) = peer else { return };
        let namespace = match other {
            MapPeer::Outside(set) => {
                let known = self.outside.entry((*peer, direction)).or_default();
                known.push((set.clone(), traffic.clone()));
                return;
            }
            MapPeer::Namespace(namespace) | MapPeer::Pod { namespace, .. } => namespace,
            MapPeer::Workload(workload) => &workload.namespace,
        };
        let name = match self.names.get(namespace) {
            Some(name) => Rc::clone(name),
            None => {
                let name: Rc<str> = namespace.as_str().into();
                self.names.insert(namespace.clone(), Rc::clone(&name));
                name
            }
        };
        let known = self.namespaces.entry((*peer, direction)).or_default();
        let sum = match known.get(&name) {
            Some(sum) if sum.as_ref() == traffic => return,
            Some(sum) => sum.union(traffic),
            None => traffic.clone(),
        };
        let sum = self.shared.entry(sum).or_insert_with_key(|sum| Rc::new(sum.clone()));
        known.insert(name, Rc::clone(sum));
    }

    fn take_outside(
        &mut self,
        peer: usize,
        direction: Direction,
    ) -> Vec<(AddressSet, PairTraffic)> {
        self.outside.remove(&(peer, direction)).unwrap_or_default()
    }

    fn take_namespaces(
        &mut self,
        peer: usize,
        direction: Direction,
    ) -> Vec<(Rc<str>, Rc<PairTraffic>)> {
        let found = self.namespaces.remove(&(peer, direction));
        found.into_iter().flatten().collect()
    }
}

impl Program {
    /// The possible peers of several pods together.
    fn possible_peers(
        &self,
        pods: &BTreeSet<PodId>,
        direction: Direction,
        cache: &mut TrafficCache,
    ) -> (Vec<PossiblePeer>, Vec<(NamespaceScope, LabelSelector)>) {
        let mut classes = BTreeSet::new();
        let mut found: BTreeSet<PossiblePeer> = BTreeSet::new();
        let mut unsettled = BTreeSet::new();
        for pod in pods {
            if self.class_of(*pod).is_some_and(|class| classes.insert(class)) {
                let of_pod = self.possible_peers_of(*pod, direction, cache);
                found.extend(of_pod.found);
                unsettled.extend(of_pod.unsettled);
            }
        }
        for possible in &found {
            possible.selectors.as_ref().inspect(|settled| {
                unsettled.remove(*settled);
            });
        }
        (found.into_iter().collect(), unsettled.into_iter().collect())
    }
}
