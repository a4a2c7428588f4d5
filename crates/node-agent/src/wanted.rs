//! What a node is to enforce: values, from whoever knows the cluster.

use dataplane::{Established, PodInterface, PodMode};
use finding_model::SourceFiles;
use net_types::Protocol;
use policy_engine::{PodId, Program};
use policy_tables::Modes;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

/// All that a node is to enforce from now on, instead of what it was before.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Grows with each change; flows say which one decided.
    pub epoch: u64,
    pub program: Arc<Program>,
    /// What the places of rules refer to.
    pub files: Arc<SourceFiles>,
    pub modes: Modes,
    /// The pods of this node that have an interface of their own.
    pub pods: Vec<WantedPod>,
    /// Addresses and ports that are translated on their way.
    pub services: BTreeSet<(IpAddr, Protocol, u16)>,
}

#[derive(Clone, Debug)]
pub struct WantedPod {
    pub pod: PodId,
    pub interface: PodInterface,
    pub mode: PodMode,
    pub established: Established,
}
