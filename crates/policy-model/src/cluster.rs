//! Namespaces, nodes, workloads and pods.

use crate::Labels;
use finding_model::SourceSpan;
use net_types::Protocol;
use std::fmt;
use std::net::IpAddr;

/// The API server sets this label on every namespace to the namespace's name.
pub const NAMESPACE_NAME_LABEL: &str = "kubernetes.io/metadata.name";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespace {
    pub name: String,
    /// With [`NAMESPACE_NAME_LABEL`], whether or not a manifest wrote it.
    pub labels: Labels,
    /// `None` where no manifest declares the namespace and it is only named by others.
    pub span: Option<SourceSpan>,
}

impl Namespace {
    /// A namespace that is named but not declared.
    pub fn implied(name: &str) -> Self {
        let labels = [(NAMESPACE_NAME_LABEL, name)].into_iter().collect();
        Self { name: name.to_owned(), labels, span: None }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    pub name: String,
    pub labels: Labels,
    /// `status.addresses` that are IP addresses.
    pub addresses: Vec<IpAddr>,
    pub span: Option<SourceSpan>,
}

/// Ordered as reports list them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WorkloadKind {
    Deployment,
    StatefulSet,
    DaemonSet,
    ReplicaSet,
    ReplicationController,
    Job,
    CronJob,
    /// A pod without an owner is its own workload.
    Pod,
}

impl WorkloadKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deployment => "Deployment",
            Self::StatefulSet => "StatefulSet",
            Self::DaemonSet => "DaemonSet",
            Self::ReplicaSet => "ReplicaSet",
            Self::ReplicationController => "ReplicationController",
            Self::Job => "Job",
            Self::CronJob => "CronJob",
            Self::Pod => "Pod",
        }
    }
}

impl fmt::Display for WorkloadKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An owner and its pods.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkloadRef {
    pub namespace: String,
    pub name: String,
    pub kind: WorkloadKind,
}

/// `namespace/name`.
impl fmt::Display for WorkloadRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContainerPort {
    pub name: Option<String>,
    pub protocol: Protocol,
    /// 1 to 65535.
    pub port: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PodOrigin {
    /// A Pod object.
    Live,
    /// The pod template of a workload that has no pods in the input: it stands for all its replicas.
    Template,
}

/// A pod that is not terminated, or the template of pods to come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    pub namespace: String,
    /// For a template, the workload's name.
    pub name: String,
    pub workload: WorkloadRef,
    pub origin: PodOrigin,
    pub labels: Labels,
    /// Empty where unknown; at most one of each family.
    pub addresses: Vec<IpAddr>,
    pub host_network: bool,
    /// The node that it runs on, where known.
    pub node: Option<String>,
    /// Of all containers and native sidecars (init containers with `restartPolicy: Always`).
    pub ports: Vec<ContainerPort>,
    pub span: Option<SourceSpan>,
}

/// `namespace/name`.
impl fmt::Display for Pod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}
