//! How a verdict came about.

use policy_model::{Action, PolicyId, RuleRef};
use std::fmt;
use std::sync::Arc;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FlowVerdict {
    Allow,
    Deny,
}

impl FlowVerdict {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        }
    }
}

impl fmt::Display for FlowVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A verdict of one side, and what decided it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    pub verdict: FlowVerdict,
    pub decider: Decider,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decider {
    Rule(Arc<RuleMention>),
    /// No rule matched, and these NetworkPolicies isolate the pod; those without rules first. Not empty.
    DefaultDeny(Arc<[PolicyMention]>),
    /// No policy that selects the pod spoke.
    NoPolicy,
    /// Traffic of the node to its own pods needs no rule.
    OwnNode,
    /// Nor does that of a pod to its own address.
    SelfTraffic,
    /// The pod's policies had not been written yet, and it is open until they are.
    NoPolicyYet,
    /// The pod's policies did not get into the kernel's tables, so everything is denied.
    DenyEverything,
    /// A rule of one of these did, and whoever reported it does not say which. Not empty.
    Policies(Arc<[PolicyMention]>),
    /// The tables that decided are no longer known here, or another reporter says nothing of a policy.
    Unknown(Option<TableBit>),
}

/// What a kernel names a rule by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableBit {
    pub profile: u32,
    pub bit: u16,
}

/// A rule as it was when it decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleMention {
    pub rule: RuleRef,
    pub action: Action,
    /// Cluster-scoped kinds may name their rules.
    pub name: Option<String>,
    /// Where the policy came from a file.
    pub place: Option<Place>,
}

/// A policy as it was when it decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyMention {
    pub policy: PolicyId,
    /// Where the policy came from a file.
    pub place: Option<Place>,
}

/// Where a rule or a policy is written. Lines and columns count from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub file: String,
    pub line: u32,
    pub column: u32,
}

/// `file:line:column`.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}
