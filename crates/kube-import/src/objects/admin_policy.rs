//! `policy.networking.k8s.io/v1alpha1`: AdminNetworkPolicy and BaselineAdminNetworkPolicy.

use super::Object;
use super::cluster_policy::range_of;
use super::metadata::{Metadata, Strictness, metadata};
use super::pod::protocol;
use super::tiered::{self, Limits, RuleContext, Version};
use crate::codes;
use crate::document::{Decoder, Field, Node, Shape};
use crate::names;
use net_types::PortRange;
use policy_model::{Direction, Policy, PolicyId, PolicyKind, PortMatch, PortSpec, Tier};

const OBJECT_FIELDS: &[Field] = &[
    ("apiVersion", ""),
    ("kind", ""),
    ("metadata", "the policy would have no name"),
    ("spec", "the policy would say nothing"),
    ("status", ""),
];
static ADMIN: Shape = Shape { name: "an AdminNetworkPolicy", fields: OBJECT_FIELDS };
static BASELINE: Shape = Shape { name: "a BaselineAdminNetworkPolicy", fields: OBJECT_FIELDS };

const SUBJECT: Field = ("subject", "the policy would apply to nothing");
const INGRESS: Field = ("ingress", "the policy would not affect ingress");
const EGRESS: Field = ("egress", "the policy would not affect egress");
static ADMIN_SPEC: Shape = Shape {
    name: "an AdminNetworkPolicy's spec",
    fields: &[
        ("priority", "the policy would have no place in its tier's order"),
        SUBJECT,
        INGRESS,
        EGRESS,
    ],
};
static BASELINE_SPEC: Shape =
    Shape { name: "a BaselineAdminNetworkPolicy's spec", fields: &[SUBJECT, INGRESS, EGRESS] };

static PORT: Shape = Shape {
    name: "a port",
    fields: &[
        ("portNumber", "no port would be named"),
        ("portRange", "no port would be named"),
        ("namedPort", "no port would be named"),
    ],
};
static NUMBER: Shape = Shape {
    name: "a `portNumber`",
    fields: &[("protocol", "the protocol would be TCP"), ("port", "no port would be named")],
};
static RANGE: Shape = Shape {
    name: "a `portRange`",
    fields: &[
        ("protocol", "the protocol would be TCP"),
        ("start", "the range would have no start"),
        ("end", "the range would have no end"),
    ],
};

/// Limits of the CRDs.
const LIMITS: Limits = Limits { rules: 100, peers: 100, ports: 100, blocks: 25 };

/// The one name that a BaselineAdminNetworkPolicy can have.
const BASELINE_NAME: &str = "default";

pub(super) fn lower(decoder: &mut Decoder, node: &Node<'_>, version: Version) -> Option<Object> {
    let is_admin = version == Version::V1Alpha1Admin;
    let object = decoder.strict(node, if is_admin { &ADMIN } else { &BASELINE })?;
    let metadata = metadata(decoder, &object, Strictness::Strict);
    let spec = object.required(decoder, "spec")?;
    let spec = decoder.strict(spec, if is_admin { &ADMIN_SPEC } else { &BASELINE_SPEC })?;
    let priority = if is_admin { tiered::priority(decoder, &spec) } else { Some(0) };
    let subject = tiered::subject(decoder, &spec, version);
    let context = RuleContext { version, limits: LIMITS, ports: ("ports", port) };
    let ingress = tiered::rules(decoder, &spec, Direction::Ingress, &context);
    let egress = tiered::rules(decoder, &spec, Direction::Egress, &context);
    let Metadata { name, namespace: _, labels: _, controller: _ } = metadata?;
    if !is_admin && name != BASELINE_NAME {
        let place = object.field("metadata").and_then(|node| node.child("name"));
        let place = place.map_or(object.place, |node| node.place);
        let message = format!("a BaselineAdminNetworkPolicy cannot be named `{name}`");
        let help = "a cluster has one, and its name is `default`";
        decoder.error(codes::BAD_NAME, place, message, help);
        return None;
    }
    let (kind, tier) = if is_admin {
        (PolicyKind::AdminNetworkPolicy, Tier::Admin)
    } else {
        (PolicyKind::BaselineAdminNetworkPolicy, Tier::Baseline)
    };
    Some(Object::Policy(Box::new(Policy {
        id: PolicyId { kind, namespace: None, name },
        tier,
        priority: priority?,
        subject: subject?,
        ingress: ingress?,
        egress: egress?,
        span: Some(decoder.span(object.place)),
    })))
}

fn port(decoder: &mut Decoder, node: &Node<'_>) -> Option<PortSpec> {
    let (name, value) = tiered::only_field(decoder, node, &PORT)?;
    let matches = match name {
        "portNumber" => {
            let fields = decoder.strict(value, &NUMBER)?;
            let protocol = protocol(decoder, &fields)?;
            let port = fields.required(decoder, "port")?;
            let range = PortRange::single(names::port_number(decoder, port)?)?;
            PortMatch::Numbers { protocol, range }
        }
        "portRange" => {
            let fields = decoder.strict(value, &RANGE)?;
            let protocol = protocol(decoder, &fields)?;
            PortMatch::Numbers { protocol, range: range_of(decoder, &fields)? }
        }
        // The shape knows no field beside these.
        _ => PortMatch::Named { protocol: None, name: names::port_name(decoder, value)? },
    };
    Some(PortSpec { matches, span: Some(decoder.span(node.place)) })
}
