//! Labels, selectors, networks and ports.

use super::alphabet::{LABELS, PORT_NAMES, PORTS, blocks, name_of};
use net_types::{IpNet, PortRange, Protocol};
use policy_model::{LabelSelector, Labels, Network, Operator, Requirement};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use proptest::sample::select;

fn label() -> impl Strategy<Value = (&'static str, &'static str)> {
    select(&LABELS[..]).prop_flat_map(|(key, values)| (Just(key), select(values.to_vec())))
}

pub(super) fn labels() -> impl Strategy<Value = Labels> {
    vec(label(), 0..=2).prop_map(|pairs| pairs.into_iter().collect())
}

fn requirement() -> impl Strategy<Value = Requirement> {
    select(&LABELS[..]).prop_flat_map(|(key, values)| {
        let chosen =
            || btree_set(select(values.to_vec()).prop_map(str::to_owned), 1..=values.len());
        let operator = prop_oneof![
            4 => chosen().prop_map(Operator::In),
            2 => chosen().prop_map(Operator::NotIn),
            1 => Just(Operator::Exists),
            1 => Just(Operator::DoesNotExist),
        ];
        operator.prop_map(move |operator| Requirement { key: key.to_owned(), operator })
    })
}

pub(super) fn selector() -> impl Strategy<Value = LabelSelector> {
    prop_oneof![
        4 => Just(LabelSelector::EVERYTHING),
        4 => requirement().prop_map(|requirement| [requirement].into_iter().collect()),
        1 => vec(requirement(), 2).prop_map(|requirements| requirements.into_iter().collect()),
    ]
}

pub(super) fn block() -> impl Strategy<Value = IpNet> {
    select(blocks())
}

/// Each exception lies inside the block and is smaller than it, as the API wants it.
pub(super) fn network() -> impl Strategy<Value = Network> {
    (block(), vec(block(), 0..=4)).prop_map(|(block, others)| {
        let mut except: Vec<IpNet> =
            others.into_iter().filter(|other| block.contains(other) && *other != block).collect();
        except.dedup();
        Network { block, except }
    })
}

pub(super) fn protocol() -> impl Strategy<Value = Protocol> {
    prop_oneof![3 => Just(Protocol::Tcp), 2 => Just(Protocol::Udp), 1 => Just(Protocol::Sctp)]
}

pub(super) fn port_number() -> impl Strategy<Value = u16> {
    select(&PORTS[..])
}

pub(super) fn port_name() -> impl Strategy<Value = String> {
    name_of(&PORT_NAMES)
}

/// One port, some ports, or all of them.
pub(super) fn port_range() -> impl Strategy<Value = PortRange> {
    prop_oneof![
        4 => (port_number(), Just(0)),
        2 => (port_number(), 1_u16..=30),
        1 => Just((1, u16::MAX - 1)),
    ]
    .prop_map(|(first, more)| PortRange::new(first, first + more).unwrap_or(PortRange::ALL))
}
