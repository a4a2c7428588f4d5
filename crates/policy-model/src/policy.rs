//! Policies of all four kinds in one shape.
//!
//! Sources: `networking.k8s.io/v1` NetworkPolicy, `policy.networking.k8s.io/v1alpha2`
//! ClusterNetworkPolicy, and v1alpha1 AdminNetworkPolicy and BaselineAdminNetworkPolicy.

use crate::LabelSelector;
use finding_model::SourceSpan;
use net_types::{IpNet, PortRange, Protocol};
use std::fmt;

/// In the order in which they decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    Admin,
    NetworkPolicy,
    Baseline,
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Admin => "Admin",
            Self::NetworkPolicy => "NetworkPolicy",
            Self::Baseline => "Baseline",
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PolicyKind {
    NetworkPolicy,
    ClusterNetworkPolicy,
    AdminNetworkPolicy,
    BaselineAdminNetworkPolicy,
}

impl PolicyKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NetworkPolicy => "NetworkPolicy",
            Self::ClusterNetworkPolicy => "ClusterNetworkPolicy",
            Self::AdminNetworkPolicy => "AdminNetworkPolicy",
            Self::BaselineAdminNetworkPolicy => "BaselineAdminNetworkPolicy",
        }
    }
}

impl fmt::Display for PolicyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PolicyId {
    pub kind: PolicyKind,
    /// `None` for the cluster-scoped kinds.
    pub namespace: Option<String>,
    pub name: String,
}

impl PolicyId {
    /// `namespace/name`, or `name` for a cluster-scoped policy.
    pub fn path(&self) -> String {
        match &self.namespace {
            Some(namespace) => format!("{namespace}/{}", self.name),
            None => self.name.clone(),
        }
    }
}

/// `NetworkPolicy shop/web`.
impl fmt::Display for PolicyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.path())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    Ingress,
    Egress,
}

impl Direction {
    pub const BOTH: [Self; 2] = [Self::Ingress, Self::Egress];
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ingress => "ingress",
            Self::Egress => "egress",
        })
    }
}

/// `Accept` is v1alpha1's `Allow`. Rules of a NetworkPolicy all accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    Accept,
    Deny,
    /// Skips the rest of this tier.
    Pass,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Accept => "Accept",
            Self::Deny => "Deny",
            Self::Pass => "Pass",
        })
    }
}

/// Which namespaces a subject or a pods peer covers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NamespaceScope {
    /// The policy's own namespace, by name.
    Own(String),
    Selected(LabelSelector),
}

/// The pods that a policy applies to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subject {
    pub namespaces: NamespaceScope,
    pub pods: LabelSelector,
}

/// Addresses in `block` but in none of `except`, each of which lies inside `block`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Network {
    /// Host bits are zero.
    pub block: IpNet,
    pub except: Vec<IpNet>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PeerMatch {
    /// Both selectors must match.
    Pods { namespaces: NamespaceScope, pods: LabelSelector },
    /// `ipBlock` (one) or `networks` (any of several).
    Networks(Vec<Network>),
    /// Addresses of the selected nodes; egress only.
    Nodes(LabelSelector),
    /// Lower case without a final dot; `*.` stands for one or more whole labels; egress Accept only.
    DomainNames(Vec<String>),
    /// A peer field that this version does not know, in a cluster-scoped policy. The API says how to
    /// fail closed: an Accept rule matches nothing by it, a Deny or Pass rule becomes Deny of all.
    Unknown,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Peer {
    pub matches: PeerMatch,
    pub span: Option<SourceSpan>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Peers {
    /// Missing or empty in a NetworkPolicy: any source or destination, also outside the cluster.
    Any,
    /// Any one of them; not empty.
    Listed(Vec<Peer>),
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PortMatch {
    /// `{protocol: UDP}` gives all ports of UDP.
    Numbers { protocol: Protocol, range: PortRange },
    /// Resolved on the destination pod. `protocol: None` (cluster-scoped kinds): the pod's own.
    Named { protocol: Option<Protocol>, name: String },
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortSpec {
    pub matches: PortMatch,
    pub span: Option<SourceSpan>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ports {
    /// Missing or empty: all ports of all protocols.
    All,
    /// Any one of them; not empty.
    Listed(Vec<PortSpec>),
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rule {
    /// Cluster-scoped kinds only.
    pub name: Option<String>,
    pub action: Action,
    pub peers: Peers,
    pub ports: Ports,
    pub span: Option<SourceSpan>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    pub id: PolicyId,
    pub tier: Tier,
    /// 0 (first) to 1000 in Admin and Baseline; 0 for a NetworkPolicy and for v1alpha1's Baseline.
    pub priority: u16,
    pub subject: Subject,
    /// `None`: the policy says nothing of this direction. `Some` of a NetworkPolicy isolates its
    /// subjects, even when it is empty.
    pub ingress: Option<Vec<Rule>>,
    pub egress: Option<Vec<Rule>>,
    pub span: Option<SourceSpan>,
}

impl Policy {
    pub fn rules(&self, direction: Direction) -> Option<&[Rule]> {
        match direction {
            Direction::Ingress => self.ingress.as_deref(),
            Direction::Egress => self.egress.as_deref(),
        }
    }
}

/// Names one rule: `rule` counts from 0 within the policy's direction.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleRef {
    pub policy: PolicyId,
    pub direction: Direction,
    pub rule: usize,
}

/// `NetworkPolicy shop/web ingress[0]`.
impl fmt::Display for RuleRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}[{}]", self.policy, self.direction, self.rule)
    }
}
