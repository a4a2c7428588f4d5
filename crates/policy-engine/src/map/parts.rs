//! A map in parts, so that several may be computed at once by whoever has the threads for it.
//!
//! A part is the rows of a few peers. All parts, visited in order, are the map; a part depends on nothing
//! but its place, so it is the same whoever computes it.

use super::{ConnectionMap, MapPeer, MapRow, RowCache};
use crate::traffic::PairTraffic;
use net_types::AddressSet;
use policy_model::Direction;
use rustc_hash::FxHashMap;
use std::ops::Range;
use std::rc::Rc;

/// Peers whose rows are one part. In a cluster without policies each has a row for every other, and a
/// part should still be small.
const PEERS_IN_PART: usize = 16;

/// The rows of a few peers, with ends and traffic as places in tables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MapPart {
    rows: Vec<PartRow>,
    traffic: Vec<PairTraffic>,
    outside: Vec<MapPeer>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct PartRow {
    from: PartEnd,
    to: PartEnd,
    traffic: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PartEnd {
    /// Among [`ConnectionMap::peers`].
    Peer(u32),
    /// Among [`MapPart::outside`].
    Outside(u32),
}

/// Computes parts of a map, in any order; those that follow each other quicker.
#[derive(Debug)]
pub struct MapParts<'m> {
    map: &'m ConnectionMap<'m>,
    rows: RowCache<'m>,
}

impl ConnectionMap<'_> {
    pub fn parts(&self) -> MapParts<'_> {
        MapParts { map: self, rows: RowCache::new(self.program) }
    }

    /// First what leaves the peers, then what enters them from outside.
    pub fn n_parts(&self) -> usize {
        2 * self.n_parts_of_sources()
    }

    fn n_parts_of_sources(&self) -> usize {
        self.peers.len().div_ceil(PEERS_IN_PART)
    }

    /// Visits the rows of a part in their order; `visit` returns false to stop. Returns whether it was not
    /// stopped.
    pub fn visit_part(&self, part: &MapPart, mut visit: impl FnMut(MapRow<'_>) -> bool) -> bool {
        part.rows.iter().all(|row| {
            let ends = (self.end(part, row.from), self.end(part, row.to));
            match (ends, part.traffic.get(row.traffic as usize)) {
                ((Some((from, from_place)), Some((to, to_place))), Some(traffic)) => {
                    visit(MapRow { from, to, places: [from_place, to_place], traffic })
                }
                // Not reached: all places are of this part.
                _ => true,
            }
        })
    }

    fn end<'m>(&'m self, part: &'m MapPart, end: PartEnd) -> Option<(&'m MapPeer, Option<usize>)> {
        match end {
            PartEnd::Peer(peer) => {
                let place = peer as usize;
                self.peers.get(place).map(|(peer, _)| (peer, Some(place)))
            }
            PartEnd::Outside(set) => part.outside.get(set as usize).map(|set| (set, None)),
        }
    }
}

impl MapParts<'_> {
    /// A part by its place; empty beyond [`ConnectionMap::n_parts`].
    pub fn part(&mut self, place: usize) -> MapPart {
        let n_of_sources = self.map.n_parts_of_sources();
        let mut part = Building::default();
        match place.checked_sub(n_of_sources) {
            None => peers(place).for_each(|source| self.source(source, &mut part)),
            Some(place) => {
                for peer in peers(place) {
                    self.outside(peer, Direction::Ingress, &mut part);
                }
            }
        }
        part.finish()
    }

    fn source(&mut self, source: usize, part: &mut Building) {
        let map = self.map;
        let Some((_, pods)) = map.peers.get(source) else { return };
        let focused = map.is_focused(source);
        let only = map.focus.as_ref().filter(|_| !focused).map(|focus| &focus.classes);
        for (peer, traffic) in map.reached_from(pods, &mut self.rows, only) {
            if peer != source && (focused || map.is_focused(peer)) {
                part.add(PartEnd::of_peer(source), PartEnd::of_peer(peer), traffic);
            }
        }
        self.outside(source, Direction::Egress, part);
    }

    /// Addresses with the same traffic share a row; the pods of a peer add up.
    fn outside(&mut self, peer: usize, direction: Direction, part: &mut Building) {
        let map = self.map;
        let Some((_, pods)) = map.peers.get(peer).filter(|_| map.is_focused(peer)) else { return };
        for (addresses, traffic) in map.pieces(pods, direction, &mut self.rows.rows.cache) {
            if !traffic.is_empty() {
                let outside = part.outside(addresses);
                let (from, to) = match direction {
                    Direction::Egress => (PartEnd::of_peer(peer), outside),
                    Direction::Ingress => (outside, PartEnd::of_peer(peer)),
                };
                part.add(from, to, Rc::new(traffic));
            }
        }
    }
}

/// The peers of the part at a place, perhaps beyond the last.
fn peers(place: usize) -> Range<usize> {
    place * PEERS_IN_PART..(place + 1) * PEERS_IN_PART
}

impl PartEnd {
    fn of_peer(peer: usize) -> Self {
        Self::Peer(place(peer))
    }
}

fn place(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

/// A part while rows are added.
#[derive(Debug, Default)]
struct Building {
    rows: Vec<PartRow>,
    traffic: Vec<Rc<PairTraffic>>,
    /// By address, which is that of one value because `traffic` keeps it.
    places: FxHashMap<*const PairTraffic, u32>,
    outside: Vec<MapPeer>,
}

impl Building {
    fn add(&mut self, from: PartEnd, to: PartEnd, traffic: Rc<PairTraffic>) {
        let next = place(self.traffic.len());
        let traffic = *self.places.entry(Rc::as_ptr(&traffic)).or_insert_with(|| {
            self.traffic.push(traffic);
            next
        });
        self.rows.push(PartRow { from, to, traffic });
    }

    fn outside(&mut self, addresses: AddressSet) -> PartEnd {
        self.outside.push(MapPeer::Outside(addresses));
        PartEnd::Outside(place(self.outside.len() - 1))
    }

    fn finish(self) -> MapPart {
        let traffic = self.traffic.iter().map(|traffic| PairTraffic::clone(traffic)).collect();
        MapPart { rows: self.rows, traffic, outside: self.outside }
    }
}
