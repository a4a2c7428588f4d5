//! Entries as the kernel's programs read them: the generated types of `abi.h`, as bytes.

use super::column::Column;
use super::store::Batch;
use super::word::KernelProfile;
use crate::skeleton::types;
use crate::wire::{address, address_of, bytes_of, bytes_of_address, value_of};
use net_types::IpNet;
use policy_tables::{AddressClass, PortClass, PortTable, ProfileTable, Row, RuleWord};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};

pub(super) const MAX_WORDS: u32 = types::limits::MAX_WORDS.0;
const SUMMARY_WORDS: u32 = types::limits::SUMMARY_WORDS.0;
/// The bits of `class_and_word` that hold the word.
const WORD_BITS: u32 = 4;
/// A network's prefix begins with its column.
const COLUMN_BITS: u32 = 32;
/// ::ffff:0:0/96.
const V4_PREFIX: u32 = 96;

/// A row of a profile: of a class of addresses, or of ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum RowKey {
    Peer(u32),
    Port(u32),
}

pub(super) fn addresses(
    column: Column,
    puts: &[(&IpAddr, &AddressClass)],
    removals: &[&IpAddr],
) -> (Batch, Batch) {
    let key = |of: IpAddr| types::address_key { address: address(of), column: column.index() };
    let (mut entries, mut keys) = (Batch::default(), Batch::default());
    for (of, class) in puts {
        entries.entry(bytes_of(&key(**of)), &class.0.to_ne_bytes());
    }
    for of in removals {
        keys.key(bytes_of(&key(**of)));
    }
    (entries, keys)
}

pub(super) fn networks(
    column: Column,
    puts: &[(&IpNet, &AddressClass)],
    removals: &[&IpNet],
) -> (Batch, Batch) {
    let (mut entries, mut keys) = (Batch::default(), Batch::default());
    for (network, class) in puts {
        entries.entry(bytes_of(&network_key(column, network)), &class.0.to_ne_bytes());
    }
    for network in removals {
        keys.key(bytes_of(&network_key(column, network)));
    }
    (entries, keys)
}

/// The column comes before the address, so a prefix covers all of it; an IPv4 network lies in ::ffff:0:0/96.
fn network_key(column: Column, network: &IpNet) -> types::network_key {
    let of_family = match network {
        IpNet::V4(_) => V4_PREFIX,
        IpNet::V6(_) => 0,
    };
    types::network_key {
        prefix_length: COLUMN_BITS + of_family + u32::from(network.prefix_len()),
        column: column.index().to_be(),
        address: address(network.network()),
    }
}

/// Three arrays: TCP, UDP, SCTP.
pub(super) fn port_classes(column: Column, ports: &PortTable) -> Batch {
    let mut arrays = Batch::default();
    let n_protocols = types::port_protocol::N_PORT_PROTOCOLS.0;
    let protocols = [
        (types::port_protocol::PORTS_TCP, &ports.tcp),
        (types::port_protocol::PORTS_UDP, &ports.udp),
        (types::port_protocol::PORTS_SCTP, &ports.sctp),
    ];
    for (protocol, cells) in protocols {
        let index = column.index() * n_protocols + protocol.0;
        arrays.entry(&index.to_ne_bytes(), &of_every_port(cells));
    }
    arrays
}

fn of_every_port(cells: &[(u16, PortClass)]) -> Vec<u8> {
    let mut classes = Vec::with_capacity(2 * (usize::from(u16::MAX) + 1));
    let mut rest = cells;
    let mut class = PortClass::default();
    for port in 0..=u16::MAX {
        while let [(start, next), after @ ..] = rest
            && *start <= port
        {
            class = *next;
            rest = after;
        }
        classes.extend_from_slice(&class.0.to_ne_bytes());
    }
    classes
}

pub(super) fn rows(number: KernelProfile, rows: &[(RowKey, &Row)]) -> Batch {
    let mut entries = Batch::default();
    for (key, row) in rows {
        let mut summary = 0_u64;
        for (word, bits) in (0..).zip(row.iter()) {
            if *bits != 0 {
                summary |= 1 << word;
                entries.entry(bytes_of(&vector_key(number, *key, word)), &bits.to_ne_bytes());
            }
        }
        if row.len() >= SUMMARY_WORDS as usize {
            entries.entry(bytes_of(&summary_key(number, *key)), &summary.to_ne_bytes());
        }
    }
    entries
}

/// Which words of a row are put, a bit each.
pub(super) fn words_of(row: &Row) -> u16 {
    (0..).zip(row.iter()).fold(0, |words, (word, bits)| words | u16::from(*bits != 0) << word)
}

/// What there is of rows, by the words of each: in a profile of `n_words`.
pub(super) fn row_keys(rows: impl Iterator<Item = (KernelProfile, RowKey, u16, u32)>) -> Batch {
    let mut keys = Batch::default();
    for (number, row, words, n_words) in rows {
        for word in (0..n_words).filter(|word| words >> word & 1 == 1) {
            keys.key(bytes_of(&vector_key(number, row, word)));
        }
        if n_words >= SUMMARY_WORDS {
            keys.key(bytes_of(&summary_key(number, row)));
        }
    }
    keys
}

/// The rows that the entries of `vectors` belong to.
pub(super) fn rows_of(entries: &Batch) -> Vec<(KernelProfile, RowKey)> {
    let row = |key: &[u8]| {
        let key: types::vector_key = value_of(key)?;
        let class = key.class_and_word >> WORD_BITS;
        let row = match types::vector_kind(key.kind) {
            types::vector_kind::VECTOR_PORT | types::vector_kind::VECTOR_PORT_SUMMARY => {
                RowKey::Port(class)
            }
            _ => RowKey::Peer(class),
        };
        Some((KernelProfile(u16::try_from(key.profile).ok()?), row))
    };
    entries.iter().filter_map(|(key, _)| row(key)).collect()
}

/// What `addresses` holds of one column.
pub(super) fn addresses_of(entries: &Batch, column: Column) -> BTreeMap<IpAddr, AddressClass> {
    let entry = |(key, class): (&[u8], &[u8])| {
        let key: types::address_key = value_of(key)?;
        let class: u32 = value_of(class)?;
        (key.column == column.index()).then(|| (address_of(&key.address), AddressClass(class)))
    };
    entries.iter().filter_map(entry).collect()
}

/// What `networks` holds of one column.
pub(super) fn networks_of(entries: &Batch, column: Column) -> BTreeMap<IpNet, AddressClass> {
    let entry = |(key, class): (&[u8], &[u8])| {
        let key: types::network_key = value_of(key)?;
        let class: u32 = value_of(class)?;
        if u32::from_be(key.column) != column.index() {
            return None;
        }
        let of = Ipv6Addr::from(bytes_of_address(&key.address));
        let length = key.prefix_length.checked_sub(COLUMN_BITS)?;
        let network = match of.to_ipv4_mapped() {
            Some(v4) if length >= V4_PREFIX => {
                IpNet::new(v4.into(), u8::try_from(length - V4_PREFIX).ok()?)
            }
            Some(_) | None => IpNet::new(of.into(), u8::try_from(length).ok()?),
        };
        Some((network.ok()?, AddressClass(class)))
    };
    entries.iter().filter_map(entry).collect()
}

fn vector_key(number: KernelProfile, row: RowKey, word: u32) -> types::vector_key {
    let (kind, class) = match row {
        RowKey::Peer(class) => (types::vector_kind::VECTOR_PEER, class),
        RowKey::Port(class) => (types::vector_kind::VECTOR_PORT, class),
    };
    types::vector_key {
        profile: u32::from(number.0),
        class_and_word: class << WORD_BITS | word,
        kind: kind.0,
    }
}

fn summary_key(number: KernelProfile, row: RowKey) -> types::vector_key {
    let kind = match row {
        RowKey::Peer(_) => types::vector_kind::VECTOR_PEER_SUMMARY,
        RowKey::Port(_) => types::vector_kind::VECTOR_PORT_SUMMARY,
    };
    types::vector_key { kind: kind.0, ..vector_key(number, row, 0) }
}

pub(super) fn profile(number: KernelProfile, table: &ProfileTable) -> Batch {
    let bound = |rule: usize| u32::try_from(rule).unwrap_or_default();
    let mut record = types::profile {
        n_words: bound(table.words().len()),
        admin_end: bound(table.admin_end()),
        baseline_start: bound(table.baseline_start()),
        flags: types::profile_flags::PROFILE_WRITTEN.0,
        ..types::profile::default()
    };
    for (slot, word) in record.words.iter_mut().zip(table.words()) {
        *slot = rule_word(word);
    }
    one(number, &record)
}

fn rule_word(word: &RuleWord) -> types::rule_word {
    let RuleWord { any_peer, all_ports, enforced, observed, staged, denies, passes } = *word;
    types::rule_word {
        any_peer,
        all_ports,
        enforced,
        observed,
        staged,
        denies,
        passes,
        reserved: 0,
    }
}

/// One rule, which matches everything and denies.
pub(super) fn deny_everything(number: KernelProfile) -> Batch {
    let mut record = types::profile {
        n_words: 1,
        baseline_start: 1,
        flags: types::profile_flags::PROFILE_WRITTEN.0,
        ..types::profile::default()
    };
    let all = RuleWord { any_peer: 1, all_ports: 1, enforced: 1, denies: 1, ..RuleWord::default() };
    if let Some(first) = record.words.first_mut() {
        *first = rule_word(&all);
    }
    one(number, &record)
}

fn one(number: KernelProfile, record: &types::profile) -> Batch {
    let mut entry = Batch::default();
    entry.entry(&u32::from(number.0).to_ne_bytes(), bytes_of(record));
    entry
}

const _: () = assert!(MAX_WORDS <= u16::BITS, "a row has a bit for each word");
const _: () = assert!(MAX_WORDS <= 1 << WORD_BITS, "a word's number fits beside the class");
