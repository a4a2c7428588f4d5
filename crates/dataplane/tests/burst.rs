//! Many pods at once get a classifier each, and are moved to tcx with packets on their way.
//!
//! Needs root; all of it is in namespaces of the test's own.
#![cfg(test)]

#[path = "support/fabric.rs"]
mod fabric;
mod support;

use dataplane::skeleton::types::limits;
use dataplane::{NodePlane, Options, PodInterface};
use libbpf_rs::{TC_EGRESS, TC_INGRESS, TcHookBuilder};
use net_fabric::Namespace;
use std::collections::BTreeSet;
use std::fs;
use std::net::UdpSocket;
use std::os::fd::AsFd as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;
use support::apart;

/// More than wait for tcx at once.
const PODS: u32 = 24;
const WAITED: usize = 4;
/// The last ones: two that may talk, and one that has no policy yet.
const CLIENT: u32 = PODS - 1;
const SERVER: u32 = PODS - 2;
const CLOSED: u32 = PODS - 3;
const PORT: u16 = 7;
const PATIENCE: Duration = Duration::from_secs(2);

fn pod(number: u32) -> PodInterface {
    PodInterface {
        interface: fabric::place(number).interface,
        addresses: vec![fabric::place(number).address],
        open_until_policy: number != CLOSED,
        uid: [0; 16],
    }
}

/// Names of pinned links of interfaces; a classifier has none.
fn links(root: &Path) -> BTreeSet<String> {
    let folder = root.join(format!("v{}/links", limits::ABI_SCHEMA.0));
    let names = fs::read_dir(folder).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.ends_with("-from") || name.ends_with("-to")).collect()
}

/// In our place at one of the sides.
fn has_classifier(pod: u32) -> bool {
    let any = fs::File::open("/dev/null").unwrap();
    let interface = i32::try_from(fabric::place(pod).interface).unwrap();
    let mut place = TcHookBuilder::new(any.as_fd());
    place.ifindex(interface).handle(0x5745).priority(1);
    [TC_INGRESS, TC_EGRESS].into_iter().any(|side| place.hook(side).query().is_ok())
}

struct Traffic {
    client: UdpSocket,
    server: UdpSocket,
    knocker: UdpSocket,
    closed: UdpSocket,
}

impl Traffic {
    fn between(pods: &[Namespace]) -> Self {
        let socket = |pod: u32, port: u16| {
            let bind = || UdpSocket::bind((fabric::place(pod).address, port)).unwrap();
            pods[pod as usize].enter(bind).unwrap()
        };
        let traffic = Self {
            client: socket(CLIENT, 0),
            server: socket(SERVER, PORT),
            knocker: socket(CLIENT, 0),
            closed: socket(CLOSED, PORT),
        };
        traffic.client.connect((fabric::place(SERVER).address, PORT)).unwrap();
        traffic.knocker.connect((fabric::place(CLOSED).address, PORT)).unwrap();
        traffic.server.set_read_timeout(Some(PATIENCE)).unwrap();
        traffic.closed.set_nonblocking(true).unwrap();
        traffic
    }

    /// One datagram that must pass, and one that must not; how many there were.
    fn go_until(&self, stop: &AtomicBool) -> usize {
        let (mut sent, mut bytes) = (0, [0; 8]);
        while !stop.load(Ordering::Relaxed) {
            self.knocker.send(b"knock").unwrap();
            self.client.send(&u64::to_be_bytes(sent)).unwrap();
            assert_eq!(self.server.recv(&mut bytes).expect("nothing that passes is lost"), 8);
            assert_eq!(u64::from_be_bytes(bytes), sent, "nothing comes twice");
            sent += 1;
        }
        assert!(self.closed.recv(&mut bytes).is_err(), "a pod without a policy is closed");
        usize::try_from(sent).unwrap()
    }
}

#[test]
fn pods_that_come_at_once_are_enforced_at_once_and_moved_to_tcx_unnoticed() {
    apart(|root| {
        let node = fabric::become_node();
        let pods = fabric::add_pods(&node, &(0..PODS).map(fabric::place).collect::<Vec<_>>());
        let mut plane = NodePlane::open(root, &Options::default()).unwrap();
        for number in 0..PODS {
            plane.add_pod(&pod(number)).unwrap();
        }
        assert_eq!(links(root).len(), 2 * WAITED);
        assert!(has_classifier(CLIENT) && !has_classifier(0));
        assert_eq!(plane.repair().unwrap(), [], "all are enforced");
        let (traffic, stop) = (Traffic::between(&pods), AtomicBool::new(false));
        let plane = thread::scope(|scope| {
            let going = scope.spawn(|| traffic.go_until(&stop));
            thread::sleep(Duration::from_millis(50));
            assert!(plane.settle_links(2).unwrap(), "there are more");
            assert_eq!(links(root).len(), 2 * (WAITED + 2));
            // Whoever goes on knows which are left.
            drop(plane);
            let mut plane = NodePlane::open(root, &Options::default()).unwrap();
            while plane.settle_links(1).unwrap() {}
            stop.store(true, Ordering::Relaxed);
            assert!(going.join().unwrap() > 100);
            plane
        });
        assert_eq!(links(root).len(), 2 * PODS as usize);
        assert_eq!(plane.repair().unwrap(), []);
        assert!((0..PODS).all(|pod| !has_classifier(pod)), "each runs ours once");
        plane.detach().unwrap();
        assert!(!root.join(format!("v{}", limits::ABI_SCHEMA.0)).exists(), "nothing is left");
    });
}
