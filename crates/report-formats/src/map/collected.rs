//! All rows of a map at once, for pictures: ends and traffic as indices into tables.

use super::summary::shown;
use super::{MapReport, addresses};
use crate::visible;
use net_types::AddressSet;
use policy_engine::{MapPeer, PairTraffic};
use rustc_hash::FxHashMap;
use std::io;

/// An end of a row: a peer, or beyond the peers a set of outside addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct EndIx(pub(crate) usize);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CollectedRow {
    pub(crate) from: EndIx,
    pub(crate) to: EndIx,
    /// An index into [`Collected::traffic`].
    pub(crate) traffic: usize,
}

#[derive(Debug)]
pub(crate) struct Collected<'r> {
    pub(crate) report: &'r MapReport<'r>,
    pub(crate) rows: Vec<CollectedRow>,
    pub(crate) traffic: Vec<PairTraffic>,
    /// The distinct sets of outside addresses.
    pub(crate) outside: Vec<AddressSet>,
}

impl<'r> Collected<'r> {
    pub(crate) fn new(report: &'r MapReport<'_>) -> io::Result<Self> {
        let n_peers = report.n_peers();
        let mut collected =
            Self { report, rows: Vec::new(), traffic: Vec::new(), outside: Vec::new() };
        let mut traffic_ids: FxHashMap<PairTraffic, usize> = FxHashMap::default();
        let mut outside_ids: FxHashMap<AddressSet, usize> = FxHashMap::default();
        report.rows(|row| {
            let traffic = *traffic_ids.entry(shown(row.traffic)).or_insert_with_key(|traffic| {
                collected.traffic.push(traffic.clone());
                collected.traffic.len() - 1
            });
            let [from, to] = row.places;
            let mut end = |peer: &MapPeer, place: Option<usize>| match peer {
                MapPeer::Outside(set) => {
                    let known = outside_ids.entry(set.clone()).or_insert_with(|| {
                        collected.outside.push(set.clone());
                        collected.outside.len() - 1
                    });
                    Some(EndIx(n_peers + *known))
                }
                MapPeer::Namespace(_) | MapPeer::Workload(_) | MapPeer::Pod { .. } => {
                    place.map(EndIx)
                }
            };
            if let (Some(from), Some(to)) = (end(row.from, from), end(row.to, to)) {
                collected.rows.push(CollectedRow { from, to, traffic });
            }
            Ok(())
        })?;
        Ok(collected)
    }

    pub(crate) fn n_peers(&self) -> usize {
        self.report.n_peers()
    }

    /// The outside addresses of an end that is not a peer.
    pub(crate) fn addresses(&self, end: EndIx) -> Option<&AddressSet> {
        self.outside.get(end.0.checked_sub(self.n_peers())?)
    }

    /// `shop/web`, or `outside 10.0.0.0/8`; fit to show.
    pub(crate) fn label(&self, end: EndIx) -> String {
        let text = match (self.report.peers.name(end.0), self.addresses(end)) {
            (Some(peer), _) => peer.long(),
            (None, Some(set)) => addresses::outside(set),
            (None, None) => String::new(),
        };
        visible(&text).into_owned()
    }

    /// Ranges of peers that share a namespace, in order. Namespaces as peers are one group.
    pub(crate) fn namespaces(&self) -> Vec<(&'r str, std::ops::Range<usize>)> {
        let mut groups: Vec<(&str, std::ops::Range<usize>)> = Vec::new();
        for (index, peer) in self.report.peers.iter().enumerate() {
            let namespace = if peer.is_namespace() { "" } else { peer.namespace };
            match groups.last_mut() {
                Some((last, range)) if *last == namespace => range.end = index + 1,
                Some(_) | None => groups.push((namespace, index..index + 1)),
            }
        }
        groups
    }
}
