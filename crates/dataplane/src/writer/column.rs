//! Tables that stand twice: a pod's word says which of the two columns its packets read.
//!
//! The columns share maps, not entries. A change is written to the column that no packet reads, so that no
//! entry that a packet may hold is ever replaced; then the pods flip.

use std::collections::BTreeMap;

/// One of the two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Column {
    #[default]
    First,
    Second,
}

impl Column {
    pub(crate) fn other(self) -> Self {
        match self {
            Self::First => Self::Second,
            Self::Second => Self::First,
        }
    }

    pub(crate) fn index(self) -> u32 {
        match self {
            Self::First => 0,
            Self::Second => 1,
        }
    }
}

/// What has to be written and removed so that `known` becomes `wanted`.
pub(crate) fn difference<'a, K: Ord, V: PartialEq>(
    known: &'a BTreeMap<K, V>,
    wanted: &'a BTreeMap<K, V>,
) -> (Vec<(&'a K, &'a V)>, Vec<&'a K>) {
    let puts = wanted.iter().filter(|(key, value)| known.get(key) != Some(value)).collect();
    let removals = known.keys().filter(|key| !wanted.contains_key(key)).collect();
    (puts, removals)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_written() {
        let known = BTreeMap::from([("a", 1), ("b", 2), ("c", 3)]);
        let wanted = BTreeMap::from([("a", 1), ("b", 7), ("d", 4)]);
        let (puts, removals) = difference(&known, &wanted);
        assert_eq!(puts, [(&"b", &7), (&"d", &4)]);
        assert_eq!(removals, [&"c"]);
    }
}
