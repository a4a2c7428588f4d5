//! Protocols, and which protocols and ports a connection may use.

use crate::{PortRange, PortSet};
use std::fmt;
use std::str::FromStr;

/// A transport protocol of the Kubernetes API, or any other by its IANA number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    Tcp,
    Udp,
    Sctp,
    /// No ports: ICMP is 1, ICMPv6 is 58. Never 6, 17 or 132.
    Other(u8),
}

impl Protocol {
    /// The protocols that have ports, in the order in which everything prints them.
    pub const WITH_PORTS: [Self; 3] = [Self::Tcp, Self::Udp, Self::Sctp];

    pub fn has_ports(self) -> bool {
        !matches!(self, Self::Other(_))
    }

    pub fn from_number(number: u8) -> Self {
        match number {
            6 => Self::Tcp,
            17 => Self::Udp,
            132 => Self::Sctp,
            other => Self::Other(other),
        }
    }

    /// The IANA protocol number.
    pub fn number(self) -> u8 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
            Self::Sctp => 132,
            Self::Other(number) => number,
        }
    }
}

/// The API's upper-case names; other protocols as `ICMP`, `ICMPV6` or `PROTO-n`.
impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp => f.write_str("TCP"),
            Self::Udp => f.write_str("UDP"),
            Self::Sctp => f.write_str("SCTP"),
            Self::Other(1) => f.write_str("ICMP"),
            Self::Other(58) => f.write_str("ICMPV6"),
            Self::Other(number) => write!(f, "PROTO-{number}"),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownProtocol(pub String);

impl fmt::Display for UnknownProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown protocol `{}`: write tcp, udp, sctp, icmp, icmpv6 or proto-N", self.0)
    }
}

impl std::error::Error for UnknownProtocol {}

/// Accepts what [`Protocol`] displays, in any case. Manifests are stricter and do not use this.
impl FromStr for Protocol {
    type Err = UnknownProtocol;

    fn from_str(text: &str) -> Result<Self, UnknownProtocol> {
        match text.to_ascii_lowercase().as_str() {
            "tcp" => Ok(Self::Tcp),
            "udp" => Ok(Self::Udp),
            "sctp" => Ok(Self::Sctp),
            "icmp" => Ok(Self::Other(1)),
            "icmpv6" => Ok(Self::Other(58)),
            other => other
                .strip_prefix("proto-")
                .and_then(|number| number.parse().ok())
                .map(Self::from_number)
                .ok_or_else(|| UnknownProtocol(text.to_owned())),
        }
    }
}

/// A set of (protocol, destination port), and whether all other protocols belong to it as well.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Traffic {
    pub tcp: PortSet,
    pub udp: PortSet,
    pub sctp: PortSet,
    /// Every protocol without ports.
    pub other: bool,
}

impl Traffic {
    pub const NONE: Self =
        Self { tcp: PortSet::EMPTY, udp: PortSet::EMPTY, sctp: PortSet::EMPTY, other: false };

    pub fn all() -> Self {
        Self { tcp: PortSet::all(), udp: PortSet::all(), sctp: PortSet::all(), other: true }
    }

    /// Ports of a protocol that has none are taken as "all of that protocol" only by [`Self::other`].
    pub fn of(protocol: Protocol, range: PortRange) -> Self {
        let mut traffic = Self::NONE;
        match protocol {
            Protocol::Tcp => traffic.tcp = range.into(),
            Protocol::Udp => traffic.udp = range.into(),
            Protocol::Sctp => traffic.sctp = range.into(),
            Protocol::Other(_) => traffic.other = true,
        }
        traffic
    }

    /// `None` for a protocol without ports.
    pub fn ports(&self, protocol: Protocol) -> Option<&PortSet> {
        match protocol {
            Protocol::Tcp => Some(&self.tcp),
            Protocol::Udp => Some(&self.udp),
            Protocol::Sctp => Some(&self.sctp),
            Protocol::Other(_) => None,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.tcp.is_empty() && self.udp.is_empty() && self.sctp.is_empty() && !self.other
    }

    /// No port of TCP, UDP or SCTP, whatever is said of other protocols.
    pub fn has_no_ports(&self) -> bool {
        self.tcp.is_empty() && self.udp.is_empty() && self.sctp.is_empty()
    }

    /// Every port of TCP, UDP and SCTP, whatever is said of other protocols.
    pub fn has_all_ports(&self) -> bool {
        self.tcp.is_all() && self.udp.is_all() && self.sctp.is_all()
    }

    pub fn contains(&self, protocol: Protocol, port: u16) -> bool {
        self.ports(protocol).map_or(self.other, |ports| ports.contains(port))
    }

    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        self.combine(other, PortSet::union, |a, b| a || b)
    }

    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        self.combine(other, PortSet::intersection, |a, b| a && b)
    }

    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        self.combine(other, PortSet::difference, |a, b| a && !b)
    }

    fn combine(
        &self,
        other: &Self,
        ports: impl Fn(&PortSet, &PortSet) -> PortSet,
        rest: impl Fn(bool, bool) -> bool,
    ) -> Self {
        Self {
            tcp: ports(&self.tcp, &other.tcp),
            udp: ports(&self.udp, &other.udp),
            sctp: ports(&self.sctp, &other.sctp),
            other: rest(self.other, other.other),
        }
    }
}

/// `all`, `none`, or `80,443/tcp 53/udp all/sctp`; other protocols are not shown.
impl fmt::Display for Traffic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.has_all_ports() {
            return f.write_str("all");
        }
        if self.has_no_ports() {
            return f.write_str("none");
        }
        let parts = [(&self.tcp, "tcp"), (&self.udp, "udp"), (&self.sctp, "sctp")];
        let mut separator = "";
        for (ports, protocol) in parts.into_iter().filter(|(ports, _)| !ports.is_empty()) {
            write!(f, "{separator}{ports}/{protocol}")?;
            separator = " ";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocols_round_trip_through_text() {
        for protocol in (0..=u8::MAX).map(Protocol::from_number) {
            assert_eq!(protocol.to_string().parse(), Ok(protocol));
        }
        assert!("tpc".parse::<Protocol>().is_err());
    }

    #[test]
    fn prints_ports_before_protocols() {
        let mut traffic = Traffic::of(Protocol::Udp, PortRange::single(53).unwrap());
        traffic.sctp = PortSet::all();
        assert_eq!(traffic.to_string(), "53/udp all/sctp");
        assert_eq!(Traffic::all().to_string(), "all");
        assert_eq!(Traffic::NONE.to_string(), "none");
    }
}
