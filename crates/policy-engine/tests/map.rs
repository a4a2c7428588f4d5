//! The map says of every pair what asking about the pair says.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use net_types::Protocol;
use policy_engine::{
    Assumptions, End, Granularity, MapPeer, PairTraffic, PodId, Program, Semantics, TrafficCache,
    Verdict,
};
use policy_model::{Policy, PortMatch, Ports, Rule};
use policy_oracle::worlds::{Contents, snapshots};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

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
    /// Egress and ingress of every packet at which an answer may change, beside the summary of all ports.
    #[test]
    fn a_side_passes_where_it_does_for_some_port(snapshot in snapshots(Contents::Everything)) {
        let rules = |policy: &Policy| -> Vec<Rule> {
            policy.ingress.iter().chain(&policy.egress).flatten().cloned().collect()
        };
        let rules: Vec<Rule> = snapshot.policies.values().flat_map(rules).collect();
        let mut ports: BTreeSet<u16> = BTreeSet::from([1]);
        for rule in &rules {
            let Ports::Listed(specs) = &rule.ports else { continue };
            for spec in specs {
                if let PortMatch::Numbers { range, .. } = &spec.matches {
                    ports.extend([Some(range.first()), range.last().checked_add(1)].into_iter().flatten());
                }
            }
        }
        for port in snapshot.pods.iter().flat_map(|pod| &pod.ports) {
            ports.extend([Some(port.port), port.port.checked_add(1)].into_iter().flatten());
        }
        for semantics in Semantics::ALL {
            let program = Program::compile(snapshot.clone(), Assumptions::new(semantics));
            let mut cache = TrafficCache::default();
            let ids: Vec<PodId> = program.pods().map(|(id, _)| id).collect();
            for (from, to) in ids.iter().flat_map(|from| ids.iter().map(move |to| (from, to))) {
                let (from, to) = (End::Pod(*from), End::Pod(*to));
                let mut expected = [false; 2];
                for protocol in Protocol::WITH_PORTS {
                    for port in &ports {
                        let decision = program.decide(&from, &to, protocol, *port);
                        expected[0] |= decision.egress.verdict != Verdict::Deny;
                        expected[1] |= decision.ingress.verdict != Verdict::Deny;
                    }
                }
                let passing = program.passing_sides(&from, &to, &mut cache);
                prop_assert_eq!(passing, expected, "{:?} to {:?}", from, to);
            }
        }
    }
}
