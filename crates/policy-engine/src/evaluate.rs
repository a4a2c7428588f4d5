//! One question: every reading of it, and what they have in common.

use crate::bits::RuleBits;
use crate::decide::{Decider, Outcome, ProtocolRule, decide};
use crate::ends::End;
use crate::facts::{Facts, HostReading, Locality, PeerRules};
use crate::fork::{Allowed, Span};
use crate::ids::ProfileId;
use crate::profile::Profile;
use crate::program::Program;
use crate::semantics::{Reason, Reasons, Semantics};
use crate::verdict::{Cause, Decision, RuleId, Side, Verdict};
use net_types::{Family, Protocol};
use policy_model::Direction;
use smallvec::{SmallVec, smallvec};

/// The families that each end uses in one reading.
type FamilyPair = [SmallVec<[Family; 2]>; 2];

/// The subject, the peer, and whichever of the two is the destination.
type Ends<'q> = (&'q Facts<'q>, &'q Facts<'q>, &'q Facts<'q>);

/// One side of a question: the subject's profile and the other end.
pub(crate) struct SideQuestion<'a> {
    pub(crate) profile_id: ProfileId,
    pub(crate) profile: &'a Profile,
    pub(crate) subject: &'a Facts<'a>,
    pub(crate) peer: &'a Facts<'a>,
    /// The ports of the destination, whichever of the two it is.
    pub(crate) destination: &'a Facts<'a>,
    families: &'a [Family],
    pub(crate) reading: HostReading,
}

impl Program {
    /// The verdict on one packet that opens a connection, and what decided each side.
    ///
    /// `port` is the destination port after DNAT and is ignored for protocols without ports. A pod
    /// that was removed neither sends nor receives: deny.
    pub fn decide(&self, from: &End, to: &End, protocol: Protocol, port: u16) -> Decision {
        if self.is_self_traffic(from, to) {
            return Decision::self_traffic();
        }
        self.decide_between(from, to, protocol, port)
    }

    /// [`Self::decide`], with a pod to itself taken as any other connection.
    pub(crate) fn decide_between(
        &self,
        from: &End,
        to: &End,
        protocol: Protocol,
        port: u16,
    ) -> Decision {
        let (Some(source), Some(destination)) = (self.facts(from), self.facts(to)) else {
            return Decision::no_such_pod();
        };
        let answer = |side: &SideQuestion<'_>, rules: &PeerRules| {
            let outcome = self.outcome(side, rules, protocol, port);
            Span { must: !outcome.deny, may: outcome.allow, reasons: outcome.reasons }
        };
        let span = self.fork_question(&source, &destination, answer);
        let side = |direction| {
            let (subject, peer) = oriented(direction, &source, &destination);
            let span = self.fork_side(direction, &source, &destination, answer);
            let cause = self.first_cause(direction, (subject, peer, &destination), protocol, port);
            Side { verdict: Verdict::of(&span), cause, reasons: reasons_of(&span) }
        };
        Decision {
            verdict: Verdict::of(&span),
            egress: side(Direction::Egress),
            ingress: side(Direction::Ingress),
            reasons: reasons_of(&span),
        }
    }

    /// Asks both sides under every reading that they share.
    pub(crate) fn fork_question<A: Allowed>(
        &self,
        source: &Facts<'_>,
        destination: &Facts<'_>,
        mut answer: impl FnMut(&SideQuestion<'_>, &PeerRules) -> Span<A>,
    ) -> Span<A> {
        let families = self.families(source, destination);
        let readings = self.host_readings(source, destination).into_iter().filter_map(|reading| {
            let by_family = families.iter().map(|pair| {
                let [of_source, of_destination] = pair;
                let egress = self.side(
                    (Direction::Egress, reading),
                    (source, destination, destination),
                    of_destination,
                    &mut answer,
                );
                let ingress = self.side(
                    (Direction::Ingress, reading),
                    (destination, source, destination),
                    of_source,
                    &mut answer,
                );
                egress.and(&ingress)
            });
            Span::fork(by_family.collect::<SmallVec<[_; 2]>>(), Reason::AddressFamily)
        });
        let readings: SmallVec<[Span<A>; 2]> = readings.collect();
        Span::fork(readings, Reason::HostNetwork).unwrap_or_else(Span::everything)
    }

    /// One side alone, under every reading.
    fn fork_side<'q, A: Allowed>(
        &'q self,
        direction: Direction,
        source: &'q Facts<'q>,
        destination: &'q Facts<'q>,
        mut answer: impl FnMut(&SideQuestion<'_>, &PeerRules) -> Span<A>,
    ) -> Span<A> {
        let (subject, peer) = oriented(direction, source, destination);
        let families = self.families(source, destination);
        let mut readings: SmallVec<[Span<A>; 2]> = SmallVec::new();
        for reading in self.host_readings(source, destination) {
            let by_family = families.iter().map(|[of_source, of_destination]| {
                let of_peer = match direction {
                    Direction::Egress => of_destination,
                    Direction::Ingress => of_source,
                };
                let ends = (subject, peer, destination);
                self.side((direction, reading), ends, of_peer, &mut answer)
            });
            let forks: SmallVec<[_; 2]> = by_family.collect();
            readings.extend(Span::fork(forks, Reason::AddressFamily));
        }
        Span::fork(readings, Reason::HostNetwork).unwrap_or_else(Span::everything)
    }

    fn side<'q, A: Allowed>(
        &'q self,
        (direction, reading): (Direction, HostReading),
        (subject, peer, destination): Ends<'q>,
        families: &'q [Family],
        answer: &mut impl FnMut(&SideQuestion<'_>, &PeerRules) -> Span<A>,
    ) -> Span<A> {
        let Some((profile_id, profile)) = self.profile_for(direction, subject, reading) else {
            return Span::everything();
        };
        let side =
            SideQuestion { profile_id, profile, subject, peer, destination, families, reading };
        let readings = side.readings(direction, self.assumptions.semantics);
        let answers = readings.iter().map(|rules| match rules.local {
            Locality::Local => Span::everything(),
            Locality::Remote => answer(&side, rules),
            Locality::Unknown => {
                let either = [Span::everything(), answer(&side, rules)];
                Span::fork(either, Reason::NodeLocality).unwrap_or_else(Span::everything)
            }
        });
        let answers: SmallVec<[Span<A>; 1]> = answers.collect();
        Span::fork(answers, Reason::PodAddress).unwrap_or_else(Span::everything)
    }

    /// `None` where no policy can speak: not a pod, or a host-network pod read as its node.
    pub(crate) fn profile_for(
        &self,
        direction: Direction,
        subject: &Facts<'_>,
        reading: HostReading,
    ) -> Option<(ProfileId, &Profile)> {
        if subject.is_host_pod() && reading == HostReading::AsNode {
            return None;
        }
        let (id, profile) = self.profile_of(subject.policies, direction)?;
        (!profile.is_open()).then_some((id, profile.as_ref()))
    }

    fn host_readings(&self, a: &Facts<'_>, b: &Facts<'_>) -> SmallVec<[HostReading; 2]> {
        match self.assumptions.semantics {
            Semantics::Upstream if a.is_host_pod() || b.is_host_pod() => {
                smallvec![HostReading::AsNode, HostReading::AsPod]
            }
            Semantics::Upstream | Semantics::Cilium => smallvec![HostReading::AsNode],
        }
    }

    fn families(&self, a: &Facts<'_>, b: &Facts<'_>) -> SmallVec<[FamilyPair; 2]> {
        let unknown = self.assumptions.pod_families();
        let (of_a, of_b) = (a.families(&unknown), b.families(&unknown));
        let shared = of_a.iter().filter(|family| of_b.contains(family));
        let pairs: SmallVec<[FamilyPair; 2]> =
            shared.map(|family| [smallvec![*family], smallvec![*family]]).collect();
        if pairs.is_empty() { smallvec![[of_a, of_b]] } else { pairs }
    }

    pub(crate) fn outcome(
        &self,
        side: &SideQuestion<'_>,
        rules: &PeerRules,
        protocol: Protocol,
        port: u16,
    ) -> Outcome {
        let at_port = side.rules_at(protocol, port);
        let certain = rules.certain.intersection(&at_port);
        let possible = rules.possible.intersection(&at_port);
        decide(side.profile, &certain, &possible, self.protocol_rule(protocol))
    }

    pub(crate) fn protocol_rule(&self, protocol: Protocol) -> ProtocolRule {
        match (self.assumptions.semantics, protocol.has_ports()) {
            (Semantics::Upstream, false) => ProtocolRule::Undefined,
            (Semantics::Upstream | Semantics::Cilium, _) => ProtocolRule::Defined,
        }
    }

    /// What decides in the first reading that has a policy to ask.
    fn first_cause<'q>(
        &'q self,
        direction: Direction,
        (subject, peer, destination): Ends<'q>,
        protocol: Protocol,
        port: u16,
    ) -> Cause {
        if !subject.is_in_cluster() || subject.kind == crate::facts::EndKind::Node {
            return Cause::NotAPod;
        }
        let families = self.families(subject, peer);
        for reading in self.host_readings(subject, peer) {
            let Some((profile_id, profile)) = self.profile_for(direction, subject, reading) else {
                continue;
            };
            let Some([_, of_peer]) = families.first() else { continue };
            let side = SideQuestion {
                profile_id,
                profile,
                subject,
                peer,
                destination,
                families: of_peer,
                reading,
            };
            let readings = side.readings(direction, self.assumptions.semantics);
            let Some(rules) = readings.first() else { continue };
            if rules.local == Locality::Local {
                return Cause::OwnNode;
            }
            return match self.outcome(&side, rules, protocol, port).decider {
                Decider::Rule(rule) => RuleId::of(profile, direction, rule).map(Cause::Rule),
                Decider::Isolation => profile.isolating.first().copied().map(Cause::Isolation),
                Decider::Default => None,
            }
            .unwrap_or(Cause::NoPolicy);
        }
        Cause::NoPolicy
    }

    /// All rules of one side that match the packet in some reading, in precedence order: the deciding
    /// one and those that it hides.
    pub fn matching_rules(
        &self,
        direction: Direction,
        (from, to): (&End, &End),
        protocol: Protocol,
        port: u16,
    ) -> Vec<RuleId> {
        let (Some(source), Some(destination)) = (self.facts(from), self.facts(to)) else {
            return Vec::new();
        };
        let mut matching: Vec<RuleId> = Vec::new();
        self.fork_side(direction, &source, &destination, |side, rules| {
            let at_port = side.rules_at(protocol, port);
            let bits: RuleBits = rules.possible.intersection(&at_port);
            for rule in bits.iter().filter_map(|rule| RuleId::of(side.profile, direction, rule)) {
                if !matching.contains(&rule) {
                    matching.push(rule);
                }
            }
            Span::<bool>::everything()
        });
        matching
    }
}

impl SideQuestion<'_> {
    /// The rules that match the port.
    fn rules_at(&self, protocol: Protocol, port: u16) -> RuleBits {
        let ports = &self.profile.ports;
        if !self.destination.is_host_pod() {
            return ports.at(protocol, port, self.destination.served);
        }
        self.for_host_pod(ports.at(protocol, port, &[]), || {
            ports.at(protocol, port, self.destination.served)
        })
    }

    /// Names of ports exist on a host-network pod only for NetworkPolicy, and only read as a pod.
    pub(crate) fn for_host_pod(
        &self,
        without_names: RuleBits,
        with_names: impl FnOnce() -> RuleBits,
    ) -> RuleBits {
        let mut rules = without_names;
        if self.reading == HostReading::AsPod {
            rules.union_with(&self.profile.only_network_policy(&with_names()));
        }
        rules
    }

    /// The distinct readings of the peer, seen from this side.
    fn readings(&self, direction: Direction, semantics: Semantics) -> SmallVec<[PeerRules; 1]> {
        let mut readings = self.peer.rules_as_peer(
            self.profile,
            self.subject.node,
            self.families,
            (self.reading, semantics),
        );
        if direction == Direction::Egress {
            readings.iter_mut().for_each(|rules| rules.local = Locality::Remote);
        }
        readings
    }
}

fn oriented<'q>(
    direction: Direction,
    source: &'q Facts<'q>,
    destination: &'q Facts<'q>,
) -> (&'q Facts<'q>, &'q Facts<'q>) {
    match direction {
        Direction::Egress => (source, destination),
        Direction::Ingress => (destination, source),
    }
}

fn reasons_of(span: &Span<bool>) -> Reasons {
    if span.must == span.may { Reasons::NONE } else { span.reasons }
}
