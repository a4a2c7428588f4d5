//! Verdicts that the two profiles give differently because a block covers addresses of the cluster.

use crate::contain::addresses;
use crate::points::{oriented, peers, traffic_at};
use crate::words::{connection, sample};
use crate::world::{RuleAt, World};
use net_types::AddressSet;
use policy_engine::{Assumptions, End, PodId, Program, Semantics, Verdict};
use policy_model::{PeerMatch, Rule};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Pods that are asked about for one rule.
const ASKED: usize = 300;

/// One rule whose blocks the profiles read differently.
#[derive(Clone, Debug)]
pub(crate) struct Fork<'p> {
    pub(crate) rule: RuleAt<'p>,
    pub(crate) witness: String,
    /// Both profiles give a definite verdict, on a pod.
    pub(crate) definite: bool,
    /// Only nodes are concerned.
    pub(crate) on_node: bool,
}

/// The pods of the cluster by address.
pub(crate) struct Addressed {
    pods: BTreeMap<IpAddr, PodId>,
    unknown: Vec<PodId>,
}

impl Addressed {
    pub(crate) fn of(world: &World<'_>) -> Self {
        let mut pods = BTreeMap::new();
        let mut unknown = Vec::new();
        for (id, pod) in world.program.pods().filter(|(_, pod)| !pod.host_network) {
            pods.extend(pod.addresses.iter().map(|address| (*address, id)));
            if pod.addresses.is_empty() {
                unknown.push(id);
            }
        }
        Self { pods, unknown: world.one_of_each(&unknown) }
    }

    /// Pods whose known address is in the set.
    pub(crate) fn within(&self, set: &AddressSet) -> Vec<PodId> {
        let ranges = set.ranges().iter();
        ranges
            .flat_map(|range| self.pods.range(range.first()..=range.last()))
            .map(|(_, pod)| *pod)
            .collect()
    }
}

/// The addresses of a rule's blocks; empty without blocks.
pub(crate) fn blocks(rule: &Rule) -> AddressSet {
    let networks = peers(rule).filter_map(|peer| match peer {
        PeerMatch::Networks(networks) => Some(addresses(networks)),
        PeerMatch::Pods { .. }
        | PeerMatch::Nodes(_)
        | PeerMatch::DomainNames(_)
        | PeerMatch::Unknown => None,
    });
    networks.fold(AddressSet::EMPTY, |all, more| all.union(&more))
}

/// The rules on whose blocks a verdict depends, with a connection each.
pub(crate) fn forks<'p>(world: &World<'p>) -> Vec<Fork<'p>> {
    let rules: Vec<(RuleAt<'p>, AddressSet)> = world
        .rules()
        .map(|rule| (rule, blocks(rule.rule)))
        .filter(|(_, set)| !set.is_empty())
        .collect();
    let addressed = Addressed::of(world);
    let assumed = world.program.assumptions();
    let may_matter = |set: &AddressSet| {
        let unknown = !addressed.unknown.is_empty();
        (unknown && !set.intersection(&assumed.pod_networks).is_empty())
            || !addressed.within(set).is_empty()
            || !nodes_within(world, set).is_empty()
    };
    let rules: Vec<_> = rules.into_iter().filter(|(_, set)| may_matter(set)).collect();
    if rules.is_empty() {
        return Vec::new();
    }
    let other = OtherProgram::of(world.program);
    let fork =
        |(rule, set): &(RuleAt<'p>, AddressSet)| fork_of(world, &other, &addressed, *rule, set);
    rules.iter().filter_map(fork).collect()
}

/// The same cluster, read as the other profile reads it.
struct OtherProgram {
    program: Program,
    /// Its ids of the pods of the first program.
    ids: BTreeMap<PodId, PodId>,
}

impl OtherProgram {
    fn of(program: &Program) -> Self {
        let assumed = program.assumptions();
        let semantics = match assumed.semantics {
            Semantics::Upstream => Semantics::Cilium,
            Semantics::Cilium => Semantics::Upstream,
        };
        let assumptions = Assumptions { semantics, pod_networks: assumed.pod_networks.clone() };
        // A snapshot lists pods by name, and pods of one name by id, as this sort does.
        let mut pods: Vec<_> = program.pods().collect();
        pods.sort_by_key(|(_, pod)| (&pod.namespace, &pod.name));
        let ids = pods.into_iter().enumerate();
        let ids = ids.map(|(index, (id, _))| (id, PodId::from_index(index))).collect();
        Self { program: Program::compile(program.snapshot(), assumptions), ids }
    }

    fn end(&self, end: &End) -> Option<End> {
        Some(match end {
            End::Pod(id) => End::Pod(*self.ids.get(id)?),
            End::Address(_) | End::Name(_) => end.clone(),
        })
    }
}

fn nodes_within(world: &World<'_>, set: &AddressSet) -> Vec<IpAddr> {
    let addresses = world.program.nodes().flat_map(|node| node.addresses.iter().copied());
    addresses.filter(|address| set.contains(*address)).collect()
}

fn fork_of<'p>(
    world: &World<'p>,
    other: &OtherProgram,
    addressed: &Addressed,
    rule: RuleAt<'p>,
    set: &AddressSet,
) -> Option<Fork<'p>> {
    let known = world.one_of_each(&addressed.within(set));
    let unknown: &[PodId] =
        if set.intersection(&world.program.assumptions().pod_networks).is_empty() {
            &[]
        } else {
            &addressed.unknown
        };
    let pods = known.iter().chain(unknown).take(ASKED).map(|pod| End::Pod(*pod));
    let nodes = nodes_within(world, set).into_iter().take(1).map(End::Address);
    let ends: Vec<End> = pods.chain(nodes).collect();
    let subjects = world.subjects(rule.policy);
    let subjects = world.one_of_each(&subjects);
    let mut doubtful = None;
    for subject in subjects.into_iter().filter(|id| !world.is_on_host(*id)).take(5) {
        for end in ends.iter().filter(|end| **end != End::Pod(subject)) {
            let Some((witness, definite)) = differs(world, other, rule, subject, end) else {
                continue;
            };
            let on_node = matches!(end, End::Address(_));
            let definite = definite && !on_node;
            let fork = Fork { rule, witness, definite, on_node };
            if definite {
                return Some(fork);
            }
            doubtful.get_or_insert(fork);
        }
    }
    doubtful
}

fn differs(
    world: &World<'_>,
    other: &OtherProgram,
    rule: RuleAt<'_>,
    subject: PodId,
    end: &End,
) -> Option<(String, bool)> {
    let (from, to) = oriented(rule.direction, subject, end);
    let destination = match &to {
        End::Pod(id) => world.pod(*id),
        End::Address(_) | End::Name(_) => None,
    };
    let (protocol, port) = sample(world, &to, &traffic_at(&rule.rule.ports, destination))?;
    let own = world.program.decide(&from, &to, protocol, port).verdict;
    let ends = (other.end(&from)?, other.end(&to)?);
    let across = other.program.decide(&ends.0, &ends.1, protocol, port).verdict;
    let text = connection(world, (&from, &to), (protocol, port));
    let [own_name, other_name] =
        [world.program, &other.program].map(|program| program.assumptions().semantics);
    let definite = own != Verdict::Undefined && across != Verdict::Undefined;
    (own != across)
        .then(|| (format!("{text} ({own_name}: {own}, {other_name}: {across})"), definite))
}
