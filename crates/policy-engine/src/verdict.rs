//! Verdicts, and what decided them.

use crate::fork::Span;
use crate::ids::PolicyIx;
use crate::profile::Profile;
use crate::program::Program;
use crate::semantics::Reasons;
use policy_model::{Direction, Policy, PolicyId, Rule, RuleRef, Tier};
use std::fmt;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    Allow,
    Deny,
    /// The API or the input leaves it open; the decision's reasons say what.
    Undefined,
}

impl Verdict {
    pub(crate) fn of(span: &Span<bool>) -> Self {
        match (span.must, span.may) {
            (true, _) => Self::Allow,
            (false, true) => Self::Undefined,
            (false, false) => Self::Deny,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Undefined => "undefined",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A rule of a program. It stays valid until its policy is changed or removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleId {
    policy: PolicyIx,
    direction: Direction,
    rule: usize,
}

impl RuleId {
    pub(crate) fn of(profile: &Profile, direction: Direction, rule: usize) -> Option<Self> {
        let slot = profile.rules.get(rule)?;
        Some(Self { policy: slot.policy, direction, rule: slot.rule })
    }

    pub fn direction(self) -> Direction {
        self.direction
    }

    /// Counts from 0 within the policy's direction.
    pub fn index(self) -> usize {
        self.rule
    }
}

/// Why a side answered as it did. For an undefined verdict, what decides in the first reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    Rule(RuleId),
    /// NetworkPolicies isolate the pod and none of their rules matched; the first of them, which is one
    /// without rules if there is any.
    Isolation(PolicyIx),
    /// No policy that selects the pod spoke.
    NoPolicy,
    /// Policies have only pods as subjects.
    NotAPod,
    /// Traffic from the node that the pod runs on.
    OwnNode,
    /// A pod to its own address.
    SelfTraffic,
}

/// The tier that decided a side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DecidingTier {
    Admin,
    NetworkPolicy,
    Baseline,
    /// No policy spoke.
    Default,
}

impl DecidingTier {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "Admin",
            Self::NetworkPolicy => "NetworkPolicy",
            Self::Baseline => "Baseline",
            Self::Default => "Default",
        }
    }
}

impl fmt::Display for DecidingTier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Side {
    pub verdict: Verdict,
    pub cause: Cause,
    /// Empty unless the verdict is undefined.
    pub reasons: Reasons,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    pub verdict: Verdict,
    pub egress: Side,
    pub ingress: Side,
    /// Empty unless the verdict is undefined.
    pub reasons: Reasons,
}

impl Decision {
    pub(crate) fn self_traffic() -> Self {
        let side =
            Side { verdict: Verdict::Allow, cause: Cause::SelfTraffic, reasons: Reasons::NONE };
        Self { verdict: Verdict::Allow, egress: side, ingress: side, reasons: Reasons::NONE }
    }

    pub(crate) fn no_such_pod() -> Self {
        let side = Side { verdict: Verdict::Deny, cause: Cause::NotAPod, reasons: Reasons::NONE };
        Self { verdict: Verdict::Deny, egress: side, ingress: side, reasons: Reasons::NONE }
    }

    pub fn side(&self, direction: Direction) -> &Side {
        match direction {
            Direction::Ingress => &self.ingress,
            Direction::Egress => &self.egress,
        }
    }
}

impl Program {
    /// The policy that decided, if one did.
    pub fn deciding_policy(&self, cause: Cause) -> Option<&Policy> {
        match cause {
            Cause::Rule(rule) => self.policy_of(rule),
            Cause::Isolation(policy) => self.compiled(policy).map(|compiled| &compiled.policy),
            Cause::NoPolicy | Cause::NotAPod | Cause::OwnNode | Cause::SelfTraffic => None,
        }
    }

    pub fn deciding_tier(&self, cause: Cause) -> DecidingTier {
        self.deciding_policy(cause).map_or(DecidingTier::Default, |policy| match policy.tier {
            Tier::Admin => DecidingTier::Admin,
            Tier::NetworkPolicy => DecidingTier::NetworkPolicy,
            Tier::Baseline => DecidingTier::Baseline,
        })
    }

    pub fn policy_of(&self, rule: RuleId) -> Option<&Policy> {
        self.compiled(rule.policy).map(|compiled| &compiled.policy)
    }

    pub fn rule(&self, rule: RuleId) -> Option<&Rule> {
        self.policy_of(rule)?.rules(rule.direction)?.get(rule.rule)
    }

    /// `None` if the policy was changed or removed.
    pub fn rule_ref(&self, rule: RuleId) -> Option<RuleRef> {
        let policy: PolicyId = self.policy_of(rule)?.id.clone();
        Some(RuleRef { policy, direction: rule.direction, rule: rule.rule })
    }

    pub fn rule_id(&self, rule: &RuleRef) -> Option<RuleId> {
        let policy = *self.by_id.get(&rule.policy)?;
        let id = RuleId { policy, direction: rule.direction, rule: rule.rule };
        self.rule(id).map(|_| id)
    }
}
