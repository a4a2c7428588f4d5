//! The nodes: those of the input, then as many more as were asked for.

use super::addresses::Addresses;
use super::{Assigned, NodePlan};
use policy_model::{Node, Snapshot};
use std::collections::BTreeSet;
use std::net::IpAddr;

/// Leaves the snapshot with the lab's nodes and no others.
pub(super) fn plan(
    snapshot: &mut Snapshot,
    (wanted, assigned): (Option<usize>, &Assigned),
    addresses: &mut Addresses,
    notes: &mut Vec<String>,
) -> Vec<NodePlan> {
    if !assigned.nodes.is_empty() {
        return again(snapshot, &assigned.nodes, notes);
    }
    let named = snapshot.pods.iter().filter_map(|pod| pod.node.clone());
    let known: BTreeSet<String> = snapshot.nodes.keys().cloned().chain(named).collect();
    let n_known = known.len();
    let wanted = wanted.unwrap_or(n_known).max(1);
    let mut names: Vec<String> = known.into_iter().take(wanted).collect();
    let mut number = 0;
    while names.len() < wanted {
        number += 1;
        let name = format!("node-{number}");
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if n_known > wanted {
        notes.push(format!("{wanted} of {n_known} nodes: the pods of the others move"));
    }
    snapshot.nodes.retain(|name, _| names.contains(name));
    let mut plans = Vec::with_capacity(names.len());
    for name in names {
        let node = snapshot.nodes.entry(name.clone()).or_insert_with(|| implied(&name));
        addresses.fill_node(node, plans.len());
        plans.push(NodePlan { name, addresses: node.addresses.clone() });
    }
    plans
}

/// Nodes do not come and go while a lab is up.
fn again(
    snapshot: &mut Snapshot,
    earlier: &[(String, Vec<IpAddr>)],
    notes: &mut Vec<String>,
) -> Vec<NodePlan> {
    let is_there = |name: &str| earlier.iter().any(|(there, _)| there == name);
    let n_more = snapshot.nodes.keys().filter(|name| !is_there(name)).count();
    if n_more > 0 {
        notes.push(format!("{n_more} more nodes are not made while the lab is up"));
    }
    snapshot.nodes.retain(|name, _| is_there(name));
    let plan = |(name, addresses): &(String, Vec<IpAddr>)| {
        let node = snapshot.nodes.entry(name.clone()).or_insert_with(|| implied(name));
        node.addresses.clone_from(addresses);
        NodePlan { name: name.clone(), addresses: addresses.clone() }
    };
    earlier.iter().map(plan).collect()
}

/// With the label that a kubelet gives.
fn implied(name: &str) -> Node {
    let labels = [("kubernetes.io/hostname", name)].into_iter().collect();
    Node { name: name.to_owned(), labels, addresses: Vec::new(), span: None }
}
