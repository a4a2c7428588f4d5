//! One node's data plane: what is pinned, and the process that looks after it now.
//!
//! Nothing ends with this value. Links, maps and programs are pinned in one folder of a BPF file system; who
//! opens it next goes on where this one stopped, and packets notice neither.

use crate::attach::{Haste, Hook, Links, Programs};
use crate::calls;
use crate::events::Events;
use crate::facts;
use crate::inquiry::{self, Answer, Inquiry};
use crate::kernel_store::{KernelStore, of_libbpf};
use crate::object::{self, DEFAULT_SETTINGS};
use crate::pins;
use crate::pods::{PodInterface, PodNumber, Pods};
use crate::skeleton::types::{node_word, settings};
use crate::upgrade::{Predecessor, Upgraded};
use crate::writer::{
    Established, Place, PodMode, PolicyWord, Services, ServicesError, Store, WriteError, Writer,
    Written,
};
use flow_model::{PodWord, Sighting};
use libbpf_rs::skel::OpenSkel;
use libbpf_rs::{MapHandle, OpenMapMut};
use net_types::Protocol;
use nix::sys::statfs::{BPF_FS_MAGIC, statfs};
use policy_engine::PodId;
use policy_tables::{ProfileTable, Tables};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::mem::{self, MaybeUninit};
use std::net::IpAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use thiserror::Error;

/// How a data plane is set up; `Default` is what a node wants.
#[derive(Clone, Debug)]
pub struct Options {
    pub hook: Hook,
    /// The number of the connection tracker's type is the running kernel's, whatever it says here.
    pub settings: settings,
    /// Addresses of pods and nodes of the cluster, for both columns of a change.
    pub max_addresses: u32,
    /// Networks that rules name, and their exceptions, likewise.
    pub max_networks: u32,
    /// Of all profiles, 64 rules in each.
    pub max_rows: u32,
    pub max_connections: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            hook: Hook::Tcx,
            settings: DEFAULT_SETTINGS,
            max_addresses: 2 * 131_072,
            max_networks: 2 * 131_072,
            max_rows: 1_048_576,
            max_connections: 262_144,
        }
    }
}

/// Why a data plane cannot be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    #[error("`{}` is not in a BPF file system: mount one, for example `mount -t bpf bpf {}`", .0.display(), .0.display())]
    NotBpfFileSystem(PathBuf),
    #[error("the data plane in `{}` has schema {found}, which schema {ours} cannot take over: use the version that made it, or `weir dataplane detach` it", folder.display())]
    OtherSchema { folder: PathBuf, found: u32, ours: u32 },
    #[error("cannot {doing}: {source}")]
    Kernel {
        doing: String,
        #[source]
        source: io::Error,
    },
}

/// What a pod's policy is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PodPolicy {
    pub number: PodNumber,
    pub pod: PodId,
    pub mode: PodMode,
    pub established: Established,
}

/// Interfaces in a second that wait for tcx; more than these get a classifier at first.
const MAY_WAIT: u32 = 4;

#[derive(Debug)]
pub struct NodePlane {
    folder: PathBuf,
    links: Links,
    programs: Programs,
    store: KernelStore,
    writer: Writer,
    services: Services,
    pods: Pods,
    sees_backends: bool,
    /// Interfaces that are to be moved to tcx.
    to_be_moved: BTreeSet<u32>,
    /// How many interfaces may wait for tcx before the next [`Self::tick`].
    may_wait: u32,
    upgraded: Option<Upgraded>,
    /// What an earlier version's programs reported, and nobody has read.
    backlog: Vec<Sighting>,
}

impl NodePlane {
    /// Opens the data plane whose pins are below `root`, or makes it. The calling thread is in the node's
    /// network namespace, here and in every later call.
    ///
    /// # Errors
    /// Nothing is attached then that was not before.
    pub fn open(root: &Path, options: &Options) -> Result<Self, OpenError> {
        if !is_bpf_file_system(root).map_err(|error| failed("look at the folder of pins", error))? {
            return Err(OpenError::NotBpfFileSystem(root.to_owned()));
        }
        let folder = pins::folder(root, object::SCHEMA);
        let (maps, links) = (pins::maps(&folder), pins::links(&folder));
        let before = predecessor(root, &folder)?;
        for path in [&maps, &links] {
            fs::create_dir_all(path).map_err(|error| failed("create the folder of pins", error))?;
        }
        let tracked = facts::tracked_connection_type()
            .map_err(|error| failed("read the kernel's types", error))?;
        let settings = settings { nf_conn_btf_id: tracked, ..options.settings };
        let (programs, mut store) = load(&maps, &Options { settings, ..options.clone() })?;
        if let Some(before) = &before
            && !is_complete(&store)?
        {
            before
                .fill(&maps)
                .and_then(|()| before.restore(&maps, programs.restore.as_fd()))
                .map_err(|error| failed("copy what an earlier version wrote", error))?;
        }
        let of_schema = |error| failed("write the schema", error);
        store.set_node_word(node_word::NODE_SCHEMA, object::SCHEMA).map_err(of_schema)?;
        begin_watch(&programs).map_err(|error| failed("watch over the tables", error))?;
        let pods = Pods::adopt(&mut store).map_err(|error| failed("read the pods", error))?;
        let slots: Vec<u32> = pods.slots().collect();
        let writer = Writer::adopt(&mut store, &slots)
            .map_err(|error| failed("read the policies", error))?;
        let links = Links::new(links, options.hook);
        let (services, sees_backends) = (Services::default(), tracked != 0);
        let (upgraded, backlog) = (None, Vec::new());
        let mut plane = Self {
            folder,
            links,
            programs,
            store,
            writer,
            services,
            pods,
            sees_backends,
            to_be_moved: BTreeSet::new(),
            may_wait: MAY_WAIT,
            upgraded,
            backlog,
        };
        match before {
            None => plane.attach_all()?,
            Some(before) => plane.take_over(before)?,
        }
        Ok(plane)
    }

    /// From here on our programs decide; what theirs did until then follows.
    fn take_over(&mut self, before: Predecessor) -> Result<(), OpenError> {
        let of_upgrade = |error| failed("take over from an earlier version", error);
        let maps = pins::maps(&self.folder);
        before.move_links(&pins::links(&self.folder)).map_err(of_upgrade)?;
        self.attach_all()?;
        self.store.wait_for_packets().map_err(of_upgrade)?;
        let upgraded = before.restore(&maps, self.programs.restore.as_fd()).map_err(of_upgrade)?;
        self.backlog = before.take_reports(&maps).map_err(of_upgrade)?;
        before.remove().map_err(of_upgrade)?;
        self.upgraded = Some(upgraded);
        Ok(())
    }

    /// What this process found of an earlier schema, and took over.
    pub fn upgraded(&self) -> Option<Upgraded> {
        self.upgraded
    }

    fn attach_all(&mut self) -> Result<(), OpenError> {
        self.links
            .attach_behind_services(&self.programs)
            .map_err(|error| failed("attach to netfilter", error))?;
        let interfaces: Vec<u32> = self.pods.iter().map(|(_, pod)| pod.interface).collect();
        for interface in interfaces {
            // An interface that is gone takes its links along; `remove_pod` clears the rest.
            if let Err(error) = self.attach(interface)
                && !is_gone(&error)
            {
                return Err(failed("attach to an interface", error));
            }
        }
        Ok(())
    }

    fn attach(&mut self, interface: u32) -> io::Result<()> {
        let haste = if self.may_wait == 0 { Haste::Quick } else { Haste::AsWanted };
        self.may_wait = self.may_wait.saturating_sub(1);
        if self.links.attach(&self.programs, interface, haste)? {
            self.to_be_moved.insert(interface);
        }
        Ok(())
    }

    /// Moves at most so many interfaces to tcx that got a classifier because there were many at once. Returns
    /// whether there are more. To be called when there is time: the kernel holds up every other change of a
    /// network meanwhile, for about a hundredth of a second each.
    pub fn settle_links(&mut self, most: usize) -> io::Result<bool> {
        for _ in 0..most {
            let Some(interface) = self.to_be_moved.first().copied() else { break };
            match self.links.move_to_tcx(&self.programs, interface) {
                Err(error) if !is_gone(&error) => return Err(error),
                Ok(()) | Err(_) => self.to_be_moved.remove(&interface),
            };
        }
        Ok(!self.to_be_moved.is_empty())
    }

    /// What the programs report. One reader at a time.
    pub fn events(&mut self) -> io::Result<Events> {
        let ring = MapHandle::from_pinned_path(pins::maps(&self.folder).join("events"));
        Events::new(&ring.map_err(of_libbpf)?, mem::take(&mut self.backlog))
    }

    pub fn pods(&self) -> impl Iterator<Item = (PodNumber, &PodInterface)> {
        self.pods.iter()
    }

    /// From now on the interface passes nothing until a policy is written, or everything if the pod says so.
    /// If it was another pod's it is attached all the time, and that one is no longer known.
    ///
    /// # Errors
    /// An interface that nobody had is not attached then.
    pub fn add_pod(&mut self, pod: &PodInterface) -> io::Result<PodNumber> {
        let of_another = self.pods.at(pod.interface).is_some();
        let number = self.pods.add(&mut self.store, pod)?;
        if let Err(error) = self.attach(pod.interface) {
            if !of_another {
                self.pods.remove(&mut self.store, number)?;
            }
            return Err(error);
        }
        Ok(number)
    }

    /// Says whose pod it is of which nobody had told. Nothing else changes.
    pub fn tell_uid(&mut self, number: PodNumber, uid: [u8; 16]) -> io::Result<()> {
        self.pods.tell_uid(&mut self.store, number, uid)
    }

    /// The interface is no longer enforced; it may be gone already.
    pub fn remove_pod(&mut self, number: PodNumber) -> io::Result<()> {
        if let Some(pod) = self.pods.get(number).cloned() {
            match self.links.detach(&self.programs, pod.interface) {
                Err(error) if !is_gone(&error) => return Err(error),
                Ok(()) | Err(_) => {}
            }
            self.to_be_moved.remove(&pod.interface);
        }
        self.pods.remove(&mut self.store, number)
    }

    /// Makes these policies hold for these pods: each packet sees all of a change or nothing. A pod that had
    /// a policy and is not among them denies everything.
    ///
    /// # Errors
    /// The pods that the change concerned deny everything then.
    pub fn write(&mut self, tables: &Tables, pods: &[PodPolicy]) -> Result<Written, WriteError> {
        let places: Vec<Place> = pods
            .iter()
            .filter_map(|policy| {
                let PodPolicy { number, pod, mode, established } = *policy;
                Some(Place { slot: self.pods.slot(number)?, pod, mode, established })
            })
            .collect();
        let listed: BTreeSet<u32> = places.iter().map(|place| place.slot).collect();
        let others: Vec<u32> = self.pods.slots().filter(|slot| !listed.contains(slot)).collect();
        self.writer.write(&mut self.store, tables, &places, &others)
    }

    /// Makes these the addresses that are translated behind the pods' interfaces: egress to them is decided
    /// by the backend. Returns how many entries it took.
    ///
    /// # Errors
    /// What the kernel does not know yet is decided by the Service's address as well as by the backend.
    pub fn set_services(
        &mut self,
        services: &BTreeSet<(IpAddr, Protocol, u16)>,
    ) -> Result<u64, ServicesError> {
        self.services.write(&mut self.store, services)
    }

    /// Whether the kernel tracks connections. Without, a Service's address is decided like any other.
    pub fn sees_backends(&self) -> bool {
        self.sees_backends
    }

    /// What the kernel's profile numbers mean: those that a word of [`Self::words`] may name, and 1, which
    /// denies everything. Empty before the first write: what another process wrote has no meaning here.
    /// Ask behind each write, also one that failed, and before the events from behind it are looked at.
    pub fn profiles(&self) -> BTreeMap<u32, Arc<ProfileTable>> {
        self.writer.profiles()
    }

    /// Which numbers hold for which pod now. A pod without a word has no policy yet.
    pub fn words(&self) -> BTreeMap<PodNumber, PodWord> {
        let words = self.pods.iter().filter_map(|(number, _)| {
            let word = PolicyWord::of_bits(self.store.policy(self.pods.slot(number)?));
            let of_pod = PodWord {
                generation: word.generation,
                ingress: word.ingress.0.into(),
                egress: word.egress.0.into(),
                keeps_established: word.established == Established::Keep,
            };
            (word.generation != 0).then_some((number, of_pod))
        });
        words.collect()
    }

    /// What the kernel would answer to such a packet now. `None` for a pod that is not there.
    pub fn ask(&self, number: PodNumber, asked: &Inquiry) -> io::Result<Option<Answer>> {
        let slot = self.pods.slot(number);
        slot.map(|slot| inquiry::ask(self.programs.ask.as_fd(), slot, asked)).transpose()
    }

    /// What has to be done once in a while, best once a second: clears what changes left behind, lets
    /// connections expire, and reports.
    pub fn tick(&mut self) -> io::Result<()> {
        self.may_wait = MAY_WAIT;
        self.writer.settle(&mut self.store).map_err(|(_, error)| error)?;
        calls::run(self.programs.sweep.as_fd()).map(drop)
    }

    /// Puts back what somebody detached, and leaves alone what is there. Returns the pods that were open in
    /// between, on one side at least.
    pub fn repair(&self) -> io::Result<Vec<PodNumber>> {
        self.links.attach_behind_services(&self.programs)?;
        let mut repaired = Vec::new();
        for (number, pod) in self.pods.iter() {
            match self.links.repair(&self.programs, pod.interface) {
                Ok(true) => repaired.push(number),
                Ok(false) => {}
                Err(error) if is_gone(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(repaired)
    }

    /// Ends enforcement: nothing of it stays in the kernel.
    pub fn detach(self) -> io::Result<()> {
        for (_, pod) in self.pods.iter() {
            match self.links.detach(&self.programs, pod.interface) {
                Err(error) if !is_gone(&error) => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        self.links.detach_behind_services()?;
        fs::remove_dir_all(&self.folder)
    }
}

fn is_bpf_file_system(folder: &Path) -> io::Result<bool> {
    fs::create_dir_all(folder)?;
    Ok(statfs(folder)?.filesystem_type() == BPF_FS_MAGIC)
}

/// An earlier schema's data plane, if there is one. What an upgrade began and did not get to link is removed.
fn predecessor(root: &Path, folder: &Path) -> Result<Option<Predecessor>, OpenError> {
    let of_pins = |error| failed("read the folder of pins", error);
    let ours = object::SCHEMA;
    let before = Predecessor::find(root, ours)
        .map_err(of_pins)?
        .map_err(|found| OpenError::OtherSchema { folder: root.to_owned(), found, ours })?;
    if before.is_some() && folder.exists() {
        let maps = pins::maps(folder);
        let node = KernelStore::pinned(&maps).ok();
        let complete = node.map(|store| is_complete(&store)).transpose()?;
        if complete != Some(true) {
            fs::remove_dir_all(folder).map_err(of_pins)?;
        }
    }
    Ok(before)
}

/// The schema is written when all tables are.
fn is_complete(store: &KernelStore) -> Result<bool, OpenError> {
    let schema = store.node_word(node_word::NODE_SCHEMA);
    schema.map(|schema| schema != 0).map_err(|error| failed("read the schema", error))
}

/// What a program answers that let a packet pass.
const NEXT: u32 = u32::MAX;

/// From here on the kernel sweeps by itself when nobody does.
fn begin_watch(programs: &Programs) -> io::Result<()> {
    let mut any = [0; 64];
    match calls::run_over(programs.watch.as_fd(), &mut any)? {
        NEXT => Ok(()),
        _ => Err(io::Error::other("the kernel gives no timer")),
    }
}

fn is_gone(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(code) if code == nix::libc::ENODEV)
        || error.kind() == io::ErrorKind::NotFound
}

fn failed(doing: impl Into<String>, source: io::Error) -> OpenError {
    OpenError::Kernel { doing: doing.into(), source }
}

/// Loads the programs over the maps that are pinned, or over new ones, which are then pinned.
fn load(maps: &Path, options: &Options) -> Result<(Programs, KernelStore), OpenError> {
    let of_kernel = |doing: &str, error| failed(doing, of_libbpf(error));
    let mut storage = MaybeUninit::uninit();
    let mut open = object::open(&mut storage, &options.settings)
        .map_err(|error| of_kernel("open the object", error))?;
    for mut map in open.open_object_mut().maps_mut() {
        size_and_pin(&mut map, maps, options).map_err(|error| of_kernel("set up maps", error))?;
    }
    let skeleton = open.load().map_err(|error| of_kernel("load the programs", error))?;
    let program = |fd: std::os::fd::BorrowedFd<'_>| -> Result<OwnedFd, OpenError> {
        fd.try_clone_to_owned().map_err(|error| failed("keep a program", error))
    };
    let programs = Programs {
        from_pod: program(skeleton.progs.from_pod.as_fd())?,
        to_pod: program(skeleton.progs.to_pod.as_fd())?,
        nothing: program(skeleton.progs.nothing.as_fd())?,
        behind_service: program(skeleton.progs.behind_service.as_fd())?,
        sweep: program(skeleton.progs.sweep.as_fd())?,
        ask: program(skeleton.progs.ask.as_fd())?,
        restore: program(skeleton.progs.restore.as_fd())?,
        watch: program(skeleton.progs.watch.as_fd())?,
    };
    Ok((programs, KernelStore::pinned(maps).map_err(|error| failed("open the maps", error))?))
}

fn size_and_pin(
    map: &mut OpenMapMut<'_>,
    folder: &Path,
    options: &Options,
) -> libbpf_rs::Result<()> {
    let name = map.name().to_string_lossy().into_owned();
    match name.as_str() {
        "addresses" => map.set_max_entries(options.max_addresses)?,
        "networks" => map.set_max_entries(options.max_networks)?,
        "vectors" => map.set_max_entries(options.max_rows)?,
        "connections" => map.set_max_entries(options.max_connections)?,
        _ => {}
    }
    if name.contains('.') {
        return Ok(());
    }
    map.set_pin_path(folder.join(name))
}
