//! What the kernel says of a connection: numbers that its tables give a meaning.

use crate::{Counters, Report, Timestamp};
use net_types::Protocol;
use policy_model::Direction;
use std::net::{IpAddr, SocketAddr};

/// One report of one pod's interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    pub time: Timestamp,
    pub report: Report,
    /// The pod's number in the data plane, which is never used for another pod.
    pub pod: u32,
    /// Of the opener: egress where the pod opened the connection.
    pub side: Direction,
    pub local: IpAddr,
    pub remote: IpAddr,
    /// Zero where the protocol has none.
    pub local_port: u16,
    pub remote_port: u16,
    pub protocol: Protocol,
    pub icmp: Option<(u8, u8)>,
    /// Behind the Service that `remote` is.
    pub backend: Option<SocketAddr>,
    /// Of the pod in the opener's direction; 0 where no policy was asked.
    pub profile: u32,
    /// Every matching rule of the profile, as bits, 64 in a word.
    pub vector: Vec<u64>,
    pub verdicts: Option<SightedVerdicts>,
    pub dropped: bool,
    pub opened: Option<Timestamp>,
    pub counters: Counters,
    pub count: u32,
    /// Of the pod's word when `profile` decided; 0 where none had been written. A connection that its pod
    /// keeps through a change has the generation of that change, and the profile from before it.
    pub generation: u32,
    pub lost_before: u64,
}

/// The bits that decided; `None`: no rule did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SightedVerdicts {
    pub denied: bool,
    pub rule: Option<u16>,
    pub observed_denied: bool,
    pub observed_rule: Option<u16>,
    pub staged_denied: bool,
    pub staged_rule: Option<u16>,
}

/// What a pod's policy is in the kernel: the numbers that a [`Sighting`] of it repeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PodWord {
    /// Counted for each pod by itself: another with every change of its word.
    pub generation: u32,
    /// The kernel's numbers of the profiles.
    pub ingress: u32,
    pub egress: u32,
    /// Connections go on as they were decided when the word changes to this one.
    pub keeps_established: bool,
}

impl PodWord {
    pub fn profile(self, side: Direction) -> u32 {
        match side {
            Direction::Ingress => self.ingress,
            Direction::Egress => self.egress,
        }
    }
}
