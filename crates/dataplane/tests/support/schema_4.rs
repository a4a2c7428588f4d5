//! Turns a data plane into what the last version with schema 4 would have made of the same policies: its very
//! programs, over its own maps.

use dataplane::skeleton::types::{limits, settings};
use dataplane::{Hook, Options, tracked_connection_type};
use flate2::read::GzDecoder;
use libbpf_rs::{
    Link, MapCore, MapFlags, MapHandle, NetfilterOpts, Object, ObjectBuilder, ProgramMut,
    TC_EGRESS, TC_INGRESS, TcHookBuilder,
};
use std::fs;
use std::io::Read as _;
use std::os::fd::AsFd as _;
use std::path::Path;

const OBJECT: &[u8] = include_bytes!("../objects/schema-4.bpf.o.gz");

const TABLES: [&str; 11] = [
    "addresses",
    "networks",
    "port_classes",
    "profiles",
    "vectors",
    "services",
    "pods",
    "local_addresses",
    "policies",
    "next_policies",
    "usage",
];

/// Words of `node`: the schema, and the number that a pod was given last.
const SCHEMA: u32 = 0;
const LAST_POD: u32 = 1;

/// The data plane below `root` is nobody's; it has no connections yet. The calling thread is in the node's
/// network namespace.
pub(crate) fn downgrade(root: &Path, options: &Options) {
    let schema = limits::ABI_SCHEMA.0;
    let (ours, theirs) = (root.join(format!("v{schema}")), root.join("v4"));
    for folder in ["maps", "links"] {
        fs::create_dir_all(theirs.join(folder)).unwrap();
    }
    let object = load(&theirs.join("maps"), options);
    for name in TABLES {
        copy(&map(&ours, name), &map(&theirs, name));
    }
    let (from, to) = (map(&ours, "node"), map(&theirs, "node"));
    let last_pod = from.lookup(&LAST_POD.to_ne_bytes(), MapFlags::ANY).unwrap().unwrap();
    to.update(&LAST_POD.to_ne_bytes(), &last_pod, MapFlags::ANY).unwrap();
    to.update(&SCHEMA.to_ne_bytes(), &4_u32.to_ne_bytes(), MapFlags::ANY).unwrap();
    move_links(&object, &ours.join("links"), &theirs.join("links"));
    if options.hook == Hook::Clsact {
        exchange_filters(&object, &map(&ours, "pods"));
    }
    fs::remove_dir_all(&ours).unwrap();
}

fn map(folder: &Path, name: &str) -> MapHandle {
    MapHandle::from_pinned_path(folder.join("maps").join(name)).unwrap()
}

fn load(maps: &Path, options: &Options) -> Object {
    let mut bytes = Vec::new();
    GzDecoder::new(OBJECT).read_to_end(&mut bytes).unwrap();
    let mut open =
        ObjectBuilder::default().name("data_plane").unwrap().open_memory(&bytes).unwrap();
    for mut map in open.maps_mut() {
        let name = map.name().to_string_lossy().into_owned();
        if name.ends_with(".rodata") {
            // Behind eight bytes that are always zero.
            map.initial_value_mut().unwrap()[8..]
                .copy_from_slice(&bytes_of_settings(&options.settings));
        } else if !name.contains('.') {
            map.set_pin_path(maps.join(&name)).unwrap();
            match name.as_str() {
                "addresses" => map.set_max_entries(options.max_addresses).unwrap(),
                "connections" => map.set_max_entries(options.max_connections).unwrap(),
                _ => {}
            }
        }
    }
    open.load().unwrap()
}

/// In the order of `struct settings` of that schema.
fn bytes_of_settings(of: &settings) -> Vec<u8> {
    let times = [
        of.tcp_opening,
        of.tcp_open,
        of.tcp_closing,
        of.tcp_closed,
        of.udp_unanswered,
        of.udp_answered,
        of.icmp,
        of.other,
        of.active_report,
        of.fragments,
    ];
    let mut bytes: Vec<u8> = times.into_iter().flat_map(u64::to_ne_bytes).collect();
    bytes.extend(of.pod_connections.to_ne_bytes());
    bytes.extend(tracked_connection_type().unwrap().to_ne_bytes());
    bytes
}

/// Fields that came later stand at the end of entries.
fn copy(from: &MapHandle, to: &MapHandle) {
    assert_eq!(from.key_size(), to.key_size());
    let size = to.value_size() as usize;
    for key in from.keys() {
        let value = from.lookup(&key, MapFlags::ANY).unwrap().unwrap();
        to.update(&key, &value[..size], MapFlags::ANY).unwrap();
    }
}

fn move_links(object: &Object, from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let mut link = Link::open(entry.path()).unwrap();
        match name.rsplit_once('-').unwrap() {
            (_, "from") => link.update_prog(&program(object, "from_pod")).unwrap(),
            (_, "to") => link.update_prog(&program(object, "to_pod")).unwrap(),
            (place, turn) => {
                link.detach().unwrap();
                fs::remove_file(entry.path()).unwrap();
                let hook = netfilter_hook(place, turn.parse().unwrap());
                let behind = program(object, "behind_service");
                behind.attach_netfilter_with_opts(hook).unwrap().pin(to.join(name)).unwrap();
                continue;
            }
        }
        fs::rename(entry.path(), to.join(name)).unwrap();
    }
}

fn program<'object>(object: &'object Object, name: &str) -> ProgramMut<'object> {
    object.progs_mut().find(|program| program.name() == name).unwrap()
}

/// By the name of its pin.
fn netfilter_hook(place: &str, turn: i32) -> NetfilterOpts {
    let (hooknum, priority) = if place.starts_with("local-in") { (1, 101) } else { (4, 95) };
    let protocol_family = if place.ends_with("ipv4") { 2 } else { 10 };
    let with_defragmentation = 1;
    NetfilterOpts {
        protocol_family,
        hooknum,
        priority: priority + turn,
        flags: with_defragmentation,
        ..NetfilterOpts::default()
    }
}

fn exchange_filters(object: &Object, pods: &MapHandle) {
    for interface in pods.keys() {
        let interface = i32::from_ne_bytes(interface.try_into().unwrap());
        for (side, name) in [(TC_INGRESS, "from_pod"), (TC_EGRESS, "to_pod")] {
            let program = program(object, name);
            let mut filter = TcHookBuilder::new(program.as_fd());
            filter.ifindex(interface).replace(true).handle(0x5745).priority(1);
            filter.hook(side).attach().unwrap();
        }
    }
}
