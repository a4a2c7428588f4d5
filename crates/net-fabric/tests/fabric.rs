//! Networks for real, as root, in namespaces of their own that leave nothing behind.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests fail as tests do"
)]

use net_fabric::{
    Changes, FabricError, HardwareAddress, LinkEnd, Namespace, NewAddress, Route,
    missing_privileges, rules, set_sysctl,
};
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, TcpListener, TcpStream};
use std::os::fd::AsFd as _;
use std::time::Duration;
use std::{fs, thread};

const GATEWAY: HardwareAddress = HardwareAddress([2, 0, 0, 0, 0, 1]);

/// What a careless test would leave: links, mounts, processes of ours, named namespaces.
fn machine() -> (String, String, bool) {
    let links = fs::read_to_string("/proc/self/net/dev").unwrap();
    let names: Vec<&str> = links
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, _)| name.trim())
        .collect();
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    (names.join(" "), mounts, fs::exists("/run/netns").unwrap())
}

fn privileged() {
    let missing = missing_privileges();
    assert!(missing.is_empty(), "this test needs {}", missing.join(", "));
}

/// A node with two pods, 10.0.0.1 and 10.0.0.2, and the same for IPv6.
struct Network {
    node: Namespace,
    pods: Vec<Namespace>,
}

fn pod_addresses(pod: u8) -> [IpAddr; 2] {
    [format!("10.0.0.{pod}").parse().unwrap(), format!("fd00::{pod}").parse().unwrap()]
}

fn hardware(pod: u8) -> HardwareAddress {
    HardwareAddress([2, 0, 0, 0, 1, pod])
}

fn network() -> Result<Network, FabricError> {
    let node = Namespace::create()?;
    node.enter(|| -> Result<(), FabricError> {
        for key in
            ["ipv4/ip_forward", "ipv6/conf/all/forwarding", "ipv6/conf/default/addr_gen_mode"]
        {
            set_sysctl(key, "1")?;
        }
        Ok(())
    })??;
    let pods = Namespace::create_many(2, || Ok(()))?;
    let mut changes = Changes::default();
    for (pod, number) in pods.iter().zip(1_u8..) {
        let name = format!("pod{number}");
        let index = 100 + u32::from(number);
        changes.add_pair(
            LinkEnd { name: &name, index, hardware: GATEWAY },
            LinkEnd { name: "eth0", index: 2, hardware: hardware(number) },
            pod.as_fd(),
        );
        changes.set_up(index);
        for address in pod_addresses(number) {
            changes.add_route(Route { to: address.into(), via: None, index });
            changes.add_neighbour(index, address, hardware(number));
        }
    }
    changes.apply(&node)?;
    for (pod, number) in pods.iter().zip(1_u8..) {
        let mut changes = Changes::default();
        changes.set_up(1);
        changes.set_up(2);
        for (address, gateway, everything) in [
            (pod_addresses(number)[0], "169.254.1.1", "0.0.0.0/0"),
            (pod_addresses(number)[1], "fe80::1", "::/0"),
        ] {
            let gateway = gateway.parse().unwrap();
            changes.add_address(NewAddress { index: 2, address });
            changes.add_neighbour(2, gateway, GATEWAY);
            changes.add_route(Route {
                to: everything.parse().unwrap(),
                via: Some(gateway),
                index: 2,
            });
        }
        changes.apply(pod)?;
    }
    Ok(Network { node, pods })
}

/// What the first pod reads when it calls the address, from a server in the second pod.
fn call(network: &Network, address: IpAddr, port: u16) -> String {
    let listener = network.pods[1].enter(|| TcpListener::bind(("::", 80)).unwrap()).unwrap();
    let server = thread::spawn(move || {
        let (mut stream, peer) = listener.accept().unwrap();
        write!(stream, "{}", peer.ip().to_canonical()).unwrap();
    });
    let mut read = String::new();
    network.pods[0]
        .enter(|| {
            let to = (address, port).into();
            let mut stream = TcpStream::connect_timeout(&to, Duration::from_secs(5)).unwrap();
            stream.read_to_string(&mut read).unwrap();
        })
        .unwrap();
    server.join().unwrap();
    read
}

#[test]
fn pods_talk_over_their_node_and_nothing_is_left() {
    privileged();
    let before = machine();
    let network = network().unwrap();
    // A moment after both ends are up.
    while !network.node.links_run().unwrap() {}
    let [v4, v6] = pod_addresses(2);
    assert_eq!(call(&network, v4, 80), "10.0.0.1");
    assert_eq!(call(&network, v6, 80), "fd00::1");
    drop(network);
    assert_eq!(machine(), before);
}

#[test]
fn rules_translate_a_service_address() {
    privileged();
    let network = network().unwrap();
    rules::load(
        &network.node,
        "table inet t { chain c { type nat hook prerouting priority -100;
         ip daddr 10.96.0.1 tcp dport 8080 dnat to 10.0.0.2:80; }; }",
    )
    .unwrap();
    assert_eq!(call(&network, "10.96.0.1".parse().unwrap(), 8080), "10.0.0.1");
    let error = rules::load(&network.node, "table t { chian }").unwrap_err().to_string();
    assert!(error.contains("`nft` refused the rules: ") && error.contains("chian"), "{error}");
}

#[test]
fn a_refused_change_says_what_it_was() {
    privileged();
    let namespace = Namespace::create().unwrap();
    let mut changes = Changes::default();
    changes.set_up(1);
    changes.add_route(Route { to: "10.0.0.0/8".parse().unwrap(), via: None, index: 77 });
    changes.set_up(1);
    let error = changes.apply(&namespace).unwrap_err();
    let FabricError::Change { what, source } = error else { panic!("{error}") };
    assert_eq!(what, "add a route to 10.0.0.0/8 over link 77");
    assert_eq!(source.raw_os_error(), Some(19));
    // The answers are read to the end: the next request is not mixed up with this one.
    let mut changes = Changes::default();
    changes.set_up(1);
    changes.apply(&namespace).unwrap();
}

#[test]
fn many_changes_are_made_in_order() {
    privileged();
    let namespace = Namespace::create().unwrap();
    let mut changes = Changes::default();
    changes.set_up(1);
    let address = |n: u32| IpAddr::from((0x0a01_0000 + n).to_be_bytes());
    for n in 0..2_000 {
        changes.add_address(NewAddress { index: 1, address: address(n) });
    }
    changes.apply(&namespace).unwrap();
    let can_bind = |n| namespace.enter(|| TcpListener::bind((address(n), 80)).is_ok()).unwrap();
    assert!(can_bind(0) && can_bind(1_999) && !can_bind(2_000));
}
