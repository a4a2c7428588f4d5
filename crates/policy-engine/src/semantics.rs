//! What the API leaves open, and which reading was taken. See `docs/design/semantics.md`.

use net_types::{AddressRange, AddressSet, Family, IpNet, Ipv4Net};
use std::fmt;
use std::net::Ipv4Addr;

/// The known forks between implementations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Semantics {
    /// The API text; where it leaves an answer open, the verdict is `undefined`.
    #[default]
    Upstream,
    /// Cilium: networks never match pods or nodes of the cluster, host-network pods are their node,
    /// and protocols without ports follow the rules that speak of all traffic.
    Cilium,
}

impl Semantics {
    pub const ALL: [Self; 2] = [Self::Upstream, Self::Cilium];
}

impl fmt::Display for Semantics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Upstream => "upstream",
            Self::Cilium => "cilium",
        })
    }
}

/// What every answer assumes; printed with every report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assumptions {
    pub semantics: Semantics,
    /// Where pods live whose address the input does not say. Not empty.
    pub pod_networks: AddressSet,
}

impl Assumptions {
    pub fn new(semantics: Semantics) -> Self {
        let private: [(Ipv4Addr, u8); 4] = [
            (Ipv4Addr::new(10, 0, 0, 0), 8),
            (Ipv4Addr::new(100, 64, 0, 0), 10),
            (Ipv4Addr::new(172, 16, 0, 0), 12),
            (Ipv4Addr::new(192, 168, 0, 0), 16),
        ];
        let pod_networks = private
            .into_iter()
            .filter_map(|(address, length)| Ipv4Net::new(address, length).ok())
            .map(|net| AddressRange::from(IpNet::V4(net)))
            .collect();
        Self { semantics, pod_networks }
    }

    /// The families in which a pod of unknown address has one.
    pub(crate) fn pod_families(&self) -> Vec<Family> {
        let mut families: Vec<Family> =
            self.pod_networks.ranges().iter().map(|range| range.family()).collect();
        families.dedup();
        families
    }
}

impl Default for Assumptions {
    fn default() -> Self {
        Self::new(Semantics::Upstream)
    }
}

/// Why a verdict is `undefined`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Reason {
    HostNetwork,
    SamePriority,
    OtherProtocol,
    DomainNames,
    AddressFamily,
    PodAddress,
    NodeLocality,
    NodeLabels,
    Hairpin,
    ServiceAddress,
    ServiceEndpoint,
}

impl Reason {
    pub const ALL: [Self; 11] = [
        Self::HostNetwork,
        Self::SamePriority,
        Self::OtherProtocol,
        Self::DomainNames,
        Self::AddressFamily,
        Self::PodAddress,
        Self::NodeLocality,
        Self::NodeLabels,
        Self::Hairpin,
        Self::ServiceAddress,
        Self::ServiceEndpoint,
    ];

    pub fn code(self) -> &'static str {
        match self {
            Self::HostNetwork => "host-network",
            Self::SamePriority => "same-priority",
            Self::OtherProtocol => "other-protocol",
            Self::DomainNames => "domain-names",
            Self::AddressFamily => "address-family",
            Self::PodAddress => "pod-address",
            Self::NodeLocality => "node-locality",
            Self::NodeLabels => "node-labels",
            Self::Hairpin => "hairpin",
            Self::ServiceAddress => "service-address",
            Self::ServiceEndpoint => "service-endpoint",
        }
    }

    /// One sentence for a person, without a full stop.
    pub fn text(self) -> &'static str {
        match self {
            Self::HostNetwork => "the API does not say how NetworkPolicy treats host-network pods",
            Self::SamePriority => "policies of the same priority disagree, and any may be applied",
            Self::OtherProtocol => "NetworkPolicy is defined for TCP, UDP and SCTP only",
            Self::DomainNames => "whether the address belongs to a domain name is not known here",
            Self::AddressFamily => "IPv4 and IPv6 give different answers; ask by address",
            Self::PodAddress => {
                "it depends on the pod's address, which the input does not say; narrow it with --pod-cidr"
            }
            Self::NodeLocality => "it depends on whether the node is the pod's own",
            Self::NodeLabels => "it depends on the labels of a node that is not in the input",
            Self::Hairpin => {
                "the API does not say whether a pod may reach itself through a Service"
            }
            Self::ServiceAddress => {
                "the API does not say whether ipBlock sees the Service's address or the pod's"
            }
            Self::ServiceEndpoint => "the Service's endpoints answer differently",
        }
    }

    const fn bit(self) -> u16 {
        1 << self as u8
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// A set of [`Reason`]s.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reasons(u16);

impl Reasons {
    pub const NONE: Self = Self(0);

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub fn contains(self, reason: Reason) -> bool {
        self.0 & reason.bit() != 0
    }

    #[must_use]
    pub fn with(self, reason: Reason) -> Self {
        Self(self.0 | reason.bit())
    }

    /// With `new` in place of `old`, if that is in the set.
    #[must_use]
    pub(crate) fn replacing(self, old: Reason, new: Reason) -> Self {
        if self.contains(old) { Self(self.0 & !old.bit()).with(new) } else { self }
    }

    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub fn iter(self) -> impl Iterator<Item = Reason> {
        Reason::ALL.into_iter().filter(move |reason| self.contains(*reason))
    }
}
