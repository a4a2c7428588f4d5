//! One node's data plane as a whole: it outlives its process, comes back when somebody detaches it, and ends
//! only by `detach`. Needs root; nothing is seen outside the test's own namespaces.
#![cfg(test)]

mod support;

use dataplane::skeleton::types::limits;
use dataplane::{
    Established, Hook, Inspection, NodePlane, OpenError, Options, PodInterface, PodMode, PodPolicy,
};
use flow_model::PodWord;
use libbpf_rs::{Link, MapCore as _, MapFlags, MapHandle};
use net_fabric::{Changes, HardwareAddress, LinkEnd, Namespace};
use net_types::Protocol;
use policy_engine::{Assumptions, PodId, Program};
use policy_tables::{LocalPod, Modes, ProfileId, Tables};
use std::collections::BTreeSet;
use std::fs;
use std::net::IpAddr;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use support::apart;

/// `lo` of a new network namespace.
const INTERFACE: u32 = 1;

fn links_of(root: &Path) -> PathBuf {
    root.join(format!("v{}/links", limits::ABI_SCHEMA.0))
}

fn pod() -> PodInterface {
    PodInterface {
        interface: INTERFACE,
        addresses: vec![IpAddr::from([10, 0, 0, 1])],
        open_until_policy: false,
        uid: [0; 16],
    }
}

fn tables() -> (Tables, PodId) {
    let snapshot = policy_oracle::worlds::random(7).snapshot;
    let program = Program::compile(snapshot, Assumptions::default());
    let (pod, _) = program.pods().find(|(_, pod)| !pod.host_network).unwrap();
    (Tables::build(&program, &[LocalPod { pod }], &Modes::default(), None), pod)
}

/// Its numbers stand for what the tables say, and 1 for what denies everything.
fn word_of_the_pod(plane: &NodePlane, tables: &Tables, policy: PodPolicy) -> PodWord {
    let (word, profiles) = (plane.words()[&policy.number], plane.profiles());
    let of_pod = tables.pods()[&policy.pod];
    assert_eq!(profiles[&word.ingress], tables.profiles()[&of_pod.ingress]);
    assert_eq!(profiles[&word.egress], tables.profiles()[&of_pod.egress]);
    assert_eq!(profiles[&1], tables.profiles()[&ProfileId::DENY_EVERYTHING]);
    assert!(!word.keeps_established);
    word
}

fn survives(root: &Path, options: &Options) {
    let mut plane = NodePlane::open(root, options).unwrap();
    let number = plane.add_pod(&pod()).unwrap();
    let (tables, id) = tables();
    let policy =
        PodPolicy { number, pod: id, mode: PodMode::Enforce, established: Established::Revoke };
    assert!(plane.words().is_empty() && plane.profiles().is_empty(), "there is no policy yet");
    assert_eq!(plane.write(&tables, &[policy]).unwrap().flipped, [id]);
    let first = word_of_the_pod(&plane, &tables, policy);
    plane.tick().unwrap();
    assert_eq!(plane.write(&tables, &[policy]).unwrap().flipped, [], "nothing changed");
    let services = BTreeSet::from([(IpAddr::from([10, 96, 0, 1]), Protocol::Tcp, 80)]);
    assert_eq!(plane.set_services(&services).unwrap(), 2, "and the address itself");
    assert!(plane.sees_backends(), "the kernel must track connections");
    drop(plane);

    let mut plane = NodePlane::open(root, options).unwrap();
    assert_eq!(
        plane.pods().map(|(of, pod)| (of, pod.clone())).collect::<Vec<_>>(),
        [(number, pod())]
    );
    assert_eq!(plane.repair().unwrap(), [], "nobody detached anything");
    assert_eq!(plane.set_services(&services).unwrap(), 0, "it is there already");
    assert_eq!(plane.words()[&number], first);
    assert!(plane.profiles().is_empty(), "what another process wrote has no meaning here");
    assert_eq!(
        plane.write(&tables, &[policy]).unwrap().flipped,
        [id],
        "other numbers, same meaning"
    );
    let second = word_of_the_pod(&plane, &tables, policy);
    assert_eq!(second.generation, first.generation + 1);
    assert!(second.ingress != first.ingress && second.egress != first.egress);
    plane.tick().unwrap();
    plane.remove_pod(number).unwrap();
    assert!(plane.add_pod(&pod()).unwrap() > number, "a number is never given twice");
    plane.detach().unwrap();
    assert!(!links_of(root).exists(), "nothing is left");
}

#[test]
fn the_data_plane_outlives_its_process() {
    apart(|root| survives(root, &Options::default()));
}

#[test]
fn so_does_the_one_for_kernels_without_tcx() {
    apart(|root| survives(root, &Options { hook: Hook::Clsact, ..Options::default() }));
}

fn is_seen_and_ended_from_outside(root: &Path, options: &Options) {
    assert!(Inspection::open(root).unwrap().is_none());
    let mut plane = NodePlane::open(root, options).unwrap();
    let number = plane.add_pod(&pod()).unwrap();
    drop(plane);
    let found = Inspection::open(root).unwrap().unwrap();
    let state = found.state().unwrap();
    let pods: Vec<_> = state.pods.iter().map(|pod| (pod.number, &pod.interface)).collect();
    assert_eq!(pods, [(number, &pod())]);
    assert!(state.pods[0].policy.is_none(), "none was written");
    assert!(state.tables.iter().any(|table| table.name == "connections" && table.bytes > 0));
    assert_eq!(found.connections().unwrap(), []);
    found.detach().unwrap();
    assert!(Inspection::open(root).unwrap().is_none());
    let plane = NodePlane::open(root, options).unwrap();
    assert_eq!(plane.pods().count(), 0);
    plane.detach().unwrap();
}

#[test]
fn a_data_plane_is_seen_and_ended_from_outside() {
    apart(|root| is_seen_and_ended_from_outside(root, &Options::default()));
    let clsact = Options { hook: Hook::Clsact, ..Options::default() };
    apart(move |root| is_seen_and_ended_from_outside(root, &clsact));
}

#[test]
fn what_somebody_detached_is_put_back() {
    apart(|root| {
        let mut plane = NodePlane::open(root, &Options::default()).unwrap();
        let number = plane.add_pod(&pod()).unwrap();
        let link = |side: &str| links_of(root).join(format!("{INTERFACE}-{side}"));
        let id = |side: &str| Link::open(link(side)).unwrap().info().unwrap().id;
        let (from, to) = (id("from"), id("to"));
        fs::remove_file(link("from")).unwrap();
        // The kernel ends a link a moment after its last pin is gone.
        let repaired = (0..1_000_000).find_map(|_| plane.repair().unwrap().pop());
        assert_eq!(repaired, Some(number));
        assert_eq!(plane.repair().unwrap(), []);
        assert_eq!(id("to"), to, "what is there stays as it is");
        assert_ne!(id("from"), from);
        plane.detach().unwrap();
    });
}

/// Of both sides.
fn link_ids(root: &Path) -> [u32; 2] {
    ["from", "to"].map(|side| {
        let link = Link::open(links_of(root).join(format!("{INTERFACE}-{side}"))).unwrap();
        link.info().unwrap().id
    })
}

#[test]
fn an_interface_that_becomes_another_pods_is_never_without_programs() {
    apart(|root| {
        let mut plane = NodePlane::open(root, &Options::default()).unwrap();
        let first = plane.add_pod(&pod()).unwrap();
        let (tables, id) = tables();
        let policy = |number| PodPolicy {
            number,
            pod: id,
            mode: PodMode::Enforce,
            established: Established::Revoke,
        };
        plane.write(&tables, &[policy(first)]).unwrap();
        let links = link_ids(root);

        plane.tell_uid(first, [7; 16]).unwrap();
        assert_eq!(plane.words().len(), 1, "it is the same pod");
        let address = IpAddr::from([10, 0, 0, 2]);
        let other = PodInterface { addresses: vec![address], uid: [8; 16], ..pod() };
        let second = plane.add_pod(&other).unwrap();
        assert!(second > first);
        assert_eq!(plane.pods().collect::<Vec<_>>(), [(second, &other)]);
        assert!(plane.words().is_empty(), "it waits for a policy");
        assert_eq!(link_ids(root), links);
        drop(plane);

        let plane = NodePlane::open(root, &Options::default()).unwrap();
        assert_eq!(plane.pods().collect::<Vec<_>>(), [(second, &other)]);
        let found = Inspection::open(root).unwrap().unwrap().state().unwrap();
        let locals = found.tables.iter().find(|table| table.name == "local_addresses").unwrap();
        assert_eq!(locals.entries, 1, "the address of before is nobody's");
        plane.detach().unwrap();
    });
}

#[test]
fn pins_need_a_bpf_file_system() {
    let folder = std::env::temp_dir().join(format!("dataplane-no-bpf-{}", std::process::id()));
    let error = NodePlane::open(&folder, &Options::default()).unwrap_err();
    fs::remove_dir_all(&folder).unwrap();
    assert!(matches!(error, OpenError::NotBpfFileSystem(_)), "{error}");
}

/// The interface that packets of `INTERFACE` see first.
fn add_interface(index: u32) {
    let hardware = HardwareAddress([2, 0, 0, 0, 0, 1]);
    let namespace = Namespace::of_this_thread().unwrap();
    let mut changes = Changes::default();
    changes.add_pair(
        LinkEnd { name: "second", index, hardware },
        LinkEnd { name: "peer", index: index + 1, hardware },
        namespace.as_fd(),
    );
    changes.apply(&namespace).unwrap();
}

/// Where packets with the address of [`pod`] come from.
fn owner_of_the_address(root: &Path) -> Option<u32> {
    let path = links_of(root).with_file_name("maps").join("local_addresses");
    let addresses = MapHandle::from_pinned_path(path).unwrap();
    let key: Vec<u8> = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1].to_vec();
    let value = addresses.lookup(&key, MapFlags::ANY).unwrap()?;
    Some(u32::from_ne_bytes(*value.first_chunk().unwrap()))
}

#[test]
fn an_address_that_two_pods_claim_is_the_firsts_as_long_as_it_is_there() {
    const SECOND: u32 = 7;
    apart(|root| {
        add_interface(SECOND);
        let other = PodInterface { interface: SECOND, ..pod() };
        let mut plane = NodePlane::open(root, &Options::default()).unwrap();
        let first = plane.add_pod(&pod()).unwrap();
        let second = plane.add_pod(&other).unwrap();
        assert_eq!(owner_of_the_address(root), Some(INTERFACE), "nobody takes it away");
        plane.remove_pod(second).unwrap();
        assert_eq!(owner_of_the_address(root), Some(INTERFACE), "and it stays");
        plane.add_pod(&other).unwrap();
        plane.remove_pod(first).unwrap();
        assert_eq!(owner_of_the_address(root), Some(SECOND), "the next in turn has it");
        drop(plane);
        let plane = NodePlane::open(root, &Options::default()).unwrap();
        assert_eq!(owner_of_the_address(root), Some(SECOND));
        plane.detach().unwrap();
    });
}

fn placed(root: &Path) -> u32 {
    let path = root.join(format!("v{}/maps/placed_pods", limits::ABI_SCHEMA.0));
    let place = MapHandle::from_pinned_path(path).unwrap();
    let value = place.lookup(&INTERFACE.to_ne_bytes(), MapFlags::ANY).unwrap().unwrap();
    u32::from_ne_bytes(*value.first_chunk().unwrap())
}

#[test]
fn a_place_is_one_pods_until_it_goes_and_then_anothers() {
    apart(|root| {
        let second = INTERFACE + limits::MAX_PODS.0;
        add_interface(second);
        let mut plane = NodePlane::open(root, &Options::default()).unwrap();
        assert_eq!(placed(root), 0);
        let first = plane.add_pod(&pod()).unwrap();
        let addresses = vec![IpAddr::from([10, 0, 0, 2])];
        let other = PodInterface { interface: second, addresses, ..pod() };
        plane.add_pod(&other).unwrap();
        assert_eq!(placed(root), INTERFACE);
        plane.remove_pod(first).unwrap();
        assert_eq!(placed(root), 0);
        drop(plane);
        let mut plane = NodePlane::open(root, &Options::default()).unwrap();
        assert_eq!(placed(root), second, "who comes later finds it free");
        plane.add_pod(&pod()).unwrap();
        assert_eq!(placed(root), second);
        plane.detach().unwrap();
    });
}
