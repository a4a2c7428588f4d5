//! One question: what its PEERs and PORT stand for, and the answers of the engine.

use super::{CheckWorld, caveats};
use crate::arguments::{PeerArgument, PortArgument};
use crate::{ExpectedError, Peer};
use net_types::Protocol;
use policy_engine::{Answer, AskedPort, EndSet, PodId};
use policy_model::{LeftOut, Service, ServiceKind, TargetPort};
use report_formats::Overall;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Question<'a> {
    pub(crate) from: &'a PeerArgument,
    pub(crate) to: &'a PeerArgument,
    pub(crate) port: &'a PortArgument,
}

#[derive(Debug)]
pub(crate) struct Found<'a> {
    /// Not empty.
    pub(crate) answers: Vec<Answer>,
    pub(crate) overall: Overall,
    pub(crate) all_ports: bool,
    pub(crate) caveats: Vec<&'a LeftOut>,
}

pub(crate) fn ask<'a>(
    world: CheckWorld<'a>,
    question: &Question<'_>,
) -> Result<Found<'a>, ExpectedError> {
    let (from, to) = (world.index.resolve(question.from)?, world.index.resolve(question.to)?);
    let sources = ends(world, &from);
    if is_empty(&sources) {
        return Err(nothing(question.from));
    }
    let service = match &to {
        Peer::Service(service) => world.snapshot.services.get(*service),
        Peer::Pods(_) | Peer::Node(_) | Peer::Addresses(_) => None,
    };
    let (answers, is_one_connection) = match service {
        Some(service) => of_service(world, question, &sources, service)?,
        None => (of_ends(world, question, &sources, &ends(world, &to))?, false),
    };
    let touched = caveats::of_both(
        &caveats::of_peer(world.snapshot, &from),
        &caveats::of_peer(world.snapshot, &to),
    );
    Ok(Found {
        overall: Overall::of(&answers, is_one_connection),
        answers,
        all_ports: service.is_none() && *question.port == PortArgument::All,
        caveats: touched
            .into_iter()
            .filter_map(|index| world.snapshot.left_out.get(index))
            .collect(),
    })
}

fn of_ends(
    world: CheckWorld<'_>,
    question: &Question<'_>,
    from: &EndSet,
    to: &EndSet,
) -> Result<Vec<Answer>, ExpectedError> {
    if is_empty(to) {
        return Err(nothing(question.to));
    }
    let answers = world.program.answers(from, to, &asked_port(question.port));
    if answers.is_empty() {
        let Question { to, port, .. } = question;
        return Err(ExpectedError::Usage(format!("nothing in {to} serves a port named {port}")));
    }
    Ok(answers)
}

pub(crate) fn asked_port(port: &PortArgument) -> AskedPort {
    match port {
        PortArgument::All => AskedPort::All,
        PortArgument::Number { protocol, port } => AskedPort::One(*protocol, *port),
        PortArgument::Portless(protocol) => AskedPort::One(*protocol, 0),
        PortArgument::Named { protocol, name } => {
            AskedPort::Named { protocol: *protocol, name: name.clone() }
        }
    }
}

/// The answers, and whether a single connection was asked about, which endpoints may answer differently.
fn of_service(
    world: CheckWorld<'_>,
    question: &Question<'_>,
    from: &EndSet,
    service: &Service,
) -> Result<(Vec<Answer>, bool), ExpectedError> {
    let problem = |problem| ExpectedError::Usage(format!("service/{service}: {problem}"));
    let ports = match service_ports(service, question.port).map_err(problem)? {
        Ports::Client(ports) => ports,
        Ports::Endpoint(port) => {
            let pods = world.program.service_pods(service);
            let to = EndSet { pods, ..EndSet::default() };
            let answers = world.program.answers(from, &to, &port);
            if answers.is_empty() {
                let port = question.port;
                return Err(problem(format!(
                    "no pod behind the Service serves a port named {port}"
                )));
            }
            return Ok((answers, n_ends(from) == 1));
        }
    };
    let mut answers = Vec::new();
    for (protocol, port) in &ports {
        let of_port = world.program.service_answers(from, service, *protocol, *port);
        answers.extend(of_port.map_err(|error| problem(error.to_string()))?);
    }
    Ok((answers, n_ends(from) == 1 && ports.len() == 1))
}

/// Which ports of a Service are asked about.
pub(crate) enum Ports {
    /// As its clients name them.
    Client(Vec<(Protocol, u16)>),
    /// Of a headless Service, whose clients connect to the pods' own ports.
    Endpoint(AskedPort),
}

pub(crate) fn service_ports(service: &Service, port: &PortArgument) -> Result<Ports, String> {
    let is_headless = service.kind == ServiceKind::Headless;
    match port {
        PortArgument::Number { protocol, port } => Ok(Ports::Client(vec![(*protocol, *port)])),
        PortArgument::Portless(protocol) => {
            Err(format!("{protocol} does not go through a Service; ask about its pods"))
        }
        PortArgument::All => match service.kind {
            ServiceKind::ClusterIp { .. } if !service.ports.is_empty() => Ok(Ports::Client(
                service.ports.iter().map(|port| (port.protocol, port.port)).collect(),
            )),
            ServiceKind::ClusterIp { .. } => Err("the Service has no ports".to_owned()),
            ServiceKind::Headless | ServiceKind::ExternalName(_) => {
                Err("name the port: clients of this Service may use any".to_owned())
            }
        },
        PortArgument::Named { protocol, name } => {
            let named: Vec<_> = service
                .ports
                .iter()
                .filter(|port| {
                    port.name.as_ref() == Some(name)
                        && protocol.is_none_or(|protocol| protocol == port.protocol)
                })
                .collect();
            match named.as_slice() {
                [] => Err(format!("the Service has no port named {name}")),
                [only] if is_headless => Ok(Ports::Endpoint(match &only.target {
                    TargetPort::Number(number) => AskedPort::One(only.protocol, *number),
                    TargetPort::Name(target) => {
                        AskedPort::Named { protocol: Some(only.protocol), name: target.clone() }
                    }
                })),
                several if is_headless && several.len() > 1 => {
                    Err(format!("several ports are named {name}: add the protocol"))
                }
                some => {
                    Ok(Ports::Client(some.iter().map(|port| (port.protocol, port.port)).collect()))
                }
            }
        }
    }
}

/// A Service that opens connections stands for its pods.
pub(crate) fn ends(world: CheckWorld<'_>, peer: &Peer) -> EndSet {
    let ids = |pods: &[usize]| pods.iter().copied().map(PodId::from_index).collect();
    let nodes = |names: &[String]| {
        let nodes = names.iter().filter_map(|name| world.snapshot.nodes.get(name));
        nodes.flat_map(|node| node.addresses.iter().copied()).collect()
    };
    match peer {
        Peer::Pods(pods) => EndSet { pods: ids(pods), ..EndSet::default() },
        Peer::Node(node) => {
            EndSet { nodes: nodes(std::slice::from_ref(node)), ..EndSet::default() }
        }
        Peer::Service(service) => {
            let service = world.snapshot.services.get(*service);
            let pods = service.map(|service| world.program.service_pods(service));
            EndSet { pods: pods.unwrap_or_default(), ..EndSet::default() }
        }
        // No packet has a Service's address when policies see it.
        Peer::Addresses(found) => EndSet {
            pods: ids(&found.pods),
            nodes: nodes(&found.nodes),
            outside: found.outside.clone(),
        },
    }
}

pub(crate) fn is_empty(ends: &EndSet) -> bool {
    ends.pods.is_empty() && ends.nodes.is_empty() && ends.outside.is_empty()
}

/// Addresses count as many, unless there is only one.
fn n_ends(ends: &EndSet) -> usize {
    let outside = match ends.outside.ranges() {
        [] => 0,
        [one] if one.first() == one.last() => 1,
        _ => 2,
    };
    ends.pods.len() + ends.nodes.len() + outside
}

fn nothing(peer: &PeerArgument) -> ExpectedError {
    ExpectedError::Usage(format!("{peer} stands for nothing in the input"))
}
