//! What both corpora share: namespaces, pods and policies, turned into a manifest and read.

use crate::CorpusError;
use finding_model::Severity;
use policy_model::Snapshot;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

#[derive(Debug, Deserialize)]
pub(crate) struct PodState {
    pub ns: String,
    pub name: String,
    labels: BTreeMap<String, String>,
    ip: String,
    #[serde(default, rename = "hostNetwork")]
    host_network: bool,
    ports: Vec<PortState>,
}

#[derive(Debug, Deserialize)]
struct PortState {
    name: String,
    proto: String,
    port: u16,
}

#[derive(Debug, Deserialize)]
pub(crate) struct NodeState {
    name: String,
    labels: BTreeMap<String, String>,
    ip: String,
}

pub(crate) fn namespace(name: &str, labels: &BTreeMap<String, String>) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
}

pub(crate) fn node(node: &NodeState) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": node.name, "labels": node.labels},
        "status": {"addresses": [{"type": "InternalIP", "address": node.ip}]},
    })
}

pub(crate) fn pod(pod: &PodState) -> Value {
    let port = |port: &PortState| json!({"name": port.name, "protocol": port.proto, "containerPort": port.port});
    // One container for each port: a container has no two ports of one name.
    let container = |state: &PortState| json!({"name": state.name, "ports": [port(state)]});
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": pod.name, "namespace": pod.ns, "labels": pod.labels},
        "spec": {
            "hostNetwork": pod.host_network,
            "containers": pod.ports.iter().map(container).collect::<Vec<_>>(),
        },
        "status": {"phase": "Running", "podIP": pod.ip},
    })
}

/// Reads the objects as one list. A finding of an error means that a verdict would be of something else.
pub(crate) fn read(case: &str, objects: &[Value]) -> Result<Snapshot, CorpusError> {
    let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
    let imported = kube_import::import_text(case, &list.to_string());
    let errors: Vec<&str> = imported
        .findings
        .iter()
        .filter(|finding| finding.severity == Severity::Error)
        .map(|finding| finding.message.as_str())
        .collect();
    if errors.is_empty() {
        return Ok(imported.snapshot);
    }
    Err(CorpusError::Refused { case: case.to_owned(), findings: errors.join("; ") })
}
