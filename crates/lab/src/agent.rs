//! `weir lab agent`: the agent of one node, a child of the lab process in the node's network.
//!
//! Orders come on standard input and reports go to standard output, one JSON value in a line. When it ends,
//! however it ends, the kernel goes on, and the next one takes over what is there.

use crate::error::LabError;
use crate::state::State;
use crate::wire::{read_line, write_line};
use crate::world::World;
use dataplane::{DEFAULT_SETTINGS, Established, Hook, Options, PodInterface, PodMode};
use flow_model::Flow;
use net_types::Protocol;
use node_agent::{Agent, AgentError, Applied, Turn, Wanted, WantedPod};
use policy_model::ServiceKind;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fs;
use std::io::{self, BufReader};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

/// How late a flow may be shown.
const POLL: Duration = Duration::from_millis(20);
const TURN: Duration = Duration::from_secs(1);
/// Pods of one node: a lab is small.
const MAX_CONNECTIONS: u32 = 65_536;
const MAX_ADDRESSES: u32 = 2 * 16_384;

/// Everything again with each change.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    /// A place among the nodes.
    pub node: usize,
    pub state: State,
    pub hook: HookChoice,
}

/// A line to an agent.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Word {
    Enforce(Box<Order>),
    /// What was seen until now is to be reported, and then that it was, with this number.
    Tell(u64),
    /// Answered at once, with this number, however busy it is.
    Answer(u64),
    /// The lab stands, and there is time for what would have held it up.
    Settle,
}

/// How the programs get at packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HookChoice {
    #[default]
    Tcx,
    Clsact,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Report {
    Applied {
        epoch: u64,
        flipped: usize,
        entries: u64,
        /// What could not be written as tables, with what to do.
        problems: Vec<String>,
    },
    /// Pods may deny everything; it is tried again.
    Failed {
        epoch: u64,
        why: String,
    },
    /// Each a line of our flow JSON.
    Flows(Vec<String>),
    /// All flows are reported that were seen before the question with this number.
    Told(u64),
    Answered(u64),
    /// Pods that somebody had detached from the data plane.
    Repaired {
        pods: usize,
    },
    /// It could not be looked after, but what was written holds.
    Trouble {
        why: String,
    },
}

/// Where the pins of a node are, in the lab's own mounts.
pub(crate) fn pins(node: &str) -> PathBuf {
    Path::new("/sys/fs/bpf/weir").join(node)
}

/// Whether somebody took the node's data plane away; an agent that begins makes it anew.
pub(crate) fn is_detached(node: &str) -> bool {
    fs::read_dir(pins(node)).map_or(true, |mut pinned| pinned.next().is_none())
}

fn detached(node: &str) -> String {
    format!(
        "nothing is enforced on {node}, everything passes: somebody detached its data plane (`weir dataplane \
         detach`), and what was detached on purpose is not put back; `weir lab kill-agent {node}` starts an agent \
         that enforces again"
    )
}

/// The whole life of an agent: until standard input ends.
pub fn run() -> Result<(), LabError> {
    let (sender, orders) = channel();
    thread::spawn(move || {
        let mut input = BufReader::new(io::stdin());
        // A line that is no order is of another version, which does not happen: both are one program.
        while let Ok(Some(word)) = read_line::<Word>(&mut input) {
            let taken = match word {
                Word::Answer(number) => say(&Report::Answered(number)).is_ok(),
                Word::Enforce(_) | Word::Tell(_) | Word::Settle => sender.send(word).is_ok(),
            };
            if !taken {
                return;
            }
        }
    });
    let first = loop {
        match orders.recv() {
            Ok(Word::Enforce(order)) => break order,
            // It saw nothing yet.
            Ok(Word::Tell(number)) => say(&Report::Told(number))?,
            Ok(Word::Settle | Word::Answer(_)) => {}
            Err(_gone) => return Ok(()),
        }
    };
    match Life::begin(&first) {
        Ok(mut life) => life.go_on(&orders),
        Err(error) => say(&Report::Failed { epoch: 0, why: chain(&error) }),
    }
}

struct Life {
    node: String,
    agent: Agent,
    epoch: u64,
    /// Interfaces may be moved to tcx.
    settling: bool,
    /// What was said last of what goes wrong each second.
    trouble: Option<String>,
}

impl Life {
    fn begin(order: &Order) -> Result<Self, LabError> {
        let world = World::new(&order.state)?;
        let node = world.plan.nodes.get(order.node).map(|node| node.name.clone());
        let node = node.ok_or_else(|| LabError::Setup("there is no such node".to_owned()))?;
        let hook = match order.hook {
            HookChoice::Tcx => Hook::Tcx,
            HookChoice::Clsact => Hook::Clsact,
        };
        let max_connections = order.state.setup.max_connections.unwrap_or(MAX_CONNECTIONS);
        let mut settings = DEFAULT_SETTINGS;
        settings.pod_connections = max_connections / 8;
        let options = Options {
            hook,
            settings,
            max_addresses: MAX_ADDRESSES,
            max_connections,
            ..Options::default()
        };
        let agent = Agent::open(&node, &pins(&node), &options)
            .map_err(|error| LabError::Setup(chain(&error)))?;
        let mut life = Self { node, agent, epoch: 0, settling: false, trouble: None };
        life.apply(order, &world)?;
        Ok(life)
    }

    fn go_on(&mut self, orders: &Receiver<Word>) -> Result<(), LabError> {
        let mut turned = Instant::now();
        loop {
            match orders.recv_timeout(POLL) {
                Ok(Word::Tell(number)) => {
                    self.tell_flows()?;
                    say(&Report::Told(number))?;
                }
                Ok(Word::Settle) => self.settling = true,
                Ok(Word::Answer(_)) => {}
                Ok(Word::Enforce(order)) => match World::new(&order.state) {
                    Ok(world) => self.apply(&order, &world)?,
                    Err(error) => {
                        say(&Report::Failed { epoch: order.state.epoch, why: chain(&error) })?;
                    }
                },
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            self.tell_flows()?;
            self.settle()?;
            if turned.elapsed() >= TURN {
                turned = Instant::now();
                self.turn()?;
            }
        }
    }

    fn apply(&mut self, order: &Order, world: &World) -> Result<(), LabError> {
        self.epoch = order.state.epoch;
        // What was decided before is told with what held before.
        self.tell_flows()?;
        if is_detached(&self.node) {
            return say(&Report::Failed { epoch: self.epoch, why: detached(&self.node) });
        }
        let applied = self.agent.apply(wanted(order, world));
        self.tell_applied(applied)
    }

    fn tell_applied(&self, applied: Result<Applied, AgentError>) -> Result<(), LabError> {
        say(&match applied {
            Ok(Applied { epoch, flipped, entries, problems }) => {
                let problem =
                    |problem: &policy_tables::Problem| format!("{problem}; {}", problem.help());
                let problems = problems.iter().map(problem).collect();
                Report::Applied { epoch, flipped, entries, problems }
            }
            Err(error) => Report::Failed { epoch: self.epoch, why: chain(&error) },
        })
    }

    fn tell_flows(&mut self) -> Result<(), LabError> {
        let flows = self.agent.flows();
        let flows = flows.map_err(|source| LabError::Process { what: "read flows", source })?;
        if flows.is_empty() {
            return Ok(());
        }
        let lines: io::Result<Vec<String>> = flows.iter().map(line).collect();
        let lines = lines.map_err(|source| LabError::Process { what: "write flows", source })?;
        say(&Report::Flows(lines))
    }

    /// What does not work now is tried again with the next change.
    fn settle(&mut self) -> Result<(), LabError> {
        if !self.settling || is_detached(&self.node) {
            return Ok(());
        }
        match self.agent.settle() {
            Ok(more) => self.settling = more,
            Err(error) => {
                self.settling = false;
                self.tell_trouble(Some(chain(&error)))?;
            }
        }
        Ok(())
    }

    fn turn(&mut self) -> Result<(), LabError> {
        if is_detached(&self.node) {
            return self.tell_trouble(Some(detached(&self.node)));
        }
        let trouble = match self.agent.turn() {
            Ok(Turn { repaired, applied }) => {
                if !repaired.is_empty() {
                    say(&Report::Repaired { pods: repaired.len() })?;
                }
                if let Some(applied) = applied {
                    self.tell_applied(Ok(applied))?;
                }
                None
            }
            Err(error) => Some(chain(&error)),
        };
        self.tell_trouble(trouble)
    }

    fn tell_trouble(&mut self, trouble: Option<String>) -> Result<(), LabError> {
        if trouble != self.trouble {
            self.trouble.clone_from(&trouble);
            say(&Report::Trouble { why: trouble.unwrap_or_default() })?;
        }
        Ok(())
    }
}

fn line(flow: &Flow) -> io::Result<String> {
    let mut line = Vec::new();
    flow_formats::json::write(&mut line, flow)?;
    String::from_utf8(line).map(|line| line.trim_end().to_owned()).map_err(io::Error::other)
}

/// What the node is to enforce.
fn wanted(Order { node, state, hook: _ }: &Order, world: &World) -> Wanted {
    let choice = state.setup.pods;
    let mode = if choice.observe { PodMode::Observe } else { PodMode::Enforce };
    let established = if choice.keep_established { Established::Keep } else { Established::Revoke };
    let planned = world.plan.pods.iter().zip(&world.plan.snapshot.pods).zip(&world.pods);
    let pods = planned.filter_map(|((planned, pod), id)| {
        let interface = planned.link.filter(|_| planned.node == *node)?;
        Some(WantedPod {
            pod: *id,
            interface: PodInterface {
                interface,
                addresses: pod.addresses.clone(),
                open_until_policy: choice.fail_open_start,
                uid: state.uids.of(interface),
            },
            mode,
            established,
        })
    });
    Wanted {
        epoch: state.epoch,
        program: Arc::clone(&world.program),
        files: Arc::clone(&world.files),
        modes: world.modes.clone(),
        pods: pods.collect(),
        services: services(world),
    }
}

/// What each node translates: ports of Services that lead somewhere.
fn services(world: &World) -> BTreeSet<(IpAddr, Protocol, u16)> {
    let plan = &world.plan;
    let mut translated = BTreeSet::new();
    for (service, planned) in plan.snapshot.services.iter().zip(&plan.services) {
        let ServiceKind::ClusterIp { addresses } = &service.kind else { continue };
        for port in &planned.ports {
            let leads = |of: &&IpAddr| {
                let endpoints = port.endpoints.iter();
                let pods = endpoints.filter_map(|endpoint| plan.snapshot.pods.get(endpoint.pod));
                pods.flat_map(|pod| &pod.addresses).any(|to| to.is_ipv4() == of.is_ipv4())
            };
            let leading = addresses.iter().filter(leads);
            translated.extend(leading.map(|address| (*address, port.protocol, port.port)));
        }
    }
    translated
}

fn say(report: &Report) -> Result<(), LabError> {
    write_line(&mut io::stdout().lock(), report)
        .map_err(|source| LabError::Process { what: "report to the lab", source })
}

/// The error and what caused it, on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
