//! An end of a connection as rules see it, and which rules of a profile match it.

use crate::bits::RuleBits;
use crate::ids::TermId;
use crate::node_labels::NodeReading;
use crate::profile::Profile;
use crate::program::PolicySet;
use crate::semantics::Semantics;
use crate::side::locality;
use net_types::{AddressSet, Family};
use policy_model::ContainerPort;
use smallvec::SmallVec;
use std::net::IpAddr;

/// How NetworkPolicy treats host-network pods: one choice for both ends of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum HostReading {
    AsNode,
    AsPod,
}

#[derive(Clone, Debug)]
pub(crate) struct Facts<'a> {
    pub(crate) kind: EndKind,
    /// The pods terms that select it; empty for what is not a pod.
    pub(crate) terms: &'a [TermId],
    pub(crate) addresses: Addresses<'a>,
    /// The node that a pod runs on, where known.
    pub(crate) node: Option<&'a str>,
    /// How a node may be labelled that is not in the input.
    pub(crate) unknown_node: &'a [NodeReading],
    /// Of a destination that a Service picked: what the client connected to.
    pub(crate) via: Option<Via<'a>>,
    pub(crate) policies: PolicySet,
    pub(crate) served: &'a [ContainerPort],
    /// Equal ids serve equal ports.
    pub(crate) served_id: usize,
}

/// A Service's own addresses, as far as they are known, and its port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Via<'a> {
    pub(crate) addresses: &'a [IpAddr],
    pub(crate) port: u16,
    /// The Service picked the client itself.
    pub(crate) is_source: bool,
}

/// How NetworkPolicy treats a pod's connection to itself through a Service: one choice for both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Loopback {
    Filtered,
    Open,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EndKind {
    Pod,
    HostPod,
    Node,
    Outside,
}

#[derive(Clone, Debug)]
pub(crate) enum Addresses<'a> {
    One(IpAddr, Option<NodeFacts<'a>>),
    /// A pod's own, all of them; with the node of a host-network pod.
    Own(&'a [IpAddr], Option<NodeFacts<'a>>),
    /// A host-network pod on any of these nodes.
    AnyOf(Vec<(IpAddr, NodeFacts<'a>)>),
    /// A pod somewhere in the assumed pod networks; with the node of a host-network pod.
    Unknown(Option<NodeFacts<'a>>),
    /// A DNS name, and the addresses outside the cluster, of which it may have any.
    Name(&'a str, AddressSet),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NodeFacts<'a> {
    pub(crate) name: &'a str,
    /// How it may be labelled: in one way, if it is in the input.
    pub(crate) readings: &'a [NodeReading],
}

/// Rules that match an end as peer, in one reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PeerRules {
    pub(crate) certain: RuleBits,
    /// `certain`, and rules that may match.
    pub(crate) possible: RuleBits,
    /// The peer is the subject's own node.
    pub(crate) local: Locality,
    /// The rules whose blocks have the Service's address, to be met by the Service's port, in a reading
    /// in which blocks are compared before DNAT.
    pub(crate) before_dnat: Option<(RuleBits, u16)>,
    /// Not 0 where labels of a node are open: readings of the same number, which stand side by side, differ
    /// in nothing else.
    pub(crate) place: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Locality {
    Remote,
    Local,
    Unknown,
}

impl Facts<'_> {
    pub(crate) fn is_in_cluster(&self) -> bool {
        self.kind != EndKind::Outside
    }

    pub(crate) fn is_host_pod(&self) -> bool {
        self.kind == EndKind::HostPod
    }

    pub(crate) fn families(&self, unknown: &[Family]) -> SmallVec<[Family; 2]> {
        match &self.addresses {
            Addresses::One(address, _) => SmallVec::from_slice(&[Family::of(*address)]),
            Addresses::Own(addresses, _) => {
                distinct(addresses.iter().map(|address| Family::of(*address)))
            }
            Addresses::AnyOf(known) => {
                distinct(known.iter().map(|(address, _)| Family::of(*address)))
            }
            Addresses::Unknown(_) => SmallVec::from_slice(unknown),
            Addresses::Name(..) => SmallVec::from_slice(&[Family::V4, Family::V6]),
        }
    }

    /// The rules of `profile` that match this end as peer, one entry for each distinct reading of
    /// what is not known about it.
    pub(crate) fn rules_as_peer(
        &self,
        profile: &Profile,
        subject_nodes: &[Option<&str>],
        families: &[Family],
        reading: (HostReading, Semantics),
    ) -> SmallVec<[PeerRules; 1]> {
        let base = self.rules_by_identity(profile, reading.0);
        let networks_apply = !(reading.1 == Semantics::Cilium && self.is_in_cluster());
        let mut readings: SmallVec<[PeerRules; 1]> = SmallVec::new();
        let mut n_places = 0;
        let mut add = |rules: &[&RuleBits], node: Option<NodeFacts<'_>>| {
            let by_labels = self.rules_by_node(profile, node);
            n_places += 1;
            let place = if by_labels.len() > 1 { n_places } else { 0 };
            for (of_node, maybe_of_node) in by_labels {
                let mut certain = base.clone();
                rules.iter().for_each(|rules| certain.union_with(rules));
                certain.union_with(&of_node);
                let mut possible = self.with_domains(profile, &mut certain);
                possible.union_with(&maybe_of_node);
                let local = Locality::Remote;
                let rules = PeerRules { certain, possible, local, before_dnat: None, place };
                for rules in self.with_localities(rules, subject_nodes, node) {
                    if !readings.contains(&rules) {
                        readings.push(rules);
                    }
                }
            }
        };
        let inside = |address| profile.containing(address).filter(|_| networks_apply);
        let usable = |address| families.contains(&Family::of(address));
        match &self.addresses {
            Addresses::One(address, node) => add(inside(*address).as_slice(), *node),
            Addresses::Own(addresses, node) => {
                for address in addresses.iter().copied().filter(|address| usable(*address)) {
                    add(inside(address).as_slice(), *node);
                }
            }
            Addresses::AnyOf(known) => {
                for (address, node) in known.iter().filter(|(address, _)| usable(*address)) {
                    add(inside(*address).as_slice(), Some(*node));
                }
            }
            Addresses::Unknown(node) if networks_apply => {
                for rules in families.iter().flat_map(|f| profile.containing_unknown(*f)) {
                    add(&[rules], *node);
                }
            }
            Addresses::Unknown(node) => add(&[], *node),
            Addresses::Name(_, outside) => {
                let ranges = families.iter().flat_map(|f| profile.network_ranges(*f));
                for (_, rules) in ranges.filter(|(range, _)| outside.overlaps(*range)) {
                    add(&[rules], None);
                }
            }
        }
        readings
    }

    /// The readings of a destination that a Service picked in which networks peers are compared with the
    /// Service's address: none where that is not known, or has another family.
    pub(crate) fn rules_before_dnat(
        &self,
        profile: &Profile,
        families: &[Family],
        reading: (HostReading, Semantics),
    ) -> SmallVec<[PeerRules; 1]> {
        let Some(via) = self.via.filter(|_| reading.1 == Semantics::Upstream) else {
            return SmallVec::new();
        };
        let usable: SmallVec<[IpAddr; 2]> = via
            .addresses
            .iter()
            .copied()
            .filter(|one| families.contains(&Family::of(*one)))
            .collect();
        if usable.is_empty() {
            return SmallVec::new();
        }
        // Without their blocks, the rules match the backend as where identity comes first.
        let backend = (reading.0, Semantics::Cilium);
        let of_backend = self.rules_as_peer(profile, &[], families, backend);
        let seen = usable.into_iter().filter_map(|address| profile.containing(address));
        seen.flat_map(|rules| {
            let before_dnat = Some((rules.clone(), via.port));
            let with =
                move |of: &PeerRules| PeerRules { before_dnat: before_dnat.clone(), ..of.clone() };
            of_backend.iter().map(with).collect::<SmallVec<[PeerRules; 1]>>()
        })
        .collect()
    }

    /// `rules` for each way in which the subject's node may stand to this end, if it is a node.
    fn with_localities(
        &self,
        rules: PeerRules,
        subject_nodes: &[Option<&str>],
        node: Option<NodeFacts<'_>>,
    ) -> SmallVec<[PeerRules; 1]> {
        let is_node = matches!(self.kind, EndKind::Node | EndKind::HostPod);
        if !is_node || subject_nodes.is_empty() {
            return SmallVec::from_buf([rules]);
        }
        let node = node.map(|node| node.name).or(self.node);
        let localities = subject_nodes.iter().map(|subject| locality(*subject, node));
        localities.map(|local| PeerRules { local, ..rules.clone() }).collect()
    }

    fn rules_by_identity(&self, profile: &Profile, reading: HostReading) -> RuleBits {
        let mut rules = profile.any().clone();
        match (self.kind, reading) {
            (EndKind::Pod, _) => profile.selecting(self.terms, &mut rules),
            (EndKind::HostPod, HostReading::AsPod) => {
                let mut selected = RuleBits::default();
                profile.selecting(self.terms, &mut selected);
                rules.union_with(&profile.only_network_policy(&selected));
            }
            (EndKind::HostPod, HostReading::AsNode) | (EndKind::Node | EndKind::Outside, _) => {}
        }
        rules
    }

    /// The rules that match it as a node, surely and possibly, for each way in which it may be labelled.
    fn rules_by_node(
        &self,
        profile: &Profile,
        node: Option<NodeFacts<'_>>,
    ) -> SmallVec<[(RuleBits, RuleBits); 1]> {
        let readings = match node {
            Some(node) => node.readings,
            None if self.is_host_pod() => self.unknown_node,
            None => return SmallVec::from_buf([Default::default()]),
        };
        let mut distinct: SmallVec<[(RuleBits, RuleBits); 1]> = SmallVec::new();
        for reading in readings {
            let mut rules = (RuleBits::default(), RuleBits::default());
            profile.selecting(&reading.certain, &mut rules.0);
            profile.selecting(&reading.maybe, &mut rules.1);
            if !distinct.contains(&rules) {
                distinct.push(rules);
            }
        }
        distinct
    }

    /// Adds the domain rules that surely match to `certain`, and returns those that may as well.
    fn with_domains(&self, profile: &Profile, certain: &mut RuleBits) -> RuleBits {
        if profile.domains().is_empty() || self.is_in_cluster() {
            return certain.clone();
        }
        if let Addresses::Name(name, _) = &self.addresses {
            for (pattern, rules) in profile.domains() {
                if domain_matches(pattern, name) {
                    certain.union_with(rules);
                }
            }
            return certain.clone();
        }
        let mut possible = certain.clone();
        profile.domains().iter().for_each(|(_, rules)| possible.union_with(rules));
        possible
    }
}

fn distinct(families: impl Iterator<Item = Family>) -> SmallVec<[Family; 2]> {
    let mut families: SmallVec<[Family; 2]> = families.collect();
    families.sort_unstable();
    families.dedup();
    families
}

/// `*.x` stands for one or more whole labels before `x`, and never for `x` itself.
pub(crate) fn domain_matches(pattern: &str, name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    match pattern.strip_prefix('*') {
        Some(suffix) => name.len() > suffix.len() && name.ends_with(suffix),
        None => name == pattern,
    }
}

#[cfg(test)]
mod tests {
    use super::domain_matches;

    #[test]
    fn a_wildcard_takes_whole_labels_and_never_the_apex() {
        assert!(domain_matches("*.example.com", "a.b.example.com."));
        assert!(!domain_matches("*.example.com", "example.com"));
        assert!(!domain_matches("*.example.com", "badexample.com"));
        assert!(domain_matches("example.com", "EXAMPLE.com"));
    }
}
