//! The public addresses.

use net_types::{AddressSet, IpNet, Ipv4Net, Ipv6Net};
use std::net::{Ipv4Addr, Ipv6Addr};

/// Not globally reachable, by the IANA IPv4 Special-Purpose Address Registry (RFC 6890), and multicast.
const NOT_PUBLIC_V4: [([u8; 4], u8); 14] = [
    ([0, 0, 0, 0], 8),
    ([10, 0, 0, 0], 8),
    ([100, 64, 0, 0], 10),
    ([127, 0, 0, 0], 8),
    ([169, 254, 0, 0], 16),
    ([172, 16, 0, 0], 12),
    ([192, 0, 0, 0], 24),
    ([192, 0, 2, 0], 24),
    ([192, 168, 0, 0], 16),
    ([198, 18, 0, 0], 15),
    ([198, 51, 100, 0], 24),
    ([203, 0, 113, 0], 24),
    ([224, 0, 0, 0], 4),
    ([240, 0, 0, 0], 4),
];

/// Global unicast (RFC 4291 §2.4 as IANA allocates it).
const PUBLIC_V6: ([u16; 8], u8) = ([0x2000, 0, 0, 0, 0, 0, 0, 0], 3);

/// Parts of it that are not globally reachable: protocol assignments and documentation.
const NOT_PUBLIC_V6: [([u16; 8], u8); 3] = [
    ([0x2001, 0, 0, 0, 0, 0, 0, 0], 23),
    ([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32),
    ([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20),
];

/// Every public unicast address, IPv4 and IPv6.
pub(super) fn addresses() -> AddressSet {
    let v4 = |(octets, length)| net_v4(Ipv4Addr::from(octets), length);
    let v6 = |(segments, length)| net_v6(Ipv6Addr::from(segments), length);
    let public: AddressSet = [v4(([0, 0, 0, 0], 0)), v6(PUBLIC_V6)].into_iter().flatten().collect();
    let not_public: AddressSet = NOT_PUBLIC_V4
        .into_iter()
        .map(v4)
        .chain(NOT_PUBLIC_V6.into_iter().map(v6))
        .flatten()
        .collect();
    public.difference(&not_public)
}

fn net_v4(address: Ipv4Addr, length: u8) -> Option<net_types::AddressRange> {
    Ipv4Net::new(address, length).ok().map(|net| IpNet::V4(net).into())
}

fn net_v6(address: Ipv6Addr, length: u8) -> Option<net_types::AddressRange> {
    Ipv6Net::new(address, length).ok().map(|net| IpNet::V6(net).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_public_addresses_only() {
        let internet = addresses();
        for public in ["1.1.1.1", "9.255.255.255", "11.0.0.0", "223.255.255.255", "2606:4700::1111"]
        {
            assert!(internet.contains(public.parse().unwrap()), "{public}");
        }
        for other in [
            "10.0.0.0",
            "10.255.255.255",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "172.31.255.255",
            "192.168.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "fe80::1",
            "fd00::1",
            "ff02::1",
            "2001:db8::1",
            "::ffff:1.1.1.1",
        ] {
            assert!(!internet.contains(other.parse().unwrap()), "{other}");
        }
    }
}
