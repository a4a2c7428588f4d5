//! Services, Ingresses and routes.

use crate::cluster::{metadata, object};
use crate::selector::{equalities, selector};
use crate::yaml::Yaml;
use policy_model::{
    Backend, BackendPort, Entry, EntryKind, LabelSelector, Service, ServiceKind, ServicePort,
    TargetPort,
};

pub(crate) fn service(service: &Service) -> Yaml {
    let spec = match &service.kind {
        ServiceKind::ExternalName(name) => {
            Yaml::map([("type", Yaml::text("ExternalName")), ("externalName", Yaml::text(name))])
        }
        ServiceKind::Headless => Yaml::map([("clusterIP", Yaml::text("None"))]),
        ServiceKind::ClusterIp { addresses } => {
            let kind = if service.external { "LoadBalancer" } else { "ClusterIP" };
            let text = |address: &std::net::IpAddr| Yaml::text(address.to_string());
            let list = Yaml::List(addresses.iter().map(text).collect());
            Yaml::map([("type", Yaml::text(kind))])
                .with_some("clusterIP", addresses.first().map(text))
                .with_some("clusterIPs", (!addresses.is_empty()).then_some(list))
        }
    };
    let ports = Yaml::List(service.ports.iter().map(service_port).collect());
    let spec = spec
        .with_some("selector", service.selector.as_ref().map(service_selector))
        .with_some("ports", (!service.ports.is_empty()).then_some(ports));
    object("v1", "Service", metadata(Some(&service.namespace), &service.name)).with("spec", spec)
}

/// The API has equalities only. Any other selector is printed as it would be in a policy.
fn service_selector(requirements: &LabelSelector) -> Yaml {
    let (pairs, rest) = equalities(requirements);
    if rest.is_empty() { Yaml::Map(pairs) } else { selector(requirements) }
}

fn service_port(port: &ServicePort) -> Yaml {
    let target = match &port.target {
        TargetPort::Number(number) => Yaml::Number(*number),
        TargetPort::Name(name) => Yaml::text(name),
    };
    Yaml::map([])
        .with_some("name", port.name.as_ref().map(Yaml::text))
        .with("port", Yaml::Number(port.port))
        .with("targetPort", target)
        .with("protocol", Yaml::text(port.protocol.to_string()))
}

pub(crate) fn entry(entry: &Entry) -> Yaml {
    let (api_version, spec) = match entry.kind {
        EntryKind::Ingress => ("networking.k8s.io/v1", ingress_spec(entry)),
        EntryKind::HttpRoute | EntryKind::GrpcRoute | EntryKind::TlsRoute => {
            ("gateway.networking.k8s.io/v1", route_spec(entry))
        }
        EntryKind::TcpRoute | EntryKind::UdpRoute => {
            ("gateway.networking.k8s.io/v1alpha2", route_spec(entry))
        }
    };
    let metadata = metadata(Some(&entry.namespace), &entry.name);
    object(api_version, &entry.kind.to_string(), metadata).with("spec", spec)
}

/// Which host leads to which backend is not in the model: the first has them all.
fn ingress_spec(entry: &Entry) -> Yaml {
    let paths = Yaml::List(entry.backends.iter().map(ingress_path).collect());
    let http = Yaml::map([("paths", paths)]);
    let mut rules: Vec<Yaml> =
        entry.hosts.iter().map(|host| Yaml::map([("host", Yaml::text(host))])).collect();
    match rules.first_mut() {
        Some(first) => *first = first.clone().with("http", http),
        None => rules.push(Yaml::map([("http", http)])),
    }
    Yaml::map([])
        .with_some("ingressClassName", entry.controllers.first().map(Yaml::text))
        .with("rules", Yaml::List(rules))
}

fn ingress_path(backend: &Backend) -> Yaml {
    let port = backend.port.as_ref().map(|port| match port {
        BackendPort::Number(number) => Yaml::map([("number", Yaml::Number(*number))]),
        BackendPort::Name(name) => Yaml::map([("name", Yaml::text(name))]),
    });
    let service = Yaml::map([("name", Yaml::text(&backend.service))]).with_some("port", port);
    Yaml::map([
        ("path", Yaml::text("/")),
        ("pathType", Yaml::text("Prefix")),
        ("backend", Yaml::map([("service", service)])),
    ])
}

fn route_spec(entry: &Entry) -> Yaml {
    let parent = |name: &String| Yaml::map([("name", Yaml::text(name))]);
    let parents = Yaml::List(entry.controllers.iter().map(parent).collect());
    let hosts = Yaml::List(entry.hosts.iter().map(Yaml::text).collect());
    let backend = |backend: &Backend| {
        let namespace = (backend.namespace != entry.namespace).then_some(&backend.namespace);
        let port = backend.port.as_ref().map(|port| match port {
            BackendPort::Number(number) => Yaml::Number(*number),
            BackendPort::Name(name) => Yaml::text(name),
        });
        Yaml::map([("name", Yaml::text(&backend.service))])
            .with_some("namespace", namespace.map(Yaml::text))
            .with_some("port", port)
    };
    let backends = Yaml::List(entry.backends.iter().map(backend).collect());
    Yaml::map([("parentRefs", parents)])
        .with_some("hostnames", (!entry.hosts.is_empty()).then_some(hosts))
        .with("rules", Yaml::List(vec![Yaml::map([("backendRefs", backends)])]))
}
