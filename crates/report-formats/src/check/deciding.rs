//! What decided a side: tier, policy, rule and where it is written.

use finding_model::SourceFiles;
use policy_engine::{Cause, DecidingTier, Program};
use policy_model::{Policy, PolicyKind};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Deciding<'a> {
    pub(crate) tier: DecidingTier,
    /// `None` where no policy spoke.
    pub(crate) policy: Option<DecidingPolicy<'a>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DecidingPolicy<'a> {
    pub(crate) kind: PolicyKind,
    /// `shop/web-out`.
    pub(crate) path: String,
    /// `None` where its isolation denied.
    pub(crate) rule: Option<DecidingRule<'a>>,
    /// File and line of the rule, or else of the policy.
    pub(crate) place: Option<(&'a str, u32)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DecidingRule<'a> {
    /// From 0 in the policy's direction.
    pub(crate) index: usize,
    pub(crate) name: Option<&'a str>,
}

impl<'a> Deciding<'a> {
    pub(crate) fn of(program: &'a Program, files: &'a SourceFiles, cause: Cause) -> Self {
        let policy = program.deciding_policy(cause);
        Self {
            tier: program.deciding_tier(cause),
            policy: policy.map(|policy| deciding_policy(program, files, (policy, cause))),
        }
    }
}

fn deciding_policy<'a>(
    program: &'a Program,
    files: &'a SourceFiles,
    (policy, cause): (&'a Policy, Cause),
) -> DecidingPolicy<'a> {
    let rule = match cause {
        Cause::Rule(id) => program.rule(id).map(|rule| (id.index(), rule)),
        Cause::Isolation(_)
        | Cause::NoPolicy
        | Cause::NotAPod
        | Cause::OwnNode
        | Cause::SelfTraffic => None,
    };
    let span = rule.and_then(|(_, rule)| rule.span).or(policy.span);
    DecidingPolicy {
        kind: policy.id.kind,
        path: policy.id.path(),
        rule: rule.map(|(index, rule)| DecidingRule { index, name: rule.name.as_deref() }),
        place: span.map(|span| (files.name(span.file), span.line)),
    }
}
