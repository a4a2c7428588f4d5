//! What is pinned, looked at from outside: nothing is loaded, attached or changed.

use crate::attach;
use crate::kernel_store::of_libbpf;
use crate::object::SCHEMA;
use crate::pins;
use crate::pods::{PodInterface, PodNumber, interface_of};
use crate::skeleton::types::{self, cause, recent_word};
use crate::wire::{address_of, value_of};
use crate::writer::{KernelProfile, PodMode, PolicyWord};
use flow_model::Cause;
use libbpf_rs::{MapCore, MapFlags, MapHandle};
use net_types::Protocol;
use std::fs;
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd};
use std::path::{Path, PathBuf};

/// A data plane as its pins show it.
#[derive(Debug)]
pub struct Inspection {
    root: PathBuf,
    schema: u32,
    folder: PathBuf,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlaneState {
    pub schema: u32,
    /// By number.
    pub pods: Vec<PodState>,
    pub tables: Vec<TableState>,
    /// Packets that were dropped and reports that were lost, by cause, since the data plane was made.
    pub counters: Vec<(&'static str, u64)>,
    /// Names of pinned links: `IFINDEX-from`, `IFINDEX-to`, and the hook behind Services.
    pub links: Vec<String>,
}

/// What an operator looks at first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlaneLoad {
    pub connections: u64,
    pub max_connections: u32,
    /// Pods that deny everything, because what they should do could not be written.
    pub denying: usize,
    /// Pods without a policy yet.
    pub waiting: usize,
    /// As in [`PlaneState`].
    pub counters: Vec<(&'static str, u64)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodState {
    pub number: PodNumber,
    pub interface: PodInterface,
    /// `None` until a policy is written.
    pub policy: Option<PodPolicyState>,
    pub connections: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodPolicyState {
    pub mode: PodMode,
    /// The kernel's numbers of the profiles.
    pub ingress: u16,
    pub egress: u16,
    /// Counts the pod's changes.
    pub generation: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableState {
    pub name: String,
    pub entries: usize,
    pub max_entries: u32,
    /// Locked memory.
    pub bytes: u64,
}

/// A connection that the kernel keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionState {
    pub pod: PodNumber,
    pub local: (IpAddr, u16),
    pub remote: (IpAddr, u16),
    pub protocol: Protocol,
    pub opened_by_pod: bool,
    /// By the pod's direction: in, out.
    pub packets: [u64; 2],
    pub bytes: [u64; 2],
}

impl PodState {
    fn denies_everything(&self) -> bool {
        let all = KernelProfile::DENY_EVERYTHING.0;
        self.policy.as_ref().is_some_and(|policy| [policy.ingress, policy.egress] == [all; 2])
    }
}

impl Inspection {
    /// The newest schema below `root`; `None` where nothing is pinned.
    pub fn open(root: &Path) -> io::Result<Option<Self>> {
        let newest = pins::schemas(root)?.pop_last();
        Ok(newest.map(|(schema, folder)| Self { root: root.to_owned(), schema, folder }))
    }

    /// Of the pins. Another version's can be ended here, and not read.
    pub fn schema(&self) -> u32 {
        self.schema
    }

    /// # Errors
    /// Also for another version's data plane.
    pub fn state(&self) -> io::Result<PlaneState> {
        self.must_be_ours()?;
        let pods = self.pods()?;
        Ok(PlaneState {
            schema: self.schema,
            pods,
            tables: self.tables()?,
            counters: self.counters()?,
            links: names(&pins::links(&self.folder))?,
        })
    }

    /// How much of it is used, without looking at every entry.
    ///
    /// # Errors
    /// Also for another version's data plane.
    pub fn load(&self) -> io::Result<PlaneLoad> {
        self.must_be_ours()?;
        let pods = self.pods()?;
        Ok(PlaneLoad {
            connections: pods.iter().map(|pod| u64::from(pod.connections)).sum(),
            max_connections: self.map("connections")?.max_entries(),
            denying: pods.iter().filter(|pod| pod.denies_everything()).count(),
            waiting: pods.iter().filter(|pod| pod.policy.is_none()).count(),
            counters: self.counters()?,
        })
    }

    /// Of every pod, in no order.
    ///
    /// # Errors
    /// Also for another version's data plane.
    pub fn connections(&self) -> io::Result<Vec<ConnectionState>> {
        self.must_be_ours()?;
        let map = self.map("connections")?;
        let mut connections = Vec::new();
        for key in map.keys() {
            let value = map.lookup(&key, MapFlags::ANY).map_err(of_libbpf)?;
            let key = value_of::<types::connection_key>(&key);
            // It may have ended while it was looked at.
            let value = value.and_then(|value| value_of::<types::connection>(&value));
            if let (Some(key), Some(value)) = (key, value) {
                connections.push(connection(&key, &value));
            }
        }
        Ok(connections)
    }

    /// Ends enforcement, whoever began it, by whatever schema: nothing stays in the kernel. The calling
    /// thread is in the node's network namespace.
    pub fn detach(self) -> io::Result<()> {
        for folder in pins::schemas(&self.root)?.into_values() {
            let pods = MapHandle::from_pinned_path(pins::maps(&folder).join("pods"));
            let interfaces: Vec<u32> =
                pods.map_err(of_libbpf)?.keys().filter_map(|key| value_of(&key)).collect();
            attach::detach_all(&pins::links(&folder), &interfaces)?;
            fs::remove_dir_all(&folder)?;
        }
        Ok(())
    }

    fn must_be_ours(&self) -> io::Result<()> {
        let (found, ours) = (self.schema, SCHEMA);
        if found == ours {
            return Ok(());
        }
        let what = if found < ours {
            "the agent of this version upgrades it in place when it starts"
        } else {
            "use the newer version that made it"
        };
        Err(io::Error::other(format!("it has schema {found}, and this is schema {ours}: {what}")))
    }

    fn map(&self, name: &str) -> io::Result<MapHandle> {
        MapHandle::from_pinned_path(pins::maps(&self.folder).join(name)).map_err(of_libbpf)
    }

    fn pods(&self) -> io::Result<Vec<PodState>> {
        let (pods, policies, usage) =
            (self.map("pods")?, self.map("policies")?, self.map("usage")?);
        let mut states = Vec::new();
        for key in pods.keys() {
            let value = pods.lookup(&key, MapFlags::ANY).map_err(of_libbpf)?;
            let (Some(index), Some(pod)) =
                (value_of::<u32>(&key), value.and_then(|value| value_of::<types::pod>(&value)))
            else {
                continue;
            };
            let slot = pod.slot.to_ne_bytes();
            let word = policies.lookup(&slot, MapFlags::ANY).map_err(of_libbpf)?;
            let word = word.and_then(|word| value_of::<u64>(&word)).unwrap_or_default();
            let used = usage.lookup(&slot, MapFlags::ANY).map_err(of_libbpf)?;
            let used = used.and_then(|used| value_of::<types::usage>(&used)).unwrap_or_default();
            states.push(PodState {
                number: PodNumber(pod.id),
                interface: interface_of(index, &pod),
                policy: policy(PolicyWord::of_bits(word)),
                connections: used.connections,
            });
        }
        states.sort_by_key(|state| state.number);
        Ok(states)
    }

    fn tables(&self) -> io::Result<Vec<TableState>> {
        let mut tables = Vec::new();
        for name in names(&pins::maps(&self.folder))? {
            let map = self.map(&name)?;
            // A ring has no keys.
            let entries = if map.key_size() == 0 { 0 } else { map.keys().count() };
            let bytes = locked_bytes(&map)?;
            tables.push(TableState { entries, max_entries: map.max_entries(), bytes, name });
        }
        Ok(tables)
    }

    fn counters(&self) -> io::Result<Vec<(&'static str, u64)>> {
        let map = self.map("counters")?;
        let mut counters = Vec::new();
        for number in 1..cause::N_CAUSES.0 {
            let of_cpus = map.lookup_percpu(&number.to_ne_bytes(), MapFlags::ANY);
            let of_cpus = of_cpus.map_err(of_libbpf)?.unwrap_or_default();
            let sum = of_cpus.iter().filter_map(|value| value_of::<u64>(value)).sum();
            counters.push((cause_name(number), sum));
        }
        Ok(counters)
    }
}

fn policy(word: PolicyWord) -> Option<PodPolicyState> {
    (word.generation != 0).then_some(PodPolicyState {
        mode: word.mode,
        ingress: word.ingress.0,
        egress: word.egress.0,
        generation: word.generation,
    })
}

fn connection(key: &types::connection_key, value: &types::connection) -> ConnectionState {
    let protocol = match key.protocol {
        6 => Protocol::Tcp,
        17 => Protocol::Udp,
        132 => Protocol::Sctp,
        other => Protocol::Other(u8::try_from(other).unwrap_or(u8::MAX)),
    };
    let opened_by_pod = types::direction(u32::from(value.opener)) == types::direction::EGRESS;
    ConnectionState {
        pod: PodNumber(key.pod),
        local: (address_of(&key.local), key.local_port),
        remote: (address_of(&key.remote), key.remote_port),
        protocol,
        opened_by_pod,
        packets: sums(
            value.packets,
            value.recent.map(|word| word >> recent_word::RECENT_PACKETS_SHIFT.0),
        ),
        bytes: sums(value.bytes, value.recent.map(|word| word & recent_word::RECENT_BYTES.0)),
    }
}

/// As the kernel's `packets_of` and `bytes_of` say.
fn sums([ingress, egress]: [u64; 2], [recent_ingress, recent_egress]: [u32; 2]) -> [u64; 2] {
    [ingress + u64::from(recent_ingress), egress + u64::from(recent_egress)]
}

/// In the order of `enum cause`.
fn cause_name(number: u32) -> &'static str {
    let first = cause::CAUSE_NO_POLICY_YET.0;
    let of_packets = number.checked_sub(first).and_then(|at| Cause::ALL.get(at as usize));
    match (of_packets, cause(number)) {
        (Some(of_packets), _) => of_packets.code(),
        (None, cause::CAUSE_POLICY) => "policy",
        (None, cause::CAUSE_RING_FULL) => "reports-lost-ring-full",
        (None, _) => "reports-lost-aggregate-full",
    }
}

fn names(folder: &Path) -> io::Result<Vec<String>> {
    let entries = fs::read_dir(folder)?;
    let names: io::Result<Vec<String>> =
        entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect();
    let mut names = names?;
    names.sort();
    Ok(names)
}

/// What the kernel says that the map takes.
fn locked_bytes(map: &MapHandle) -> io::Result<u64> {
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", map.as_fd().as_raw_fd()))?;
    let line = info.lines().find_map(|line| line.strip_prefix("memlock:"));
    Ok(line.and_then(|bytes| bytes.trim().parse().ok()).unwrap_or_default())
}
