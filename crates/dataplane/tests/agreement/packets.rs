//! Packets through the programs that a pod's interface runs, over the tables of the data plane under test.

use crate::plane::OUTSIDE;
use dataplane::skeleton::DataPlaneSkel;
use dataplane::skeleton::types::__sk_buff;
use dataplane::{DEFAULT_SETTINGS, Inquiry};
use etherparse::{PacketBuilder, PacketBuilderStep};
use libbpf_rs::skel::OpenSkel as _;
use libbpf_rs::{MapCore as _, OpenMapMut, OpenObject, ProgramInput};
use net_types::Protocol;
use policy_model::Direction;
use std::mem::{MaybeUninit, offset_of};
use std::net::IpAddr;
use std::path::Path;

pub(crate) struct Programs {
    skeleton: DataPlaneSkel<'static>,
    /// The source port of the last packet, so that each begins a connection.
    last_port: u16,
}

impl Programs {
    /// `maps`: where those of the data plane are pinned.
    pub(crate) fn over(maps: &Path) -> Self {
        // The object borrows it for good; it is a pointer's size.
        let storage: &'static mut MaybeUninit<OpenObject> =
            Box::leak(Box::new(MaybeUninit::uninit()));
        let mut open = dataplane::open(storage, &DEFAULT_SETTINGS).unwrap();
        for mut map in open.open_object_mut().maps_mut() {
            reuse(&mut map, maps);
        }
        Self { skeleton: open.load().unwrap(), last_port: 0 }
    }

    /// Whether the packet passes, which begins a connection or is denied and forgotten again.
    pub(crate) fn pass(&mut self, interface: u32, own: IpAddr, asked: &Inquiry) -> bool {
        // Above the ports that are asked about, but for one.
        self.last_port = if self.last_port < 10_000 { 60_000 } else { self.last_port - 1 };
        let (program, from, to, ingress_ifindex) = match asked.direction {
            Direction::Egress => (&self.skeleton.progs.from_pod, own, asked.peer, interface),
            Direction::Ingress => (&self.skeleton.progs.to_pod, asked.peer, own, OUTSIDE),
        };
        let frame = frame(from, to, asked.protocol, (self.last_port, asked.port));
        let mut context = context(interface, ingress_ifindex);
        let input = ProgramInput {
            context_in: Some(&mut context),
            data_in: Some(&frame),
            ..ProgramInput::default()
        };
        match program.test_run(input).unwrap().return_value {
            2 => false,
            u32::MAX => true,
            other => panic!("the program returned {other}"),
        }
    }

    /// So that the next packet is a new one, and its denial is not only counted.
    pub(crate) fn forget(&self) {
        let maps = &self.skeleton.maps;
        for key in maps.connections.keys().collect::<Vec<_>>() {
            maps.connections.delete(&key).unwrap();
        }
        for key in maps.denials.keys().collect::<Vec<_>>() {
            maps.denials.delete(&key).unwrap();
        }
    }
}

fn reuse(map: &mut OpenMapMut<'_>, maps: &Path) {
    let name = map.name().to_string_lossy().into_owned();
    if !name.contains('.') {
        map.reuse_pinned_map(maps.join(name)).unwrap();
    }
}

/// An `__sk_buff`, of which the kernel wants all other fields to be 0.
fn context(ifindex: u32, ingress_ifindex: u32) -> Vec<u8> {
    let mut bytes = vec![0; size_of::<__sk_buff>()];
    for (at, value) in [
        (offset_of!(__sk_buff, ifindex), ifindex),
        (offset_of!(__sk_buff, ingress_ifindex), ingress_ifindex),
    ] {
        bytes[at..at + 4].copy_from_slice(&value.to_ne_bytes());
    }
    bytes
}

fn frame(from: IpAddr, to: IpAddr, protocol: Protocol, ports: (u16, u16)) -> Vec<u8> {
    let frame = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);
    let step: PacketBuilderStep<_> = match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => frame.ipv4(from.octets(), to.octets(), 64),
        (IpAddr::V6(from), IpAddr::V6(to)) => frame.ipv6(from.octets(), to.octets(), 64),
        (from, to) => unreachable!("{from} and {to} are of two families"),
    };
    let mut bytes = Vec::new();
    let (source, destination) = ports;
    match protocol {
        Protocol::Tcp => {
            step.tcp(source, destination, 1, 1024).syn().write(&mut bytes, b"").unwrap();
        }
        Protocol::Udp => step.udp(source, destination).write(&mut bytes, b"").unwrap(),
        Protocol::Sctp | Protocol::Other(_) => {
            let [a, b] = source.to_be_bytes();
            let [c, d] = destination.to_be_bytes();
            let header = [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0];
            step.write(&mut bytes, protocol.number().into(), &header).unwrap();
        }
    }
    bytes
}
