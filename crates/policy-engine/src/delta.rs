//! What a change did to verdicts: rows and columns of the touched pods, before against after.

use crate::ids::{ClassId, PodId};
use crate::program::Program;
use crate::rows::Rows;
use crate::traffic::PairTraffic;
use net_types::AddressSet;
use policy_model::Direction;
use roaring::RoaringBitmap;
use std::collections::BTreeMap;
use std::rc::Rc;

/// The verdicts that a change changed. A pod that was removed is named by its old id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delta {
    pub pairs: Vec<PairChange>,
    pub outside: Vec<OutsideChange>,
}

impl Delta {
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty() && self.outside.is_empty()
    }
}

/// From each of `from` to each of `to`, except from a pod to itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairChange {
    pub from: Vec<PodId>,
    pub to: Vec<PodId>,
    pub before: PairTraffic,
    pub after: PairTraffic,
}

/// Between each of `pods` and addresses outside: `Egress` from the pods, `Ingress` to them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutsideChange {
    pub pods: Vec<PodId>,
    pub direction: Direction,
    pub addresses: AddressSet,
    pub before: PairTraffic,
    pub after: PairTraffic,
}

/// Rows and columns of touched pods, as they were.
#[derive(Debug)]
pub(crate) struct Observation {
    touched: RoaringBitmap,
    /// Touched pods that had the same class and, where host-network pods exist, the same node.
    groups: BTreeMap<GroupKey, Observed>,
}

impl Observation {
    /// Nothing differs from it.
    pub(crate) fn of_nothing(touched: RoaringBitmap) -> Self {
        Self { touched, groups: BTreeMap::new() }
    }

    pub(crate) fn touched(&self) -> &RoaringBitmap {
        &self.touched
    }
}

/// `None` for a pod that does not exist.
type GroupKey = Option<(ClassId, Option<String>)>;

#[derive(Debug, Default)]
struct Observed {
    pods: RoaringBitmap,
    egress: Vec<(RoaringBitmap, Rc<PairTraffic>)>,
    ingress: Vec<(RoaringBitmap, Rc<PairTraffic>)>,
    outside: [Vec<(AddressSet, PairTraffic)>; 2],
}

impl Program {
    pub(crate) fn observe(&self, touched: RoaringBitmap) -> Observation {
        let mut rows = Rows::new(self);
        let by_node = self.objects.pods().any(|(_, pod)| pod.host_network);
        let mut groups: BTreeMap<GroupKey, Observed> = BTreeMap::new();
        for pod in &touched {
            let key = self.group_key(PodId(pod), by_node);
            groups.entry(key).or_default().pods.insert(pod);
        }
        for (key, observed) in &mut groups {
            if let (Some((class, _)), Some(first)) = (key, observed.pods.min().map(PodId)) {
                self.observe_group(*class, first, observed, &mut rows);
            }
        }
        Observation { touched, groups }
    }

    fn group_key(&self, pod: PodId, by_node: bool) -> GroupKey {
        let class = self.classes.of(pod)?;
        let node = || Some(self.node_of(self.objects.pod(pod)?)?.to_owned());
        Some((class, if by_node { node() } else { None }))
    }

    fn observe_group(
        &self,
        class: ClassId,
        first: PodId,
        observed: &mut Observed,
        rows: &mut Rows<'_>,
    ) {
        let members = |class| self.classes.members(class).cloned().unwrap_or_default();
        let row = rows.row(class, None).into_iter();
        observed.egress = row
            .map(|reached| {
                (reached.pods.unwrap_or_else(|| members(reached.class)), reached.traffic)
            })
            .collect();
        let column = rows.column(first).into_iter();
        observed.ingress =
            column.map(|reached| (members(reached.class), reached.traffic)).collect();
        observed.outside = Direction::BOTH
            .map(|direction| self.outside_traffic(first, direction, &mut rows.cache));
    }

    /// Observes the touched pods again, and keeps what differs.
    pub(crate) fn compare(&self, before: &Observation) -> Delta {
        let mut delta = Delta::default();
        if before.groups.is_empty() {
            return delta;
        }
        let after = self.observe(before.touched.clone());
        for old in before.groups.values() {
            for new in after.groups.values() {
                let pods = &old.pods & &new.pods;
                if !pods.is_empty() {
                    compare_group(&pods, old, new, &before.touched, &mut delta);
                }
            }
        }
        delta
    }
}

fn compare_group(
    pods: &RoaringBitmap,
    old: &Observed,
    new: &Observed,
    touched: &RoaringBitmap,
    delta: &mut Delta,
) {
    for (peers, before, after) in differences(&old.egress, &new.egress) {
        delta.pairs.push(PairChange { from: ids(pods), to: ids(&peers), before, after });
    }
    for (peers, before, after) in differences(&old.ingress, &new.ingress) {
        // Between touched pods, the sources' rows have said it.
        let peers = peers - touched;
        if !peers.is_empty() {
            delta.pairs.push(PairChange { from: ids(&peers), to: ids(pods), before, after });
        }
    }
    for ((direction, old), new) in Direction::BOTH.into_iter().zip(&old.outside).zip(&new.outside) {
        for (addresses, before, after) in outside_differences(old, new) {
            let pods = ids(pods);
            delta.outside.push(OutsideChange { pods, direction, addresses, before, after });
        }
    }
}

fn ids(pods: &RoaringBitmap) -> Vec<PodId> {
    pods.iter().map(PodId).collect()
}

/// Peers whose traffic differs, grouped by what it was and is.
fn differences(
    old: &[(RoaringBitmap, Rc<PairTraffic>)],
    new: &[(RoaringBitmap, Rc<PairTraffic>)],
) -> Vec<(RoaringBitmap, PairTraffic, PairTraffic)> {
    let mut by_pod: BTreeMap<u32, [Option<usize>; 2]> = BTreeMap::new();
    for (side, entries) in [old, new].into_iter().enumerate() {
        for (index, (pods, _)) in entries.iter().enumerate() {
            for pod in pods {
                if let Some(slot) = by_pod.entry(pod).or_default().get_mut(side) {
                    *slot = Some(index);
                }
            }
        }
    }
    let mut grouped: BTreeMap<(PairTraffic, PairTraffic), RoaringBitmap> = BTreeMap::new();
    for (pod, [before, after]) in by_pod {
        let traffic = |entries: &[(RoaringBitmap, Rc<PairTraffic>)], index: Option<usize>| {
            let entry = index.and_then(|index| entries.get(index));
            entry.map(|(_, traffic)| PairTraffic::clone(traffic)).unwrap_or_default()
        };
        let (before, after) = (traffic(old, before), traffic(new, after));
        if before != after {
            grouped.entry((before, after)).or_default().insert(pod);
        }
    }
    grouped.into_iter().map(|((before, after), pods)| (pods, before, after)).collect()
}

/// A pod that does not exist exchanges nothing with anyone.
fn outside_differences(
    old: &[(AddressSet, PairTraffic)],
    new: &[(AddressSet, PairTraffic)],
) -> Vec<(AddressSet, PairTraffic, PairTraffic)> {
    let nothing = [(AddressSet::all(), PairTraffic::default())];
    let or_nothing = |pieces: &[(AddressSet, PairTraffic)]| {
        if pieces.is_empty() { nothing.to_vec() } else { pieces.to_vec() }
    };
    let (old, new) = (or_nothing(old), or_nothing(new));
    let mut grouped: BTreeMap<(PairTraffic, PairTraffic), AddressSet> = BTreeMap::new();
    for (of_old, before) in &old {
        for (of_new, after) in new.iter().filter(|(_, after)| after != before) {
            let shared = of_old.intersection(of_new);
            if !shared.is_empty() {
                let known = grouped.entry((before.clone(), after.clone())).or_default();
                *known = known.union(&shared);
            }
        }
    }
    grouped.into_iter().map(|((before, after), addresses)| (addresses, before, after)).collect()
}
