//! Sets of ends, resolved: which pods, addresses and nodes a written set stands for.
//!
//! Every part of a set that is written down must stand for something; a part that does not makes the
//! check fail, because a misspelt label would otherwise make it pass for ever.

use crate::results::{Problem, ProblemKind};
use crate::spec::{PeerSet, PodSelection, Whole};
use crate::world::World;
use finding_model::SourceSpan;
use net_types::AddressSet;
use policy_engine::PodId;
use question_syntax::{AddressedPeers, Peer, PeerArgument, did_you_mean, near};
use roaring::RoaringBitmap;
use std::collections::BTreeSet;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Members {
    /// By [`PodId`].
    pub(crate) pods: RoaringBitmap,
    /// Addresses that nothing in the cluster has.
    pub(crate) outside: AddressSet,
    /// By name. Nodes are only in a set that names them by address: traffic from a pod's own node is
    /// never filtered, so a complement that held them could never be forbidden.
    pub(crate) nodes: BTreeSet<String>,
}

impl Members {
    pub(crate) fn is_empty(&self) -> bool {
        self.pods.is_empty() && self.outside.is_empty() && self.nodes.is_empty()
    }

    pub(crate) fn pod_ids(&self) -> impl Iterator<Item = PodId> + '_ {
        ids(&self.pods)
    }

    fn union(mut self, other: Self) -> Self {
        self.pods |= other.pods;
        self.outside = self.outside.union(&other.outside);
        self.nodes.extend(other.nodes);
        self
    }

    fn intersection(mut self, other: &Self) -> Self {
        self.pods &= &other.pods;
        self.outside = self.outside.intersection(&other.outside);
        self.nodes.retain(|node| other.nodes.contains(node));
        self
    }

    pub(crate) fn complement(&self, world: &World<'_>) -> Self {
        let whole = world.anywhere();
        Self {
            pods: &whole.pods - &self.pods,
            outside: whole.outside.difference(&self.outside),
            nodes: BTreeSet::new(),
        }
    }
}

pub(crate) fn ids(pods: &RoaringBitmap) -> impl Iterator<Item = PodId> + '_ {
    pods.iter().map(|pod| PodId::from_index(pod as usize))
}

#[expect(clippy::cast_possible_truncation, reason = "a program has fewer than 2^32 pods")]
pub(crate) fn number(pod: PodId) -> u32 {
    pod.index() as u32
}

/// The members of a set, or everything that is wrong with it.
pub(crate) fn resolve(world: &World<'_>, set: &PeerSet) -> Result<Members, Vec<Problem>> {
    let mut problems = Vec::new();
    let members = part(world, set, &mut problems);
    if problems.is_empty() { Ok(members) } else { Err(problems) }
}

fn part(world: &World<'_>, set: &PeerSet, problems: &mut Vec<Problem>) -> Members {
    let n_problems = problems.len();
    let (members, span) = match set {
        PeerSet::Peer { peer, span } => (of_peer(world, peer, *span, problems), *span),
        PeerSet::Whole { whole, span } => (of_whole(world, *whole), *span),
        PeerSet::Pods { pods, span } => (of_selection(world, pods, problems), *span),
        PeerSet::Any(sets) => {
            let parts = sets.iter().map(|set| part(world, set, problems));
            return parts.fold(Members::default(), Members::union);
        }
        PeerSet::All(sets) => {
            let parts = sets.iter().map(|set| part(world, set, problems));
            return parts.reduce(|all, part| all.intersection(&part)).unwrap_or_default();
        }
        PeerSet::Not(set) => return part(world, set, problems).complement(world),
    };
    if members.is_empty() && problems.len() == n_problems {
        problems.push(nothing(format!("`{set}` selects nothing"), span));
    }
    members
}

pub(crate) fn nothing(message: String, span: SourceSpan) -> Problem {
    problem(ProblemKind::SelectsNothing, message, span)
}

pub(crate) fn problem(kind: ProblemKind, message: String, span: SourceSpan) -> Problem {
    Problem { kind, message, span, examples: Vec::new(), n_examples: 0, and_more: false }
}

fn of_whole(world: &World<'_>, whole: Whole) -> Members {
    let Members { pods, outside, nodes } = world.anywhere().clone();
    match whole {
        Whole::Cluster => Members { pods, ..Members::default() },
        Whole::Outside => Members { outside, ..Members::default() },
        Whole::Anywhere => Members { pods, outside, nodes },
    }
}

fn of_selection(
    world: &World<'_>,
    selection: &PodSelection,
    problems: &mut Vec<Problem>,
) -> Members {
    let PodSelection { namespaces, namespace_labels, labels, host_network } = selection;
    let known = &world.snapshot.namespaces;
    for (name, span) in namespaces.iter().filter(|(name, _)| !known.contains_key(name)) {
        let near = near(name, known.keys().map(String::as_str));
        let message = format!("the input has no namespace `{name}`{}", did_you_mean(&near));
        problems.push(problem(ProblemKind::UnknownPeer, message, *span));
    }
    let in_scope = |name: &str| {
        (namespaces.is_empty() || namespaces.iter().any(|(listed, _)| listed == name))
            && known.get(name).is_some_and(|known| namespace_labels.matches(&known.labels))
    };
    let scope: BTreeSet<&str> =
        known.keys().map(String::as_str).filter(|name| in_scope(name)).collect();
    let selected = world.program.pods().filter(|(_, pod)| {
        scope.contains(pod.namespace.as_str())
            && labels.matches(&pod.labels)
            && host_network.is_none_or(|wanted| wanted == pod.host_network)
    });
    Members { pods: selected.map(|(id, _)| number(id)).collect(), ..Members::default() }
}

fn of_peer(
    world: &World<'_>,
    peer: &PeerArgument,
    span: SourceSpan,
    problems: &mut Vec<Problem>,
) -> Members {
    match world.index.resolve(peer) {
        Ok(Peer::Pods(pods)) => Members { pods: numbers(&pods), ..Members::default() },
        Ok(Peer::Node(node)) => Members { nodes: BTreeSet::from([node]), ..Members::default() },
        Ok(Peer::Service(service)) => {
            let service = world.snapshot.services.get(service);
            let pods = service.map(|service| world.program.service_pods(service));
            let pods: RoaringBitmap = pods.iter().flatten().map(|pod| number(*pod)).collect();
            Members { pods, ..Members::default() }
        }
        // No packet has a Service's address when policies see it.
        Ok(Peer::Addresses(AddressedPeers { outside, pods, nodes, services: _ })) => {
            Members { pods: numbers(&pods), outside, nodes: nodes.into_iter().collect() }
        }
        Err(error) => {
            problems.push(problem(ProblemKind::UnknownPeer, error.to_string(), span));
            Members::default()
        }
    }
}

/// Indices into `Snapshot::pods` are the ids of a program that was compiled from it.
fn numbers(pods: &[usize]) -> RoaringBitmap {
    pods.iter().map(|index| number(PodId::from_index(*index))).collect()
}
