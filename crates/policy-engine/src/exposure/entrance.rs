//! Services and routes through which the outside comes in.

use crate::ids::PodId;
use crate::program::Program;
use crate::services::Endpoint;
use net_types::Protocol;
use policy_model::{Backend, BackendPort, EntryKind, Service, ServicePort};
use std::collections::{BTreeMap, BTreeSet};

/// One port of a pod that something outside is led to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entrance {
    pub kind: EntranceKind,
    pub namespace: String,
    pub name: String,
    /// The Service, in the entrance's namespace unless it says another.
    pub service: String,
    pub protocol: Protocol,
    /// The port on the pod.
    pub port: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EntranceKind {
    /// A Service of type NodePort or LoadBalancer: clients come from outside addresses, or from a
    /// node where the address is rewritten.
    Service,
    /// Through the pods of a controller.
    Entry(EntryKind),
}

impl EntranceKind {
    /// `Service`, `Ingress`, `HTTPRoute`.
    pub fn name(self) -> String {
        match self {
            Self::Service => "Service".to_owned(),
            Self::Entry(kind) => kind.to_string(),
        }
    }
}

/// All entrances, by the pods that they lead to.
pub(super) fn by_pod(program: &Program) -> BTreeMap<PodId, BTreeSet<Entrance>> {
    let mut entrances: BTreeMap<PodId, BTreeSet<Entrance>> = BTreeMap::new();
    let mut add = |pod: PodId, entrance| {
        entrances.entry(pod).or_default().insert(entrance);
    };
    for service in program.services().iter().filter(|service| service.external) {
        for (protocol, Endpoint { pod, port }) in endpoints(program, service, |_| true) {
            let (namespace, name) = (service.namespace.clone(), service.name.clone());
            let kind = EntranceKind::Service;
            let service = service.name.clone();
            add(pod, Entrance { kind, namespace, name, service, protocol, port });
        }
    }
    for entry in program.entries() {
        for backend in &entry.backends {
            let Some(service) = program.service(&backend.namespace, &backend.service) else {
                continue;
            };
            let found = endpoints(program, service, |port| serves(backend, port));
            for (protocol, Endpoint { pod, port }) in found {
                let service = if backend.namespace == entry.namespace {
                    backend.service.clone()
                } else {
                    format!("{}/{}", backend.namespace, backend.service)
                };
                let entrance = Entrance {
                    kind: EntranceKind::Entry(entry.kind),
                    namespace: entry.namespace.clone(),
                    name: entry.name.clone(),
                    service,
                    protocol,
                    port,
                };
                add(pod, entrance);
            }
        }
    }
    entrances
}

fn serves(backend: &Backend, port: &ServicePort) -> bool {
    match &backend.port {
        None => true,
        Some(BackendPort::Number(number)) => port.port == *number,
        Some(BackendPort::Name(name)) => port.name.as_ref() == Some(name),
    }
}

/// A Service without endpoints leads nowhere; `lint` says so.
fn endpoints(
    program: &Program,
    service: &Service,
    is_meant: impl Fn(&ServicePort) -> bool,
) -> Vec<(Protocol, Endpoint)> {
    let ports = service.ports.iter().filter(|port| is_meant(port));
    let found =
        ports.filter_map(|port| Some((port.protocol, program.endpoints(service, port).ok()?)));
    found
        .flat_map(|(protocol, endpoints)| endpoints.into_iter().map(move |e| (protocol, e)))
        .collect()
}
