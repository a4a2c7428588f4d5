//! A data plane in namespaces of its own, and its programs, to be run on packets that nobody sent.

use crate::world::{World, address};
use anyhow::{Context, Result, anyhow};
use dataplane::skeleton::DataPlaneSkel;
use dataplane::skeleton::types::{__sk_buff, limits};
use dataplane::{
    DEFAULT_SETTINGS, Established, NodePlane, Options, PodInterface, PodMode, PodNumber, PodPolicy,
    tracked_connection_type,
};
use etherparse::PacketBuilder;
use libbpf_rs::skel::OpenSkel as _;
use libbpf_rs::{MapCore as _, MapFlags, OpenObject, ProgramInput, ProgramMut};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use policy_model::Direction;
use policy_tables::Tables;
use std::mem::{MaybeUninit, offset_of};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, thread};

/// `lo` of the namespace stands in for a pod's interface.
pub(crate) const INTERFACE: u32 = 1;
/// Packets to the pod come from another interface; nobody looks which.
const ELSEWHERE: u32 = 2;

/// Runs in a network and a mount namespace of its own, in a folder with a BPF file system.
pub(crate) fn apart<T: Send>(work: impl FnOnce(&Path) -> Result<T> + Send) -> Result<T> {
    let root = std::env::temp_dir().join(format!("plane-bench-{}", std::process::id()));
    fs::create_dir_all(&root).context("making a folder")?;
    let inside = || {
        let flags = CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS;
        unshare(flags).context("making namespaces, which needs root")?;
        let none: Option<&str> = None;
        mount(none, "/", none, MsFlags::MS_PRIVATE | MsFlags::MS_REC, none)
            .context("making mounts private")?;
        net_fabric::mount_bpf(&root)?;
        work(&root)
    };
    let done = thread::scope(|scope| scope.spawn(inside).join());
    fs::remove_dir_all(&root).context("removing the folder")?;
    done.map_err(|_panic| anyhow!("a measurement panicked"))?
}

pub(crate) struct Node {
    pub(crate) plane: NodePlane,
    pub(crate) number: PodNumber,
    pub(crate) maps: PathBuf,
}

impl Node {
    /// With the local pod of the world and its policies.
    pub(crate) fn new(root: &Path, world: &World, tables: &Tables) -> Result<Self> {
        let mut plane = NodePlane::open(root, &Options::default())?;
        let pod = PodInterface {
            interface: INTERFACE,
            addresses: vec![address(crate::world::LOCAL)],
            open_until_policy: false,
            uid: [0; 16],
        };
        let number = plane.add_pod(&pod)?;
        let maps = root.join(format!("v{}/maps", limits::ABI_SCHEMA.0));
        let mut node = Self { plane, number, maps };
        node.write(world, tables)?;
        Ok(node)
    }

    pub(crate) fn write(&mut self, world: &World, tables: &Tables) -> Result<()> {
        let (mode, established) = (PodMode::Enforce, Established::Revoke);
        let policy = PodPolicy { number: self.number, pod: world.local, mode, established };
        self.plane.write(tables, &[policy])?;
        Ok(())
    }
}

/// The programs, loaded once more over the maps of a data plane, and one that does nothing.
pub(crate) struct Programs {
    skeleton: DataPlaneSkel<'static>,
}

/// What a program is run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    Nothing,
    FromPod,
    ToPod,
    Ask,
}

impl Programs {
    pub(crate) fn over(maps: &Path) -> Result<Self> {
        // The object borrows it for good; it is a pointer's size.
        let storage: &'static mut MaybeUninit<OpenObject> =
            Box::leak(Box::new(MaybeUninit::uninit()));
        let nf_conn_btf_id = tracked_connection_type()?;
        let settings = dataplane::skeleton::types::settings { nf_conn_btf_id, ..DEFAULT_SETTINGS };
        let mut open = dataplane::open(storage, &settings)?;
        for mut map in open.open_object_mut().maps_mut() {
            let name = map.name().to_string_lossy().into_owned();
            if !name.contains('.') {
                map.reuse_pinned_map(maps.join(name))?;
            }
        }
        Ok(Self { skeleton: open.load()? })
    }

    fn program(&self, which: Which) -> &ProgramMut<'static> {
        match which {
            Which::Nothing => &self.skeleton.progs.nothing,
            Which::FromPod => &self.skeleton.progs.from_pod,
            Which::ToPod => &self.skeleton.progs.to_pod,
            Which::Ask => &self.skeleton.progs.ask,
        }
    }

    /// The pod's, which inquiries name.
    pub(crate) fn slot(&self) -> Result<u32> {
        let pod = self.skeleton.maps.pods.lookup(&INTERFACE.to_ne_bytes(), MapFlags::ANY)?;
        let pod = pod.context("the pod is gone")?;
        let slot = pod.first_chunk().context("a pod without a slot")?;
        Ok(u32::from_ne_bytes(*slot))
    }

    /// Whether the packet passes, and how long one of so many runs takes.
    pub(crate) fn run(&self, which: Which, packet: &[u8], repeat: u32) -> Result<(bool, Duration)> {
        let ingress_ifindex = if which == Which::ToPod { ELSEWHERE } else { INTERFACE };
        let mut context = vec![0; size_of::<__sk_buff>()];
        for (at, value) in [
            (offset_of!(__sk_buff, ifindex), INTERFACE),
            (offset_of!(__sk_buff, ingress_ifindex), ingress_ifindex),
        ] {
            let place = context.get_mut(at..at + 4).context("the context is too short")?;
            place.copy_from_slice(&value.to_ne_bytes());
        }
        let input = ProgramInput {
            context_in: Some(&mut context),
            data_in: Some(packet),
            repeat,
            ..ProgramInput::default()
        };
        let output = self.program(which).test_run(input)?;
        Ok((output.return_value == u32::MAX, output.duration))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flags {
    Syn,
    SynAck,
    Ack,
}

pub(crate) fn tcp(from: SocketAddr, to: SocketAddr, flags: Flags) -> Result<Vec<u8>> {
    let (IpAddr::V4(source), IpAddr::V4(destination)) = (from.ip(), to.ip()) else {
        return Err(anyhow!("benches use IPv4"));
    };
    let frame = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2])
        .ipv4(source.octets(), destination.octets(), 64)
        .tcp(from.port(), to.port(), 1, 1024);
    let frame = match flags {
        Flags::Syn => frame.syn(),
        Flags::SynAck => frame.syn().ack(1),
        Flags::Ack => frame.ack(1),
    };
    let mut bytes = Vec::new();
    frame.write(&mut bytes, b"")?;
    Ok(bytes)
}

/// The bytes that `ask` takes for a packet.
pub(crate) fn inquiry(slot: u32, direction: Direction, (peer, port): (IpAddr, u16)) -> Vec<u8> {
    use dataplane::skeleton::types::{direction as sides, inquiry};
    let side = match direction {
        Direction::Ingress => sides::INGRESS,
        Direction::Egress => sides::EGRESS,
    };
    let address = match peer {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    };
    let mut bytes = vec![0; size_of::<inquiry>()];
    let mut put = |at: usize, value: &[u8]| {
        if let Some(place) = bytes.get_mut(at..at + value.len()) {
            place.copy_from_slice(value);
        }
    };
    put(offset_of!(inquiry, remote), &address);
    put(offset_of!(inquiry, slot), &slot.to_ne_bytes());
    put(offset_of!(inquiry, direction), &side.0.to_ne_bytes());
    put(offset_of!(inquiry, protocol), &6_u32.to_ne_bytes());
    put(offset_of!(inquiry, port), &u32::from(port).to_ne_bytes());
    bytes
}
