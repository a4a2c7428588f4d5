//! The two ends of a connection.

use policy_model::{Labels, WorkloadRef};
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    pub address: IpAddr,
    /// `None` for protocols without ports.
    pub port: Option<u16>,
    pub identity: Identity,
}

/// Who had the address when the flow was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    Pod(Arc<PodIdentity>),
    Node(Arc<str>),
    /// A Service's own address, where the backend is not known.
    Service {
        namespace: Arc<str>,
        name: Arc<str>,
    },
    /// Outside the cluster.
    Outside,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodIdentity {
    pub name: String,
    /// In the pod's namespace.
    pub workload: WorkloadRef,
    pub labels: Labels,
    pub node: Option<String>,
}

impl PodIdentity {
    pub fn namespace(&self) -> &str {
        &self.workload.namespace
    }
}

/// `namespace/name`, a node as `node/name`, a Service as `service/namespace/name`, else the address.
impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.identity {
            Identity::Pod(pod) => write!(f, "{}/{}", pod.namespace(), pod.name),
            Identity::Node(name) => write!(f, "node/{name}"),
            Identity::Service { namespace, name } => write!(f, "service/{namespace}/{name}"),
            Identity::Outside => self.address.fmt(f),
        }
    }
}
