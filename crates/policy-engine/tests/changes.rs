//! A program that took changes one by one equals one compiled from the result, and its deltas name
//! exactly the pairs whose verdicts changed.

use policy_engine::{
    Assumptions, Change, Delta, End, PairTraffic, PodId, PodName, Program, Semantics, TrafficCache,
};
use policy_model::{Direction, Snapshot};
use policy_oracle::worlds::{self, Contents, PodKey, changes, snapshots};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

type Pair = (PodName, PodName);
type Pairs = BTreeMap<Pair, PairTraffic>;
/// Before and after.
type Changed = BTreeMap<Pair, (PairTraffic, PairTraffic)>;

fn pairs(program: &Program) -> Pairs {
    let mut cache = TrafficCache::default();
    let mut pairs = BTreeMap::new();
    for (from, source) in program.pods() {
        for (to, destination) in program.pods() {
            if from != to {
                let traffic = program.traffic(&End::Pod(from), &End::Pod(to), &mut cache);
                pairs.insert((PodName::of(source), PodName::of(destination)), traffic);
            }
        }
    }
    pairs
}

/// What reached and left the outside, at every boundary that either program knows.
fn outside(program: &Program) -> BTreeMap<(PodName, Direction), Vec<(String, PairTraffic)>> {
    let mut cache = TrafficCache::default();
    let mut all = BTreeMap::new();
    for (id, pod) in program.pods() {
        for direction in Direction::BOTH {
            let pieces = program.outside_traffic(id, direction, &mut cache);
            let text = pieces.into_iter().map(|(set, traffic)| (set.to_string(), traffic));
            all.insert((PodName::of(pod), direction), text.collect());
        }
    }
    all
}

fn fresh(snapshot: &Snapshot) -> Program {
    Program::compile(snapshot.clone(), Assumptions::new(Semantics::Upstream))
}

/// The changes that take one snapshot to the next, object by object.
fn steps(old: &Snapshot, new: &Snapshot) -> Vec<Change> {
    let mut steps = Vec::new();
    let names = |snapshot: &Snapshot| -> BTreeSet<PodName> {
        snapshot.pods.iter().map(PodName::of).collect()
    };
    for name in names(old).difference(&names(new)) {
        steps.push(Change::RemovePod(name.clone()));
    }
    for id in old.policies.keys().filter(|id| !new.policies.contains_key(id)) {
        steps.push(Change::RemovePolicy(id.clone()));
    }
    for name in old.nodes.keys().filter(|name| !new.nodes.contains_key(*name)) {
        steps.push(Change::RemoveNode(name.clone()));
    }
    for (name, namespace) in &new.namespaces {
        if old.namespaces.get(name) != Some(namespace) {
            steps.push(Change::SetNamespace(namespace.clone()));
        }
    }
    for pod in &new.pods {
        if !old.pods.contains(pod) {
            steps.push(Change::SetPod(Box::new(pod.clone())));
        }
    }
    for (id, policy) in &new.policies {
        if old.policies.get(id) != Some(policy) {
            steps.push(Change::SetPolicy(Box::new(policy.clone())));
        }
    }
    for (name, node) in &new.nodes {
        if old.nodes.get(name) != Some(node) {
            steps.push(Change::SetNode(node.clone()));
        }
    }
    for name in old.namespaces.keys().filter(|name| !new.namespaces.contains_key(*name)) {
        steps.push(Change::RemoveNamespace(name.clone()));
    }
    steps
}

fn names(program: &Program) -> BTreeMap<PodId, PodName> {
    program.pods().map(|(id, pod)| (id, PodName::of(pod))).collect()
}

/// Pairs that a delta names, with what it says of them; one that is named twice is a failure.
fn named(delta: &Delta, names: &BTreeMap<PodId, PodName>) -> Result<Changed, TestCaseError> {
    let mut said = BTreeMap::new();
    for change in &delta.pairs {
        for from in &change.from {
            for to in change.to.iter().filter(|to| *to != from) {
                let pair = (names[from].clone(), names[to].clone());
                let twice =
                    said.insert(pair.clone(), (change.before.clone(), change.after.clone()));
                prop_assert!(twice.is_none(), "{pair:?} is named twice");
            }
        }
    }
    Ok(said)
}

/// Only ports count: a delta does not speak of pairs that differ in other protocols alone.
fn changed(before: &Pairs, after: &Pairs) -> Changed {
    let keys: BTreeSet<_> = before.keys().chain(after.keys()).cloned().collect();
    let of = |pairs: &Pairs, key: &(PodName, PodName)| {
        let traffic: PairTraffic = pairs.get(key).cloned().unwrap_or_default();
        if traffic.is_empty() { PairTraffic::default() } else { traffic }
    };
    keys.into_iter()
        .map(|key| (key.clone(), (of(before, &key), of(after, &key))))
        .filter(|(_, (before, after))| before != after)
        .collect()
}

fn check(start: Snapshot, changes: Vec<worlds::Change>) -> Result<(), TestCaseError> {
    let mut program = fresh(&start);
    let mut snapshot = start;
    for change in changes {
        let mut next = snapshot.clone();
        change.clone().apply(&mut next);
        for step in steps(&snapshot, &next) {
            let before = pairs(&program);
            let mut ids = names(&program);
            let mut unasked = program.clone();
            unasked.make(step.clone());
            let delta = program.apply(step.clone());
            ids.extend(names(&program));
            let after = pairs(&program);
            prop_assert_eq!(named(&delta, &ids)?, changed(&before, &after), "{:?}", step);
            prop_assert_eq!(pairs(&unasked), after, "{:?}", step);
        }
        let compiled = fresh(&next);
        prop_assert_eq!(pairs(&program), pairs(&compiled), "after {:?}", change);
        prop_assert_eq!(outside(&program), outside(&compiled), "after {:?}", change);
        prop_assert_eq!(
            program.snapshot().pods.iter().map(PodKey::of).collect::<BTreeSet<_>>(),
            next.pods.iter().map(PodKey::of).collect::<BTreeSet<_>>()
        );
        snapshot = next;
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..Default::default() })]

    #[test]
    fn changes_one_by_one_equal_a_fresh_start(
        start in snapshots(Contents::Everything),
        changes in changes(Contents::Everything),
    ) {
        check(start, changes)?;
    }
}
