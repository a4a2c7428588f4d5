//! `policy.networking.k8s.io/v1alpha2` ClusterNetworkPolicy, with the rules of its CRD.

use super::Object;
use super::metadata::{Metadata, Strictness, metadata};
use super::tiered::{self, Limits, RuleContext, Version};
use crate::codes;
use crate::document::{Decoder, Fields, Node, Shape};
use crate::names;
use net_types::{PortRange, Protocol};
use policy_model::{Direction, Policy, PolicyId, PolicyKind, PortMatch, PortSpec, Tier};

static OBJECT: Shape = Shape {
    name: "a ClusterNetworkPolicy",
    fields: &[
        ("apiVersion", ""),
        ("kind", ""),
        ("metadata", "the policy would have no name"),
        ("spec", "the policy would say nothing"),
        ("status", ""),
    ],
};
static SPEC: Shape = Shape {
    name: "a ClusterNetworkPolicy's spec",
    fields: &[
        ("tier", "the policy would have no tier"),
        ("priority", "the policy would have no place in its tier's order"),
        ("subject", "the policy would apply to nothing"),
        ("ingress", "the policy would not affect ingress"),
        ("egress", "the policy would not affect egress"),
    ],
};
static PROTOCOL: Shape = Shape {
    name: "a protocol",
    fields: &[
        ("tcp", "the rule would not speak of TCP"),
        ("udp", "the rule would not speak of UDP"),
        ("sctp", "the rule would not speak of SCTP"),
        ("destinationNamedPort", "the rule would not speak of the port"),
    ],
};
static TRANSPORT: Shape = Shape {
    name: "a protocol's ports",
    fields: &[("destinationPort", "every port of the protocol would match")],
};
static DESTINATION_PORT: Shape = Shape {
    name: "a destination port",
    fields: &[("number", "no port would be named"), ("range", "no port would be named")],
};
static RANGE: Shape = Shape {
    name: "a port range",
    fields: &[("start", "the range would have no start"), ("end", "the range would have no end")],
};

/// Limits of the CRD.
const LIMITS: Limits = Limits { rules: 25, peers: 25, ports: 25, blocks: 25 };

const TIERS: [(&str, Tier); 2] = [("Admin", Tier::Admin), ("Baseline", Tier::Baseline)];

pub(super) fn lower(decoder: &mut Decoder, node: &Node<'_>) -> Option<Object> {
    let object = decoder.strict(node, &OBJECT)?;
    let metadata = metadata(decoder, &object, Strictness::Strict);
    let spec = object.required(decoder, "spec")?;
    let spec = decoder.strict(spec, &SPEC)?;
    let tier = spec
        .required(decoder, "tier")
        .and_then(|node| decoder.word(node, codes::BAD_VALUE, &TIERS));
    let priority = tiered::priority(decoder, &spec);
    let subject = tiered::subject(decoder, &spec, Version::V1Alpha2);
    let context =
        RuleContext { version: Version::V1Alpha2, limits: LIMITS, ports: ("protocols", port) };
    let ingress = tiered::rules(decoder, &spec, Direction::Ingress, &context);
    let egress = tiered::rules(decoder, &spec, Direction::Egress, &context);
    let Metadata { name, namespace: _, labels: _, controller: _ } = metadata?;
    Some(Object::Policy(Box::new(Policy {
        id: PolicyId { kind: PolicyKind::ClusterNetworkPolicy, namespace: None, name },
        tier: tier?,
        priority: priority?,
        subject: subject?,
        ingress: ingress?,
        egress: egress?,
        span: Some(decoder.span(object.place)),
    })))
}

fn port(decoder: &mut Decoder, node: &Node<'_>) -> Option<PortSpec> {
    let (name, value) = tiered::only_field(decoder, node, &PROTOCOL)?;
    let matches = match name {
        "tcp" => transport(decoder, value, Protocol::Tcp)?,
        "udp" => transport(decoder, value, Protocol::Udp)?,
        "sctp" => transport(decoder, value, Protocol::Sctp)?,
        // The shape knows no field beside these.
        _ => PortMatch::Named { protocol: None, name: names::port_name(decoder, value)? },
    };
    Some(PortSpec { matches, span: Some(decoder.span(node.place)) })
}

fn transport(decoder: &mut Decoder, node: &Node<'_>, protocol: Protocol) -> Option<PortMatch> {
    let fields = decoder.strict(node, &TRANSPORT)?;
    let port = fields.required(decoder, "destinationPort")?;
    let (name, value) = tiered::only_field(decoder, port, &DESTINATION_PORT)?;
    let range = match name {
        "number" => PortRange::single(names::port_number(decoder, value)?)?,
        _ => range(decoder, value)?,
    };
    Some(PortMatch::Numbers { protocol, range })
}

fn range(decoder: &mut Decoder, node: &Node<'_>) -> Option<PortRange> {
    let fields = decoder.strict(node, &RANGE)?;
    range_of(decoder, &fields)
}

/// `start` and `end`, of which `start` must be the smaller.
pub(super) fn range_of(decoder: &mut Decoder, fields: &Fields<'_, '_>) -> Option<PortRange> {
    let start = fields.required(decoder, "start")?;
    let end = fields.required(decoder, "end")?;
    let first = names::port_number(decoder, start)?;
    let last = names::port_number(decoder, end)?;
    if first >= last {
        let message = format!("`end` {last} is not above `start` {first}");
        let help = if first == last {
            "write one port as `number`, not as a range"
        } else {
            "`end` is the last port of the range"
        };
        decoder.error(codes::END_PORT_BELOW_PORT, end.place, message, help);
        return None;
    }
    PortRange::new(first, last)
}
