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
use policy_engine::{Cause, Decision, End, PodId, RuleId, Verdict};
use policy_model::{
    Action, Direction, Network, Peer, PeerMatch, Peers, Policy, Rule, RuleRef, Tier,
};
use std::collections::BTreeSet;

/// A case about a whole namespace asks about so many packets at most.
const MOST_PACKETS_OF_A_CASE: usize = 100_000;

/// An assertion looks at so many packets of a rule, in search of one that the rule decides.
const MOST_PACKETS_OF_A_RULE: usize = 128;

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
    let direction = id.direction();
    let (subjects, others) = match direction {
        Direction::Ingress => (connections.to, connections.from),
        Direction::Egress => (connections.from, connections.to),
    };
    let pods = world.program.subjects(&policy.id).into_iter();
    let pods: Vec<PodId> = pods.filter(|pod| subjects.pods.contains(number(*pod))).collect();
    let mut budget = MOST_PACKETS_OF_A_RULE;
    for (_, pods) in world.program.classes_in(&world.program.group(pods)) {
        let Some(subject) = pods.first().copied() else { continue };
        for other in peers_of(world, rule, others) {
            if other == End::Pod(subject) && world.is_itself(subject) {
                continue;
            }
            let subject = End::Pod(subject);
            let (from, to) = match direction {
                Direction::Ingress => (other, subject),
                Direction::Egress => (subject, other),
            };
            let destination = if let End::Pod(pod) = to { Some(pod) } else { None };
            let wanted = crate::blocks::wanted(world, connections.ports, destination);
            for (protocol, port) in ports(world, &wanted, &to) {
                let packet = Packet { from: &from, to: &to, protocol, port };
                if deciding_rules(world, &packet, &packet.decide(world)).contains(&id) {
                    return true;
                }
                budget -= 1;
                if budget == 0 {
                    return false;
                }
            }
        }
    }
    false
}

/// Some ends of a set that a rule's peers may match: one pod of each class, one address of each block.
fn peers_of(world: &World<'_>, rule: &Rule, set: &Members) -> Vec<End> {
    let outside = |addresses: &AddressSet| {
        example_address(&addresses.intersection(&set.outside)).map(End::Address)
    };
    let one_of_each = |pods: Vec<PodId>| -> Vec<End> {
        let pods = pods.into_iter().filter(|pod| set.pods.contains(number(*pod)));
        let classes = world.program.classes_in(&world.program.group(pods));
        classes.iter().filter_map(|(_, pods)| pods.first().copied().map(End::Pod)).collect()
    };
    let Peers::Listed(peers) = &rule.peers else {
        let mut ends = one_of_each(set.pod_ids().collect());
        ends.extend(outside(&set.outside));
        return ends;
    };
    peers
        .iter()
        .flat_map(|Peer { matches, span: _ }| match matches {
            PeerMatch::Pods { namespaces, pods } => {
                one_of_each(world.program.select(namespaces, pods))
            }
            PeerMatch::Networks(networks) => {
                let addresses = networks.iter().map(addresses);
                let addresses = addresses.fold(AddressSet::EMPTY, |all, one| all.union(&one));
                let inside = world.program.pods().filter(|(_, pod)| {
                    pod.addresses.iter().any(|address| addresses.contains(*address))
                });
                let mut ends = one_of_each(inside.map(|(id, _)| id).collect());
                ends.extend(outside(&addresses));
                ends
            }
            PeerMatch::Nodes(selector) => {
                let nodes = world.program.nodes();
                let selected = nodes.filter(|node| {
                    selector.matches(&node.labels) && set.nodes.contains(&node.name)
                });
                selected
                    .filter_map(|node| node.addresses.first().copied().map(End::Address))
                    .collect()
            }
            // Which addresses a name has is not known, so none is sure to be decided by it.
            PeerMatch::DomainNames(_) | PeerMatch::Unknown => Vec::new(),
        })
        .collect()
}

fn addresses(network: &Network) -> AddressSet {
    let except: AddressSet = network.except.iter().map(|except| (*except).into()).collect();
    AddressSet::from(network.block).difference(&except)
}
