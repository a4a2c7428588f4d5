//! From peers to answers, with the way through a Service.
//!
//! What is asked is what `weir check` asks, so that both give the same answers.

use super::QuestionArgs;
use crate::commands::check::CheckWorld;
use crate::commands::check::question::{Ports, asked_port, ends, is_empty, service_ports};
use crate::{ExpectedError, Peer};
use net_types::Protocol;
use policy_engine::{Answer, AskedPort, EndSet, Program, ServiceProblem};
use policy_model::{Service, ServiceKind, TargetPort};
use report_formats::explain::{RouteOutcome, ServiceRoute};

#[derive(Default)]
pub(super) struct Asked {
    pub(super) routes: Vec<ServiceRoute>,
    pub(super) answers: Vec<Answer>,
}

pub(super) fn ask(world: CheckWorld<'_>, args: &QuestionArgs) -> Result<Asked, ExpectedError> {
    let (from, to) = (world.index.resolve(&args.from)?, world.index.resolve(&args.to)?);
    let sources = ends(world, &from);
    if is_empty(&sources) {
        return Err(usage(format!("{} stands for nothing in the input", args.from)));
    }
    let service = match &to {
        Peer::Service(index) => world.snapshot.services.get(*index),
        Peer::Pods(_) | Peer::Node(_) | Peer::Addresses(_) => None,
    };
    let asked = match service {
        Some(service) => through(world.program, &sources, service, args)?,
        None => {
            let destinations = ends(world, &to);
            if is_empty(&destinations) {
                return Err(usage(format!("{} stands for nothing in the input", args.to)));
            }
            directly(world.program, &sources, &destinations, &asked_port(&args.port()))
        }
    };
    if asked.answers.is_empty() && asked.routes.is_empty() {
        let text = format!("nothing in {} serves a port named {}", args.to, args.port());
        return Err(usage(text));
    }
    Ok(asked)
}

fn directly(program: &Program, from: &EndSet, to: &EndSet, port: &AskedPort) -> Asked {
    Asked { routes: Vec::new(), answers: program.answers(from, to, port) }
}

/// Every asked port of a Service, each with where it leads and the answers there.
fn through(
    program: &Program,
    sources: &EndSet,
    service: &Service,
    args: &QuestionArgs,
) -> Result<Asked, ExpectedError> {
    let problem = |text: String| usage(format!("service/{service}: {text}"));
    let ports = match service_ports(service, &args.port()).map_err(problem)? {
        Ports::Client(ports) => ports,
        Ports::Endpoint(port) => {
            let to = EndSet { pods: program.service_pods(service), ..EndSet::default() };
            return Ok(directly(program, sources, &to, &port));
        }
    };
    let mut asked = Asked::default();
    for (protocol, port) in ports {
        let outcome = match program.service_answers(sources, service, protocol, port) {
            Ok(answers) => {
                asked.answers.extend(answers);
                let ends = program.service_ends(service, protocol, port).unwrap_or_default();
                RouteOutcome::Endpoints(ends)
            }
            Err(error @ (ServiceProblem::NoSuchPort | ServiceProblem::EndpointsByHand)) => {
                return Err(problem(format!("{error}{}", listed(service, &error))));
            }
            Err(problem) => {
                RouteOutcome::Nowhere { problem, nearly: program.nearly_selected(service) }
            }
        };
        let target = target(service, protocol, port);
        let service = service.to_string();
        asked.routes.push(ServiceRoute { service, protocol, port, target, outcome });
    }
    Ok(asked)
}

/// `None` where clients use the ports of the endpoints themselves.
fn target(service: &Service, protocol: Protocol, port: u16) -> Option<String> {
    match service.kind {
        ServiceKind::Headless | ServiceKind::ExternalName(_) => None,
        ServiceKind::ClusterIp { .. } => {
            let mut ports = service.ports.iter();
            let found = ports.find(|known| known.protocol == protocol && known.port == port)?;
            Some(match &found.target {
                TargetPort::Number(number) => number.to_string(),
                TargetPort::Name(name) => name.clone(),
            })
        }
    }
}

/// The ports that a Service has, after it lacks one.
fn listed(service: &Service, problem: &ServiceProblem) -> String {
    if *problem != ServiceProblem::NoSuchPort {
        return String::new();
    }
    let ports = service.ports.iter().map(|port| {
        let number = format!("{}/{}", port.port, port.protocol.to_string().to_ascii_lowercase());
        match &port.name {
            Some(name) => format!("{number} ({name})"),
            None => number,
        }
    });
    let ports: Vec<String> = ports.collect();
    format!("; it has {}", if ports.is_empty() { "none".to_owned() } else { ports.join(", ") })
}

fn usage(text: String) -> ExpectedError {
    ExpectedError::Usage(text)
}
