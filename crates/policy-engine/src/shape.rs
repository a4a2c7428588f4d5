//! What of a profile decides which traffic a set of matching rules allows.
//!
//! Which policies the rules come from and which peers they admit is not part of it. So most profiles of
//! a cluster share a few shapes, and what is computed about a shape is computed once.

use crate::ports::PortTable;
use policy_model::Action;
use std::ops::Range;

/// Rules ordered Admin, NetworkPolicy, Baseline; all bits index into them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Shape {
    /// By rule. Not the written action where an unknown peer turns a Pass into a Deny.
    pub(crate) actions: Vec<Action>,
    pub(crate) admin: Vec<Group>,
    pub(crate) network_policy: Range<usize>,
    pub(crate) baseline: Vec<Group>,
    /// A NetworkPolicy covers the direction: what none of its rules allows is denied.
    pub(crate) is_isolated: bool,
    pub(crate) ports: PortTable,
}

/// Policies of one priority in one tier, whose order the API leaves open.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Group {
    pub(crate) span: Range<usize>,
    /// The rules of each policy, in order.
    pub(crate) policies: Vec<Range<usize>>,
}

impl Shape {
    pub(crate) fn action(&self, rule: usize) -> Action {
        self.actions.get(rule).copied().unwrap_or(Action::Deny)
    }

    /// No rule and no isolation: everything is allowed.
    pub(crate) fn is_open(&self) -> bool {
        self.actions.is_empty() && !self.is_isolated
    }
}
