//! All ports of a connection at once: the same decision for each interval of ports.

use crate::bits::RuleBits;
use crate::ends::End;
use crate::facts::{Addresses, Facts, HostReading, PeerRules};
use crate::fork::Span;
use crate::ids::{PodId, ProfileId};
use crate::program::Program;
use crate::semantics::Reasons;
use crate::side::{Oriented, SideQuestion};
use net_types::{AddressRange, AddressSet, Family, PortRange, PortSet, Protocol, Traffic};
use policy_model::Direction;
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;

/// What may pass between two ends.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PairTraffic {
    pub allowed: Traffic,
    /// Neither surely allowed nor surely denied; disjoint from `allowed`.
    pub undefined: Traffic,
    /// Empty where nothing is undefined.
    pub reasons: Reasons,
}

impl PairTraffic {
    fn of(span: Span<Traffic>) -> Self {
        if span.must == span.may {
            return Self { allowed: span.must, ..Self::default() };
        }
        let undefined = span.may.difference(&span.must);
        Self { allowed: span.must, undefined, reasons: span.reasons }
    }

    /// No port of TCP, UDP or SCTP is allowed or undefined.
    pub fn is_empty(&self) -> bool {
        self.allowed.has_no_ports() && self.undefined.has_no_ports()
    }

    /// What some of several pairs allow.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let allowed = self.allowed.union(&other.allowed);
        let undefined = self.undefined.union(&other.undefined).difference(&allowed);
        let reasons =
            if undefined.is_empty() { Reasons::NONE } else { self.reasons.union(other.reasons) };
        Self { allowed, undefined, reasons }
    }
}

/// Answers of sides that were computed before. Belongs to one program in one state.
#[derive(Debug, Default)]
pub struct TrafficCache {
    sides: FxHashMap<SideKey, Span<Traffic>>,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct SideKey {
    profile: ProfileId,
    /// The destination's named ports, where the profile speaks of names.
    served: usize,
    /// How a host-network destination is read, which decides whether its ports have names.
    host: Option<HostReading>,
    certain: RuleBits,
    possible: RuleBits,
}

/// Bounds the memory of a cache; it starts again when it is full.
const CACHE_LIMIT: usize = 1 << 16;

impl Program {
    /// All protocols and ports that `from` may open to `to`.
    pub fn traffic(&self, from: &End, to: &End, cache: &mut TrafficCache) -> PairTraffic {
        if self.is_self_traffic(from, to) {
            return PairTraffic { allowed: Traffic::all(), ..PairTraffic::default() };
        }
        match (self.facts(from), self.facts(to)) {
            (Some(source), Some(destination)) => self.traffic_between(&source, &destination, cache),
            (None, _) | (_, None) => PairTraffic::default(),
        }
    }

    pub(crate) fn traffic_between(
        &self,
        source: &Facts<'_>,
        destination: &Facts<'_>,
        cache: &mut TrafficCache,
    ) -> PairTraffic {
        let answer =
            |side: &SideQuestion<'_>, rules: &PeerRules| self.side_traffic(side, rules, cache);
        PairTraffic::of(self.fork_question(source, destination, answer))
    }

    /// Whether egress, and whether ingress, lets any port pass, surely or in some reading. Where nothing
    /// passes at all this tells which of them it is.
    pub fn passing_sides(&self, from: &End, to: &End, cache: &mut TrafficCache) -> [bool; 2] {
        if self.is_self_traffic(from, to) {
            return [true; 2];
        }
        let (Some(source), Some(destination)) = (self.facts(from), self.facts(to)) else {
            return [false; 2];
        };
        let readings = self.shared_readings(&source, &destination);
        [Direction::Egress, Direction::Ingress].map(|direction| {
            let ends = Oriented { direction, source: &source, destination: &destination };
            let span = self
                .fork_side(ends, &readings, |side, rules| self.side_traffic(side, rules, cache));
            !span.may.has_no_ports()
        })
    }

    fn side_traffic(
        &self,
        side: &SideQuestion<'_>,
        rules: &PeerRules,
        cache: &mut TrafficCache,
    ) -> Span<Traffic> {
        let key = SideKey {
            profile: side.profile_id,
            served: if side.profile.shape.ports.has_names() {
                side.ends.destination.served_id
            } else {
                0
            },
            host: side.ends.destination.is_host_pod().then_some(side.host),
            certain: rules.certain.clone(),
            possible: rules.possible.clone(),
        };
        if let Some(known) = cache.sides.get(&key) {
            return known.clone();
        }
        let span = self.compute_side(side, rules);
        if cache.sides.len() >= CACHE_LIMIT {
            cache.sides.clear();
        }
        cache.sides.insert(key, span.clone());
        span
    }

    fn compute_side(&self, side: &SideQuestion<'_>, rules: &PeerRules) -> Span<Traffic> {
        let mut reasons = Reasons::NONE;
        let mut ask = |protocol: Protocol, at_port: &RuleBits| {
            let certain = rules.certain.intersection(at_port);
            let possible = rules.possible.intersection(at_port);
            let outcome = side.decided(&certain, &possible, self.protocol_rule(protocol));
            reasons = reasons.union(outcome.reasons);
            (!outcome.deny, outcome.allow)
        };
        let mut of_protocol = |protocol: Protocol| -> (PortSet, PortSet) {
            let mut must: Vec<PortRange> = Vec::new();
            let mut may: Vec<PortRange> = Vec::new();
            let ports = &side.profile.shape.ports;
            ports.cells(protocol, side.ends.destination.served, |range, at_port| {
                let (surely, possibly) = if side.ends.destination.is_host_pod() {
                    let unnamed = ports.at(protocol, range.first(), &[]);
                    ask(protocol, &side.for_host_pod(unnamed, || at_port.clone()))
                } else {
                    ask(protocol, at_port)
                };
                must.extend(surely.then_some(range));
                may.extend(possibly.then_some(range));
            });
            (must.into_iter().collect(), may.into_iter().collect())
        };
        let [tcp, udp, sctp] = Protocol::WITH_PORTS.map(&mut of_protocol);
        let other = ask(Protocol::Other(1), side.profile.shape.ports.without_ports());
        Span {
            must: Traffic { tcp: tcp.0, udp: udp.0, sctp: sctp.0, other: other.0 },
            may: Traffic { tcp: tcp.1, udp: udp.1, sctp: sctp.1, other: other.1 },
            reasons,
        }
    }

    /// What the pod may exchange with addresses outside the cluster: the whole address space, cut
    /// exactly where its policies tell addresses apart, each piece with its traffic.
    ///
    /// `Egress` is from the pod, `Ingress` to the pod.
    pub fn outside_traffic(
        &self,
        pod: PodId,
        direction: Direction,
        cache: &mut TrafficCache,
    ) -> Vec<(AddressSet, PairTraffic)> {
        let end = End::Pod(pod);
        let Some(facts) = self.facts(&end) else { return Vec::new() };
        let Some((_, profile)) = self.profile_of(facts.policies, direction) else {
            return Vec::new();
        };
        let mut pieces: BTreeMap<PairTraffic, Vec<AddressRange>> = BTreeMap::new();
        for family in [Family::V4, Family::V6] {
            for (range, _) in profile.network_ranges(family) {
                let outside = self.outside(Addresses::One(range.first(), None));
                let traffic = match direction {
                    Direction::Egress => self.traffic_between(&facts, &outside, cache),
                    Direction::Ingress => self.traffic_between(&outside, &facts, cache),
                };
                pieces.entry(traffic).or_default().push(range);
            }
        }
        let mut cut: Vec<(AddressSet, PairTraffic)> = pieces
            .into_iter()
            .map(|(traffic, ranges)| (ranges.into_iter().collect(), traffic))
            .collect();
        cut.sort();
        cut
    }
}
