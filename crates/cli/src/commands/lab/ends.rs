//! Which flows a PEER means: those of a pod, a workload, an address, and of a node by its name.

use crate::{ExpectedError, PeerIndex};
use flow_model::{End, Flow, Identity};
use lab::{Client, Picture};
use net_types::IpNet;
use policy_model::Snapshot;
use question_syntax::{
    KindArgument, Peer, PeerArgument, PeerArgumentError, PeerError, did_you_mean, near,
};
use std::ops::ControlFlow;
use std::str::FromStr;

/// A PEER, or the name of a node, as `exec` takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum EndArgument {
    Peer(PeerArgument),
    Node(String),
}

/// What an argument means in a lab.
#[derive(Clone, Debug)]
pub(super) struct Ends {
    argument: EndArgument,
    /// Its pods on these nodes have no addresses but the node's.
    nodes: Vec<String>,
}

impl FromStr for EndArgument {
    type Err = PeerArgumentError;

    fn from_str(text: &str) -> Result<Self, PeerArgumentError> {
        let is_name = |name: &str| {
            !name.is_empty()
                && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.'))
        };
        match text.parse() {
            Ok(peer) => Ok(Self::Peer(peer)),
            Err(_) if is_name(text) => Ok(Self::Node(text.to_owned())),
            Err(error) => Err(error),
        }
    }
}

/// Flows say `node/node-1`.
fn as_flows_say(argument: &EndArgument, snapshot: &Snapshot) -> EndArgument {
    match argument {
        EndArgument::Peer(PeerArgument::Named { namespace, name })
            if namespace == "node" && !snapshot.namespaces.contains_key(namespace) =>
        {
            EndArgument::Node(name.clone())
        }
        EndArgument::Peer(_) | EndArgument::Node(_) => argument.clone(),
    }
}

impl Ends {
    /// What is neither in the lab nor in a flow of before is an error, which names what is near: a name that
    /// is misspelt looks like silence.
    pub(super) fn find(argument: &EndArgument, client: &Client) -> Result<Self, ExpectedError> {
        let picture = client.picture()?;
        let unknown = match Self::of(argument, &picture) {
            Ok(found) => return Ok(found),
            Err(unknown) => unknown,
        };
        let gone = Self { argument: argument.clone(), nodes: Vec::new() };
        let mut was_there = false;
        client.flows(false, false, |lines, _| {
            let flows = lines.iter().filter_map(|line| super::flows::read(line).ok());
            was_there |= flows.into_iter().any(|flow| gone.is_in(&flow));
            if was_there { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        if was_there { Ok(gone) } else { Err(unknown) }
    }

    fn of(argument: &EndArgument, picture: &Picture) -> Result<Self, ExpectedError> {
        let snapshot = picture.snapshot();
        let argument = &as_flows_say(argument, snapshot);
        let nodes = match argument {
            EndArgument::Node(name) if snapshot.nodes.contains_key(name) => Vec::new(),
            EndArgument::Node(name) => {
                let near = near(name, snapshot.nodes.keys().map(String::as_str));
                let why = format!("the lab has no node `{name}`{}", did_you_mean(&near));
                return Err(ExpectedError::Usage(why));
            }
            EndArgument::Peer(
                PeerArgument::Address(_) | PeerArgument::Network(_) | PeerArgument::Internet,
            ) => Vec::new(),
            EndArgument::Peer(peer) => match PeerIndex::new(snapshot).resolve(peer) {
                // Other pods of the node would pass for pods of the namespace.
                Ok(Peer::Pods(_)) if matches!(peer, PeerArgument::Namespace(_)) => Vec::new(),
                Ok(Peer::Pods(pods)) => {
                    let pods = pods.iter().filter_map(|pod| snapshot.pods.get(*pod));
                    pods.filter(|pod| pod.host_network).filter_map(|pod| pod.node.clone()).collect()
                }
                Ok(Peer::Service(_) | Peer::Node(_) | Peer::Addresses(_))
                | Err(PeerError::Ambiguous { .. } | PeerError::SharedAddress { .. }) => Vec::new(),
                Err(
                    unknown @ (PeerError::Unknown { .. }
                    | PeerError::UnknownNamespace { .. }
                    | PeerError::EmptyNamespace(_)),
                ) => return Err(unknown.into()),
            },
        };
        Ok(Self { argument: argument.clone(), nodes })
    }

    /// Whose flows stand for it.
    pub(super) fn nodes(&self) -> &[String] {
        &self.nodes
    }

    pub(super) fn is(&self, end: &End) -> bool {
        if let Identity::Node(name) = &end.identity
            && self.nodes.iter().any(|node| **node == **name)
        {
            return true;
        }
        match &self.argument {
            EndArgument::Peer(peer) => is_end(peer, end),
            EndArgument::Node(node) => match &end.identity {
                Identity::Node(name) => **node == **name,
                Identity::Pod(_) | Identity::Service { .. } | Identity::Outside => false,
            },
        }
    }

    /// Or the Service that was asked for, before its address was translated.
    pub(super) fn is_destination(&self, flow: &Flow) -> bool {
        self.is(&flow.destination)
            || match &self.argument {
                EndArgument::Peer(peer) => is_service(peer, flow),
                EndArgument::Node(_) => false,
            }
    }

    fn is_in(&self, flow: &Flow) -> bool {
        self.is(&flow.source) || self.is_destination(flow)
    }
}

fn is_end(peer: &PeerArgument, end: &End) -> bool {
    let pod = match &end.identity {
        Identity::Pod(pod) => Some(pod),
        Identity::Node(_) | Identity::Service { .. } | Identity::Outside => None,
    };
    match peer {
        PeerArgument::Named { namespace, name } => pod.is_some_and(|pod| {
            pod.namespace() == namespace && (pod.name == *name || pod.workload.name == *name)
        }),
        PeerArgument::OfKind { kind: KindArgument::Workload(kind), namespace, name } => pod
            .is_some_and(|pod| {
                let workload = &pod.workload;
                (workload.kind, &workload.namespace, &workload.name) == (*kind, namespace, name)
            }),
        PeerArgument::OfKind { kind: KindArgument::Service, namespace, name } => {
            match &end.identity {
                Identity::Service { namespace: of, name: called } => {
                    **of == **namespace && **called == **name
                }
                Identity::Pod(_) | Identity::Node(_) | Identity::Outside => false,
            }
        }
        PeerArgument::Namespace(namespace) => pod.is_some_and(|pod| pod.namespace() == namespace),
        PeerArgument::Address(address) => end.address == *address,
        PeerArgument::Network(network) => network.contains(&end.address),
        PeerArgument::Internet => end.identity == Identity::Outside && !is_private(end),
    }
}

fn is_service(peer: &PeerArgument, flow: &Flow) -> bool {
    let name = flow.service.as_ref().and_then(|service| service.name.as_deref());
    match peer {
        PeerArgument::OfKind { kind: KindArgument::Service, namespace, name: called } => {
            name == Some(&*format!("{namespace}/{called}"))
        }
        PeerArgument::Address(address) => {
            flow.service.as_ref().is_some_and(|service| service.address == *address)
        }
        PeerArgument::Named { .. }
        | PeerArgument::OfKind { kind: KindArgument::Workload(_), .. }
        | PeerArgument::Namespace(_)
        | PeerArgument::Network(_)
        | PeerArgument::Internet => false,
    }
}

fn is_private(end: &End) -> bool {
    const PRIVATE: [&str; 4] = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"];
    let mut networks = PRIVATE.iter().filter_map(|text| text.parse::<IpNet>().ok());
    networks.any(|network| network.contains(&end.address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_without_a_slash_is_a_node() {
        let read = |text: &str| text.parse::<EndArgument>();
        assert_eq!(read("node-1"), Ok(EndArgument::Node("node-1".to_owned())));
        assert_eq!(read("internet"), Ok(EndArgument::Peer(PeerArgument::Internet)));
        assert!(matches!(read("shop/web"), Ok(EndArgument::Peer(PeerArgument::Named { .. }))));
        assert!(read("shop//web").is_err() && read("").is_err());
    }
}
