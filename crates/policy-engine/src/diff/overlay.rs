//! Addresses outside the cluster, cut exactly where old and new tell them apart.

use super::shift::{same_ports, shown};
use crate::traffic::PairTraffic;
use net_types::AddressSet;
use std::collections::BTreeMap;

type Pieces = Vec<(AddressSet, PairTraffic)>;

/// The addresses whose traffic differs, with both. An empty partition is one in which nothing passes.
pub(super) fn differing_pieces(
    old: Pieces,
    new: Pieces,
) -> Vec<(AddressSet, PairTraffic, PairTraffic)> {
    if old == new {
        return Vec::new();
    }
    let or_nothing = |pieces: Pieces| {
        if pieces.is_empty() { vec![(AddressSet::all(), PairTraffic::default())] } else { pieces }
    };
    let (old, new) = (or_nothing(old), or_nothing(new));
    let mut grouped: BTreeMap<(PairTraffic, PairTraffic), AddressSet> = BTreeMap::new();
    for (of_old, before) in &old {
        for (of_new, after) in new.iter().filter(|(_, after)| !same_ports(before, after)) {
            let shared = of_old.intersection(of_new);
            if !shared.is_empty() {
                let known = grouped.entry((shown(before), shown(after))).or_default();
                *known = known.union(&shared);
            }
        }
    }
    let mut pieces: Vec<_> = grouped
        .into_iter()
        .map(|((before, after), addresses)| (addresses, before, after))
        .collect();
    pieces.sort();
    pieces
}
