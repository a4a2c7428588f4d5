//! Services and entries. The oracle does not read entries; renderers and readers do.

use super::alphabet::{PORT_NAMES, WORKLOADS, name_of};
use super::changes::ensure_namespace;
use super::cluster::namespace_name;
use super::parts::{labels, port_number, protocol};
use policy_model::{
    Backend, BackendPort, Entry, EntryKind, LabelSelector, Labels, Requirement, Service,
    ServiceKind, ServicePort, Snapshot, TargetPort,
};
use proptest::option;
use proptest::prelude::*;
use std::net::IpAddr;

pub(super) fn service() -> impl Strategy<Value = Service> {
    let kind = prop_oneof![
        Just(ServiceKind::ClusterIp { addresses: vec![] }),
        (1_u8..=9, any::<bool>()).prop_map(|(last, both)| {
            let v4 = IpAddr::from([10, 96, 0, last]);
            let v6 = IpAddr::from([0xfd96, 0, 0, 0, 0, 0, 0, u16::from(last)]);
            let addresses = std::iter::once(v4).chain(both.then_some(v6)).collect();
            ServiceKind::ClusterIp { addresses }
        }),
        Just(ServiceKind::Headless),
        Just(ServiceKind::ExternalName("api.example.com".to_owned())),
    ];
    let target = prop_oneof![
        port_number().prop_map(TargetPort::Number),
        name_of(&PORT_NAMES).prop_map(TargetPort::Name),
    ];
    let port = (protocol(), target).prop_map(|(protocol, target)| ServicePort {
        name: None,
        protocol,
        port: 80,
        target,
        span: None,
    });
    (namespace_name(), name_of(&WORKLOADS), kind, any::<bool>(), labels(), port).prop_map(
        |(namespace, name, kind, external, labels, port)| {
            let (external, selector, ports) = match kind {
                ServiceKind::ClusterIp { .. } => (external, pairs(labels), vec![port]),
                ServiceKind::Headless => (false, pairs(labels), vec![port]),
                ServiceKind::ExternalName(_) => (false, None, vec![]),
            };
            Service { namespace, name, kind, external, selector, ports, span: None }
        },
    )
}

/// An empty selector of a Service selects nothing and is the same as none.
fn pairs(labels: Labels) -> Option<LabelSelector> {
    let requirements = labels.0.into_iter().map(|(key, value)| Requirement::equals(key, value));
    Some(requirements.collect()).filter(|selector: &LabelSelector| !selector.is_everything())
}

pub(super) fn entry() -> impl Strategy<Value = Entry> {
    let kind = prop_oneof![Just(EntryKind::Ingress), Just(EntryKind::HttpRoute)];
    let port = option::weighted(0.8, port_number());
    (kind, namespace_name(), name_of(&WORKLOADS), port).prop_map(
        |(kind, namespace, service, port)| {
            // An Ingress always names a port; a route may leave it out.
            let port = match kind {
                EntryKind::Ingress => Some(port.unwrap_or(80)),
                EntryKind::HttpRoute
                | EntryKind::GrpcRoute
                | EntryKind::TlsRoute
                | EntryKind::TcpRoute
                | EntryKind::UdpRoute => port,
            };
            let backend = Backend {
                namespace: namespace.clone(),
                service,
                port: port.map(BackendPort::Number),
                span: None,
            };
            Entry {
                kind,
                namespace,
                name: "front".to_owned(),
                controllers: vec!["edge".to_owned()],
                hosts: vec!["shop.example.com".to_owned()],
                backends: vec![backend],
                span: None,
            }
        },
    )
}

/// One object of each name stays.
pub(super) fn put_all(snapshot: &mut Snapshot, services: Vec<Service>, entries: Vec<Entry>) {
    for service in services {
        ensure_namespace(snapshot, &service.namespace);
        snapshot.services.push(service);
    }
    let name = |service: &Service| (service.namespace.clone(), service.name.clone());
    snapshot.services.sort_by_key(name);
    snapshot.services.dedup_by_key(|service| name(service));
    for entry in entries {
        ensure_namespace(snapshot, &entry.namespace);
        snapshot.entries.push(entry);
    }
    let name = |entry: &Entry| (entry.namespace.clone(), entry.name.clone(), entry.kind);
    snapshot.entries.sort_by_key(name);
    snapshot.entries.dedup_by_key(|entry| name(entry));
}
