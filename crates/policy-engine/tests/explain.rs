//! Explanations, near misses and fixes agree with decisions on random worlds.

#![expect(clippy::unwrap_used, reason = "what a test asks for is there")]

use net_types::{PortRange, Protocol, Traffic};
use policy_engine::{
    Assumptions, Cause, Change, Difference, End, Fix, MapPeer, Opening, PodId, Program, Question,
    Semantics, SideWalk, TierOutcome, Verdict, Wanted,
};
use policy_model::{Direction, PodOrigin, Snapshot, WorkloadKind};
use policy_oracle::worlds::{Asked, AskedEnd, PodKey, World, addresses, worlds};
use proptest::prelude::*;

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

fn question(snapshot: &Snapshot, asked: &Asked) -> Question {
    Question {
        from: end(snapshot, &asked.from),
        to: end(snapshot, &asked.to),
        protocol: asked.protocol,
        port: asked.port,
    }
}

fn programs(world: &World) -> [Program; 2] {
    Semantics::ALL
        .map(|semantics| Program::compile(world.snapshot.clone(), Assumptions::new(semantics)))
}

/// The walk ends where the decision says, and an undefined side has two different readings.
fn walk_agrees(program: &Program, walk: &SideWalk) -> Result<(), TestCaseError> {
    let deciders: Vec<&TierOutcome> = walk
        .tiers
        .iter()
        .map(|step| &step.outcome)
        .filter(|outcome| {
            matches!(
                outcome,
                TierOutcome::Accepts(_) | TierOutcome::Denies(_) | TierOutcome::DeniesByDefault
            )
        })
        .collect();
    match walk.side.cause {
        Cause::Rule(rule) => {
            prop_assert!(
                matches!(deciders[..], [TierOutcome::Accepts(by) | TierOutcome::Denies(by)] if *by == rule)
            );
            let tier = program.policy_of(rule).unwrap().tier;
            let step = walk.tiers.iter().find(|step| step.tier == tier).unwrap();
            prop_assert!(step.policies.iter().any(|policy| policy.matching.contains(&rule)));
        }
        Cause::Isolation(_) => {
            prop_assert!(matches!(deciders[..], [TierOutcome::DeniesByDefault]), "{:#?}", walk);
        }
        Cause::NoPolicy | Cause::NotAPod | Cause::OwnNode | Cause::SelfTraffic => {
            prop_assert!(deciders.is_empty());
        }
    }
    prop_assert_eq!(walk.forks.is_empty(), walk.side.verdict != Verdict::Undefined);
    for fork in &walk.forks {
        prop_assert!(!fork.readings.is_empty(), "{:?}", fork.reason);
    }
    Ok(())
}

fn is_self(program: &Program, from: PodId, to: PodId) -> bool {
    let pod = program.pod(from).unwrap();
    from == to && (pod.origin == PodOrigin::Live || pod.workload.kind == WorkloadKind::Pod)
}

fn peer(program: &Program, end: &End) -> Option<MapPeer> {
    let End::Pod(id) = end else { return None };
    Some(MapPeer::Workload(program.pod(*id)?.workload.clone()))
}

fn lists(openings: &[Opening], program: &Program, question: &Question) -> bool {
    let is = |listed: &MapPeer, end: &End| match (listed, end) {
        (MapPeer::Outside(addresses), End::Address(address)) => addresses.contains(*address),
        (_, End::Pod(_)) => peer(program, end).as_ref() == Some(listed),
        (_, End::Address(_) | End::Name(_)) => false,
    };
    openings.iter().any(|opening| {
        is(&opening.from, &question.from)
            && is(&opening.to, &question.to)
            && opening.traffic.contains(question.protocol, question.port)
    })
}

fn is_wanted(program: &Program, wanted: &Wanted, question: &Question) -> bool {
    let same = |a: &End, b: &End| match (peer(program, a), peer(program, b)) {
        (Some(a), Some(b)) => a == b,
        (None, None) => a == b,
        (Some(_), None) | (None, Some(_)) => false,
    };
    same(&wanted.question.from, &question.from)
        && same(&wanted.question.to, &question.to)
        && wanted.traffic.contains(question.protocol, question.port)
}

fn verdict(program: &Program, question: &Question) -> Verdict {
    program.decide(&question.from, &question.to, question.protocol, question.port).verdict
}

/// More is better: deny, undefined, allow.
fn rank(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Deny => 0,
        Verdict::Undefined => 1,
        Verdict::Allow => 2,
    }
}

fn probes(program: &Program, wanted: &Wanted) -> Vec<Question> {
    let pods: Vec<End> = program.pods().map(|(id, _)| End::Pod(id)).collect();
    let on_node = |address: &std::net::IpAddr| program.node_at(*address).is_some();
    let outside = addresses()
        .into_iter()
        .filter(|address| !on_node(address))
        .filter_map(|address| program.end_at(address).ok())
        .filter(|end| matches!(end, End::Address(_)));
    let ends: Vec<End> = pods.iter().cloned().chain(outside).collect();
    let packets = [
        (wanted.question.protocol, wanted.question.port),
        (Protocol::Tcp, 80),
        (Protocol::Udp, 53),
        (Protocol::Tcp, 65535),
    ];
    let mut probes = Vec::new();
    for from in &ends {
        for to in &ends {
            match (from, to) {
                (End::Pod(a), End::Pod(b)) if is_self(program, *a, *b) => continue,
                (End::Address(_), End::Address(_)) => continue,
                _ => {}
            }
            // As in maps, protocols without ports alone do not make a row.
            for (protocol, port) in packets.into_iter().filter(|(protocol, _)| protocol.has_ports())
            {
                probes.push(Question { from: from.clone(), to: to.clone(), protocol, port });
            }
        }
    }
    probes
}

fn fix_is_true(program: &Program, wanted: &Wanted, fix: &Fix) -> Result<(), TestCaseError> {
    let mut after = program.clone();
    for change in &fix.changes {
        after.apply(Change::SetPolicy(Box::new(change.policy().clone())));
    }
    let compiled = Program::compile(after.snapshot(), program.assumptions().clone());
    prop_assert_eq!(verdict(&compiled, &wanted.question), Verdict::Allow, "{:#?}", fix);
    for probe in probes(program, wanted) {
        let (was, is) = (verdict(program, &probe), verdict(&compiled, &probe));
        if rank(is) > rank(was) {
            let told = is_wanted(program, wanted, &probe) || lists(&fix.opens, program, &probe);
            prop_assert!(told, "opens {:?} {} → {}: {:#?}", probe, was, is, fix);
        }
        if rank(is) < rank(was) {
            prop_assert!(lists(&fix.closes, program, &probe), "closes {:?}: {:#?}", probe, fix);
        }
    }
    Ok(())
}

fn agree(world: &World) -> Result<(), TestCaseError> {
    for program in programs(world) {
        for asked in &world.questions {
            let explanation = program.explain(&question(&world.snapshot, asked));
            let question = explanation.question.clone();
            walk_agrees(&program, &explanation.egress)?;
            walk_agrees(&program, &explanation.ingress)?;
            for direction in Direction::BOTH {
                let side = explanation.decision.side(direction);
                let ends = (&question.from, &question.to);
                let matching =
                    program.matching_rules(direction, ends, question.protocol, question.port);
                for near in program.near_misses(&question, direction, side) {
                    let rule = program.rule_id(&near.rule).unwrap();
                    let decided_before = near
                        .differences
                        .iter()
                        .any(|difference| matches!(difference, Difference::DecidedBefore { .. }));
                    let alone = decided_before && near.differences.len() == 1;
                    prop_assert!(alone || !matching.contains(&rule), "{:?}", near);
                }
            }
            let wanted = Wanted::of(question);
            match program.fix(&wanted) {
                Ok(fix) => fix_is_true(&program, &wanted, &fix)?,
                Err(_) => {
                    let pods = [&wanted.question.from, &wanted.question.to]
                        .iter()
                        .filter_map(|end| match end {
                            End::Pod(id) => program.pod(*id),
                            End::Address(_) | End::Name(_) => None,
                        })
                        .filter(|pod| !pod.host_network)
                        .count();
                    // Between ordinary pods some policy can always say it, unless nothing can be put in
                    // front of several policies of the first priority.
                    let is_allowed = explanation.decision.verdict == Verdict::Allow;
                    let first = |policy: &&policy_model::Policy| {
                        policy.tier == policy_model::Tier::Admin && policy.priority == 0
                    };
                    let is_blocked = program.policies().filter(first).count() > 1;
                    prop_assert!(is_allowed || pods < 2 || is_blocked, "no fix for {:?}", wanted);
                }
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..Default::default() })]

    #[test]
    fn explanations_and_fixes_agree_with_decisions(world in worlds()) {
        agree(&world)?;
    }
}

#[test]
fn a_range_can_be_wanted() {
    let traffic = Traffic::of(Protocol::Tcp, PortRange::new(1, 1024).unwrap());
    let world = policy_oracle::worlds::random(11);
    let [program, _] = programs(&world);
    let denied = world
        .questions
        .iter()
        .map(|asked| question(&world.snapshot, asked))
        .filter(|question| question.protocol == Protocol::Tcp && question.port <= 1024)
        .find(|question| verdict(&program, question) == Verdict::Deny);
    let wanted = Wanted { traffic, ..Wanted::of(denied.unwrap()) };
    let fix = program.fix(&wanted).unwrap();
    fix_is_true(&program, &wanted, &fix).unwrap();
}
