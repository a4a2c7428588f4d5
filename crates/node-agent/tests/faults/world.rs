//! A policy that can be made as large as no table is.

use crate::fabric;
use dataplane::{Established, PodInterface, PodMode};
use net_types::Protocol;
use node_agent::{Wanted, WantedPod};
use policy_engine::{Assumptions, Program, Semantics};
use policy_model::{Direction, Network, PeerMatch, Pod, Ports, Rule, Snapshot};
use policy_oracle::worlds::{objects, put_pod, put_policy};
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

pub(crate) const CLIENT: u32 = 0;
pub(crate) const SERVER: u32 = 1;
/// The server's policy allows it, and nothing else that anybody here sends.
pub(crate) const ALLOWED: u16 = 9000;

/// What a policy has beside the rule for [`ALLOWED`].
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Size {
    /// Pods elsewhere that may do what the client may.
    pub(crate) peers: u16,
    /// Blocks that may send something else.
    pub(crate) networks: u16,
    /// Rules of a port of their own.
    pub(crate) rules: u16,
}

pub(crate) fn wanted(epoch: u64, size: Size) -> Wanted {
    let mut snapshot = Snapshot::default();
    snapshot.namespaces.insert("shop".into(), objects::namespace("shop", &[]));
    let mut add = |name: &str, app: &str, address: IpAddr| {
        let addresses = vec![address];
        put_pod(&mut snapshot, Pod { addresses, ..objects::pod("shop", name, &[("app", app)]) });
    };
    add("client", "client", fabric::place(CLIENT).address);
    add("server", "server", fabric::place(SERVER).address);
    for number in 0..size.peers {
        let [high, low] = number.to_be_bytes();
        add(&format!("peer-{number}"), "client", IpAddr::from([10, 7, high, low]));
    }
    let mut policy = objects::network_policy("shop", "server", Direction::Ingress, rules(size));
    policy.subject.pods = objects::selector(&[("app", "server")]);
    put_policy(&mut snapshot, policy);
    let program = Program::compile(snapshot, Assumptions::new(Semantics::Upstream));
    let pods = [("client", CLIENT), ("server", SERVER)].map(|(name, pod)| WantedPod {
        pod: program.pods().find(|(_, of)| of.name == name).unwrap().0,
        interface: PodInterface {
            interface: fabric::place(pod).interface,
            addresses: vec![fabric::place(pod).address],
            open_until_policy: false,
            uid: [1; 16],
        },
        mode: PodMode::Enforce,
        established: Established::Revoke,
    });
    Wanted {
        epoch,
        pods: pods.to_vec(),
        program: Arc::new(program),
        files: Arc::default(),
        modes: Default::default(),
        services: BTreeSet::new(),
    }
}

fn rules(size: Size) -> Vec<Rule> {
    let client = || vec![objects::pods(&[("app", "client")])];
    let on = |port: u16, peers: Vec<PeerMatch>| {
        let ports = [Protocol::Tcp, Protocol::Udp].map(|of| objects::port(of, port).unwrap());
        Rule { ports: Ports::Listed(ports.to_vec()), ..objects::accept(peers) }
    };
    let mut rules = vec![on(ALLOWED, client())];
    let block = |number: u16| {
        let [high, low] = number.to_be_bytes();
        let block = format!("172.{}.{low}.0/24", 16 + high).parse().unwrap();
        Network { block, except: Vec::new() }
    };
    if size.networks > 0 {
        let blocks = (0..size.networks).map(block).collect();
        rules.push(on(1, vec![PeerMatch::Networks(blocks)]));
    }
    rules.extend((0..size.rules).map(|number| on(10_000 + number, client())));
    rules
}
