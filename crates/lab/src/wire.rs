//! What is said over the lab's socket and between `up` and the lab process: one JSON value in a line.

use crate::agent::HookChoice;
use crate::probe::{Cell, Expected, Observed};
use crate::state::{Change, Setup, State};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::{self, BufRead, Write};
use std::net::IpAddr;

/// Both sides are the same program, of the same version or not.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What `up` hands over.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Start {
    pub setup: Setup,
    pub hook: HookChoice,
}

/// Everything, where nothing is said.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ProbeRequest {
    /// PEERs and a PORT, as other commands take them.
    pub from: Option<String>,
    pub to: Option<String>,
    pub port: Option<String>,
}

/// Connections to try over and over: one source, one destination, one port.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TrafficRequest {
    pub from: String,
    pub to: String,
    pub port: String,
    /// From 1.
    pub per_second: u16,
    /// Lines over one connection, not a connection each.
    pub kept: bool,
}

/// What became of one attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Since the traffic began.
    pub begun_ms: u64,
    pub took_ms: u64,
    pub observed: Observed,
}

/// What the lab process says before it is up.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Progress {
    Ready(Status),
    Failed(String),
}

/// What `up` answers: it knows that the lab is up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Confirmation {
    Stay,
    /// The lab ends with the pipe that this comes from.
    EndWithInput,
}

/// A number for each thing that there is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Status {
    pub name: String,
    pub version: String,
    pub nodes: usize,
    pub pods: usize,
    pub services: usize,
    pub external: Vec<IpAddr>,
    pub enforcement: Enforcement,
    /// Of each node.
    pub agents: Vec<AgentStatus>,
    /// What is not as the manifests say.
    pub notes: Vec<String>,
}

/// What meets packets, and how.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Enforcement {
    pub by: String,
    /// Nothing is dropped by policy.
    pub observe: bool,
    pub fail_open_start: bool,
    pub keep_established: bool,
}

/// What is known of the agent of one node. What it wrote holds, whether it runs or not.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AgentStatus {
    pub node: String,
    pub running: bool,
    /// It runs, and is neither stopped nor hangs.
    pub answers: bool,
    /// Somebody took its data plane away: nothing is enforced on the node.
    pub detached: bool,
    /// The newest change that it enforces.
    pub epoch: u64,
    /// How often it ended and was started again.
    pub restarts: usize,
    /// How often it put back what somebody detached from a pod.
    pub repaired: usize,
    /// What could not be written as tables.
    pub problems: Vec<String>,
    /// Why the newest change is not enforced.
    pub failed: Option<String>,
    /// What it cannot look after at the moment.
    pub trouble: Option<String>,
    /// How it ended last.
    pub ended: Option<String>,
    /// What the node's kernel holds; `None` where it cannot be read, say before it is made.
    pub plane: Option<PlaneStatus>,
}

/// How a node's data plane does. Counters are from its beginning.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PlaneStatus {
    pub connections: u64,
    pub max_connections: u32,
    /// Pods that deny everything, because what they should do could not be written.
    pub denying: usize,
    /// Pods that have no policy yet.
    pub waiting: usize,
    /// Packets that did not pass, by cause.
    pub dropped: BTreeMap<String, u64>,
    /// Reports that nobody could be given, by cause.
    pub lost: BTreeMap<String, u64>,
}

/// One connection that a change decides in another way.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Effect {
    /// A flow of it, in our JSON.
    pub flow: String,
    /// How often it was seen.
    pub flows: usize,
    pub before: Expected,
    pub after: Expected,
}

/// What there is to say of a change that was made.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Changed {
    /// What is not as the manifests say.
    pub notes: Vec<String>,
    /// What nodes do not enforce as the policies say, with what to do.
    pub problems: Vec<String>,
}

/// What a change would do to the connections that were seen.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Effects {
    /// Different connections that were decided again.
    pub connections: usize,
    pub changed: Vec<Effect>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Envelope {
    pub version: String,
    pub request: Request,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Request {
    Status,
    /// What all its processes know.
    State,
    /// The namespace of a PEER, and what a process in it should see.
    Enter {
        peer: String,
    },
    /// Answered with cells, several times, and an end.
    Probe(ProbeRequest),
    /// Answered with lines, for good if they are followed.
    Flows {
        follow: bool,
        /// Not those from before.
        new_only: bool,
    },
    Change(Change),
    /// What a change would do, without making it.
    Effects(Change),
    /// `namespace/name` of pods.
    StopPods(Vec<String>),
    StartPods(Vec<String>),
    /// Workloads whose pods are replaced.
    Roll(Vec<String>),
    /// As a crash would end it.
    KillAgent {
        node: String,
    },
    /// Answered with what became of each attempt, until who asked goes away.
    Traffic(TrafficRequest),
    /// The lab ends when this connection does.
    Bind,
    Stop,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Answer {
    Status(Status),
    State(Box<State>),
    /// The namespace's descriptor travels beside it.
    Entered {
        host: String,
        resolv_conf: Option<String>,
        hosts: String,
    },
    Cells(Vec<Cell>),
    Probed,
    Flows {
        lines: Vec<String>,
        /// Of flows that came too fast.
        missed: u64,
    },
    FlowsEnd {
        /// Nodes whose agents did not report all that they saw.
        missing: Vec<String>,
    },
    Changed {
        epoch: u64,
        changed: Changed,
    },
    Effects(Effects),
    Killed,
    Attempts(Vec<Attempt>),
    Bound,
    Stopping,
    Refused(String),
}

pub(crate) fn write_line(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    out.write_all(&line)?;
    out.flush()
}

/// `None` at the end. What is no such value is an error that shows it.
pub(crate) fn read_line<T: for<'de> Deserialize<'de>>(
    input: &mut impl BufRead,
) -> io::Result<Option<T>> {
    let mut line = String::new();
    if input.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    serde_json::from_str(&line)
        .map(Some)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, format!("{error}: {line}")))
}
