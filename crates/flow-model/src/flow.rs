//! One report about one connection.

use crate::{Cause, End, RuleMention, Trace};
use net_types::Protocol;
use policy_model::Direction;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// Nanoseconds since 1970 in UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub u64);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    pub time: Timestamp,
    pub report: Report,
    pub observer: Observer,
    /// Opened the connection.
    pub source: End,
    pub destination: End,
    pub protocol: Protocol,
    /// Type and code, of ICMP and ICMPv6.
    pub icmp: Option<(u8, u8)>,
    /// What the source asked for, where that was a Service.
    pub service: Option<ServiceHop>,
    /// Of the enforced policies, on the observer's side; `None` where none was asked: the packet was refused.
    pub decision: Option<Trace>,
    /// With the observed policies too; `None` where there are none.
    pub observed: Option<Trace>,
    /// With the staged policies too; `None` where there are none.
    pub staged: Option<Trace>,
    /// Every rule that matched, in deciding order.
    pub matched: Vec<Arc<RuleMention>>,
    /// The packet did not pass.
    pub dropped: bool,
    pub opened: Option<Timestamp>,
    /// `None` where the reporter does not count.
    pub counters: Option<Counters>,
    /// Packets that a denial or refusal stands for; 1 otherwise.
    pub count: u32,
    /// Numbers the tables that decided, on the observer's node; `None` where they are not known.
    pub epoch: Option<u64>,
    /// Reports of the same node that were lost since its last one.
    pub lost_before: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Report {
    Opened,
    Active,
    Closed,
    Denied,
    Revoked,
    Refused(Cause),
}

impl Report {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Active => "active",
            Self::Closed => "closed",
            Self::Denied => "denied",
            Self::Revoked => "revoked",
            Self::Refused(_) => "refused",
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The data plane at one pod's interface. It decided this side of the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observer {
    pub node: Arc<str>,
    /// Egress: the observer's pod is the source.
    pub side: Direction,
}

/// A Service's address and port before translation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceHop {
    pub address: IpAddr,
    pub port: u16,
    /// `namespace/name`, where known.
    pub name: Option<Arc<str>>,
}

/// What went from the source to the destination, and back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    pub packets_forward: u64,
    pub packets_back: u64,
    /// Of the network layer and above.
    pub bytes_forward: u64,
    pub bytes_back: u64,
    /// All TCP flags seen, as in the header's 14th byte.
    pub tcp_flags_forward: u8,
    pub tcp_flags_back: u8,
}
