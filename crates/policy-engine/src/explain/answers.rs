//! Questions about many ends or ports at once: one answer for each distinct way to a verdict.
//!
//! Pods that no rule tells apart are asked about once, addresses once for each piece that the other
//! end's policies cut out, and ports once for each interval.

use super::Question;
use crate::ends::End;
use crate::ids::{ClassId, PodId};
use crate::program::Program;
use crate::services::ServiceProblem;
use crate::terms::addresses;
use crate::verdict::{Decision, Verdict};
use net_types::{AddressSet, PortRange, Protocol, Traffic};
use policy_model::{Direction, PeerMatch, Peers, PortMatch, Ports, Rule, Service};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// The ends that a question asks about: each of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndSet {
    pub pods: Vec<PodId>,
    /// Addresses of nodes.
    pub nodes: Vec<IpAddr>,
    /// Addresses that nothing in the cluster has.
    pub outside: AddressSet,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AskedPort {
    /// Every port of TCP, UDP and SCTP.
    All,
    One(Protocol, u16),
    /// Wherever the destination serves it.
    Named {
        protocol: Option<Protocol>,
        name: String,
    },
}

/// One way to a verdict, and for whom it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The first of those it holds for.
    pub question: Question,
    pub decision: Decision,
    /// How many pairs of ends it holds for, where addresses cut alike count as one end.
    pub n_pairs: u64,
    /// All ports it holds for.
    pub traffic: Traffic,
    /// The addresses at an end outside the cluster that it holds for.
    pub addresses: AddressSet,
}

/// Ends that policies cannot tell apart.
#[derive(Clone, Debug)]
enum Group {
    Pods(Vec<PodId>),
    Node(IpAddr),
    Outside(IpAddr, AddressSet),
}

impl Group {
    fn end(&self) -> Option<End> {
        match self {
            Self::Pods(pods) => pods.first().copied().map(End::Pod),
            Self::Node(address) | Self::Outside(address, _) => Some(End::Address(*address)),
        }
    }

    /// The endpoints of a Service and the others: only the first may be led to themselves.
    fn apart_from(self, endpoints: &[PodId]) -> Vec<Self> {
        let pods = match self {
            Self::Pods(pods) => pods,
            Self::Node(_) | Self::Outside(..) => return vec![self],
        };
        let parts: (Vec<PodId>, Vec<PodId>) =
            pods.into_iter().partition(|pod| endpoints.binary_search(pod).is_ok());
        [parts.0, parts.1].into_iter().filter(|pods| !pods.is_empty()).map(Self::Pods).collect()
    }
}

impl Program {
    /// All distinct answers: denied ones first, then what is undefined; those of most pairs first.
    pub fn answers(&self, from: &EndSet, to: &EndSet, port: &AskedPort) -> Vec<Answer> {
        let sources = self.end_groups(from, to, Direction::Ingress);
        let destinations = self.end_groups(to, from, Direction::Egress);
        let mut answers = Vec::new();
        for source in &sources {
            for destination in &destinations {
                self.ask_pair(source, destination, port, &mut answers);
            }
        }
        // A single pod that is asked about itself is an answer; among others it is not asked.
        if answers.len() > 1 {
            let is_self = |answer: &Answer| answer.decision == Decision::self_traffic();
            answers.retain(|answer| !is_self(answer));
        }
        sort(&mut answers);
        answers
    }

    /// The answers of a Service's endpoints.
    pub fn service_answers(
        &self,
        from: &EndSet,
        service: &Service,
        protocol: Protocol,
        port: u16,
    ) -> Result<Vec<Answer>, ServiceProblem> {
        let pods = self.service_pods(service);
        let to = EndSet { pods, ..EndSet::default() };
        let mut answers = Vec::new();
        let sources = self.end_groups(from, &to, Direction::Ingress);
        for source in sources.into_iter().flat_map(|source| source.apart_from(&to.pods)) {
            let Some(end) = source.end() else { continue };
            let n_sources = match &source {
                Group::Pods(pods) => pods.len() as u64,
                Group::Node(_) | Group::Outside(..) => 1,
            };
            let asked = self.decide_service(&end, service, protocol, port)?;
            for (destination, target, decision) in asked.endpoints {
                let question =
                    Question { from: end.clone(), to: destination, protocol, port: target };
                let range = PortRange::single(target).unwrap_or(PortRange::ALL);
                let answer = Answer {
                    question,
                    decision,
                    n_pairs: n_sources,
                    traffic: Traffic::of(protocol, range),
                    addresses: outside_of([&source]),
                };
                add(&mut answers, answer);
            }
        }
        sort(&mut answers);
        Ok(answers)
    }

    fn ask_pair(
        &self,
        source: &Group,
        destination: &Group,
        port: &AskedPort,
        answers: &mut Vec<Answer>,
    ) {
        let Some(((from, to), n_pairs)) = pair(source, destination) else { return };
        let mut of_pair: Vec<Answer> = Vec::new();
        for (protocol, range) in self.packets(&from, &to, port) {
            let port = range.first();
            let question = Question { from: from.clone(), to: to.clone(), protocol, port };
            let decision = self.decide(&from, &to, protocol, port);
            let traffic = Traffic::of(protocol, range);
            let addresses = outside_of([source, destination]);
            let answer = Answer { question, decision, n_pairs: 0, traffic, addresses };
            add(&mut of_pair, answer);
        }
        for answer in of_pair {
            add(answers, Answer { n_pairs, ..answer });
        }
    }

    /// The intervals of ports that the policies of both ends tell apart.
    fn packets(&self, from: &End, to: &End, port: &AskedPort) -> Vec<(Protocol, PortRange)> {
        let single = |port| PortRange::single(port).unwrap_or(PortRange::ALL);
        match port {
            AskedPort::One(protocol, port) => vec![(*protocol, single(*port))],
            AskedPort::Named { protocol, name } => {
                let served = match to {
                    End::Pod(id) => self.pod(*id).map_or(&[][..], |pod| pod.ports.as_slice()),
                    End::Address(_) | End::Name(_) => &[],
                };
                let asked = served.iter().filter(|served| {
                    served.name.as_ref() == Some(name)
                        && protocol.is_none_or(|protocol| protocol == served.protocol)
                });
                let packets: BTreeSet<(Protocol, PortRange)> =
                    asked.map(|served| (served.protocol, single(served.port))).collect();
                packets.into_iter().collect()
            }
            AskedPort::All => {
                let rules = self.rules_between(from, to);
                let of = |protocol| self.intervals(protocol, to, &rules);
                Protocol::WITH_PORTS.into_iter().flat_map(of).collect()
            }
        }
    }

    fn rules_between(&self, from: &End, to: &End) -> Vec<&Rule> {
        let of = |end: &End, direction| match end {
            End::Pod(id) => self
                .policies_of(*id, direction)
                .into_iter()
                .flat_map(|policy| policy.rules(direction).unwrap_or_default())
                .collect(),
            End::Address(_) | End::Name(_) => Vec::new(),
        };
        let mut rules: Vec<&Rule> = of(from, Direction::Egress);
        rules.extend(of(to, Direction::Ingress));
        rules
    }

    fn intervals(
        &self,
        protocol: Protocol,
        to: &End,
        rules: &[&Rule],
    ) -> Vec<(Protocol, PortRange)> {
        let mut starts = BTreeSet::from([1]);
        let mut cut = |range: PortRange| {
            starts.insert(range.first());
            starts.extend(range.last().checked_add(1));
        };
        let served = match to {
            End::Pod(id) => self.pod(*id).map_or(&[][..], |pod| pod.ports.as_slice()),
            End::Address(_) | End::Name(_) => &[],
        };
        for rule in rules {
            let Ports::Listed(specs) = &rule.ports else { continue };
            for spec in specs {
                match &spec.matches {
                    PortMatch::Numbers { protocol: of, range } if *of == protocol => cut(*range),
                    PortMatch::Numbers { .. } => {}
                    PortMatch::Named { name, .. } => served
                        .iter()
                        .filter(|port| {
                            port.protocol == protocol && port.name.as_ref() == Some(name)
                        })
                        .filter_map(|port| PortRange::single(port.port))
                        .for_each(&mut cut),
                }
            }
        }
        let starts: Vec<u16> = starts.into_iter().collect();
        let ends = starts.iter().skip(1).map(|next| next - 1).chain([u16::MAX]);
        let ranges =
            starts.iter().zip(ends).filter_map(|(first, last)| PortRange::new(*first, last));
        ranges.map(|range| (protocol, range)).collect()
    }

    /// `direction` is that of the other end's policies, which look at these ends as peers.
    fn end_groups(&self, ends: &EndSet, other: &EndSet, direction: Direction) -> Vec<Group> {
        let by_node = self.pods().any(|(_, pod)| pod.host_network);
        let mut pods: BTreeMap<(Option<ClassId>, Option<&str>), Vec<PodId>> = BTreeMap::new();
        for id in &ends.pods {
            let node = self.pod(*id).filter(|_| by_node).and_then(|pod| self.node_of(pod));
            pods.entry((self.class_of(*id), node)).or_default().push(*id);
        }
        let mut groups: Vec<Group> = pods.into_values().map(Group::Pods).collect();
        groups.extend(ends.nodes.iter().copied().map(Group::Node));
        for piece in self.pieces(&ends.outside, other, direction) {
            if let Some(first) = piece.ranges().first().map(|range| range.first()) {
                groups.push(Group::Outside(first, piece));
            }
        }
        groups
    }

    /// The set, cut where the networks of the other ends' policies begin and end.
    fn pieces(&self, set: &AddressSet, other: &EndSet, direction: Direction) -> Vec<AddressSet> {
        if set.is_empty() {
            return Vec::new();
        }
        let mut networks: BTreeSet<AddressSet> = BTreeSet::new();
        let mut classes: BTreeSet<Option<ClassId>> = BTreeSet::new();
        for pod in other.pods.iter().filter(|pod| classes.insert(self.class_of(**pod))) {
            for policy in self.policies_of(*pod, direction) {
                let rules = policy.rules(direction).unwrap_or_default();
                let peers = rules.iter().filter_map(|rule| match &rule.peers {
                    Peers::Listed(peers) => Some(peers),
                    Peers::Any => None,
                });
                for peer in peers.flatten() {
                    if let PeerMatch::Networks(listed) = &peer.matches {
                        networks.extend(listed.iter().map(addresses));
                    }
                }
            }
        }
        // The families are asked apart: an end has an address of one.
        let v4 = AddressSet::from_iter([net_types::AddressRange::ALL_V4]);
        let mut pieces = vec![set.intersection(&v4), set.difference(&v4)];
        for network in networks {
            let cut =
                |piece: &AddressSet| [piece.intersection(&network), piece.difference(&network)];
            pieces = pieces.iter().flat_map(cut).filter(|piece| !piece.is_empty()).collect();
        }
        pieces.retain(|piece| !piece.is_empty());
        pieces
    }
}

/// One pair that stands for all, and how many there are; a live pod and itself only if there is no other.
fn pair(source: &Group, destination: &Group) -> Option<((End, End), u64)> {
    let (Group::Pods(sources), Group::Pods(destinations)) = (source, destination) else {
        let n_of = |group: &Group| match group {
            Group::Pods(pods) => pods.len() as u64,
            Group::Node(_) | Group::Outside(..) => 1,
        };
        return Some(((source.end()?, destination.end()?), n_of(source) * n_of(destination)));
    };
    let n_same = sources.iter().filter(|pod| destinations.contains(pod)).count();
    let n_pairs = (sources.len() * destinations.len()).saturating_sub(n_same).max(1);
    let (first, second) = (*sources.first()?, *destinations.first()?);
    let (from, to) = if first != second {
        (first, second)
    } else if let Some(other) = destinations.get(1) {
        (first, *other)
    } else {
        (sources.get(1).copied().unwrap_or(first), second)
    };
    Some(((End::Pod(from), End::Pod(to)), n_pairs as u64))
}

fn outside_of<'g>(groups: impl IntoIterator<Item = &'g Group>) -> AddressSet {
    groups.into_iter().fold(AddressSet::EMPTY, |all, group| match group {
        Group::Outside(_, set) => all.union(set),
        Group::Pods(_) | Group::Node(_) => all,
    })
}

fn add(answers: &mut Vec<Answer>, new: Answer) {
    match answers.iter_mut().find(|known| known.decision == new.decision) {
        Some(known) => {
            known.n_pairs += new.n_pairs;
            known.traffic = known.traffic.union(&new.traffic);
            known.addresses = known.addresses.union(&new.addresses);
        }
        None => answers.push(new),
    }
}

fn sort(answers: &mut [Answer]) {
    let rank = |verdict| match verdict {
        Verdict::Deny => 0,
        Verdict::Undefined => 1,
        Verdict::Allow => 2,
    };
    answers.sort_by_key(|answer| {
        (rank(answer.decision.verdict), u64::MAX - answer.n_pairs, answer.question.clone())
    });
}
