//! The way to a verdict: tier after tier, what applied, what matched, and what decided.
//!
//! It explains a [`Decision`] and never makes one: the walk is read off the rules that matched and the
//! cause that the decision names. Of an undefined side it is the walk of the first reading, and
//! [`Fork`]s say what the other readings answer.

mod answers;
mod forks;

pub use answers::{Answer, AskedPort, EndSet};
pub use forks::{Assumed, Fork, Reading};

use crate::ends::End;
use crate::program::Program;
use crate::verdict::{Cause, Decision, RuleId, Side};
use net_types::Protocol;
use policy_model::{Action, Direction, Policy, PolicyId, Tier};

/// One connection that is asked about, Services resolved.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Question {
    pub from: End,
    pub to: End,
    pub protocol: Protocol,
    /// The destination port after DNAT; ignored for protocols without ports.
    pub port: u16,
}

impl Question {
    /// The end whose policies answer for the direction.
    pub fn subject(&self, direction: Direction) -> &End {
        match direction {
            Direction::Egress => &self.from,
            Direction::Ingress => &self.to,
        }
    }

    /// The other end.
    pub fn peer(&self, direction: Direction) -> &End {
        match direction {
            Direction::Egress => &self.to,
            Direction::Ingress => &self.from,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    pub question: Question,
    pub decision: Decision,
    pub egress: SideWalk,
    pub ingress: SideWalk,
}

/// How one side came to its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SideWalk {
    pub direction: Direction,
    pub side: Side,
    /// All three in deciding order; empty where the subject is not a pod or nothing was asked.
    pub tiers: Vec<TierStep>,
    /// Policies that select the subject and say nothing of the direction.
    pub other_direction: Vec<PolicyId>,
    /// Empty unless the side is undefined.
    pub forks: Vec<Fork>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TierStep {
    pub tier: Tier,
    /// The policies that apply, in the order in which they decide.
    pub policies: Vec<PolicyStep>,
    pub outcome: TierOutcome,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyStep {
    pub policy: PolicyId,
    /// Its rules that match, in order; in some reading where the side is undefined.
    pub matching: Vec<RuleId>,
}

/// What a tier did with the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TierOutcome {
    /// No policy of the tier applies.
    NoPolicies,
    /// Policies apply, no rule of theirs matches, and the next tier is asked.
    NoMatch,
    /// The rule skips the rest of the tier.
    Passes(RuleId),
    Accepts(RuleId),
    Denies(RuleId),
    /// The pod is isolated and no rule matches.
    DeniesByDefault,
    /// A tier before it decided.
    NotAsked,
}

impl Program {
    /// Decides, and says how.
    pub fn explain(&self, question: &Question) -> Explanation {
        let question = self.settled(question);
        let Question { from, to, protocol, port } = &question;
        let decision = self.decide(from, to, *protocol, *port);
        self.explain_decision(&question, decision)
    }

    /// The question with pods in the place of their addresses.
    pub(crate) fn settled(&self, question: &Question) -> Question {
        let settle = |end: &End| match end {
            End::Address(address) => self.end_at(*address).unwrap_or_else(|_| end.clone()),
            End::Pod(_) | End::Name(_) => end.clone(),
        };
        let (from, to) = (settle(&question.from), settle(&question.to));
        Question { from, to, ..question.clone() }
    }

    /// Says how a decision on the question was made; for decisions on the endpoints of a Service,
    /// which know more than the question.
    pub fn explain_decision(&self, question: &Question, decision: Decision) -> Explanation {
        let question = self.settled(question);
        Explanation {
            decision,
            egress: self.walk(&question, Direction::Egress, decision.egress),
            ingress: self.walk(&question, Direction::Ingress, decision.ingress),
            question,
        }
    }

    /// What the rule does, which is not what is written where an unknown peer makes it a Deny.
    pub fn action_of(&self, rule: RuleId) -> Option<Action> {
        let policy = self.by_id.get(&self.policy_of(rule)?.id)?;
        let rules = self.compiled(*policy)?.rules(rule.direction())?;
        rules.get(rule.index()).map(|rule| rule.action)
    }

    fn walk(&self, question: &Question, direction: Direction, side: Side) -> SideWalk {
        let mut walk = SideWalk {
            direction,
            side,
            tiers: Vec::new(),
            other_direction: Vec::new(),
            forks: Vec::new(),
        };
        let subject = match question.subject(direction) {
            End::Pod(pod) => *pod,
            End::Address(_) | End::Name(_) => return walk,
        };
        let other = match direction {
            Direction::Ingress => Direction::Egress,
            Direction::Egress => Direction::Ingress,
        };
        let speaks = |policy: &&Policy| policy.rules(direction).is_none();
        let silent = self.policies_of(subject, other).into_iter().filter(speaks);
        walk.other_direction = silent.map(|policy| policy.id.clone()).collect();
        // Policies select a host-network pod in a reading that was not taken.
        let on_host = self.pod(subject).is_some_and(|pod| pod.host_network);
        let unasked = matches!(side.cause, Cause::OwnNode | Cause::SelfTraffic | Cause::NotAPod);
        if unasked || on_host && side.cause == Cause::NoPolicy {
            walk.forks = self.forks(question, direction, side);
            return walk;
        }
        let Question { from, to, protocol, port } = question;
        let matching = self.matching_rules(direction, (from, to), *protocol, *port);
        let applying = self.policies_of(subject, direction);
        let decider = self.deciding_policy(side.cause).map(|policy| policy.tier);
        for tier in [Tier::Admin, Tier::NetworkPolicy, Tier::Baseline] {
            let policies: Vec<PolicyStep> = applying
                .iter()
                .filter(|policy| policy.tier == tier)
                .map(|policy| self.policy_step(policy, &matching))
                .collect();
            let outcome = self.tier_outcome(tier, &policies, side.cause, decider);
            walk.tiers.push(TierStep { tier, policies, outcome });
        }
        walk.forks = self.forks(question, direction, side);
        walk
    }

    fn policy_step(&self, policy: &Policy, matching: &[RuleId]) -> PolicyStep {
        let of_policy = |rule: &&RuleId| self.policy_of(**rule).is_some_and(|p| p.id == policy.id);
        PolicyStep {
            policy: policy.id.clone(),
            matching: matching.iter().filter(of_policy).copied().collect(),
        }
    }

    fn tier_outcome(
        &self,
        tier: Tier,
        policies: &[PolicyStep],
        cause: Cause,
        decider: Option<Tier>,
    ) -> TierOutcome {
        if decider.is_some_and(|decider| tier > decider) {
            return TierOutcome::NotAsked;
        }
        if decider == Some(tier) {
            return match cause {
                Cause::Rule(rule) => match self.action_of(rule) {
                    Some(Action::Accept) => TierOutcome::Accepts(rule),
                    Some(Action::Deny | Action::Pass) | None => TierOutcome::Denies(rule),
                },
                Cause::Isolation(_)
                | Cause::NoPolicy
                | Cause::NotAPod
                | Cause::OwnNode
                | Cause::SelfTraffic => TierOutcome::DeniesByDefault,
            };
        }
        let first = policies.iter().flat_map(|policy| &policy.matching).next();
        match first {
            Some(rule) if self.action_of(*rule) == Some(Action::Pass) => TierOutcome::Passes(*rule),
            Some(_) | None if policies.is_empty() => TierOutcome::NoPolicies,
            Some(_) | None => TierOutcome::NoMatch,
        }
    }
}
