//! Services and the pods behind them.

use net_types::Protocol;
use policy_model::{Service, ServiceKind, ServicePort, Snapshot, TargetPort};

/// A pod and a port of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// A place among the snapshot's pods.
    pub pod: usize,
    pub port: u16,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServicePortPlan {
    pub name: Option<String>,
    pub protocol: Protocol,
    pub port: u16,
    /// Every pod of the lab is ready.
    pub endpoints: Vec<Endpoint>,
}

/// The Service is the one at the same place in the snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServicePlan {
    /// Places of the pods that are selected.
    pub pods: Vec<usize>,
    pub ports: Vec<ServicePortPlan>,
}

pub(super) fn plan(snapshot: &Snapshot, notes: &mut Vec<String>) -> Vec<ServicePlan> {
    let plans = snapshot.services.iter().map(|service| of_service(snapshot, service));
    let plans: Vec<ServicePlan> = plans.collect();
    for (service, plan) in snapshot.services.iter().zip(&plans) {
        if service.external {
            notes.push(format!("Service {service}: reached inside only, no node ports"));
        }
        let is_alias = matches!(service.kind, ServiceKind::ExternalName(_));
        if service.selector.is_none() && !is_alias {
            notes.push(format!("Service {service}: without a selector, so it leads nowhere"));
        } else if plan.pods.is_empty() && !is_alias {
            notes.push(format!("Service {service}: no pods, so it leads nowhere"));
        }
    }
    plans
}

fn of_service(snapshot: &Snapshot, service: &Service) -> ServicePlan {
    let Some(selector) = &service.selector else { return ServicePlan::default() };
    let selected = |pod: &policy_model::Pod| {
        pod.namespace == service.namespace && selector.matches(&pod.labels)
    };
    let pods: Vec<usize> = (snapshot.pods.iter().enumerate())
        .filter(|(_, pod)| selected(pod))
        .map(|(place, _)| place)
        .collect();
    let ports = service.ports.iter().map(|port| of_port(snapshot, &pods, port)).collect();
    ServicePlan { pods, ports }
}

fn of_port(snapshot: &Snapshot, pods: &[usize], port: &ServicePort) -> ServicePortPlan {
    let endpoint = |place: &usize| {
        let pod = snapshot.pods.get(*place)?;
        let number = match &port.target {
            TargetPort::Number(number) => *number,
            TargetPort::Name(name) => {
                let mut served = pod.ports.iter();
                served
                    .find(|served| {
                        served.protocol == port.protocol && served.name.as_ref() == Some(name)
                    })?
                    .port
            }
        };
        Some(Endpoint { pod: *place, port: number })
    };
    ServicePortPlan {
        name: port.name.clone(),
        protocol: port.protocol,
        port: port.port,
        endpoints: pods.iter().filter_map(endpoint).collect(),
    }
}
