//! What each reading of an undefined side answers.

use super::Question;
use crate::evaluate::Readings;
use crate::facts::{HostReading, Locality, Loopback, PeerRules};
use crate::fork::Span;
use crate::program::Program;
use crate::semantics::Reason;
use crate::side::{Oriented, SideQuestion};
use crate::verdict::{Cause, RuleId, Side, Verdict};
use net_types::Family;
use policy_model::{Action, Direction, PolicyId};
use smallvec::smallvec;

/// One thing that is left open, and what follows from each way to settle it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fork {
    pub reason: Reason,
    pub readings: Vec<Reading>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    pub assumed: Assumed,
    /// The side's answer. `Undefined` where another fork stays open, `None` where the rule passes the
    /// connection on to the next tier.
    pub verdict: Option<Verdict>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Assumed {
    /// NetworkPolicy treats host-network pods as their nodes.
    HostNetworkIsNode,
    /// NetworkPolicy treats host-network pods like any other.
    HostNetworkIsPod,
    Family(Family),
    /// The source is the node that the pod runs on.
    OwnNode,
    OtherNode,
    /// The unknown address is such that this decides.
    AddressDecides(Cause),
    /// The unknown node's labels are such that this decides.
    LabelsDecide(Cause),
    /// The address belongs to a domain name that a rule lists.
    NameMatches,
    NameDiffers,
    /// Of the policies with one priority, this one is applied first.
    AppliedFirst {
        policy: PolicyId,
        rule: RuleId,
    },
    /// The implementation lets protocols without ports through.
    ImplementationAllows,
    ImplementationDenies,
    /// A pod's connection to itself through a Service is not filtered.
    HairpinIsOpen,
    HairpinIsFiltered,
    /// `ipBlock` is compared with the Service's address, before DNAT.
    BeforeDnat,
    AfterDnat,
}

/// One evaluation of a side.
struct Evaluated {
    local: Locality,
    cause: Cause,
    answer: Span<bool>,
    /// The answer if no domain name matches.
    unnamed: Span<bool>,
}

impl Program {
    pub(super) fn forks(&self, question: &Question, direction: Direction, side: Side) -> Vec<Fork> {
        if side.verdict != Verdict::Undefined {
            return Vec::new();
        }
        let (Some(source), Some(destination)) =
            (self.facts(&question.from), self.facts(&question.to))
        else {
            return Vec::new();
        };
        let ends = Oriented { direction, source: &source, destination: &destination };
        let readings = self.shared_readings(&source, &destination);
        let fork =
            |reason| Fork { reason, readings: self.readings_of(reason, question, ends, &readings) };
        side.reasons.iter().map(fork).collect()
    }

    fn readings_of(
        &self,
        reason: Reason,
        question: &Question,
        ends: Oriented<'_>,
        shared: &Readings,
    ) -> Vec<Reading> {
        let two = |[(a, x), (b, y)]: [(Assumed, Verdict); 2]| {
            vec![Reading { assumed: a, verdict: Some(x) }, Reading { assumed: b, verdict: Some(y) }]
        };
        let under = |readings: &Readings| self.verdict_under(question, ends, readings);
        match reason {
            Reason::HostNetwork => (shared.host.iter())
                .map(|host| {
                    let alone = Readings { host: smallvec![*host], ..shared.clone() };
                    let assumed = match host {
                        HostReading::AsNode => Assumed::HostNetworkIsNode,
                        HostReading::AsPod => Assumed::HostNetworkIsPod,
                    };
                    Reading { assumed, verdict: Some(under(&alone)) }
                })
                .collect(),
            Reason::AddressFamily => (shared.families.iter())
                .filter_map(|families| {
                    let alone =
                        Readings { families: smallvec![families.clone()], ..shared.clone() };
                    let family = *families.first()?.first()?;
                    let verdict = Some(under(&alone));
                    Some(Reading { assumed: Assumed::Family(family), verdict })
                })
                .collect(),
            Reason::PodAddress => {
                by_cause(self.evaluate_all(question, ends, shared), Assumed::AddressDecides)
            }
            Reason::NodeLabels => {
                by_cause(self.evaluate_all(question, ends, shared), Assumed::LabelsDecide)
            }
            Reason::NodeLocality => {
                let all = self.evaluate_all(question, ends, shared);
                let remote = all.filter(|one| one.local != Locality::Local).map(|one| one.answer);
                two([(Assumed::OwnNode, Verdict::Allow), (Assumed::OtherNode, verdict_of(remote))])
            }
            Reason::DomainNames => {
                let all = self.evaluate_all(question, ends, shared);
                let unnamed = verdict_of(all.map(|one| one.unnamed));
                two([(Assumed::NameMatches, Verdict::Allow), (Assumed::NameDiffers, unnamed)])
            }
            Reason::SamePriority => self.same_priority(question, ends.direction),
            Reason::OtherProtocol => two([
                (Assumed::ImplementationAllows, Verdict::Allow),
                (Assumed::ImplementationDenies, Verdict::Deny),
            ]),
            Reason::Hairpin => {
                let open = Readings { loopback: smallvec![Loopback::Open], ..shared.clone() };
                two([
                    (Assumed::HairpinIsOpen, under(&open)),
                    (Assumed::HairpinIsFiltered, under(shared)),
                ])
            }
            Reason::ServiceAddress => {
                let after = under(shared);
                two([(Assumed::BeforeDnat, other_than(after)), (Assumed::AfterDnat, after)])
            }
            Reason::ServiceEndpoint => Vec::new(),
        }
    }

    fn verdict_under(
        &self,
        question: &Question,
        ends: Oriented<'_>,
        readings: &Readings,
    ) -> Verdict {
        let rule = self.protocol_rule(question.protocol);
        let packet = (question.protocol, question.port);
        Verdict::of(&self.fork_side(ends, readings, |side, rules| {
            let outcome = side.outcome(rules, packet, rule);
            Span { must: !outcome.deny, may: outcome.allow, reasons: outcome.reasons }
        }))
    }

    /// Every evaluation under the shared readings; at least one, which allows where no policy is asked.
    fn evaluate_all(
        &self,
        question: &Question,
        ends: Oriented<'_>,
        readings: &Readings,
    ) -> impl Iterator<Item = Evaluated> {
        let rule = self.protocol_rule(question.protocol);
        let packet = (question.protocol, question.port);
        let mut all: Vec<Evaluated> = Vec::new();
        self.fork_side(ends, readings, |side: &SideQuestion<'_>, rules: &PeerRules| {
            let outcome = side.outcome(rules, packet, rule);
            let answer = Span { must: !outcome.deny, may: outcome.allow, reasons: outcome.reasons };
            let certain = PeerRules { possible: rules.certain.clone(), ..rules.clone() };
            let without = side.outcome(&certain, packet, rule);
            let unnamed =
                Span { must: !without.deny, may: without.allow, reasons: without.reasons };
            let cause = crate::evaluate::cause_of(side, outcome.decider);
            all.push(Evaluated { local: rules.local, cause, answer: answer.clone(), unnamed });
            answer
        });
        if all.is_empty() {
            let open = Span::everything();
            let cause = Cause::NoPolicy;
            all.push(Evaluated {
                local: Locality::Remote,
                cause,
                answer: open.clone(),
                unnamed: open,
            });
        }
        all.into_iter()
    }

    /// The first matching rule of each policy of the first priority where several match.
    fn same_priority(&self, question: &Question, direction: Direction) -> Vec<Reading> {
        let ends = (&question.from, &question.to);
        let matching = self.matching_rules(direction, ends, question.protocol, question.port);
        let mut firsts: Vec<(RuleId, &policy_model::Policy)> = Vec::new();
        for rule in matching {
            let Some(policy) = self.policy_of(rule) else { continue };
            if firsts.iter().all(|(_, known)| known.id != policy.id) {
                firsts.push((rule, policy));
            }
        }
        let order = |policy: &policy_model::Policy| (policy.tier, policy.priority);
        let groups = firsts.chunk_by(|(_, a), (_, b)| order(a) == order(b));
        let ordered = |group: &&[(RuleId, &policy_model::Policy)]| {
            let in_order =
                group.first().is_some_and(|(_, p)| p.tier != policy_model::Tier::NetworkPolicy);
            in_order && group.len() > 1
        };
        let group = groups.into_iter().find(ordered).unwrap_or_default();
        let reading = |(rule, policy): &(RuleId, &policy_model::Policy)| Reading {
            assumed: Assumed::AppliedFirst { policy: policy.id.clone(), rule: *rule },
            verdict: match self.action_of(*rule) {
                Some(Action::Accept) => Some(Verdict::Allow),
                Some(Action::Deny) => Some(Verdict::Deny),
                Some(Action::Pass) | None => None,
            },
        };
        group.iter().map(reading).collect()
    }
}

/// What the one reading must answer for both to differ.
fn other_than(verdict: Verdict) -> Verdict {
    match verdict {
        Verdict::Allow => Verdict::Deny,
        Verdict::Deny => Verdict::Allow,
        Verdict::Undefined => Verdict::Undefined,
    }
}

fn by_cause(
    all: impl Iterator<Item = Evaluated>,
    decides: impl Fn(Cause) -> Assumed,
) -> Vec<Reading> {
    let mut readings: Vec<Reading> = Vec::new();
    for Evaluated { cause, answer, .. } in all {
        let reading = Reading { assumed: decides(cause), verdict: Some(Verdict::of(&answer)) };
        if !readings.contains(&reading) {
            readings.push(reading);
        }
    }
    readings
}

fn verdict_of(answers: impl Iterator<Item = Span<bool>>) -> Verdict {
    let any = Span::fork(answers, Reason::PodAddress);
    any.map_or(Verdict::Allow, |span| Verdict::of(&span))
}
