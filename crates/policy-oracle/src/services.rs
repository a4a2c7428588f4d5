//! Connections through a Service: where they may lead, and the verdict on each endpoint.

use crate::question::{Assumptions, End, Question, Verdict, Via, evaluate_via};
use net_types::Protocol;
use policy_model::{Pod, Service, ServiceKind, ServicePort, Snapshot, TargetPort};

/// May `from` open a connection to a port of the Service?
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ServiceQuestion<'a> {
    pub from: End<'a>,
    /// One of the snapshot's.
    pub service: &'a Service,
    pub protocol: Protocol,
    /// What the client asks for: the Service's port, or, where no address is translated, the endpoint's.
    pub port: u16,
}

/// One end that the Service may pick.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EndpointVerdict<'a> {
    pub end: End<'a>,
    pub port: u16,
    pub verdict: Verdict,
    pub egress: Verdict,
    pub ingress: Verdict,
}

/// Every endpoint; none where the connection leads nowhere that the input knows.
pub fn evaluate_service<'a>(
    snapshot: &'a Snapshot,
    assumptions: &Assumptions,
    question: &ServiceQuestion<'a>,
) -> Vec<EndpointVerdict<'a>> {
    let ServiceQuestion { from, service, protocol, port } = *question;
    let via = match &service.kind {
        ServiceKind::ClusterIp { addresses } => Some(Via { addresses, port }),
        ServiceKind::Headless | ServiceKind::ExternalName(_) => None,
    };
    let endpoints = endpoints(snapshot, question).into_iter();
    let verdict = |(end, port)| {
        let question = Question { from, to: end, protocol, port };
        let [verdict, egress, ingress] = evaluate_via(snapshot, assumptions, &question, via);
        EndpointVerdict { end, port, verdict, egress, ingress }
    };
    endpoints.map(verdict).collect()
}

/// What all endpoints agree on: any of them may be picked.
pub fn verdict_of_endpoints(endpoints: &[EndpointVerdict<'_>]) -> Option<Verdict> {
    let (first, rest) = endpoints.split_first()?;
    let agree = rest.iter().all(|endpoint| endpoint.verdict == first.verdict);
    Some(if agree { first.verdict } else { Verdict::Undefined })
}

fn endpoints<'a>(snapshot: &'a Snapshot, question: &ServiceQuestion<'a>) -> Vec<(End<'a>, u16)> {
    let ServiceQuestion { service, protocol, port, .. } = *question;
    match &service.kind {
        ServiceKind::ExternalName(name) => vec![(End::Name(name), port)],
        ServiceKind::Headless => {
            selected(snapshot, service).map(|pod| (End::Pod(pod), port)).collect()
        }
        ServiceKind::ClusterIp { .. } => {
            let is_asked = |one: &&ServicePort| (one.protocol, one.port) == (protocol, port);
            let Some(service_port) = service.ports.iter().find(is_asked) else { return Vec::new() };
            selected(snapshot, service)
                .filter_map(|pod| Some((End::Pod(pod), target(pod, service_port)?)))
                .collect()
        }
    }
}

fn selected<'a>(snapshot: &'a Snapshot, service: &'a Service) -> impl Iterator<Item = &'a Pod> {
    let in_namespace = snapshot.pods.iter().filter(|pod| pod.namespace == service.namespace);
    in_namespace.filter(|pod| {
        service.selector.as_ref().is_some_and(|selector| selector.matches(&pod.labels))
    })
}

/// `None`: the pod serves no port of the name, so it is no endpoint.
fn target(pod: &Pod, port: &ServicePort) -> Option<u16> {
    match &port.target {
        TargetPort::Number(number) => Some(*number),
        TargetPort::Name(name) => {
            let mut served = pod.ports.iter().filter(|served| served.protocol == port.protocol);
            served.find(|served| served.name.as_ref() == Some(name)).map(|served| served.port)
        }
    }
}
