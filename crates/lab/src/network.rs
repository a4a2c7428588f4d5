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

mod discard;
mod services;

pub(crate) use services::script as service_rules;

use crate::LabError;
use crate::plan::Plan;
use net_fabric::{
    Changes, FabricError, HardwareAddress, LinkEnd, Namespace, NewAddress, Route, set_sysctl,
};
use net_types::IpNet;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// The end of every link that leads to routers.
const ROUTER: HardwareAddress = HardwareAddress([0x0a, 0x57, 0, 0, 0, 1]);
const GATEWAY_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(169, 254, 1, 1));
const GATEWAY_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1));
const LOOPBACK: u32 = 1;
/// `eth0`, everywhere.
const ETH0: u32 = 2;
/// Links of routers have numbers from here on.
const FIRST_LINK: u32 = 100;

const LINKS_COME: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(2);

/// Whoever can open a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Host {
    /// Places in the plan.
    Pod(usize),
    Node(usize),
    External(usize),
}

impl Plan {
    /// `shop/web-0`, a node's name or an address.
    pub(crate) fn name(&self, host: Host) -> String {
        match host {
            Host::Pod(place) => self.snapshot.pods.get(place).map(ToString::to_string),
            Host::Node(place) => self.nodes.get(place).map(|node| node.name.clone()),
            Host::External(place) => self.external.get(place).map(|peer| peer.address.to_string()),
        }
        .unwrap_or_default()
    }
}

/// The namespaces of a plan, in its order.
#[derive(Debug)]
pub struct Network {
    between: Arc<Namespace>,
    nodes: Vec<Arc<Namespace>>,
    /// Host-network pods have none of their own.
    pods: Vec<Option<Arc<Namespace>>>,
    external: Vec<Arc<Namespace>>,
    /// A place among the nodes, for each pod.
    node_of_pod: Vec<usize>,
}

impl Network {
    /// To be called in the namespace that becomes the one between the nodes. Pods have links that are down
    /// until [`Self::open`].
    pub(crate) fn create(plan: &Plan) -> Result<Self, LabError> {
        let between = Arc::new(Namespace::of_this_thread()?);
        prepare_router()?;
        let nodes = shared(Namespace::create_many(plan.nodes.len(), prepare_router)?);
        let external = shared(Namespace::create_many(plan.external.len(), prepare_end)?);
        let none = Self { between, nodes, pods: Vec::new(), external, node_of_pod: Vec::new() };
        none.connect_nodes(plan)?;
        none.with_pods(&BTreeMap::new(), plan)
    }

    /// The network of the next plan of the same lab. What both have stays; what comes has links that are
    /// down until [`Self::open`].
    pub(crate) fn changed(&self, old: &Plan, new: &Plan) -> Result<Self, LabError> {
        let there = old.links().into_iter().filter_map(|link| {
            let namespace = self.pods.get(link.place)?.as_ref()?;
            Some((link.index, Arc::clone(namespace)))
        });
        self.with_pods(&there.collect(), new)
    }

    fn with_pods(
        &self,
        there: &BTreeMap<u32, Arc<Namespace>>,
        plan: &Plan,
    ) -> Result<Self, LabError> {
        let links = plan.links();
        let is_new = |link: &&PodLink<'_>| !there.contains_key(&link.index);
        let n_new = links.iter().filter(is_new).count();
        let mut made = Namespace::create_many(n_new, prepare_end)?.into_iter();
        let mut pods = vec![None; plan.pods.len()];
        let mut changes: Vec<Changes> = plan.nodes.iter().map(|_| Changes::default()).collect();
        for link in &links {
            let namespace = match there.get(&link.index) {
                Some(namespace) => Arc::clone(namespace),
                None => {
                    let Some(namespace) = made.next().map(Arc::new) else { continue };
                    if let Some(changes) = changes.get_mut(link.node) {
                        link.end(&namespace).add_pair(changes, &format!("pod{}", link.index));
                    }
                    namespace
                }
            };
            if let Some(pod) = pods.get_mut(link.place) {
                *pod = Some(namespace);
            }
        }
        for (node, changes) in self.nodes.iter().zip(changes) {
            changes.apply(node)?;
        }
        for link in links.iter().filter(is_new) {
            if let Some(Some(namespace)) = pods.get(link.place) {
                link.end(namespace).configure()?;
            }
        }
        Ok(Self {
            between: Arc::clone(&self.between),
            nodes: self.nodes.clone(),
            pods,
            external: self.external.clone(),
            node_of_pod: plan.pods.iter().map(|pod| pod.node).collect(),
        })
    }

    /// Lets packets through to the pods with these links.
    pub(crate) fn open(&self, plan: &Plan, is_new: impl Fn(u32) -> bool) -> Result<(), LabError> {
        let mut on_nodes: Vec<Changes> = plan.nodes.iter().map(|_| Changes::default()).collect();
        let mut between = Changes::default();
        for link in plan.links().iter().filter(|link| is_new(link.index)) {
            if let (Some(Some(namespace)), Some(changes)) =
                (self.pods.get(link.place), on_nodes.get_mut(link.node))
            {
                link.end(namespace).open(changes);
            }
            for route in plan.routes_to(link) {
                between.add_route(route);
                if route.via.is_none() {
                    let hardware = hardware(route.index);
                    between.add_neighbour(route.index, route.to.addr(), hardware);
                }
            }
        }
        for (node, changes) in self.nodes.iter().zip(on_nodes) {
            changes.apply(node)?;
        }
        Ok(between.apply(&self.between)?)
    }

    /// Returns when packets pass everywhere, which takes the kernel a moment, at a busy time a second.
    pub(crate) fn settle(&self) -> Result<(), LabError> {
        let end = Instant::now() + LINKS_COME;
        let namespaces = self.nodes.iter().chain(self.pods.iter().flatten()).chain(&self.external);
        for namespace in namespaces.chain([&self.between]) {
            while !namespace.links_run()? {
                if Instant::now() > end {
                    return Err(LabError::Setup("the links do not come up".to_owned()));
                }
                thread::sleep(POLL);
            }
        }
        Ok(())
    }

    /// Ends the links of these pods; what is still in their namespaces is alone.
    pub(crate) fn close(&self, plan: &Plan, is_gone: impl Fn(u32) -> bool) -> Result<(), LabError> {
        let mut on_nodes: Vec<Changes> = plan.nodes.iter().map(|_| Changes::default()).collect();
        let mut between = Changes::default();
        for link in plan.links().iter().filter(|link| is_gone(link.index)) {
            if let Some(changes) = on_nodes.get_mut(link.node) {
                changes.delete_link(link.index);
            }
            for route in plan.routes_to(link) {
                between.delete_route(route);
            }
        }
        for (node, changes) in self.nodes.iter().zip(on_nodes) {
            changes.apply(node)?;
        }
        Ok(between.apply(&self.between)?)
    }

    /// Where the host's traffic begins: a host-network pod is in its node's namespace.
    pub fn namespace(&self, host: Host) -> Option<&Arc<Namespace>> {
        match host {
            Host::Node(place) => self.nodes.get(place),
            Host::External(place) => self.external.get(place),
            Host::Pod(place) => match self.pods.get(place)? {
                Some(own) => Some(own),
                None => self.namespace(Host::Node(*self.node_of_pod.get(place)?)),
            },
        }
    }

    /// In the order of the plan's nodes.
    pub fn nodes(&self) -> &[Arc<Namespace>] {
        &self.nodes
    }

    fn connect_nodes(&self, plan: &Plan) -> Result<(), FabricError> {
        let mut changes = Changes::default();
        changes.set_up(LOOPBACK);
        let mut ends = Vec::new();
        for (place, (namespace, planned)) in self.nodes.iter().zip(&plan.nodes).enumerate() {
            let index = index_of_node(place);
            let end = End { index, addresses: &planned.addresses, namespace };
            end.add_pair(&mut changes, &format!("node{place}"));
            ends.push(end);
        }
        for (place, (namespace, planned)) in self.external.iter().zip(&plan.external).enumerate() {
            let index = index_of_node(plan.nodes.len() + place);
            let addresses = std::slice::from_ref(&planned.address);
            let end = End { index, addresses, namespace };
            end.add_pair(&mut changes, &format!("out{place}"));
            ends.push(end);
        }
        for end in &ends {
            end.open(&mut changes);
        }
        changes.apply(&self.between)?;
        ends.iter().try_for_each(End::configure)
    }
}

fn shared(namespaces: Vec<Namespace>) -> Vec<Arc<Namespace>> {
    namespaces.into_iter().map(Arc::new).collect()
}

/// In the namespace between the nodes, where nodes come before the peers outside.
fn index_of_node(place: usize) -> u32 {
    FIRST_LINK.saturating_add(u32::try_from(place).unwrap_or(u32::MAX))
}

/// A pod's link, on its node.
struct PodLink<'a> {
    /// Among the plan's pods.
    place: usize,
    node: usize,
    index: u32,
    addresses: &'a [IpAddr],
}

impl<'a> PodLink<'a> {
    fn end<'n>(&'n self, namespace: &'n Namespace) -> End<'n>
    where
        'a: 'n,
    {
        End { index: self.index, addresses: self.addresses, namespace }
    }
}

impl Plan {
    fn links(&self) -> Vec<PodLink<'_>> {
        let pods = self.pods.iter().zip(&self.snapshot.pods).enumerate();
        pods.filter_map(|(place, (planned, pod))| {
            let (node, addresses) = (planned.node, &*pod.addresses);
            Some(PodLink { place, node, index: planned.link?, addresses })
        })
        .collect()
    }

    /// From between the nodes to a pod.
    fn routes_to(&self, link: &PodLink<'_>) -> Vec<Route> {
        let vias = self.nodes.get(link.node).map_or(&[][..], |node| &node.addresses);
        let via = |to: &IpAddr| vias.iter().find(|via| via.is_ipv4() == to.is_ipv4()).copied();
        let index = index_of_node(link.node);
        let route = |to: &IpAddr| Route { to: (*to).into(), via: via(to), index };
        link.addresses.iter().map(route).collect()
    }
}

/// Of the far end of the router's link with this index.
fn hardware(index: u32) -> HardwareAddress {
    let [a, b, c, d] = index.to_be_bytes();
    HardwareAddress([0x0a, 0x58, a, b, c, d])
}

/// The far end of a router's link.
struct End<'a> {
    /// Of the router's end.
    index: u32,
    addresses: &'a [IpAddr],
    namespace: &'a Namespace,
}

impl End<'_> {
    fn add_pair(&self, changes: &mut Changes, name: &str) {
        let here = LinkEnd { name, index: self.index, hardware: ROUTER };
        let there = LinkEnd { name: "eth0", index: ETH0, hardware: hardware(self.index) };
        changes.add_pair(here, there, self.namespace.as_fd());
    }

    /// At the router's end.
    fn open(&self, changes: &mut Changes) {
        changes.set_up(self.index);
        for address in self.addresses {
            changes.add_route(Route { to: (*address).into(), via: None, index: self.index });
            changes.add_neighbour(self.index, *address, hardware(self.index));
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
