//! What a lab gave away and does not take back while it is up: nodes, addresses and links.

use super::Plan;
use super::addresses::{cluster_addresses, service_key};
use policy_model::{Pod, Snapshot};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Links of routers have numbers from here on.
const FIRST_LINK: u32 = 100;

/// `namespace/name`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PodKey(String);

impl PodKey {
    pub fn of(pod: &Pod) -> Self {
        Self(format!("{}/{}", pod.namespace, pod.name))
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssignedPod {
    /// A place among the nodes.
    pub node: usize,
    pub addresses: Vec<IpAddr>,
    /// The index of its link in the node's namespace, unless it is on the host network.
    pub link: Option<u32>,
}

/// A plan that is made with these keeps them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assigned {
    /// Names and addresses, in order.
    pub nodes: Vec<(String, Vec<IpAddr>)>,
    pub pods: BTreeMap<PodKey, AssignedPod>,
    /// By `namespace/name`.
    pub services: BTreeMap<String, Vec<IpAddr>>,
    pub next_link: Option<u32>,
    /// How many addresses the pods of each node have used up: one is not used again while others are free,
    /// because somebody may still take it for the pod that had it.
    pub turns: BTreeMap<usize, u32>,
}

impl Assigned {
    pub fn of(plan: &Plan) -> Self {
        let pods = plan.snapshot.pods.iter().zip(&plan.pods).map(|(pod, planned)| {
            let addresses = pod.addresses.clone();
            (PodKey::of(pod), AssignedPod { node: planned.node, addresses, link: planned.link })
        });
        let services = plan.snapshot.services.iter();
        Self {
            nodes: (plan.nodes.iter())
                .map(|node| (node.name.clone(), node.addresses.clone()))
                .collect(),
            pods: pods.collect(),
            services: services
                .map(|service| (service_key(service), cluster_addresses(service).to_vec()))
                .filter(|(_, addresses)| !addresses.is_empty())
                .collect(),
            next_link: Some(plan.next_link),
            turns: plan.turns.clone(),
        }
    }

    /// Gives new links to pods whose links are not kept, and forgets nothing that `later` has used up.
    pub(crate) fn renumber(&mut self, is_kept: impl Fn(u32) -> bool, later: &Self) {
        let mut next = later.next_link.max(self.next_link).unwrap_or(FIRST_LINK);
        let links = self.pods.values_mut().filter_map(|pod| pod.link.as_mut());
        for link in links.filter(|link| !is_kept(**link)) {
            *link = next;
            next += 1;
        }
        self.next_link = Some(next);
        self.turns.clone_from(&later.turns);
    }

    /// A pod that has an interface of its own, and so addresses of its own.
    pub(super) fn with_link(&self, pod: &PodKey) -> Option<&AssignedPod> {
        self.pods.get(pod).filter(|earlier| earlier.link.is_some())
    }
}

/// A link's index for each pod that has one, and the first that is free. An index is never used again: who
/// still holds it must not mean another pod.
pub(super) fn links(snapshot: &Snapshot, assigned: &Assigned) -> (Vec<Option<u32>>, u32) {
    let mut next = assigned.next_link.unwrap_or(FIRST_LINK);
    let mut link = |pod: &Pod| {
        if pod.host_network {
            return None;
        }
        let earlier = assigned.pods.get(&PodKey::of(pod)).and_then(|earlier| earlier.link);
        Some(earlier.unwrap_or_else(|| {
            next += 1;
            next - 1
        }))
    };
    let links = snapshot.pods.iter().map(&mut link).collect();
    (links, next)
}
