//! Which objects that were left out could have changed an answer.

use crate::Peer;
use policy_model::{LeftOut, LeftOutScope, Snapshot};

/// How far an end of a question reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach<'a> {
    /// One object, or the workload of a pod.
    Object { namespace: &'a str, name: &'a str },
    /// Anything of the namespace, such as pods that a Service could select.
    Namespace(&'a str),
}

impl Reach<'_> {
    fn is_touched_by(self, left_out: &LeftOut) -> bool {
        match (&left_out.scope, self) {
            (LeftOutScope::Cluster, _) => true,
            (
                LeftOutScope::Namespace(of),
                Self::Object { namespace, .. } | Self::Namespace(namespace),
            ) => of == namespace,
            (LeftOutScope::Object { namespace: of, .. }, Self::Namespace(namespace)) => {
                of == namespace
            }
            (
                LeftOutScope::Object { namespace: of, name: left },
                Self::Object { namespace, name },
            ) => (of.as_str(), left.as_str()) == (namespace, name),
        }
    }
}

/// Indices into `Snapshot::left_out` of what could have changed answers about the peer.
pub(crate) fn of_peer(snapshot: &Snapshot, peer: &Peer) -> Vec<usize> {
    if snapshot.left_out.is_empty() {
        return Vec::new();
    }
    let reach = reach(snapshot, peer);
    let touches = |left_out: &LeftOut| {
        left_out.scope == LeftOutScope::Cluster
            || reach.iter().any(|reach| reach.is_touched_by(left_out))
    };
    let indexed = snapshot.left_out.iter().enumerate();
    indexed.filter(|(_, left_out)| touches(left_out)).map(|(index, _)| index).collect()
}

/// What touches either end.
pub(crate) fn of_both(from: &[usize], to: &[usize]) -> Vec<usize> {
    let mut all: Vec<usize> = from.iter().chain(to).copied().collect();
    all.sort_unstable();
    all.dedup();
    all
}

fn reach<'a>(snapshot: &'a Snapshot, peer: &Peer) -> Vec<Reach<'a>> {
    let of_pods = |pods: &[usize]| -> Vec<Reach<'a>> {
        let pods = pods.iter().filter_map(|pod| snapshot.pods.get(*pod));
        pods.flat_map(|pod| {
            let namespace = pod.namespace.as_str();
            [&pod.name, &pod.workload.name].map(|name| Reach::Object { namespace, name })
        })
        .collect()
    };
    let of_services = |services: &[usize]| -> Vec<Reach<'a>> {
        let services = services.iter().filter_map(|service| snapshot.services.get(*service));
        services.map(|service| Reach::Namespace(&service.namespace)).collect()
    };
    match peer {
        Peer::Pods(pods) => of_pods(pods),
        Peer::Service(service) => of_services(&[*service]),
        Peer::Node(_) => Vec::new(),
        Peer::Addresses(found) => {
            let mut reach = of_pods(&found.pods);
            reach.extend(of_services(&found.services));
            reach
        }
    }
}
