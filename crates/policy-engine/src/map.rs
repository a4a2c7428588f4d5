//! The connection map: who may talk to whom, by pod, workload or namespace, one source at a time.

use crate::ids::{ClassId, PodId};
use crate::program::Program;
use crate::rows::{Reached, Rows};
use crate::traffic::{PairTraffic, TrafficCache};
use net_types::AddressSet;
use policy_model::{Direction, WorkloadRef};
use roaring::RoaringBitmap;
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use std::rc::Rc;

/// What one line of a map stands for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Granularity {
    Pod,
    #[default]
    Workload,
    Namespace,
}

/// An end of a map's row, ordered as rows are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MapPeer {
    Namespace(String),
    Workload(WorkloadRef),
    /// A live pod, or a workload's template under the workload's name and kind.
    Pod {
        namespace: String,
        name: String,
        workload: WorkloadRef,
    },
    /// Addresses outside the cluster.
    Outside(AddressSet),
}

/// Something is allowed or undefined between two different peers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapRow<'m> {
    pub from: &'m MapPeer,
    pub to: &'m MapPeer,
    pub traffic: &'m PairTraffic,
}

/// A map that is computed while it is read: memory does not grow with the number of rows.
#[derive(Debug)]
pub struct ConnectionMap<'p> {
    program: &'p Program,
    peers: Vec<(MapPeer, RoaringBitmap)>,
    /// By class: the peers that have a pod of it, ascending.
    peers_of_class: FxHashMap<ClassId, Vec<usize>>,
    peer_of_pod: FxHashMap<u32, usize>,
    focus: Option<Focus>,
}

#[derive(Debug)]
struct Focus {
    peers: Vec<bool>,
    classes: RoaringBitmap,
}

impl Program {
    pub fn map(&self, by: Granularity) -> ConnectionMap<'_> {
        let mut groups: BTreeMap<MapPeer, RoaringBitmap> = BTreeMap::new();
        for (id, pod) in self.objects.pods() {
            let peer = match by {
                Granularity::Namespace => MapPeer::Namespace(pod.namespace.clone()),
                Granularity::Workload => MapPeer::Workload(pod.workload.clone()),
                Granularity::Pod => MapPeer::Pod {
                    namespace: pod.namespace.clone(),
                    name: pod.name.clone(),
                    workload: pod.workload.clone(),
                },
            };
            groups.entry(peer).or_default().insert(id.0);
        }
        let peers: Vec<(MapPeer, RoaringBitmap)> = groups.into_iter().collect();
        let mut peers_of_class: FxHashMap<ClassId, Vec<usize>> = FxHashMap::default();
        let mut peer_of_pod = FxHashMap::default();
        for (index, (_, pods)) in peers.iter().enumerate() {
            for pod in pods {
                peer_of_pod.insert(pod, index);
                let Some(class) = self.classes.of(PodId(pod)) else { continue };
                let known = peers_of_class.entry(class).or_default();
                if known.last() != Some(&index) {
                    known.push(index);
                }
            }
        }
        ConnectionMap { program: self, peers, peers_of_class, peer_of_pod, focus: None }
    }
}

impl ConnectionMap<'_> {
    /// Only rows with one of these pods at an end.
    #[must_use]
    pub fn focused_on(mut self, pods: impl IntoIterator<Item = PodId>) -> Self {
        let mut peers = vec![false; self.peers.len()];
        let mut classes = RoaringBitmap::new();
        for pod in pods {
            if let Some(slot) = self.peer_of_pod.get(&pod.0).and_then(|peer| peers.get_mut(*peer)) {
                *slot = true;
            }
        }
        for ((_, pods), _) in self.peers.iter().zip(&peers).filter(|(_, focused)| **focused) {
            let of_pods = pods.iter().filter_map(|pod| self.program.classes.of(PodId(pod)));
            classes.extend(of_pods.map(|class| class.0));
        }
        self.focus = Some(Focus { peers, classes });
        self
    }

    /// All peers inside the cluster, in the order of rows, also those without a row.
    pub fn peers(&self) -> impl ExactSizeIterator<Item = &MapPeer> {
        self.peers.iter().map(|(peer, _)| peer)
    }

    /// The pods of a peer.
    pub fn pods(&self, peer: usize) -> impl Iterator<Item = PodId> + '_ {
        self.peers.get(peer).into_iter().flat_map(|(_, pods)| pods.iter().map(PodId))
    }

    /// Visits every row, by source, then destination, with the outside last; `visit` returns false to
    /// stop. The order depends on nothing but names.
    pub fn visit(&self, mut visit: impl FnMut(MapRow<'_>) -> bool) {
        let mut rows = RowCache::new(self.program);
        for source in 0..self.peers.len() {
            if !self.visit_from(source, &mut rows, &mut visit) {
                return;
            }
        }
        self.visit_from_outside(&mut rows.rows.cache, &mut visit);
    }

    pub(crate) fn program(&self) -> &Program {
        self.program
    }

    pub(crate) fn is_focused(&self, peer: usize) -> bool {
        self.focus.as_ref().is_none_or(|f| f.peers.get(peer).copied().unwrap_or_default())
    }

    fn visit_from(
        &self,
        source: usize,
        rows: &mut RowCache<'_>,
        visit: &mut impl FnMut(MapRow<'_>) -> bool,
    ) -> bool {
        let Some((from, pods)) = self.peers.get(source) else { return true };
        let focused = self.is_focused(source);
        let only = self.focus.as_ref().filter(|_| !focused).map(|focus| &focus.classes);
        let mut reached = self.reached_from(pods, rows, only);
        reached.remove(&source);
        for (peer, traffic) in &reached {
            if !focused && !self.is_focused(*peer) {
                continue;
            }
            let Some((to, _)) = self.peers.get(*peer) else { continue };
            if !visit(MapRow { from, to, traffic }) {
                return false;
            }
        }
        !focused || self.visit_outside((from, pods), Direction::Egress, &mut rows.rows.cache, visit)
    }

    /// By peer: what the pods may open to it, the peer itself among them.
    fn reached_from(
        &self,
        pods: &RoaringBitmap,
        rows: &mut RowCache<'_>,
        only: Option<&RoaringBitmap>,
    ) -> BTreeMap<usize, Rc<PairTraffic>> {
        let mut reached = BTreeMap::new();
        for class in self.classes_of(pods) {
            let row = rows.row(self, class, only);
            self.expand(&row, &mut reached);
        }
        reached
    }

    /// The row of one peer, also towards itself, regardless of any focus.
    pub(crate) fn row_of(
        &self,
        peer: usize,
        rows: &mut RowCache<'_>,
    ) -> BTreeMap<usize, Rc<PairTraffic>> {
        let pods = self.peers.get(peer).map(|(_, pods)| pods);
        pods.map(|pods| self.reached_from(pods, rows, None)).unwrap_or_default()
    }

    /// What one peer may exchange with addresses outside: a partition of all addresses.
    pub(crate) fn outside_of(
        &self,
        peer: usize,
        direction: Direction,
        rows: &mut RowCache<'_>,
    ) -> Vec<(AddressSet, PairTraffic)> {
        let pods = self.peers.get(peer).map(|(_, pods)| pods);
        pods.map(|pods| self.pieces(pods, direction, &mut rows.rows.cache)).unwrap_or_default()
    }

    fn classes_of(&self, pods: &RoaringBitmap) -> Vec<ClassId> {
        let mut classes: Vec<ClassId> =
            pods.iter().filter_map(|pod| self.program.classes.of(PodId(pod))).collect();
        classes.sort_unstable();
        classes.dedup();
        classes
    }

    fn expand(&self, row: &[Reached], into: &mut BTreeMap<usize, Rc<PairTraffic>>) {
        let mut add = |peer: usize, traffic: &Rc<PairTraffic>| match into.get_mut(&peer) {
            Some(known) if known == traffic => {}
            Some(known) => *known = Rc::new(known.union(traffic)),
            None => {
                into.insert(peer, Rc::clone(traffic));
            }
        };
        for Reached { class, pods, traffic } in row {
            match pods {
                None => {
                    let peers = self.peers_of_class.get(class).into_iter().flatten();
                    peers.for_each(|peer| add(*peer, traffic));
                }
                Some(pods) => {
                    let peers = pods.iter().filter_map(|pod| self.peer_of_pod.get(&pod));
                    peers.for_each(|peer| add(*peer, traffic));
                }
            }
        }
    }

    fn visit_from_outside(
        &self,
        cache: &mut TrafficCache,
        visit: &mut impl FnMut(MapRow<'_>) -> bool,
    ) {
        for (peer, entry) in self.peers.iter().enumerate() {
            let (to, pods) = entry;
            if self.is_focused(peer)
                && !self.visit_outside((to, pods), Direction::Ingress, cache, visit)
            {
                return;
            }
        }
    }

    fn pieces(
        &self,
        pods: &RoaringBitmap,
        direction: Direction,
        cache: &mut TrafficCache,
    ) -> Vec<(AddressSet, PairTraffic)> {
        let mut pieces: Vec<(AddressSet, PairTraffic)> = Vec::new();
        for class in self.classes_of(pods) {
            let Some(pod) = self.program.first_pod(class) else { continue };
            let of_class = self.program.outside_traffic(pod, direction, cache);
            pieces = if pieces.is_empty() { of_class } else { overlay(&pieces, &of_class) };
        }
        pieces
    }

    /// Addresses with the same traffic share a row; the pods of a peer add up.
    fn visit_outside(
        &self,
        (peer, pods): (&MapPeer, &RoaringBitmap),
        direction: Direction,
        cache: &mut TrafficCache,
        visit: &mut impl FnMut(MapRow<'_>) -> bool,
    ) -> bool {
        let pieces = self.pieces(pods, direction, cache);
        for (addresses, traffic) in pieces.iter().filter(|(_, traffic)| !traffic.is_empty()) {
            let outside = MapPeer::Outside(addresses.clone());
            let row = match direction {
                Direction::Egress => MapRow { from: peer, to: &outside, traffic },
                Direction::Ingress => MapRow { from: &outside, to: peer, traffic },
            };
            if !visit(row) {
                return false;
            }
        }
        true
    }
}

/// Two partitions of the address space, cut where either is; what either allows is allowed.
fn overlay(
    a: &[(AddressSet, PairTraffic)],
    b: &[(AddressSet, PairTraffic)],
) -> Vec<(AddressSet, PairTraffic)> {
    let mut pieces: BTreeMap<PairTraffic, AddressSet> = BTreeMap::new();
    for (of_a, traffic_a) in a {
        for (of_b, traffic_b) in b {
            let shared = of_a.intersection(of_b);
            if !shared.is_empty() {
                let known = pieces.entry(traffic_a.union(traffic_b)).or_default();
                *known = known.union(&shared);
            }
        }
    }
    let mut cut: Vec<(AddressSet, PairTraffic)> =
        pieces.into_iter().map(|(traffic, addresses)| (addresses, traffic)).collect();
    cut.sort();
    cut
}

/// The last rows, for peers that share a class: in a cluster without policies all do.
#[derive(Debug)]
pub(crate) struct RowCache<'p> {
    rows: Rows<'p>,
    known: FxHashMap<ClassId, Rc<Vec<Reached>>>,
}

const ROW_CACHE_LIMIT: usize = 64;

impl<'p> RowCache<'p> {
    pub(crate) fn new(program: &'p Program) -> Self {
        Self { rows: Rows::new(program), known: FxHashMap::default() }
    }

    fn row(
        &mut self,
        map: &ConnectionMap<'_>,
        class: ClassId,
        only: Option<&RoaringBitmap>,
    ) -> Rc<Vec<Reached>> {
        let shared = map.peers_of_class.get(&class).is_some_and(|peers| peers.len() > 1);
        if !shared || only.is_some() {
            return Rc::new(self.rows.row(class, only));
        }
        if self.known.len() >= ROW_CACHE_LIMIT {
            self.known.clear();
        }
        let rows = &mut self.rows;
        Rc::clone(self.known.entry(class).or_insert_with(|| Rc::new(rows.row(class, only))))
    }
}
