//! A difference is empty where the maps are equal, reads the same from both ends, and says what the
//! delta of a change says.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use policy_engine::{
    Assumptions, Change, ConnectionDiff, DiffEnd, Effect, Granularity, MapPeer, PairTraffic, PodId,
    PodName, Presence, Program, Reason, Reasons, Semantics, Shift, Verdict,
};
use policy_model::{PodOrigin, Snapshot};
use policy_oracle::worlds::{self, Contents, PodKey, changes, snapshots};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const BY: [Granularity; 3] = [Granularity::Pod, Granularity::Workload, Granularity::Namespace];

type Pair = (MapPeer, MapPeer);
type Rows = BTreeMap<Pair, (PairTraffic, PairTraffic, Presence)>;

fn compiled(snapshot: &Snapshot) -> Program {
    Program::compile(snapshot.clone(), Assumptions::new(Semantics::Upstream))
}

fn named(diff: &ConnectionDiff<'_>, end: DiffEnd<'_>) -> MapPeer {
    match end {
        DiffEnd::Peer(peer) => diff.peers().get(peer).unwrap().peer.clone(),
        DiffEnd::Outside(addresses) => MapPeer::Outside(addresses.clone()),
    }
}

fn rows(diff: &ConnectionDiff<'_>) -> Rows {
    let mut rows = Rows::new();
    diff.visit(|row| {
        let pair = (named(diff, row.from), named(diff, row.to));
        let known = rows.insert(pair, (row.before.clone(), row.after.clone(), row.presence));
        assert_eq!(known, None, "a pair is visited once");
        true
    });
    rows
}

/// Only what a map shows.
fn shown(traffic: &PairTraffic) -> PairTraffic {
    let mut shown = traffic.clone();
    shown.allowed.other = false;
    shown.undefined.other = false;
    let reasons = shown.reasons.iter().filter(|reason| *reason != Reason::OtherProtocol);
    shown.reasons = if shown.undefined.is_empty() {
        Reasons::NONE
    } else {
        reasons.fold(Reasons::NONE, Reasons::with)
    };
    shown
}

fn verdicts(traffic: &PairTraffic) -> PairTraffic {
    PairTraffic { reasons: Reasons::NONE, ..shown(traffic) }
}

fn map(program: &Program, by: Granularity) -> BTreeMap<Pair, PairTraffic> {
    let mut rows: BTreeMap<Pair, PairTraffic> = BTreeMap::new();
    program.map(by).visit(|row| {
        rows.insert((row.from.clone(), row.to.clone()), verdicts(row.traffic));
        true
    });
    rows
}

/// Outside rows of a peer with the same verdicts for other reasons are one.
fn merged(map: BTreeMap<Pair, PairTraffic>) -> BTreeSet<(MapPeer, MapPeer, PairTraffic)> {
    let mut outgoing: BTreeMap<(MapPeer, PairTraffic, bool), MapPeer> = BTreeMap::new();
    let mut merged = BTreeSet::new();
    for ((from, to), traffic) in map {
        let (inside, set, leaves) = match (from, to) {
            (MapPeer::Outside(set), inside) => (inside, set, false),
            (inside, MapPeer::Outside(set)) => (inside, set, true),
            (from, to) => {
                merged.insert((from, to, traffic));
                continue;
            }
        };
        let known = outgoing.entry((inside, traffic, leaves));
        let known = known.or_insert_with(|| MapPeer::Outside(Default::default()));
        if let MapPeer::Outside(known) = known {
            *known = known.union(&set);
        }
    }
    for ((inside, traffic, leaves), set) in outgoing {
        merged.insert(if leaves { (inside, set, traffic) } else { (set, inside, traffic) });
    }
    merged
}

fn engine_change(change: worlds::Change) -> Change {
    match change {
        worlds::Change::PutNamespace(namespace) => Change::SetNamespace(namespace),
        worlds::Change::RemoveNamespace(name) => Change::RemoveNamespace(name),
        worlds::Change::PutNode(node) => Change::SetNode(node),
        worlds::Change::RemoveNode(name) => Change::RemoveNode(name),
        worlds::Change::PutPod(pod) => Change::SetPod(Box::new(pod)),
        worlds::Change::RemovePod(PodKey { namespace, name, origin, workload }) => {
            Change::RemovePod(match origin {
                PodOrigin::Template => PodName::Template(workload),
                PodOrigin::Live => PodName::Live { namespace, name },
            })
        }
        worlds::Change::PutPolicy(policy) => Change::SetPolicy(Box::new(policy)),
        worlds::Change::RemovePolicy(id) => Change::RemovePolicy(id),
    }
}

/// What every pod was or is called in a map.
fn pods(program: &Program) -> BTreeMap<PodId, MapPeer> {
    let peer = |pod: &policy_model::Pod| MapPeer::Pod {
        namespace: pod.namespace.clone(),
        name: pod.name.clone(),
        workload: pod.workload.clone(),
    };
    program.pods().map(|(id, pod)| (id, peer(pod))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..Default::default() })]

    #[test]
    fn equal_maps_have_no_difference(
        snapshot in snapshots(Contents::Everything),
        changes in changes(Contents::Everything),
    ) {
        let mut changed = snapshot.clone();
        changes.into_iter().for_each(|change| change.apply(&mut changed));
        let (old, new) = (compiled(&snapshot), compiled(&changed));
        for by in BY {
            let diff = ConnectionDiff::new(&old, &new, by);
            let rows = rows(&diff);
            let between = rows.keys().any(|(from, to)| from != to);
            let (of_old, of_new) = (merged(map(&old, by)), merged(map(&new, by)));
            prop_assert_eq!(!between, of_old == of_new, "{:?}", by);
            let moved = diff.peers().iter().any(|peer| peer.presence != Presence::Both);
            prop_assert_eq!(diff.is_empty(), !between && !moved);
            prop_assert!(ConnectionDiff::new(&old, &old, by).is_empty());
        }
    }

    #[test]
    fn a_difference_read_backwards_is_its_mirror(
        old in snapshots(Contents::Everything),
        new in snapshots(Contents::Everything),
    ) {
        let (old, new) = (compiled(&old), compiled(&new));
        for by in BY {
            let forwards = rows(&ConnectionDiff::new(&old, &new, by));
            let backwards = rows(&ConnectionDiff::new(&new, &old, by));
            let mirrored: Rows = backwards
                .into_iter()
                .map(|(pair, (before, after, presence))| (pair, (after, before, presence.reversed())))
                .collect();
            for (before, after, _) in forwards.values() {
                let back = Shift::between(after, before);
                let mirror = |shift: Shift| Shift { before: shift.after, after: shift.before, ..shift };
                let there: BTreeSet<Shift> = Shift::between(before, after).into_iter().map(mirror).collect();
                prop_assert!(!there.is_empty());
                prop_assert_eq!(there, back.into_iter().collect());
            }
            prop_assert_eq!(forwards, mirrored, "{:?}", by);
        }
    }

    #[test]
    fn a_difference_says_what_the_delta_says(
        snapshot in snapshots(Contents::Manifest),
        changes in changes(Contents::Manifest),
    ) {
        let mut program = compiled(&snapshot);
        for change in changes {
            let before = program.clone();
            let delta = program.apply(engine_change(change));
            let (old, new) = (pods(&before), pods(&program));
            let both = |id: &PodId| old.get(id).filter(|peer| new.get(id) == Some(*peer)).cloned();
            let mut expected = Rows::new();
            for change in &delta.pairs {
                for (from, to) in change.from.iter().flat_map(|from| change.to.iter().map(move |to| (from, to))) {
                    let (Some(source), Some(destination)) = (both(from), both(to)) else { continue };
                    if from != to && verdicts(&change.before) != verdicts(&change.after) {
                        let said = (shown(&change.before), shown(&change.after), Presence::Both);
                        expected.insert((source, destination), said);
                    }
                }
            }
            let diff = ConnectionDiff::new(&before, &program, Granularity::Pod);
            let mut found = rows(&diff);
            found.retain(|(from, to), (_, _, presence)| {
                let outside = |peer: &MapPeer| matches!(peer, MapPeer::Outside(_));
                from != to && !outside(from) && !outside(to) && *presence == Presence::Both
            });
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn grounds_decide_as_the_shift_says(
        snapshot in snapshots(Contents::Everything),
        changes in changes(Contents::Everything),
    ) {
        let mut changed = snapshot.clone();
        changes.into_iter().for_each(|change| change.apply(&mut changed));
        let (old, new) = (compiled(&snapshot), compiled(&changed));
        for by in BY {
            let diff = ConnectionDiff::new(&old, &new, by);
            let mut result = Ok(());
            diff.visit(|row| {
                for shift in Shift::between(row.before, row.after) {
                    let open = if shift.after == Verdict::Deny { shift.before } else { shift.after };
                    let loosened = shift.before == Verdict::Deny || shift.after == Verdict::Allow;
                    assert_eq!(shift.effect() == Effect::Loosened, loosened, "{open}");
                    let grounds = diff.grounds(&row, &shift);
                    let of_all = grounds.iter().fold(Default::default(), |all: net_types::Traffic, ground| all.union(&ground.traffic));
                    assert_eq!(of_all, shift.traffic);
                    for ground in &grounds {
                        for (decision, verdict) in [(ground.before, shift.before), (ground.after, shift.after)] {
                            match decision {
                                Some(decision) => assert_eq!(decision.verdict, verdict),
                                None if row.presence == Presence::Both => {
                                    result = Err(format!("{by:?}: no ground for {shift:?}"));
                                }
                                None => {}
                            }
                        }
                    }
                }
                true
            });
            prop_assert_eq!(result, Ok(()));
        }
    }
}
