//! Namespaces, nodes, pods, and the workloads that templates stand for.

use crate::selector::labels;
use crate::yaml::Yaml;
use policy_model::{ContainerPort, Namespace, Node, Pod, PodOrigin, WorkloadKind};
use std::net::IpAddr;

pub(crate) fn object(api_version: &str, kind: &str, metadata: Yaml) -> Yaml {
    Yaml::map([
        ("apiVersion", Yaml::text(api_version)),
        ("kind", Yaml::text(kind)),
        ("metadata", metadata),
    ])
}

pub(crate) fn metadata(namespace: Option<&str>, name: &str) -> Yaml {
    Yaml::map([("name", Yaml::text(name))]).with_some("namespace", namespace.map(Yaml::text))
}

pub(crate) fn namespace(namespace: &Namespace) -> Yaml {
    let metadata = metadata(None, &namespace.name).with("labels", labels(&namespace.labels));
    object("v1", "Namespace", metadata)
}

pub(crate) fn node(node: &Node) -> Yaml {
    let address = |address: &IpAddr| {
        Yaml::map([
            ("type", Yaml::text("InternalIP")),
            ("address", Yaml::text(address.to_string())),
        ])
    };
    let addresses = Yaml::List(node.addresses.iter().map(address).collect());
    object("v1", "Node", metadata(None, &node.name).with("labels", labels(&node.labels)))
        .with("status", Yaml::map([("addresses", addresses)]))
}

/// A Pod, or for a template the workload that it is of.
pub(crate) fn pod(pod: &Pod) -> Yaml {
    match (pod.origin, pod.workload.kind) {
        (PodOrigin::Live, _) | (PodOrigin::Template, WorkloadKind::Pod) => live_pod(pod),
        (PodOrigin::Template, kind) => workload(kind, pod),
    }
}

fn live_pod(pod: &Pod) -> Yaml {
    let metadata = metadata(Some(&pod.namespace), &pod.name)
        .with("labels", labels(&pod.labels))
        .with_some("ownerReferences", owner(pod));
    let live = object("v1", "Pod", metadata).with("spec", pod_spec(pod));
    let Some(first) = pod.addresses.first() else { return live };
    let address = |address: &IpAddr| Yaml::map([("ip", Yaml::text(address.to_string()))]);
    let status = Yaml::map([
        ("podIP", Yaml::text(first.to_string())),
        ("podIPs", Yaml::List(pod.addresses.iter().map(address).collect())),
    ]);
    live.with("status", status)
}

/// Names the workload itself, also where a cluster has a ReplicaSet or a Job between the two.
fn owner(pod: &Pod) -> Option<Yaml> {
    let kind = pod.workload.kind;
    if kind == WorkloadKind::Pod {
        return None;
    }
    let reference = Yaml::map([
        ("apiVersion", Yaml::text(api_version(kind))),
        ("kind", Yaml::text(kind.as_str())),
        ("name", Yaml::text(&pod.workload.name)),
        ("controller", Yaml::True),
    ]);
    Some(Yaml::List(vec![reference]))
}

fn api_version(kind: WorkloadKind) -> &'static str {
    match kind {
        WorkloadKind::Deployment
        | WorkloadKind::StatefulSet
        | WorkloadKind::DaemonSet
        | WorkloadKind::ReplicaSet => "apps/v1",
        WorkloadKind::Job | WorkloadKind::CronJob => "batch/v1",
        WorkloadKind::ReplicationController | WorkloadKind::Pod => "v1",
    }
}

fn workload(kind: WorkloadKind, pod: &Pod) -> Yaml {
    let template = Yaml::map([
        ("metadata", Yaml::map([("labels", labels(&pod.labels))])),
        ("spec", pod_spec(pod)),
    ]);
    let spec = match kind {
        WorkloadKind::Deployment
        | WorkloadKind::StatefulSet
        | WorkloadKind::DaemonSet
        | WorkloadKind::ReplicaSet => Yaml::map([
            ("selector", Yaml::map([("matchLabels", labels(&pod.labels))])),
            ("template", template),
        ]),
        WorkloadKind::ReplicationController => {
            Yaml::map([("selector", labels(&pod.labels)), ("template", template)])
        }
        WorkloadKind::Job | WorkloadKind::Pod => Yaml::map([("template", template)]),
        WorkloadKind::CronJob => Yaml::map([
            ("schedule", Yaml::text("0 0 * * *")),
            ("jobTemplate", Yaml::map([("spec", Yaml::map([("template", template)]))])),
        ]),
    };
    object(api_version(kind), kind.as_str(), metadata(Some(&pod.namespace), &pod.name))
        .with("spec", spec)
}

fn pod_spec(pod: &Pod) -> Yaml {
    Yaml::map([])
        .with_some("hostNetwork", pod.host_network.then_some(Yaml::True))
        .with_some("nodeName", pod.node.as_ref().map(Yaml::text))
        .with("containers", Yaml::List(containers(&pod.ports)))
}

/// Names are unique within a container, so a second port of one name begins another one.
fn containers(ports: &[ContainerPort]) -> Vec<Yaml> {
    let mut containers: Vec<Vec<&ContainerPort>> = vec![Vec::new()];
    for port in ports {
        match containers.last_mut() {
            Some(last) if !last.iter().any(|other| has_same_name(other, port)) => last.push(port),
            Some(_) | None => containers.push(vec![port]),
        }
    }
    let container = |(index, ports): (usize, Vec<&ContainerPort>)| {
        let list = || Yaml::List(ports.iter().map(|port| container_port(port)).collect());
        let ports = (!ports.is_empty()).then(list);
        Yaml::map([("name", Yaml::text(format!("c{index}"))), ("image", Yaml::text("image"))])
            .with_some("ports", ports)
    };
    containers.into_iter().enumerate().map(container).collect()
}

fn has_same_name(a: &ContainerPort, b: &ContainerPort) -> bool {
    a.name.is_some() && a.name == b.name
}

fn container_port(port: &ContainerPort) -> Yaml {
    Yaml::map([])
        .with_some("name", port.name.as_ref().map(Yaml::text))
        .with("containerPort", Yaml::Number(port.port))
        .with("protocol", Yaml::text(port.protocol.to_string()))
}
