//! The peers of a map as reports name them.

use policy_engine::{ConnectionMap, MapPeer, Program};
use policy_model::{LeftOut, LeftOutScope, PodOrigin};

/// One peer inside the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PeerName<'a> {
    pub(crate) namespace: &'a str,
    pub(crate) name: &'a str,
    pub(crate) kind: &'static str,
    /// Another peer of the namespace has the same name.
    pub(crate) is_ambiguous: bool,
    /// Indices of objects that were left out and could have changed answers about the peer.
    pub(crate) caveats: Vec<usize>,
}

/// All peers, in the order of rows.
#[derive(Debug)]
pub(crate) struct PeerTable<'a> {
    names: Vec<PeerName<'a>>,
}

impl<'a> PeerTable<'a> {
    pub(crate) fn new(program: &'a Program, map: &'a ConnectionMap<'a>) -> Self {
        let mut names: Vec<PeerName<'a>> = Vec::with_capacity(map.peers().len());
        for (place, peer) in map.peers().enumerate() {
            let is_template = || {
                let origin = map.pods(place).next().and_then(|id| program.pod(id));
                origin.is_some_and(|pod| pod.origin == PodOrigin::Template)
            };
            let mut name = named(peer, is_template);
            name.caveats = caveats(program.left_out(), peer);
            if let Some(last) = names.last_mut()
                && (last.namespace, last.name) == (name.namespace, name.name)
            {
                last.is_ambiguous = true;
                name.is_ambiguous = true;
            }
            names.push(name);
        }
        Self { names }
    }

    pub(crate) fn len(&self) -> usize {
        self.names.len()
    }

    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = &PeerName<'a>> {
        self.names.iter()
    }

    pub(crate) fn name(&self, peer: usize) -> Option<&PeerName<'a>> {
        self.names.get(peer)
    }

    /// Objects that were left out and could have changed a row, by their place in the list.
    pub(crate) fn caveats_of(&self, ends: [Option<usize>; 2]) -> Vec<usize> {
        let names = ends.into_iter().flatten().filter_map(|peer| self.name(peer));
        let mut all: Vec<usize> = names.flat_map(|name| name.caveats.iter().copied()).collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}

impl PeerName<'_> {
    /// `web`, or `web (Deployment)` where that is needed to tell it from another.
    pub(crate) fn short(&self) -> String {
        if self.is_ambiguous {
            format!("{} ({})", self.name, self.kind)
        } else {
            self.name.to_owned()
        }
    }

    /// `shop/web`; a namespace is `shop/`, as a PEER is written.
    pub(crate) fn long(&self) -> String {
        if self.kind == NAMESPACE {
            format!("{}/", self.namespace)
        } else {
            format!("{}/{}", self.namespace, self.short())
        }
    }

    pub(crate) fn is_namespace(&self) -> bool {
        self.kind == NAMESPACE
    }
}

const NAMESPACE: &str = "Namespace";

fn named(peer: &MapPeer, is_template: impl Fn() -> bool) -> PeerName<'_> {
    let (namespace, name, kind) = match peer {
        MapPeer::Namespace(name) => (name.as_str(), name.as_str(), NAMESPACE),
        MapPeer::Workload(workload) => {
            (workload.namespace.as_str(), workload.name.as_str(), workload.kind.as_str())
        }
        MapPeer::Pod { namespace, name, workload } => {
            let kind = if is_template() { workload.kind.as_str() } else { "Pod" };
            (namespace.as_str(), name.as_str(), kind)
        }
        MapPeer::Outside(_) => ("", "", ""),
    };
    PeerName { namespace, name, kind, is_ambiguous: false, caveats: Vec::new() }
}

/// The rule of [`policy_model::Snapshot::caveats`], for a peer that may stand for several pods.
fn caveats(left_out: &[LeftOut], peer: &MapPeer) -> Vec<usize> {
    let touches = |left_out: &LeftOut| match (&left_out.scope, peer) {
        (LeftOutScope::Cluster, _) => true,
        (_, MapPeer::Outside(_)) => false,
        (LeftOutScope::Namespace(namespace), _) => namespace == namespace_of(peer),
        (LeftOutScope::Object { namespace, .. }, MapPeer::Namespace(of)) => namespace == of,
        (LeftOutScope::Object { namespace, name }, MapPeer::Workload(workload)) => {
            (namespace, name) == (&workload.namespace, &workload.name)
        }
        (
            LeftOutScope::Object { namespace, name },
            MapPeer::Pod { namespace: of, name: pod, workload },
        ) => namespace == of && (name == pod || *name == workload.name),
    };
    let indexed = left_out.iter().enumerate();
    indexed.filter(|(_, left_out)| touches(left_out)).map(|(index, _)| index).collect()
}

fn namespace_of(peer: &MapPeer) -> &str {
    match peer {
        MapPeer::Namespace(name) => name,
        MapPeer::Workload(workload) => &workload.namespace,
        MapPeer::Pod { namespace, .. } => namespace,
        MapPeer::Outside(_) => "",
    }
}
