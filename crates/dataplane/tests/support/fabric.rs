//! A node and pods, each a network namespace, for tests with real packets. IPv4 and nothing else.
//!
//! ```text
//! pod 0: 10.0.0.1 ── interface 100 ┐
//! pod 1: 10.0.0.2 ── interface 101 ┼ the node: routes, and no uplink
//! …                                ┘
//! ```

use net_fabric::{
    Changes, FabricError, HardwareAddress, LinkEnd, Namespace, NewAddress, Route, set_sysctl,
};
use net_types::IpNet;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

const ROUTER: HardwareAddress = HardwareAddress([2, 0, 0, 0, 0, 1]);
const LOOPBACK: u32 = 1;
const ETH0: u32 = 2;
const FIRST_LINK: u32 = 100;
const GATEWAY: IpAddr = IpAddr::V4(Ipv4Addr::new(169, 254, 1, 1));

/// Where a pod is: the index of its interface at the node, and its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) interface: u32,
    pub(crate) address: IpAddr,
}

/// Of the pods that stay.
pub(crate) fn place(pod: u32) -> Place {
    let [_, _, c, d] = (pod + 1).to_be_bytes();
    Place { interface: FIRST_LINK + pod, address: IpAddr::from([10, 0, c, d]) }
}

/// Makes the calling thread's namespace a router.
pub(crate) fn become_node() -> Namespace {
    let missing = net_fabric::missing_privileges();
    assert!(missing.is_empty(), "this test needs {}", missing.join(", "));
    without_ipv6().unwrap();
    set_sysctl("ipv4/ip_forward", "1").unwrap();
    set_sysctl("ipv4/conf/all/rp_filter", "0").unwrap();
    set_sysctl("ipv4/conf/default/rp_filter", "0").unwrap();
    let node = Namespace::of_this_thread().unwrap();
    let mut changes = Changes::default();
    changes.set_up(LOOPBACK);
    changes.apply(&node).unwrap();
    node
}

/// Links that pass packets when this returns. They end with the namespaces.
pub(crate) fn add_pods(node: &Namespace, places: &[Place]) -> Vec<Namespace> {
    let ends = Namespace::create_many(places.len(), without_ipv6).unwrap();
    let mut changes = Changes::default();
    for (Place { interface: index, address }, end) in places.iter().copied().zip(&ends) {
        let name = format!("pod{index}");
        let here = LinkEnd { name: &name, index, hardware: ROUTER };
        let there = LinkEnd { name: "eth0", index: ETH0, hardware: hardware(index) };
        changes.add_pair(here, there, end.as_fd());
        changes.set_up(index);
        changes.add_route(Route { to: address.into(), via: None, index });
        changes.add_neighbour(index, address, hardware(index));
    }
    changes.apply(node).unwrap();
    for (place, end) in places.iter().zip(&ends) {
        connect_end(end, place.address).unwrap();
    }
    let since = Instant::now();
    while !ends.iter().all(|end| end.links_run().unwrap()) {
        assert!(since.elapsed() < Duration::from_secs(20), "links must come up");
    }
    ends
}

/// It would send by itself.
fn without_ipv6() -> Result<(), FabricError> {
    set_sysctl("ipv6/conf/default/disable_ipv6", "1")
}

fn connect_end(end: &Namespace, address: IpAddr) -> Result<(), FabricError> {
    let mut changes = Changes::default();
    changes.set_up(LOOPBACK);
    changes.set_up(ETH0);
    changes.add_address(NewAddress { index: ETH0, address });
    changes.add_neighbour(ETH0, GATEWAY, ROUTER);
    let to = IpNet::new_assert(Ipv4Addr::UNSPECIFIED.into(), 0);
    changes.add_route(Route { to, via: Some(GATEWAY), index: ETH0 });
    changes.apply(end)
}

fn hardware(index: u32) -> HardwareAddress {
    let [a, b, c, d] = index.to_be_bytes();
    HardwareAddress([2, 1, a, b, c, d])
}
