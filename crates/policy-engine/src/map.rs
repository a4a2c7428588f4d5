//! The connection map: who may talk to whom, by pod, workload or namespace, one source at a time.

mod parts;

pub use parts::{MapPart, MapParts};

use crate::ids::{ClassId, PodId};
use crate::program::Program;
use crate::rows::{Reached, Rows};
use crate::traffic::{PairTraffic, TrafficCache};
use net_types::AddressSet;
use policy_model::{Direction, WorkloadRef};
use roaring::RoaringBitmap;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
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
    /// The places of both ends among [`ConnectionMap::peers`]; `None` for addresses outside.
    pub places: [Option<usize>; 2],
    pub traffic: &'m PairTraffic,
}

/// A map that is computed while it is read: memory does not grow with the number of rows.
#[derive(Debug)]
pub struct ConnectionMap<'p> {
    program: &'p Program,
    peers: Vec<(MapPeer, RoaringBitmap)>,
    /// By class: the peers that have a pod of it, ascending.
    peers_of_class: Vec<SmallVec<[u32; 2]>>,
    /// By pod.
    peer_of_pod: Vec<Option<u32>>,
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
        let mut peers_of_class = vec![SmallVec::<[u32; 2]>::new(); self.classes.n_keys()];
        let n_pods = self.objects.pods().last().map_or(0, |(id, _)| id.index() + 1);
        let mut peer_of_pod = vec![None; n_pods];
        for (index, (_, pods)) in (0..).zip(&peers) {
            for pod in pods.iter().map(PodId) {
                if let Some(slot) = peer_of_pod.get_mut(pod.index()) {
                    *slot = Some(index);
                }
                let class = self.classes.of(pod);
                if let Some(known) = class.and_then(|class| peers_of_class.get_mut(class.index()))
                    && known.last() != Some(&index)
                {
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
            if let Some(slot) = self.peer_of(pod).and_then(|peer| peers.get_mut(peer as usize)) {
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
        let mut parts = self.parts();
        for part in 0..self.n_parts() {
            if !self.visit_part(&parts.part(part), &mut visit) {
                return;
            }
        }
    }

    fn peer_of(&self, pod: PodId) -> Option<u32> {
        self.peer_of_pod.get(pod.index()).copied().flatten()
    }

    fn peers_of(&self, class: ClassId) -> &[u32] {
        self.peers_of_class.get(class.index()).map_or(&[], |peers| peers.as_slice())
    }

    pub(crate) fn program(&self) -> &Program {
        self.program
    }

    pub(crate) fn is_focused(&self, peer: usize) -> bool {
        self.focus.as_ref().is_none_or(|f| f.peers.get(peer).copied().unwrap_or_default())
    }

    /// Ascending by peer: what the pods may open to it, the peer itself among them.
    fn reached_from(
        &self,
        pods: &RoaringBitmap,
        rows: &mut RowCache<'_>,
        only: Option<&RoaringBitmap>,
    ) -> Vec<(usize, Rc<PairTraffic>)> {
        for class in self.classes_of(pods) {
            let row = rows.row(self, class, only);
            self.expand(&row, &mut rows.reached);
        }
        rows.reached.take()
    }

    /// The row of one peer, also towards itself, regardless of any focus.
    pub(crate) fn row_of(
        &self,
        peer: usize,
        rows: &mut RowCache<'_>,
    ) -> Vec<(usize, Rc<PairTraffic>)> {
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

    fn expand(&self, row: &[Reached], into: &mut ReachedPeers) {
        for Reached { class, pods, traffic } in row {
            match pods {
                None => self.peers_of(*class).iter().for_each(|peer| into.add(*peer, traffic)),
                Some(pods) => {
                    let peers = pods.iter().filter_map(|pod| self.peer_of(PodId(pod)));
                    peers.for_each(|peer| into.add(peer, traffic));
                }
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
    reached: ReachedPeers,
}

/// What several classes reach, by peer.
#[derive(Debug, Default)]
struct ReachedPeers {
    by_peer: Vec<Option<Rc<PairTraffic>>>,
    /// The peers that have an entry, in any order.
    peers: Vec<u32>,
}

impl ReachedPeers {
    fn add(&mut self, peer: u32, traffic: &Rc<PairTraffic>) {
        let index = peer as usize;
        if self.by_peer.len() <= index {
            self.by_peer.resize(index + 1, None);
        }
        match self.by_peer.get_mut(index) {
            Some(Some(known)) if known == traffic => {}
            Some(Some(known)) => *known = Rc::new(known.union(traffic)),
            Some(slot @ None) => {
                *slot = Some(Rc::clone(traffic));
                self.peers.push(peer);
            }
            None => {}
        }
    }

    /// Ascending by peer; nothing is left.
    fn take(&mut self) -> Vec<(usize, Rc<PairTraffic>)> {
        self.peers.sort_unstable();
        let slots = self.peers.drain(..).filter_map(|peer| {
            let slot = self.by_peer.get_mut(peer as usize)?;
            Some((peer as usize, slot.take()?))
        });
        slots.collect()
    }
}

const ROW_CACHE_LIMIT: usize = 64;

impl<'p> RowCache<'p> {
    pub(crate) fn new(program: &'p Program) -> Self {
        let (known, reached) = (FxHashMap::default(), ReachedPeers::default());
        Self { rows: Rows::new(program), known, reached }
    }

    fn row(
        &mut self,
        map: &ConnectionMap<'_>,
        class: ClassId,
        only: Option<&RoaringBitmap>,
    ) -> Rc<Vec<Reached>> {
        if map.peers_of(class).len() <= 1 || only.is_some() {
            return Rc::new(self.rows.row(class, only));
        }
        if self.known.len() >= ROW_CACHE_LIMIT {
            self.known.clear();
        }
        let rows = &mut self.rows;
        Rc::clone(self.known.entry(class).or_insert_with(|| Rc::new(rows.row(class, only))))
    }
}
