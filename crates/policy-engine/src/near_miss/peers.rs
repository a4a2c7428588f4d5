//! What keeps an end from matching a peer.

use super::labels::{self, LabelOwner};
use super::{Difference, RulePart};
use crate::ends::End;
use crate::facts::domain_matches;
use crate::ids::PodId;
use crate::program::Program;
use crate::semantics::Semantics;
use crate::terms::addresses;
use net_types::AddressSet;
use policy_model::{LabelSelector, NamespaceScope, Network, PeerMatch, Pod};
use std::net::IpAddr;

/// `None`: the peer is unknown. `Some(None)`: it speaks of another sort of thing.
pub(super) fn differences(
    program: &Program,
    peer: &PeerMatch,
    end: &End,
) -> Option<Option<Vec<Difference>>> {
    let pod = match end {
        End::Pod(id) => program.pod(*id),
        End::Address(_) | End::Name(_) => None,
    };
    Some(match peer {
        PeerMatch::Pods { namespaces, pods } => {
            pod.map(|pod| pod_differences(program, pod, namespaces, pods))
        }
        PeerMatch::Networks(networks) => network_difference(program, networks, end),
        PeerMatch::Nodes(selector) => node_differences(program, selector, end),
        PeerMatch::DomainNames(names) => match end {
            End::Name(name) => {
                names.iter().any(|pattern| domain_matches(pattern, name)).then(Vec::new)
            }
            End::Pod(_) | End::Address(_) => None,
        },
        PeerMatch::Unknown => return None,
    })
}

fn pod_differences(
    program: &Program,
    pod: &Pod,
    namespaces: &NamespaceScope,
    pods: &LabelSelector,
) -> Vec<Difference> {
    let mut found = Vec::new();
    if pod.host_network {
        found.push(Difference::HostNetwork);
    }
    match namespaces {
        NamespaceScope::Own(own) if *own != pod.namespace => {
            let rule = own.clone();
            found.push(Difference::PeerNamespace { rule, pod: pod.namespace.clone() });
        }
        NamespaceScope::Own(_) => {}
        NamespaceScope::Selected(selector) => {
            let of_namespace = program.namespace(&pod.namespace).map(|found| &found.labels);
            let owner = LabelOwner::Namespace(pod.namespace.clone());
            found.extend(labels::differences(
                program,
                RulePart::Peer,
                selector,
                of_namespace,
                &owner,
            ));
        }
    }
    found.extend(labels::differences(
        program,
        RulePart::Peer,
        pods,
        Some(&pod.labels),
        &LabelOwner::Pod,
    ));
    found
}

fn network_difference(
    program: &Program,
    networks: &[Network],
    end: &End,
) -> Option<Vec<Difference>> {
    let own: Vec<IpAddr> = match end {
        End::Pod(id) => program.pod(*id)?.addresses.clone(),
        End::Address(address) => vec![*address],
        End::Name(_) => return None,
    };
    let in_cluster = match end {
        End::Pod(_) => true,
        End::Address(address) => program.node_at(*address).is_some(),
        End::Name(_) => false,
    };
    let covered =
        networks.iter().fold(AddressSet::EMPTY, |all, network| all.union(&addresses(network)));
    let contains = own.iter().any(|address| covered.contains(*address));
    if in_cluster && program.assumptions().semantics == Semantics::Cilium {
        return contains
            .then(|| vec![Difference::NetworksSkipCluster { networks: networks.to_vec() }]);
    }
    if contains {
        return Some(Vec::new());
    }
    // Nothing is known of the address of such a pod, so no block is near it.
    (!own.is_empty())
        .then(|| vec![Difference::OutsideNetworks { addresses: own, networks: networks.to_vec() }])
}

fn node_differences(
    program: &Program,
    selector: &LabelSelector,
    end: &End,
) -> Option<Vec<Difference>> {
    let node = match end {
        End::Pod(id) => host_node(program, *id)?,
        End::Address(address) => program.node_at(*address)?.name.as_str(),
        End::Name(_) => return None,
    };
    let labels = program.nodes().find(|known| known.name == node).map(|node| &node.labels);
    let owner = LabelOwner::Node(node.to_owned());
    Some(labels::differences(program, RulePart::Peer, selector, labels, &owner).collect())
}

/// The node that a host-network pod is.
fn host_node(program: &Program, id: PodId) -> Option<&str> {
    let pod = program.pod(id).filter(|pod| pod.host_network)?;
    program.node_of(pod)
}
