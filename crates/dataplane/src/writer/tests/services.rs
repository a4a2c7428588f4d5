//! Services are written by difference, also over what another process or a failed write left.

use super::memory::Memory;
use crate::writer::{Services, ServicesError, Table};
use net_types::Protocol;
use std::collections::BTreeSet;
use std::net::IpAddr;

fn services(ports: &[u16]) -> BTreeSet<(IpAddr, Protocol, u16)> {
    ports.iter().map(|port| (IpAddr::from([10, 96, 0, 1]), Protocol::Tcp, *port)).collect()
}

#[test]
fn only_what_differs_is_written() {
    let mut memory = Memory::default();
    let mut first = Services::default();
    assert_eq!(
        first.write(&mut memory, &services(&[80, 443])).unwrap(),
        3,
        "and the address itself"
    );
    assert_eq!(first.write(&mut memory, &services(&[80, 443])).unwrap(), 0);
    let mut next = Services::default();
    assert_eq!(next.write(&mut memory, &services(&[443, 53, 54])).unwrap(), 3);
    assert_eq!(memory.n_entries(Table::Services), 4);
    assert_eq!(next.write(&mut memory, &services(&[])).unwrap(), 4);
    assert_eq!(memory.n_entries(Table::Services), 0);
}

#[test]
fn a_write_that_failed_in_the_middle_is_made_good_by_the_next() {
    let mut memory = Memory::default();
    let mut of_node = Services::default();
    memory.fail_after = Some(2);
    let error = of_node.write(&mut memory, &services(&[1, 2, 3])).unwrap_err();
    assert!(error.to_string().contains("until a change succeeds"), "{error}");
    assert_eq!(memory.n_entries(Table::Services), 2);
    of_node.write(&mut memory, &services(&[2, 3, 4])).unwrap();
    assert_eq!(memory.n_entries(Table::Services), 4);
    assert_eq!(of_node.write(&mut memory, &services(&[2, 3, 4])).unwrap(), 0);
}

#[test]
fn a_protocol_without_ports_is_refused_before_anything_changes() {
    let mut memory = Memory::default();
    let mut wanted = services(&[80]);
    wanted.insert((IpAddr::from([10, 96, 0, 1]), Protocol::Other(1), 0));
    let error = Services::default().write(&mut memory, &wanted).unwrap_err();
    assert!(matches!(error, ServicesError::NoPorts { .. }), "{error}");
    assert_eq!(memory.n_entries(Table::Services), 0);
}
