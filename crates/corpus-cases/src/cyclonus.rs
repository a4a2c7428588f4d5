//! The states of the cyclonus generator: NetworkPolicy v1, probes between all pods on all ports.

use crate::state::{self, PodState};
use crate::{Case, Check, CorpusError, Expected, folder};
use net_types::Protocol;
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};

const FILE: &str = "cyclonus_oracle.jsonl.gz";

/// One line of the file; the rest of its fields describe the case in words.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    case: String,
    namespaces: BTreeMap<String, BTreeMap<String, String>>,
    pods: Vec<PodState>,
    network_policies: Vec<Value>,
    probed_ports: Vec<(String, u16)>,
    /// Source, destination, protocol, port, and the sides that deny.
    blocked: Vec<(String, String, String, u16, Sides)>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
enum Sides {
    #[serde(rename = "i")]
    Ingress,
    #[serde(rename = "e")]
    Egress,
    #[serde(rename = "ie")]
    Both,
}

/// Source and destination of a check are never the same pod.
pub fn cyclonus() -> Result<Vec<Case>, CorpusError> {
    folder::text(FILE)?.lines().map(|line| decode(line).and_then(|line| case(&line))).collect()
}

fn decode(line: &str) -> Result<Line, CorpusError> {
    serde_json::from_str(line)
        .map_err(|source| CorpusError::Decode { path: folder::path(FILE), source })
}

fn case(line: &Line) -> Result<Case, CorpusError> {
    let namespaces = line.namespaces.iter().map(|(name, labels)| state::namespace(name, labels));
    let objects: Vec<Value> = namespaces
        .chain(line.pods.iter().map(state::pod))
        .chain(line.network_policies.iter().cloned())
        .collect();
    let snapshot = state::read(&line.case, &objects)?;
    Ok(Case { name: line.case.clone(), objects, snapshot, checks: checks(line)? })
}

fn checks(line: &Line) -> Result<Vec<Check>, CorpusError> {
    let blocked: HashMap<(&str, &str, &str, u16), Sides> = line
        .blocked
        .iter()
        .map(|(from, to, protocol, port, sides)| ((&**from, &**to, &**protocol, *port), *sides))
        .collect();
    let paths: Vec<String> =
        line.pods.iter().map(|pod| format!("{}/{}", pod.ns, pod.name)).collect();
    let mut checks = Vec::new();
    for (name, port) in &line.probed_ports {
        let protocol: Protocol = protocol(&line.case, name)?;
        for from in &paths {
            for to in paths.iter().filter(|to| *to != from) {
                let expected = match blocked.get(&(&**from, &**to, &**name, *port)) {
                    None => Expected::Sides { egress: true, ingress: true },
                    Some(Sides::Ingress) => Expected::Sides { egress: true, ingress: false },
                    Some(Sides::Egress) => Expected::Sides { egress: false, ingress: true },
                    Some(Sides::Both) => Expected::Sides { egress: false, ingress: false },
                };
                let (from, to) = (from.clone(), to.clone());
                checks.push(Check { from, to, protocol, port: *port, expected });
            }
        }
    }
    Ok(checks)
}

pub(crate) fn protocol(case: &str, name: &str) -> Result<Protocol, CorpusError> {
    name.parse().map_err(|source| CorpusError::Protocol { case: case.to_owned(), source })
}
