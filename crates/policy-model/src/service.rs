//! Services, and the Ingresses and routes that open them to the outside.

use crate::LabelSelector;
use finding_model::SourceSpan;
use net_types::Protocol;
use std::fmt;
use std::net::IpAddr;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServiceKind {
    /// ClusterIP, NodePort and LoadBalancer; no addresses where the manifest leaves them open.
    ClusterIp { addresses: Vec<IpAddr> },
    /// `clusterIP: None`: clients get the pods' addresses and use the target ports.
    Headless,
    /// A DNS alias of a name outside the cluster.
    ExternalName(String),
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TargetPort {
    Number(u16),
    /// Resolved on each endpoint pod, with the Service port's protocol.
    Name(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServicePort {
    pub name: Option<String>,
    pub protocol: Protocol,
    pub port: u16,
    pub target: TargetPort,
    pub span: Option<SourceSpan>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    pub namespace: String,
    pub name: String,
    pub kind: ServiceKind,
    /// Whether NodePort or LoadBalancer opens it to the outside.
    pub external: bool,
    /// `None`: endpoints are kept by hand and are not known here.
    pub selector: Option<LabelSelector>,
    pub ports: Vec<ServicePort>,
    pub span: Option<SourceSpan>,
}

/// `namespace/name`.
impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntryKind {
    Ingress,
    HttpRoute,
    GrpcRoute,
    TlsRoute,
    TcpRoute,
    UdpRoute,
}

impl fmt::Display for EntryKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ingress => "Ingress",
            Self::HttpRoute => "HTTPRoute",
            Self::GrpcRoute => "GRPCRoute",
            Self::TlsRoute => "TLSRoute",
            Self::TcpRoute => "TCPRoute",
            Self::UdpRoute => "UDPRoute",
        })
    }
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BackendPort {
    Number(u16),
    /// A Service port's name.
    Name(String),
}

/// A Service that an entry forwards to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backend {
    pub namespace: String,
    pub service: String,
    /// `None` where the route leaves it out: every port of the Service.
    pub port: Option<BackendPort>,
    pub span: Option<SourceSpan>,
}

/// A way in from outside the cluster, through a controller's pods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub kind: EntryKind,
    pub namespace: String,
    pub name: String,
    /// The Ingress class, or the names of the parent gateways.
    pub controllers: Vec<String>,
    pub hosts: Vec<String>,
    pub backends: Vec<Backend>,
    pub span: Option<SourceSpan>,
}

/// `Ingress namespace/name`.
impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
    }
}
