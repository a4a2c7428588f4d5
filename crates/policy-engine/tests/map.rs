//! The map says of every pair what asking about the pair says.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use policy_engine::{
    Assumptions, End, Granularity, MapPeer, PairTraffic, PodId, Program, Semantics, TrafficCache,
};
use policy_oracle::worlds::{Contents, snapshots};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Live pods of different workloads never share a name; templates are told apart by their workload.
fn peer(program: &Program, id: PodId) -> MapPeer {
    let pod = program.pod(id).unwrap();
    MapPeer::Pod {
        namespace: pod.namespace.clone(),
        name: pod.name.clone(),
        workload: pod.workload.clone(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..Default::default() })]

    #[test]
    fn a_map_equals_its_pairs(snapshot in snapshots(Contents::Everything)) {
        for semantics in Semantics::ALL {
            let program = Program::compile(snapshot.clone(), Assumptions::new(semantics));
            let mut cache = TrafficCache::default();
            let mut expected: BTreeMap<(MapPeer, MapPeer), PairTraffic> = BTreeMap::new();
            for (from, _) in program.pods() {
                for (to, _) in program.pods() {
                    let traffic = program.traffic(&End::Pod(from), &End::Pod(to), &mut cache);
                    if from != to && !traffic.is_empty() {
                        expected.insert((peer(&program, from), peer(&program, to)), traffic);
                    }
                }
            }
            let mut mapped = BTreeMap::new();
            program.map(Granularity::Pod).visit(|row| {
                let outside = |peer: &MapPeer| matches!(peer, MapPeer::Outside(_));
                if !outside(row.from) && !outside(row.to) {
                    mapped.insert((row.from.clone(), row.to.clone()), row.traffic.clone());
                }
                true
            });
            prop_assert_eq!(&mapped, &expected, "{}", semantics);
        }
    }
}
