//! What differs between two programs, by connection: both maps walked side by side.
//!
//! Peers are matched by what they are called, as pods have other ids in another program. One source is
//! held at a time, so memory does not grow with the number of connections. Only ports count, as in a
//! map: protocols without ports are no part of a difference, nor is a changed reason for the same verdict.
//! Unlike a map, a difference also says what changed between the pods of one peer. As equal maps are no
//! difference, such rows are told apart: [`DiffRow::is_within`].

mod grounds;
mod overlay;
mod shift;

pub use grounds::Ground;
pub use shift::{Effect, Shift};

use crate::map::{ConnectionMap, Granularity, MapPeer, RowCache};
use crate::program::Program;
use crate::traffic::PairTraffic;
use net_types::AddressSet;
use overlay::differing_pieces;
use policy_model::{Direction, PodOrigin, WorkloadKind};
use shift::{same_ports, shown};
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::rc::Rc;

/// In which of the two programs something exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Presence {
    Both,
    /// Only in the new one.
    Appeared,
    /// Only in the old one.
    Disappeared,
}

impl Presence {
    /// The same, with old and new exchanged.
    #[must_use]
    pub fn reversed(self) -> Self {
        match self {
            Self::Both => Self::Both,
            Self::Appeared => Self::Disappeared,
            Self::Disappeared => Self::Appeared,
        }
    }

    fn and(self, other: Self) -> Self {
        if self == Self::Both { other } else { self }
    }
}

/// A peer of either program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiffPeer {
    pub peer: MapPeer,
    pub presence: Presence,
    old: Option<usize>,
    new: Option<usize>,
    /// Whether what passes between its own pods means anything: it has more than one, or may have.
    has_inside: bool,
}

/// An end of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DiffEnd<'d> {
    /// An index into [`ConnectionDiff::peers`].
    Peer(usize),
    Outside(&'d AddressSet),
}

/// The verdicts on some ports between two ends differ. `from` equals `to` for the pods of one peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiffRow<'d> {
    pub from: DiffEnd<'d>,
    pub to: DiffEnd<'d>,
    /// Without protocols that have no ports. Empty where an end did not exist.
    pub before: &'d PairTraffic,
    pub after: &'d PairTraffic,
    /// Whether both ends exist in both programs.
    pub presence: Presence,
}

impl DiffRow<'_> {
    /// Whether it is about the pods of one peer among themselves, of which a map has no row.
    pub fn is_within(&self) -> bool {
        self.from == self.to
    }
}

/// A difference that is computed while it is read.
#[derive(Debug)]
pub struct ConnectionDiff<'p> {
    old: &'p Program,
    new: &'p Program,
    old_map: ConnectionMap<'p>,
    new_map: ConnectionMap<'p>,
    peers: Vec<DiffPeer>,
    /// By peer of each map: its place in `peers`.
    of_old: Vec<usize>,
    of_new: Vec<usize>,
}

/// What is remembered of both programs while rows are computed.
struct Caches<'p> {
    old: RowCache<'p>,
    new: RowCache<'p>,
}

impl<'p> ConnectionDiff<'p> {
    /// Both programs are to be compiled under the same assumptions.
    pub fn new(old: &'p Program, new: &'p Program, by: Granularity) -> Self {
        let (old_map, new_map) = (old.map(by), new.map(by));
        let mut aligned: BTreeMap<&MapPeer, [Option<usize>; 2]> = BTreeMap::new();
        for (index, peer) in old_map.peers().enumerate() {
            aligned.entry(peer).or_default()[0] = Some(index);
        }
        for (index, peer) in new_map.peers().enumerate() {
            aligned.entry(peer).or_default()[1] = Some(index);
        }
        let mut peers = Vec::with_capacity(aligned.len());
        let (mut of_old, mut of_new) = (Vec::new(), Vec::new());
        for (peer, [in_old, in_new]) in aligned {
            of_old.extend(in_old.map(|_| peers.len()));
            of_new.extend(in_new.map(|_| peers.len()));
            let has_inside = in_old.is_some_and(|index| has_inside(old, &old_map, index))
                || in_new.is_some_and(|index| has_inside(new, &new_map, index));
            let presence = match (in_old, in_new) {
                (None, _) => Presence::Appeared,
                (_, None) => Presence::Disappeared,
                (Some(_), Some(_)) => Presence::Both,
            };
            peers.push(DiffPeer {
                peer: peer.clone(),
                presence,
                old: in_old,
                new: in_new,
                has_inside,
            });
        }
        Self { old, new, old_map, new_map, peers, of_old, of_new }
    }

    pub fn old(&self) -> &'p Program {
        self.old
    }

    pub fn new_program(&self) -> &'p Program {
        self.new
    }

    /// The peers of both programs inside the cluster, in the order of rows.
    pub fn peers(&self) -> &[DiffPeer] {
        &self.peers
    }

    /// Whether both maps are equal. A peer that appeared or disappeared is a difference by itself, what
    /// changed within a peer is none.
    pub fn is_empty(&self) -> bool {
        let mut is_empty = self.peers.iter().all(|peer| peer.presence == Presence::Both);
        if is_empty {
            self.visit(|row| {
                is_empty = row.is_within();
                is_empty
            });
        }
        is_empty
    }

    /// Visits every row, by source, then destination, with the outside last; `visit` returns false to
    /// stop.
    pub fn visit(&self, mut visit: impl FnMut(DiffRow<'_>) -> bool) {
        let mut caches = Caches { old: RowCache::new(self.old), new: RowCache::new(self.new) };
        for source in 0..self.peers.len() {
            let goes_on = self.visit_inside(source, &mut caches, &mut visit)
                && self.visit_outside(source, Direction::Egress, &mut caches, &mut visit);
            if !goes_on {
                return;
            }
        }
        for destination in 0..self.peers.len() {
            if !self.visit_outside(destination, Direction::Ingress, &mut caches, &mut visit) {
                return;
            }
        }
    }

    fn visit_inside(
        &self,
        source: usize,
        caches: &mut Caches<'p>,
        visit: &mut impl FnMut(DiffRow<'_>) -> bool,
    ) -> bool {
        let Some(from) = self.peers.get(source) else { return true };
        let row = |index: Option<usize>, map: &ConnectionMap<'p>, cache: &mut RowCache<'p>| {
            index.map(|index| map.row_of(index, cache)).unwrap_or_default()
        };
        let old = row(from.old, &self.old_map, &mut caches.old);
        let new = row(from.new, &self.new_map, &mut caches.new);
        let nothing = Rc::new(PairTraffic::default());
        let in_old =
            old.iter().filter_map(|(peer, traffic)| Some((*self.of_old.get(*peer)?, traffic)));
        let in_new =
            new.iter().filter_map(|(peer, traffic)| Some((*self.of_new.get(*peer)?, traffic)));
        for (destination, before, after) in joined(in_old, in_new) {
            let (before, after) = (before.unwrap_or(&nothing), after.unwrap_or(&nothing));
            let Some(to) = self.peers.get(destination) else { continue };
            let is_asked = destination != source || from.has_inside;
            if !is_asked || same_ports(before, after) {
                continue;
            }
            let (before, after) = (&shown(before), &shown(after));
            let presence = from.presence.and(to.presence);
            let (from, to) = (DiffEnd::Peer(source), DiffEnd::Peer(destination));
            if !visit(DiffRow { from, to, before, after, presence }) {
                return false;
            }
        }
        true
    }

    fn visit_outside(
        &self,
        index: usize,
        direction: Direction,
        caches: &mut Caches<'p>,
        visit: &mut impl FnMut(DiffRow<'_>) -> bool,
    ) -> bool {
        let Some(peer) = self.peers.get(index) else { return true };
        let pieces = |index: Option<usize>, map: &ConnectionMap<'p>, cache: &mut RowCache<'p>| {
            index.map(|index| map.outside_of(index, direction, cache)).unwrap_or_default()
        };
        let old = pieces(peer.old, &self.old_map, &mut caches.old);
        let new = pieces(peer.new, &self.new_map, &mut caches.new);
        for (addresses, before, after) in &differing_pieces(old, new) {
            let (inside, outside) = (DiffEnd::Peer(index), DiffEnd::Outside(addresses));
            let (from, to) = match direction {
                Direction::Egress => (inside, outside),
                Direction::Ingress => (outside, inside),
            };
            if !visit(DiffRow { from, to, before, after, presence: peer.presence }) {
                return false;
            }
        }
        true
    }
}

/// A live pod's traffic to itself needs no permission; replicas and other pods of a peer do.
fn has_inside(program: &Program, map: &ConnectionMap<'_>, peer: usize) -> bool {
    let mut pods = map.pods(peer).filter_map(|id| program.pod(id));
    let Some(first) = pods.next() else { return false };
    let is_alone = pods.next().is_none();
    let is_pod = map.peers().nth(peer).is_some_and(|peer| matches!(peer, MapPeer::Pod { .. }));
    !is_alone
        || first.origin == PodOrigin::Template
        || (!is_pod && first.workload.kind != WorkloadKind::Pod)
}

/// Two ascending sequences as one.
fn joined<'t, T>(
    old: impl Iterator<Item = (usize, &'t T)>,
    new: impl Iterator<Item = (usize, &'t T)>,
) -> impl Iterator<Item = (usize, Option<&'t T>, Option<&'t T>)>
where
    T: 't,
{
    let (mut old, mut new) = (old.peekable(), new.peekable());
    std::iter::from_fn(move || {
        let order = match (old.peek(), new.peek()) {
            (None, None) => return None,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some((a, _)), Some((b, _))) => a.cmp(b),
        };
        let before = if order.is_le() { old.next() } else { None };
        let after = if order.is_ge() { new.next() } else { None };
        let key = before.or(after)?.0;
        Some((key, before.map(|(_, value)| value), after.map(|(_, value)| value)))
    })
}
