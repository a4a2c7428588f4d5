//! One packet between two pods of which nothing is open: the common case of a single question.
//!
//! The question has one reading where neither pod is on the host network, they share one address
//! family, and what the policies say of the peer's address is known. Then a side is one set of rules.
//! Everything else is left to `evaluate.rs`, and both must give the same answer.

use crate::bits::RuleBits;
use crate::classes::{AddressKey, ClassKey};
use crate::decide::{Decider, ProtocolRule, decide};
use crate::ids::PodId;
use crate::profile::Profile;
use crate::program::Program;
use crate::semantics::{Reasons, Semantics};
use crate::verdict::{Cause, Decision, RuleId, Side, Verdict};
use net_types::{Family, Protocol};
use policy_model::{ContainerPort, Direction};

/// What both sides ask.
struct Packet<'p> {
    family: Family,
    protocol: Protocol,
    port: u16,
    /// The named ports of the destination.
    served: &'p [ContainerPort],
}

impl Program {
    /// `None` where the question may have several readings.
    pub(crate) fn decide_plain(
        &self,
        (from, to): (PodId, PodId),
        protocol: Protocol,
        port: u16,
    ) -> Option<Decision> {
        // A protocol without ports is read in two ways.
        if !protocol.has_ports() {
            return None;
        }
        let (source, destination) = (self.key_of(from)?, self.key_of(to)?);
        let family = self.shared_family(source, destination)?;
        let served = self.classes.served(destination.ports);
        let packet = Packet { family, protocol, port, served };
        let egress = self.plain_side(Direction::Egress, source, (to, destination), &packet)?;
        let ingress = self.plain_side(Direction::Ingress, destination, (from, source), &packet)?;
        let is_allowed = [egress, ingress].iter().all(|side| side.verdict == Verdict::Allow);
        let verdict = if is_allowed { Verdict::Allow } else { Verdict::Deny };
        Some(Decision { verdict, egress, ingress, reasons: Reasons::NONE })
    }

    /// The only family that both have.
    fn shared_family(&self, source: &ClassKey, destination: &ClassKey) -> Option<Family> {
        let of = |key: &ClassKey| match &key.addresses {
            AddressKey::Known { v4, v6 } => Some((v4.is_some(), v6.is_some())),
            AddressKey::Unknown => Some((
                self.pod_families.contains(&Family::V4),
                self.pod_families.contains(&Family::V6),
            )),
            AddressKey::Host(_) => None,
        };
        let (source, destination) = (of(source)?, of(destination)?);
        match (source.0 && destination.0, source.1 && destination.1) {
            (true, false) => Some(Family::V4),
            (false, true) => Some(Family::V6),
            (true, true) | (false, false) => None,
        }
    }

    /// `None` also where the side is undefined, so that its reasons come from one place.
    fn plain_side(
        &self,
        direction: Direction,
        subject: &ClassKey,
        (peer_pod, peer): (PodId, &ClassKey),
        packet: &Packet<'_>,
    ) -> Option<Side> {
        let side = |verdict, cause| Side { verdict, cause, reasons: Reasons::NONE };
        let (_, profile) = self.profile_of(subject.policies, direction)?;
        if profile.is_open() {
            return Some(side(Verdict::Allow, Cause::NoPolicy));
        }
        let mut rules = profile.any().clone();
        profile.selecting(&peer.terms, &mut rules);
        if self.assumptions.semantics == Semantics::Upstream && profile.looks_at_addresses() {
            rules.union_with(self.rules_at_address(profile, (peer_pod, peer), packet.family)?);
        }
        let rules = rules.intersection(&profile.shape.ports.at(
            packet.protocol,
            packet.port,
            packet.served,
        ));
        let outcome = decide(&profile.shape, &rules, &rules, ProtocolRule::Defined);
        let cause = match outcome.decider {
            Decider::Rule(rule) => RuleId::of(profile, direction, rule).map(Cause::Rule),
            Decider::Isolation => profile.isolating.first().copied().map(Cause::Isolation),
            Decider::Default => None,
        };
        let cause = cause.unwrap_or(Cause::NoPolicy);
        match (outcome.allow, outcome.deny) {
            (true, false) => Some(side(Verdict::Allow, cause)),
            (false, true) => Some(side(Verdict::Deny, cause)),
            (true, true) | (false, false) => None,
        }
    }

    /// The rules whose networks contain the peer's address.
    fn rules_at_address<'p>(
        &self,
        profile: &'p Profile,
        (pod, key): (PodId, &ClassKey),
        family: Family,
    ) -> Option<&'p RuleBits> {
        match key.addresses {
            AddressKey::Known { .. } => {
                let addresses = &self.objects.pod(pod)?.addresses;
                let address = addresses.iter().find(|address| Family::of(**address) == family)?;
                profile.containing(*address)
            }
            AddressKey::Unknown => match profile.containing_unknown(family) {
                [only] => Some(only),
                [] | [_, _, ..] => None,
            },
            AddressKey::Host(_) => None,
        }
    }
}
