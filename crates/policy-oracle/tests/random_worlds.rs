//! Random worlds are worth asking about: they repeat, they are valid, and all verdicts occur in them.

use policy_model::{NAMESPACE_NAME_LABEL, PodOrigin, Snapshot};
use policy_oracle::worlds::{
    AskedEnd, Contents, changes, random, random_changes, snapshots, worlds,
};
use policy_oracle::{Assumptions, Profile, Verdict, evaluate};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const N_SEEDS: u64 = 40;

#[test]
fn a_seed_repeats_its_world() {
    assert_eq!(random(7), random(7));
    assert_ne!(random(7).snapshot, random(8).snapshot);
    assert_eq!(random_changes(7, 5), random_changes(7, 5));
}

#[test]
fn every_verdict_is_common_under_both_profiles() {
    for profile in [Profile::Upstream, Profile::Cilium] {
        let assumptions = Assumptions { profile, ..Assumptions::default() };
        let mut counts: BTreeMap<Verdict, usize> = BTreeMap::new();
        for world in (0..N_SEEDS).map(random) {
            for asked in &world.questions {
                let question = asked.question(&world.snapshot).expect("the pods exist");
                let verdict = evaluate(&world.snapshot, &assumptions, &question);
                *counts.entry(verdict).or_default() += 1;
            }
        }
        let total: usize = counts.values().sum();
        for verdict in [Verdict::Allow, Verdict::Deny, Verdict::Undefined] {
            let count = counts.get(&verdict).copied().unwrap_or_default();
            assert!(count * 100 > total, "{profile:?}: {verdict:?} is {count} of {total}");
        }
    }
}

fn check_invariants(snapshot: &Snapshot) -> Result<(), TestCaseError> {
    for (name, namespace) in &snapshot.namespaces {
        prop_assert_eq!(namespace.labels.value(NAMESPACE_NAME_LABEL), Some(name.as_str()));
    }
    let mut live_names = BTreeSet::new();
    let mut addresses = BTreeSet::new();
    for pod in &snapshot.pods {
        prop_assert!(snapshot.namespaces.contains_key(&pod.namespace));
        match pod.origin {
            PodOrigin::Live => prop_assert!(live_names.insert((&pod.namespace, &pod.name))),
            PodOrigin::Template => prop_assert!(
                snapshot.pods.iter().filter(|other| other.workload == pod.workload).count() == 1
            ),
        }
        if !pod.host_network {
            for address in &pod.addresses {
                prop_assert!(addresses.insert(*address), "{address} belongs to two pods");
            }
        }
    }
    for policy in snapshot.policies.values() {
        prop_assert!(
            policy.ingress.is_some() || policy.egress.is_some() || policy.id.namespace.is_none()
        );
    }
    Ok(())
}

proptest! {
    #[test]
    fn changes_keep_the_invariants(
        mut snapshot in snapshots(Contents::Everything),
        changes in changes(Contents::Everything),
    ) {
        check_invariants(&snapshot)?;
        for change in changes {
            change.apply(&mut snapshot);
            check_invariants(&snapshot)?;
        }
    }

    /// Where a pod is denied or allowed for certain, an assumption can only be narrowed, not turned.
    #[test]
    fn a_narrower_assumption_keeps_a_certain_verdict(world in worlds()) {
        let wide = Assumptions::default();
        let first = wide.pod_networks.ranges().first().copied();
        let narrow = Assumptions { pod_networks: first.into_iter().collect(), ..wide };
        for asked in &world.questions {
            let question = asked.question(&world.snapshot).expect("the pods exist");
            let verdict = evaluate(&world.snapshot, &wide, &question);
            if verdict != Verdict::Undefined {
                prop_assert_eq!(evaluate(&world.snapshot, &narrow, &question), verdict);
            }
        }
    }

    #[test]
    fn only_destinations_are_names(world in worlds()) {
        for asked in &world.questions {
            prop_assert!(!matches!(asked.from, AskedEnd::Name(_)));
        }
    }
}
