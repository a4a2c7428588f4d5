//! One profile as the kernel holds it: masks over its rules, and a row of bits for each class.

use crate::numbers::{AddressClass, ClassChanges, FeatureNumber, PortClass};
use crate::port_classes::PortKey;
use crate::rule_set::RuleSet;
use net_types::Protocol;
use policy_model::{Direction, PolicyId, RuleRef};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// What the kernel has room for in a profile.
pub const MAX_RULES: usize = 1024;

/// 64 rules of a profile; bit 0 of word 0 comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct RuleWord {
    pub any_peer: u64,
    /// Of every protocol, also those without ports.
    pub all_ports: u64,
    pub enforced: u64,
    /// Beside the enforced ones. No rule is in two of these three.
    pub observed: u64,
    /// Beside both.
    pub staged: u64,
    /// What neither denies nor passes allows.
    pub denies: u64,
    pub passes: u64,
}

/// The rules that name a class, 64 in a word, as many words as the profile has. Never all zero.
pub type Row = Arc<[u64]>;

/// What a bit stands for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RuleOrigin {
    /// `rule` counts from 0 within the policy's direction.
    Rule { policy: Arc<PolicyId>, direction: Direction, rule: usize },
    /// An egress rule's port name, where the destination gives it this number.
    NamedPort {
        policy: Arc<PolicyId>,
        direction: Direction,
        rule: usize,
        protocol: Protocol,
        port: u16,
    },
    /// NetworkPolicies of one mode isolate the pod; the first of them, which is one without rules if
    /// there is any.
    DefaultDeny { policy: Arc<PolicyId>, direction: Direction },
    /// The pod's rules could not be written down, see [`Problem`](crate::Problem).
    DenyEverything,
}

impl RuleOrigin {
    /// `None` where no rule but an isolation or a problem denies.
    pub fn rule(&self) -> Option<RuleRef> {
        match self {
            Self::Rule { policy, direction, rule }
            | Self::NamedPort { policy, direction, rule, .. } => Some(RuleRef {
                policy: PolicyId::clone(policy),
                direction: *direction,
                rule: *rule,
            }),
            Self::DefaultDeny { .. } | Self::DenyEverything => None,
        }
    }

    pub fn policy(&self) -> Option<&PolicyId> {
        match self {
            Self::Rule { policy, .. }
            | Self::NamedPort { policy, .. }
            | Self::DefaultDeny { policy, .. } => Some(policy),
            Self::DenyEverything => None,
        }
    }
}

/// `NetworkPolicy shop/web egress[0] (8080/TCP)`.
impl fmt::Display for RuleOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rule { policy, direction, rule } => write!(f, "{policy} {direction}[{rule}]"),
            Self::NamedPort { policy, direction, rule, protocol, port } => {
                write!(f, "{policy} {direction}[{rule}] ({port}/{protocol})")
            }
            Self::DefaultDeny { policy, direction } => {
                write!(f, "{policy}, of which no {direction} rule matches")
            }
            Self::DenyEverything => f.write_str("deny everything"),
        }
    }
}

/// A profile. Equal ids of two builds, of which one was built with the other, mean equal words and
/// rules, and equal rows of every class that both have; a table that did not change is the same
/// allocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileTable {
    rules: Arc<RuleSet>,
    /// Absent: no rule but those of any peer.
    pub peer_rows: BTreeMap<AddressClass, Row>,
    /// Absent: no rule but those of all ports.
    pub port_rows: BTreeMap<PortClass, Row>,
}

/// Classes of one build, by what they are made of.
#[derive(Debug)]
pub(crate) struct RowSources {
    pub(crate) by_feature: BTreeMap<FeatureNumber, Vec<AddressClass>>,
    pub(crate) by_port: BTreeMap<PortKey, Vec<PortClass>>,
}

/// How the classes of one build differ from those of the build before.
#[derive(Debug)]
pub(crate) struct RowChanges<'a> {
    pub(crate) peers: ClassChanges<'a, FeatureNumber, AddressClass>,
    pub(crate) ports: ClassChanges<'a, PortKey, PortClass>,
}

impl ProfileTable {
    pub(crate) fn new(rules: Arc<RuleSet>, sources: &RowSources) -> Self {
        let peer_rows = rules.peer_rows(&sources.by_feature);
        let port_rows = rules.port_rows(&sources.by_port);
        Self { rules, peer_rows, port_rows }
    }

    /// The same profile over other classes; the same allocation if that changes none of its rows.
    pub(crate) fn updated(self: &Arc<Self>, changes: &RowChanges<'_>) -> Arc<Self> {
        let peers = changes.peers.added.iter();
        let peers: Vec<(AddressClass, Row)> =
            peers.filter_map(|(key, class)| Some((*class, self.rules.peer_row(key)?))).collect();
        let ports = changes.ports.added.iter();
        let ports: Vec<(PortClass, Row)> =
            ports.filter_map(|(key, class)| Some((*class, self.rules.port_row(key)?))).collect();
        let removes = changes.peers.removed.iter().any(|class| self.peer_rows.contains_key(class))
            || changes.ports.removed.iter().any(|class| self.port_rows.contains_key(class));
        if peers.is_empty() && ports.is_empty() && !removes {
            return Arc::clone(self);
        }
        let mut table = Self::clone(self);
        for class in &changes.peers.removed {
            table.peer_rows.remove(class);
        }
        for class in &changes.ports.removed {
            table.port_rows.remove(class);
        }
        table.peer_rows.extend(peers);
        table.port_rows.extend(ports);
        Arc::new(table)
    }

    pub fn n_rules(&self) -> usize {
        self.rules.origins.len()
    }

    /// As many as the rules need: none where everything is allowed.
    pub fn words(&self) -> &[RuleWord] {
        &self.rules.words
    }

    /// Where the Admin tier ends: a Pass in it goes on here.
    pub fn admin_end(&self) -> usize {
        self.rules.admin_end
    }

    /// Where the Baseline tier starts: a Pass in it allows.
    pub fn baseline_start(&self) -> usize {
        self.rules.baseline_start
    }

    /// What each bit stands for.
    pub fn rules(&self) -> &[RuleOrigin] {
        &self.rules.origins
    }
}
