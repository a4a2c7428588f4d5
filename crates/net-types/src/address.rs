//! Address ranges and sets of them, IPv4 and IPv6 side by side.

use ipnet::IpNet;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    V4,
    V6,
}

impl Family {
    pub fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        })
    }
}

/// Inclusive; both ends of one family, `first <= last`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AddressRange {
    first: IpAddr,
    last: IpAddr,
}

impl AddressRange {
    pub const ALL_V4: Self =
        Self { first: IpAddr::V4(Ipv4Addr::UNSPECIFIED), last: IpAddr::V4(Ipv4Addr::BROADCAST) };
    pub const ALL_V6: Self = Self {
        first: IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        last: IpAddr::V6(Ipv6Addr::from_bits(u128::MAX)),
    };

    /// `None` if the families differ or `first > last`.
    pub fn new(first: IpAddr, last: IpAddr) -> Option<Self> {
        (Family::of(first) == Family::of(last) && first <= last).then_some(Self { first, last })
    }

    pub fn single(address: IpAddr) -> Self {
        Self { first: address, last: address }
    }

    pub fn first(self) -> IpAddr {
        self.first
    }

    pub fn last(self) -> IpAddr {
        self.last
    }

    pub fn family(self) -> Family {
        Family::of(self.first)
    }

    /// Never true across families: `::/0` does not contain IPv4-mapped addresses written as IPv4.
    pub fn contains(self, address: IpAddr) -> bool {
        Family::of(address) == self.family() && self.first <= address && address <= self.last
    }

    fn intersection(self, other: Self) -> Option<Self> {
        if self.family() != other.family() {
            return None;
        }
        Self::new(self.first.max(other.first), self.last.min(other.last))
    }
}

impl From<IpNet> for AddressRange {
    fn from(net: IpNet) -> Self {
        Self { first: net.network(), last: net.broadcast() }
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

/// A set of addresses as sorted ranges, IPv4 first, with a gap between neighbours.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AddressSet {
    ranges: Vec<AddressRange>,
}

impl AddressSet {
    pub const EMPTY: Self = Self { ranges: Vec::new() };

    /// Every IPv4 and every IPv6 address.
    pub fn all() -> Self {
        Self { ranges: vec![AddressRange::ALL_V4, AddressRange::ALL_V6] }
    }

    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    pub fn ranges(&self) -> &[AddressRange] {
        &self.ranges
    }

    pub fn contains(&self, address: IpAddr) -> bool {
        let after = self.ranges.partition_point(|range| range.last < address);
        self.ranges.get(after).is_some_and(|range| range.contains(address))
    }

    /// Whether any address of the range is in the set.
    pub fn overlaps(&self, range: AddressRange) -> bool {
        let after = self.ranges.partition_point(|other| other.last < range.first);
        self.ranges.get(after).is_some_and(|other| other.intersection(range).is_some())
    }

    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        self.ranges.iter().chain(&other.ranges).copied().collect()
    }

    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let mut ranges = Vec::new();
        let (mut left, mut right) = (self.ranges.iter().peekable(), other.ranges.iter().peekable());
        while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
            ranges.extend(a.intersection(**b));
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

    /// Within both families.
    #[must_use]
    pub fn complement(&self) -> Self {
        let mut ranges = Vec::new();
        for whole in [AddressRange::ALL_V4, AddressRange::ALL_V6] {
            let mut next = Some(whole.first);
            for range in self.ranges.iter().filter(|range| range.family() == whole.family()) {
                let gap_end = before(range.first);
                ranges.extend(
                    next.zip(gap_end).and_then(|(first, last)| AddressRange::new(first, last)),
                );
                next = after(range.last);
            }
            ranges.extend(next.and_then(|first| AddressRange::new(first, whole.last)));
        }
        Self { ranges }
    }
}

/// The next address of the same family.
fn after(address: IpAddr) -> Option<IpAddr> {
    match address {
        IpAddr::V4(v4) => v4.to_bits().checked_add(1).map(|bits| Ipv4Addr::from_bits(bits).into()),
        IpAddr::V6(v6) => v6.to_bits().checked_add(1).map(|bits| Ipv6Addr::from_bits(bits).into()),
    }
}

/// The previous address of the same family.
fn before(address: IpAddr) -> Option<IpAddr> {
    match address {
        IpAddr::V4(v4) => v4.to_bits().checked_sub(1).map(|bits| Ipv4Addr::from_bits(bits).into()),
        IpAddr::V6(v6) => v6.to_bits().checked_sub(1).map(|bits| Ipv6Addr::from_bits(bits).into()),
    }
}

impl FromIterator<AddressRange> for AddressSet {
    fn from_iter<I: IntoIterator<Item = AddressRange>>(ranges: I) -> Self {
        let mut sorted: Vec<AddressRange> = ranges.into_iter().collect();
        sorted.sort_unstable();
        let mut joined: Vec<AddressRange> = Vec::with_capacity(sorted.len());
        for range in sorted {
            match joined.last_mut() {
                Some(previous)
                    if previous.family() == range.family()
                        && (range.first <= previous.last
                            || after(previous.last) == Some(range.first)) =>
                {
                    previous.last = previous.last.max(range.last);
                }
                Some(_) | None => joined.push(range),
            }
        }
        Self { ranges: joined }
    }
}

impl From<IpNet> for AddressSet {
    fn from(net: IpNet) -> Self {
        Self { ranges: vec![net.into()] }
    }
}

impl fmt::Display for AddressSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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

    fn set(nets: &[&str]) -> AddressSet {
        nets.iter().map(|net| AddressRange::from(net.parse::<IpNet>().unwrap())).collect()
    }

    #[test]
    fn joins_neighbours_but_never_families() {
        assert_eq!(set(&["10.0.0.0/9", "10.128.0.0/9"]), set(&["10.0.0.0/8"]));
        assert_eq!(set(&["0.0.0.0/0", "::/0"]), AddressSet::all());
        assert_eq!(AddressSet::all().ranges().len(), 2);
    }

    #[test]
    fn difference_cuts_exactly() {
        let rest = set(&["0.0.0.0/0"]).difference(&set(&["10.0.0.0/8", "255.255.255.255/32"]));
        assert_eq!(rest.to_string(), "0.0.0.0-9.255.255.255,11.0.0.0-255.255.255.254");
        assert_eq!(AddressSet::all().complement(), AddressSet::EMPTY);
        assert_eq!(AddressSet::EMPTY.complement(), AddressSet::all());
        let v6 = set(&["::/0"]).difference(&set(&["::/1"]));
        assert_eq!(v6.to_string(), "8000::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
    }

    #[test]
    fn families_stay_apart() {
        assert!(!set(&["::/0"]).contains("10.0.0.1".parse().unwrap()));
        assert!(set(&["fd00::/8"]).contains("fd12::1".parse().unwrap()));
        assert!(!set(&["fd00::/8"]).contains("253.0.0.1".parse().unwrap()));
    }
}
