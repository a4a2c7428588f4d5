//! Workloads whose part in a cluster their well-known labels tell.

use crate::world::World;
use net_types::Protocol;
use policy_engine::PodId;
use policy_model::{Entry, EntryKind, Labels, Pod, Service, TargetPort};
use std::collections::BTreeSet;

pub(crate) const DNS_NAMESPACE: &str = "kube-system";
const DNS_SERVICE: &str = "kube-dns";
const DNS_PORT: u16 = 53;

/// Namespaces that every cluster has, whether or not a manifest declares them.
pub(crate) const ALWAYS_THERE: [&str; 4] =
    ["default", "kube-system", "kube-public", "kube-node-lease"];

/// Where pods ask for names: a pod, and its ports after DNAT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DnsPod {
    pub(crate) pod: PodId,
    pub(crate) udp: u16,
    pub(crate) tcp: u16,
}

pub(crate) fn is_dns(pod: &Pod) -> bool {
    pod.labels.value("k8s-app") == Some("kube-dns")
        || pod.labels.value("app.kubernetes.io/name") == Some("coredns")
        || (pod.namespace == DNS_NAMESPACE && pod.workload.name == "coredns")
}

/// The cluster's DNS pods: those of `kube-system` where there are any.
pub(crate) fn dns_pods(world: &World<'_>) -> Vec<DnsPod> {
    let service = world.program.service(DNS_NAMESPACE, DNS_SERVICE);
    let mut pods: Vec<PodId> = service.map_or_else(Vec::new, |s| world.program.service_pods(s));
    if pods.is_empty() {
        let dns = world.program.pods().filter(|(_, pod)| is_dns(pod)).map(|(id, _)| id);
        pods = dns.collect();
        let own = |id: &PodId| world.pod(*id).is_some_and(|pod| pod.namespace == DNS_NAMESPACE);
        if pods.iter().any(own) {
            pods.retain(own);
        }
    }
    let port = |pod: PodId, protocol| target(world, service, pod, protocol);
    pods.into_iter()
        .map(|pod| DnsPod { pod, udp: port(pod, Protocol::Udp), tcp: port(pod, Protocol::Tcp) })
        .collect()
}

/// What the Service's port 53 becomes on the pod; else the container port that is 53 or called `dns…`.
fn target(world: &World<'_>, service: Option<&Service>, pod: PodId, protocol: Protocol) -> u16 {
    let Some(known) = world.pod(pod) else { return DNS_PORT };
    let served = || known.ports.iter().filter(|port| port.protocol == protocol);
    let by_service = service.and_then(|service| {
        let mut ports = service.ports.iter();
        match &ports.find(|p| p.port == DNS_PORT && p.protocol == protocol)?.target {
            TargetPort::Number(number) => Some(*number),
            TargetPort::Name(name) => {
                served().find(|port| port.name.as_ref() == Some(name)).map(|port| port.port)
            }
        }
    });
    let is_dns_name = |name: &String| name.starts_with("dns");
    let by_container = || {
        let plain = served().find(|port| port.port == DNS_PORT);
        let named = || served().find(|port| port.name.as_ref().is_some_and(is_dns_name));
        plain.or_else(named).map(|port| port.port)
    };
    by_service.or_else(by_container).unwrap_or(DNS_PORT)
}

/// Products that are known as Ingress or Gateway controllers, by the name in their pods' labels; the
/// second word is what their class is usually called.
const CONTROLLERS: [(&str, &str); 12] = [
    ("ingress-nginx", "nginx"),
    ("nginx-ingress", "nginx"),
    ("traefik", "traefik"),
    ("contour", "contour"),
    ("envoy", "contour"),
    ("haproxy-ingress", "haproxy"),
    ("kubernetes-ingress", "haproxy"),
    ("kong", "kong"),
    ("ambassador", "ambassador"),
    ("emissary-ingress", "ambassador"),
    ("istio-ingressgateway", "istio"),
    ("gateway", "istio"),
];

const NAME_LABELS: [&str; 4] = ["app.kubernetes.io/name", "app", "k8s-app", "istio"];

/// Labels that gateway implementations set on the pods of a Gateway, to its name.
const GATEWAY_LABELS: [&str; 3] = [
    "gateway.networking.k8s.io/gateway-name",
    "gateway.envoyproxy.io/owning-gateway-name",
    "gateway.nginx.org/gateway-name",
];

fn controller_class(labels: &Labels) -> Option<&'static str> {
    let names = NAME_LABELS.iter().filter_map(|key| labels.value(key));
    let mut classes = names.filter_map(|name| match name {
        "ingressgateway" => Some("istio"),
        "gateway" => None,
        name => CONTROLLERS.iter().find(|(known, _)| *known == name).map(|(_, class)| *class),
    });
    classes.next()
}

/// A pod that passes on connections from outside.
pub(crate) fn is_controller(pod: &Pod) -> bool {
    controller_class(&pod.labels).is_some()
        || GATEWAY_LABELS.iter().any(|key| pod.labels.value(key).is_some())
}

/// The pods that serve an entry; empty where the input does not tell.
pub(crate) fn controllers(world: &World<'_>, entry: &Entry) -> Vec<PodId> {
    let serves = |pod: &Pod| match entry.kind {
        EntryKind::Ingress => match (controller_class(&pod.labels), entry.controllers.first()) {
            (Some(_), None) => true,
            (Some(class), Some(wanted)) => wanted.contains(class),
            (None, _) => false,
        },
        EntryKind::HttpRoute
        | EntryKind::GrpcRoute
        | EntryKind::TlsRoute
        | EntryKind::TcpRoute
        | EntryKind::UdpRoute => GATEWAY_LABELS.iter().any(|key| {
            let name = pod.labels.value(key);
            name.is_some_and(|name| entry.controllers.iter().any(|c| c.ends_with(name)))
        }),
    };
    world.program.pods().filter(|(_, pod)| serves(pod)).map(|(id, _)| id).collect()
}

/// Pods that are meant to be reached from outside: behind an entry or an external Service, and the
/// controllers themselves.
pub(crate) fn public_pods(world: &World<'_>) -> BTreeSet<PodId> {
    let mut pods: BTreeSet<PodId> = world
        .program
        .pods()
        .filter(|(_, pod)| is_controller(pod) || is_dns(pod))
        .map(|(id, _)| id)
        .collect();
    for service in world.program.services().iter().filter(|service| service.external) {
        pods.extend(world.program.service_pods(service));
    }
    let backends = world.program.entries().iter().flat_map(|entry| &entry.backends);
    for backend in backends {
        if let Some(service) = world.program.service(&backend.namespace, &backend.service) {
            pods.extend(world.program.service_pods(service));
        }
    }
    pods
}
