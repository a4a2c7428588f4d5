//! CIDR atoms: the address space cut where blocks begin and end, each piece with all blocks that
//! contain it.

use net_types::{AddressRange, AddressSet, Family};
use rustc_hash::FxHashMap;
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A partition of both address families. Every address has exactly one atom; neighbouring atoms
/// differ in their blocks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Atoms {
    v4: Vec<Cell>,
    v6: Vec<Cell>,
    /// Sorted indices of the blocks that an atom lies in. Set 0 is the empty set.
    sets: Vec<Vec<usize>>,
}

/// From `start` to the next cell's start, as a number in the family's own width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cell {
    start: u128,
    set: usize,
}

impl Atoms {
    /// `blocks[i]` is known by its index `i` in the resulting sets.
    pub(crate) fn cut(blocks: &[AddressSet]) -> Self {
        let mut sets = SetTable::default();
        sets.id(&BTreeSet::new());
        let v4 = sweep(blocks, Family::V4, &mut sets);
        let v6 = sweep(blocks, Family::V6, &mut sets);
        Self { v4, v6, sets: sets.sets }
    }

    /// The set of blocks that contain the address: an index into [`Self::sets`].
    pub(crate) fn set_of(&self, address: IpAddr) -> usize {
        let (cells, bits) = match address {
            IpAddr::V4(v4) => (&self.v4, u128::from(v4.to_bits())),
            IpAddr::V6(v6) => (&self.v6, v6.to_bits()),
        };
        let after = cells.partition_point(|cell| cell.start <= bits);
        after.checked_sub(1).and_then(|at| cells.get(at)).map_or(0, |cell| cell.set)
    }

    pub(crate) fn sets(&self) -> &[Vec<usize>] {
        &self.sets
    }

    /// All atoms of a family in ascending order, with their sets.
    pub(crate) fn ranges(&self, family: Family) -> impl Iterator<Item = (AddressRange, usize)> {
        let (cells, last) = match family {
            Family::V4 => (&self.v4, u128::from(u32::MAX)),
            Family::V6 => (&self.v6, u128::MAX),
        };
        cells.iter().enumerate().filter_map(move |(index, cell)| {
            let end = cells.get(index + 1).map_or(last, |next| next.start - 1);
            AddressRange::new(address(family, cell.start), address(family, end))
                .map(|range| (range, cell.set))
        })
    }
}

#[derive(Default)]
struct SetTable {
    sets: Vec<Vec<usize>>,
    ids: FxHashMap<Vec<usize>, usize>,
}

impl SetTable {
    fn id(&mut self, active: &BTreeSet<usize>) -> usize {
        let key: Vec<usize> = active.iter().copied().collect();
        *self.ids.entry(key).or_insert_with_key(|key| {
            self.sets.push(key.clone());
            self.sets.len() - 1
        })
    }
}

fn sweep(blocks: &[AddressSet], family: Family, sets: &mut SetTable) -> Vec<Cell> {
    let mut edges: Vec<(u128, usize)> = Vec::new();
    for (index, block) in blocks.iter().enumerate() {
        for range in block.ranges().iter().filter(|range| range.family() == family) {
            edges.push((number(range.first()), index));
            edges.extend(number(range.last()).checked_add(1).map(|end| (end, index)));
        }
    }
    edges.sort_unstable();
    let beyond = match family {
        Family::V4 => u128::from(u32::MAX) + 1,
        Family::V6 => u128::MAX,
    };
    let mut active = BTreeSet::new();
    let mut cells = vec![Cell { start: 0, set: 0 }];
    for group in edges.chunk_by(|a, b| a.0 == b.0) {
        // Ranges of one block never touch, so an edge either opens or closes its block.
        for (_, index) in group {
            if !active.remove(index) {
                active.insert(*index);
            }
        }
        let Some(start) = group.first().map(|edge| edge.0) else { continue };
        if family == Family::V4 && start >= beyond {
            continue;
        }
        let set = sets.id(&active);
        match cells.last_mut() {
            Some(last) if last.start == start => last.set = set,
            Some(last) if last.set == set => {}
            Some(_) | None => cells.push(Cell { start, set }),
        }
    }
    cells
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(v4.to_bits()),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "cells of IPv4 start below 2^32")]
fn address(family: Family, number: u128) -> IpAddr {
    match family {
        Family::V4 => Ipv4Addr::from_bits(number as u32).into(),
        Family::V6 => Ipv6Addr::from_bits(number).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use net_types::IpNet;

    fn block(nets: &[&str], except: &[&str]) -> AddressSet {
        let set = |nets: &[&str]| -> AddressSet {
            nets.iter().map(|net| AddressRange::from(net.parse::<IpNet>().unwrap())).collect()
        };
        set(nets).difference(&set(except))
    }

    #[test]
    fn every_address_has_the_blocks_that_contain_it() {
        let blocks = [
            block(&["0.0.0.0/0"], &["10.0.0.0/8"]),
            block(&["10.1.0.0/16"], &[]),
            block(&["255.255.255.255/32", "::/0"], &["fd00::/8"]),
            block(&["10.1.0.0/16", "fd00::/8"], &["10.1.2.0/24"]),
        ];
        let atoms = Atoms::cut(&blocks);
        let probes = [
            "0.0.0.0",
            "9.255.255.255",
            "10.0.0.0",
            "10.1.0.0",
            "10.1.2.0",
            "10.1.3.0",
            "10.1.255.255",
            "10.2.0.0",
            "11.0.0.0",
            "255.255.255.254",
            "255.255.255.255",
            "::",
            "fcff::",
            "fd00::",
            "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
            "fe00::",
            "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        ];
        for probe in probes {
            let address: IpAddr = probe.parse().unwrap();
            let expected: Vec<usize> =
                (0..blocks.len()).filter(|i| blocks[*i].contains(address)).collect();
            assert_eq!(atoms.sets()[atoms.set_of(address)], expected, "{probe}");
        }
    }

    #[test]
    fn ranges_cover_a_family_without_gaps() {
        let atoms = Atoms::cut(&[block(&["10.0.0.0/8", "fd00::/8"], &["10.3.0.0/16"])]);
        let v4: Vec<String> =
            atoms.ranges(Family::V4).map(|(range, set)| format!("{range} {set}")).collect();
        assert_eq!(
            v4,
            [
                "0.0.0.0-9.255.255.255 0",
                "10.0.0.0-10.2.255.255 1",
                "10.3.0.0-10.3.255.255 0",
                "10.4.0.0-10.255.255.255 1",
                "11.0.0.0-255.255.255.255 0",
            ]
        );
        assert_eq!(atoms.ranges(Family::V6).count(), 3);
    }
}
