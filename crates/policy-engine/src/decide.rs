//! Where a verdict is decided: the first matching rule of a profile.
//!
//! Every answer of the engine, for one packet or for all pairs, comes from [`decide`]. It takes the
//! rules that match, as bits in precedence order, and walks the tiers as
//! `docs/design/semantics.md` says.

use crate::bits::RuleBits;
use crate::semantics::{Reason, Reasons};
use crate::shape::{Group, Shape};
use policy_model::Action;

/// What one side may answer over all readings of the matching rules. At least one is true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) allow: bool,
    pub(crate) deny: bool,
    /// Why both are possible; empty otherwise.
    pub(crate) reasons: Reasons,
    /// What decided, or what decides in the first of several readings.
    pub(crate) decider: Decider,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decider {
    /// An index into the profile's rules.
    Rule(usize),
    /// A NetworkPolicy isolates the pod and no rule matched.
    Isolation,
    /// No policy spoke.
    Default,
}

/// How the NetworkPolicy tier treats the packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProtocolRule {
    Defined,
    /// The API leaves it to the implementation.
    Undefined,
    /// A pod's connection to itself, read as one that NetworkPolicy does not filter.
    Unfiltered,
}

/// `certain`: rules that match in every reading; `possible` has those and the rules that may match.
pub(crate) fn decide(
    shape: &Shape,
    certain: &RuleBits,
    possible: &RuleBits,
    protocol: ProtocolRule,
) -> Outcome {
    let admin = walk_tier(shape, &shape.admin, certain, possible);
    let mut outcome = Outcome {
        allow: admin.allow,
        deny: admin.deny,
        reasons: admin.reasons,
        decider: admin.decider(Decider::Default),
    };
    if admin.pass || admin.open {
        let decider = if shape.is_isolated {
            isolated(shape, certain, possible, protocol, &mut outcome)
        } else {
            let baseline = walk_tier(shape, &shape.baseline, certain, possible);
            outcome.allow |= baseline.allow || baseline.pass || baseline.open;
            outcome.deny |= baseline.deny;
            outcome.reasons = outcome.reasons.union(baseline.reasons);
            baseline.decider(Decider::Default)
        };
        if !admin.decided_first() {
            outcome.decider = decider;
        }
    }
    if !(outcome.allow && outcome.deny) {
        outcome.reasons = Reasons::NONE;
    }
    outcome
}

/// The NetworkPolicy tier of an isolated pod: any matching rule allows, else the default denies.
fn isolated(
    shape: &Shape,
    certain: &RuleBits,
    possible: &RuleBits,
    protocol: ProtocolRule,
    outcome: &mut Outcome,
) -> Decider {
    let first = possible.first_in(&shape.network_policy);
    match protocol {
        ProtocolRule::Undefined => {
            outcome.allow = true;
            outcome.deny = true;
            outcome.reasons = outcome.reasons.with(Reason::OtherProtocol);
        }
        ProtocolRule::Unfiltered => outcome.allow = true,
        ProtocolRule::Defined => {
            outcome.allow |= first.is_some();
            if certain.first_in(&shape.network_policy).is_none() {
                outcome.deny = true;
                if first.is_some() {
                    outcome.reasons = outcome.reasons.with(Reason::DomainNames);
                }
            }
        }
    }
    first.map_or(Decider::Isolation, Decider::Rule)
}

/// What a tier of ordered policies may do.
#[derive(Default)]
struct TierOutcome {
    allow: bool,
    deny: bool,
    pass: bool,
    /// Possibly no rule matched.
    open: bool,
    reasons: Reasons,
    first: Option<(usize, Action)>,
}

impl TierOutcome {
    fn decided_first(&self) -> bool {
        matches!(self.first, Some((_, Action::Accept | Action::Deny)))
    }

    fn decider(&self, otherwise: Decider) -> Decider {
        match self.first {
            Some((rule, Action::Accept | Action::Deny)) => Decider::Rule(rule),
            Some((_, Action::Pass)) | None => otherwise,
        }
    }
}

fn walk_tier(
    shape: &Shape,
    groups: &[Group],
    certain: &RuleBits,
    possible: &RuleBits,
) -> TierOutcome {
    let mut tier = TierOutcome::default();
    for group in groups {
        if possible.first_in(&group.span).is_none() {
            continue;
        }
        let mut matched = false;
        let mut n_matching = 0;
        for policy in &group.policies {
            let mut from = policy.start;
            while let Some(rule) = possible.first_in(&(from..policy.end)) {
                tier.take(rule, shape.action(rule));
                n_matching += usize::from(from == policy.start);
                if certain.contains(rule) {
                    matched = true;
                    break;
                }
                tier.reasons = tier.reasons.with(Reason::DomainNames);
                from = rule + 1;
            }
        }
        if n_matching > 1 {
            tier.reasons = tier.reasons.with(Reason::SamePriority);
        }
        if matched {
            return tier;
        }
    }
    tier.open = true;
    tier
}

impl TierOutcome {
    fn take(&mut self, rule: usize, action: Action) {
        match action {
            Action::Accept => self.allow = true,
            Action::Deny => self.deny = true,
            Action::Pass => self.pass = true,
        }
        self.first.get_or_insert((rule, action));
    }
}
