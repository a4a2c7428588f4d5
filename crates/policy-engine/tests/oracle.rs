//! The engine and the naive oracle agree on random worlds: single verdicts, and sets of ports.
#![expect(clippy::unwrap_used, reason = "a question without its ends is a broken test")]

use net_types::{AddressRange, AddressSet, IpNet, Protocol};
use policy_engine::{Assumptions, End, PodId, Program, Reason, Semantics, TrafficCache, Verdict};
use policy_model::{Direction, Snapshot};
use policy_oracle::worlds::{Asked, AskedEnd, PodKey, World, worlds};
use policy_oracle::{ServiceQuestion, evaluate_service, verdict_of_endpoints};
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

/// Pods of unknown address have one of each family.
fn dual_stack() -> AddressSet {
    let nets: [IpNet; 2] = ["10.0.0.0/8", "fd00::/8"].map(|net| net.parse().unwrap());
    nets.into_iter().map(AddressRange::from).collect()
}

/// Verdict, egress, ingress.
fn by_oracle(
    world: &World,
    asked: &Asked,
    assumptions: &policy_oracle::Assumptions,
) -> [Verdict; 3] {
    let snapshot = &world.snapshot;
    let question = asked.question(snapshot).unwrap();
    let side = |direction| {
        translate(policy_oracle::evaluate_side(snapshot, assumptions, &question, direction))
    };
    let whole = translate(policy_oracle::evaluate(snapshot, assumptions, &question));
    [whole, side(Direction::Egress), side(Direction::Ingress)]
}

/// Under both profiles; `None` leaves the pod networks to what either assumes.
fn agree(world: &World, pod_networks: Option<&AddressSet>) -> Result<(), TestCaseError> {
    for (semantics, profile) in PROFILES {
        let mut assumptions = Assumptions::new(semantics);
        let mut of_oracle = policy_oracle::Assumptions { profile, ..Default::default() };
        if let Some(networks) = pod_networks {
            assumptions.pod_networks = networks.clone();
            of_oracle.pod_networks = networks.clone();
        }
        let program = Program::compile(world.snapshot.clone(), assumptions);
        let mut cache = TrafficCache::default();
        for asked in &world.questions {
            let (from, to) = (end(&world.snapshot, &asked.from), end(&world.snapshot, &asked.to));
            let decision = program.decide(&from, &to, asked.protocol, asked.port);
            let engine = [decision.verdict, decision.egress.verdict, decision.ingress.verdict];
            let oracle = by_oracle(world, asked, &of_oracle);
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

/// Every Service of the world, asked for from every source of its questions.
fn agree_through_services(world: &World) -> Result<(), TestCaseError> {
    let snapshot = &world.snapshot;
    for (semantics, profile) in PROFILES {
        let program = Program::compile(snapshot.clone(), Assumptions::new(semantics));
        let of_oracle = policy_oracle::Assumptions { profile, ..Default::default() };
        let clients = world.questions.iter().map(|asked| (&asked.from, asked.protocol, asked.port));
        for ((from, asked_protocol, asked_port), service) in
            clients.flat_map(|client| snapshot.services.iter().map(move |one| (client, one)))
        {
            let of_service = service.ports.first().map(|port| (port.protocol, port.port));
            for (protocol, port) in of_service.into_iter().chain([(asked_protocol, asked_port)]) {
                let decided = program.decide_service(&end(snapshot, from), service, protocol, port);
                let question =
                    ServiceQuestion { from: from.end(snapshot).unwrap(), service, protocol, port };
                let expected = evaluate_service(snapshot, &of_oracle, &question);
                let endpoints = decided.as_ref().map_or(&[][..], |decided| &decided.endpoints);
                let by_engine: Vec<(u16, [Verdict; 3])> = endpoints
                    .iter()
                    .map(|(_, port, one)| {
                        (*port, [one.verdict, one.egress.verdict, one.ingress.verdict])
                    })
                    .collect();
                let by_oracle: Vec<(u16, [Verdict; 3])> = expected
                    .iter()
                    .map(|one| (one.port, [one.verdict, one.egress, one.ingress].map(translate)))
                    .collect();
                prop_assert_eq!(by_engine, by_oracle, "{} {:?} {:?}", semantics, from, service);
                let whole = verdict_of_endpoints(&expected).map(translate);
                prop_assert_eq!(decided.as_ref().ok().map(|decided| decided.verdict), whole);
                if let Ok(decided) = decided {
                    let is_settled = decided.verdict != Verdict::Undefined;
                    prop_assert_eq!(decided.reasons.is_empty(), is_settled);
                }
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: std::env::var("WEIR_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(2000), failure_persistence: None, ..Default::default() })]

    #[test]
    fn engine_and_oracle_agree(world in worlds()) {
        agree(&world, None)?;
    }

    #[test]
    fn they_agree_through_services(world in worlds()) {
        agree_through_services(&world)?;
    }

    #[test]
    fn they_agree_about_dual_stack_clusters(world in worlds()) {
        agree(&world, Some(&dual_stack()))?;
    }
}

#[test]
fn protocols_without_ports_are_asked_too() {
    let asked = policy_oracle::worlds::random(1).questions;
    assert!(asked.iter().any(|asked| matches!(asked.protocol, Protocol::Other(_))));
}

/// A fork that no random world meets is one that nothing compares.
#[test]
fn every_fork_is_met() {
    let mut met = std::collections::BTreeSet::new();
    for world in (0..200).map(policy_oracle::worlds::random) {
        let program = Program::compile(world.snapshot.clone(), Assumptions::default());
        for asked in &world.questions {
            let (from, to) = (end(&world.snapshot, &asked.from), end(&world.snapshot, &asked.to));
            met.extend(program.decide(&from, &to, asked.protocol, asked.port).reasons.iter());
            for service in &world.snapshot.services {
                let port = service.ports.first().map_or(80, |port| port.port);
                let through = program.decide_service(&from, service, asked.protocol, port);
                met.extend(through.iter().flat_map(|decided| decided.reasons.iter()));
            }
        }
    }
    assert_eq!(met.into_iter().collect::<Vec<Reason>>(), Reason::ALL);
}
