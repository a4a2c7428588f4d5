//! Services.

use super::metadata::{Metadata, Strictness, metadata};
use super::pod::{address, protocol};
use super::{Object, in_namespace};
use crate::codes;
use crate::document::{Decoder, Fields, Node, Value};
use crate::names;
use policy_model::{LabelSelector, Requirement, Service, ServiceKind, ServicePort, TargetPort};
use std::net::IpAddr;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Type {
    ClusterIp,
    NodePort,
    LoadBalancer,
    ExternalName,
}

const TYPES: [(&str, Type); 4] = [
    ("ClusterIP", Type::ClusterIp),
    ("NodePort", Type::NodePort),
    ("LoadBalancer", Type::LoadBalancer),
    ("ExternalName", Type::ExternalName),
];

pub(super) fn lower(decoder: &mut Decoder, object: &Fields<'_, '_>) -> Option<Object> {
    let Metadata { name, namespace, labels: _, controller: _ } =
        metadata(decoder, object, Strictness::Lenient)?;
    let spec = object.required(decoder, "spec")?;
    let spec = decoder.lenient(spec, "the Service's spec")?;
    let service_type = match spec.field("type") {
        Some(node) => decoder.word(node, codes::BAD_VALUE, &TYPES)?,
        None => Type::ClusterIp,
    };
    let kind = kind(decoder, &spec, service_type)?;
    let selector = match spec.field("selector") {
        Some(node) if service_type != Type::ExternalName => selector(decoder, node)?,
        Some(_) | None => None,
    };
    let ports = match spec.field("ports") {
        Some(node) => {
            let items = decoder.sequence(node)?;
            decoder.all(items, port)?
        }
        None => Vec::new(),
    };
    Some(Object::Service(Box::new(Service {
        namespace: in_namespace(namespace),
        name,
        kind,
        external: matches!(service_type, Type::NodePort | Type::LoadBalancer),
        selector,
        ports,
        span: Some(decoder.span(object.place)),
    })))
}

fn kind(decoder: &mut Decoder, spec: &Fields<'_, '_>, service_type: Type) -> Option<ServiceKind> {
    if service_type == Type::ExternalName {
        let node = spec.required(decoder, "externalName")?;
        let name = decoder.string(node)?.trim_end_matches('.').to_ascii_lowercase();
        return Some(ServiceKind::ExternalName(name));
    }
    let mut nodes: Vec<&Node<'_>> = Vec::new();
    if let Some(list) = spec.field("clusterIPs") {
        nodes.extend(decoder.sequence(list)?);
    }
    nodes.extend(spec.field("clusterIP"));
    let mut addresses: Vec<IpAddr> = Vec::new();
    for node in nodes {
        if node.text() == Some("None") {
            return Some(ServiceKind::Headless);
        }
        addresses.extend(address(decoder, node)?);
    }
    addresses.sort_unstable();
    addresses.dedup();
    Some(ServiceKind::ClusterIp { addresses })
}

/// A plain map of labels; an empty one selects nothing by itself, as an absent one.
fn selector(decoder: &mut Decoder, node: &Node<'_>) -> Option<Option<LabelSelector>> {
    let fields = decoder.lenient(node, "the Service's selector")?;
    let mut requirements = Vec::new();
    for entry in fields.entries() {
        decoder.check_style(&entry.key.text, entry.key.style, entry.key.place);
        let value = decoder.string(&entry.value)?;
        requirements.push(Requirement::equals(entry.key.text.as_ref(), value));
    }
    Some((!requirements.is_empty()).then(|| requirements.into_iter().collect()))
}

fn port(decoder: &mut Decoder, node: &Node<'_>) -> Option<ServicePort> {
    let fields = decoder.lenient(node, "a Service port")?;
    let port = fields.required(decoder, "port")?;
    let port = names::port_number(decoder, port)?;
    let name = match fields.field("name") {
        Some(node) => Some(decoder.string(node)?.to_owned()).filter(|name| !name.is_empty()),
        None => None,
    };
    let target = match fields.field("targetPort") {
        None => TargetPort::Number(port),
        Some(node) if node.text() == Some("") => TargetPort::Number(port),
        Some(node) => target_port(decoder, node, port)?,
    };
    let protocol = protocol(decoder, &fields)?;
    Some(ServicePort { name, protocol, port, target, span: Some(decoder.span(node.place)) })
}

fn target_port(decoder: &mut Decoder, node: &Node<'_>, port: u16) -> Option<TargetPort> {
    match &node.value {
        // The API server reads 0 as "the same as `port`".
        Value::Number(text) if text == "0" => Some(TargetPort::Number(port)),
        Value::Number(_) => names::port_number(decoder, node).map(TargetPort::Number),
        Value::Null
        | Value::Bool(_)
        | Value::Text { .. }
        | Value::Sequence(_)
        | Value::Mapping(_) => names::port_name(decoder, node).map(TargetPort::Name),
    }
}
