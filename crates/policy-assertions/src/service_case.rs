//! A case whose destination is a Service: every port asked about, from every end, to its endpoints.

use crate::case::{decides, verdict_problem};
use crate::coverage::{Recorder, deciding_rules};
use crate::members::{Members, nothing};
use crate::results::Problem;
use crate::spec::Case;
use crate::violations::Violations;
use crate::witness::Packet;
use crate::world::{World, example_address};
use finding_model::SourceSpan;
use net_types::{AddressSet, Protocol};
use policy_engine::{End, ServiceDecision, TrafficCache, Verdict};
use policy_model::{Direction, Service, ServiceKind};
use question_syntax::PortArgument;

pub(crate) struct Question<'q> {
    pub(crate) case: &'q Case,
    pub(crate) service: &'q Service,
    pub(crate) from: &'q Members,
    pub(crate) span: SourceSpan,
}

pub(crate) fn run(
    world: &World<'_>,
    question: &Question<'_>,
    recorder: &mut Recorder,
) -> Vec<Problem> {
    let Question { case, service, from, span } = *question;
    let ports = match service_ports(service, &case.scope.ports) {
        Ok(ports) => ports,
        Err(message) => return vec![nothing(message, span)],
    };
    let sources = sources(world, service, from);
    if sources.is_empty() {
        return vec![nothing(format!("`from` selects nothing: {}", case.scope.from), span)];
    }
    let mut unexpected = Violations::default();
    let mut misdecided = Violations::default();
    for (protocol, port) in ports {
        for source in &sources {
            match world.program.decide_service(source, service, protocol, port) {
                Err(problem) => return vec![nothing(format!("{service}: {problem}"), span)],
                Ok(decision) => {
                    let asked = (source, protocol);
                    judge(world, case, asked, &decision, [&mut unexpected, &mut misdecided]);
                    record(world, asked, &decision, recorder);
                }
            }
        }
    }
    verdict_problem(case, unexpected, misdecided)
}

/// The endpoints that answer otherwise than expected, one at a time.
fn judge(
    world: &World<'_>,
    case: &Case,
    (from, protocol): (&End, Protocol),
    decision: &ServiceDecision,
    [unexpected, misdecided]: [&mut Violations; 2],
) {
    let is_wrong = decision.verdict != case.expect;
    for (to, port, endpoint) in &decision.endpoints {
        let packet = Packet { from, to, protocol, port: *port };
        // Endpoints that disagree make the Service undefined; each of them is then worth a look.
        if is_wrong && (endpoint.verdict != case.expect || case.expect == Verdict::Undefined) {
            unexpected.packet(world, &packet, endpoint);
        }
        if case.by.as_ref().is_some_and(|by| !decides(world, by, endpoint)) {
            misdecided.packet(world, &packet, endpoint);
        }
    }
}

fn record(
    world: &World<'_>,
    (from, protocol): (&End, Protocol),
    decision: &ServiceDecision,
    recorder: &mut Recorder,
) {
    for (to, port, endpoint) in &decision.endpoints {
        let packet = Packet { from, to, protocol, port: *port };
        recorder.case(deciding_rules(world, &packet, endpoint));
    }
}

/// The Service's own ports, as a client names them.
fn service_ports(
    service: &Service,
    ports: &[PortArgument],
) -> Result<Vec<(Protocol, u16)>, String> {
    let all = || match service.kind {
        ServiceKind::ClusterIp { .. } if !service.ports.is_empty() => {
            Ok(service.ports.iter().map(|port| (port.protocol, port.port)).collect())
        }
        ServiceKind::ClusterIp { .. } => Err(format!("the Service {service} has no ports")),
        ServiceKind::Headless | ServiceKind::ExternalName(_) => {
            Err(format!("name the port: clients of {service} may use any"))
        }
    };
    if ports.is_empty() {
        return all();
    }
    let mut found = Vec::new();
    for port in ports {
        match port {
            PortArgument::All => found.extend(all()?),
            PortArgument::Number { protocol, port } => found.push((*protocol, *port)),
            PortArgument::Portless(protocol) => {
                return Err(format!("{protocol} does not go through the Service {service}"));
            }
            PortArgument::Named { protocol, name } => {
                let named = service.ports.iter().filter(|port| {
                    port.name.as_ref() == Some(name)
                        && protocol.is_none_or(|protocol| protocol == port.protocol)
                });
                let n_found = found.len();
                found.extend(named.map(|port| (port.protocol, port.port)));
                if found.len() == n_found {
                    return Err(format!("the Service {service} has no port named {name}"));
                }
            }
        }
    }
    Ok(found)
}

/// Ends that stand for all of `from`: pods and node addresses one by one, and an address of each piece
/// that the policies of an endpoint tell apart.
fn sources(world: &World<'_>, service: &Service, from: &Members) -> Vec<End> {
    let mut sources: Vec<End> = from.pod_ids().map(End::Pod).collect();
    let nodes = from.nodes.iter().filter_map(|node| world.snapshot.nodes.get(node));
    sources.extend(nodes.flat_map(|node| node.addresses.iter().copied().map(End::Address)));
    let mut pieces: Vec<AddressSet> =
        Some(from.outside.clone()).filter(|outside| !outside.is_empty()).into_iter().collect();
    let mut cache = TrafficCache::default();
    for pod in world.program.service_pods(service) {
        let cuts = world.program.outside_traffic(pod, Direction::Ingress, &mut cache);
        let cut = |piece: &AddressSet| -> Vec<AddressSet> {
            cuts.iter().map(|(cut, _)| cut.intersection(piece)).collect()
        };
        pieces = pieces.iter().flat_map(cut).filter(|piece| !piece.is_empty()).collect();
    }
    sources.extend(pieces.iter().filter_map(example_address).map(End::Address));
    sources
}
