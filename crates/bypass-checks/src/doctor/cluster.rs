//! A cluster's objects, as `kubectl get … -A -o json` prints them.

use super::codes;
use super::rights::{Binding, Rule};
use finding_model::{Finding, Severity};
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use thiserror::Error;

/// The objects that matter here.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Cluster {
    /// Rules by namespace (none of a ClusterRole) and name.
    pub(super) roles: BTreeMap<(Option<String>, String), Vec<Rule>>,
    pub(super) bindings: Vec<Binding>,
    /// Labels by name.
    pub(super) namespaces: BTreeMap<String, BTreeMap<String, String>>,
    pub(super) pods: Vec<Pod>,
    /// Specifications by name.
    pub(super) policies: BTreeMap<String, Value>,
    pub(super) policy_bindings: BTreeMap<String, Value>,
    kinds: BTreeSet<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pod {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) is_static: bool,
    pub(super) spec: Value,
}

/// Text that is no list of objects.
#[derive(Debug, Error)]
pub enum ClusterError {
    #[error("this is no JSON, so it is not what `kubectl get -o json` prints: {0}")]
    Syntax(#[source] serde_json::Error),
    #[error("object {number} of the list cannot be read: {source}")]
    Object {
        number: usize,
        #[source]
        source: serde_json::Error,
    },
}

/// Every cluster has some of each.
const KINDS: [&str; 6] =
    ["ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding", "Namespace", "Pod"];
/// The API server sets it on the mirror of a pod that a kubelet has from a file.
const MIRROR: &str = "kubernetes.io/config.mirror";

#[derive(Deserialize)]
struct List {
    #[serde(default)]
    items: Option<Vec<Value>>,
    #[serde(flatten)]
    object: serde_json::Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Object {
    kind: String,
    metadata: Metadata,
    #[serde(default)]
    rules: Option<Vec<Rule>>,
    #[serde(default)]
    spec: Value,
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
    #[serde(default)]
    namespace: Option<String>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

impl Cluster {
    /// Adds what a list has, or one object. Kinds that do not matter here are skipped.
    ///
    /// # Errors
    /// It is no JSON, or an object is not as its kind says.
    pub fn add(&mut self, text: &[u8]) -> Result<(), ClusterError> {
        let list: List = serde_json::from_slice(text).map_err(ClusterError::Syntax)?;
        let objects = list.items.unwrap_or_else(|| vec![Value::Object(list.object)]);
        for (number, object) in objects.into_iter().enumerate() {
            let failed = |source| ClusterError::Object { number: number + 1, source };
            self.add_object(object).map_err(failed)?;
        }
        Ok(())
    }

    fn add_object(&mut self, object: Value) -> Result<(), serde_json::Error> {
        let kind = object.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned();
        if let "ClusterRoleBinding" | "RoleBinding" = kind.as_str() {
            self.bindings.push(serde_json::from_value(object)?);
            self.kinds.insert(kind);
            return Ok(());
        }
        let Object { kind, metadata, rules, spec } = serde_json::from_value(object)?;
        let Metadata { name, namespace, labels, annotations } = metadata;
        match kind.as_str() {
            "ClusterRole" | "Role" => {
                self.roles.insert((namespace, name), rules.unwrap_or_default());
            }
            "Namespace" => {
                self.namespaces.insert(name, labels);
            }
            "Pod" => self.pods.push(Pod {
                namespace: namespace.unwrap_or_default(),
                name,
                is_static: annotations.contains_key(MIRROR),
                spec,
            }),
            "ValidatingAdmissionPolicy" => {
                self.policies.insert(name, spec);
            }
            "ValidatingAdmissionPolicyBinding" => {
                self.policy_bindings.insert(name, spec);
            }
            _ => return Ok(()),
        }
        self.kinds.insert(kind);
        Ok(())
    }

    /// What nothing can be said about.
    pub(super) fn incomplete(&self) -> Option<Finding> {
        let missing: Vec<&str> =
            KINDS.into_iter().filter(|kind| !self.kinds.contains(*kind)).collect();
        if missing.is_empty() {
            return None;
        }
        let message = format!("the input has no {}", missing.join(", no "));
        let help = "give what `kubectl get -A -o json \
                    clusterroles,clusterrolebindings,roles,rolebindings,namespaces,pods,validatingadmissionpolicies,validatingadmissionpolicybindings` \
                    prints, as somebody who may read all of it";
        let finding = Finding::new(codes::INCOMPLETE, Severity::Error, message, help);
        Some(finding.because("every cluster has some, so ways round are not seen"))
    }
}
