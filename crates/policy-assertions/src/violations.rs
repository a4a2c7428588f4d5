//! Collects the connections that break a claim: a few to show, all of them (up to a bound) to count.

use crate::blocks::Block;
use crate::members::problem;
use crate::results::{Example, Problem, ProblemKind};
use crate::witness::{Packet, example_of, witness};
use crate::world::World;
use finding_model::SourceSpan;
use net_types::Traffic;
use policy_engine::{Decision, End};

/// Who reads a hundred examples?
const MOST_SHOWN: usize = 5;

/// Counting stops here: the claim is broken, whatever the exact number.
const MOST_COUNTED: usize = 1_000;

#[derive(Debug, Default)]
pub(crate) struct Violations {
    examples: Vec<Example>,
    n_examples: usize,
}

impl Violations {
    pub(crate) fn is_empty(&self) -> bool {
        self.n_examples == 0
    }

    pub(crate) fn is_full(&self) -> bool {
        self.n_examples >= MOST_COUNTED
    }

    /// Whether another example would be shown.
    pub(crate) fn wants_examples(&self) -> bool {
        self.examples.len() < MOST_SHOWN
    }

    /// One that is not worth showing. Returns false when there are enough.
    pub(crate) fn count(&mut self) -> bool {
        self.n_examples += 1;
        !self.is_full()
    }

    /// The pairs of a block, each with the traffic that breaks the claim; none of it means none.
    /// Returns false when there are enough.
    pub(crate) fn of_block(
        &mut self,
        world: &World<'_>,
        block: &Block,
        broken: impl Fn(&End, &End) -> Traffic,
    ) -> bool {
        for (from, to) in block.pairs(world) {
            let broken = broken(&from, &to);
            if !broken.is_empty() && !self.pair(world, (&from, &to), &broken) {
                return false;
            }
        }
        true
    }

    /// Returns false when there are enough.
    pub(crate) fn pair(&mut self, world: &World<'_>, ends: (&End, &End), broken: &Traffic) -> bool {
        if self.examples.len() < MOST_SHOWN
            && let Some(packet) = example_of(world, ends, broken)
        {
            let decision = packet.decide(world);
            let witness = witness(world, &packet, &decision);
            self.examples.push(Example::Connection(Box::new(witness)));
        }
        self.count()
    }

    pub(crate) fn packet(&mut self, world: &World<'_>, packet: &Packet<'_>, decision: &Decision) {
        self.example(Example::Connection(Box::new(witness(world, packet, decision))));
    }

    pub(crate) fn example(&mut self, example: Example) {
        if self.examples.len() < MOST_SHOWN {
            self.examples.push(example);
        }
        self.n_examples += 1;
    }

    /// The problem, if there is one.
    pub(crate) fn into_problem(
        self,
        kind: ProblemKind,
        message: impl Into<String>,
        span: SourceSpan,
    ) -> Option<Problem> {
        let and_more = self.is_full();
        let Self { examples, n_examples } = self;
        (n_examples > 0).then(|| Problem {
            examples,
            n_examples,
            and_more,
            ..problem(kind, message.into(), span)
        })
    }
}
