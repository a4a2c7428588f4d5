//! What the agent is told: two policies in turns, and guests that come and go.

use crate::fabric::{self, Place};
use dataplane::skeleton::types::settings;
use dataplane::{DEFAULT_SETTINGS, Established, Options, PodInterface, PodMode};
use net_types::Protocol;
use node_agent::{Wanted, WantedPod};
use policy_engine::{Assumptions, Program, Semantics};
use policy_model::{Direction, Pod, Policy, Ports, Rule, Snapshot};
use policy_oracle::worlds::{objects, put_pod, put_policy};
use std::collections::BTreeSet;
use std::sync::Arc;

pub(crate) const CLIENT: u32 = 0;
pub(crate) const SERVER: u32 = 1;

/// The server's policy always allows it, and not to strangers.
pub(crate) const ALWAYS: u16 = 9000;
pub(crate) const NEVER: u16 = 7000;

/// Which port the server's policy allows beside [`ALWAYS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Variant {
    First,
    Second,
}

impl Variant {
    pub(crate) const BOTH: [Self; 2] = [Self::First, Self::Second];

    pub(crate) fn port(self) -> u16 {
        match self {
            Self::First => 8080,
            Self::Second => 8081,
        }
    }

    pub(crate) fn other(self) -> Self {
        match self {
            Self::First => Self::Second,
            Self::Second => Self::First,
        }
    }
}

/// A pod that does not stay. A later one has its address and is somebody else.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Guest {
    pub(crate) place: Place,
    pub(crate) friend: bool,
    pub(crate) uid: [u8; 16],
}

/// What nobody uses is over soon.
pub(crate) fn options() -> Options {
    const SECOND: u64 = 1_000_000_000;
    let settings = settings {
        tcp_opening: 2 * SECOND,
        tcp_open: 20 * SECOND,
        tcp_closing: 2 * SECOND,
        tcp_closed: SECOND,
        udp_unanswered: SECOND,
        udp_answered: SECOND,
        ..DEFAULT_SETTINGS
    };
    Options { settings, ..Options::default() }
}

pub(crate) fn wanted(epoch: u64, variant: Variant, guests: &[Guest]) -> Wanted {
    let mut snapshot = Snapshot::default();
    snapshot.namespaces.insert("shop".into(), objects::namespace("shop", &[]));
    let mut interfaces = Vec::new();
    let mut add = |name: &str, app: &str, place: Place, uid: [u8; 16]| {
        let addresses = vec![place.address];
        put_pod(
            &mut snapshot,
            Pod { addresses: addresses.clone(), ..objects::pod("shop", name, &[("app", app)]) },
        );
        let interface = place.interface;
        let pod = PodInterface { interface, addresses, open_until_policy: false, uid };
        interfaces.push((name.to_owned(), pod));
    };
    add("client", "friend", fabric::place(CLIENT), [1; 16]);
    add("server", "server", fabric::place(SERVER), [2; 16]);
    for (number, guest) in guests.iter().enumerate() {
        let app = if guest.friend { "friend" } else { "stranger" };
        add(&format!("guest-{number}"), app, guest.place, guest.uid);
    }
    put_policy(&mut snapshot, of_server(variant));
    let program = Program::compile(snapshot, Assumptions::new(Semantics::Upstream));
    let pods = interfaces.into_iter().map(|(name, interface)| WantedPod {
        pod: program.pods().find(|(_, pod)| pod.name == name).unwrap().0,
        interface,
        mode: PodMode::Enforce,
        established: Established::Revoke,
    });
    Wanted {
        epoch,
        pods: pods.collect(),
        program: Arc::new(program),
        files: Arc::default(),
        modes: Default::default(),
        services: BTreeSet::new(),
    }
}

fn of_server(variant: Variant) -> Policy {
    let both = [Protocol::Tcp, Protocol::Udp];
    let ports = [ALWAYS, variant.port()]
        .into_iter()
        .flat_map(|port| both.map(|protocol| objects::port(protocol, port).unwrap()));
    let peers = vec![objects::pods(&[("app", "friend")])];
    let rule = Rule { ports: Ports::Listed(ports.collect()), ..objects::accept(peers) };
    let mut policy = objects::network_policy("shop", "server", Direction::Ingress, vec![rule]);
    policy.subject.pods = objects::selector(&[("app", "server")]);
    policy
}
