//! What the kernel does not take: nothing passes by half of a change, it is said, and it is over when there is
//! room again.
//!
//! Needs root; all of it is in namespaces of the test's own.
#![cfg(test)]

#[path = "../../../dataplane/tests/support/fabric.rs"]
mod fabric;
mod memory;
#[path = "../../../dataplane/tests/support/mod.rs"]
mod support;
mod world;

use dataplane::skeleton::types::settings;
use dataplane::{DEFAULT_SETTINGS, Inspection, Options, Table};
use net_fabric::Namespace;
use nix::libc;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;
use node_agent::{Agent, AgentError};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::ops::Range;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};
use support::apart;
use world::{ALLOWED, CLIENT, SERVER, Size, wanted};

/// Shorter than TCP waits before it sends a SYN again.
const PATIENCE: Duration = Duration::from_millis(300);
const SECOND: u64 = 1_000_000_000;

struct Node {
    pods: Vec<Namespace>,
    agent: Agent,
    listener: TcpListener,
    datagrams: UdpSocket,
    epoch: u64,
}

impl Node {
    fn new(root: &Path, options: &Options) -> Self {
        let node = fabric::become_node();
        let pods = fabric::add_pods(&node, &[CLIENT, SERVER].map(fabric::place));
        let agent = Agent::open("node", root, options).unwrap();
        let bind = || {
            let address = ("0.0.0.0", ALLOWED);
            (TcpListener::bind(address).unwrap(), UdpSocket::bind(address).unwrap())
        };
        let (listener, datagrams) = pods[SERVER as usize].enter(bind).unwrap();
        datagrams.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut node = Self { pods, agent, listener, datagrams, epoch: 0 };
        node.apply(Size::default()).unwrap();
        node
    }

    fn apply(&mut self, size: Size) -> Result<(), AgentError> {
        self.epoch += 1;
        self.agent.apply(wanted(self.epoch, size)).map(|applied| assert_eq!(applied.problems, []))
    }

    fn client(&self) -> &Namespace {
        &self.pods[CLIENT as usize]
    }

    fn connect(&self) -> Option<TcpStream> {
        let server = SocketAddr::new(fabric::place(SERVER).address, ALLOWED);
        let stream =
            self.client().enter(|| TcpStream::connect_timeout(&server, PATIENCE).ok()).unwrap()?;
        self.listener.accept().unwrap();
        Some(stream)
    }

    /// From any port; whether it arrived.
    fn call(&self) -> bool {
        self.call_from(0..1)
    }

    /// From each port in turn; whether the last one arrived.
    fn call_from(&self, ports: Range<u16>) -> bool {
        let server = (fabric::place(SERVER).address, ALLOWED);
        let sent = self.client().enter(|| {
            for port in ports.clone() {
                let socket = UdpSocket::bind(("0.0.0.0", port)).unwrap();
                socket.send_to(&port.to_ne_bytes(), server).unwrap();
            }
        });
        sent.unwrap();
        let mut port = [0; 2];
        while self.datagrams.recv(&mut port).is_ok() {
            if u16::from_ne_bytes(port) == ports.end - 1 {
                return true;
            }
        }
        false
    }
}

fn counter(root: &Path, cause: &str) -> u64 {
    let state = Inspection::open(root).unwrap().unwrap().state().unwrap();
    state.counters.iter().find(|(name, _)| *name == cause).unwrap().1
}

/// A change that is too large denies everything, is tried again, and is over with one that is not. `errno`: what
/// the kernel says.
fn fails_closed(root: &Path, node: &mut Node, size: Size, (table, errno): (Table, i32)) {
    let is_the_one = |error: AgentError| {
        let AgentError::Write(error) = error else { panic!("{error}") };
        let told = error.to_string();
        assert!(error.table == table && told.contains(&format!("os error {errno}")), "{told}");
        assert_eq!(error.denied.len(), 2, "{told}");
    };
    assert!(node.connect().is_some() && node.call(), "the policy allows it");
    let denials = counter(root, "policy");
    is_the_one(node.apply(size).unwrap_err());
    assert!(node.connect().is_none() && !node.call(), "half of a change decides nothing");
    is_the_one(node.agent.turn().unwrap_err());
    assert!(node.connect().is_none() && !node.call(), "it has failed again");
    assert!(counter(root, "policy") >= denials + 4, "what is denied is counted");
    node.apply(Size::default()).unwrap();
    assert!(node.connect().is_some() && node.call(), "there is room again");
    node.agent.turn().unwrap();
}

#[test]
fn a_full_table_fails_closed() {
    let small = Options { max_addresses: 64, max_networks: 64, max_rows: 64, ..Options::default() };
    let cases = [
        (Size { peers: 500, ..Size::default() }, (Table::Addresses, libc::E2BIG)),
        (Size { networks: 500, ..Size::default() }, (Table::Networks, libc::ENOSPC)),
        (Size { rules: 200, ..Size::default() }, (Table::Vectors, libc::E2BIG)),
    ];
    apart(move |root| {
        let mut node = Node::new(root, &small);
        for (size, expected) in cases {
            fails_closed(root, &mut node, size, expected);
        }
    });
}

#[test]
fn a_kernel_without_memory_fails_closed() {
    apart(|root| {
        let limit = memory::Limit::new();
        let mut node = limit.charge(|| Node::new(root, &Options::default()));
        limit.set_to_what_is_used();
        let size = Size { rules: 1_000, ..Size::default() };
        fails_closed(root, &mut node, size, (Table::Vectors, libc::ENOMEM));
        limit.lift();
        node.apply(size).unwrap();
        assert!(node.connect().is_some() && node.call(), "it fits now");
    });
}

#[test]
fn a_full_connection_table_refuses_who_is_new_and_nobody_else() {
    let settings = settings { udp_unanswered: SECOND, ..DEFAULT_SETTINGS };
    let options = Options { settings, max_connections: 64, ..Options::default() };
    apart(move |root| {
        let mut node = Node::new(root, &options);
        let client = node.client().enter(|| UdpSocket::bind(("0.0.0.0", 0)).unwrap()).unwrap();
        client.connect((fabric::place(SERVER).address, ALLOWED)).unwrap();
        let is_heard = |node: &Node| {
            client.send(b"known").unwrap();
            node.datagrams.recv(&mut [0; 8]).is_ok()
        };
        assert!(is_heard(&node));
        assert!(!node.call_from(1_000..1_200), "there is no room for so many");
        assert!(counter(root, "connections-full") > 0);
        assert!(is_heard(&node), "who is known goes on");
        let since = Instant::now();
        while !node.call() {
            assert!(since.elapsed() < Duration::from_secs(20), "what is over leaves");
            node.agent.turn().unwrap();
            thread::sleep(Duration::from_millis(100));
        }
    });
}

#[test]
fn a_full_ring_loses_reports_with_their_number_and_no_packet() {
    const CALLS: u16 = 20_000;
    /// As many as wait for the server.
    const AT_ONCE: u16 = 100;
    apart(|root| {
        let mut node = Node::new(root, &Options::default());
        node.agent.flows().unwrap();
        for number in 0..CALLS / AT_ONCE {
            let first = 1_024 + number * AT_ONCE;
            assert!(node.call_from(first..first + AT_ONCE), "nobody reads, and all pass");
        }
        let lost = counter(root, "reports-lost-ring-full");
        let early = node.agent.flows().unwrap();
        let told = early.len();
        assert!(lost > 0 && told > 0, "{told} told, {lost} lost");
        // Of both pods, each call is a connection.
        assert_eq!(told as u64 + lost, 2 * u64::from(CALLS));
        // Each CPU numbers its reports, and tells of its gap with the next one.
        let all = sched_getaffinity(Pid::from_raw(0)).unwrap();
        // A small report may still have found room where a large one had not.
        let mut gaps: u64 = early.iter().map(|flow| flow.lost_before).sum();
        for cpu in (0..CpuSet::count()).filter(|cpu| all.is_set(*cpu).unwrap()) {
            let mut one = CpuSet::new();
            one.set(cpu).unwrap();
            sched_setaffinity(Pid::from_raw(0), &one).unwrap();
            assert!(node.call());
            let later = node.agent.flows().unwrap();
            assert_eq!(later.len(), 2);
            gaps += later.iter().map(|flow| flow.lost_before).sum::<u64>();
        }
        assert_eq!(gaps, lost, "whoever reads is told of the gap");
    });
}
