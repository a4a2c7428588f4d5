//! The writer's tables in the kernel.

#![expect(unsafe_code, reason = "words are stored through mapped memory")]

use crate::skeleton::types::node_word;
use crate::wire::value_of;
use crate::writer::{Batch, Store, Table};
use libbpf_rs::{MapCore, MapFlags, MapHandle, MapType, libbpf_sys as sys};
use memmap2::MmapRaw;
use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// Entries in one call: more would keep a CPU in the kernel for milliseconds.
const AT_ONCE: u32 = 4096;

#[derive(Debug)]
pub(crate) struct KernelStore {
    tables: BTreeMap<Table, MapHandle>,
    words: Words,
    next_words: Words,
    grace: Grace,
}

impl KernelStore {
    /// `maps`: the folder of their pins.
    pub(crate) fn pinned(maps: &Path) -> io::Result<Self> {
        let map = |name: &str| MapHandle::from_pinned_path(maps.join(name)).map_err(of_libbpf);
        let tables = Table::ALL.into_iter().map(|table| Ok((table, map(table.name())?)));
        Ok(Self {
            words: Words::new(&map(Table::Policies.name())?)?,
            next_words: Words::new(&map(Table::NextPolicies.name())?)?,
            tables: tables.collect::<io::Result<_>>()?,
            grace: Grace::new()?,
        })
    }

    pub(crate) fn node_word(&self, word: node_word) -> io::Result<u32> {
        let value = self.table(Table::Node)?.lookup(&word.0.to_ne_bytes(), MapFlags::ANY);
        let value = value.map_err(of_libbpf)?.and_then(|value| value_of(&value));
        value.ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    pub(crate) fn set_node_word(&self, word: node_word, value: u32) -> io::Result<()> {
        let node = self.table(Table::Node)?;
        node.update(&word.0.to_ne_bytes(), &value.to_ne_bytes(), MapFlags::ANY).map_err(of_libbpf)
    }

    fn copy_next(&self, slots: impl Iterator<Item = u32>) {
        for slot in slots {
            if let (Some(word), Some(next)) = (self.words.of(slot), self.next_words.of(slot)) {
                word.store(next.load(Ordering::Acquire), Ordering::Release);
            }
        }
    }

    pub(crate) fn table(&self, table: Table) -> io::Result<&MapHandle> {
        self.tables.get(&table).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl Store for KernelStore {
    fn put(&mut self, table: Table, entries: &Batch) -> io::Result<()> {
        put_into(self.table(table)?, entries)
    }

    fn entries(&self, table: Table) -> io::Result<Batch> {
        entries_of(self.table(table)?)
    }

    fn remove(&mut self, table: Table, keys: &Batch) -> io::Result<()> {
        let map = self.table(table)?;
        let length = map.key_size() as usize;
        for keys in keys.keys.chunks(AT_ONCE as usize * length) {
            let count = u32::try_from(keys.len() / length).unwrap_or(AT_ONCE);
            match map.delete_batch(keys, count, MapFlags::ANY, MapFlags::ANY) {
                Ok(()) => {}
                // It ends where a key is absent, and does not tell which one.
                Err(error) if error.kind() == libbpf_rs::ErrorKind::NotFound => {
                    remove_one_by_one(map, keys.chunks(length))?;
                }
                Err(error) => return Err(of_libbpf(error)),
            }
        }
        Ok(())
    }

    fn set_policy(&mut self, slot: u32, word: u64) {
        if let Some(place) = self.words.of(slot) {
            place.store(word, Ordering::Release);
        }
    }

    fn policy(&self, slot: u32) -> u64 {
        self.words.of(slot).map_or(0, |place| place.load(Ordering::Acquire))
    }

    fn flip(&mut self, words: &[(u32, u64)]) -> io::Result<()> {
        // Whoever has to finish this copies all slots.
        for slot in 0..self.words.n_slots() {
            if let (Some(word), Some(next)) = (self.words.of(slot), self.next_words.of(slot)) {
                next.store(word.load(Ordering::Acquire), Ordering::Release);
            }
        }
        for (slot, word) in words {
            let next = self.next_words.of(*slot).ok_or(io::ErrorKind::NotFound)?;
            next.store(*word, Ordering::Release);
        }
        self.set_node_word(node_word::NODE_FLIPPING, 1)?;
        self.copy_next(words.iter().map(|(slot, _)| *slot));
        self.set_node_word(node_word::NODE_FLIPPING, 0)
    }

    fn finish_flip(&mut self, slots: &[u32]) -> io::Result<()> {
        if self.node_word(node_word::NODE_FLIPPING)? != 0 {
            self.copy_next(slots.iter().copied());
            self.set_node_word(node_word::NODE_FLIPPING, 0)?;
        }
        Ok(())
    }

    fn last_pod(&self) -> io::Result<u32> {
        self.node_word(node_word::NODE_LAST_POD)
    }

    fn set_last_pod(&mut self, number: u32) -> io::Result<()> {
        self.set_node_word(node_word::NODE_LAST_POD, number)
    }

    fn wait_for_packets(&mut self) -> io::Result<()> {
        self.grace.wait()
    }
}

fn remove_one_by_one<'a>(map: &MapHandle, keys: impl Iterator<Item = &'a [u8]>) -> io::Result<()> {
    for key in keys {
        match map.delete(key) {
            Ok(()) => {}
            Err(error) if error.kind() == libbpf_rs::ErrorKind::NotFound => {}
            Err(error) => return Err(of_libbpf(error)),
        }
    }
    Ok(())
}

/// All or some of the entries; which ones is not known after an error.
pub(crate) fn put_into(map: &MapHandle, entries: &Batch) -> io::Result<()> {
    let (key, value) = (map.key_size() as usize, map.value_size() as usize);
    let at_once = AT_ONCE as usize;
    let keys = entries.keys.chunks(at_once * key);
    for (keys, values) in keys.zip(entries.values.chunks(at_once * value)) {
        let count = u32::try_from(keys.len() / key).unwrap_or(AT_ONCE);
        map.update_batch(keys, values, count, MapFlags::ANY, MapFlags::ANY).map_err(of_libbpf)?;
    }
    Ok(())
}

/// Everything that is in the map, or was at the time.
pub(crate) fn entries_of(map: &MapHandle) -> io::Result<Batch> {
    let mut entries = Batch::default();
    for key in map.keys() {
        if let Some(value) = map.lookup(&key, MapFlags::ANY).map_err(of_libbpf)? {
            entries.entry(&key, &value);
        }
    }
    Ok(entries)
}

/// The kernel's error number, which is what a reader can look up.
#[expect(clippy::wildcard_enum_match_arm, reason = "the library may add kinds")]
pub(crate) fn of_libbpf(error: libbpf_rs::Error) -> io::Error {
    let kind = match error.kind() {
        libbpf_rs::ErrorKind::NotFound => io::ErrorKind::NotFound,
        libbpf_rs::ErrorKind::PermissionDenied => io::ErrorKind::PermissionDenied,
        libbpf_rs::ErrorKind::AlreadyExists => io::ErrorKind::AlreadyExists,
        libbpf_rs::ErrorKind::InvalidInput => io::ErrorKind::InvalidInput,
        libbpf_rs::ErrorKind::OutOfMemory => io::ErrorKind::OutOfMemory,
        _ => io::ErrorKind::Other,
    };
    io::Error::new(kind, error)
}

/// The array of words, mapped into our memory: a store of ours is the store that a packet sees.
#[derive(Debug)]
struct Words {
    memory: MmapRaw,
    len: usize,
}

impl Words {
    fn new(map: &MapHandle) -> io::Result<Self> {
        let len = map.max_entries() as usize;
        let memory = memmap2::MmapOptions::new()
            .len(len * size_of::<u64>())
            .map_raw(map.as_fd().as_raw_fd())?;
        Ok(Self { memory, len })
    }

    fn n_slots(&self) -> u32 {
        u32::try_from(self.len).unwrap_or_default()
    }

    fn of(&self, slot: u32) -> Option<&AtomicU64> {
        let slot = slot as usize;
        // SAFETY: the mapping holds `len` aligned words, which the kernel and we only touch as whole words.
        (slot < self.len).then(|| unsafe {
            AtomicU64::from_ptr(self.memory.as_mut_ptr().cast::<u64>().add(slot))
        })
    }
}

/// Waits until every program that is running has ended. The kernel promises that an update of a map of maps
/// returns only then (`maybe_wait_bpf_programs`), so this keeps one for that.
#[derive(Debug)]
struct Grace {
    outer: MapHandle,
    inner: MapHandle,
}

impl Grace {
    fn new() -> io::Result<Self> {
        let plain = sys::bpf_map_create_opts {
            sz: size_of::<sys::bpf_map_create_opts>() as _,
            ..Default::default()
        };
        let inner = MapHandle::create(MapType::Array, Some("weir_grace_in"), 4, 4, 1, &plain)
            .map_err(of_libbpf)?;
        let of_maps = sys::bpf_map_create_opts {
            inner_map_fd: u32::try_from(inner.as_fd().as_raw_fd()).unwrap_or_default(),
            ..plain
        };
        let outer = MapHandle::create(MapType::ArrayOfMaps, Some("weir_grace"), 4, 4, 1, &of_maps)
            .map_err(of_libbpf)?;
        Ok(Self { outer, inner })
    }

    fn wait(&self) -> io::Result<()> {
        let inner = self.inner.as_fd().as_raw_fd().to_ne_bytes();
        self.outer.update(&0_u32.to_ne_bytes(), &inner, MapFlags::ANY).map_err(of_libbpf)
    }
}
