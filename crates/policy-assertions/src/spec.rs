//! A policy test as a person wrote it: what is claimed, and where it stands.
//!
//! `docs/design/policy-test.md` describes the format. Names are not looked up here.

use finding_model::SourceSpan;
use policy_engine::{Semantics, Verdict};
use policy_model::{Direction, LabelSelector, PolicyId};
use question_syntax::{PeerArgument, PortArgument};
use std::fmt;

/// One document of kind `PolicyTest`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyTest {
    pub name: String,
    pub span: SourceSpan,
    /// Paths beside the test's file.
    pub manifests: Vec<ManifestPath>,
    /// `None`: whatever the run assumes.
    pub profile: Option<Semantics>,
    pub cases: Vec<Case>,
    pub assertions: Vec<Assertion>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestPath {
    pub path: String,
    pub span: SourceSpan,
}

/// What every connection of a scope is expected to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    pub name: Option<String>,
    pub scope: Scope,
    pub expect: Verdict,
    /// Who is expected to decide.
    pub by: Option<Decider>,
    pub reason: Option<String>,
    pub span: SourceSpan,
}

/// A policy, or one rule of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decider {
    pub policy: PolicyId,
    pub rule: Option<(Direction, usize)>,
    pub span: SourceSpan,
}

/// A statement about sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assertion {
    pub name: Option<String>,
    pub claim: Claim,
    pub undefined: OnUndefined,
    pub reason: Option<String>,
    pub span: SourceSpan,
}

/// What an assertion makes of a connection that is neither surely allowed nor surely denied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnUndefined {
    #[default]
    Fail,
    Pass,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// No connection of the scope is allowed, but for those of `except`.
    Forbid { scope: Scope, except: Vec<Scope> },
    /// Connections are allowed, as many as the quantifiers say.
    Require { scope: Scope, from: Quantifier, to: Quantifier },
    /// Nothing but `from` reaches `to`, and something of `from` does.
    Only { scope: Scope, except: Vec<Scope> },
    /// NetworkPolicies isolate each pod in each of the directions.
    Isolated { pods: PeerSet, directions: Vec<Direction> },
}

/// How many of a set. `Every` binds before `Some`, on whichever side it stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Quantifier {
    #[default]
    Every,
    Some,
}

/// Connections: from any end of a set, to any of another, on any of some ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    pub from: PeerSet,
    pub to: PeerSet,
    /// Empty: every port of TCP, UDP and SCTP.
    pub ports: Vec<PortArgument>,
    pub span: SourceSpan,
}

/// A set of ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PeerSet {
    Peer { peer: PeerArgument, span: SourceSpan },
    Whole { whole: Whole, span: SourceSpan },
    Pods { pods: PodSelection, span: SourceSpan },
    Any(Vec<Self>),
    All(Vec<Self>),
    Not(Box<Self>),
}

/// The sets that have a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whole {
    /// Every pod.
    Cluster,
    /// Every address that nothing in the cluster has.
    Outside,
    /// Both.
    Anywhere,
}

/// Pods for which all of this holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodSelection {
    /// One of these names; empty: any.
    pub namespaces: Vec<(String, SourceSpan)>,
    pub namespace_labels: LabelSelector,
    pub labels: LabelSelector,
    /// `None`: whether or not.
    pub host_network: Option<bool>,
}

/// `NetworkPolicy pci/payments`, `NetworkPolicy pci/payments ingress[0]`.
impl fmt::Display for Decider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.policy.fmt(f)?;
        match self.rule {
            Some((direction, rule)) => write!(f, " {direction}[{rule}]"),
            None => Ok(()),
        }
    }
}

/// `shop/web → pci/payments 8443/tcp`.
impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} → {}", self.from, self.to)?;
        for (index, port) in self.ports.iter().enumerate() {
            write!(f, "{}{port}", if index > 0 { "," } else { " " })?;
        }
        Ok(())
    }
}

impl fmt::Display for PeerSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Peer { peer, .. } => peer.fmt(f),
            Self::Whole { whole, .. } => f.write_str(whole.as_str()),
            Self::Pods { pods, .. } => pods.fmt(f),
            Self::Any(sets) => joined(f, sets, " or "),
            Self::All(sets) => joined(f, sets, " and "),
            Self::Not(set) => write!(f, "not {set}"),
        }
    }
}

fn joined(f: &mut fmt::Formatter<'_>, sets: &[PeerSet], word: &str) -> fmt::Result {
    if let [only] = sets {
        return fmt::Display::fmt(only, f);
    }
    f.write_str("(")?;
    for (index, set) in sets.iter().enumerate() {
        write!(f, "{}{set}", if index > 0 { word } else { "" })?;
    }
    f.write_str(")")
}

impl Whole {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cluster => "cluster",
            Self::Outside => "outside",
            Self::Anywhere => "anywhere",
        }
    }
}

/// `pods of shop, app=web`.
impl fmt::Display for PodSelection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("pods")?;
        let names: Vec<&str> = self.namespaces.iter().map(|(name, _)| name.as_str()).collect();
        if !names.is_empty() {
            write!(f, " of {}", names.join(","))?;
        }
        if !self.namespace_labels.is_everything() {
            write!(f, " in namespaces with {}", self.namespace_labels)?;
        }
        if !self.labels.is_everything() {
            write!(f, " with {}", self.labels)?;
        }
        match self.host_network {
            Some(true) => f.write_str(" on the host network"),
            Some(false) => f.write_str(" not on the host network"),
            None => Ok(()),
        }
    }
}

/// What a check is called where it has no name of its own.
impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Forbid { scope, .. } => write!(f, "forbid {scope}"),
            Self::Require { scope, from, to } => {
                write!(
                    f,
                    "require {} {} → {} {}",
                    from.as_str(),
                    scope.from,
                    to.as_str(),
                    scope.to
                )?;
                for (index, port) in scope.ports.iter().enumerate() {
                    write!(f, "{}{port}", if index > 0 { "," } else { " " })?;
                }
                Ok(())
            }
            Self::Only { scope, .. } => write!(f, "only {scope}"),
            Self::Isolated { pods, directions } => {
                let words: Vec<String> = directions.iter().map(ToString::to_string).collect();
                write!(f, "isolated {pods} for {}", words.join(" and "))
            }
        }
    }
}

impl Quantifier {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Every => "every",
            Self::Some => "some",
        }
    }
}
