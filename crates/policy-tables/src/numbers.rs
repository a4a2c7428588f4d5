//! Numbers for meanings: they stay as long as the meaning is in use, and come back late.

use rustc_hash::FxHashSet;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// What all rules of all local pods tell of an address. 0: no rule names it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AddressClass(pub u32);

/// What all rules of all local pods tell of a protocol and a port. 0: no rule names it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortClass(pub u16);

/// The rules of some pods in one direction. The kernel reads 0 as "not written yet", so no profile
/// has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProfileId(pub u16);

/// Something that rules can tell of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct FeatureNumber(u32);

impl ProfileId {
    /// In every [`Tables`](crate::Tables), from the start.
    pub const DENY_EVERYTHING: Self = Self(1);
}

impl fmt::Display for ProfileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

pub(crate) trait Number: Copy + Ord {
    const FIRST: u32;
    const LAST: u32;
    /// How many may be in use at once.
    const MOST: usize;
    fn new(number: u32) -> Option<Self>;
    fn number(self) -> u32;
}

impl Number for AddressClass {
    const FIRST: u32 = 1;
    /// The kernel's keys have 28 bits for it.
    const LAST: u32 = (1 << 28) - 1;
    const MOST: usize = 65_535;

    fn new(number: u32) -> Option<Self> {
        Some(Self(number))
    }

    fn number(self) -> u32 {
        self.0
    }
}

impl Number for PortClass {
    const FIRST: u32 = 1;
    const LAST: u32 = 65_535;
    const MOST: usize = 65_535;

    fn new(number: u32) -> Option<Self> {
        u16::try_from(number).ok().map(Self)
    }

    fn number(self) -> u32 {
        self.0.into()
    }
}

impl Number for ProfileId {
    /// Behind [`ProfileId::DENY_EVERYTHING`].
    const FIRST: u32 = 2;
    const LAST: u32 = 65_535;
    const MOST: usize = 65_534;

    fn new(number: u32) -> Option<Self> {
        u16::try_from(number).ok().map(Self)
    }

    fn number(self) -> u32 {
        self.0.into()
    }
}

impl Number for FeatureNumber {
    const FIRST: u32 = 0;
    const LAST: u32 = u32::MAX;
    const MOST: usize = usize::MAX;

    fn new(number: u32) -> Option<Self> {
        Some(Self(number))
    }

    fn number(self) -> u32 {
        self.0
    }
}

/// Each meaning in use, with its number.
#[derive(Clone, Debug)]
pub(crate) struct Numbers<K, N> {
    of: BTreeMap<K, N>,
    /// Where the search for a free number starts, so that numbers come back late.
    next: u32,
}

impl<K: Ord + Clone, N: Number> Numbers<K, N> {
    /// Meanings that `previous` has keep their number; others get one that it does not use. `None`
    /// if there are not enough.
    pub(crate) fn anew(previous: Option<&Self>, wanted: BTreeSet<K>) -> Option<Self> {
        if wanted.len() > N::MOST {
            return None;
        }
        let mut numbers =
            Self { of: BTreeMap::new(), next: previous.map_or(N::FIRST, |previous| previous.next) };
        let mut fresh = Vec::new();
        for key in wanted {
            match previous.and_then(|previous| previous.of.get_key_value(&key)) {
                Some((known, number)) => {
                    numbers.of.insert(known.clone(), *number);
                }
                None => fresh.push(key),
            }
        }
        if fresh.is_empty() {
            return Some(numbers);
        }
        let mut taken: FxHashSet<u32> = previous
            .into_iter()
            .flat_map(|previous| previous.of.values().map(|number| number.number()))
            .collect();
        for key in fresh {
            let number = numbers.free(&mut taken)?;
            numbers.of.insert(key, number);
        }
        Some(numbers)
    }

    fn free(&mut self, taken: &mut FxHashSet<u32>) -> Option<N> {
        let start = self.next;
        loop {
            let number = self.next;
            self.next = if number == N::LAST { N::FIRST } else { number + 1 };
            if taken.insert(number) {
                return N::new(number);
            }
            if self.next == start {
                return None;
            }
        }
    }

    pub(crate) fn number<Q: Ord + ?Sized>(&self, key: &Q) -> Option<N>
    where
        K: std::borrow::Borrow<Q>,
    {
        self.of.get(key).copied()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, N)> {
        self.of.iter().map(|(key, number)| (key, *number))
    }

    pub(crate) fn len(&self) -> usize {
        self.of.len()
    }
}

/// Classes: each is a sorted set of members, and the empty one is not numbered.
pub(crate) type Classes<M, N> = Numbers<Vec<M>, N>;

/// What one build's classes have that those of the build before have not, and the other way round.
#[derive(Debug)]
pub(crate) struct ClassChanges<'a, M, N> {
    pub(crate) added: Vec<(&'a [M], N)>,
    pub(crate) removed: Vec<N>,
}

impl<M: Ord + Clone, N: Number> Classes<M, N> {
    pub(crate) fn changes<'a>(&'a self, previous: &Self) -> ClassChanges<'a, M, N> {
        let added = self.iter().filter(|(key, _)| previous.number(key.as_slice()).is_none());
        let removed = previous.iter().filter(|(key, _)| self.number(key.as_slice()).is_none());
        ClassChanges {
            added: added.map(|(key, number)| (key.as_slice(), number)).collect(),
            removed: removed.map(|(_, number)| number).collect(),
        }
    }

    /// The classes that have each member.
    pub(crate) fn by_member(&self) -> BTreeMap<M, Vec<N>> {
        let mut by_member: BTreeMap<M, Vec<N>> = BTreeMap::new();
        for (key, number) in self.iter() {
            for member in key {
                by_member.entry(member.clone()).or_default().push(number);
            }
        }
        by_member
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profiles(
        previous: Option<&Numbers<u32, ProfileId>>,
        wanted: &[u32],
    ) -> Numbers<u32, ProfileId> {
        Numbers::anew(previous, wanted.iter().copied().collect()).unwrap()
    }

    #[test]
    fn a_meaning_keeps_its_number_and_a_freed_number_comes_back_late() {
        let first = profiles(None, &[10, 20]);
        let second = profiles(Some(&first), &[20, 30]);
        assert_eq!(second.number(&20), first.number(&20));
        assert_eq!(second.number(&30), Some(ProfileId(4)));
        let third = profiles(Some(&second), &[30, 40]);
        assert_eq!(third.number(&40), Some(ProfileId(5)));
    }

    #[test]
    fn the_search_wraps_around_and_leaves_out_what_was_in_use() {
        let mut numbers = profiles(None, &[1]);
        numbers.next = 65_535;
        let after = profiles(Some(&numbers), &[2, 3]);
        assert_eq!(after.number(&2), Some(ProfileId(65_535)));
        assert_eq!(after.number(&3), Some(ProfileId(3)));
        let all: Vec<u32> = (0..65_534).collect();
        let full = profiles(None, &all);
        assert!(Numbers::anew(Some(&full), [70_000].into()).is_none());
        assert!(Numbers::<u32, ProfileId>::anew(None, (0..65_535).collect()).is_none());
    }
}
