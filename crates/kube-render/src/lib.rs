//! Values of `policy_model` as manifests that a person can read and that `kube-import` reads back.
//!
//! A shrunk counterexample of a property is a snapshot; as a manifest it can be read, and given to any
//! other tool. Patches that suggest a rule print it in the words of its API.
//!
//! **Shape.** Each kind is turned into a small tree (`yaml`) whose printer alone knows quoting and
//! indentation. **Invariants.** The text has no anchors, tags or flow collections but `{}` and `[]`,
//! and YAML 1.1 and 1.2 read it alike. Deliberately absent: reading, spans, comments of the original.
//!
//! What the API has no words for is marked: a peer of an unknown kind is the field `unknownPeer`, and
//! an object that was left out is a comment.

mod cluster;
mod policy;
mod selector;
mod service;
mod yaml;

use policy_model::{Direction, Policy, PolicyKind, Rule, Snapshot};
use yaml::Yaml;

/// All objects, each in a document of its own.
pub fn manifest(snapshot: &Snapshot) -> String {
    let Snapshot { namespaces, nodes, pods, services, entries, policies, left_out } = snapshot;
    let documents = (namespaces.values().map(cluster::namespace))
        .chain(nodes.values().map(cluster::node))
        .chain(pods.iter().map(cluster::pod))
        .chain(services.iter().map(service::service))
        .chain(entries.iter().map(service::entry))
        .chain(policies.values().map(policy::policy));
    let left_out: String =
        left_out.iter().map(|object| format!("# left out: {}\n", object.object)).collect();
    let texts: Vec<String> = documents.map(|document| document.print(0)).collect();
    left_out + &texts.join("---\n")
}

/// One policy as a document.
pub fn policy(policy: &Policy) -> String {
    policy::policy(policy).print(0)
}

/// One rule as an item of its policy's list, `indent` spaces from the left.
pub fn rule(kind: PolicyKind, direction: Direction, rule: &Rule, indent: usize) -> String {
    Yaml::List(vec![policy::rule(kind, direction, rule)]).print(indent)
}
