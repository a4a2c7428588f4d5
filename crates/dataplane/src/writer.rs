//! Makes the kernel's tables say what [`Tables`] says, without a moment in between.
//!
//! New profiles get numbers that no pod's word names, and addresses, networks and ports are written to the
//! column that no pod reads. Then each pod flips by one store. What was in force before is removed only when
//! every packet that may still look at it has gone. `docs/design/data-plane.md` argues it.
//!
//! **Invariants.** No entry that a live word refers to is replaced or removed. An error before the flips
//! leaves no pod between two states: those that the change concerns deny everything until a later write
//! succeeds.

mod column;
mod encode;
mod profiles;
mod services;
mod store;
#[cfg(test)]
mod tests;
mod word;

pub use services::ServicesError;
pub use store::Table;
pub use word::{Established, PodMode};

pub(crate) use services::Services;
pub(crate) use store::{Batch, Store};
pub(crate) use word::{KernelProfile, PolicyWord};

use column::{Column, difference};
use net_types::IpNet;
use policy_engine::PodId;
use policy_tables::{AddressClass, PortTable, ProfileTable, Tables};
use profiles::Profiles;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use thiserror::Error;

/// A pod's place in the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) slot: u32,
    pub(crate) pod: PodId,
    pub(crate) mode: PodMode,
    pub(crate) established: Established,
}

/// What a write did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Entries put into tables.
    pub entries: u64,
    /// Pods whose word changed.
    pub flipped: Vec<PodId>,
}

/// The kernel did not take an entry.
#[derive(Debug, Error)]
#[error("cannot {doing} `{table}`: {source}; {} pods deny everything until a change succeeds", denied.len())]
pub struct WriteError {
    pub table: Table,
    doing: &'static str,
    #[source]
    pub source: io::Error,
    /// The pods that the change concerned.
    pub denied: Vec<PodId>,
}

struct Failure {
    table: Table,
    doing: &'static str,
    source: io::Error,
}

/// What the kernel holds in one column.
#[derive(Debug, Default)]
struct ColumnState {
    /// False after a write that failed or was another process': then the kernel is asked.
    known: bool,
    addresses: Arc<BTreeMap<IpAddr, AddressClass>>,
    networks: Arc<BTreeMap<IpNet, AddressClass>>,
    ports: Option<PortTable>,
}

#[derive(Debug, Default)]
pub(crate) struct Writer {
    live: Column,
    columns: [ColumnState; 2],
    profiles: Profiles,
    /// The flips are done, and packets that saw the words before may still be on their way.
    unsettled: bool,
}

impl Writer {
    /// `slots`: of the pods that are there. What another process wrote goes on deciding until the first write.
    pub(crate) fn adopt(store: &mut impl Store, slots: &[u32]) -> io::Result<Self> {
        let mut writer = Self { unsettled: true, ..Self::default() };
        store.finish_flip(slots)?;
        writer.profiles.put_deny_everything(store)?;
        writer.profiles.adopt(store)?;
        for slot in slots {
            let word = PolicyWord::of_bits(store.policy(*slot));
            if word.generation != 0 {
                writer.live = word.column;
                writer.profiles.in_use(word.ingress);
                writer.profiles.in_use(word.egress);
            }
        }
        Ok(writer)
    }

    /// `others`: slots of pods that are there and not among the places. What they name is cleared behind the
    /// flips, so those that had a policy deny everything from then on.
    pub(crate) fn write(
        &mut self,
        store: &mut impl Store,
        tables: &Tables,
        places: &[Place],
        others: &[u32],
    ) -> Result<Written, WriteError> {
        let mut written = Written::default();
        let target = self.target(tables);
        self.profiles.learn_deny_everything(tables);
        match self.prepare(store, tables, target, &mut written) {
            Ok(()) => {}
            Err(failure) => return Err(self.deny(store, tables, places, failure)),
        }
        let mut used = BTreeSet::new();
        let mut words = Vec::with_capacity(places.len());
        for place in places {
            let old = PolicyWord::of_bits(store.policy(place.slot));
            let new = self.word(tables, place, target, old);
            used.extend([new.ingress, new.egress]);
            words.push((place.slot, new.bits()));
            if new != old {
                written.flipped.push(place.pod);
            }
        }
        words.extend(others.iter().filter_map(|slot| {
            let old = PolicyWord::of_bits(store.policy(*slot));
            (old.generation != 0 && !old.denies_everything())
                .then(|| (*slot, old.denying_everything().bits()))
        }));
        if let Err(source) = store.flip(&words) {
            let failure = failed(Table::Policies, "write", source);
            return Err(self.deny(store, tables, places, failure));
        }
        self.live = target;
        self.profiles.retire_all_but(&used);
        self.unsettled = true;
        Ok(written)
    }

    /// Removes what no packet can look at any more. Failing costs room, never a verdict: it is tried again
    /// with the next change.
    pub(crate) fn settle(&mut self, store: &mut impl Store) -> Result<(), (Table, io::Error)> {
        if self.unsettled {
            store.wait_for_packets().map_err(|error| (Table::Profiles, error))?;
            self.unsettled = false;
        }
        self.profiles.remove_retired(store).map_err(|error| (Table::Vectors, error))
    }

    /// What each of the kernel's numbers means that a word may name.
    pub(crate) fn profiles(&self) -> BTreeMap<u32, Arc<ProfileTable>> {
        let meanings = self.profiles.meanings();
        meanings.map(|(number, table)| (number.0.into(), Arc::clone(table))).collect()
    }

    /// The live column where it says all that is wanted, else the other one.
    fn target(&self, tables: &Tables) -> Column {
        let state = self.column(self.live);
        let says = state.known
            && state.ports.as_ref() == Some(tables.port_classes())
            && is_same(&state.addresses, tables.addresses())
            && is_same(&state.networks, tables.networks());
        if says { self.live } else { self.live.other() }
    }

    fn column(&self, column: Column) -> &ColumnState {
        let [first, second] = &self.columns;
        match column {
            Column::First => first,
            Column::Second => second,
        }
    }

    fn column_mut(&mut self, column: Column) -> &mut ColumnState {
        let [first, second] = &mut self.columns;
        match column {
            Column::First => first,
            Column::Second => second,
        }
    }

    /// Everything that the flips need.
    fn prepare(
        &mut self,
        store: &mut impl Store,
        tables: &Tables,
        target: Column,
        written: &mut Written,
    ) -> Result<(), Failure> {
        // New profiles disturb no packet that is on its way by the words of before.
        if target != self.live || self.profiles.must_be_cleared() {
            self.settle(store).map_err(|(table, source)| failed(table, "clear", source))?;
        }
        if target != self.live {
            written.entries += self.column_mut(target).write(store, tables, target)?;
        }
        written.entries += self.profiles.write(store, tables)?;
        Ok(())
    }

    fn word(&self, tables: &Tables, place: &Place, column: Column, old: PolicyWord) -> PolicyWord {
        let profiles = tables.pods().get(&place.pod);
        let of = |id| self.profiles.kernel_number(id).unwrap_or(KernelProfile::DENY_EVERYTHING);
        let (ingress, egress) = profiles
            .map_or((KernelProfile::DENY_EVERYTHING, KernelProfile::DENY_EVERYTHING), |profiles| {
                (of(profiles.ingress), of(profiles.egress))
            });
        let Place { mode, established, .. } = *place;
        let same = PolicyWord { ingress, egress, column, mode, established, ..old };
        if same == old && old.generation != 0 {
            return old;
        }
        PolicyWord { generation: old.next_generation(), ..same }
    }

    /// No half of the change: the pods that it concerns deny everything. A pod whose word would not have
    /// changed keeps it.
    fn deny(
        &mut self,
        store: &mut impl Store,
        tables: &Tables,
        places: &[Place],
        failure: Failure,
    ) -> WriteError {
        let moved = self.target(tables) != self.live;
        let mut denied = Vec::new();
        for place in places {
            let old = PolicyWord::of_bits(store.policy(place.slot));
            if !moved && self.word(tables, place, self.live, old) == old {
                continue;
            }
            let Place { mode, established, .. } = *place;
            let new = PolicyWord { column: self.live, mode, established, ..old };
            let new = new.denying_everything();
            store.set_policy(place.slot, new.bits());
            denied.push(place.pod);
        }
        self.unsettled = true;
        let Failure { table, doing, source } = failure;
        WriteError { table, doing, source, denied }
    }
}

/// Tables one after the other mostly share what a comparison would walk through.
fn is_same<T: PartialEq>(known: &Arc<T>, wanted: &Arc<T>) -> bool {
    Arc::ptr_eq(known, wanted) || known == wanted
}

fn failed(table: Table, doing: &'static str, source: io::Error) -> Failure {
    Failure { table, doing, source }
}

impl ColumnState {
    /// Returns how many entries it took.
    fn write(
        &mut self,
        store: &mut impl Store,
        tables: &Tables,
        column: Column,
    ) -> Result<u64, Failure> {
        if !self.known {
            self.load(store, column)?;
        }
        self.known = false;
        let mut entries = 0;
        let (puts, removals) = difference(&self.addresses, tables.addresses());
        let (puts, removals) = encode::addresses(column, &puts, &removals);
        entries += exchange(store, Table::Addresses, &puts, &removals)?;
        self.addresses = Arc::clone(tables.addresses());
        let (puts, removals) = difference(&self.networks, tables.networks());
        let (puts, removals) = encode::networks(column, &puts, &removals);
        entries += exchange(store, Table::Networks, &puts, &removals)?;
        self.networks = Arc::clone(tables.networks());
        if self.ports.as_ref() != Some(tables.port_classes()) {
            let arrays = encode::port_classes(column, tables.port_classes());
            entries += exchange(store, Table::PortClasses, &arrays, &Batch::default())?;
            self.ports = Some(tables.port_classes().clone());
        }
        self.known = true;
        Ok(entries)
    }

    fn load(&mut self, store: &impl Store, column: Column) -> Result<(), Failure> {
        let read = |table| store.entries(table).map_err(|error| failed(table, "read", error));
        self.addresses = Arc::new(encode::addresses_of(&read(Table::Addresses)?, column));
        self.networks = Arc::new(encode::networks_of(&read(Table::Networks)?, column));
        self.ports = None;
        Ok(())
    }
}

/// Removals first: they make room.
fn exchange(
    store: &mut impl Store,
    table: Table,
    puts: &Batch,
    removals: &Batch,
) -> Result<u64, Failure> {
    if removals.len > 0 {
        store
            .remove(table, removals)
            .map_err(|source| failed(table, "remove entries of", source))?;
    }
    if puts.len > 0 {
        store.put(table, puts).map_err(|source| failed(table, "write", source))?;
    }
    Ok(u64::from(puts.len + removals.len))
}
