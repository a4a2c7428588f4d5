//! Connection maps: who may talk to whom, in every format.
//!
//! Tables, JSON, CSV and Markdown are written while the map is computed, so they take as little memory
//! for a million rows as for ten. Pictures (`dot`, `svg`, `html`) hold all rows; `MOST_PICTURED` says
//! how many peers make sense in one.

pub(crate) mod addresses;
mod collected;
pub mod csv;
pub mod dot;
pub mod exposure;
mod grouped;
pub mod html;
pub mod json;
pub mod markdown;
mod peers;
mod rows;
pub(crate) mod summary;
pub mod svg;
pub mod table;

use finding_model::SourceFiles;
use net_types::AddressSet;
use peers::PeerTable;
use policy_engine::{ConnectionMap, Granularity, MapPeer, MapRow, PodId, Program};
use std::io;
use std::num::NonZero;

/// What all formats render.
#[derive(Debug)]
pub struct MapReport<'a> {
    program: &'a Program,
    map: &'a ConnectionMap<'a>,
    by: Granularity,
    focus: Option<Focus<'a>>,
    files: &'a SourceFiles,
    peers: PeerTable<'a>,
    n_threads: NonZero<usize>,
}

#[derive(Debug)]
struct Focus<'a> {
    text: &'a str,
    /// By peer: whether one of its pods is in focus.
    peers: Vec<bool>,
    outside: AddressSet,
}

impl<'a> MapReport<'a> {
    pub fn new(
        program: &'a Program,
        map: &'a ConnectionMap<'a>,
        by: Granularity,
        files: &'a SourceFiles,
    ) -> Self {
        let peers = PeerTable::new(program, map);
        Self { program, map, by, focus: None, files, peers, n_threads: NonZero::<usize>::MIN }
    }

    /// Has rows computed while others are written; what is written stays the same.
    #[must_use]
    pub fn with_threads(mut self, n_threads: NonZero<usize>) -> Self {
        self.n_threads = n_threads;
        self
    }

    /// Shows only rows with `pods` or any of the `outside` addresses at an end. `text` is the peer as
    /// the person wrote it.
    #[must_use]
    pub fn focused_on(mut self, text: &'a str, pods: &[PodId], outside: AddressSet) -> Self {
        let has_pod = |peer| self.map.pods(peer).any(|pod| pods.contains(&pod));
        let peers = (0..self.n_peers()).map(has_pod).collect();
        self.focus = Some(Focus { text, peers, outside });
        self
    }

    /// Peers inside the cluster.
    pub fn n_peers(&self) -> usize {
        self.peers.len()
    }

    /// Peers inside the cluster that a picture shows: all, or with a focus those that have a row.
    pub fn n_shown_peers(&self) -> usize {
        if self.focus.is_none() {
            return self.n_peers();
        }
        let mut shown = vec![false; self.n_peers()];
        rows::visit(self.map, self.n_threads, |row| {
            if self.is_in_focus(&row) {
                for end in row.places.into_iter().flatten() {
                    if let Some(slot) = shown.get_mut(end) {
                        *slot = true;
                    }
                }
            }
            true
        });
        shown.into_iter().filter(|shown| *shown).count()
    }

    /// Calls `write` for each row until it fails.
    fn rows(&self, mut write: impl FnMut(&MapRow<'_>) -> io::Result<()>) -> io::Result<()> {
        let mut result = Ok(());
        rows::visit(self.map, self.n_threads, |row| {
            if self.is_in_focus(&row) {
                result = write(&row);
            }
            result.is_ok()
        });
        result
    }

    fn is_in_focus(&self, row: &MapRow<'_>) -> bool {
        let mut ends = [row.from, row.to].into_iter().zip(row.places);
        ends.any(|(peer, place)| match peer {
            MapPeer::Outside(set) => self.has_outside_in_focus(set),
            MapPeer::Namespace(_) | MapPeer::Workload(_) | MapPeer::Pod { .. } => {
                place.is_some_and(|place| self.has_peer_in_focus(place))
            }
        })
    }

    fn has_peer_in_focus(&self, peer: usize) -> bool {
        let Some(focus) = &self.focus else { return true };
        focus.peers.get(peer).copied().unwrap_or_default()
    }

    fn has_outside_in_focus(&self, set: &AddressSet) -> bool {
        let Some(focus) = &self.focus else { return true };
        !set.intersection(&focus.outside).is_empty()
    }

    fn focus_text(&self) -> Option<&'a str> {
        self.focus.as_ref().map(|focus| focus.text)
    }

    /// `workload`, as `--by` takes it.
    fn by_text(&self) -> &'static str {
        match self.by {
            Granularity::Pod => "pod",
            Granularity::Workload => "workload",
            Granularity::Namespace => "namespace",
        }
    }
}

#[cfg(test)]
mod tests;
