//! A verdict and what decided it, as JSON has them.

use super::words::{ActionWord, DirectionWord, PolicyKindWord, VerdictWord};
use crate::Problem;
use flow_model::{Decider, FlowVerdict, Place, PolicyMention, RuleMention, TableBit, Trace};
use policy_model::{Action, Direction, PolicyId, PolicyKind, RuleRef};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::sync::Arc;

#[derive(Serialize, Deserialize)]
pub(crate) struct TraceLine<'a> {
    #[serde(with = "VerdictWord")]
    verdict: FlowVerdict,
    by: By,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    rule: Option<RuleLine<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    policies: Vec<MentionLine<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    profile: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bit: Option<u16>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum By {
    Rule,
    DefaultDeny,
    NoPolicy,
    OwnNode,
    SelfTraffic,
    NoPolicyYet,
    DenyEverything,
    Policies,
    Unknown,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct PolicyLine<'a> {
    #[serde(with = "PolicyKindWord")]
    kind: PolicyKind,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    namespace: Option<Cow<'a, str>>,
    #[serde(borrow)]
    name: Cow<'a, str>,
}

/// A policy with its place.
#[derive(Serialize, Deserialize)]
struct MentionLine<'a> {
    #[serde(with = "PolicyKindWord")]
    kind: PolicyKind,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    namespace: Option<Cow<'a, str>>,
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    file: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    line: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    column: Option<u32>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct RuleLine<'a> {
    #[serde(borrow)]
    policy: PolicyLine<'a>,
    #[serde(with = "DirectionWord")]
    direction: Direction,
    rule: usize,
    #[serde(with = "ActionWord")]
    action: Action,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    name: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    file: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    line: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    column: Option<u32>,
}

pub(crate) fn rule_lines(rules: &[Arc<RuleMention>]) -> Vec<RuleLine<'_>> {
    rules.iter().map(|rule| RuleLine::of(rule)).collect()
}

pub(crate) fn rules(lines: Vec<RuleLine<'_>>) -> Result<Vec<Arc<RuleMention>>, Problem> {
    lines.into_iter().map(|line| line.read().map(Arc::new)).collect()
}

impl<'a> TraceLine<'a> {
    pub(crate) fn of(trace: &'a Trace) -> Self {
        let Trace { verdict, decider } = trace;
        let blank = |by| Self {
            verdict: *verdict,
            by,
            rule: None,
            policies: Vec::new(),
            profile: None,
            bit: None,
        };
        let lines = |policies: &'a [PolicyMention]| policies.iter().map(MentionLine::of).collect();
        match decider {
            Decider::Rule(rule) => Self { rule: Some(RuleLine::of(rule)), ..blank(By::Rule) },
            Decider::DefaultDeny(policies) => {
                Self { policies: lines(policies), ..blank(By::DefaultDeny) }
            }
            Decider::NoPolicy => blank(By::NoPolicy),
            Decider::OwnNode => blank(By::OwnNode),
            Decider::SelfTraffic => blank(By::SelfTraffic),
            Decider::NoPolicyYet => blank(By::NoPolicyYet),
            Decider::DenyEverything => blank(By::DenyEverything),
            Decider::Policies(policies) => {
                Self { policies: lines(policies), ..blank(By::Policies) }
            }
            Decider::Unknown(None) => blank(By::Unknown),
            Decider::Unknown(Some(TableBit { profile, bit })) => {
                Self { profile: Some(*profile), bit: Some(*bit), ..blank(By::Unknown) }
            }
        }
    }

    pub(crate) fn read(self) -> Result<Trace, Problem> {
        let Self { verdict, by, rule, policies, profile, bit } = self;
        let listed = || -> Result<Arc<[PolicyMention]>, Problem> {
            if policies.is_empty() {
                return Err(Problem::Missing("policies"));
            }
            policies.into_iter().map(MentionLine::read).collect()
        };
        let decider = match by {
            By::Rule => Decider::Rule(Arc::new(rule.ok_or(Problem::Missing("rule"))?.read()?)),
            By::DefaultDeny => Decider::DefaultDeny(listed()?),
            By::NoPolicy => Decider::NoPolicy,
            By::OwnNode => Decider::OwnNode,
            By::SelfTraffic => Decider::SelfTraffic,
            By::NoPolicyYet => Decider::NoPolicyYet,
            By::DenyEverything => Decider::DenyEverything,
            By::Policies => Decider::Policies(listed()?),
            By::Unknown => match (profile, bit) {
                (Some(profile), Some(bit)) => Decider::Unknown(Some(TableBit { profile, bit })),
                (None, None) => Decider::Unknown(None),
                (Some(_), None) => return Err(Problem::Missing("bit")),
                (None, Some(_)) => return Err(Problem::Missing("profile")),
            },
        };
        Ok(Trace { verdict, decider })
    }
}

impl<'a> PolicyLine<'a> {
    pub(crate) fn of(policy: &'a PolicyId) -> Self {
        let PolicyId { kind, namespace, name } = policy;
        Self {
            kind: *kind,
            namespace: namespace.as_deref().map(Cow::Borrowed),
            name: Cow::Borrowed(name),
        }
    }

    pub(crate) fn read(self) -> PolicyId {
        let Self { kind, namespace, name } = self;
        PolicyId { kind, namespace: namespace.map(Cow::into_owned), name: name.into_owned() }
    }
}

impl<'a> MentionLine<'a> {
    fn of(mention: &'a PolicyMention) -> Self {
        let PolicyMention { policy, place } = mention;
        let PolicyLine { kind, namespace, name } = PolicyLine::of(policy);
        let place = place.as_ref();
        Self {
            kind,
            namespace,
            name,
            file: place.map(|place| Cow::Borrowed(place.file.as_str())),
            line: place.map(|place| place.line),
            column: place.map(|place| place.column),
        }
    }

    fn read(self) -> Result<PolicyMention, Problem> {
        let Self { kind, namespace, name, file, line, column } = self;
        let policy = PolicyLine { kind, namespace, name }.read();
        Ok(PolicyMention { policy, place: place("policies", (file, line, column))? })
    }
}

/// All three, or none.
fn place(
    field: &'static str,
    parts: (Option<Cow<'_, str>>, Option<u32>, Option<u32>),
) -> Result<Option<Place>, Problem> {
    match parts {
        (Some(file), Some(line), Some(column)) => {
            Ok(Some(Place { file: file.into_owned(), line, column }))
        }
        (None, None, None) => Ok(None),
        _ => {
            let why = "`file`, `line` and `column` are there together or not at all";
            Err(Problem::Impossible { field, why })
        }
    }
}

impl<'a> RuleLine<'a> {
    fn of(mention: &'a RuleMention) -> Self {
        let RuleMention { rule: RuleRef { policy, direction, rule }, action, name, place } =
            mention;
        let place = place.as_ref();
        Self {
            policy: PolicyLine::of(policy),
            direction: *direction,
            rule: *rule,
            action: *action,
            name: name.as_deref().map(Cow::Borrowed),
            file: place.map(|place| Cow::Borrowed(place.file.as_str())),
            line: place.map(|place| place.line),
            column: place.map(|place| place.column),
        }
    }

    fn read(self) -> Result<RuleMention, Problem> {
        let Self { policy, direction, rule, action, name, file, line, column } = self;
        let place = place("rule", (file, line, column))?;
        Ok(RuleMention {
            rule: RuleRef { policy: policy.read(), direction, rule },
            action,
            name: name.map(Cow::into_owned),
            place,
        })
    }
}
