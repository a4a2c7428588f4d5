//! Takes over from the data plane of an earlier schema, in place: its programs enforce until ours do, by the
//! same policies, and connections go on.
//!
//! ```text
//! v4/maps ──convert──▶ v5/maps    tables, and connections as they are          old programs decide
//!                      schema     written last: from now on v5 is the one
//! v4/links ──rename──▶ v5/links   then each link's program is exchanged        both decide, each pod by one
//! v4/maps ──restore──▶ v5/maps    what connections did in between              our programs decide
//! v4      ──remove
//! ```
//!
//! It can end at any point: before the schema is written the next process begins anew, behind it goes on.
//! **Invariants.** Both sides of each pod's interface run a program that knows the pod's policy, always. No
//! connection of the older table is forgotten; what cannot be entered is counted.

mod types;

use crate::calls;
use crate::events::Events;
use crate::kernel_store::{entries_of, of_libbpf, put_into};
use crate::layout::{Layout, LayoutError};
use crate::pins;
use crate::skeleton::types::{
    cause, connection, connection_key, denial, node_word, restored, usage,
};
use crate::wire::{bytes_of, value_of};
use crate::writer::Batch;
use flow_model::Sighting;
use libbpf_rs::{MapCore, MapFlags, MapHandle};
use std::fs;
use std::io;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use types::Types;

/// The oldest schema whose tables mean what ours do.
const OLDEST: u32 = 4;

/// Tables of policies and pods, entry by entry. Connections follow by a program.
const COPIED: [&str; 11] = [
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
    "fragments",
];

/// What an upgrade took over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Upgraded {
    /// The schema that was there.
    pub from: u32,
    pub connections: u64,
    /// Connections that the new table has no room for: their next packet is a new decision, or denied.
    pub refused: u64,
}

/// The pins of an earlier schema.
#[derive(Debug)]
pub(crate) struct Predecessor {
    schema: u32,
    folder: PathBuf,
}

/// A table of it, its successor, and what their entries have to do with each other.
struct Pair {
    old: MapHandle,
    new: MapHandle,
    keys: Layout,
    values: Layout,
}

impl Pair {
    /// Entries of the older in the newer's layout.
    fn entries(&self) -> io::Result<Batch> {
        let mut entries = Batch::default();
        for (key, value) in entries_of(&self.old)?.iter() {
            let converted = (self.keys.convert(key), self.values.convert(value));
            let (Some(key), Some(value)) = converted else {
                return Err(io::ErrorKind::InvalidData.into());
            };
            entries.entry(&key, &value);
        }
        Ok(entries)
    }
}

impl Predecessor {
    /// `Err` names a schema below `root` that this version cannot take over from.
    pub(crate) fn find(root: &Path, ours: u32) -> io::Result<Result<Option<Self>, u32>> {
        let mut found = None;
        for (schema, folder) in pins::schemas(root)? {
            if schema == ours {
                continue;
            }
            if schema > ours || schema < OLDEST || found.is_some() {
                return Ok(Err(schema));
            }
            found = Some(Self { schema, folder });
        }
        Ok(Ok(found))
    }

    /// Fills the new maps with what holds now. No program of ours runs yet.
    pub(crate) fn fill(&self, maps: &Path) -> io::Result<()> {
        let types = self.types(maps)?;
        for name in COPIED {
            let pair = self.pair(&types, name, maps)?;
            let entries = pair.entries()?;
            if entries.len > 0 {
                put_into(&pair.new, &entries)?;
            }
        }
        self.fill_usage(maps)?;
        let (old, new) = (self.map("node")?, map(maps, "node")?);
        for word in [node_word::NODE_LAST_POD, node_word::NODE_FLIPPING] {
            let word = word.0.to_ne_bytes();
            let value = old.lookup(&word, MapFlags::ANY).map_err(of_libbpf)?;
            let value = value.ok_or(io::ErrorKind::InvalidData)?;
            new.update(&word, &value, MapFlags::ANY).map_err(of_libbpf)?;
        }
        Ok(())
    }

    /// Whose slots are whose; connections take their shares when they are entered.
    fn fill_usage(&self, maps: &Path) -> io::Result<()> {
        let new = map(maps, "usage")?;
        let mut entries = Batch::default();
        for (_, pod) in entries_of(&map(maps, "pods")?)?.iter() {
            let pod: crate::skeleton::types::pod =
                value_of(pod).ok_or(io::ErrorKind::InvalidData)?;
            entries.entry(bytes_of(&pod.slot), bytes_of(&usage { pod: pod.id, connections: 0 }));
        }
        if entries.len > 0 { put_into(&new, &entries) } else { Ok(()) }
    }

    /// The links go on running what they run.
    pub(crate) fn move_links(&self, links: &Path) -> io::Result<()> {
        for link in fs::read_dir(pins::links(&self.folder))? {
            let link = link?;
            fs::rename(link.path(), links.join(link.file_name()))?;
        }
        Ok(())
    }

    /// Enters all connections, or what has become of them since they were entered.
    pub(crate) fn restore(&self, maps: &Path, program: BorrowedFd<'_>) -> io::Result<Upgraded> {
        let pair = self.pair(&self.types(maps)?, "connections", maps)?;
        let mut upgraded = Upgraded { from: self.schema, connections: 0, refused: 0 };
        for (key, value) in pair.entries()?.iter() {
            let key: connection_key = value_of(key).ok_or(io::ErrorKind::InvalidData)?;
            let connection: connection = value_of(value).ok_or(io::ErrorKind::InvalidData)?;
            let mut packet =
                bytes_of(&restored { key, connection, ..restored::default() }).to_vec();
            calls::run_over(program, &mut packet)?;
            let entered: restored = value_of(&packet).ok_or(io::ErrorKind::InvalidData)?;
            upgraded.connections += 1;
            upgraded.refused += u64::from(entered.cause != cause::CAUSE_NONE.0);
        }
        Ok(upgraded)
    }

    /// What its programs counted and reported, and nobody has read.
    pub(crate) fn take_reports(&self, maps: &Path) -> io::Result<Vec<Sighting>> {
        let types = self.types(maps)?;
        self.carry_denials(&types, maps)?;
        self.carry_counters(maps)?;
        let Some(ring) = self.map_if_there("events")? else { return Ok(Vec::new()) };
        let layout = self.readable("events", types.structure("event"))?;
        let reports = Events::of_layout(&ring, layout)?.read()?;
        self.forget("events")?;
        Ok(reports)
    }

    fn carry_denials(&self, types: &Types, maps: &Path) -> io::Result<()> {
        if self.map_if_there("denials")?.is_none() {
            return Ok(());
        }
        let pair = self.pair(types, "denials", maps)?;
        for (key, value) in pair.entries()?.iter() {
            let mut value: denial = value_of(value).ok_or(io::ErrorKind::InvalidData)?;
            let here = pair.new.lookup(key, MapFlags::ANY).map_err(of_libbpf)?;
            if let Some(here) = here.and_then(|here| value_of::<denial>(&here)) {
                value.packets += here.packets;
                value.bytes += here.bytes;
                value.seen = value.seen.max(here.seen);
            }
            pair.new.update(key, bytes_of(&value), MapFlags::ANY).map_err(of_libbpf)?;
        }
        self.forget("denials")
    }

    fn carry_counters(&self, maps: &Path) -> io::Result<()> {
        let Some(old) = self.map_if_there("counters")? else { return Ok(()) };
        let new = map(maps, "counters")?;
        for number in 0..old.max_entries().min(new.max_entries()) {
            let of = |map: &MapHandle| {
                let found = map.lookup_percpu(&number.to_ne_bytes(), MapFlags::ANY);
                found.map_err(of_libbpf).map(Option::unwrap_or_default)
            };
            let sums = of(&old)?.into_iter().zip(of(&new)?).map(|(old, new)| {
                let number = |bytes: &[u8]| value_of::<u64>(bytes).unwrap_or_default();
                (number(&old) + number(&new)).to_ne_bytes().to_vec()
            });
            let sums: Vec<Vec<u8>> = sums.collect();
            new.update_percpu(&number.to_ne_bytes(), &sums, MapFlags::ANY).map_err(of_libbpf)?;
        }
        self.forget("counters")
    }

    /// Nothing of it stays.
    pub(crate) fn remove(self) -> io::Result<()> {
        fs::remove_dir_all(&self.folder)
    }

    fn map(&self, name: &str) -> io::Result<MapHandle> {
        map(&pins::maps(&self.folder), name)
    }

    /// `None`: an upgrade that was interrupted has it already.
    fn map_if_there(&self, name: &str) -> io::Result<Option<MapHandle>> {
        let there = pins::maps(&self.folder).join(name).try_exists()?;
        there.then(|| self.map(name)).transpose()
    }

    /// So that nothing is counted twice.
    fn forget(&self, name: &str) -> io::Result<()> {
        fs::remove_file(pins::maps(&self.folder).join(name))
    }

    fn types(&self, maps: &Path) -> io::Result<Types> {
        Types::of(&self.map("connections")?, &map(maps, "connections")?)
    }

    fn pair(&self, types: &Types, name: &str, maps: &Path) -> io::Result<Pair> {
        let (old, new) = (self.map(name)?, map(maps, name)?);
        let [keys, values] = self.readable(name, types.layouts(&old, &new)?)?;
        Ok(Pair { old, new, keys, values })
    }

    fn readable<T>(&self, table: &str, layout: Result<T, LayoutError>) -> io::Result<T> {
        layout.map_err(|error| {
            let Self { schema, .. } = self;
            io::Error::other(format!("`{table}` of schema {schema} cannot be read: {error}"))
        })
    }
}

fn map(maps: &Path, name: &str) -> io::Result<MapHandle> {
    MapHandle::from_pinned_path(maps.join(name)).map_err(of_libbpf)
}
