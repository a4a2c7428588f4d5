//! The cluster state that a decision is made on.

use crate::{Entry, Namespace, Node, Pod, Policy, PolicyId, Service};
use finding_model::SourceSpan;
use std::collections::BTreeMap;

/// What an object that could not be read would have touched.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LeftOutScope {
    /// Every answer: a cluster-scoped policy, a Node.
    Cluster,
    /// Answers with an end in the namespace: a NetworkPolicy, or the Namespace itself.
    Namespace(String),
    /// Answers about this workload, pod, Service or entry only.
    Object { namespace: String, name: String },
}

/// An object of the input that was not read, because it has errors.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LeftOut {
    /// `NetworkPolicy shop/web`.
    pub object: String,
    pub scope: LeftOutScope,
    pub span: Option<SourceSpan>,
}

/// Objects are sorted by name, so that the order of documents changes nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    pub namespaces: BTreeMap<String, Namespace>,
    pub nodes: BTreeMap<String, Node>,
    /// By (namespace, name). A template may share its name with a live pod of another workload.
    pub pods: Vec<Pod>,
    pub services: Vec<Service>,
    pub entries: Vec<Entry>,
    pub policies: BTreeMap<PolicyId, Policy>,
    /// Only with `--keep-going`.
    pub left_out: Vec<LeftOut>,
}

impl Snapshot {
    /// What was left out and could have changed an answer between these ends. `None` is an end
    /// outside the cluster, else a (namespace, name).
    pub fn caveats<'a>(
        &'a self,
        ends: [Option<(&'a str, &'a str)>; 2],
    ) -> impl Iterator<Item = &'a LeftOut> {
        self.left_out.iter().filter(move |left_out| match &left_out.scope {
            LeftOutScope::Cluster => true,
            LeftOutScope::Namespace(namespace) => {
                ends.iter().flatten().any(|(end_namespace, _)| end_namespace == namespace)
            }
            LeftOutScope::Object { namespace, name } => {
                ends.iter().flatten().any(|end| *end == (namespace.as_str(), name.as_str()))
            }
        })
    }
}
