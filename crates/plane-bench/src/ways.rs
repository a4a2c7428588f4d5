//! Ways of filtering what two pods of one node send each other, each set up as its users have it.

use crate::traffic::{FIRST_LINK, PORT, pod};
use anyhow::{Context, Result, bail};
use dataplane::skeleton::DataPlaneSkel;
use dataplane::{
    DEFAULT_SETTINGS, Established, NodePlane, Options, PodInterface, PodMode, PodPolicy, TcxSide,
    link_tcx,
};
use libbpf_rs::OpenObject;
use libbpf_rs::skel::OpenSkel as _;
use net_fabric::{Namespace, rules};
use net_types::{PortRange, Protocol};
use nfq::{Queue, Verdict};
use policy_engine::{Assumptions, Program, Semantics};
use policy_model::{Direction, Pod, PortMatch, PortSpec, Ports, Rule, Snapshot};
use policy_oracle::worlds::{objects, put_pod, put_policy};
use policy_tables::{LocalPod, Modes, Tables};
use std::mem::MaybeUninit;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

const QUEUE: u16 = 0;
/// As much of a packet as policies look at.
const COPIED: u16 = 128;

/// A way of filtering.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    None,
    Tracking,
    Nothing,
    Ours,
    Set,
    Linear,
    Queue,
}

/// What a way has running while traffic passes.
pub(crate) enum Running {
    /// The kernel's rules, if any.
    Rules,
    Nothing {
        _skeleton: Box<DataPlaneSkel<'static>>,
        _links: Vec<OwnedFd>,
    },
    Ours(Box<NodePlane>),
    Queue(Box<Queue>),
}

impl Way {
    pub(crate) const ALL: [Self; 7] = [
        Self::None,
        Self::Tracking,
        Self::Nothing,
        Self::Ours,
        Self::Set,
        Self::Linear,
        Self::Queue,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::None => "no policy",
            Self::Tracking => "the kernel's connection tracking",
            Self::Nothing => "tracking, programs that do nothing by tcx",
            Self::Ours => "tracking, ours with 1,000 rules and events",
            Self::Set => "nft set of 10,000 elements",
            Self::Linear => "nft, 1,000 rules in a row",
            Self::Queue => "NFQUEUE, a process that accepts all",
        }
    }

    /// In the namespace of the calling thread, which is the node's.
    pub(crate) fn begin(self, node: &Namespace, root: &Path) -> Result<Running> {
        if let Some(script) = self.script() {
            rules::load(node, &script)?;
        }
        Ok(match self {
            Self::None | Self::Tracking | Self::Set | Self::Linear => Running::Rules,
            Self::Nothing => nothing()?,
            Self::Ours => Running::Ours(Box::new(enforce(root)?)),
            Self::Queue => Running::Queue(Box::new(queue()?)),
        })
    }

    /// The packet filter's rules.
    fn script(self) -> Option<String> {
        let verdicts = match self {
            Self::None => return None,
            Self::Tracking | Self::Nothing | Self::Ours | Self::Queue => "accept".to_owned(),
            Self::Set => "ip saddr . ip daddr . tcp dport @pairs accept\n    drop".to_owned(),
            Self::Linear => {
                let rule = |port: u16| format!("ip saddr {} tcp dport {port} accept\n    ", pod(0));
                (1..=1_000).map(rule).collect()
            }
        };
        let set = if self == Self::Set { pairs() } else { String::new() };
        Some(format!(
            "table inet bench {{\n{set}  chain passing {{\n    type filter hook forward priority 0\n    \
             ct state established,related accept\n    {verdicts}\n  }}\n}}\n"
        ))
    }
}

/// A set that the traffic's own pair is the last element of.
fn pairs() -> String {
    let others = (0..9_999_u32).map(|number| {
        let from = Ipv4Addr::from_bits(u32::from_be_bytes([10, 9, 0, 0]) + number);
        format!("{from} . {} . {PORT}", pod(1))
    });
    let own = format!("{} . {} . {PORT}", pod(0), pod(1));
    let elements: Vec<String> = others.chain([own]).collect();
    format!(
        "  set pairs {{\n    type ipv4_addr . ipv4_addr . inet_service\n    elements = {{ {} }}\n  }}\n",
        elements.join(", ")
    )
}

/// Where ours are.
fn nothing() -> Result<Running> {
    // The object borrows it for good; it is a pointer's size.
    let storage: &'static mut MaybeUninit<OpenObject> = Box::leak(Box::new(MaybeUninit::uninit()));
    let mut open = dataplane::open(storage, &DEFAULT_SETTINGS)?;
    for mut program in open.open_object_mut().progs_mut() {
        let is_wanted = program.name() == "nothing";
        program.set_autoload(is_wanted);
    }
    let skeleton = Box::new(open.load()?);
    let mut links = Vec::new();
    for interface in [FIRST_LINK, FIRST_LINK + 1] {
        for side in [TcxSide::Ingress, TcxSide::Egress] {
            links.push(link_tcx(skeleton.progs.nothing.as_fd(), interface, side)?);
        }
    }
    Ok(Running::Nothing { _skeleton: skeleton, _links: links })
}

/// New connections wait for a process, as they do where one decides by policy.
fn queue() -> Result<Queue> {
    let arguments = "-A FORWARD -m conntrack --ctstate NEW -j NFQUEUE --queue-num 0";
    let iptables = Command::new("iptables").args(arguments.split(' ')).output();
    let iptables = iptables.context("running `iptables`, which `make packages` installs")?;
    if !iptables.status.success() {
        bail!("iptables: {}", String::from_utf8_lossy(&iptables.stderr).trim());
    }
    let mut queue = Queue::open().context("opening a queue of packets")?;
    queue.bind(QUEUE)?;
    queue.set_copy_range(QUEUE, COPIED)?;
    Ok(queue)
}

/// Both pods have 1,000 rules, of which the one in the middle lets the traffic pass.
fn enforce(root: &Path) -> Result<NodePlane> {
    let mut snapshot = Snapshot::default();
    snapshot.namespaces.insert("shop".into(), objects::namespace("shop", &[]));
    for number in 0..2 {
        let named = objects::pod("shop", &format!("pod{number}"), &[("app", "both")]);
        put_pod(&mut snapshot, Pod { addresses: vec![pod(number)], ..named });
    }
    for (name, direction) in [("in", Direction::Ingress), ("out", Direction::Egress)] {
        let rules: Vec<Rule> = (1..=1_000).map(to_port).collect();
        put_policy(&mut snapshot, objects::network_policy("shop", name, direction, rules));
    }
    let program = Program::compile(snapshot, Assumptions::new(Semantics::Upstream));
    let locals: Vec<LocalPod> = program.pods().map(|(pod, _)| LocalPod { pod }).collect();
    let tables = Tables::build(&program, &locals, &Modes::default(), None);
    // One pod makes more connections than its share of a node.
    let settings =
        dataplane::skeleton::types::settings { pod_connections: u32::MAX, ..DEFAULT_SETTINGS };
    let options = Options { settings, max_connections: 524_288, ..Options::default() };
    let mut plane = NodePlane::open(root, &options)?;
    let (mode, established) = (PodMode::Enforce, Established::Revoke);
    let mut policies = Vec::new();
    for (local, (number, interface)) in locals.iter().zip((0..).zip(FIRST_LINK..)) {
        let addresses = vec![pod(number)];
        let interface =
            PodInterface { interface, addresses, open_until_policy: false, uid: [0; 16] };
        let number = plane.add_pod(&interface)?;
        policies.push(PodPolicy { number, pod: local.pod, mode, established });
    }
    plane.write(&tables, &policies)?;
    plane.settle_links(2)?;
    plane.tick()?;
    Ok(plane)
}

fn to_port(port: u16) -> Rule {
    let range = PortRange::single(port).unwrap_or(PortRange::ALL);
    let matches = PortMatch::Numbers { protocol: Protocol::Tcp, range };
    let both = objects::pods(&[("app", "both")]);
    Rule {
        ports: Ports::Listed(vec![PortSpec { matches, span: None }]),
        ..objects::accept(vec![both])
    }
}

impl Running {
    /// Does a process' part until traffic has ended. Returns how much there was to do, where there was a part.
    pub(crate) fn serve(&mut self, ended: &AtomicBool) -> Result<Option<usize>> {
        match self {
            Self::Rules | Self::Nothing { .. } => Ok(None),
            Self::Ours(plane) => read(plane, ended).map(Some),
            Self::Queue(queue) => accept_all(queue, ended).map(Some),
        }
    }

    pub(crate) fn end(self) -> Result<()> {
        match self {
            Self::Rules | Self::Nothing { .. } | Self::Queue(_) => Ok(()),
            Self::Ours(plane) => Ok(plane.detach()?),
        }
    }
}

/// Takes what is reported, as an agent does, ten times a second; how many events there were.
fn read(plane: &mut NodePlane, ended: &AtomicBool) -> Result<usize> {
    let mut events = plane.events()?;
    let mut n_events = 0;
    while !ended.load(Ordering::Relaxed) {
        n_events += events.read()?.len();
        thread::sleep(Duration::from_millis(100));
    }
    Ok(n_events)
}

/// Ends with the first packet behind the end.
fn accept_all(queue: &mut Queue, ended: &AtomicBool) -> Result<usize> {
    let mut n_packets = 0;
    while !ended.load(Ordering::Relaxed) {
        let mut packet = queue.recv()?;
        packet.set_verdict(Verdict::Accept);
        queue.verdict(packet)?;
        n_packets += 1;
    }
    Ok(n_packets)
}
