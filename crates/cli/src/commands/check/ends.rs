//! The ends that a batch speaks of, each text resolved once.

use super::{CheckWorld, caveats};
use crate::{Peer, PeerArgument};
use policy_engine::{ClassId, End, PodId};
use rustc_hash::{FxHashMap, FxHashSet};
use std::net::IpAddr;
use std::rc::Rc;

/// What a peer of a query stands for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Resolved {
    One(End),
    /// The pods of a workload or the addresses of a node, which must agree.
    Several(Several),
    /// An index into `Snapshot::services`.
    Service {
        service: usize,
        pods: Several,
    },
    Refused(String),
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Several {
    pub(crate) all: Vec<End>,
    /// Two of each class, where nodes make no difference: no host-network pod is among them.
    pub(crate) distinct: Option<Vec<End>>,
}

#[derive(Debug)]
pub(crate) struct BatchEnd {
    pub(crate) resolved: Resolved,
    /// Indices into `Snapshot::left_out`.
    pub(crate) caveats: Vec<usize>,
}

/// Bounds the memory of a batch that names ever new peers; it starts again when it is full.
const MOST_KEPT: usize = 1 << 18;
/// The longest kind, namespace and name, and two slashes.
const LONGEST: usize = 22 + 63 + 253 + 2;

#[derive(Debug, Default)]
pub(crate) struct Ends {
    kept: FxHashMap<Box<str>, Rc<BatchEnd>>,
}

impl Ends {
    pub(crate) fn resolve(&mut self, world: CheckWorld<'_>, text: &str) -> Rc<BatchEnd> {
        if let Some(known) = self.kept.get(text) {
            return Rc::clone(known);
        }
        let end = Rc::new(resolve(world, text));
        if self.kept.len() >= MOST_KEPT {
            self.kept.clear();
        }
        if text.len() <= LONGEST {
            self.kept.insert(text.into(), Rc::clone(&end));
        }
        end
    }
}

fn resolve(world: CheckWorld<'_>, text: &str) -> BatchEnd {
    let refused =
        |message: String| BatchEnd { resolved: Resolved::Refused(message), caveats: Vec::new() };
    if text.len() > LONGEST {
        return refused(format!("a peer of {} bytes is longer than any name", text.len()));
    }
    let argument: PeerArgument = match text.parse() {
        Ok(PeerArgument::Namespace(_) | PeerArgument::Network(_) | PeerArgument::Internet) => {
            return refused(format!(
                "`{text}` is a set of peers: a query asks about a pod, a workload, a Service or an address"
            ));
        }
        Ok(argument) => argument,
        Err(error) => return refused(error.to_string()),
    };
    match world.index.resolve(&argument) {
        Ok(peer) => BatchEnd {
            resolved: of_peer(world, &peer),
            caveats: caveats::of_peer(world.snapshot, &peer),
        },
        Err(error) => refused(error.to_string()),
    }
}

fn of_peer(world: CheckWorld<'_>, peer: &Peer) -> Resolved {
    match peer {
        Peer::Pods(pods) => {
            of_pods(world, pods.iter().copied().map(PodId::from_index)).into_resolved()
        }
        Peer::Service(service) => {
            let pods = world.snapshot.services.get(*service);
            let pods = pods.map(|service| world.program.service_pods(service));
            let pods = of_pods(world, pods.into_iter().flatten());
            Resolved::Service { service: *service, pods }
        }
        Peer::Node(node) => {
            let node = world.snapshot.nodes.get(node);
            let addresses = node.iter().flat_map(|node| &node.addresses);
            let all = addresses.copied().map(End::Address).collect();
            Several { all, distinct: None }.into_resolved()
        }
        Peer::Addresses(found) => match found.outside.ranges() {
            [only] => Resolved::One(End::Address(only.first())),
            _ => Resolved::Refused("this address stands for several peers".to_owned()),
        },
    }
}

fn of_pods(world: CheckWorld<'_>, pods: impl Iterator<Item = PodId>) -> Several {
    let all: Vec<PodId> = pods.collect();
    let is_on_host = |id: &PodId| world.program.pod(*id).is_some_and(|pod| pod.host_network);
    let distinct = (!all.iter().any(is_on_host)).then(|| {
        let mut first: FxHashSet<Option<ClassId>> = FxHashSet::default();
        let mut second: FxHashSet<Option<ClassId>> = FxHashSet::default();
        let mut is_new = |class| first.insert(class) || second.insert(class);
        all.iter()
            .filter(|id| is_new(world.program.class_of(**id)))
            .copied()
            .map(End::Pod)
            .collect()
    });
    Several { all: all.into_iter().map(End::Pod).collect(), distinct }
}

impl Several {
    fn into_resolved(self) -> Resolved {
        match self.all.as_slice() {
            [only] => Resolved::One(only.clone()),
            [] => Resolved::Refused("nothing in the input has this name".to_owned()),
            [_, _, ..] => Resolved::Several(self),
        }
    }
}

/// Whether the answers of other pods may depend on the node of this end.
pub(crate) fn is_on_a_node(world: CheckWorld<'_>, end: &End) -> bool {
    let is_node = |address: IpAddr| world.program.node_at(address).is_some();
    match end {
        End::Pod(id) => world.program.pod(*id).is_some_and(|pod| pod.host_network),
        End::Address(address) => is_node(*address),
        End::Name(_) => false,
    }
}
