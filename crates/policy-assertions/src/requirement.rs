//! `require`: connections that must be allowed, for every or for some of each set.

use crate::assertion::vacuous;
use crate::blocks::{Block, Connections, Denied, Half, visit};
use crate::members::{Members, ids, number, problem};
use crate::results::{Problem, ProblemKind};
use crate::spec::{OnUndefined, Quantifier, Scope};
use crate::violations::Violations;
use crate::world::{World, example_address};
use net_types::Traffic;
use policy_engine::{End, PairTraffic, TrafficCache};
use roaring::RoaringBitmap;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Quantifiers {
    pub(crate) from: Quantifier,
    pub(crate) to: Quantifier,
}

pub(crate) fn run(
    world: &World<'_>,
    (connections, scope): (Connections<'_>, &Scope),
    quantifiers: Quantifiers,
    undefined: OnUndefined,
) -> Vec<Problem> {
    if let Some(problem) = vacuous(world, connections, scope) {
        return vec![problem];
    }
    let problem = match (quantifiers.from, quantifiers.to) {
        (Quantifier::Every, Quantifier::Every) => every_pair(world, connections, scope, undefined),
        (Quantifier::Every, Quantifier::Some) => {
            one_side(world, (connections, scope), Side::From, undefined)
        }
        (Quantifier::Some, Quantifier::Every) => {
            one_side(world, (connections, scope), Side::To, undefined)
        }
        (Quantifier::Some, Quantifier::Some) => {
            any_pair(world, connections, scope, |block| passes(block, undefined))
        }
    };
    problem.into_iter().collect()
}

/// Says so where nothing of the scope gets through, on any of its ports.
pub(crate) fn nothing_passes(
    world: &World<'_>,
    connections: Connections<'_>,
    scope: &Scope,
    undefined: OnUndefined,
) -> Option<Problem> {
    any_pair(world, connections, scope, |block| {
        !block.wanted.intersection(&good(block, undefined)).is_empty()
    })
}

/// The side each end of which must have a partner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    From,
    To,
}

fn passes(block: &Block, undefined: OnUndefined) -> bool {
    block.wanted.difference(&good(block, undefined)).is_empty()
}

/// What counts as allowed.
fn good(block: &Block, undefined: OnUndefined) -> Traffic {
    let PairTraffic { allowed, undefined: open, reasons: _ } = &block.traffic;
    match undefined {
        OnUndefined::Fail => allowed.clone(),
        OnUndefined::Pass => allowed.union(open),
    }
}

fn every_pair(
    world: &World<'_>,
    connections: Connections<'_>,
    scope: &Scope,
    undefined: OnUndefined,
) -> Option<Problem> {
    let mut violations = Violations::default();
    visit(world, connections, Denied::Visit, |block| {
        let missing = block.wanted.difference(&good(block, undefined));
        missing.is_empty() || violations.of_block(world, block, |_, _| missing.clone())
    });
    let message = "expected every one of these connections to be allowed";
    violations.into_problem(ProblemKind::Verdict, message, scope.span)
}

fn any_pair(
    world: &World<'_>,
    connections: Connections<'_>,
    scope: &Scope,
    passes: impl Fn(&Block) -> bool,
) -> Option<Problem> {
    let mut found = false;
    let mut first_pair = None;
    visit(world, connections, Denied::Visit, |block| {
        let pair = block.pairs(world).next();
        found |= pair.is_some() && passes(block);
        if first_pair.is_none() {
            first_pair = pair.map(|pair| (pair, block.wanted.clone()));
        }
        !found
    });
    if found {
        return None;
    }
    let mut violations = Violations::default();
    if let Some(((from, to), wanted)) = first_pair {
        violations.pair(world, (&from, &to), &wanted);
    }
    let message = format!("expected something of `from` to get through: {scope}");
    violations.into_problem(ProblemKind::Verdict, message, scope.span)
}

/// Ends of one side, as far as the visit has met them: all, and those with a partner.
#[derive(Debug, Default)]
struct Met {
    all: Members,
    served: Members,
}

fn one_side(
    world: &World<'_>,
    (connections, scope): (Connections<'_>, &Scope),
    side: Side,
    undefined: OnUndefined,
) -> Option<Problem> {
    let mut met = Met::default();
    visit(world, connections, Denied::Visit, |block| {
        let (mine, other) = match side {
            Side::From => (&block.from, &block.to),
            Side::To => (&block.to, &block.from),
        };
        let paired = with_partner(world, mine, other);
        if passes(block, undefined) {
            add(&mut met.served, &paired);
        }
        add(&mut met.all, &paired);
        true
    });
    let alone = Members {
        pods: &met.all.pods - &met.served.pods,
        outside: met.all.outside.difference(&met.served.outside),
        nodes: met.all.nodes.difference(&met.served.nodes).cloned().collect(),
    };
    let mut violations = Violations::default();
    for end in ends_of(world, &alone) {
        if !violations.wants_examples() {
            if violations.count() {
                continue;
            }
            break;
        }
        let Some(partner) = partner_of(world, &end, connections, side) else { continue };
        let (from, to) = match side {
            Side::From => (&end, &partner),
            Side::To => (&partner, &end),
        };
        let pod = if let End::Pod(pod) = to { Some(*pod) } else { None };
        let asked = crate::blocks::wanted(world, connections.ports, pod);
        let asked = if asked.is_empty() { crate::blocks::wanted(world, &[], None) } else { asked };
        // What is missing says more than what is there.
        let traffic = world.program.traffic(from, to, &mut TrafficCache::default());
        let missing = asked.difference(&traffic.allowed);
        let asked = if missing.is_empty() { asked } else { missing };
        if !violations.pair(world, (from, to), &asked) {
            break;
        }
    }
    let message = match side {
        Side::From => format!("expected every one of `from` to reach some of `to`: {scope}"),
        Side::To => format!("expected every one of `to` to be reached by some of `from`: {scope}"),
    };
    if violations.is_empty() && !alone.is_empty() {
        return Some(problem(ProblemKind::Verdict, message, scope.span));
    }
    violations.into_problem(ProblemKind::Verdict, message, scope.span)
}

/// The ends of a half that have another end opposite, not only themselves.
fn with_partner(world: &World<'_>, mine: &Half, other: &Half) -> Members {
    let mut members = mine.members();
    if let Half::Pods(others) = other
        && others.len() == 1
        && let Some(only) = ids(others).next()
        && world.is_itself(only)
    {
        members.pods.remove(number(only));
    }
    members
}

fn add(to: &mut Members, more: &Members) {
    to.pods |= &more.pods;
    to.outside = to.outside.union(&more.outside);
    to.nodes.extend(more.nodes.iter().cloned());
}

fn ends_of(world: &World<'_>, members: &Members) -> Vec<End> {
    let mut ends: Vec<End> = members.pod_ids().map(End::Pod).collect();
    let nodes = members.nodes.iter().filter_map(|node| world.snapshot.nodes.get(node));
    ends.extend(nodes.filter_map(|node| node.addresses.first().copied().map(End::Address)));
    ends.extend(example_address(&members.outside).map(End::Address));
    ends
}

/// Any end opposite, to show what became of the connection.
fn partner_of(
    world: &World<'_>,
    end: &End,
    connections: Connections<'_>,
    side: Side,
) -> Option<End> {
    let others = match side {
        Side::From => connections.to,
        Side::To => connections.from,
    };
    let is_other = |pod: &policy_engine::PodId| *end != End::Pod(*pod) || !world.is_itself(*pod);
    let serving: RoaringBitmap = match side {
        // A destination that serves the port says more than one that does not.
        Side::From => others
            .pod_ids()
            .filter(|pod| !crate::blocks::wanted(world, connections.ports, Some(*pod)).is_empty())
            .map(number)
            .collect(),
        Side::To => others.pods.clone(),
    };
    let pod = ids(&serving).find(is_other).map(End::Pod);
    pod.or_else(|| {
        let others = Members { pods: RoaringBitmap::new(), ..others.clone() };
        ends_of(world, &others).into_iter().next()
    })
}
