//! The network of a plan: namespaces, and the links between them.
//!
//! ```text
//!   lab's own namespace, a router without a way out
//!     ├── node-1 eth0 ── a router ── pod3 ┄ eth0 of a pod
//!     ├── node-2 eth0 …
//!     └── eth0 of a peer outside
//! ```
//! Every link has a permanent neighbour at each end: nothing is asked on the wire, and what a test forges
//! there changes nothing.

mod services;

pub(crate) use services::script as service_rules;

use crate::LabError;
use crate::plan::Plan;
use net_fabric::{
    Changes, FabricError, HardwareAddress, LinkEnd, Namespace, NewAddress, Route, set_sysctl,
};
use net_types::IpNet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::AsFd as _;

/// The end of every link that leads to routers.
const ROUTER: HardwareAddress = HardwareAddress([0x0a, 0x57, 0, 0, 0, 1]);
const GATEWAY_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(169, 254, 1, 1));
const GATEWAY_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1));
const LOOPBACK: u32 = 1;
/// `eth0`, everywhere.
const ETH0: u32 = 2;
/// Links of routers have numbers from here on.
const FIRST_LINK: u32 = 100;

/// Whoever can open a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Host {
    /// Places in the plan.
    Pod(usize),
    Node(usize),
    External(usize),
}

/// The end of a pod's link that lies in its node: where a data plane is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PodLink {
    /// A place among the snapshot's pods.
    pub pod: usize,
    /// The interface's index in the node's namespace.
    pub index: u32,
}

/// Everything that a data plane instance of one node needs.
#[derive(Debug)]
pub struct NodeNetwork {
    pub namespace: Namespace,
    pub links: Vec<PodLink>,
}

#[derive(Debug)]
pub struct Network {
    nodes: Vec<NodeNetwork>,
    /// Host-network pods have none.
    pods: Vec<Option<Namespace>>,
    external: Vec<Namespace>,
    /// A place among the nodes, for each pod.
    node_of_pod: Vec<usize>,
}

impl Network {
    /// To be called in the namespace that becomes the one between the nodes.
    pub(crate) fn create(plan: &Plan) -> Result<Self, LabError> {
        let between = Namespace::of_this_thread()?;
        prepare_router()?;
        let nodes = Namespace::create_many(plan.nodes.len(), prepare_router)?;
        let wanted: Vec<bool> = plan.snapshot.pods.iter().map(|pod| !pod.host_network).collect();
        let n_pods = wanted.iter().filter(|wanted| **wanted).count();
        let mut made = Namespace::create_many(n_pods, prepare_end)?.into_iter();
        let network = Self {
            nodes: (nodes.into_iter().enumerate())
                .map(|(place, namespace)| NodeNetwork { namespace, links: links(plan, place) })
                .collect(),
            pods: wanted.into_iter().map(|wanted| wanted.then(|| made.next()).flatten()).collect(),
            external: Namespace::create_many(plan.external.len(), prepare_end)?,
            node_of_pod: plan.pods.iter().map(|pod| pod.node).collect(),
        };
        network.connect_nodes(plan, &between)?;
        for node in &network.nodes {
            network.connect_pods(plan, node)?;
        }
        Ok(network)
    }

    /// Where the host's traffic begins: a host-network pod is in its node's namespace.
    pub fn namespace(&self, host: Host) -> Option<&Namespace> {
        match host {
            Host::Node(place) => self.nodes.get(place).map(|node| &node.namespace),
            Host::External(place) => self.external.get(place),
            Host::Pod(place) => match self.pods.get(place)? {
                Some(own) => Some(own),
                None => self.namespace(Host::Node(*self.node_of_pod.get(place)?)),
            },
        }
    }

    /// What a data plane is attached to, in the order of the plan's nodes.
    pub fn nodes(&self) -> &[NodeNetwork] {
        &self.nodes
    }

    fn connect_nodes(&self, plan: &Plan, between: &Namespace) -> Result<(), FabricError> {
        let mut changes = Changes::default();
        changes.set_up(LOOPBACK);
        let mut index = FIRST_LINK;
        let mut ends = Vec::new();
        for (place, (node, planned)) in self.nodes.iter().zip(&plan.nodes).enumerate() {
            let end = End { index, addresses: &planned.addresses, namespace: &node.namespace };
            end.add_to_router(&mut changes, &format!("node{place}"));
            for link in &node.links {
                let pod = plan.snapshot.pods.get(link.pod);
                for address in pod.into_iter().flat_map(|pod| &pod.addresses) {
                    let via =
                        planned.addresses.iter().find(|via| via.is_ipv4() == address.is_ipv4());
                    changes.add_route(Route { to: (*address).into(), via: via.copied(), index });
                    if via.is_none() {
                        changes.add_neighbour(index, *address, end.hardware());
                    }
                }
            }
            ends.push(end);
            index += 1;
        }
        for (place, (namespace, planned)) in self.external.iter().zip(&plan.external).enumerate() {
            let addresses = std::slice::from_ref(&planned.address);
            let end = End { index, addresses, namespace };
            end.add_to_router(&mut changes, &format!("out{place}"));
            ends.push(end);
            index += 1;
        }
        changes.apply(between)?;
        ends.iter().try_for_each(End::configure)
    }

    fn connect_pods(&self, plan: &Plan, node: &NodeNetwork) -> Result<(), FabricError> {
        let mut changes = Changes::default();
        let mut ends = Vec::new();
        for link in &node.links {
            let (Some(Some(namespace)), Some(pod)) =
                (self.pods.get(link.pod), plan.snapshot.pods.get(link.pod))
            else {
                continue;
            };
            let end = End { index: link.index, addresses: &pod.addresses, namespace };
            end.add_to_router(&mut changes, &format!("pod{}", link.pod));
            ends.push(end);
        }
        changes.apply(&node.namespace)?;
        ends.iter().try_for_each(End::configure)
    }
}

fn links(plan: &Plan, node: usize) -> Vec<PodLink> {
    let pods = plan.pods.iter().zip(&plan.snapshot.pods).enumerate();
    let of_node = pods.filter(|(_, (planned, pod))| planned.node == node && !pod.host_network);
    (FIRST_LINK..).zip(of_node).map(|(index, (pod, _))| PodLink { pod, index }).collect()
}

/// The far end of a router's link.
struct End<'a> {
    /// Of the router's end.
    index: u32,
    addresses: &'a [IpAddr],
    namespace: &'a Namespace,
}

impl End<'_> {
    fn hardware(&self) -> HardwareAddress {
        let [a, b, c, d] = self.index.to_be_bytes();
        HardwareAddress([0x0a, 0x58, a, b, c, d])
    }

    fn add_to_router(&self, changes: &mut Changes, name: &str) {
        let here = LinkEnd { name, index: self.index, hardware: ROUTER };
        let there = LinkEnd { name: "eth0", index: ETH0, hardware: self.hardware() };
        changes.add_pair(here, there, self.namespace.as_fd());
        for address in self.addresses {
            changes.add_route(Route { to: (*address).into(), via: None, index: self.index });
            changes.add_neighbour(self.index, *address, self.hardware());
        }
    }

    fn configure(&self) -> Result<(), FabricError> {
        let mut changes = Changes::default();
        changes.set_up(LOOPBACK);
        changes.set_up(ETH0);
        for address in self.addresses {
            changes.add_address(NewAddress { index: ETH0, address: *address });
        }
        for (gateway, everything) in [
            (GATEWAY_V4, IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
            (GATEWAY_V6, IpAddr::V6(Ipv6Addr::UNSPECIFIED)),
        ] {
            let to = IpNet::new_assert(everything, 0);
            changes.add_neighbour(ETH0, gateway, ROUTER);
            changes.add_route(Route { to, via: Some(gateway), index: ETH0 });
        }
        changes.apply(self.namespace)
    }
}

/// No address by itself: each one is given, and none is asked for on the link.
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
