//! One side of a question: a subject's profile, the other end as peer, and one reading of both.

use crate::bits::RuleBits;
use crate::decide::{Outcome, ProtocolRule, decide};
use crate::facts::{Addresses, EndKind, Facts, HostReading, Locality, Loopback, PeerRules};
use crate::ids::ProfileId;
use crate::profile::Profile;
use crate::semantics::{Reason, Semantics};
use net_types::{Family, Protocol};
use policy_model::Direction;
use smallvec::{SmallVec, smallvec};

/// The families that source and destination use in one reading.
pub(crate) type FamilyPair = [SmallVec<[Family; 2]>; 2];

/// Both ends of a question, seen from one direction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Oriented<'q> {
    pub(crate) direction: Direction,
    pub(crate) source: &'q Facts<'q>,
    pub(crate) destination: &'q Facts<'q>,
}

impl<'q> Oriented<'q> {
    pub(crate) fn subject(self) -> &'q Facts<'q> {
        match self.direction {
            Direction::Egress => self.source,
            Direction::Ingress => self.destination,
        }
    }

    fn peer(self) -> &'q Facts<'q> {
        match self.direction {
            Direction::Egress => self.destination,
            Direction::Ingress => self.source,
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct SideQuestion<'q> {
    pub(crate) ends: Oriented<'q>,
    pub(crate) profile_id: ProfileId,
    pub(crate) profile: &'q Profile,
    pub(crate) families: &'q FamilyPair,
    pub(crate) host: HostReading,
    pub(crate) loopback: Loopback,
}

impl<'q> SideQuestion<'q> {
    /// The distinct readings of the peer.
    pub(crate) fn readings(&self, semantics: Semantics) -> SmallVec<[PeerRules; 1]> {
        let [of_source, of_destination] = self.families;
        let (of_subject, of_peer) = match self.ends.direction {
            Direction::Egress => (of_source, of_destination),
            Direction::Ingress => (of_destination, of_source),
        };
        let subject_nodes = match self.ends.direction {
            // Only ingress knows the exemption of the pod's own node.
            Direction::Egress => SmallVec::new(),
            Direction::Ingress => possible_nodes(self.ends.subject(), of_subject),
        };
        let reading = (self.host, semantics);
        self.ends.peer().rules_as_peer(self.profile, &subject_nodes, of_peer, reading)
    }

    /// Those in which egress to a Service is compared before its address is translated.
    pub(crate) fn readings_before_dnat(&self, semantics: Semantics) -> SmallVec<[PeerRules; 1]> {
        match self.ends.direction {
            Direction::Egress => {
                let [_, of_peer] = self.families;
                self.ends.peer().rules_before_dnat(self.profile, of_peer, (self.host, semantics))
            }
            Direction::Ingress => SmallVec::new(),
        }
    }

    pub(crate) fn outcome(
        &self,
        rules: &PeerRules,
        (protocol, port): (Protocol, u16),
        protocol_rule: ProtocolRule,
    ) -> Outcome {
        let at_port = self.rules_at(protocol, port);
        let mut certain = rules.certain.intersection(&at_port);
        let mut possible = rules.possible.intersection(&at_port);
        if let Some((rules, service_port)) = &rules.before_dnat {
            let at_port = self.profile.shape.ports.at(protocol, *service_port, &[]);
            let matching = rules.intersection(&at_port);
            certain.union_with(&matching);
            possible.union_with(&matching);
        }
        self.decided(&certain, &possible, protocol_rule)
    }

    /// Of an end in the cluster, what may or may not match are not domain names but nodes peers.
    pub(crate) fn decided(
        &self,
        certain: &RuleBits,
        possible: &RuleBits,
        protocol_rule: ProtocolRule,
    ) -> Outcome {
        let protocol_rule = match self.loopback {
            Loopback::Filtered => protocol_rule,
            Loopback::Open => ProtocolRule::Unfiltered,
        };
        let outcome = decide(&self.profile.shape, certain, possible, protocol_rule);
        if !self.ends.peer().is_in_cluster() {
            return outcome;
        }
        let reasons = outcome.reasons.replacing(Reason::DomainNames, Reason::NodeLabels);
        Outcome { reasons, ..outcome }
    }

    /// The rules that match the port.
    pub(crate) fn rules_at(&self, protocol: Protocol, port: u16) -> RuleBits {
        let ports = &self.profile.shape.ports;
        let served = self.ends.destination.served;
        if !self.ends.destination.is_host_pod() {
            return ports.at(protocol, port, served);
        }
        self.for_host_pod(ports.at(protocol, port, &[]), || ports.at(protocol, port, served))
    }

    /// Names of ports exist on a host-network pod only for NetworkPolicy, and only read as a pod.
    pub(crate) fn for_host_pod(
        &self,
        without_names: RuleBits,
        with_names: impl FnOnce() -> RuleBits,
    ) -> RuleBits {
        let mut rules = without_names;
        if self.host == HostReading::AsPod {
            rules.union_with(&self.profile.only_network_policy(&with_names()));
        }
        rules
    }
}

/// The nodes that a subject may run on; `None` is a node that is not known.
fn possible_nodes<'q>(
    subject: &'q Facts<'q>,
    families: &[Family],
) -> SmallVec<[Option<&'q str>; 1]> {
    match &subject.addresses {
        Addresses::AnyOf(known) if subject.kind == EndKind::HostPod => {
            let usable =
                known.iter().filter(|(address, _)| families.contains(&Family::of(*address)));
            let mut nodes: SmallVec<[Option<&str>; 1]> =
                usable.map(|(_, node)| Some(node.name)).collect();
            nodes.dedup();
            nodes
        }
        Addresses::AnyOf(_)
        | Addresses::One(..)
        | Addresses::Own(..)
        | Addresses::Unknown(_)
        | Addresses::Name(..) => smallvec![subject.node],
    }
}

/// How a peer that is a node stands to the node of the subject.
pub(crate) fn locality(subject: Option<&str>, peer: Option<&str>) -> Locality {
    match (subject, peer) {
        (Some(subject), Some(peer)) if subject == peer => Locality::Local,
        (Some(_), Some(_)) => Locality::Remote,
        (None, _) | (_, None) => Locality::Unknown,
    }
}
