//! The engine and the naive oracle agree on random worlds: single verdicts, and sets of ports.

use net_types::Protocol;
use policy_engine::{Assumptions, End, PodId, Program, Semantics, TrafficCache, Verdict};
use policy_model::{Direction, Snapshot};
use policy_oracle::worlds::{Asked, AskedEnd, PodKey, World, worlds};
use proptest::prelude::*;

const PROFILES: [(Semantics, policy_oracle::Profile); 2] = [
    (Semantics::Upstream, policy_oracle::Profile::Upstream),
    (Semantics::Cilium, policy_oracle::Profile::Cilium),
];

fn end(snapshot: &Snapshot, asked: &AskedEnd) -> End {
    match asked {
        AskedEnd::Pod(key) => {
            let index = snapshot.pods.iter().position(|pod| PodKey::of(pod) == *key).unwrap();
            End::Pod(PodId::from_index(index))
        }
        AskedEnd::Address(address) => End::Address(*address),
        AskedEnd::Name(name) => End::Name((*name).to_owned()),
    }
}

fn translate(verdict: policy_oracle::Verdict) -> Verdict {
    match verdict {
        policy_oracle::Verdict::Allow => Verdict::Allow,
        policy_oracle::Verdict::Deny => Verdict::Deny,
        policy_oracle::Verdict::Undefined => Verdict::Undefined,
    }
}

/// Verdict, egress, ingress.
fn by_oracle(world: &World, asked: &Asked, profile: policy_oracle::Profile) -> [Verdict; 3] {
    let snapshot = &world.snapshot;
    let assumptions = policy_oracle::Assumptions { profile, ..Default::default() };
    let question = asked.question(snapshot).unwrap();
    let side = |direction| {
        translate(policy_oracle::evaluate_side(snapshot, &assumptions, &question, direction))
    };
    let whole = translate(policy_oracle::evaluate(snapshot, &assumptions, &question));
    [whole, side(Direction::Egress), side(Direction::Ingress)]
}

fn agree(world: &World) -> Result<(), TestCaseError> {
    for (semantics, profile) in PROFILES {
        let program = Program::compile(world.snapshot.clone(), Assumptions::new(semantics));
        let mut cache = TrafficCache::default();
        for asked in &world.questions {
            let (from, to) = (end(&world.snapshot, &asked.from), end(&world.snapshot, &asked.to));
            let decision = program.decide(&from, &to, asked.protocol, asked.port);
            let engine = [decision.verdict, decision.egress.verdict, decision.ingress.verdict];
            let oracle = by_oracle(world, asked, profile);
            prop_assert_eq!(engine, oracle, "{} {:?}", semantics, asked);
            prop_assert_eq!(decision.reasons.is_empty(), decision.verdict != Verdict::Undefined);
            let traffic = program.traffic(&from, &to, &mut cache);
            let protocol = asked.protocol;
            let by_set = if traffic.allowed.contains(protocol, asked.port) {
                Verdict::Allow
            } else if traffic.undefined.contains(protocol, asked.port) {
                Verdict::Undefined
            } else {
                Verdict::Deny
            };
            prop_assert_eq!(by_set, decision.verdict, "{} {:?} {:?}", semantics, asked, traffic);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: std::env::var("WEIR_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(2000), failure_persistence: None, ..Default::default() })]

    #[test]
    fn engine_and_oracle_agree(world in worlds()) {
        agree(&world)?;
    }
}

#[test]
fn protocols_without_ports_are_asked_too() {
    let asked = policy_oracle::worlds::random(1).questions;
    assert!(asked.iter().any(|asked| matches!(asked.protocol, Protocol::Other(_))));
}
