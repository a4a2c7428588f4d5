//! What the engine says of the connections that are tried.

use super::cells::{Question, Target};
use super::{Expected, ExpectedVerdict};
use crate::world::World;
use finding_model::SourceSpan;
use net_types::Protocol;
use policy_engine::{Cause, Decision, End, Side, Verdict};

/// `None` where nothing is to be expected: the Service leads nowhere.
pub(super) fn expected(world: &World, question: &Question) -> Option<Expected> {
    let plan = &world.plan;
    let from = world.end(question.from, question.source(plan)?);
    let (protocol, port) = (question.protocol, question.port);
    match question.to {
        Target::Host(host) => {
            let to = world.end(host, question.address);
            Some(expected_between(world, (&from, &to), protocol, port))
        }
        Target::Service(place) => {
            let service = plan.snapshot.services.get(place)?;
            let decided = world.enforced.decide_service(&from, service, protocol, port).ok()?;
            let decisions: Vec<Decision> =
                decided.endpoints.iter().map(|(_, _, decision)| *decision).collect();
            Some(world.of_decisions(decided.verdict, &decisions))
        }
    }
}

/// What the engine says of a connection without Services.
pub(crate) fn expected_between(
    world: &World,
    (from, to): (&End, &End),
    protocol: Protocol,
    port: u16,
) -> Expected {
    let decision = world.enforced.decide(from, to, protocol, port);
    world.of_decisions(decision.verdict, &[decision])
}

impl World {
    fn of_decisions(&self, verdict: Verdict, all: &[Decision]) -> Expected {
        let mut whys: Vec<String> = Vec::new();
        for decision in all {
            let sides = [("egress", decision.egress), ("ingress", decision.ingress)];
            let sides = sides.map(|(name, side)| format!("{name}: {}", self.side(side)));
            let why = sides.join(" · ");
            if !whys.contains(&why) {
                whys.push(why);
            }
        }
        let verdict = match verdict {
            Verdict::Allow => ExpectedVerdict::Allow,
            Verdict::Deny => ExpectedVerdict::Deny,
            Verdict::Undefined => ExpectedVerdict::Undefined,
        };
        Expected { verdict, why: whys.join(", or ") }
    }

    fn side(&self, Side { verdict, cause, reasons: _ }: Side) -> String {
        let program = &self.enforced;
        let by = match cause {
            Cause::Rule(rule) => match program.rule_ref(rule) {
                Some(reference) => {
                    let span = program.rule(rule).and_then(|rule| rule.span);
                    format!("by {reference}{}", self.place(span))
                }
                None => "by a rule that is gone".to_owned(),
            },
            Cause::Isolation(_) => match program.deciding_policy(cause) {
                Some(policy) => {
                    format!("by {}, of which no rule matches{}", policy.id, self.place(policy.span))
                }
                None => "by default".to_owned(),
            },
            Cause::NoPolicy => "because no policy speaks".to_owned(),
            Cause::NotAPod => "because it is no pod".to_owned(),
            Cause::OwnNode => "because it is the pod's own node".to_owned(),
            Cause::SelfTraffic => "because it is the pod itself".to_owned(),
        };
        format!("{verdict} {by}")
    }

    fn place(&self, span: Option<SourceSpan>) -> String {
        span.map_or_else(String::new, |span| format!(" ({})", self.files.place(span)))
    }
}
