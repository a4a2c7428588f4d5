//! Profiles in the kernel: what each number holds, and which numbers no pod names any more.

use super::encode::{self, RowKey};
use super::store::{Batch, Store, Table};
use super::word::KernelProfile;
use super::{Failure, failed};
use policy_tables::{ProfileId, ProfileTable, Row, Tables};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

/// The kernel has room for so many, `deny everything` and the one that is never read among them.
const MAX_PROFILES: u16 = 4096;

/// More rows of profiles that are no longer in use are cleared before others are written.
const MAX_RETIRED_ROWS: usize = 16_384;

impl KernelProfile {
    /// It is there from the start, so that denying never needs a write.
    pub(crate) const DENY_EVERYTHING: Self = Self(1);
}

#[derive(Debug)]
struct Written {
    /// `None` if it was never written as a whole, or by another process.
    table: Option<Arc<ProfileTable>>,
    /// False after a write that failed: a later class may get the number of one of its rows, so it serves
    /// none but the pods that have it.
    serves: bool,
    n_words: u32,
    /// Every row that may be in the kernel, and which of its words.
    rows: BTreeMap<RowKey, u16>,
}

impl Written {
    fn by_another() -> Self {
        Self { table: None, serves: false, n_words: encode::MAX_WORDS, rows: BTreeMap::new() }
    }

    fn keys(&self, number: KernelProfile) -> Batch {
        encode::row_keys(self.rows.iter().map(|(row, words)| (number, *row, *words, self.n_words)))
    }
}

#[derive(Debug, Default)]
pub(crate) struct Profiles {
    numbers: BTreeMap<ProfileId, KernelProfile>,
    written: BTreeMap<KernelProfile, Written>,
    /// No word names them since the last flips.
    retired: BTreeSet<KernelProfile>,
    /// Rows of classes that are gone, of profiles that stay.
    stale_rows: Vec<(KernelProfile, RowKey)>,
    last: u16,
    /// What [`KernelProfile::DENY_EVERYTHING`] means, once there were tables.
    deny_everything: Option<Arc<ProfileTable>>,
}

impl Profiles {
    pub(crate) fn put_deny_everything(&mut self, store: &mut impl Store) -> io::Result<()> {
        store.put(Table::Profiles, &encode::deny_everything(KernelProfile::DENY_EVERYTHING))
    }

    pub(crate) fn kernel_number(&self, id: ProfileId) -> Option<KernelProfile> {
        if id == ProfileId::DENY_EVERYTHING {
            return Some(KernelProfile::DENY_EVERYTHING);
        }
        self.numbers.get(&id).copied()
    }

    /// Denying needs no write, but a meaning.
    pub(super) fn learn_deny_everything(&mut self, tables: &Tables) {
        self.deny_everything = tables.profiles().get(&ProfileId::DENY_EVERYTHING).cloned();
    }

    /// What each number means that a word may name.
    pub(crate) fn meanings(&self) -> impl Iterator<Item = (KernelProfile, &Arc<ProfileTable>)> {
        let written = self.written.iter().filter(|(number, _)| !self.retired.contains(number));
        let written =
            written.filter_map(|(number, written)| Some((*number, written.table.as_ref()?)));
        let deny = self.deny_everything.iter();
        deny.map(|table| (KernelProfile::DENY_EVERYTHING, table)).chain(written)
    }

    /// Puts what the tables need beside what is there. Returns how many entries it took.
    pub(super) fn write(
        &mut self,
        store: &mut impl Store,
        tables: &Tables,
    ) -> Result<u64, Failure> {
        let mut entries = 0;
        for (id, table) in tables.profiles() {
            if *id == ProfileId::DENY_EVERYTHING {
                continue;
            }
            let known = self.numbers.get(id).and_then(|number| {
                let written = self.written.get(number).filter(|written| written.serves)?;
                let written = written.table.as_ref()?;
                means_the_same(written, table).then(|| (*number, Arc::clone(written)))
            });
            entries += match known {
                Some((_, written)) if Arc::ptr_eq(&written, table) => 0,
                Some((number, written)) => self.extend(store, number, (&written, table))?,
                None => self.create(store, *id, table)?,
            };
        }
        Ok(entries)
    }

    /// Rows of classes that came, into a profile that is in use: no packet has these classes yet.
    fn extend(
        &mut self,
        store: &mut impl Store,
        number: KernelProfile,
        (old, new): (&ProfileTable, &Arc<ProfileTable>),
    ) -> Result<u64, Failure> {
        let before: BTreeSet<RowKey> = row_keys(old).collect();
        let added: Vec<(RowKey, &Row)> =
            rows(new).filter(|(key, _)| !before.contains(key)).collect();
        self.put_rows(store, number, &added)?;
        let after: BTreeSet<RowKey> = row_keys(new).collect();
        self.stale_rows.extend(before.difference(&after).map(|key| (number, *key)));
        if let Some(written) = self.written.get_mut(&number) {
            written.table = Some(Arc::clone(new));
        }
        Ok(added.len() as u64)
    }

    /// Rows first, then the record: nothing names the number before the flips anyway.
    fn create(
        &mut self,
        store: &mut impl Store,
        id: ProfileId,
        table: &Arc<ProfileTable>,
    ) -> Result<u64, Failure> {
        let full = || failed(Table::Profiles, "write", io::ErrorKind::StorageFull.into());
        let number = self.free_number().ok_or_else(full)?;
        let n_words = u32::try_from(table.words().len()).unwrap_or(encode::MAX_WORDS);
        let begun = Written { table: None, serves: true, n_words, rows: BTreeMap::new() };
        self.written.insert(number, begun);
        // Unless all goes well no word will name it, and the next flips retire it.
        let all: Vec<(RowKey, &Row)> = rows(table).collect();
        self.put_rows(store, number, &all)?;
        let record = encode::profile(number, table);
        store
            .put(Table::Profiles, &record)
            .map_err(|error| failed(Table::Profiles, "write", error))?;
        if let Some(written) = self.written.get_mut(&number) {
            written.table = Some(Arc::clone(table));
        }
        self.numbers.insert(id, number);
        Ok(all.len() as u64 + 1)
    }

    fn put_rows(
        &mut self,
        store: &mut impl Store,
        number: KernelProfile,
        rows: &[(RowKey, &Row)],
    ) -> Result<(), Failure> {
        if rows.is_empty() {
            return Ok(());
        }
        if let Some(written) = self.written.get_mut(&number) {
            written.rows.extend(rows.iter().map(|(key, row)| (*key, encode::words_of(row))));
        }
        store.put(Table::Vectors, &encode::rows(number, rows)).map_err(|error| {
            if let Some(written) = self.written.get_mut(&number) {
                written.serves = false;
            }
            failed(Table::Vectors, "write", error)
        })
    }

    /// Numbers go round, so that one is used again as late as possible.
    fn free_number(&mut self) -> Option<KernelProfile> {
        let first = KernelProfile::DENY_EVERYTHING.0 + 1;
        let n_numbers = MAX_PROFILES - first;
        let after_last = self.last.max(first - 1) - (first - 1);
        let number = (0..n_numbers)
            .map(|step| KernelProfile(first + (after_last + step) % n_numbers))
            .find(|number| !self.written.contains_key(number))?;
        self.last = number.0;
        Some(number)
    }

    pub(crate) fn retire_all_but(&mut self, used: &BTreeSet<KernelProfile>) {
        let gone = self.written.keys().filter(|number| !used.contains(number));
        self.retired = gone.copied().collect();
        self.numbers.retain(|_, number| used.contains(number));
    }

    /// What another process wrote serves until the first flips, and is removed behind them.
    pub(crate) fn adopt(&mut self, store: &impl Store) -> io::Result<()> {
        for (number, row) in encode::rows_of(&store.entries(Table::Vectors)?) {
            let found = Written::by_another();
            self.written.entry(number).or_insert(found).rows.insert(row, u16::MAX);
        }
        Ok(())
    }

    /// A word of a pod names it, whoever wrote it.
    pub(crate) fn in_use(&mut self, number: KernelProfile) {
        if number > KernelProfile::DENY_EVERYTHING {
            let found = Written::by_another();
            self.written.entry(number).or_insert(found);
        }
    }

    /// Whether a write has to wait for [`Self::remove_retired`]: a class' number may come back, and what is not
    /// in use takes room.
    pub(super) fn must_be_cleared(&self) -> bool {
        let retired = self.retired.iter().filter_map(|number| self.written.get(number));
        !self.stale_rows.is_empty()
            || self.written.len() >= usize::from(MAX_PROFILES / 2)
            || retired.map(|written| written.rows.len()).sum::<usize>() >= MAX_RETIRED_ROWS
    }

    /// Only when no packet can look at them: a missing row of a rule that denies would allow.
    pub(crate) fn remove_retired(&mut self, store: &mut impl Store) -> io::Result<()> {
        let stale = self.stale_rows.iter().filter_map(|(number, row)| {
            let written = self.written.get(number)?;
            Some((*number, *row, *written.rows.get(row)?, written.n_words))
        });
        let stale = encode::row_keys(stale);
        if stale.len > 0 {
            store.remove(Table::Vectors, &stale)?;
        }
        for (number, key) in std::mem::take(&mut self.stale_rows) {
            if let Some(written) = self.written.get_mut(&number) {
                written.rows.remove(&key);
            }
        }
        while let Some(number) = self.retired.first().copied() {
            let rows = self.written.get(&number).map(|written| written.keys(number));
            if let Some(rows) = rows.filter(|rows| rows.len > 0) {
                store.remove(Table::Vectors, &rows)?;
            }
            store.put(Table::Profiles, &encode::deny_everything(number))?;
            self.written.remove(&number);
            self.retired.remove(&number);
        }
        Ok(())
    }
}

/// Whether a packet would be decided alike by both, as far as both have its classes.
fn means_the_same(old: &Arc<ProfileTable>, new: &Arc<ProfileTable>) -> bool {
    fn agree<K: Ord>(old: &BTreeMap<K, Row>, new: &BTreeMap<K, Row>) -> bool {
        old.iter().all(|(class, row)| new.get(class).is_none_or(|other| other == row))
    }
    Arc::ptr_eq(old, new)
        || (old.words() == new.words()
            && old.rules() == new.rules()
            && old.admin_end() == new.admin_end()
            && old.baseline_start() == new.baseline_start()
            && agree(&old.peer_rows, &new.peer_rows)
            && agree(&old.port_rows, &new.port_rows))
}

fn rows(table: &ProfileTable) -> impl Iterator<Item = (RowKey, &Row)> {
    let peers = table.peer_rows.iter().map(|(class, row)| (RowKey::Peer(class.0), row));
    let ports = table.port_rows.iter().map(|(class, row)| (RowKey::Port(u32::from(class.0)), row));
    peers.chain(ports)
}

fn row_keys(table: &ProfileTable) -> impl Iterator<Item = RowKey> {
    rows(table).map(|(key, _)| key)
}
