//! Connections that changed in the same way, by the same rules, on one line.

use super::words::Causes;
use super::{DiffCounts, DiffReport};
use crate::map::addresses::outside;
use crate::visible;
use net_types::{AddressSet, Traffic};
use policy_engine::{
    Decision, DiffEnd, DiffRow, Effect, MapPeer, Presence, Reason, Reasons, Shift, Verdict,
};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;

/// In the order in which a report shows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Section {
    Loosened,
    Tightened,
    Appeared,
    Disappeared,
    /// Between the pods of one peer that both sides have.
    Within,
}

impl Section {
    pub(super) const ALL: [Self; 5] =
        [Self::Loosened, Self::Tightened, Self::Appeared, Self::Disappeared, Self::Within];

    fn of(row: &DiffRow<'_>, effect: Effect) -> Self {
        match (row.presence, effect) {
            (Presence::Both, _) if row.is_within() => Self::Within,
            (Presence::Both, Effect::Loosened) => Self::Loosened,
            (Presence::Both, Effect::Tightened) => Self::Tightened,
            (Presence::Appeared, _) => Self::Appeared,
            (Presence::Disappeared, _) => Self::Disappeared,
        }
    }
}

/// What connections of one group share.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Ground {
    pub(super) traffic: Traffic,
    pub(super) verdicts: [Verdict; 2],
    /// Before and after; not told for what appeared or disappeared.
    pub(super) causes: [Option<Causes>; 2],
    pub(super) reasons: Reasons,
}

/// Connections with their ground. Names are fit to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) ground: Ground,
    /// From and to.
    pub(super) lines: Vec<(String, String)>,
}

#[derive(Debug)]
pub(super) struct Grouped {
    pub(super) counts: DiffCounts,
    sections: BTreeMap<Section, Vec<Group>>,
    /// Of all undefined parts.
    pub(super) reasons: Reasons,
}

impl Grouped {
    pub(super) fn section(&self, section: Section) -> &[Group] {
        self.sections.get(&section).map_or(&[], Vec::as_slice)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    Peer(usize),
    /// An index into the sets that were seen.
    Outside(usize),
}

/// A part of a list of ends.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Everywhere,
    /// All peers of a namespace.
    Namespace(usize),
    /// Peers of one namespace.
    Peers(Vec<usize>),
    Outside(usize),
    /// The pods of the source.
    Itself,
}

/// The pairs of a section that changed on the same ground.
type GroundedPairs = (Section, Ground, Vec<(End, End)>);

struct Grouping<'r> {
    report: &'r DiffReport<'r>,
    namespaces: Vec<Vec<usize>>,
    namespace_of: Vec<usize>,
    sets: Vec<AddressSet>,
    set_ids: FxHashMap<AddressSet, usize>,
    ids: FxHashMap<(Section, Ground), usize>,
    grounds: Vec<GroundedPairs>,
    counts: DiffCounts,
    reasons: Reasons,
}

pub(super) fn grouped(report: &DiffReport<'_>) -> Grouped {
    let mut grouping = Grouping::new(report);
    report.diff.visit(|row| {
        grouping.add(&row);
        true
    });
    let mut sections: BTreeMap<Section, Vec<Group>> = BTreeMap::new();
    for (section, ground, pairs) in std::mem::take(&mut grouping.grounds) {
        let lines = grouping.lines(&pairs);
        sections.entry(section).or_default().push(Group { ground, lines });
    }
    Grouped { counts: grouping.counts, sections, reasons: grouping.reasons }
}

impl<'r> Grouping<'r> {
    fn new(report: &'r DiffReport<'r>) -> Self {
        let mut namespaces: Vec<Vec<usize>> = Vec::new();
        let mut namespace_of = Vec::new();
        let mut last: Option<&str> = None;
        for (index, peer) in report.diff.peers().iter().enumerate() {
            let namespace = namespace_of_peer(&peer.peer);
            if last != Some(namespace) {
                namespaces.push(Vec::new());
                last = Some(namespace);
            }
            namespace_of.push(namespaces.len() - 1);
            if let Some(peers) = namespaces.last_mut() {
                peers.push(index);
            }
        }
        Self {
            report,
            namespaces,
            namespace_of,
            sets: Vec::new(),
            set_ids: FxHashMap::default(),
            ids: FxHashMap::default(),
            grounds: Vec::new(),
            counts: DiffCounts::of_peers(report.diff),
            reasons: Reasons::NONE,
        }
    }

    fn add(&mut self, row: &DiffRow<'_>) {
        let shifts = Shift::between(row.before, row.after);
        self.counts.add(row, &shifts);
        let ends = (self.end(row.from), self.end(row.to));
        for shift in &shifts {
            let section = Section::of(row, shift.effect());
            let verdicts = [shift.before, shift.after];
            if row.presence != Presence::Both {
                let reasons = row.before.reasons.union(row.after.reasons);
                let reasons = if is_undefined(verdicts) { reasons } else { Reasons::NONE };
                let traffic = shift.traffic.clone();
                let causes = [None, None];
                self.put(section, Ground { traffic, verdicts, causes, reasons }, ends);
                continue;
            }
            for ground in self.report.diff.grounds(row, shift) {
                let decisions = [ground.before, ground.after];
                let reasons = decisions
                    .into_iter()
                    .flatten()
                    .fold(Reasons::NONE, |all, decision| all.union(decision.reasons));
                let causes = decisions.map(|decision| decision.map(causes));
                let ground = Ground { traffic: ground.traffic, verdicts, causes, reasons };
                self.put(section, ground, ends);
            }
        }
    }

    fn put(&mut self, section: Section, ground: Ground, ends: (End, End)) {
        self.reasons = self.reasons.union(ground.reasons);
        let key = (section, ground);
        let id = self.ids.get(&key).copied().unwrap_or_else(|| {
            self.grounds.push((section, key.1.clone(), Vec::new()));
            self.ids.insert(key, self.grounds.len() - 1);
            self.grounds.len() - 1
        });
        if let Some((_, _, pairs)) = self.grounds.get_mut(id) {
            pairs.push(ends);
        }
    }

    fn end(&mut self, end: DiffEnd<'_>) -> End {
        match end {
            DiffEnd::Peer(peer) => End::Peer(peer),
            DiffEnd::Outside(set) => {
                End::Outside(self.set_ids.get(set).copied().unwrap_or_else(|| {
                    self.sets.push(set.clone());
                    self.set_ids.insert(set.clone(), self.sets.len() - 1);
                    self.sets.len() - 1
                }))
            }
        }
    }

    /// Sources with the same destinations share a line.
    fn lines(&self, pairs: &[(End, End)]) -> Vec<(String, String)> {
        let mut of_source: BTreeMap<End, Vec<End>> = BTreeMap::new();
        for (from, to) in pairs {
            of_source.entry(*from).or_default().push(*to);
        }
        let mut together: Vec<(Vec<End>, Vec<Place>)> = Vec::new();
        let mut seen: BTreeMap<Vec<Place>, usize> = BTreeMap::new();
        for (from, to) in of_source {
            let places = self.places(Some(from), &to);
            let at = *seen.entry(places.clone()).or_insert_with(|| {
                together.push((Vec::new(), places));
                together.len() - 1
            });
            if let Some((sources, _)) = together.get_mut(at) {
                sources.push(from);
            }
        }
        let line = |(sources, places): &(Vec<End>, Vec<Place>)| {
            (self.text(&self.places(None, sources)), self.text(places))
        };
        together.iter().map(line).collect()
    }

    /// A namespace is whole also without the source itself, which then stands apart.
    fn places(&self, source: Option<End>, ends: &[End]) -> Vec<Place> {
        let mut by_namespace: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        let (mut itself, mut outside) = (Vec::new(), Vec::new());
        for end in ends {
            match end {
                _ if source == Some(*end) => itself.push(Place::Itself),
                End::Outside(set) => outside.push(Place::Outside(*set)),
                End::Peer(peer) => {
                    let namespace = self.namespace_of.get(*peer).copied().unwrap_or_default();
                    by_namespace.entry(namespace).or_default().push(*peer);
                }
            }
        }
        let is_source = |peer: &usize| source == Some(End::Peer(*peer));
        let others = |peers: &[usize]| peers.iter().filter(|peer| !is_source(peer)).count();
        let n_others: usize = self.namespaces.iter().map(|peers| others(peers)).sum();
        let n_listed: usize = by_namespace.values().map(Vec::len).sum();
        let mut places: Vec<Place> = if n_listed == n_others && n_others > 1 {
            vec![Place::Everywhere]
        } else {
            let place = |(namespace, peers): (usize, Vec<usize>)| {
                let all = self.namespaces.get(namespace).map_or(0, |peers| others(peers));
                let is_whole = peers.len() == all && all > 1;
                if is_whole { Place::Namespace(namespace) } else { Place::Peers(peers) }
            };
            by_namespace.into_iter().map(place).collect()
        };
        places.append(&mut outside);
        places.append(&mut itself);
        places
    }

    fn text(&self, places: &[Place]) -> String {
        let texts: Vec<String> = places.iter().map(|place| self.place_text(place)).collect();
        visible(&texts.join(", ")).into_owned()
    }

    fn place_text(&self, place: &Place) -> String {
        let peer = |index: &usize| self.report.diff.peers().get(*index).map(|peer| &peer.peer);
        match place {
            Place::Everywhere => "everything in the cluster".to_owned(),
            Place::Itself => "its own pods".to_owned(),
            Place::Outside(set) => self.sets.get(*set).map(outside).unwrap_or_default(),
            Place::Namespace(namespace) => {
                let first = self.namespaces.get(*namespace).and_then(|peers| peers.first());
                first.and_then(peer).map_or_else(String::new, |peer| match peer {
                    MapPeer::Namespace(_) | MapPeer::Outside(_) => "every namespace".to_owned(),
                    MapPeer::Workload(_) | MapPeer::Pod { .. } => {
                        format!("{}/*", namespace_of_peer(peer))
                    }
                })
            }
            Place::Peers(peers) => {
                let peers: Vec<&MapPeer> = peers.iter().filter_map(peer).collect();
                let names: Vec<String> = peers.iter().map(|peer| self.name(peer)).collect();
                let namespace = peers.first().map_or("", |peer| namespace_of_peer(peer));
                match names.as_slice() {
                    names if namespace.is_empty() => names.join(", "),
                    [only] => format!("{namespace}/{only}"),
                    names => format!("{namespace}/{{{}}}", names.join(",")),
                }
            }
        }
    }

    /// Without the namespace; with the kind where another workload has the same name.
    fn name(&self, peer: &MapPeer) -> String {
        match peer {
            MapPeer::Namespace(name) => format!("{name}/"),
            MapPeer::Pod { name, .. } => name.clone(),
            MapPeer::Outside(set) => outside(set),
            MapPeer::Workload(workload) => {
                let is_like = |other: &MapPeer| {
                    matches!(other, MapPeer::Workload(other) if other.name == workload.name
                        && other.namespace == workload.namespace)
                };
                let peers = self.report.diff.peers();
                let start = peers.partition_point(|other| other.peer < *peer);
                let around = peers.get(start.saturating_sub(1)..).unwrap_or_default();
                let n_like = around.iter().take(3).filter(|other| is_like(&other.peer)).count();
                if n_like > 1 {
                    format!("{} ({})", workload.name, workload.kind)
                } else {
                    workload.name.clone()
                }
            }
        }
    }
}

fn causes(decision: Decision) -> Causes {
    [decision.egress, decision.ingress].map(|side| (side.verdict, side.cause))
}

fn is_undefined(verdicts: [Verdict; 2]) -> bool {
    verdicts.contains(&Verdict::Undefined)
}

/// `host-network, pod-address`, or nothing.
pub(super) fn reason_codes(reasons: Reasons) -> String {
    let codes: Vec<&str> = reasons.iter().map(Reason::code).collect();
    codes.join(", ")
}

/// Namespaces are peers of the whole cluster and share lines as such.
fn namespace_of_peer(peer: &MapPeer) -> &str {
    match peer {
        MapPeer::Workload(workload) => &workload.namespace,
        MapPeer::Pod { namespace, .. } => namespace,
        MapPeer::Namespace(_) | MapPeer::Outside(_) => "",
    }
}
