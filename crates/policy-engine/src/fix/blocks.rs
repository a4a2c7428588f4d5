//! Sets of addresses as the blocks that policies write.

use ipnet::{Ipv4Subnets, Ipv6Subnets};
use net_types::{AddressRange, AddressSet, Family, IpNet, Ipv4Net, Ipv6Net};
use policy_model::Network;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The fewest blocks that are together the set.
pub(super) fn blocks(set: &AddressSet) -> Vec<IpNet> {
    set.ranges().iter().flat_map(|range| blocks_of(*range)).collect()
}

/// The set as blocks with exceptions, where that is shorter than blocks alone.
pub(super) fn networks(set: &AddressSet) -> Vec<Network> {
    let mut networks = Vec::new();
    for family in [Family::V4, Family::V6] {
        let ranges = set.ranges().iter().copied().filter(|range| range.family() == family);
        let part: AddressSet = ranges.collect();
        let plain = blocks(&part);
        let (Some(first), Some(last)) = (part.ranges().first(), part.ranges().last()) else {
            continue;
        };
        let cover = cover(first.first(), last.last());
        let except = blocks(&AddressSet::from(cover).difference(&part));
        if plain.len() > 1 + except.len() {
            networks.push(Network { block: cover, except });
        } else {
            networks.extend(plain.into_iter().map(|block| Network { block, except: Vec::new() }));
        }
    }
    networks
}

fn blocks_of(range: AddressRange) -> Vec<IpNet> {
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

/// The smallest block that holds both.
fn cover(first: IpAddr, last: IpAddr) -> IpNet {
    match (first, last) {
        (IpAddr::V4(first), IpAddr::V4(last)) => {
            let length = (first.to_bits() ^ last.to_bits()).leading_zeros();
            let length = u8::try_from(length).unwrap_or(32);
            Ipv4Net::new(first, length).map_or_else(
                |_too_long| IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 0)),
                |net| IpNet::V4(net.trunc()),
            )
        }
        (IpAddr::V6(first), IpAddr::V6(last)) => {
            let length = (first.to_bits() ^ last.to_bits()).leading_zeros();
            let length = u8::try_from(length).unwrap_or(128);
            Ipv6Net::new(first, length).map_or_else(
                |_too_long| IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 0)),
                |net| IpNet::V6(net.trunc()),
            )
        }
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => {
            IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(nets: &[&str]) -> AddressSet {
        nets.iter().map(|net| AddressRange::from(net.parse::<IpNet>().unwrap())).collect()
    }

    #[test]
    fn networks_are_the_set_again() {
        let sets = [
            set(&["10.0.0.9/32"]),
            set(&["10.0.0.0/8", "192.168.0.0/16", "fd00::9/128"]),
            set(&["0.0.0.0/0", "2000::/3"]).difference(&set(&["10.0.0.0/8", "192.168.0.0/16"])),
            set(&["0.0.0.0/0", "::/0"]).difference(&set(&["10.1.2.3/32"])),
            AddressSet::EMPTY,
        ];
        for wanted in sets {
            let again = networks(&wanted).iter().fold(AddressSet::EMPTY, |all, network| {
                let except: AddressSet = network.except.iter().map(|net| (*net).into()).collect();
                assert!(except.difference(&network.block.into()).is_empty());
                all.union(&AddressSet::from(network.block).difference(&except))
            });
            assert_eq!(again, wanted);
        }
        let shown = networks(&set(&["0.0.0.0/0"]).difference(&set(&["10.0.0.0/8"])));
        assert_eq!(shown.len(), 1, "{shown:?}");
    }
}
