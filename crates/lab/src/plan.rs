//! What a lab is made of, worked out from manifests without touching anything.
//!
//! The plan's snapshot is the input with everything filled in that the lab decides: each replica is a
//! live pod with its node and its addresses. The engine is asked about that snapshot, and the network is
//! made from it, so both speak of the same packets.

mod addresses;
mod assigned;
mod clashes;
mod dns;
mod listeners;
mod nodes;
mod pods;
mod services;
#[cfg(test)]
mod tests;

use addresses::Addresses;
use net_types::Protocol;
use policy_model::{Labels, Pod, Snapshot, WorkloadRef};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

pub use assigned::{Assigned, AssignedPod, PodKey};
pub use dns::DnsPlan;
pub(crate) use pods::next_number;
pub use services::{Endpoint, ServicePlan, ServicePortPlan};

/// What the user asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanOptions {
    /// As many as the input has, at least one, where it is left out.
    pub nodes: Option<usize>,
    /// The most pods of a workload; a DaemonSet has one for each node all the same.
    pub replicas: usize,
    /// Peers outside of the cluster.
    pub external: Vec<IpAddr>,
    /// `namespace/name` of pods that are left out.
    pub stopped: BTreeSet<String>,
    /// Labels of pods and namespaces that differ from the input.
    pub labels: BTreeMap<String, BTreeMap<String, Option<String>>>,
    /// The pods of workloads that were rolled.
    pub rolled: Rolled,
    /// While pods are replaced: those of before. Then there are exactly the pods of `rolled`.
    pub old: Option<Vec<Pod>>,
}

/// By [`workload_key`].
pub type Rolled = BTreeMap<String, Vec<Slot>>;

/// A pod of a workload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    pub name: String,
    /// Where it has to be, as a place among the nodes.
    pub node: Option<usize>,
    /// It is one of before, with the template of before.
    pub is_old: bool,
}

/// `Deployment shop/web`.
pub fn workload_key(workload: &WorkloadRef) -> String {
    format!("{} {workload}", workload.kind)
}

impl Default for PlanOptions {
    fn default() -> Self {
        let (stopped, labels) = (BTreeSet::new(), BTreeMap::new());
        let (rolled, old) = (Rolled::new(), None);
        Self { nodes: None, replicas: 2, external: Vec::new(), stopped, labels, rolled, old }
    }
}

/// A port that something listens on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Listener {
    pub protocol: Protocol,
    pub port: u16,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodePlan {
    pub name: String,
    pub addresses: Vec<IpAddr>,
}

/// The pod is the one at the same place in the snapshot, which knows its name and addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodPlan {
    /// A place in [`Plan::nodes`].
    pub node: usize,
    /// The index of its link's end in its node's namespace, unless it is on the host network.
    pub link: Option<u32>,
    pub listeners: Vec<Listener>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalPlan {
    pub address: IpAddr,
    pub listeners: Vec<Listener>,
}

#[derive(Clone, Debug)]
pub struct Plan {
    pub snapshot: Snapshot,
    pub nodes: Vec<NodePlan>,
    /// In the order of the snapshot's pods.
    pub pods: Vec<PodPlan>,
    /// In the order of the snapshot's Services.
    pub services: Vec<ServicePlan>,
    pub external: Vec<ExternalPlan>,
    pub dns: DnsPlan,
    /// What is not as the manifests say, for people.
    pub notes: Vec<String>,
    /// Indices of links from here on were never given away.
    next_link: u32,
    /// Addresses that each node's pods have used up.
    turns: BTreeMap<usize, u32>,
    /// Of a plan from nothing: the address of a peer outside that something else would have.
    passed_over: Option<IpAddr>,
}

impl Plan {
    /// `replicas` is what workloads ask for. What was `assigned` before stays as it is.
    pub fn new(
        mut snapshot: Snapshot,
        replicas: &BTreeMap<WorkloadRef, u32>,
        options: &PlanOptions,
        assigned: &Assigned,
    ) -> Self {
        let mut notes = Vec::new();
        dns::add_where_missing(&mut snapshot, &mut notes);
        let mut addresses = Addresses::new(&snapshot, &options.external, assigned);
        let wanted = (options.nodes, assigned);
        let nodes = nodes::plan(&mut snapshot, wanted, &mut addresses, &mut notes);
        let places = (&*nodes, assigned);
        let placed = pods::plan(&mut snapshot, replicas, options, places, &mut notes);
        relabel(&mut snapshot, &options.labels);
        addresses.fill_pods(&mut snapshot, &placed, &nodes, assigned);
        addresses.fill_services(&mut snapshot, assigned);
        let (links, next_link) = assigned::links(&snapshot, assigned);
        let services = services::plan(&snapshot, &mut notes);
        let dns = DnsPlan::new(&snapshot, &services, &mut notes);
        let placed: Vec<(usize, Option<u32>)> = placed.into_iter().zip(links).collect();
        let pods = listeners::of_pods(&snapshot, &placed, &services, &mut notes);
        let external = listeners::of_external(&snapshot, &options.external);
        let passed_over = addresses.passed_over().filter(|_| assigned.nodes.is_empty());
        let turns = addresses.turns();
        Self {
            snapshot,
            nodes,
            pods,
            services,
            external,
            dns,
            notes,
            next_link,
            turns,
            passed_over,
        }
    }

    /// As if other pods than these did not listen yet, or no more: nothing leads to them.
    pub(crate) fn serving(&self, is_serving: impl Fn(&PodKey) -> bool) -> Self {
        let keys: Vec<PodKey> = self.snapshot.pods.iter().map(PodKey::of).collect();
        let serves = |place: usize| keys.get(place).is_some_and(&is_serving);
        let mut plan = self.clone();
        for service in &mut plan.services {
            service.pods.retain(|place| serves(*place));
            for port in &mut service.ports {
                port.endpoints.retain(|endpoint| serves(endpoint.pod));
            }
        }
        plan
    }
}

/// Before Services select their pods.
fn relabel(snapshot: &mut Snapshot, labels: &BTreeMap<String, BTreeMap<String, Option<String>>>) {
    let change = |of: &mut Labels, changes: &BTreeMap<String, Option<String>>| {
        for (key, value) in changes {
            match value {
                Some(value) => of.0.insert(key.clone(), value.clone()),
                None => of.0.remove(key),
            };
        }
    };
    for pod in &mut snapshot.pods {
        if let Some(changes) = labels.get(&pod.to_string()) {
            change(&mut pod.labels, changes);
        }
    }
    for namespace in snapshot.namespaces.values_mut() {
        if let Some(changes) = labels.get(&namespace.name) {
            change(&mut namespace.labels, changes);
        }
    }
}
