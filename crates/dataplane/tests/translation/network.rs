//! A node with three pods, two Services for each backend, and the data plane on all of it.
//!
//! ```text
//! web 10.0.0.1 ── node 10.1.0.1 ──┬── api 10.0.0.2     IPv6: fd00::1, fd00::2, fd00::3, fd01::1
//!                                 ├── db  10.0.0.3
//!                                 └── outside: whatever else has a route to somewhere
//! ```

use crate::support::apart;
pub(crate) use dataplane::PodMode;
use dataplane::{Established, Events, NodePlane, Options, PodInterface, PodNumber, PodPolicy};
use flow_model::Sighting;
use net_fabric::{
    Changes, FabricError, HardwareAddress, LinkEnd, Namespace, NewAddress, Route, rules, set_sysctl,
};
use net_types::{IpNet, Protocol};
use policy_engine::{Assumptions, Program, Semantics};
use policy_model::{Direction, Pod, Rule, Snapshot};
use policy_oracle::worlds::{objects, put_pod, put_policy};
use policy_tables::{LocalPod, Modes, Tables};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsFd as _;
use std::path::Path;
use std::process::Command;

pub(crate) const WEB: usize = 0;
pub(crate) const API: usize = 1;
pub(crate) const DB: usize = 2;
const NAMES: [&str; 3] = ["web", "api", "db"];
/// Where every backend listens.
pub(crate) const PORT: u16 = 8080;

const ROUTER: HardwareAddress = HardwareAddress([2, 0, 0, 0, 0, 1]);
const LOOPBACK: u32 = 1;
const ETH0: u32 = 2;
const FIRST_LINK: u32 = 100;
const OUTSIDE: u32 = 200;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    V4,
    V6,
}

impl Family {
    pub(crate) const BOTH: [Self; 2] = [Self::V4, Self::V6];

    fn address(self, v4: [u8; 4], v6: [u16; 2]) -> IpAddr {
        match self {
            Self::V4 => IpAddr::from(v4),
            Self::V6 => IpAddr::from([v6[0], 0, 0, 0, 0, 0, 0, v6[1]]),
        }
    }

    pub(crate) fn pod(self, pod: usize) -> IpAddr {
        let host = u8::try_from(pod + 1).unwrap();
        self.address([10, 0, 0, host], [0xfd00, host.into()])
    }

    pub(crate) fn node(self) -> IpAddr {
        self.address([10, 1, 0, 1], [0xfd01, 1])
    }

    pub(crate) fn any(self) -> IpAddr {
        self.address([0, 0, 0, 0], [0, 0])
    }

    pub(crate) fn service(self, host: u8) -> SocketAddr {
        SocketAddr::new(self.address([10, 96, 0, host], [0xfd96, host.into()]), 80)
    }

    fn gateway(self) -> IpAddr {
        self.address([169, 254, 1, 1], [0xfe80, 1])
    }
}

/// The Service of a pod: 1, 2, 3. Of the node's own server: 4. Of api and db in turns: 5.
pub(crate) const NODE_SERVICE: u8 = 4;
pub(crate) const MIXED_SERVICE: u8 = 5;
/// Nothing translates it.
pub(crate) const EMPTY_SERVICE: u8 = 6;

pub(crate) fn service_of(pod: usize) -> u8 {
    u8::try_from(pod + 1).unwrap()
}

pub(crate) struct Node {
    pub(crate) namespace: Namespace,
    pub(crate) pods: Vec<Namespace>,
    pub(crate) outside: Namespace,
    pub(crate) mode: PodMode,
    plane: NodePlane,
    numbers: Vec<PodNumber>,
    events: Events,
}

/// A node whose pod web may send what the rules say; the data plane knows all Services.
pub(crate) fn on_node(rules: Vec<Rule>, test: impl FnOnce(&mut Node) + Send + 'static) {
    apart(move |root| {
        let mut node = Node::create(root);
        node.allow(rules);
        node.know(&[1, 2, 3, NODE_SERVICE, MIXED_SERVICE, EMPTY_SERVICE]);
        test(&mut node);
        node.plane.detach().unwrap();
    });
}

impl Node {
    /// In the namespaces of the calling thread.
    fn create(root: &Path) -> Self {
        let missing = net_fabric::missing_privileges();
        assert!(missing.is_empty(), "this test needs {}", missing.join(", "));
        let namespace = Namespace::of_this_thread().unwrap();
        prepare_router().unwrap();
        let mut ends = Namespace::create_many(NAMES.len() + 1, prepare_end).unwrap();
        let outside = ends.pop().unwrap();
        connect(&namespace, &ends, &outside).unwrap();
        rules::load(&namespace, &translations()).unwrap();
        let mut plane = NodePlane::open(root, &Options::default()).unwrap();
        let numbers =
            (0..NAMES.len()).map(|pod| plane.add_pod(&interface_of(pod)).unwrap()).collect();
        let events = plane.events().unwrap();
        let mode = PodMode::Enforce;
        Self { namespace, pods: ends, outside, mode, plane, numbers, events }
    }

    /// From now on web may send what these rules say. The others have no policy.
    pub(crate) fn allow(&mut self, rules: Vec<Rule>) {
        let mut snapshot = Snapshot::default();
        snapshot.namespaces.insert("shop".into(), objects::namespace("shop", &[]));
        for (pod, name) in NAMES.into_iter().enumerate() {
            let addresses = Family::BOTH.map(|family| family.pod(pod)).to_vec();
            put_pod(
                &mut snapshot,
                Pod { addresses, ..objects::pod("shop", name, &[("app", name)]) },
            );
        }
        let mut policy = objects::network_policy("shop", "web", Direction::Egress, rules);
        policy.subject.pods = objects::selector(&[("app", "web")]);
        put_policy(&mut snapshot, policy);
        let program = Program::compile(snapshot, Assumptions::new(Semantics::Upstream));
        let pods: Vec<_> =
            NAMES.map(|name| program.pods().find(|(_, pod)| pod.name == name).unwrap().0).to_vec();
        let locals: Vec<LocalPod> = pods.iter().map(|pod| LocalPod { pod: *pod }).collect();
        let tables = Tables::build(&program, &locals, &Modes::default(), None);
        let (mode, established) = (self.mode, Established::Revoke);
        let policies: Vec<PodPolicy> = (self.numbers.iter().zip(&pods))
            .map(|(number, pod)| PodPolicy { number: *number, pod: *pod, mode, established })
            .collect();
        self.plane.write(&tables, &policies).unwrap();
    }

    /// The data plane knows these Services and no others.
    pub(crate) fn know(&mut self, services: &[u8]) {
        let mut known = BTreeSet::new();
        for family in Family::BOTH {
            for service in services.iter().map(|host| family.service(*host)) {
                known.extend(
                    [Protocol::Tcp, Protocol::Udp, Protocol::Sctp]
                        .map(|p| (service.ip(), p, service.port())),
                );
            }
        }
        self.plane.set_services(&known).unwrap();
    }

    /// What passes to the pod has to be smaller than what leaves others.
    pub(crate) fn narrow(&self, pod: usize, bytes: u32) {
        let set = format!("ip link set {} mtu {bytes}", NAMES[pod]);
        let done = Command::new("sh").args(["-c", &set]).status().unwrap();
        assert!(done.success(), "`{set}` failed: is iproute2 there?");
    }

    /// Until it is looked after again, web is no pod of the data plane.
    pub(crate) fn leave_web_alone(&mut self) {
        self.plane.remove_pod(self.numbers[WEB]).unwrap();
    }

    /// Its connections of before are unknown. It waits for a policy.
    pub(crate) fn look_after_web(&mut self) {
        self.numbers[WEB] = self.plane.add_pod(&interface_of(WEB)).unwrap();
    }

    /// What was reported since the last call.
    pub(crate) fn sightings(&mut self) -> Vec<Sighting> {
        self.events.read().unwrap()
    }
}

fn interface_of(pod: usize) -> PodInterface {
    PodInterface {
        interface: FIRST_LINK + u32::try_from(pod).unwrap(),
        addresses: Family::BOTH.map(|family| family.pod(pod)).to_vec(),
        open_until_policy: false,
        uid: [0; 16],
    }
}

/// Traffic to the Services goes to their backends; a pod that reaches itself sees the node's address.
fn translations() -> String {
    let mut to = String::new();
    let mut hairpin = String::new();
    for (family, name) in Family::BOTH.into_iter().zip(["ip", "ip6"]) {
        let backend = |address: IpAddr| SocketAddr::new(address, PORT);
        let mut add = |host: u8, target: String| {
            let service = family.service(host);
            let (address, port) = (service.ip(), service.port());
            writeln!(to, "    {name} daddr {address} meta l4proto {{ tcp, udp, sctp }} th dport {port} dnat {name} to {target}").unwrap();
        };
        for pod in [WEB, API, DB] {
            add(service_of(pod), backend(family.pod(pod)).to_string());
        }
        add(NODE_SERVICE, backend(family.node()).to_string());
        let [api, db] = [API, DB].map(|pod| family.pod(pod));
        add(
            MIXED_SERVICE,
            format!("numgen inc mod 2 map {{ 0 : {api} . {PORT}, 1 : {db} . {PORT} }}"),
        );
        let web = family.pod(WEB);
        writeln!(hairpin, "    ct status dnat {name} saddr {web} {name} daddr {web} masquerade")
            .unwrap();
    }
    format!(
        "table inet services {{\n\
         \x20 chain arriving {{\n    type nat hook prerouting priority -100\n{to}  }}\n\
         \x20 chain leaving {{\n    type nat hook postrouting priority 100\n{hairpin}  }}\n}}\n"
    )
}

fn connect(node: &Namespace, pods: &[Namespace], outside: &Namespace) -> Result<(), FabricError> {
    let mut changes = Changes::default();
    changes.set_up(LOOPBACK);
    for family in Family::BOTH {
        changes.add_address(NewAddress { index: LOOPBACK, address: family.node() });
    }
    for (place, pod) in pods.iter().enumerate() {
        let index = FIRST_LINK + u32::try_from(place).unwrap();
        add_link(&mut changes, NAMES[place], index, pod);
        for address in Family::BOTH.map(|family| family.pod(place)) {
            changes.add_route(Route { to: address.into(), via: None, index });
            changes.add_neighbour(index, address, hardware(index));
        }
    }
    add_link(&mut changes, "outside", OUTSIDE, outside);
    add_ways_out(&mut changes, OUTSIDE, hardware(OUTSIDE));
    changes.apply(node)?;
    for (place, pod) in pods.iter().enumerate() {
        let mut changes = Changes::default();
        changes.set_up(LOOPBACK);
        changes.set_up(ETH0);
        for address in Family::BOTH.map(|family| family.pod(place)) {
            changes.add_address(NewAddress { index: ETH0, address });
        }
        add_ways_out(&mut changes, ETH0, ROUTER);
        changes.apply(pod)?;
    }
    let mut changes = Changes::default();
    changes.set_up(ETH0);
    changes.apply(outside)
}

fn add_link(changes: &mut Changes, name: &str, index: u32, end: &Namespace) {
    let here = LinkEnd { name, index, hardware: ROUTER };
    let there = LinkEnd { name: "eth0", index: ETH0, hardware: hardware(index) };
    changes.add_pair(here, there, end.as_fd());
    changes.set_up(index);
}

fn add_ways_out(changes: &mut Changes, index: u32, via: HardwareAddress) {
    let everything = [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)];
    for (family, everything) in Family::BOTH.into_iter().zip(everything) {
        let gateway = family.gateway();
        changes.add_neighbour(index, gateway, via);
        let to = IpNet::new_assert(everything, 0);
        changes.add_route(Route { to, via: Some(gateway), index });
    }
}

fn hardware(index: u32) -> HardwareAddress {
    let [a, b, c, d] = index.to_be_bytes();
    HardwareAddress([2, 1, a, b, c, d])
}

/// No address by itself: each one is given.
fn prepare_end() -> Result<(), FabricError> {
    set_sysctl("ipv6/conf/default/addr_gen_mode", "1")?;
    set_sysctl("ipv6/conf/default/accept_ra", "0")
}

fn prepare_router() -> Result<(), FabricError> {
    prepare_end()?;
    set_sysctl("ipv4/ip_forward", "1")?;
    set_sysctl("ipv4/conf/all/rp_filter", "0")?;
    set_sysctl("ipv4/conf/default/rp_filter", "0")?;
    set_sysctl("ipv6/conf/all/forwarding", "1")
}
