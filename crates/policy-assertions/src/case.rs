//! One case: every connection of its scope is as expected, and decided by whom it says.

use crate::blocks::{Block, Connections, Denied, visit};
use crate::coverage::{Recorder, deciding_rules, packets};
use crate::members::{Members, nothing, resolve};
use crate::results::{Problem, ProblemKind};
use crate::service_case;
use crate::spec::{Case, Decider, PeerSet, Scope};
use crate::violations::Violations;
use crate::witness::Packet;
use crate::world::World;
use net_types::Traffic;
use policy_engine::{Decision, PairTraffic, Verdict};
use policy_model::Direction;
use question_syntax::{Peer, PortArgument};

pub(crate) fn run(world: &World<'_>, case: &Case, recorder: &mut Recorder) -> Vec<Problem> {
    let mut problems = Vec::new();
    if let Some(by) = &case.by {
        problems.extend(unknown_decider(world, by));
    }
    if let PeerSet::Peer { peer, span } = &case.scope.to
        && let Ok(Peer::Service(service)) = world.index.resolve(peer)
        && let Some(service) = world.snapshot.services.get(service)
    {
        match resolve(world, &case.scope.from) {
            Err(wrong) => problems.extend(wrong),
            Ok(from) => {
                let question = service_case::Question { case, service, from: &from, span: *span };
                problems.extend(service_case::run(world, &question, recorder));
            }
        }
        return problems;
    }
    match scope(world, &case.scope) {
        Err(wrong) => problems.extend(wrong),
        Ok((from, to)) => {
            let connections = Connections { from: &from, to: &to, ports: &case.scope.ports };
            problems.extend(of_connections(world, case, connections, recorder));
        }
    }
    problems
}

/// Both sets of a scope, or all that is wrong with either.
pub(crate) fn scope(world: &World<'_>, scope: &Scope) -> Result<(Members, Members), Vec<Problem>> {
    let (from, to) = match (resolve(world, &scope.from), resolve(world, &scope.to)) {
        (Ok(from), Ok(to)) => (from, to),
        (Err(mut from), Err(to)) => {
            from.extend(to);
            return Err(from);
        }
        (Err(wrong), Ok(_)) | (Ok(_), Err(wrong)) => return Err(wrong),
    };
    let empty = [(&from, "from", &scope.from), (&to, "to", &scope.to)];
    let empty = empty.into_iter().filter(|(members, _, _)| members.is_empty());
    let wrong: Vec<Problem> = empty
        .map(|(_, field, set)| nothing(format!("`{field}` selects nothing: {set}"), scope.span))
        .collect();
    if wrong.is_empty() { Ok((from, to)) } else { Err(wrong) }
}

fn of_connections(
    world: &World<'_>,
    case: &Case,
    connections: Connections<'_>,
    recorder: &mut Recorder,
) -> Vec<Problem> {
    let mut unexpected = Violations::default();
    let mut misdecided = Violations::default();
    let mut is_vacuous = true;
    visit(world, connections, Denied::Visit, |block| {
        if is_vacuous {
            is_vacuous = block.pairs(world).next().is_none();
        }
        record(world, case, block, recorder, &mut misdecided);
        let broken = against(case.expect, &block.wanted, &block.traffic);
        unexpected.of_block(world, block, |_, _| broken.clone())
    });
    if is_vacuous {
        return vec![no_connection(&case.scope)];
    }
    verdict_problem(case, unexpected, misdecided)
}

pub(crate) fn verdict_problem(
    case: &Case,
    unexpected: Violations,
    misdecided: Violations,
) -> Vec<Problem> {
    let message = format!("expected {}", case.expect);
    let wrong = unexpected.into_problem(ProblemKind::Verdict, message, case.span);
    // Where the verdict is wrong, who decided it is beside the point.
    let by = case.by.as_ref().filter(|_| wrong.is_none()).and_then(|by| {
        let message = format!("expected {by} to decide");
        misdecided.into_problem(ProblemKind::Decider, message, by.span)
    });
    wrong.into_iter().chain(by).collect()
}

/// The part of what was asked about that is not as expected.
fn against(expect: Verdict, wanted: &Traffic, traffic: &PairTraffic) -> Traffic {
    match expect {
        Verdict::Allow => wanted.difference(&traffic.allowed),
        Verdict::Deny => wanted.intersection(&traffic.allowed.union(&traffic.undefined)),
        Verdict::Undefined => wanted.difference(&traffic.undefined),
    }
}

fn record(
    world: &World<'_>,
    case: &Case,
    block: &Block,
    recorder: &mut Recorder,
    misdecided: &mut Violations,
) {
    for (from, to, protocol, port) in packets(world, block) {
        let packet = Packet { from: &from, to: &to, protocol, port };
        let decision = packet.decide(world);
        recorder.case(deciding_rules(world, &packet, &decision));
        if let Some(by) = &case.by
            && !decides(world, by, &decision)
        {
            misdecided.packet(world, &packet, &decision);
        }
    }
}

/// Whether what a person named decides a side that decides the verdict.
pub(crate) fn decides(world: &World<'_>, by: &Decider, decision: &Decision) -> bool {
    Direction::BOTH.into_iter().any(|direction| {
        let side = decision.side(direction);
        let matters = decision.verdict != Verdict::Deny || side.verdict == Verdict::Deny;
        let policy = world.program.deciding_policy(side.cause);
        let rule = match side.cause {
            policy_engine::Cause::Rule(rule) => Some((rule.direction(), rule.index())),
            policy_engine::Cause::Isolation(_)
            | policy_engine::Cause::NoPolicy
            | policy_engine::Cause::NotAPod
            | policy_engine::Cause::OwnNode
            | policy_engine::Cause::SelfTraffic => None,
        };
        matters
            && policy.is_some_and(|policy| policy.id == by.policy)
            && (by.rule.is_none() || by.rule == rule)
    })
}

fn unknown_decider(world: &World<'_>, by: &Decider) -> Option<Problem> {
    let known = match (world.program.policy(&by.policy), by.rule) {
        (None, _) => false,
        (Some(_), None) => true,
        (Some(policy), Some((direction, rule))) => {
            policy.rules(direction).is_some_and(|rules| rule < rules.len())
        }
    };
    (!known).then(|| nothing(format!("the input has no {by}"), by.span))
}

pub(crate) fn no_connection(scope: &Scope) -> Problem {
    let names: Vec<String> = scope
        .ports
        .iter()
        .filter(|port| matches!(port, PortArgument::Named { .. }))
        .map(ToString::to_string)
        .collect();
    let message = if names.is_empty() {
        "there is no connection to ask about: both ends are the same pod, or outside the cluster"
            .to_owned()
    } else {
        format!("nothing in `to` serves a port named {}", names.join(" or "))
    };
    nothing(message, scope.span)
}
