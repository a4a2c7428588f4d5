//! Ports and sets of ports.
//!
//! Port 0 is no port (RFC 6335 §6 reserves it), so a full set is 1 to 65535.

use std::fmt;

/// Inclusive, `first <= last`, both at least 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortRange {
    first: u16,
    last: u16,
}

impl PortRange {
    pub const ALL: Self = Self { first: 1, last: u16::MAX };

    /// `None` if `first` is 0 or above `last`.
    pub fn new(first: u16, last: u16) -> Option<Self> {
        (first >= 1 && first <= last).then_some(Self { first, last })
    }

    /// `None` for port 0.
    pub fn single(port: u16) -> Option<Self> {
        Self::new(port, port)
    }

    pub fn first(self) -> u16 {
        self.first
    }

    pub fn last(self) -> u16 {
        self.last
    }

    pub fn contains(self, port: u16) -> bool {
        self.first <= port && port <= self.last
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            write!(f, "{}", self.first)
        } else {
            write!(f, "{}-{}", self.first, self.last)
        }
    }
}

/// A set of ports as sorted ranges with a gap of at least one port between neighbours.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortSet {
    ranges: Vec<PortRange>,
}

impl PortSet {
    pub const EMPTY: Self = Self { ranges: Vec::new() };

    pub fn all() -> Self {
        Self { ranges: vec![PortRange::ALL] }
    }

    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    pub fn is_all(&self) -> bool {
        self.ranges == [PortRange::ALL]
    }

    pub fn ranges(&self) -> &[PortRange] {
        &self.ranges
    }

    pub fn contains(&self, port: u16) -> bool {
        let after = self.ranges.partition_point(|range| range.last < port);
        self.ranges.get(after).is_some_and(|range| range.contains(port))
    }

    /// Number of ports in the set.
    pub fn n_ports(&self) -> u32 {
        self.ranges.iter().map(|range| u32::from(range.last - range.first) + 1).sum()
    }

    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        if other.is_empty() {
            return self.clone();
        }
        self.ranges.iter().chain(&other.ranges).copied().collect()
    }

    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let mut ranges = Vec::new();
        let (mut left, mut right) = (self.ranges.iter().peekable(), other.ranges.iter().peekable());
        while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
            ranges.extend(PortRange::new(a.first.max(b.first), a.last.min(b.last)));
            if a.last <= b.last {
                left.next();
            } else {
                right.next();
            }
        }
        Self { ranges }
    }

    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        self.intersection(&other.complement())
    }

    #[must_use]
    pub fn complement(&self) -> Self {
        let mut ranges = Vec::new();
        let mut next = Some(1);
        for range in &self.ranges {
            if let Some(first) = next.filter(|first| *first < range.first) {
                ranges.extend(PortRange::new(first, range.first - 1));
            }
            next = range.last.checked_add(1);
        }
        ranges.extend(next.and_then(|first| PortRange::new(first, u16::MAX)));
        Self { ranges }
    }
}

impl FromIterator<PortRange> for PortSet {
    fn from_iter<I: IntoIterator<Item = PortRange>>(ranges: I) -> Self {
        let mut sorted: Vec<PortRange> = ranges.into_iter().collect();
        sorted.sort_unstable();
        let mut joined: Vec<PortRange> = Vec::with_capacity(sorted.len());
        for range in sorted {
            match joined.last_mut() {
                Some(previous) if range.first <= previous.last.saturating_add(1) => {
                    previous.last = previous.last.max(range.last);
                }
                Some(_) | None => joined.push(range),
            }
        }
        Self { ranges: joined }
    }
}

impl From<PortRange> for PortSet {
    fn from(range: PortRange) -> Self {
        Self { ranges: vec![range] }
    }
}

/// `all`, `none`, or ranges joined by commas: `80,443-444`.
impl fmt::Display for PortSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_all() {
            return f.write_str("all");
        }
        if self.is_empty() {
            return f.write_str("none");
        }
        for (index, range) in self.ranges.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            write!(f, "{range}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(ranges: &[(u16, u16)]) -> PortSet {
        ranges.iter().map(|(a, b)| PortRange::new(*a, *b).unwrap()).collect()
    }

    #[test]
    fn joins_touching_and_overlapping_ranges() {
        assert_eq!(set(&[(5, 9), (1, 4), (8, 20)]), set(&[(1, 20)]));
        assert_eq!(set(&[(443, 444), (80, 80)]).to_string(), "80,443-444");
        assert_eq!(set(&[(1, 65535), (7, 7)]), PortSet::all());
    }

    #[test]
    fn algebra_agrees_with_membership() {
        let sets =
            [set(&[]), set(&[(1, 1)]), set(&[(1, 9), (20, 30)]), set(&[(9, 25), (65535, 65535)])];
        for a in &sets {
            for b in &sets {
                for port in [1, 2, 9, 10, 19, 20, 25, 26, 30, 31, 65534, 65535] {
                    let (x, y) = (a.contains(port), b.contains(port));
                    assert_eq!(a.union(b).contains(port), x || y);
                    assert_eq!(a.intersection(b).contains(port), x && y);
                    assert_eq!(a.difference(b).contains(port), x && !y);
                }
                assert_eq!(a.union(b).complement(), a.complement().intersection(&b.complement()));
            }
        }
        assert_eq!(set(&[]).complement(), PortSet::all());
        assert_eq!(PortSet::all().complement(), PortSet::EMPTY);
    }

    #[test]
    fn port_zero_is_no_port() {
        assert_eq!(PortRange::single(0), None);
        assert_eq!(PortRange::new(9, 8), None);
    }
}
