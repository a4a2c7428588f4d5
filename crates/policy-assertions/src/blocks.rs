//! All connections of a scope, in blocks whose pairs of ends have the same traffic.
//!
//! Pods come by class and addresses by the pieces that policies tell apart, so a scope of 10,000 pods
//! and the whole address space is a few thousand blocks.

use crate::members::{Members, ids, number};
use crate::world::{World, example_address};
use net_types::{AddressSet, PortRange, Protocol, Traffic};
use policy_engine::{ClassId, End, PairTraffic, PodId, TrafficCache};
use policy_model::Direction;
use question_syntax::PortArgument;
use roaring::RoaringBitmap;
use std::collections::BTreeMap;

/// A scope whose sets were looked up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Connections<'s> {
    pub(crate) from: &'s Members,
    pub(crate) to: &'s Members,
    pub(crate) ports: &'s [PortArgument],
}

impl<'s> Connections<'s> {
    /// The set whose pods decide in the direction, and the other.
    fn oriented(self, direction: Direction) -> (&'s Members, &'s Members) {
        let Self { from, to, ports: _ } = self;
        match direction {
            Direction::Ingress => (to, from),
            Direction::Egress => (from, to),
        }
    }
}

/// One side of a block; not empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Half {
    Pods(RoaringBitmap),
    Outside(AddressSet),
    /// An address of the node.
    Node {
        node: String,
        end: End,
    },
}

#[derive(Clone, Debug)]
pub(crate) struct Block {
    pub(crate) from: Half,
    pub(crate) to: Half,
    /// What the scope asks about; not empty.
    pub(crate) wanted: Traffic,
    pub(crate) traffic: PairTraffic,
}

/// Whether blocks in which nothing is allowed matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denied {
    Visit,
    Skip,
}

impl Half {
    /// Ends that stand for all of it: one address for a set of addresses.
    pub(crate) fn ends(&self) -> Box<dyn Iterator<Item = End> + '_> {
        match self {
            Self::Pods(pods) => Box::new(ids(pods).map(End::Pod)),
            Self::Outside(addresses) => {
                Box::new(example_address(addresses).map(End::Address).into_iter())
            }
            Self::Node { end, .. } => Box::new(std::iter::once(end.clone())),
        }
    }

    /// The half as a set.
    pub(crate) fn members(&self) -> Members {
        match self {
            Self::Pods(pods) => Members { pods: pods.clone(), ..Members::default() },
            Self::Outside(addresses) => {
                Members { outside: addresses.clone(), ..Members::default() }
            }
            Self::Node { node, .. } => {
                Members { nodes: [node.clone()].into(), ..Members::default() }
            }
        }
    }
}

impl Block {
    /// Pairs of ends, those that stand for a set of addresses once, without a pod's traffic to itself.
    pub(crate) fn pairs<'b>(
        &'b self,
        world: &'b World<'_>,
    ) -> impl Iterator<Item = (End, End)> + 'b {
        self.from.ends().flat_map(move |from| {
            let other = move |(from, to): &(End, End)| match (from, to) {
                (End::Pod(a), End::Pod(b)) => a != b || !world.is_itself(*a),
                (End::Pod(_) | End::Address(_) | End::Name(_), _) => true,
            };
            self.to.ends().map(move |to| (from.clone(), to)).filter(other)
        })
    }
}

/// Visits every block; `visit` returns false to stop.
pub(crate) fn visit(
    world: &World<'_>,
    connections: Connections<'_>,
    denied: Denied,
    mut visit: impl FnMut(&Block) -> bool,
) {
    let mut walk = Walk { world, connections, denied, cache: TrafficCache::default() };
    let visit = &mut visit;
    // Nothing filters between addresses outside, so there is nothing to say of them.
    let _goes_on = walk.between_pods(visit)
        && walk.between_outside(Direction::Ingress, visit)
        && walk.between_outside(Direction::Egress, visit)
        && walk.between_nodes(Direction::Ingress, visit)
        && walk.between_nodes(Direction::Egress, visit);
}

struct Walk<'w> {
    world: &'w World<'w>,
    connections: Connections<'w>,
    denied: Denied,
    cache: TrafficCache,
}

type Visit<'v> = &'v mut dyn FnMut(&Block) -> bool;

impl Walk<'_> {
    fn between_pods(&mut self, visit: Visit<'_>) -> bool {
        let program = self.world.program;
        let destinations = program.group(self.connections.to.pod_ids());
        if destinations.is_empty() {
            return true;
        }
        let sources = program.group(self.connections.from.pod_ids());
        let mut rows = program.rows();
        for (class, sources) in program.classes_in(&sources) {
            let from = Half::Pods(sources.iter().map(|pod| number(*pod)).collect());
            if self.wants_portless() {
                if !self.every_pair(&sources, visit) {
                    return false;
                }
                continue;
            }
            let mut rest = self.connections.to.pods.clone();
            for (pods, traffic) in rows.reached_from(class, &destinations) {
                let pods: RoaringBitmap = pods.into_iter().map(number).collect();
                rest -= &pods;
                if !self.emit(&from, &Half::Pods(pods), &traffic, visit) {
                    return false;
                }
            }
            if self.denied == Denied::Visit
                && !rest.is_empty()
                && !self.emit(&from, &Half::Pods(rest), &PairTraffic::default(), visit)
            {
                return false;
            }
        }
        true
    }

    fn wants_portless(&self) -> bool {
        self.connections.ports.iter().any(|port| matches!(port, PortArgument::Portless(_)))
    }

    /// Protocols without ports are not in the rows of a map, so each pair of classes is asked. The
    /// classes of host-network pods do not say which node is whose: their pods are asked one by one.
    fn every_pair(&mut self, sources: &[PodId], visit: Visit<'_>) -> bool {
        let program = self.world.program;
        let destinations = program.group(self.connections.to.pod_ids());
        for (_, pods) in program.classes_in(&destinations) {
            let is_host = |pods: &[PodId]| {
                pods.first().and_then(|pod| program.pod(*pod)).is_some_and(|pod| pod.host_network)
            };
            let apart = is_host(sources) || is_host(&pods) || sources == pods.as_slice();
            let groups: Vec<(Vec<PodId>, Vec<PodId>)> = if apart {
                let pairs = sources.iter().flat_map(|s| pods.iter().map(|d| (vec![*s], vec![*d])));
                pairs.collect()
            } else {
                vec![(sources.to_vec(), pods)]
            };
            for (from, to) in groups {
                let (Some(first), Some(last)) = (from.first(), to.last()) else { continue };
                let ends = (End::Pod(*first), End::Pod(*last));
                let traffic = program.traffic(&ends.0, &ends.1, &mut self.cache);
                let half = |pods: Vec<PodId>| Half::Pods(pods.into_iter().map(number).collect());
                if !self.emit(&half(from), &half(to), &traffic, visit) {
                    return false;
                }
            }
        }
        true
    }

    fn between_outside(&mut self, direction: Direction, visit: Visit<'_>) -> bool {
        let program = self.world.program;
        let (subjects, addresses) = self.connections.oriented(direction);
        if addresses.outside.is_empty() {
            return true;
        }
        for (_, pods) in program.classes_in(&program.group(subjects.pod_ids())) {
            let Some(first) = pods.first() else { continue };
            let half = Half::Pods(pods.iter().map(|pod| number(*pod)).collect());
            for (piece, traffic) in program.outside_traffic(*first, direction, &mut self.cache) {
                let piece = piece.intersection(&addresses.outside);
                if piece.is_empty() || (self.denied == Denied::Skip && traffic.is_empty()) {
                    continue;
                }
                let outside = Half::Outside(piece);
                let goes_on = match direction {
                    Direction::Ingress => self.emit(&outside, &half, &traffic, visit),
                    Direction::Egress => self.emit(&half, &outside, &traffic, visit),
                };
                if !goes_on {
                    return false;
                }
            }
        }
        true
    }

    /// Pods of one class may be on different nodes, so each is asked.
    fn between_nodes(&mut self, direction: Direction, visit: Visit<'_>) -> bool {
        let (subjects, others) = self.connections.oriented(direction);
        for node in &others.nodes {
            let addresses = self.world.snapshot.nodes.get(node).map(|node| &node.addresses);
            for address in addresses.into_iter().flatten() {
                let end = End::Address(*address);
                let at_node = Half::Node { node: node.clone(), end: end.clone() };
                for pod in subjects.pod_ids() {
                    let half = Half::Pods([number(pod)].into_iter().collect());
                    let pod = End::Pod(pod);
                    let program = self.world.program;
                    let goes_on = match direction {
                        Direction::Ingress => {
                            let traffic = program.traffic(&end, &pod, &mut self.cache);
                            self.emit(&at_node, &half, &traffic, visit)
                        }
                        Direction::Egress => {
                            let traffic = program.traffic(&pod, &end, &mut self.cache);
                            self.emit(&half, &at_node, &traffic, visit)
                        }
                    };
                    if !goes_on {
                        return false;
                    }
                }
            }
        }
        true
    }

    /// Cuts the destination where named ports are served differently.
    fn emit(&self, from: &Half, to: &Half, traffic: &PairTraffic, visit: Visit<'_>) -> bool {
        for (wanted, to) in self.by_wanted(to) {
            let block = Block { from: from.clone(), to, wanted, traffic: traffic.clone() };
            if !visit(&block) {
                return false;
            }
        }
        true
    }

    fn by_wanted(&self, to: &Half) -> Vec<(Traffic, Half)> {
        let ports = self.connections.ports;
        let Half::Pods(pods) = to else {
            let wanted = wanted(self.world, ports, None);
            return if wanted.is_empty() { Vec::new() } else { vec![(wanted, to.clone())] };
        };
        if !ports.iter().any(|port| matches!(port, PortArgument::Named { .. })) {
            return vec![(wanted(self.world, ports, None), to.clone())];
        }
        let mut groups: BTreeMap<Traffic, RoaringBitmap> = BTreeMap::new();
        for pod in ids(pods) {
            let wanted = wanted(self.world, ports, Some(pod));
            if !wanted.is_empty() {
                groups.entry(wanted).or_default().insert(number(pod));
            }
        }
        groups.into_iter().map(|(wanted, pods)| (wanted, Half::Pods(pods))).collect()
    }
}

/// What the ports of a scope come to at a destination; a name is only known on a pod.
pub(crate) fn wanted(world: &World<'_>, ports: &[PortArgument], to: Option<PodId>) -> Traffic {
    if ports.is_empty() {
        return Traffic { other: false, ..Traffic::all() };
    }
    ports.iter().fold(Traffic::NONE, |all, port| all.union(&of_port(world, port, to)))
}

fn of_port(world: &World<'_>, port: &PortArgument, to: Option<PodId>) -> Traffic {
    let single = |protocol: Protocol, port: u16| {
        PortRange::single(port).map_or(Traffic::NONE, |range| Traffic::of(protocol, range))
    };
    match port {
        PortArgument::All => Traffic { other: false, ..Traffic::all() },
        PortArgument::Number { protocol, port } => single(*protocol, *port),
        PortArgument::Portless(_) => Traffic { other: true, ..Traffic::NONE },
        PortArgument::Named { protocol, name } => {
            let served = to.and_then(|pod| world.program.pod(pod)).map(|pod| &pod.ports);
            let named = served.into_iter().flatten().filter(|served| {
                served.name.as_ref() == Some(name)
                    && protocol.is_none_or(|protocol| protocol == served.protocol)
            });
            named
                .fold(Traffic::NONE, |all, served| all.union(&single(served.protocol, served.port)))
        }
    }
}

/// The first pod of each class among some.
pub(crate) fn one_of_each_class(world: &World<'_>, half: &Half) -> Vec<End> {
    match half {
        Half::Pods(pods) => {
            let classes: Vec<(ClassId, Vec<PodId>)> =
                world.program.classes_in(&world.program.group(ids(pods)));
            classes.iter().filter_map(|(_, pods)| pods.first().copied().map(End::Pod)).collect()
        }
        Half::Outside(_) | Half::Node { .. } => half.ends().collect(),
    }
}
