//! Addresses outside the cluster as a person writes them: CIDRs, and "all but" where that is shorter.

use ipnet::{IpNet, Ipv4Subnets, Ipv6Subnets};
use net_types::{AddressRange, AddressSet, Family};
use std::net::IpAddr;

/// `outside`, `outside 203.0.113.0/24`, `outside, all IPv4 but 10.0.0.0/8, all IPv6`.
pub(crate) fn outside(set: &AddressSet) -> String {
    if *set == AddressSet::all() {
        return "outside".to_owned();
    }
    let parts: Vec<String> =
        [Family::V4, Family::V6].into_iter().filter_map(|family| of_family(set, family)).collect();
    let separator = if set.ranges().len() > 1 { ", " } else { " " };
    format!("outside{separator}{}", parts.join(", "))
}

/// The fewest CIDRs that cover exactly the set.
pub(crate) fn networks(set: &AddressSet) -> Vec<IpNet> {
    set.ranges().iter().flat_map(|range| cut(*range)).collect()
}

fn of_family(set: &AddressSet, family: Family) -> Option<String> {
    let whole: AddressSet = [match family {
        Family::V4 => AddressRange::ALL_V4,
        Family::V6 => AddressRange::ALL_V6,
    }]
    .into_iter()
    .collect();
    let inside = set.intersection(&whole);
    if inside.is_empty() {
        return None;
    }
    if inside == whole {
        return Some(format!("all {family}"));
    }
    let around = hull(&inside)?;
    let except = networks(&AddressSet::from(around).difference(&inside));
    let inside = networks(&inside);
    let list = |nets: &[IpNet]| nets.iter().map(text).collect::<Vec<_>>().join(", ");
    if except.is_empty() || except.len() + 1 >= inside.len() {
        return Some(list(&inside));
    }
    let around =
        if around.prefix_len() == 0 { format!("all {family}") } else { around.to_string() };
    Some(format!("{around} but {}", list(&except)))
}

/// The smallest CIDR around addresses of one family.
fn hull(set: &AddressSet) -> Option<IpNet> {
    let first = set.ranges().first()?.first();
    let last = set.ranges().last()?.last();
    let mut net = IpNet::from(first);
    while !net.contains(&last) {
        net = net.supernet()?;
    }
    Some(net)
}

/// A single address is written without its length.
fn text(net: &IpNet) -> String {
    if net.prefix_len() == net.max_prefix_len() { net.addr().to_string() } else { net.to_string() }
}

fn cut(range: AddressRange) -> Vec<IpNet> {
    match (range.first(), range.last()) {
        (IpAddr::V4(first), IpAddr::V4(last)) => {
            Ipv4Subnets::new(first, last, 0).map(IpNet::V4).collect()
        }
        (IpAddr::V6(first), IpAddr::V6(last)) => {
            Ipv6Subnets::new(first, last, 0).map(IpNet::V6).collect()
        }
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(nets: &[&str], except: &[&str]) -> AddressSet {
        let set = |nets: &[&str]| -> AddressSet {
            nets.iter().map(|net| AddressRange::from(net.parse::<IpNet>().unwrap())).collect()
        };
        set(nets).difference(&set(except))
    }

    #[test]
    fn the_shorter_way_is_taken() {
        assert_eq!(outside(&AddressSet::all()), "outside");
        assert_eq!(outside(&set(&["203.0.113.0/24"], &[])), "outside 203.0.113.0/24");
        assert_eq!(outside(&set(&["203.0.113.7/32"], &[])), "outside 203.0.113.7");
        assert_eq!(outside(&set(&["0.0.0.0/0"], &[])), "outside all IPv4");
        assert_eq!(
            outside(&set(&["0.0.0.0/0", "::/0"], &["10.0.0.0/8"])),
            "outside, all IPv4 but 10.0.0.0/8, all IPv6"
        );
        assert_eq!(
            outside(&set(&["10.0.0.0/24"], &["10.0.0.10/32"])),
            "outside, 10.0.0.0/24 but 10.0.0.10"
        );
        assert_eq!(
            outside(&set(&["10.0.0.0/9", "fd00::/8"], &["10.0.0.0/10"])),
            "outside, 10.64.0.0/10, fd00::/8"
        );
    }

    #[test]
    fn networks_cover_exactly_the_set() {
        let odd = set(&["0.0.0.0/0", "::/0"], &["10.0.0.1/32", "ffff::/16"]);
        let covered: AddressSet = networks(&odd).into_iter().map(AddressRange::from).collect();
        assert_eq!(covered, odd);
    }
}
