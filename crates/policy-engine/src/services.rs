//! Connections through Services: policies see the backend pod and its port, after DNAT.

use crate::ends::End;
use crate::facts::{Facts, Via};
use crate::ids::PodId;
use crate::program::Program;
use crate::semantics::{Reason, Reasons};
use crate::verdict::{Decision, Verdict};
use net_types::Protocol;
use policy_model::{NamespaceScope, Service, ServiceKind, ServicePort, TargetPort};
use std::fmt;
use std::net::IpAddr;

/// One endpoint of a Service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    pub pod: PodId,
    /// The port on the pod.
    pub port: u16,
}

/// Why a Service cannot be asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServiceProblem {
    /// The Service has no such port and protocol.
    NoSuchPort,
    /// Its selector selects no pod.
    NoEndpoints,
    /// Pods are selected, but none serves the named target port with the Service's protocol.
    NamedPortNotServed(String),
    /// It has no selector: its endpoints are kept by hand and not part of the input.
    EndpointsByHand,
}

impl fmt::Display for ServiceProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchPort => f.write_str("the Service has no such port"),
            Self::NoEndpoints => f.write_str("the Service's selector selects no pod"),
            Self::NamedPortNotServed(name) => {
                write!(f, "no pod behind the Service serves a port named `{name}`")
            }
            Self::EndpointsByHand => {
                f.write_str("the Service has no selector, so its endpoints are not known here")
            }
        }
    }
}

impl std::error::Error for ServiceProblem {}

/// The verdicts on all endpoints of a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceDecision {
    /// Allow or deny where all endpoints agree.
    pub verdict: Verdict,
    pub reasons: Reasons,
    /// At least one.
    pub endpoints: Vec<(End, u16, Decision)>,
}

impl Program {
    pub fn service(&self, namespace: &str, name: &str) -> Option<&Service> {
        let mut services = self.objects.services.iter();
        services.find(|service| service.namespace == namespace && service.name == name)
    }

    /// The Service that has the cluster IP.
    pub fn service_at(&self, address: IpAddr) -> Option<&Service> {
        self.objects.services.iter().find(|service| match &service.kind {
            ServiceKind::ClusterIp { addresses } => addresses.contains(&address),
            ServiceKind::Headless | ServiceKind::ExternalName(_) => false,
        })
    }

    /// The pods behind a Service, ascending.
    pub fn service_pods(&self, service: &Service) -> Vec<PodId> {
        let Some(selector) = &service.selector else { return Vec::new() };
        self.select(&NamespaceScope::Own(service.namespace.clone()), selector)
    }

    /// The endpoints of one port of a Service. A named target port is the first of that name and
    /// protocol on each pod; pods without it are no endpoints.
    pub fn endpoints(
        &self,
        service: &Service,
        port: &ServicePort,
    ) -> Result<Vec<Endpoint>, ServiceProblem> {
        if service.selector.is_none() {
            return Err(ServiceProblem::EndpointsByHand);
        }
        let pods = self.service_pods(service);
        if pods.is_empty() {
            return Err(ServiceProblem::NoEndpoints);
        }
        let endpoints: Vec<Endpoint> = pods
            .into_iter()
            .filter_map(|pod| Some(Endpoint { pod, port: self.target_port(pod, port)? }))
            .collect();
        match &port.target {
            TargetPort::Name(name) if endpoints.is_empty() => {
                Err(ServiceProblem::NamedPortNotServed(name.clone()))
            }
            TargetPort::Name(_) | TargetPort::Number(_) => Ok(endpoints),
        }
    }

    pub(crate) fn target_port(&self, pod: PodId, port: &ServicePort) -> Option<u16> {
        match &port.target {
            TargetPort::Number(number) => Some(*number),
            TargetPort::Name(name) => self
                .objects
                .pod(pod)?
                .ports
                .iter()
                .find(|served| {
                    served.protocol == port.protocol && served.name.as_ref() == Some(name)
                })
                .map(|served| served.port),
        }
    }

    /// Asks about a connection to a Service's port. A client of a headless Service connects to the
    /// pods themselves, so there `port` is the port on the pod.
    pub fn decide_service(
        &self,
        from: &End,
        service: &Service,
        protocol: Protocol,
        port: u16,
    ) -> Result<ServiceDecision, ServiceProblem> {
        let ends = self.service_ends(service, protocol, port)?;
        let decisions: Vec<(End, u16, Decision)> = ends
            .into_iter()
            .map(|(end, target)| {
                let decision =
                    self.decide_endpoint(from, (&end, target), service, (protocol, port));
                (end, target, decision)
            })
            .collect();
        let mut reasons = decisions
            .iter()
            .fold(Reasons::NONE, |all, (_, _, decision)| all.union(decision.reasons));
        let verdict = match decisions.split_first() {
            None => return Err(ServiceProblem::NoEndpoints),
            Some(((_, _, first), rest)) => {
                if rest.iter().all(|(_, _, decision)| decision.verdict == first.verdict) {
                    first.verdict
                } else {
                    reasons = reasons.with(Reason::ServiceEndpoint);
                    Verdict::Undefined
                }
            }
        };
        Ok(ServiceDecision { verdict, reasons, endpoints: decisions })
    }

    /// The ends and ports that a client of the Service's port connects to.
    pub fn service_ends(
        &self,
        service: &Service,
        protocol: Protocol,
        port: u16,
    ) -> Result<Vec<(End, u16)>, ServiceProblem> {
        match &service.kind {
            ServiceKind::ExternalName(name) => Ok(vec![(End::Name(name.clone()), port)]),
            ServiceKind::Headless => {
                let pods = self.service_pods(service);
                match (&service.selector, pods.is_empty()) {
                    (None, _) => Err(ServiceProblem::EndpointsByHand),
                    (Some(_), true) => Err(ServiceProblem::NoEndpoints),
                    (Some(_), false) => {
                        Ok(pods.into_iter().map(|pod| (End::Pod(pod), port)).collect())
                    }
                }
            }
            ServiceKind::ClusterIp { .. } => {
                let mut ports = service.ports.iter();
                let service_port = ports
                    .find(|candidate| candidate.protocol == protocol && candidate.port == port)
                    .ok_or(ServiceProblem::NoSuchPort)?;
                let endpoints = self.endpoints(service, service_port)?;
                Ok(endpoints.into_iter().map(|e| (End::Pod(e.pod), e.port)).collect())
            }
        }
    }

    fn decide_endpoint(
        &self,
        from: &End,
        (to, target): (&End, u16),
        service: &Service,
        (protocol, port): (Protocol, u16),
    ) -> Decision {
        let ServiceKind::ClusterIp { addresses } = &service.kind else {
            // The client connects to the endpoint itself: nothing is translated.
            return self.decide(from, to, protocol, target);
        };
        let is_source = self.is_same_pod(from, to);
        match (self.facts(from), self.facts(to)) {
            (Some(source), Some(destination)) => {
                let via = Some(Via { addresses, port, is_source });
                self.decide_facts(&source, &Facts { via, ..destination }, (protocol, target))
            }
            (None, _) | (_, None) => Decision::no_such_pod(),
        }
    }
}
