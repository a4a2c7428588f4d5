//! PEER: one end of a question, as a person writes it. What it stands for is decided in `resolve.rs`.

use crate::network::parse_network;
use net_types::IpNet;
use policy_model::WorkloadKind;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// Names are not empty; whether they exist is not known here.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PeerArgument {
    /// `shop/web`: a pod, else a workload.
    Named { namespace: String, name: String },
    /// `deployment/shop/web`, `service/shop/web`.
    OfKind { kind: KindArgument, namespace: String, name: String },
    /// `shop/`: everything in the namespace.
    Namespace(String),
    /// `10.0.0.9`, `fd00::9`.
    Address(IpAddr),
    /// `10.0.0.0/8`, without host bits.
    Network(IpNet),
    /// Every public address.
    Internet,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KindArgument {
    Workload(WorkloadKind),
    Service,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeerArgumentError {
    #[error(
        "`{0}` is not a peer: write namespace/name, kind/namespace/name, service/namespace/name, \
         namespace/, an address, a CIDR, or internet"
    )]
    NotAPeer(String),
    #[error("{0}")]
    Network(String),
    #[error("`{0}` is an IPv4 address inside IPv6: write {1}")]
    MappedAddress(String, IpAddr),
    #[error(
        "`{0}` is not a kind of peer: write pod, deployment, statefulset, daemonset, replicaset, \
         replicationcontroller, job, cronjob or service"
    )]
    UnknownKind(String),
}

impl FromStr for PeerArgument {
    type Err = PeerArgumentError;

    fn from_str(text: &str) -> Result<Self, PeerArgumentError> {
        if text == "internet" {
            return Ok(Self::Internet);
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return of_address(text, address);
        }
        // A namespace has no dots and no colons, so only an attempt at a CIDR looks like one.
        let parts: Vec<&str> = text.split('/').collect();
        match parts.as_slice() {
            [address, _length] if address.parse::<IpAddr>().is_ok() => {
                parse_network(text).map(Self::Network).map_err(PeerArgumentError::Network)
            }
            [namespace, ""] if is_name(namespace) => Ok(Self::Namespace((*namespace).to_owned())),
            [namespace, name] if is_name(namespace) && is_name(name) => {
                Ok(Self::Named { namespace: (*namespace).to_owned(), name: (*name).to_owned() })
            }
            [kind, namespace, name] if is_name(namespace) && is_name(name) => Ok(Self::OfKind {
                kind: kind.parse()?,
                namespace: (*namespace).to_owned(),
                name: (*name).to_owned(),
            }),
            _ => Err(PeerArgumentError::NotAPeer(text.to_owned())),
        }
    }
}

/// An IPv4-mapped address never appears on the wire as IPv6 (RFC 4291 §2.5.5.2), so a question about
/// it would have a misleading answer.
fn of_address(text: &str, address: IpAddr) -> Result<PeerArgument, PeerArgumentError> {
    match address.to_canonical() {
        canonical if canonical == address => Ok(PeerArgument::Address(address)),
        canonical => Err(PeerArgumentError::MappedAddress(text.to_owned(), canonical)),
    }
}

/// Loose on purpose: a name that Kubernetes would refuse is not found later, with near ones named.
fn is_name(part: &str) -> bool {
    !part.is_empty() && !part.contains(|c: char| c.is_whitespace() || c.is_control() || c == ':')
}

/// The names, plurals and short names that kubectl takes.
impl FromStr for KindArgument {
    type Err = PeerArgumentError;

    fn from_str(text: &str) -> Result<Self, PeerArgumentError> {
        use WorkloadKind::{
            CronJob, DaemonSet, Deployment, Job, Pod, ReplicaSet, ReplicationController,
            StatefulSet,
        };
        Ok(match text.to_ascii_lowercase().as_str() {
            "po" | "pod" | "pods" => Self::Workload(Pod),
            "deploy" | "deployment" | "deployments" => Self::Workload(Deployment),
            "sts" | "statefulset" | "statefulsets" => Self::Workload(StatefulSet),
            "ds" | "daemonset" | "daemonsets" => Self::Workload(DaemonSet),
            "rs" | "replicaset" | "replicasets" => Self::Workload(ReplicaSet),
            "rc" | "replicationcontroller" | "replicationcontrollers" => {
                Self::Workload(ReplicationController)
            }
            "job" | "jobs" => Self::Workload(Job),
            "cj" | "cronjob" | "cronjobs" => Self::Workload(CronJob),
            "svc" | "service" | "services" => Self::Service,
            _ => return Err(PeerArgumentError::UnknownKind(text.to_owned())),
        })
    }
}

/// `deployment`, as it is written in front of a name.
impl fmt::Display for KindArgument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Workload(kind) => f.write_str(&kind.as_str().to_ascii_lowercase()),
            Self::Service => f.write_str("service"),
        }
    }
}

/// As it is written.
impl fmt::Display for PeerArgument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named { namespace, name } => write!(f, "{namespace}/{name}"),
            Self::OfKind { kind, namespace, name } => write!(f, "{kind}/{namespace}/{name}"),
            Self::Namespace(namespace) => write!(f, "{namespace}/"),
            Self::Address(address) => address.fmt(f),
            Self::Network(network) => network.fmt(f),
            Self::Internet => f.write_str("internet"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<PeerArgument, PeerArgumentError> {
        text.parse()
    }

    #[test]
    fn all_forms_are_read_and_written_back() {
        for text in [
            "shop/web",
            "deployment/shop/web",
            "pod/shop/web-0",
            "service/shop/web",
            "shop/",
            "10.0.0.9",
            "fd00::9",
            "10.0.0.0/8",
            "fd00::/8",
            "0.0.0.0/0",
            "internet",
            "service/web",
            "internet/",
            "job/a",
        ] {
            assert_eq!(parse(text).map(|peer| peer.to_string()), Ok(text.to_owned()));
        }
        let named = PeerArgument::Named { namespace: "service".into(), name: "web".into() };
        assert_eq!(parse("service/web"), Ok(named));
        let short = |text| parse(text).unwrap().to_string();
        assert_eq!(short("svc/shop/web"), "service/shop/web");
        assert_eq!(short("Deploy/shop/web"), "deployment/shop/web");
    }

    #[test]
    fn what_is_no_peer_is_refused() {
        for bad in [
            "",
            "web",
            "/",
            "/web",
            "a/b/c/d",
            "a//b",
            "deployment/shop/",
            "10.0.0.0/33",
            "10.0.0.1/8",
            "fd00::/129",
            "a b/c",
            "::ffff:10.0.0.1",
            "tier/shop/web",
            "10.0.0.1:80",
        ] {
            assert!(parse(bad).is_err(), "{bad:?} is {:?}", parse(bad));
        }
        let text = |bad: &str| parse(bad).unwrap_err().to_string();
        assert_eq!(text("10.0.0.1/8"), "`10.0.0.1/8` has host bits: write 10.0.0.0/8");
        assert_eq!(
            text("::ffff:10.0.0.1"),
            "`::ffff:10.0.0.1` is an IPv4 address inside IPv6: write 10.0.0.1"
        );
    }
}
