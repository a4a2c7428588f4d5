//! Tables in memory, which answer packets as the kernel's programs do, and fail when told to.

use crate::skeleton::types;
use crate::wire::{address, bytes_of, value_of};
use crate::writer::word::PolicyWord;
use crate::writer::{Batch, Store, Table};
use net_types::Protocol;
use policy_model::Direction;
use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;

/// What a packet asks at one side of a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Packet {
    pub(crate) slot: u32,
    pub(crate) direction: Direction,
    pub(crate) peer: IpAddr,
    pub(crate) protocol: Protocol,
    pub(crate) port: u16,
}

/// The vector and whether the enforced rules allow; `None` where a table misses what it must have.
pub(crate) type Seen = Option<(Vec<u64>, bool)>;

type Witness<'w> = Box<dyn FnMut(&Memory<'w>) + 'w>;

#[derive(Default)]
pub(crate) struct Memory<'w> {
    tables: BTreeMap<Table, BTreeMap<Vec<u8>, Vec<u8>>>,
    words: BTreeMap<u32, u64>,
    last_pod: u32,
    /// So many entries are taken before one is refused.
    pub(crate) fail_after: Option<u32>,
    /// Looks at every state in between.
    pub(crate) witness: Option<Witness<'w>>,
    /// What each slot's word was since packets were waited for: some may still look at what it named.
    earlier_words: BTreeMap<u32, Vec<u64>>,
}

impl Memory<'_> {
    fn look(&mut self) {
        if let Some(mut witness) = self.witness.take() {
            witness(self);
            self.witness = Some(witness);
        }
    }

    fn may_fail(&mut self) -> io::Result<()> {
        match &mut self.fail_after {
            Some(0) => {
                self.fail_after = None;
                Err(io::ErrorKind::OutOfMemory.into())
            }
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    pub(crate) fn n_entries(&self, table: Table) -> usize {
        self.tables.get(&table).map_or(0, BTreeMap::len)
    }

    fn entry(&self, table: Table, key: &[u8]) -> Option<&[u8]> {
        self.tables.get(&table)?.get(key).map(Vec::as_slice)
    }

    /// As the programs do for a packet that opens a connection.
    pub(crate) fn answer(&self, packet: &Packet) -> Seen {
        self.answer_by(self.policy(packet.slot), packet)
    }

    /// How often a word was changed since packets were waited for, at most.
    pub(crate) fn n_late(&self) -> usize {
        self.earlier_words.values().map(Vec::len).max().unwrap_or_default()
    }

    /// Of a packet that read the word before it was changed, in this turn since packets were waited for.
    pub(crate) fn late_answer(&self, turn: usize, packet: &Packet) -> Seen {
        let earlier = self.earlier_words.get(&packet.slot).and_then(|words| words.get(turn));
        self.answer_by(earlier.copied().unwrap_or_else(|| self.policy(packet.slot)), packet)
    }

    fn answer_by(&self, word: u64, packet: &Packet) -> Seen {
        let word = PolicyWord::of_bits(word);
        let number = match packet.direction {
            Direction::Ingress => word.ingress,
            Direction::Egress => word.egress,
        };
        let number = u32::from(number.0);
        let profile: types::profile =
            value_of(self.entry(Table::Profiles, &number.to_ne_bytes())?)?;
        if profile.flags & types::profile_flags::PROFILE_WRITTEN.0 == 0 {
            return None;
        }
        let column = word.column.index();
        let class = self.address_class(packet.peer, column);
        let port_class = match packet.protocol {
            Protocol::Tcp => self.port_class(column, 0, packet.port),
            Protocol::Udp => self.port_class(column, 1, packet.port),
            Protocol::Sctp => self.port_class(column, 2, packet.port),
            Protocol::Other(_) => 0,
        };
        let row = |kind: types::vector_kind, class: u32, word: u32| -> u64 {
            let class_and_word = class << 4 | word;
            let key = types::vector_key { profile: number, class_and_word, kind: kind.0 };
            self.entry(Table::Vectors, bytes_of(&key)).and_then(value_of).unwrap_or_default()
        };
        // What the summary does not name is not looked up.
        let of_class = |kind, summary, class: u32, word: u32| {
            let is_named = profile.n_words < types::limits::SUMMARY_WORDS.0
                || row(summary, class, 0) >> word & 1 == 1;
            if is_named { row(kind, class, word) } else { 0 }
        };
        let of_peer = (types::vector_kind::VECTOR_PEER, types::vector_kind::VECTOR_PEER_SUMMARY);
        let of_port = (types::vector_kind::VECTOR_PORT, types::vector_kind::VECTOR_PORT_SUMMARY);
        let words = profile.words.iter().take(profile.n_words as usize).zip(0..);
        let vector: Vec<u64> = words
            .map(|(rules, word)| {
                let peers = of_class(of_peer.0, of_peer.1, class, word) | rules.any_peer;
                peers & (of_class(of_port.0, of_port.1, port_class, word) | rules.all_ports)
            })
            .collect();
        let allows = allows(&profile, &vector);
        Some((vector, allows))
    }

    fn address_class(&self, of: IpAddr, column: u32) -> u32 {
        let key = types::address_key { address: address(of), column };
        if let Some(class) = self.entry(Table::Addresses, bytes_of(&key)).and_then(value_of) {
            return class;
        }
        (0..=128)
            .rev()
            .find_map(|length| {
                let mut bits = crate::wire::bytes_of_address(&address(of));
                for (index, byte) in (0_u32..).zip(bits.iter_mut()) {
                    let kept = length.clamp(index * 8, index * 8 + 8) - index * 8;
                    *byte &= u8::MAX.checked_shl(8 - kept).unwrap_or(0);
                }
                let key = types::network_key {
                    prefix_length: 32 + length,
                    column: column.to_be(),
                    address: address(IpAddr::from(bits)),
                };
                self.entry(Table::Networks, bytes_of(&key)).and_then(value_of)
            })
            .unwrap_or_default()
    }

    /// The kernel's array is there before it is written.
    fn port_class(&self, column: u32, protocol: u32, port: u16) -> u32 {
        let index = column * 3 + protocol;
        let array = self.entry(Table::PortClasses, &index.to_ne_bytes()).unwrap_or_default();
        let (classes, _) = array.as_chunks::<2>();
        classes.get(usize::from(port)).map_or(0, |class| u32::from(u16::from_ne_bytes(*class)))
    }
}

fn allows(profile: &types::profile, vector: &[u64]) -> bool {
    let has = |words: fn(&types::rule_word) -> u64, bit: usize| {
        profile.words.get(bit / 64).is_some_and(|word| words(word) >> (bit % 64) & 1 == 1)
    };
    let mut from = 0;
    loop {
        let matching = (from..vector.len() * 64).find(|bit| {
            vector.get(bit / 64).is_some_and(|word| word >> (bit % 64) & 1 == 1)
                && has(|word| word.enforced, *bit)
        });
        match matching {
            None => return true,
            Some(bit) if has(|word| word.passes, bit) => {
                if bit >= profile.admin_end as usize {
                    return true;
                }
                from = profile.admin_end as usize;
            }
            Some(bit) => return !has(|word| word.denies, bit),
        }
    }
}

impl Store for Memory<'_> {
    fn put(&mut self, table: Table, entries: &Batch) -> io::Result<()> {
        for (key, value) in entries.iter() {
            self.may_fail()?;
            self.tables.entry(table).or_default().insert(key.to_vec(), value.to_vec());
            self.look();
        }
        Ok(())
    }

    fn entries(&self, table: Table) -> io::Result<Batch> {
        let mut entries = Batch::default();
        for (key, value) in self.tables.get(&table).into_iter().flatten() {
            entries.entry(key, value);
        }
        Ok(entries)
    }

    fn remove(&mut self, table: Table, keys: &Batch) -> io::Result<()> {
        for key in keys.keys() {
            self.may_fail()?;
            self.tables.entry(table).or_default().remove(key);
            self.look();
        }
        Ok(())
    }

    fn policy(&self, slot: u32) -> u64 {
        self.words.get(&slot).copied().unwrap_or_default()
    }

    fn set_policy(&mut self, slot: u32, word: u64) {
        let before = self.words.insert(slot, word).unwrap_or_default();
        self.earlier_words.entry(slot).or_default().push(before);
        self.look();
    }

    fn flip(&mut self, words: &[(u32, u64)]) -> io::Result<()> {
        for (slot, word) in words {
            self.set_policy(*slot, *word);
        }
        Ok(())
    }

    fn finish_flip(&mut self, _slots: &[u32]) -> io::Result<()> {
        Ok(())
    }

    fn last_pod(&self) -> io::Result<u32> {
        Ok(self.last_pod)
    }

    fn set_last_pod(&mut self, number: u32) -> io::Result<()> {
        self.last_pod = number;
        Ok(())
    }

    fn wait_for_packets(&mut self) -> io::Result<()> {
        self.earlier_words.clear();
        Ok(())
    }
}
