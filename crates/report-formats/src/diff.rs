//! Differences of two programs by connection: loosened and tightened apart, with the rules responsible.
//!
//! JSON is written while the difference is computed. Text and Markdown put connections together that
//! changed in the same way for the same reason (`grouped.rs`), for which they remember a few numbers of
//! each connection.

mod grouped;
pub mod json;
pub mod markdown;
pub mod text;
mod words;

use crate::map::summary::assumed;
use finding_model::SourceFiles;
use policy_engine::{ConnectionDiff, DiffRow, Effect, Granularity, MapPeer, Presence, Shift};
use std::collections::BTreeSet;

/// What all formats render.
#[derive(Debug)]
pub struct DiffReport<'a> {
    pub diff: &'a ConnectionDiff<'a>,
    pub by: Granularity,
    pub old_files: &'a SourceFiles,
    pub new_files: &'a SourceFiles,
    /// What was compared, as the person wrote it.
    pub old_name: &'a str,
    pub new_name: &'a str,
}

/// How much differs. Connections of peers that appeared or disappeared count apart, and so do peers that
/// changed only within, between their own pods: of those a map has no row, so they are no difference of maps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiffCounts {
    /// Connections of which a port was loosened.
    pub loosened: usize,
    pub tightened: usize,
    /// Peers, and connections that one of them has.
    pub appeared: usize,
    pub appeared_connections: usize,
    pub disappeared: usize,
    pub disappeared_connections: usize,
    /// Peers of both sides between whose own pods a port was loosened or tightened.
    pub within: usize,
}

impl DiffCounts {
    /// No connection yet.
    fn of_peers(diff: &ConnectionDiff<'_>) -> Self {
        let count = |presence| diff.peers().iter().filter(|peer| peer.presence == presence).count();
        Self {
            appeared: count(Presence::Appeared),
            disappeared: count(Presence::Disappeared),
            ..Self::default()
        }
    }

    fn add(&mut self, row: &DiffRow<'_>, shifts: &[Shift]) {
        if row.is_within() {
            self.within += usize::from(row.presence == Presence::Both);
            return;
        }
        let has = |effect| usize::from(shifts.iter().any(|shift| shift.effect() == effect));
        match row.presence {
            Presence::Both => {
                self.loosened += has(Effect::Loosened);
                self.tightened += has(Effect::Tightened);
            }
            Presence::Appeared => self.appeared_connections += 1,
            Presence::Disappeared => self.disappeared_connections += 1,
        }
    }

    /// Whether the maps are equal.
    pub fn is_equal(&self) -> bool {
        *self == Self { within: self.within, ..Self::default() }
    }
}

impl DiffReport<'_> {
    fn noun(&self) -> &'static str {
        match self.by {
            Granularity::Pod => "pod",
            Granularity::Workload => "workload",
            Granularity::Namespace => "namespace",
        }
    }

    fn assumed(&self) -> String {
        assumed(self.diff.new_program().assumptions())
    }

    /// `left out because of errors: NetworkPolicy shop/web; …`, if anything was.
    fn caveat(&self) -> Option<String> {
        let programs = [self.diff.old(), self.diff.new_program()];
        let objects: BTreeSet<&str> = programs
            .into_iter()
            .flat_map(|program| program.left_out())
            .map(|left_out| left_out.object.as_str())
            .collect();
        let objects: Vec<&str> = objects.into_iter().collect();
        (!objects.is_empty()).then(|| {
            let objects = objects.join(", ");
            format!(
                "left out because of errors: {objects}; what they would have changed is not known"
            )
        })
    }
}

/// `shop/web (Deployment)`; a namespace is `shop/`.
fn peer_title(peer: &MapPeer) -> String {
    match peer {
        MapPeer::Namespace(name) => format!("{name}/"),
        MapPeer::Workload(workload) => format!("{workload} ({})", workload.kind),
        MapPeer::Pod { namespace, name, .. } => format!("{namespace}/{name}"),
        MapPeer::Outside(addresses) => crate::map::addresses::outside(addresses),
    }
}
