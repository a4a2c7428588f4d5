//! Which rules decide the connections that tests are about.
//!
//! A rule decides a connection if it decides a side that decides the verdict: of a denied connection,
//! only the sides that deny count, because the other could change unnoticed. A rule that passes the
//! decision on counts where the first match of its tier is that rule.

use crate::blocks::{Block, Connections, one_of_each_class};
use crate::members::{Members, number};
use crate::results::{Coverage, RuleCoverage};
use crate::witness::Packet;
use crate::world::{World, example_address};
use net_types::{AddressSet, PortRange, Protocol, Traffic};
use policy_engine::{Cause, ClassId, Decision, End, PodId, RuleId, Verdict};
use policy_model::{
    Action, Direction, Network, Peer, PeerMatch, Peers, Policy, PortMatch, Ports, Rule, RuleRef,
    Tier,
};
use question_syntax::PortArgument;
use std::collections::BTreeSet;

/// A case about a whole namespace asks about so many packets at most.
const MOST_PACKETS_OF_A_CASE: usize = 100_000;

/// An assertion looks at so many packets of a rule, in search of one that the rule decides.
const MOST_PACKETS_OF_A_RULE: usize = 64;

/// Collects rules while checks run.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    by_case: BTreeSet<RuleId>,
    by_assertion: BTreeSet<RuleId>,
}

impl Recorder {
    pub(crate) fn case(&mut self, rules: impl IntoIterator<Item = RuleId>) {
        self.by_case.extend(rules);
    }

    /// Finds the rules that decide some connection of the scope of an assertion.
    pub(crate) fn assertion(&mut self, world: &World<'_>, connections: Connections<'_>) {
        for policy in world.program.policies() {
            for direction in Direction::BOTH {
                for (rule, index) in policy.rules(direction).into_iter().flatten().zip(0..) {
                    let at = RuleRef { policy: policy.id.clone(), direction, rule: index };
                    let Some(id) = world.program.rule_id(&at) else { continue };
                    if !self.by_assertion.contains(&id)
                        && decides_any(world, connections, (policy, rule), id)
                    {
                        self.by_assertion.insert(id);
                    }
                }
            }
        }
    }

    pub(crate) fn finish(self, world: &World<'_>) -> Coverage {
        let mut rules = Vec::new();
        for policy in world.snapshot.policies.values() {
            for direction in Direction::BOTH {
                for (rule, index) in policy.rules(direction).into_iter().flatten().zip(0..) {
                    let at = RuleRef { policy: policy.id.clone(), direction, rule: index };
                    let id = world.program.rule_id(&at);
                    let is_in = |hit: &BTreeSet<RuleId>| id.is_some_and(|id| hit.contains(&id));
                    rules.push(RuleCoverage {
                        rule: at,
                        span: rule.span,
                        by_case: is_in(&self.by_case),
                        by_assertion: is_in(&self.by_assertion),
                    });
                }
            }
        }
        Coverage { rules }
    }
}

/// The rules that decide the verdict on a packet.
pub(crate) fn deciding_rules(
    world: &World<'_>,
    packet: &Packet<'_>,
    decision: &Decision,
) -> Vec<RuleId> {
    let mut rules = Vec::new();
    for direction in Direction::BOTH {
        let side = decision.side(direction);
        if decision.verdict == Verdict::Deny && side.verdict != Verdict::Deny {
            continue;
        }
        if let Cause::Rule(rule) = side.cause {
            rules.push(rule);
        }
        if world.has_pass && !matches!(side.cause, Cause::SelfTraffic | Cause::NotAPod) {
            rules.extend(passing_rules(world, packet, direction));
        }
    }
    rules
}

/// Rules that are the first match of their tier and pass the decision on.
fn passing_rules(world: &World<'_>, packet: &Packet<'_>, direction: Direction) -> Vec<RuleId> {
    let Packet { from, to, protocol, port } = *packet;
    let program = world.program;
    let matching = program.matching_rules(direction, (from, to), protocol, port);
    let mut tiers_seen: BTreeSet<Tier> = BTreeSet::new();
    let is_first_of_tier = |rule: &RuleId| {
        program.policy_of(*rule).is_some_and(|policy| tiers_seen.insert(policy.tier))
    };
    let first: Vec<RuleId> = matching.into_iter().filter(is_first_of_tier).collect();
    // What comes after a tier that decided was not asked.
    let passes =
        |rule: &RuleId| program.rule(*rule).is_some_and(|rule| rule.action == Action::Pass);
    first.into_iter().take_while(passes).collect()
}

/// Packets that stand for every connection of a block, as far as rules can tell them apart.
pub(crate) fn packets(world: &World<'_>, block: &Block) -> Vec<(End, End, Protocol, u16)> {
    let mut packets = Vec::new();
    for from in one_of_each_class(world, &block.from) {
        for to in one_of_each_class(world, &block.to) {
            for (protocol, port) in ports(world, &block.wanted, &to) {
                if packets.len() >= MOST_PACKETS_OF_A_CASE {
                    return packets;
                }
                packets.push((from.clone(), to.clone(), protocol, port));
            }
        }
    }
    packets
}

fn ports(world: &World<'_>, wanted: &Traffic, to: &End) -> Vec<(Protocol, u16)> {
    let mut ports = Vec::new();
    for protocol in Protocol::WITH_PORTS {
        for range in wanted.ports(protocol).into_iter().flat_map(|ports| ports.ranges()) {
            let range: PortRange = *range;
            ports.extend(world.cuts(protocol, range, to).into_iter().map(|port| (protocol, port)));
        }
    }
    ports.extend(wanted.other.then_some((Protocol::Other(1), 0)));
    ports
}

fn decides_any(
    world: &World<'_>,
    connections: Connections<'_>,
    (policy, rule): (&Policy, &Rule),
    id: RuleId,
) -> bool {
    if !may_meet(world, connections, rule) {
        return false;
    }
    let direction = id.direction();
    let (subjects, others) = match direction {
        Direction::Ingress => (connections.to, connections.from),
        Direction::Egress => (connections.from, connections.to),
    };
    let pods = world.program.subjects(&policy.id).into_iter();
    let subjects = one_of_each(world, pods.filter(|pod| subjects.pods.contains(number(*pod))));
    if subjects.is_empty() {
        return false;
    }
    let mut asked: Vec<Vec<(End, End, Protocol, u16)>> = Vec::new();
    for (subject, other) in spread(&subjects, &peers_of(world, rule, others)) {
        let (from, to) = match direction {
            Direction::Ingress => (other, subject),
            Direction::Egress => (subject, other),
        };
        let pod = if let End::Pod(pod) = to { Some(*pod) } else { None };
        if from == to && pod.is_some_and(|pod| world.is_itself(pod)) {
            continue;
        }
        let wanted = crate::blocks::wanted(world, connections.ports, pod);
        let wanted = wanted.intersection(&of_rule(world, rule, pod));
        let ports = ports(world, &wanted, to).into_iter();
        asked.push(
            ports.map(|(protocol, port)| (from.clone(), to.clone(), protocol, port)).collect(),
        );
    }
    // One port of every pair comes before the second port of any.
    let n_rounds = asked.iter().map(Vec::len).max().unwrap_or(0);
    let in_rounds =
        (0..n_rounds).flat_map(|n| asked.iter().filter_map(move |of_pair| of_pair.get(n)));
    in_rounds.take(MOST_PACKETS_OF_A_RULE).any(|(from, to, protocol, port)| {
        let packet = Packet { from, to, protocol: *protocol, port: *port };
        deciding_rules(world, &packet, &packet.decide(world)).contains(&id)
    })
}

/// Pairs of two lists, those of the first few of either before all of one.
fn spread<'l>(left: &'l [End], right: &'l [End]) -> Vec<(&'l End, &'l End)> {
    let mut pairs = Vec::new();
    for sum in 0..left.len() + right.len() {
        for (index, one) in left.iter().enumerate().take(sum + 1) {
            pairs.extend(right.get(sum - index).map(|other| (one, other)));
            if pairs.len() >= MOST_PACKETS_OF_A_RULE {
                return pairs;
            }
        }
    }
    pairs
}

/// Whether the ports of a rule and of a scope can have any in common; names are not looked up.
fn may_meet(world: &World<'_>, connections: Connections<'_>, rule: &Rule) -> bool {
    let has_names = |ports: &Ports| match ports {
        Ports::All => false,
        Ports::Listed(ports) => {
            ports.iter().any(|port| matches!(port.matches, PortMatch::Named { .. }))
        }
    };
    let is_named = |port: &PortArgument| matches!(port, PortArgument::Named { .. });
    has_names(&rule.ports)
        || connections.ports.iter().any(is_named)
        || !crate::blocks::wanted(world, connections.ports, None)
            .intersection(&of_rule(world, rule, None))
            .is_empty()
}

/// The ports of a rule, as far as the destination is known.
fn of_rule(world: &World<'_>, rule: &Rule, to: Option<PodId>) -> Traffic {
    let Ports::Listed(ports) = &rule.ports else { return Traffic::all() };
    ports.iter().fold(Traffic::NONE, |all, port| {
        let one = match &port.matches {
            PortMatch::Numbers { protocol, range } => Traffic::of(*protocol, *range),
            PortMatch::Named { protocol, name } => {
                let named = PortArgument::Named { protocol: *protocol, name: name.clone() };
                crate::blocks::wanted(world, &[named], to)
            }
        };
        all.union(&one)
    })
}

/// Some ends of a set that a rule's peers may match: one pod of each class, one address of each block.
fn peers_of(world: &World<'_>, rule: &Rule, set: &Members) -> Vec<End> {
    let outside = |addresses: &AddressSet| {
        example_address(&addresses.intersection(&set.outside)).map(End::Address)
    };
    let Peers::Listed(peers) = &rule.peers else {
        let mut ends = one_of_each(world, set.pod_ids());
        ends.extend(outside(&set.outside));
        return ends;
    };
    peers
        .iter()
        .flat_map(|Peer { matches, span: _ }| match matches {
            PeerMatch::Pods { namespaces, pods } => {
                one_of_each(world, world.lookup.selected(world, (namespaces, pods), &set.pods))
            }
            PeerMatch::Networks(networks) => {
                let addresses = networks.iter().map(addresses);
                let addresses = addresses.fold(AddressSet::EMPTY, |all, one| all.union(&one));
                let inside = world.lookup.within(&addresses);
                let inside = inside.filter(|pod| set.pods.contains(number(*pod)));
                let mut ends = one_of_each(world, inside);
                ends.extend(outside(&addresses));
                ends
            }
            PeerMatch::Nodes(selector) => {
                let nodes = world.program.nodes().filter(|node| {
                    selector.matches(&node.labels) && set.nodes.contains(&node.name)
                });
                nodes.filter_map(|node| node.addresses.first().copied().map(End::Address)).collect()
            }
            // Which addresses a name has is not known, so none is sure to be decided by it.
            PeerMatch::DomainNames(_) | PeerMatch::Unknown => Vec::new(),
        })
        .collect()
}

/// The first pod of each class, no more of them than anyone will look at.
fn one_of_each(world: &World<'_>, pods: impl Iterator<Item = PodId>) -> Vec<End> {
    let mut seen: BTreeSet<ClassId> = BTreeSet::new();
    let is_new = |pod: &PodId| world.program.class_of(*pod).is_some_and(|class| seen.insert(class));
    pods.filter(is_new).take(MOST_PACKETS_OF_A_RULE).map(End::Pod).collect()
}

fn addresses(network: &Network) -> AddressSet {
    let except: AddressSet = network.except.iter().map(|except| (*except).into()).collect();
    AddressSet::from(network.block).difference(&except)
}
