//! All tables of a node, as one value.

use crate::address_classes::AddressClasses;
use crate::evaluate::Evaluated;
use crate::features::Features;
use crate::groups::Groups;
use crate::modes::Modes;
use crate::numbers::{AddressClass, Numbers, PortClass, ProfileId};
use crate::port_classes::PortClasses;
use crate::problem::Problem;
use crate::profile::ProfileTable;
use crate::rule_set::RuleSet;
use net_types::{IpNet, Protocol};
use policy_engine::{PodId, Program};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

/// A pod of this node whose interface is enforced. It is not on the host network, which has no
/// interface of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LocalPod {
    pub pod: PodId,
}

/// The profiles of one pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PodTables {
    pub ingress: ProfileId,
    pub egress: ProfileId,
}

/// Classes of ports: from each start up to the next; the first start is 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortTable {
    pub tcp: Vec<(u16, PortClass)>,
    pub udp: Vec<(u16, PortClass)>,
    pub sctp: Vec<(u16, PortClass)>,
}

impl PortTable {
    /// `None` for a protocol without ports.
    pub fn of(&self, protocol: Protocol) -> Option<&[(u16, PortClass)]> {
        match protocol {
            Protocol::Tcp => Some(&self.tcp),
            Protocol::Udp => Some(&self.udp),
            Protocol::Sctp => Some(&self.sctp),
            Protocol::Other(_) => None,
        }
    }

    pub fn class(&self, protocol: Protocol, port: u16) -> PortClass {
        let cells = self.of(protocol).unwrap_or_default();
        let after = cells.partition_point(|(start, _)| *start <= port);
        let cell = after.checked_sub(1).and_then(|at| cells.get(at));
        cell.map(|(_, class)| *class).unwrap_or_default()
    }
}

/// Everything that the kernel holds of policies.
#[derive(Clone, Debug)]
pub struct Tables {
    pub(crate) features: Features,
    pub(crate) classes: Arc<AddressClasses>,
    pub(crate) ports: PortClasses,
    pub(crate) groups: Groups,
    pub(crate) modes: Modes,
    pub(crate) ids: Numbers<Arc<RuleSet>, ProfileId>,
    pub(crate) profiles: BTreeMap<ProfileId, Arc<ProfileTable>>,
    pub(crate) pods: BTreeMap<PodId, PodTables>,
    pub(crate) problems: Vec<Problem>,
}

impl Tables {
    /// The tables for these pods. With the tables that are in force as `previous`, what means the
    /// same keeps its number, and only what changed is computed again.
    pub fn build(
        program: &Program,
        locals: &[LocalPod],
        modes: &Modes,
        previous: Option<&Self>,
    ) -> Self {
        crate::build::build(program, locals, modes, previous)
    }

    /// Addresses of pods and nodes, all of them; shared by tables one after the other in which they are the
    /// same.
    pub fn addresses(&self) -> &Arc<BTreeMap<IpAddr, AddressClass>> {
        &self.classes.addresses
    }

    /// For addresses that are not in [`Self::addresses`]: the longest prefix counts. Also as IPv4
    /// within IPv6, no prefix of one family is the longest of an address of the other. Shared likewise.
    pub fn networks(&self) -> &Arc<BTreeMap<IpNet, AddressClass>> {
        &self.classes.networks
    }

    pub fn port_classes(&self) -> &PortTable {
        &self.ports.table
    }

    /// Those of the pods, and `deny everything`.
    pub fn profiles(&self) -> &BTreeMap<ProfileId, Arc<ProfileTable>> {
        &self.profiles
    }

    /// All local pods but those on the host network.
    pub fn pods(&self) -> &BTreeMap<PodId, PodTables> {
        &self.pods
    }

    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// The class of an address: its own, else that of the longest prefix, else 0.
    pub fn address_class(&self, address: IpAddr) -> AddressClass {
        if let Some(class) = self.addresses().get(&address) {
            return *class;
        }
        let whole = IpNet::from(address);
        let prefixes = std::iter::successors(Some(whole), IpNet::supernet);
        prefixes
            .filter_map(|prefix| self.networks().get(&prefix))
            .next()
            .copied()
            .unwrap_or_default()
    }

    /// What the kernel answers about a packet that opens a connection: `peer` is the other end, `port`
    /// the destination's. `None` for a profile that is not there, which the kernel denies as a defect.
    pub fn evaluate(
        &self,
        profile: ProfileId,
        peer: IpAddr,
        protocol: Protocol,
        port: u16,
    ) -> Option<Evaluated> {
        let table = self.profiles.get(&profile)?;
        let port_class = self.ports.table.class(protocol, port);
        Some(table.evaluate(self.address_class(peer), port_class))
    }
}
