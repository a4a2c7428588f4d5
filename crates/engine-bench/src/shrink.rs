//! A smaller snapshot about which the engine and the oracle still differ.

use crate::compare::{Reading, by_engine, by_oracle};
use policy_engine::{Program, TrafficCache};
use policy_model::{Policy, Snapshot};
use policy_oracle::worlds::Asked;

/// `None` where one of them lacks an end of the question, which ends a step of shrinking.
pub(crate) fn differs(snapshot: &Snapshot, asked: &Asked, reading: &Reading) -> Option<bool> {
    let program = Program::compile(snapshot.clone(), reading.of_engine());
    let engine = by_engine(&program, snapshot, asked, &mut TrafficCache::default())?;
    Some(engine != by_oracle(snapshot, asked, reading)?)
}

/// Takes away objects and rules one by one for as long as the two still differ.
pub(crate) fn shrunk(snapshot: &Snapshot, asked: &Asked, reading: &Reading) -> Snapshot {
    let mut smallest = snapshot.clone();
    loop {
        let next = smaller(&smallest)
            .into_iter()
            .find(|smaller| differs(smaller, asked, reading) == Some(true));
        match next {
            Some(next) => smallest = next,
            None => return smallest,
        }
    }
}

/// Each snapshot that lacks one object or one rule.
fn smaller(snapshot: &Snapshot) -> Vec<Snapshot> {
    let mut all = Vec::new();
    let mut without = |take: &dyn Fn(&mut Snapshot)| {
        let mut smaller = snapshot.clone();
        take(&mut smaller);
        all.push(smaller);
    };
    for id in snapshot.policies.keys() {
        without(&|smaller| drop(smaller.policies.remove(id)));
    }
    for index in 0..snapshot.pods.len() {
        without(&|smaller| drop(smaller.pods.remove(index)));
    }
    for name in snapshot.nodes.keys() {
        without(&|smaller| drop(smaller.nodes.remove(name)));
    }
    for name in snapshot.namespaces.keys() {
        without(&|smaller| drop(smaller.namespaces.remove(name)));
    }
    for index in 0..snapshot.services.len() {
        without(&|smaller| drop(smaller.services.remove(index)));
    }
    for index in 0..snapshot.entries.len() {
        without(&|smaller| drop(smaller.entries.remove(index)));
    }
    for (id, policy) in &snapshot.policies {
        for policy in without_a_rule(policy) {
            without(&|smaller| drop(smaller.policies.insert(id.clone(), policy.clone())));
        }
    }
    all
}

fn without_a_rule(policy: &Policy) -> Vec<Policy> {
    let mut all = Vec::new();
    for index in 0..policy.ingress.as_ref().map_or(0, Vec::len) {
        let mut smaller = policy.clone();
        smaller.ingress.iter_mut().for_each(|rules| drop(rules.remove(index)));
        all.push(smaller);
    }
    for index in 0..policy.egress.as_ref().map_or(0, Vec::len) {
        let mut smaller = policy.clone();
        smaller.egress.iter_mut().for_each(|rules| drop(rules.remove(index)));
        all.push(smaller);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::smaller;
    use policy_oracle::worlds::random;

    #[test]
    fn each_smaller_snapshot_lacks_something() {
        let snapshot = random(1).snapshot;
        let n_objects = snapshot.policies.len() + snapshot.pods.len() + snapshot.nodes.len();
        let all = smaller(&snapshot);
        assert!(all.len() >= n_objects && all.iter().all(|smaller| *smaller != snapshot));
    }
}
