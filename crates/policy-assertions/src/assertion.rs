//! One assertion: a statement about all connections between sets, checked exactly.

use crate::blocks::{Block, Connections, Denied, Half, visit, wanted};
use crate::case::{no_connection, scope};
use crate::coverage::Recorder;
use crate::isolation;
use crate::members::{Members, nothing};
use crate::requirement::{self, Quantifiers};
use crate::results::{Problem, ProblemKind};
use crate::spec::{Assertion, Claim, OnUndefined, Scope};
use crate::violations::Violations;
use crate::world::World;
use finding_model::SourceSpan;
use net_types::Traffic;
use policy_engine::{End, PairTraffic};
use policy_model::Direction;
use question_syntax::PortArgument;

/// What went wrong, and what is worth knowing all the same.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) problems: Vec<Problem>,
    pub(crate) notes: Vec<String>,
}

pub(crate) fn run(world: &World<'_>, assertion: &Assertion, recorder: &mut Recorder) -> Outcome {
    let Assertion { claim, undefined, span, name: _, reason: _ } = assertion;
    match claim {
        Claim::Isolated { pods, directions } => Outcome {
            problems: isolation::run(world, (pods, directions), *undefined, *span),
            notes: Vec::new(),
        },
        Claim::Require { scope: written, from, to } => {
            let quantifiers = Quantifiers { from: *from, to: *to };
            let problems = match scope(world, written) {
                Err(wrong) => wrong,
                Ok((from, to)) => {
                    let connections = Connections { from: &from, to: &to, ports: &written.ports };
                    recorder.assertion(world, connections);
                    requirement::run(world, (connections, written), quantifiers, *undefined)
                }
            };
            Outcome { problems, notes: Vec::new() }
        }
        Claim::Forbid { scope: written, except } => match scope(world, written) {
            Err(problems) => Outcome { problems, notes: Vec::new() },
            Ok((from, to)) => {
                let connections = Connections { from: &from, to: &to, ports: &written.ports };
                recorder.assertion(world, connections);
                let message = "expected none of these connections";
                let ban = Ban { written, except, undefined: *undefined, span: *span, message };
                forbid(world, connections, &ban)
            }
        },
        Claim::Only { scope: written, except } => {
            only(world, (written, except), assertion, recorder)
        }
    }
}

/// Forbids everything that is not `from`, and requires that something of `from` gets through, because
/// a misspelt label would otherwise make the assertion hold for ever.
fn only(
    world: &World<'_>,
    (written, except): (&Scope, &[Scope]),
    assertion: &Assertion,
    recorder: &mut Recorder,
) -> Outcome {
    let (from, to) = match scope(world, written) {
        Ok(sets) => sets,
        Err(problems) => return Outcome { problems, notes: Vec::new() },
    };
    let ports = &written.ports;
    let anywhere = world.anywhere();
    recorder.assertion(world, Connections { from: anywhere, to: &to, ports });
    let others = from.complement(world);
    let ban = Ban {
        written,
        except,
        undefined: assertion.undefined,
        span: assertion.span,
        message: "expected no other source to get through",
    };
    let mut outcome = forbid(world, Connections { from: &others, to: &to, ports }, &ban);
    let connections = Connections { from: &from, to: &to, ports };
    // One problem is enough where a set of the exceptions is wrong.
    let is_wrong = |problem: &Problem| problem.kind != ProblemKind::Verdict;
    if outcome.problems.iter().any(is_wrong) {
        return outcome;
    }
    let got_through = requirement::nothing_passes(world, connections, written, assertion.undefined);
    outcome.problems.extend(got_through);
    outcome
}

/// What is banned, beside the connections themselves.
struct Ban<'b> {
    written: &'b Scope,
    except: &'b [Scope],
    undefined: OnUndefined,
    span: SourceSpan,
    message: &'static str,
}

/// An exception whose sets were looked up.
struct Exception<'e> {
    from: Members,
    to: Members,
    ports: &'e [PortArgument],
}

impl Exception<'_> {
    /// What it takes away from a connection between two ends.
    fn excused(&self, world: &World<'_>, (from, to): (&End, &End), block: &Block) -> Traffic {
        if !contains(&self.from, from, &block.from) || !contains(&self.to, to, &block.to) {
            return Traffic::NONE;
        }
        let pod = if let End::Pod(pod) = to { Some(*pod) } else { None };
        let excused = wanted(world, self.ports, pod);
        // Without ports, an exception is of all traffic.
        if self.ports.is_empty() { Traffic::all() } else { excused }
    }
}

fn contains(members: &Members, end: &End, half: &Half) -> bool {
    match (end, half) {
        (End::Pod(pod), _) => members.pods.contains(crate::members::number(*pod)),
        (End::Address(_), Half::Outside(piece)) => piece.difference(&members.outside).is_empty(),
        (End::Address(_), Half::Node { node, .. }) => members.nodes.contains(node),
        (End::Address(_), Half::Pods(_)) | (End::Name(_), _) => false,
    }
}

fn forbid(world: &World<'_>, connections: Connections<'_>, ban: &Ban<'_>) -> Outcome {
    let mut outcome = Outcome::default();
    let mut exceptions = Vec::new();
    for written in ban.except {
        match scope(world, written) {
            Err(wrong) => outcome.problems.extend(wrong),
            Ok((from, to)) => {
                let excepted = Connections { from: &from, to: &to, ports: &written.ports };
                outcome.problems.extend(vacuous(world, excepted, written));
                exceptions.push(Exception { from, to, ports: &written.ports });
            }
        }
    }
    outcome.problems.extend(vacuous(world, connections, ban.written));
    if !outcome.problems.is_empty() {
        return outcome;
    }
    let mut used = vec![false; exceptions.len()];
    let mut violations = Violations::default();
    visit(world, connections, Denied::Skip, |block| {
        let mut goes_on = true;
        for block in cut_by(block, &exceptions) {
            let banned = block.wanted.intersection(&may_pass(&block.traffic, ban.undefined));
            if banned.is_empty() {
                continue;
            }
            if exceptions.is_empty() {
                goes_on &= violations.of_block(world, &block, |_, _| banned.clone());
                continue;
            }
            for (from, to) in block.pairs(world) {
                let mut left = banned.clone();
                for (exception, used) in exceptions.iter().zip(&mut used) {
                    let excused = exception.excused(world, (&from, &to), &block);
                    *used |= !left.intersection(&excused).is_empty();
                    left = left.difference(&excused);
                }
                if !left.is_empty() {
                    goes_on &= violations.pair(world, (&from, &to), &left);
                }
            }
        }
        goes_on
    });
    let complete = !violations.is_full();
    let unused = ban.except.iter().zip(&used).filter(|(_, used)| complete && !**used);
    outcome.notes.extend(unused.map(|(scope, _)| {
        format!("the exception {scope} excuses nothing: no such connection is allowed")
    }));
    outcome.problems.extend(violations.into_problem(ProblemKind::Verdict, ban.message, ban.span));
    outcome
}

/// What may get through.
pub(crate) fn may_pass(traffic: &PairTraffic, undefined: OnUndefined) -> Traffic {
    match undefined {
        OnUndefined::Fail => traffic.allowed.union(&traffic.undefined),
        OnUndefined::Pass => traffic.allowed.clone(),
    }
}

/// A block of addresses in pieces that lie wholly inside or outside of each exception.
fn cut_by(block: &Block, exceptions: &[Exception<'_>]) -> Vec<Block> {
    let mut blocks = vec![block.clone()];
    for exception in exceptions {
        for (direction, set) in [
            (Direction::Ingress, &exception.from.outside),
            (Direction::Egress, &exception.to.outside),
        ] {
            blocks = blocks.into_iter().flat_map(|block| cut(block, direction, set)).collect();
        }
    }
    blocks
}

fn cut(block: Block, direction: Direction, set: &net_types::AddressSet) -> Vec<Block> {
    let half = match direction {
        Direction::Ingress => &block.from,
        Direction::Egress => &block.to,
    };
    let Half::Outside(piece) = half else { return vec![block] };
    let (inside, rest) = (piece.intersection(set), piece.difference(set));
    if inside.is_empty() || rest.is_empty() {
        return vec![block];
    }
    [inside, rest]
        .into_iter()
        .map(|piece| match direction {
            Direction::Ingress => Block { from: Half::Outside(piece), ..block.clone() },
            Direction::Egress => Block { to: Half::Outside(piece), ..block.clone() },
        })
        .collect()
}

/// Says so where the scope has no pair of ends at all that a policy could speak of.
pub(crate) fn vacuous(
    world: &World<'_>,
    connections: Connections<'_>,
    scope: &Scope,
) -> Option<Problem> {
    let mut found = false;
    visit(world, connections, Denied::Visit, |block| {
        found = block.pairs(world).next().is_some();
        !found
    });
    (!found).then(|| no_connection(scope))
}

/// For sets that are needed but have nobody in them.
pub(crate) fn no_pods(set: &impl std::fmt::Display, span: SourceSpan) -> Problem {
    nothing(format!("`{set}` selects no pods"), span)
}
