//! The all-pairs map by class: everything that one class may reach, or that may reach one pod.

use crate::ids::{ClassId, PodId};
use crate::plain::PlainClasses;
use crate::program::Program;
use crate::traffic::{PairTraffic, TrafficCache};
use policy_model::Direction;
use roaring::RoaringBitmap;
use std::collections::BTreeMap;
use std::rc::Rc;

/// Stands for every node but the source's own; no node has this name.
const ELSEWHERE: &str = "";

/// One entry of a row or column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reached {
    pub(crate) class: ClassId,
    /// `None`: all pods of the class.
    pub(crate) pods: Option<RoaringBitmap>,
    pub(crate) traffic: Rc<PairTraffic>,
}

/// Rows and columns of a program in one state.
#[derive(Debug)]
pub struct Rows<'p> {
    pub(crate) program: &'p Program,
    plain: PlainClasses<'p>,
    pub(crate) cache: TrafficCache,
}

impl<'p> Rows<'p> {
    pub(crate) fn new(program: &'p Program) -> Self {
        Self { program, plain: PlainClasses::new(program), cache: TrafficCache::default() }
    }

    /// Everything that pods of a class may reach, ascending by class. `only` limits the destinations.
    pub(crate) fn row(&mut self, source: ClassId, only: Option<&RoaringBitmap>) -> Vec<Reached> {
        let Some(key) = self.program.classes.key(source) else { return Vec::new() };
        let mut candidates = self.program.candidates(Direction::Egress, key);
        if let Some(only) = only {
            candidates &= only;
        }
        let mut row = Vec::new();
        for class in candidates.into_iter().map(ClassId) {
            if key.host.is_some() {
                self.reach_from_host(source, class, &mut row);
            } else {
                let traffic = self.between((source, Direction::Egress), class);
                if !traffic.is_empty() {
                    row.push(Reached { class, pods: None, traffic });
                }
            }
        }
        row
    }

    /// Every class whose pods may reach this pod, ascending.
    pub(crate) fn column(&mut self, to: PodId) -> Vec<Reached> {
        let program = self.program;
        let Some(destination) = program.classes.of(to) else { return Vec::new() };
        let Some(key) = program.classes.key(destination) else { return Vec::new() };
        let mut column = Vec::new();
        for class in program.candidates(Direction::Ingress, key).into_iter().map(ClassId) {
            let from_host = program.classes.key(class).is_some_and(|key| key.host.is_some());
            let traffic = if from_host {
                let first = program.first_pod(class);
                first.map(|from| Rc::new(self.pair(from, to))).unwrap_or_default()
            } else {
                self.between((destination, Direction::Ingress), class)
            };
            if !traffic.is_empty() {
                column.push(Reached { class, pods: None, traffic });
            }
        }
        column
    }

    /// Between pods of two classes, the source not on the host network, so that no node matters. The
    /// first class is the source where its own side is egress.
    fn between(&mut self, hub: (ClassId, Direction), peer: ClassId) -> Rc<PairTraffic> {
        if let Some(traffic) = self.plain.between(hub, peer) {
            return traffic;
        }
        let (source, class) = match hub {
            (hub, Direction::Egress) => (hub, peer),
            (hub, Direction::Ingress) => (peer, hub),
        };
        match (self.program.first_pod(source), self.program.first_pod(class)) {
            (Some(from), Some(to)) => Rc::new(self.pair(from, to)),
            (None, _) | (_, None) => Rc::default(),
        }
    }

    /// Pods on the source's own node answer differently from others, so each group is asked once.
    fn reach_from_host(&mut self, source: ClassId, class: ClassId, row: &mut Vec<Reached>) {
        let program = self.program;
        let Some(from) = program.first_pod(source) else { return };
        let node_of = |id| program.objects.pod(id).and_then(|pod| program.node_of(pod));
        let home = node_of(from);
        let mut groups: BTreeMap<Option<&str>, RoaringBitmap> = BTreeMap::new();
        for to in program.classes.members(class).into_iter().flatten() {
            let node = node_of(PodId(to));
            let elsewhere = home.is_some() && node.is_some() && node != home;
            let group = if elsewhere { Some(ELSEWHERE) } else { node };
            groups.entry(group).or_default().insert(to);
        }
        for pods in groups.into_values() {
            let Some(to) = pods.min().map(PodId) else { continue };
            let traffic = Rc::new(self.pair(from, to));
            if !traffic.is_empty() {
                row.push(Reached { class, pods: Some(pods), traffic });
            }
        }
    }

    /// Between two pods, or two replicas of one: a pod's traffic to itself is not asked about here.
    fn pair(&mut self, from: PodId, to: PodId) -> PairTraffic {
        match (self.program.pod_facts(from), self.program.pod_facts(to)) {
            (Some(source), Some(destination)) => {
                self.program.traffic_between(&source, &destination, &mut self.cache)
            }
            (None, _) | (_, None) => PairTraffic::default(),
        }
    }
}

impl Program {
    pub(crate) fn first_pod(&self, class: ClassId) -> Option<PodId> {
        self.classes.members(class)?.min().map(PodId)
    }
}
