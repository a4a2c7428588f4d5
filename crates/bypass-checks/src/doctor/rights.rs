//! Who may do what, as the RBAC authoriser reads roles and bindings.

use super::cluster::Cluster;
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Rule {
    #[serde(default)]
    api_groups: Vec<String>,
    #[serde(default)]
    resources: Vec<String>,
    #[serde(default)]
    resource_names: Vec<String>,
    #[serde(default)]
    verbs: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Binding {
    kind: String,
    metadata: BindingMetadata,
    role_ref: RoleRef,
    #[serde(default)]
    subjects: Option<Vec<Subject>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct BindingMetadata {
    name: String,
    #[serde(default)]
    namespace: Option<String>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct RoleRef {
    kind: String,
    name: String,
}

/// Who has a right.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub(super) struct Subject {
    pub(super) kind: String,
    pub(super) name: String,
    #[serde(default)]
    pub(super) namespace: Option<String>,
}

/// A request for which a right is looked for. A wildcard in a rule covers it; an empty list of names covers all names.
#[derive(Debug, Clone, Copy)]
pub(super) struct Right {
    /// Any of them is enough.
    pub(super) verbs: &'static [&'static str],
    pub(super) group: &'static str,
    /// With its sub-resource: `nodes/proxy`.
    pub(super) resource: &'static str,
}

/// A role that a subject has, and where.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grant<'a> {
    pub(super) subject: &'a Subject,
    /// All namespaces, where there is none.
    pub(super) namespace: Option<&'a str>,
    rules: &'a [Rule],
    binding: &'a Binding,
}

impl Cluster {
    /// Every role that somebody has, without those that the control plane itself has by default.
    pub(super) fn grants(&self) -> impl Iterator<Item = Grant<'_>> {
        self.bindings.iter().filter(|binding| !binding.is_default()).flat_map(|binding| {
            let namespace = binding.metadata.namespace.as_deref();
            let of_namespace =
                (binding.role_ref.kind == "Role").then(|| namespace.map(str::to_owned));
            let key = (of_namespace.flatten(), binding.role_ref.name.clone());
            let rules = self.roles.get(&key).map(Vec::as_slice).unwrap_or_default();
            let subjects = binding.subjects.iter().flatten();
            subjects.map(move |subject| Grant { subject, namespace, rules, binding })
        })
    }
}

impl Binding {
    /// What the API server makes when it starts. The group of all cluster admins is in one of them.
    fn is_default(&self) -> bool {
        let is_default = self
            .metadata
            .labels
            .get("kubernetes.io/bootstrapping")
            .is_some_and(|value| value == "rbac-defaults");
        // Somebody may have put others into it.
        is_default
            && self.subjects.iter().flatten().all(|subject| {
                subject.name.starts_with("system:")
                    || subject.namespace.as_deref() == Some("kube-system")
            })
    }
}

impl Grant<'_> {
    /// Whether it allows a request, for an object with this name or for some object.
    pub(super) fn allows(&self, right: &Right, name: Option<&str>) -> bool {
        self.rules.iter().any(|rule| rule.allows(right, name))
    }

    pub(super) fn allows_everything(&self) -> bool {
        let every = Right { verbs: &["*"], group: "*", resource: "*" };
        self.namespace.is_none()
            && self
                .rules
                .iter()
                .any(|rule| rule.resource_names.is_empty() && rule.allows(&every, None))
    }

    /// `ClusterRoleBinding devs → ClusterRole edit`.
    pub(super) fn source(&self) -> String {
        let Binding { kind, metadata, role_ref, .. } = self.binding;
        let name = match &metadata.namespace {
            Some(namespace) => format!("{namespace}/{}", metadata.name),
            None => metadata.name.clone(),
        };
        format!("{kind} {name} → {} {}", role_ref.kind, role_ref.name)
    }
}

impl Rule {
    fn allows(&self, right: &Right, name: Option<&str>) -> bool {
        let has = |all: &[String], wanted: &str| all.iter().any(|one| one == "*" || one == wanted);
        let named = self.resource_names.is_empty()
            || name.is_none_or(|name| self.resource_names.iter().any(|one| one == name));
        right.verbs.iter().any(|verb| has(&self.verbs, verb))
            && has(&self.api_groups, right.group)
            && self.resources.iter().any(|resource| covers(resource, right.resource))
            && named
    }
}

/// `*/proxy` covers `nodes/proxy`; a name covers only itself.
fn covers(rule: &str, resource: &str) -> bool {
    rule == "*"
        || rule == resource
        || rule.strip_prefix("*/").is_some_and(|sub| {
            resource.split_once('/').is_some_and(|(_, subresource)| subresource == sub)
        })
}

impl Subject {
    /// The user's name as the API server has it; none of a group.
    pub(super) fn user(&self) -> Option<String> {
        match (self.kind.as_str(), &self.namespace) {
            ("User", _) => Some(self.name.clone()),
            ("ServiceAccount", Some(namespace)) => {
                Some(format!("system:serviceaccount:{namespace}:{}", self.name))
            }
            _ => None,
        }
    }

    pub(super) fn shown(&self) -> String {
        match &self.namespace {
            Some(namespace) => format!("{} {namespace}/{}", self.kind, self.name),
            None => format!("{} {}", self.kind, self.name),
        }
    }
}
