//! Pods, and the pod templates of workloads.

use super::metadata::{Metadata, OwnerRef, Strictness, metadata};
use super::{Object, in_namespace};
use crate::codes;
use crate::document::{Decoder, Fields, Node};
use crate::names;
use net_types::{Family, Protocol};
use policy_model::{ContainerPort, Pod, PodOrigin, WorkloadKind, WorkloadRef};
use std::net::IpAddr;

/// A pod whose workload is not settled before all objects are known.
#[derive(Clone, Debug)]
pub(crate) struct OwnedPod {
    pub pod: Pod,
    pub controller: Option<OwnerRef>,
}

pub(crate) const PROTOCOLS: [(&str, Protocol); 3] =
    [("TCP", Protocol::Tcp), ("UDP", Protocol::Udp), ("SCTP", Protocol::Sctp)];

pub(super) fn lower(decoder: &mut Decoder, object: &Fields<'_, '_>) -> Option<Object> {
    let metadata = metadata(decoder, object, Strictness::Lenient)?;
    let status = match object.field("status") {
        Some(node) => Some(decoder.lenient(node, "status")?),
        None => None,
    };
    if is_terminated(decoder, status.as_ref())? {
        return Some(Object::Terminated);
    }
    let spec = pod_spec(decoder, object.field("spec"))?;
    let addresses = addresses(decoder, status.as_ref())?;
    let Metadata { name, namespace, labels, controller } = metadata;
    let namespace = in_namespace(namespace);
    let workload =
        WorkloadRef { namespace: namespace.clone(), name: name.clone(), kind: WorkloadKind::Pod };
    let pod = Pod {
        namespace,
        name,
        workload,
        origin: PodOrigin::Live,
        labels,
        addresses,
        host_network: spec.host_network,
        node: spec.node,
        ports: spec.ports,
        span: Some(decoder.span(object.place)),
    };
    Some(Object::Pod(Box::new(OwnedPod { pod, controller })))
}

/// What a pod's spec says of the network.
#[derive(Debug, Default)]
pub(super) struct PodSpec {
    pub host_network: bool,
    pub node: Option<String>,
    pub ports: Vec<ContainerPort>,
}

pub(super) fn pod_spec(decoder: &mut Decoder, node: Option<&Node<'_>>) -> Option<PodSpec> {
    let Some(node) = node else { return Some(PodSpec::default()) };
    let fields = decoder.lenient(node, "a pod's spec")?;
    let host_network = match fields.field("hostNetwork") {
        Some(node) => decoder.boolean(node)?,
        None => false,
    };
    let node = match fields.field("nodeName") {
        Some(node) => Some(decoder.string(node)?.to_owned()).filter(|name| !name.is_empty()),
        None => None,
    };
    let mut ports = Vec::new();
    if let Some(containers) = fields.field("containers") {
        for container in decoder.sequence(containers)? {
            let container = decoder.lenient(container, "a container")?;
            container_ports(decoder, &container, &mut ports)?;
        }
    }
    if let Some(containers) = fields.field("initContainers") {
        for container in decoder.sequence(containers)? {
            let container = decoder.lenient(container, "an init container")?;
            if is_sidecar(decoder, &container)? {
                container_ports(decoder, &container, &mut ports)?;
            }
        }
    }
    Some(PodSpec { host_network, node, ports })
}

/// A native sidecar runs as long as the pod does.
fn is_sidecar(decoder: &mut Decoder, container: &Fields<'_, '_>) -> Option<bool> {
    match container.field("restartPolicy") {
        Some(node) => Some(decoder.string(node)? == "Always"),
        None => Some(false),
    }
}

fn container_ports(
    decoder: &mut Decoder,
    container: &Fields<'_, '_>,
    ports: &mut Vec<ContainerPort>,
) -> Option<()> {
    let Some(node) = container.field("ports") else { return Some(()) };
    for item in decoder.sequence(node)? {
        let fields = decoder.lenient(item, "a container port")?;
        let port = fields.required(decoder, "containerPort")?;
        let port = names::port_number(decoder, port)?;
        let name = match fields.field("name") {
            Some(node) if node.text() == Some("") => None,
            Some(node) => Some(names::port_name(decoder, node)?),
            None => None,
        };
        let protocol = protocol(decoder, &fields)?;
        ports.push(ContainerPort { name, protocol, port });
    }
    Some(())
}

/// `protocol`, TCP where it is left out.
pub(super) fn protocol(decoder: &mut Decoder, fields: &Fields<'_, '_>) -> Option<Protocol> {
    match fields.field("protocol") {
        Some(node) => decoder.word(node, codes::BAD_PROTOCOL, &PROTOCOLS),
        None => Some(Protocol::Tcp),
    }
}

fn is_terminated(decoder: &mut Decoder, status: Option<&Fields<'_, '_>>) -> Option<bool> {
    match status.and_then(|status| status.field("phase")) {
        Some(node) => Some(matches!(decoder.string(node)?, "Succeeded" | "Failed")),
        None => Some(false),
    }
}

/// `podIPs`, or `podIP`; at most one of each family.
fn addresses(decoder: &mut Decoder, status: Option<&Fields<'_, '_>>) -> Option<Vec<IpAddr>> {
    let mut addresses: Vec<IpAddr> = Vec::new();
    let Some(status) = status else { return Some(addresses) };
    let mut nodes = Vec::new();
    if let Some(list) = status.field("podIPs") {
        for item in decoder.sequence(list)? {
            nodes.extend(decoder.lenient(item, "a pod address")?.field("ip"));
        }
    }
    nodes.extend(status.field("podIP"));
    for node in nodes {
        let Some(address) = address(decoder, node)? else { continue };
        if !addresses.iter().any(|known| Family::of(*known) == Family::of(address)) {
            addresses.push(address);
        }
    }
    Some(addresses)
}

/// An address, or nothing for the empty string; the outer `None` is an error.
pub(super) fn address(decoder: &mut Decoder, node: &Node<'_>) -> Option<Option<IpAddr>> {
    let text = decoder.string(node)?;
    if text.is_empty() {
        return Some(None);
    }
    let address = text.parse().ok();
    if address.is_none() {
        let message = format!("`{text}` is no IP address");
        decoder.error(codes::BAD_ADDRESS, node.place, message, "write an IPv4 or IPv6 address");
    }
    address.map(Some)
}
