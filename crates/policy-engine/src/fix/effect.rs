//! What a change opens and closes, by workload.

use super::Wanted;
use crate::delta::{Delta, OutsideChange, PairChange};
use crate::ids::PodId;
use crate::map::MapPeer;
use crate::program::Program;
use crate::traffic::PairTraffic;
use net_types::{AddressSet, Traffic};
use policy_model::{Direction, PodOrigin};
use std::collections::{BTreeMap, BTreeSet};

/// Traffic between two workloads, or a workload and addresses outside, that a change allows or stops.
/// As in maps, protocols without ports are not considered.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Opening {
    pub from: MapPeer,
    pub to: MapPeer,
    pub traffic: Traffic,
    /// Otherwise it was surely denied and now depends on what the input or the API leave open, or
    /// for what is closed, the other way round.
    pub is_certain: bool,
}

/// What changes so far, of pairs that changed.
#[derive(Debug, Default)]
pub(super) struct Effect {
    /// Between workloads.
    pairs: BTreeMap<(MapPeer, MapPeer), Shift>,
    /// Between a workload and addresses that a policy tells apart.
    outside: BTreeMap<(MapPeer, Direction), Vec<(AddressSet, Shift)>>,
}

/// What became more, and what less.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Shift {
    opened: Traffic,
    maybe_opened: Traffic,
    closed: Traffic,
    maybe_closed: Traffic,
}

impl Shift {
    fn of(before: &PairTraffic, after: &PairTraffic) -> Self {
        // A delta does not know of pairs that exchange only protocols without ports, so what it says of
        // these protocols may be no change at all.
        let sure = |traffic: &PairTraffic| Traffic { other: false, ..traffic.allowed.clone() };
        let possible = |traffic: &PairTraffic| Traffic {
            other: false,
            ..traffic.allowed.union(&traffic.undefined)
        };
        let (surely_was, surely_is) = (sure(before), sure(after));
        let (was, is) = (possible(before), possible(after));
        let opened = surely_is.difference(&surely_was);
        let closed = was.difference(&is);
        Self {
            maybe_opened: is.difference(&was).difference(&opened),
            maybe_closed: surely_was.difference(&surely_is).difference(&closed),
            opened,
            closed,
        }
    }

    fn union(&self, other: &Self) -> Self {
        Self {
            opened: self.opened.union(&other.opened),
            maybe_opened: self.maybe_opened.union(&other.maybe_opened),
            closed: self.closed.union(&other.closed),
            maybe_closed: self.maybe_closed.union(&other.maybe_closed),
        }
    }
}

impl Effect {
    pub(super) fn add(&mut self, program: &Program, delta: &Delta) {
        for PairChange { from, to, before, after } in &delta.pairs {
            let shift = Shift::of(before, after);
            for pair in workload_pairs(program, from, to) {
                let known = self.pairs.entry(pair).or_default();
                *known = known.union(&shift);
            }
        }
        for OutsideChange { pods, direction, addresses, before, after } in &delta.outside {
            let shift = Shift::of(before, after);
            for workload in workloads(program, pods).into_keys() {
                let pieces = self.outside.entry((workload, *direction)).or_default();
                pieces.push((addresses.clone(), shift.clone()));
            }
        }
    }

    /// What opens and what closes, without what was wanted.
    pub(super) fn beyond(self, program: &Program, wanted: &Wanted) -> (Vec<Opening>, Vec<Opening>) {
        let (mut opens, mut closes) = (Vec::new(), Vec::new());
        let mut add = |from: &MapPeer, to: &MapPeer, shift: Shift| {
            let push = |list: &mut Vec<Opening>, traffic: Traffic, is_certain| {
                if !traffic.is_empty() {
                    let (from, to) = (from.clone(), to.clone());
                    list.push(Opening { from, to, traffic, is_certain });
                }
            };
            let Shift { opened, maybe_opened, closed, maybe_closed } = shift;
            push(&mut opens, opened, true);
            push(&mut opens, maybe_opened, false);
            push(&mut closes, closed, true);
            push(&mut closes, maybe_closed, false);
        };
        let [from, to] =
            [&wanted.question.from, &wanted.question.to].map(|end| program.workload_of(end));
        for ((source, destination), shift) in self.pairs {
            let asked = from.as_ref() == Some(&source) && to.as_ref() == Some(&destination);
            let rest = if asked { without(&shift, &wanted.traffic) } else { shift };
            add(&source, &destination, rest);
        }
        for ((workload, direction), pieces) in self.outside {
            let (subject, peer) = match direction {
                Direction::Egress => (&from, &to),
                Direction::Ingress => (&to, &from),
            };
            let asked = subject.as_ref() == Some(&workload) && peer.is_none();
            for (addresses, shift) in pieces {
                let inside = if asked {
                    addresses.intersection(&wanted.addresses)
                } else {
                    AddressSet::EMPTY
                };
                let beyond = addresses.difference(&inside);
                let parts = [(beyond, shift.clone()), (inside, without(&shift, &wanted.traffic))];
                for (part, shift) in parts.into_iter().filter(|(part, _)| !part.is_empty()) {
                    let outside = MapPeer::Outside(part);
                    match direction {
                        Direction::Egress => add(&workload, &outside, shift),
                        Direction::Ingress => add(&outside, &workload, shift),
                    }
                }
            }
        }
        opens.sort();
        opens.dedup();
        closes.sort();
        closes.dedup();
        (opens, closes)
    }
}

fn without(shift: &Shift, wanted: &Traffic) -> Shift {
    Shift {
        opened: shift.opened.difference(wanted),
        maybe_opened: shift.maybe_opened.difference(wanted),
        ..shift.clone()
    }
}

/// The workloads of pods; of each, one of its pods, or `None` where it has several among them.
fn workloads(program: &Program, pods: &[PodId]) -> BTreeMap<MapPeer, Option<PodId>> {
    let mut found: BTreeMap<MapPeer, Option<PodId>> = BTreeMap::new();
    for id in pods {
        let Some(pod) = program.pod(*id) else { continue };
        let only = found.entry(MapPeer::Workload(pod.workload.clone())).or_insert(Some(*id));
        if *only != Some(*id) {
            *only = None;
        }
    }
    found
}

/// Pairs of workloads with at least one pair of different pods; a template stands for several pods.
fn workload_pairs(program: &Program, from: &[PodId], to: &[PodId]) -> BTreeSet<(MapPeer, MapPeer)> {
    let (sources, destinations) = (workloads(program, from), workloads(program, to));
    let mut pairs = BTreeSet::new();
    for (source, one) in &sources {
        for (destination, other) in &destinations {
            let same_pod = one.is_some() && one == other;
            let is_live =
                one.and_then(|id| program.pod(id)).is_some_and(|pod| pod.origin == PodOrigin::Live);
            if !(same_pod && is_live) {
                pairs.insert((source.clone(), destination.clone()));
            }
        }
    }
    pairs
}
