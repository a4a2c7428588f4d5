//! Which rules decide each row: asked of the engine wherever an answer may change.
//!
//! Between two neighbouring ports that no policy of either side names, the same rules decide; so one
//! question for each interval is enough. The same holds for addresses and the networks of rules.

use crate::map::collected::{Collected, CollectedRow, EndIx};
use net_types::{AddressSet, PortRange, PortSet, Protocol};
use policy_engine::{Cause, End, PodId, RuleId, Verdict};
use policy_model::{Direction, Network, PeerMatch, Peers, Policy, PortMatch, Ports, Rule};
use rustc_hash::FxHashMap;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// Pairs of pods that are asked about for one row. A row of more says that it shows some.
const MOST_PAIRS: usize = 256;
/// Addresses that are asked about for one set of them. A set of more says that it shows some.
const MOST_ADDRESSES: usize = 64;

/// What decided, each once.
#[derive(Debug, Default)]
pub(super) struct Causes {
    list: Vec<Value>,
    ids: BTreeMap<String, usize>,
    rules: Vec<RuleId>,
    rule_ids: FxHashMap<RuleId, usize>,
}

impl Causes {
    pub(super) fn list(&self) -> &[Value] {
        &self.list
    }

    /// The rules that causes name by their place.
    pub(super) fn rules(&self) -> &[RuleId] {
        &self.rules
    }

    fn id(&mut self, cause: Cause, policy_at: impl Fn(Cause) -> Option<usize>) -> usize {
        let value = match cause {
            Cause::Rule(rule) => {
                let next = self.rules.len();
                let id = *self.rule_ids.entry(rule).or_insert_with(|| {
                    self.rules.push(rule);
                    next
                });
                json!({"kind": "rule", "rule": id})
            }
            Cause::Isolation(_) => json!({"kind": "isolation", "policy": policy_at(cause)}),
            Cause::NoPolicy => json!({"kind": "no-policy"}),
            Cause::NotAPod => json!({"kind": "not-a-pod"}),
            Cause::OwnNode => json!({"kind": "own-node"}),
            Cause::SelfTraffic => json!({"kind": "self"}),
        };
        let next = self.list.len();
        *self.ids.entry(value.to_string()).or_insert_with(|| {
            self.list.push(value);
            next
        })
    }
}

/// Where the rules of one peer, in one direction, may change their answer.
#[derive(Clone, Debug, Default)]
struct Cuts {
    ports: BTreeSet<(Protocol, u16)>,
    addresses: BTreeSet<IpAddr>,
}

/// Ports of a row that the same rules decide; ordered as they are shown.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Part {
    protocol: Protocol,
    is_undefined: bool,
    egress: BTreeSet<usize>,
    ingress: BTreeSet<usize>,
}

pub(super) struct Details<'m> {
    map: &'m Collected<'m>,
    /// By peer: a pod of each class that it has.
    pub(super) pods: Vec<Vec<PodId>>,
    /// By peer: ingress, egress.
    cuts: Vec<[Cuts; 2]>,
    policy_places: BTreeMap<String, usize>,
}

impl<'m> Details<'m> {
    pub(super) fn new(map: &'m Collected<'_>) -> Self {
        let report = map.report;
        let places = report.program.policies().enumerate();
        let policy_places = places.map(|(place, policy)| (policy.id.to_string(), place)).collect();
        let of_pods = policies_of_pods(map);
        let mut pods = Vec::with_capacity(map.n_peers());
        let mut cuts = Vec::with_capacity(map.n_peers());
        for peer in 0..map.n_peers() {
            let mut classes = BTreeSet::new();
            let of_peer: Vec<PodId> = report
                .map
                .pods(peer)
                .filter(|pod| {
                    report.program.class_of(*pod).is_some_and(|class| classes.insert(class))
                })
                .collect();
            let policies = of_peer.iter().filter_map(|pod| of_pods.get(pod)).flatten();
            let policies: Vec<&Policy> = policies.copied().collect();
            cuts.push(Direction::BOTH.map(|direction| Cuts::of(&policies, direction)));
            pods.push(of_peer);
        }
        Self { map, pods, cuts, policy_places }
    }

    /// The row's traffic, cut where other rules decide: `parts`, and whether only `some` pods and `few`
    /// addresses were asked about.
    pub(super) fn of_row(&self, row: &CollectedRow, causes: &mut Causes) -> Value {
        let Some(traffic) = self.map.traffic.get(row.traffic) else { return Value::Null };
        let egress = self.cuts(row.from, Direction::Egress);
        let ingress = self.cuts(row.to, Direction::Ingress);
        let [(froms, few_from), (tos, few_to)] =
            [self.ends(row.from, ingress), self.ends(row.to, egress)];
        let pairs = froms.iter().flat_map(|from| tos.iter().map(move |to| (from, to)));
        let pairs: Vec<(&End, &End)> = pairs.take(MOST_PAIRS).collect();
        let of_rules = [egress, ingress].into_iter().flatten().flat_map(|cuts| &cuts.ports);
        let served = self.served(row.to);
        let starts: BTreeSet<(Protocol, u16)> = of_rules.chain(&served).copied().collect();
        let mut parts: BTreeMap<Part, Vec<PortRange>> = BTreeMap::new();
        for protocol in Protocol::WITH_PORTS {
            let starts: BTreeSet<u16> =
                starts.iter().filter(|(of, _)| *of == protocol).map(|(_, port)| *port).collect();
            for (is_allowed, set) in [(true, &traffic.allowed), (false, &traffic.undefined)] {
                for cell in set.ports(protocol).into_iter().flat_map(|set| cells(set, &starts)) {
                    let [egress, ingress] = self.sides(&pairs, (protocol, cell.first()), causes);
                    let part = Part { protocol, is_undefined: !is_allowed, egress, ingress };
                    parts.entry(part).or_default().push(cell);
                }
            }
        }
        let parts = parts.into_iter().map(|(part, cells)| {
            let Part { protocol, is_undefined, egress, ingress } = part;
            let ports: PortSet = cells.into_iter().collect();
            json!([protocol.to_string(), ports.to_string(), !is_undefined, egress, ingress])
        });
        let parts: Vec<Value> = parts.collect();
        let is_some = froms.len() * tos.len() > MOST_PAIRS;
        json!({"parts": parts, "some": is_some, "few": few_from || few_to})
    }

    /// What decides each side of one packet, over all pairs for which it is not denied.
    fn sides(
        &self,
        pairs: &[(&End, &End)],
        (protocol, port): (Protocol, u16),
        causes: &mut Causes,
    ) -> [BTreeSet<usize>; 2] {
        let mut sides = [BTreeSet::new(), BTreeSet::new()];
        for (from, to) in pairs {
            let decision = self.map.report.program.decide(from, to, protocol, port);
            if decision.verdict == Verdict::Deny {
                continue;
            }
            let of_sides = [decision.egress.cause, decision.ingress.cause];
            for (side, cause) in sides.iter_mut().zip(of_sides) {
                side.insert(causes.id(cause, |cause| self.policy_place(cause)));
            }
        }
        sides
    }

    fn policy_place(&self, cause: Cause) -> Option<usize> {
        let policy = self.map.report.program.deciding_policy(cause)?;
        self.policy_places.get(&policy.id.to_string()).copied()
    }

    fn cuts(&self, end: EndIx, direction: Direction) -> Option<&Cuts> {
        let [ingress, egress] = self.cuts.get(end.0)?;
        Some(match direction {
            Direction::Ingress => ingress,
            Direction::Egress => egress,
        })
    }

    /// Ends that stand for all of a peer; of addresses, one for each piece that the rules of the
    /// other side cut; and whether there are more.
    fn ends(&self, end: EndIx, cuts: Option<&Cuts>) -> (Vec<End>, bool) {
        if let Some(pods) = self.pods.get(end.0) {
            return (pods.iter().copied().map(End::Pod).collect(), false);
        }
        let Some(set) = self.map.addresses(end) else { return (Vec::new(), false) };
        let starts = set.ranges().iter().map(|range| range.first());
        let cuts = cuts.into_iter().flat_map(|cuts| cuts.addresses.iter().copied());
        let mut addresses: Vec<IpAddr> =
            starts.chain(cuts.filter(|address| set.contains(*address))).collect();
        addresses.sort_unstable();
        addresses.dedup();
        let are_few = addresses.len() > MOST_ADDRESSES;
        addresses.truncate(MOST_ADDRESSES);
        (addresses.into_iter().map(End::Address).collect(), are_few)
    }

    /// Where the named ports of a destination begin and end.
    fn served(&self, end: EndIx) -> BTreeSet<(Protocol, u16)> {
        let pods = self.pods.get(end.0).into_iter().flatten();
        let pods = pods.filter_map(|pod| self.map.report.program.pod(*pod));
        let ports = pods.flat_map(|pod| &pod.ports);
        ports
            .flat_map(|port| {
                [Some(port.port), port.port.checked_add(1)].map(|at| (port.protocol, at))
            })
            .filter_map(|(protocol, at)| Some((protocol, at?)))
            .collect()
    }
}

/// All policies of each pod.
fn policies_of_pods<'m>(map: &Collected<'m>) -> FxHashMap<PodId, Vec<&'m Policy>> {
    let program = map.report.program;
    let mut of_pods: FxHashMap<PodId, Vec<&Policy>> = FxHashMap::default();
    for policy in program.policies() {
        for pod in program.subjects(&policy.id) {
            of_pods.entry(pod).or_default().push(policy);
        }
    }
    of_pods
}

/// The ranges of a set, cut before each of `starts`.
fn cells(set: &PortSet, starts: &BTreeSet<u16>) -> Vec<PortRange> {
    let mut cells = Vec::new();
    for range in set.ranges() {
        let mut first = range.first();
        for start in starts.range(range.first()..=range.last()).filter(|s| **s > range.first()) {
            cells.extend(PortRange::new(first, start - 1));
            first = *start;
        }
        cells.extend(PortRange::new(first, range.last()));
    }
    cells
}

impl Cuts {
    fn of(policies: &[&Policy], direction: Direction) -> Self {
        let mut cuts = Self::default();
        let rules = policies.iter().filter_map(|policy| policy.rules(direction)).flatten();
        rules.for_each(|rule| cuts.add(rule));
        cuts
    }

    fn add(&mut self, rule: &Rule) {
        if let Ports::Listed(specs) = &rule.ports {
            for spec in specs {
                match &spec.matches {
                    PortMatch::Numbers { protocol, range } => {
                        self.ports.insert((*protocol, range.first()));
                        self.ports.extend(range.last().checked_add(1).map(|at| (*protocol, at)));
                    }
                    // Resolved on the destination, whose ports are cut too.
                    PortMatch::Named { .. } => {}
                }
            }
        }
        if let Peers::Listed(peers) = &rule.peers {
            for peer in peers {
                match &peer.matches {
                    PeerMatch::Networks(networks) => networks.iter().for_each(|n| self.cut(n)),
                    PeerMatch::Pods { .. }
                    | PeerMatch::Nodes(_)
                    | PeerMatch::DomainNames(_)
                    | PeerMatch::Unknown => {}
                }
            }
        }
    }

    /// Where the network and the gaps in it begin and end.
    fn cut(&mut self, network: &Network) {
        let except: AddressSet = network.except.iter().map(|net| (*net).into()).collect();
        let inside = AddressSet::from(network.block).difference(&except);
        let edges = [inside.complement(), inside];
        let ranges = edges.iter().flat_map(AddressSet::ranges);
        self.addresses.extend(ranges.map(|range| range.first()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_cut_where_a_rule_may_begin_to_decide() {
        let set: PortSet =
            [(1, 10), (20, 20)].into_iter().filter_map(|(a, b)| PortRange::new(a, b)).collect();
        let cut: Vec<String> =
            cells(&set, &BTreeSet::from([1, 5, 11, 20])).iter().map(ToString::to_string).collect();
        assert_eq!(cut, ["1-4", "5-10", "20"]);
    }

    #[test]
    fn networks_are_cut_at_their_edges_and_exceptions() {
        let mut cuts = Cuts::default();
        cuts.cut(&Network {
            block: "10.0.0.0/8".parse().unwrap(),
            except: vec!["10.1.0.0/16".parse().unwrap()],
        });
        let edges: Vec<String> = cuts.addresses.iter().map(ToString::to_string).collect();
        assert_eq!(edges, ["0.0.0.0", "10.0.0.0", "10.1.0.0", "10.2.0.0", "11.0.0.0", "::"]);
    }
}
