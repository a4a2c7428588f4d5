//! A scenario as a person wrote it: what is done, and where it stands. Names are not looked up here.

use finding_model::SourceSpan;
use policy_model::{Direction, PolicyId};
use question_syntax::{PeerArgument, PortArgument};
use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

/// One document of kind `Scenario`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scenario {
    pub name: String,
    pub span: SourceSpan,
    pub manifests: Vec<Manifests>,
    pub lab: LabOptions,
    /// Runs beside the steps, from before the first to after the last.
    pub traffic: Vec<Traffic>,
    pub steps: Vec<Step>,
}

/// Where objects come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Manifests {
    /// Beside the scenario's file.
    Path { path: String, span: SourceSpan },
    /// Written in the scenario.
    Inline { text: String, span: SourceSpan },
}

/// What is left out is as `weir lab up` has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabOptions {
    pub nodes: Option<u16>,
    pub replicas: Option<u16>,
    pub external: Vec<IpAddr>,
    pub profile: Reading,
    pub observe: bool,
    pub fail_open_start: bool,
    pub keep_established: bool,
}

/// Who reads the policies, where the API leaves it open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reading {
    #[default]
    Upstream,
    Cilium,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    pub name: Option<String>,
    pub action: Action,
    pub span: SourceSpan,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    Apply {
        manifests: Vec<Manifests>,
        mode: Mode,
    },
    /// `NetworkPolicy/shop/web`. Not empty.
    Delete(Vec<String>),
    Relabel(Relabel),
    /// `namespace/name` of pods. Not empty.
    Stop(Vec<String>),
    Start(Vec<String>),
    /// Workloads, as `namespace/name` or with the kind in front. Not empty.
    Roll(Vec<String>),
    KillAgent(AgentChoice),
    /// Milliseconds in which nothing is done.
    Wait(u32),
    /// Whether what is tried is as the engine says.
    Probe(Question),
    Expect(Vec<Expectation>),
}

/// What the policies that are applied do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    #[default]
    Enforce,
    Observe,
    Staged,
}

/// Labels that pods or namespaces get, or lose where there is no value. Neither list is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relabel {
    pub subjects: Vec<Subject>,
    pub labels: BTreeMap<String, Option<String>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// `namespace/name`.
    Pod(String),
    Namespace(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AgentChoice {
    All,
    /// Of the node of this name.
    Node(String),
}

/// Connections: everything that is possible, where nothing is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Question {
    pub from: Option<PeerArgument>,
    pub to: Option<PeerArgument>,
    /// `All` or a number.
    pub port: PortArgument,
}

/// What each connection of a question must do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expectation {
    pub question: Question,
    pub verdict: Wanted,
    /// Who decides, as the kernel says it.
    pub by: Option<Decider>,
    pub reason: Option<String>,
    pub span: SourceSpan,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    Allow,
    Deny,
}

/// A policy, or one rule of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decider {
    pub policy: PolicyId,
    pub rule: Option<(Direction, usize)>,
}

/// Connections that are tried over and over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Traffic {
    pub name: Option<String>,
    pub from: PeerArgument,
    pub to: PeerArgument,
    /// A number.
    pub port: PortArgument,
    /// From 1.
    pub per_second: u16,
    pub kind: TrafficKind,
    pub promise: Option<Promise>,
    pub span: SourceSpan,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TrafficKind {
    /// Each attempt is a connection.
    #[default]
    New,
    /// Each attempt is a line over the one connection. TCP only.
    Kept,
}

/// What must not happen to any attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promise {
    NeverAllowed,
    NeverBroken,
}

impl Traffic {
    /// How the generator is called in reports.
    pub fn title(&self) -> String {
        self.name.clone().unwrap_or_else(|| self.to_string())
    }
}

impl Step {
    /// How the step is called in reports.
    pub fn title(&self) -> String {
        self.name.clone().unwrap_or_else(|| self.action.to_string())
    }
}

impl Wanted {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        }
    }
}

impl Promise {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NeverAllowed => "never allowed",
            Self::NeverBroken => "never broken",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Apply { manifests, mode } => {
                let words: Vec<&str> = manifests.iter().map(Manifests::name).collect();
                write!(f, "{} {}", mode.verb(), words.join(", "))
            }
            Self::Delete(objects) => write!(f, "delete {}", objects.join(", ")),
            Self::Relabel(Relabel { subjects, labels }) => {
                let names: Vec<&str> = subjects.iter().map(Subject::name).collect();
                write!(f, "relabel {}:", names.join(", "))?;
                for (index, (key, value)) in labels.iter().enumerate() {
                    f.write_str(if index > 0 { ", " } else { " " })?;
                    match value {
                        Some(value) => write!(f, "{key}={value}")?,
                        None => write!(f, "no {key}")?,
                    }
                }
                Ok(())
            }
            Self::Stop(pods) => write!(f, "stop {}", pods.join(", ")),
            Self::Start(pods) => write!(f, "start {}", pods.join(", ")),
            Self::Roll(workloads) => write!(f, "roll {}", workloads.join(", ")),
            Self::KillAgent(AgentChoice::All) => f.write_str("kill all agents"),
            Self::KillAgent(AgentChoice::Node(node)) => write!(f, "kill the agent of {node}"),
            Self::Wait(milliseconds) => write!(f, "wait {milliseconds} ms"),
            Self::Probe(question) => write!(f, "probe {question}"),
            Self::Expect(expectations) => {
                for (index, expectation) in expectations.iter().enumerate() {
                    f.write_str(if index > 0 { "; " } else { "" })?;
                    expectation.fmt(f)?;
                }
                Ok(())
            }
        }
    }
}

impl Manifests {
    /// The path, or that there is none.
    pub fn name(&self) -> &str {
        match self {
            Self::Path { path, .. } => path,
            Self::Inline { .. } => "inline manifests",
        }
    }
}

impl Mode {
    fn verb(self) -> &'static str {
        match self {
            Self::Enforce => "apply",
            Self::Observe => "observe",
            Self::Staged => "stage",
        }
    }
}

impl Subject {
    pub fn name(&self) -> &str {
        match self {
            Self::Pod(name) | Self::Namespace(name) => name,
        }
    }
}

/// `shop/web → shop/db 5432/tcp`, `everything`.
impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to, port } = self;
        if self == &Self::default() {
            return f.write_str("everything");
        }
        let named = |peer: &Option<PeerArgument>| {
            peer.as_ref().map_or_else(|| "anywhere".to_owned(), ToString::to_string)
        };
        write!(f, "{} → {}", named(from), named(to))?;
        match port {
            PortArgument::All => Ok(()),
            PortArgument::Number { .. }
            | PortArgument::Named { .. }
            | PortArgument::Portless(_) => write!(f, " {port}"),
        }
    }
}

impl fmt::Display for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.question, self.verdict.as_str())?;
        match &self.by {
            Some(by) => write!(f, " by {by}"),
            None => Ok(()),
        }
    }
}

/// `NetworkPolicy shop/db`, `NetworkPolicy shop/db ingress[0]`.
impl fmt::Display for Decider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.policy.fmt(f)?;
        match self.rule {
            Some((direction, rule)) => write!(f, " {direction}[{rule}]"),
            None => Ok(()),
        }
    }
}

/// `shop/web → shop/db 5432/tcp, 20 a second`.
impl fmt::Display for Traffic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to, port, per_second, .. } = self;
        write!(f, "{from} → {to} {port}, {per_second} a second")
    }
}
