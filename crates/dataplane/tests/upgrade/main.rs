//! An older schema's data plane, with real traffic over it, is taken over in place.
//!
//! Needs root; all of it is in namespaces of the test's own.
#![cfg(test)]

#[path = "../support/dying.rs"]
mod dying;
#[path = "../support/fabric.rs"]
mod fabric;
#[path = "../support/schema_4.rs"]
mod schema_4;
#[path = "../support/mod.rs"]
mod support;

use dataplane::skeleton::types::limits;
use dataplane::{
    Established, Hook, Inspection, NodePlane, OpenError, Options, PodInterface, PodMode, PodNumber,
    PodPolicy, Upgraded,
};
use dying::End;
use flow_model::{PodWord, Report};
use net_fabric::Namespace;
use net_types::Protocol;
use policy_engine::{Assumptions, Program, Semantics};
use policy_model::{Direction, Pod, Ports, Rule, Snapshot};
use policy_oracle::worlds::{objects, put_pod, put_policy};
use policy_tables::{LocalPod, Modes, Tables};
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::thread;
use std::time::Duration;
use support::apart;

const CLIENT: u32 = 0;
const SERVER: u32 = 1;
/// The server's policy allows it, and nothing else.
const ALLOWED: u16 = 9000;
const DENIED: u16 = 7000;
/// Shorter than TCP waits before it sends a SYN again.
const PATIENCE: Duration = Duration::from_millis(400);

/// A client and a server, the server's policy in force, and the data plane of schema 4.
struct Node {
    pods: Vec<Namespace>,
    numbers: Vec<PodNumber>,
    words: Vec<PodWord>,
    listeners: Vec<TcpListener>,
    stream: (TcpStream, TcpStream),
    datagrams: (UdpSocket, UdpSocket),
}

fn options(hook: Hook) -> Options {
    Options { hook, ..Options::default() }
}

fn interface_of(pod: u32) -> PodInterface {
    PodInterface {
        interface: fabric::place(pod).interface,
        addresses: vec![fabric::place(pod).address],
        open_until_policy: false,
        uid: [0; 16],
    }
}

fn write_policy(plane: &mut NodePlane, numbers: &[PodNumber]) {
    let mut snapshot = Snapshot::default();
    snapshot.namespaces.insert("shop".into(), objects::namespace("shop", &[]));
    for (pod, name) in [(CLIENT, "client"), (SERVER, "server")] {
        let addresses = vec![fabric::place(pod).address];
        put_pod(&mut snapshot, Pod { addresses, ..objects::pod("shop", name, &[("app", name)]) });
    }
    let ports =
        [Protocol::Tcp, Protocol::Udp].map(|protocol| objects::port(protocol, ALLOWED).unwrap());
    let peers = vec![objects::pods(&[("app", "client")])];
    let rule = Rule { ports: Ports::Listed(ports.to_vec()), ..objects::accept(peers) };
    let mut policy = objects::network_policy("shop", "server", Direction::Ingress, vec![rule]);
    policy.subject.pods = objects::selector(&[("app", "server")]);
    put_policy(&mut snapshot, policy);
    let program = Program::compile(snapshot, Assumptions::new(Semantics::Upstream));
    let of = |name: &str| program.pods().find(|(_, pod)| pod.name == name).unwrap().0;
    let pods = ["client", "server"].map(of);
    let tables =
        Tables::build(&program, &pods.map(|pod| LocalPod { pod }), &Modes::default(), None);
    let (mode, established) = (PodMode::Enforce, Established::Revoke);
    let policies: Vec<PodPolicy> = (numbers.iter().zip(pods))
        .map(|(number, pod)| PodPolicy { number: *number, pod, mode, established })
        .collect();
    plane.write(&tables, &policies).unwrap();
}

impl Node {
    fn of_schema_4(root: &Path, hook: Hook) -> Self {
        let node = fabric::become_node();
        let pods = fabric::add_pods(&node, &[CLIENT, SERVER].map(fabric::place));
        let mut plane = NodePlane::open(root, &options(hook)).unwrap();
        let numbers: Vec<PodNumber> =
            [CLIENT, SERVER].map(|pod| plane.add_pod(&interface_of(pod)).unwrap()).to_vec();
        write_policy(&mut plane, &numbers);
        let words = plane.words().into_values().collect();
        drop(plane);
        schema_4::downgrade(root, &options(hook));
        let listeners: Vec<TcpListener> = [ALLOWED, DENIED]
            .map(|port| inside(&pods, SERVER, || TcpListener::bind(("0.0.0.0", port)).unwrap()))
            .into();
        let client = connect(&pods, ALLOWED).expect("the policy allows it");
        let (server, _) = listeners[0].accept().unwrap();
        for end in [&client, &server] {
            end.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        }
        let server_datagrams =
            inside(&pods, SERVER, || UdpSocket::bind(("0.0.0.0", ALLOWED)).unwrap());
        let client_datagrams = inside(&pods, CLIENT, || UdpSocket::bind(("0.0.0.0", 0)).unwrap());
        client_datagrams.connect((fabric::place(SERVER).address, ALLOWED)).unwrap();
        for end in [&client_datagrams, &server_datagrams] {
            end.set_read_timeout(Some(PATIENCE)).unwrap();
        }
        let mut node = Self {
            pods,
            numbers,
            words,
            listeners,
            stream: (client, server),
            datagrams: (client_datagrams, server_datagrams),
        };
        node.is_enforced();
        node
    }

    /// The stream goes on, answers pass, what the policy denies does not, and what it allows does.
    fn is_enforced(&mut self) {
        self.stream_goes_on();
        self.datagrams.0.send(b"ask").unwrap();
        let mut buffer = [0; 16];
        let (_, client) = self.datagrams.1.recv_from(&mut buffer).unwrap();
        self.datagrams.1.send_to(b"answer", client).unwrap();
        assert_eq!(self.datagrams.0.recv(&mut buffer).unwrap(), b"answer".len());
        assert!(connect(&self.pods, DENIED).is_none(), "the policy denies it");
        connect(&self.pods, ALLOWED).expect("the policy allows it");
        self.listeners[0].accept().unwrap();
    }

    fn stream_goes_on(&mut self) {
        let mut buffer = [0; 4];
        self.stream.0.write_all(b"ping").unwrap();
        self.stream.1.read_exact(&mut buffer).unwrap();
        self.stream.1.write_all(b"pong").unwrap();
        self.stream.0.read_exact(&mut buffer).unwrap();
        assert_eq!(&buffer, b"pong");
    }
}

fn inside<T: Send>(pods: &[Namespace], pod: u32, work: impl FnOnce() -> T + Send) -> T {
    pods[pod as usize].enter(work).unwrap()
}

fn connect(pods: &[Namespace], port: u16) -> Option<TcpStream> {
    let server = SocketAddr::new(fabric::place(SERVER).address, port);
    inside(pods, CLIENT, || TcpStream::connect_timeout(&server, PATIENCE).ok())
}

fn is_taken_over(root: &Path, hook: Hook) {
    let mut node = Node::of_schema_4(root, hook);
    let old = Inspection::open(root).unwrap().unwrap();
    assert_eq!(old.schema(), 4);
    let unreadable = old.state().unwrap_err().to_string();
    assert!(unreadable.contains("upgrades it in place"), "{unreadable}");

    let mut plane = NodePlane::open(root, &options(hook)).unwrap();
    let Upgraded { from, connections, refused } = plane.upgraded().unwrap();
    assert_eq!((from, refused), (4, 0));
    assert!(connections >= 6, "stream, datagrams and a connection that ended, of both pods");
    assert_eq!(plane.pods().map(|(number, _)| number).collect::<Vec<_>>(), node.numbers);
    assert_eq!(plane.words().into_values().collect::<Vec<_>>(), node.words);
    assert_eq!(plane.repair().unwrap(), [], "all is attached");
    let told = plane.events().unwrap().read().unwrap();
    let server = node.numbers[SERVER as usize].0;
    let denied = told.iter().find(|told| told.report == Report::Denied).unwrap();
    assert_eq!((denied.pod, denied.local_port), (server, DENIED));
    assert!(told.iter().any(|told| told.report == Report::Opened && told.local_port == ALLOWED));
    node.is_enforced();

    let state = Inspection::open(root).unwrap().unwrap().state().unwrap();
    assert_eq!(state.schema, limits::ABI_SCHEMA.0);
    let denied = state.counters.iter().find(|(cause, _)| *cause == "policy").unwrap().1;
    assert!(denied >= 2, "one before and one after, not {denied}");
    let shares: u32 = state.pods.iter().map(|pod| pod.connections).sum();
    let table = state.tables.iter().find(|table| table.name == "connections").unwrap();
    assert_eq!(usize::try_from(shares).unwrap(), table.entries);
    assert!(!root.join("v4").exists());

    drop(plane);
    let mut plane = NodePlane::open(root, &options(hook)).unwrap();
    assert_eq!(plane.upgraded(), None, "it is of this schema now");
    write_policy(&mut plane, &node.numbers);
    node.is_enforced();
    plane.detach().unwrap();
}

#[test]
fn an_older_schema_is_taken_over_with_its_connections() {
    apart(|root| is_taken_over(root, Hook::Tcx));
}

#[test]
fn so_is_one_of_kernels_without_tcx() {
    apart(|root| is_taken_over(root, Hook::Clsact));
}

#[test]
fn an_upgrade_that_dies_anywhere_is_finished_by_the_next() {
    apart(|root| {
        let mut node = Node::of_schema_4(root, Hook::Tcx);
        let mut after = Duration::ZERO;
        let mut deaths = 0;
        loop {
            let opening =
                dying::start(|| drop(NodePlane::open(root, &Options::default()).unwrap()));
            thread::sleep(after);
            if opening.kill() == End::Finished {
                break;
            }
            node.stream_goes_on();
            assert!(connect(&node.pods, DENIED).is_none(), "the policy denies it");
            after += Duration::from_millis(10) + after / 8;
            deaths += 1;
        }
        assert!(deaths > 3, "an upgrade takes longer than {after:?}");
        assert!(!root.join("v4").exists());
        let plane = NodePlane::open(root, &Options::default()).unwrap();
        node.is_enforced();
        plane.detach().unwrap();
    });
}

#[test]
fn a_schema_that_cannot_be_taken_over_is_left_alone() {
    for found in [3, limits::ABI_SCHEMA.0 + 1] {
        apart(move |root| {
            let theirs = root.join(format!("v{found}"));
            fs::create_dir_all(&theirs).unwrap();
            let error = NodePlane::open(root, &Options::default()).unwrap_err();
            assert!(matches!(error, OpenError::OtherSchema { .. }), "{error}");
            assert!(theirs.exists() && !root.join(format!("v{}", limits::ABI_SCHEMA.0)).exists());
            fs::remove_dir(&theirs).unwrap();
        });
    }
}

#[test]
fn an_older_schema_can_be_ended_from_outside() {
    for hook in [Hook::Tcx, Hook::Clsact] {
        apart(move |root| {
            let node = Node::of_schema_4(root, hook);
            Inspection::open(root).unwrap().unwrap().detach().unwrap();
            assert!(Inspection::open(root).unwrap().is_none());
            assert!(connect(&node.pods, DENIED).is_some(), "nothing is enforced any more");
        });
    }
}
