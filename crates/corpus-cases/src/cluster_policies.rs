//! The states of the conformance suite of ClusterNetworkPolicy v1alpha2.

use crate::cyclonus::protocol;
use crate::state::{self, NodeState, PodState};
use crate::{Case, Check, CorpusError, Expected, folder};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

const FILE: &str = "cnp_conformance_oracle.json";

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    case: String,
    subtest: String,
    namespaces: BTreeMap<String, BTreeMap<String, String>>,
    nodes: Vec<NodeState>,
    pods: Vec<PodState>,
    cluster_network_policies: Vec<Value>,
    network_policies: Vec<Value>,
    checks: Vec<ItemCheck>,
}

#[derive(Debug, Deserialize)]
struct ItemCheck {
    src: String,
    dst: String,
    proto: String,
    port: u16,
    allowed: bool,
}

pub fn cluster_policies() -> Result<Vec<Case>, CorpusError> {
    let items: Vec<Item> = serde_json::from_str(&folder::text(FILE)?)
        .map_err(|source| CorpusError::Decode { path: folder::path(FILE), source })?;
    items.iter().map(case).collect()
}

fn case(item: &Item) -> Result<Case, CorpusError> {
    let name = format!("{}: {}", item.case, item.subtest);
    let namespaces = item.namespaces.iter().map(|(name, labels)| state::namespace(name, labels));
    let objects: Vec<Value> = namespaces
        .chain(item.nodes.iter().map(state::node))
        .chain(item.pods.iter().map(state::pod))
        .chain(item.cluster_network_policies.iter().cloned())
        .chain(item.network_policies.iter().cloned())
        .collect();
    let snapshot = state::read(&name, &objects)?;
    let check = |check: &ItemCheck| {
        Ok(Check {
            from: check.src.clone(),
            to: check.dst.clone(),
            protocol: protocol(&name, &check.proto)?,
            port: check.port,
            expected: Expected::Connection(check.allowed),
        })
    };
    let checks = item.checks.iter().map(check).collect::<Result<_, CorpusError>>()?;
    Ok(Case { name, objects, snapshot, checks })
}
