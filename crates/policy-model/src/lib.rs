//! Kubernetes objects as the policy engine reads them: a [`Snapshot`] of typed values.
//!
//! Everything is parsed and validated before it gets here: a selector has an operator that exists,
//! a block is a CIDR, a port range is not empty. Whatever could not be validated is absent and named
//! in [`Snapshot::left_out`].
//!
//! **Invariants.** Every namespace that an object names exists in [`Snapshot::namespaces`] and
//! carries `kubernetes.io/metadata.name`. Terminated pods are absent. A workload with live pods has
//! no template pod. Deliberately absent: verdicts (see `policy-engine`), manifests (see
//! `kube-import`), I/O and serialisation.

mod cluster;
mod labels;
mod policy;
mod service;
mod snapshot;

pub use cluster::{
    ContainerPort, NAMESPACE_NAME_LABEL, Namespace, Node, Pod, PodOrigin, WorkloadKind, WorkloadRef,
};
pub use labels::{LabelSelector, Labels, Operator, Requirement};
pub use policy::{
    Action, Direction, NamespaceScope, Network, Peer, PeerMatch, Peers, Policy, PolicyId,
    PolicyKind, PortMatch, PortSpec, Ports, Rule, RuleRef, Subject, Tier,
};
pub use service::{
    Backend, BackendPort, Entry, EntryKind, Service, ServiceKind, ServicePort, TargetPort,
};
pub use snapshot::{LeftOut, LeftOutScope, Snapshot};
