//! One question: every reading of it, and what they have in common.

use crate::decide::{Decider, ProtocolRule};
use crate::ends::End;
use crate::facts::{EndKind, Facts, HostReading, Locality, Loopback, PeerRules};
use crate::fork::{Allowed, Span};
use crate::ids::ProfileId;
use crate::profile::Profile;
use crate::program::Program;
use crate::semantics::{Reason, Reasons, Semantics};
use crate::side::{FamilyPair, Oriented, SideQuestion};
use crate::verdict::{Cause, Decision, RuleId, Side, Verdict};
use net_types::Protocol;
use policy_model::Direction;
use smallvec::{SmallVec, smallvec};
use std::collections::BTreeMap;

/// What both sides of a question share: host-network pods and families are read in one way.
#[derive(Clone, Debug)]
pub(crate) struct Readings {
    pub(crate) host: SmallVec<[HostReading; 2]>,
    pub(crate) families: SmallVec<[FamilyPair; 2]>,
    pub(crate) loopback: SmallVec<[Loopback; 2]>,
}

/// One reading of everything that both sides share.
type Reading<'r> = (HostReading, &'r FamilyPair, Loopback);

impl Readings {
    fn fork<A: Allowed>(&self, mut answer: impl FnMut(Reading<'_>) -> Span<A>) -> Span<A> {
        let by_loopback = self.loopback.iter().filter_map(|loopback| {
            let by_host = self.host.iter().filter_map(|host| {
                let by_family =
                    self.families.iter().map(|families| answer((*host, families, *loopback)));
                Span::fork(by_family, Reason::AddressFamily)
            });
            Span::fork(by_host, Reason::HostNetwork)
        });
        Span::fork(by_loopback, Reason::Hairpin).unwrap_or_else(Span::everything)
    }

    fn is_single(&self) -> bool {
        self.host.len() == 1 && self.families.len() == 1 && self.loopback.len() == 1
    }
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
        if let (End::Pod(from), End::Pod(to)) = (from, to)
            && let Some(decision) = self.decide_plain((*from, *to), protocol, port)
        {
            return decision;
        }
        match (self.facts(from), self.facts(to)) {
            (Some(source), Some(destination)) => {
                self.decide_facts(&source, &destination, (protocol, port))
            }
            (None, _) | (_, None) => Decision::no_such_pod(),
        }
    }

    pub(crate) fn decide_facts(
        &self,
        source: &Facts<'_>,
        destination: &Facts<'_>,
        (protocol, port): (Protocol, u16),
    ) -> Decision {
        let readings = self.shared_readings(source, destination);
        let protocol_rule = self.protocol_rule(protocol);
        let answer = |side: &SideQuestion<'_>, rules: &PeerRules| {
            let outcome = side.outcome(rules, (protocol, port), protocol_rule);
            Span { must: !outcome.deny, may: outcome.allow, reasons: outcome.reasons }
        };
        let [egress, ingress] = [Direction::Egress, Direction::Ingress].map(|direction| {
            let ends = Oriented { direction, source, destination };
            let mut cause = None;
            let span = self.fork_side(ends, &readings, |side, rules| {
                let outcome = side.outcome(rules, (protocol, port), protocol_rule);
                cause.get_or_insert(cause_of(side, outcome.decider));
                Span { must: !outcome.deny, may: outcome.allow, reasons: outcome.reasons }
            });
            (cause.unwrap_or_else(|| self.unasked(ends, &readings)), span)
        });
        let whole = if readings.is_single() {
            egress.1.and(&ingress.1)
        } else {
            self.fork_both(source, destination, &readings, answer)
        };
        let side = |(cause, span): &(Cause, Span<bool>)| Side {
            verdict: Verdict::of(span),
            cause: *cause,
            reasons: reasons_of(span),
        };
        Decision {
            verdict: Verdict::of(&whole),
            egress: side(&egress),
            ingress: side(&ingress),
            reasons: reasons_of(&whole),
        }
    }

    /// Asks both sides under every reading that they share.
    pub(crate) fn fork_question<A: Allowed>(
        &self,
        source: &Facts<'_>,
        destination: &Facts<'_>,
        answer: impl FnMut(&SideQuestion<'_>, &PeerRules) -> Span<A>,
    ) -> Span<A> {
        let readings = self.shared_readings(source, destination);
        self.fork_both(source, destination, &readings, answer)
    }

    fn fork_both<A: Allowed>(
        &self,
        source: &Facts<'_>,
        destination: &Facts<'_>,
        readings: &Readings,
        mut answer: impl FnMut(&SideQuestion<'_>, &PeerRules) -> Span<A>,
    ) -> Span<A> {
        readings.fork(|reading| {
            let [egress, ingress] = [Direction::Egress, Direction::Ingress].map(|direction| {
                let ends = Oriented { direction, source, destination };
                self.side(ends, reading, &mut answer)
            });
            egress.and(&ingress)
        })
    }

    /// One side alone, under every reading.
    pub(crate) fn fork_side<A: Allowed>(
        &self,
        ends: Oriented<'_>,
        readings: &Readings,
        mut answer: impl FnMut(&SideQuestion<'_>, &PeerRules) -> Span<A>,
    ) -> Span<A> {
        readings.fork(|reading| self.side(ends, reading, &mut answer))
    }

    fn side<A: Allowed>(
        &self,
        ends: Oriented<'_>,
        (host, families, loopback): Reading<'_>,
        answer: &mut impl FnMut(&SideQuestion<'_>, &PeerRules) -> Span<A>,
    ) -> Span<A> {
        let Some((profile_id, profile)) = self.profile_for(ends, host) else {
            return Span::everything();
        };
        let side = SideQuestion { ends, profile_id, profile, families, host, loopback };
        let semantics = self.assumptions.semantics;
        let mut locally = |rules: &PeerRules| match rules.local {
            Locality::Local => Span::everything(),
            Locality::Remote => answer(&side, rules),
            Locality::Unknown => {
                let either = [Span::everything(), answer(&side, rules)];
                Span::fork(either, Reason::NodeLocality).unwrap_or_else(Span::everything)
            }
        };
        let mut of_readings = |readings: &[PeerRules]| {
            let by_place = readings.chunk_by(|a, b| a.place == b.place && a.place > 0);
            let answers = by_place
                .filter_map(|ways| Span::fork(ways.iter().map(&mut locally), Reason::NodeLabels));
            Span::fork(answers, Reason::PodAddress)
        };
        let after_dnat = of_readings(&side.readings(semantics));
        let before_dnat = of_readings(&side.readings_before_dnat(semantics));
        let either = after_dnat.into_iter().chain(before_dnat);
        Span::fork(either, Reason::ServiceAddress).unwrap_or_else(Span::everything)
    }

    /// `None` where no policy can speak: not a pod, or a host-network pod read as its node.
    fn profile_for(&self, ends: Oriented<'_>, host: HostReading) -> Option<(ProfileId, &Profile)> {
        let subject = ends.subject();
        if subject.is_host_pod() && host == HostReading::AsNode {
            return None;
        }
        let (id, profile) = self.profile_of(subject.policies, ends.direction)?;
        (!profile.is_open()).then_some((id, profile.as_ref()))
    }

    pub(crate) fn shared_readings(&self, source: &Facts<'_>, destination: &Facts<'_>) -> Readings {
        let on_host = source.is_host_pod() || destination.is_host_pod();
        let host = match self.assumptions.semantics {
            Semantics::Upstream if on_host => smallvec![HostReading::AsNode, HostReading::AsPod],
            Semantics::Upstream | Semantics::Cilium => smallvec![HostReading::AsNode],
        };
        let unknown = &self.pod_families;
        let (of_source, of_destination) = (source.families(unknown), destination.families(unknown));
        let shared = of_source.iter().filter(|family| of_destination.contains(family));
        let mut families: SmallVec<[FamilyPair; 2]> =
            shared.map(|family| [smallvec![*family], smallvec![*family]]).collect();
        if families.is_empty() {
            families.push([of_source, of_destination]);
        }
        let loopback = match destination.via {
            Some(via) if via.is_source => smallvec![Loopback::Filtered, Loopback::Open],
            Some(_) | None => smallvec![Loopback::Filtered],
        };
        Readings { host, families, loopback }
    }

    pub(crate) fn protocol_rule(&self, protocol: Protocol) -> ProtocolRule {
        match (self.assumptions.semantics, protocol.has_ports()) {
            (Semantics::Upstream, false) => ProtocolRule::Undefined,
            (Semantics::Upstream | Semantics::Cilium, _) => ProtocolRule::Defined,
        }
    }

    /// Why no profile was asked about a side.
    fn unasked(&self, ends: Oriented<'_>, readings: &Readings) -> Cause {
        match ends.subject().kind {
            EndKind::Node | EndKind::Outside => Cause::NotAPod,
            EndKind::Pod | EndKind::HostPod => {
                let asked =
                    readings.host.iter().any(|host| self.profile_for(ends, *host).is_some());
                if asked { Cause::OwnNode } else { Cause::NoPolicy }
            }
        }
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
        let ends = Oriented { direction, source: &source, destination: &destination };
        let readings = self.shared_readings(&source, &destination);
        // By place in the profile: another reading may add a rule that comes before those found.
        let mut matching: BTreeMap<usize, RuleId> = BTreeMap::new();
        self.fork_side(ends, &readings, |side, rules| {
            let bits = rules.possible.intersection(&side.rules_at(protocol, port));
            let found = bits
                .iter()
                .filter_map(|rule| RuleId::of(side.profile, direction, rule).map(|id| (rule, id)));
            matching.extend(found);
            Span::<bool>::everything()
        });
        matching.into_values().collect()
    }
}

pub(crate) fn cause_of(side: &SideQuestion<'_>, decider: Decider) -> Cause {
    let cause = match decider {
        Decider::Rule(rule) => RuleId::of(side.profile, side.ends.direction, rule).map(Cause::Rule),
        Decider::Isolation => side.profile.isolating.first().copied().map(Cause::Isolation),
        Decider::Default => None,
    };
    cause.unwrap_or(Cause::NoPolicy)
}

fn reasons_of(span: &Span<bool>) -> Reasons {
    if span.must == span.may { Reasons::NONE } else { span.reasons }
}
