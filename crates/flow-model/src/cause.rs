//! Why a packet was dropped for another reason than a policy.

use std::fmt;

/// The order is that of the kernel program's causes behind `policy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    NoPolicyYet,
    NotOwnAddress,
    Malformed,
    Truncated,
    UnknownEthertype,
    Vlan,
    UnknownExtension,
    Fragment,
    NotConnected,
    IcmpUnrelated,
    LinkLocal,
    ConnectionsFull,
    PodQuota,
    Tables,
    ServiceUndecided,
}

impl Cause {
    pub const ALL: [Self; 15] = [
        Self::NoPolicyYet,
        Self::NotOwnAddress,
        Self::Malformed,
        Self::Truncated,
        Self::UnknownEthertype,
        Self::Vlan,
        Self::UnknownExtension,
        Self::Fragment,
        Self::NotConnected,
        Self::IcmpUnrelated,
        Self::LinkLocal,
        Self::ConnectionsFull,
        Self::PodQuota,
        Self::Tables,
        Self::ServiceUndecided,
    ];

    /// As formats and metrics write it.
    pub fn code(self) -> &'static str {
        match self {
            Self::NoPolicyYet => "no-policy-yet",
            Self::NotOwnAddress => "not-own-address",
            Self::Malformed => "malformed",
            Self::Truncated => "truncated",
            Self::UnknownEthertype => "unknown-ethertype",
            Self::Vlan => "vlan",
            Self::UnknownExtension => "unknown-extension",
            Self::Fragment => "fragment",
            Self::NotConnected => "not-connected",
            Self::IcmpUnrelated => "icmp-unrelated",
            Self::LinkLocal => "link-local",
            Self::ConnectionsFull => "connections-full",
            Self::PodQuota => "pod-quota",
            Self::Tables => "tables",
            Self::ServiceUndecided => "service-undecided",
        }
    }

    /// One sentence for a person, without a full stop.
    pub fn text(self) -> &'static str {
        match self {
            Self::NoPolicyYet => "the pod's policies are not in the kernel yet",
            Self::NotOwnAddress => "the pod sends from an address that is not its own",
            Self::Malformed => "the packet's headers contradict themselves",
            Self::Truncated => "the packet ends before its headers do",
            Self::UnknownEthertype => "the frame is neither IP nor ARP",
            Self::Vlan => "the frame has a VLAN tag",
            Self::UnknownExtension => "an IPv6 header may hide the ports",
            Self::Fragment => "a fragment without the first one, or that hides the ports",
            Self::NotConnected => "TCP of no known connection that does not open one",
            Self::IcmpUnrelated => "an ICMP error or answer that belongs to no known connection",
            Self::LinkLocal => "a router or listener message from a pod",
            Self::ConnectionsFull => "the table of connections is full",
            Self::PodQuota => "the pod has as many connections as it may have",
            Self::Tables => "the kernel's tables miss an entry, which is a defect of Weir",
            Self::ServiceUndecided => {
                "the connection to a Service was not decided behind translation"
            }
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}
