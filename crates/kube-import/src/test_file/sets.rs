//! Sets of ends, and the connections between them.

use super::text;
use crate::codes;
use crate::document::{Decoder, Fields, Node, Shape, Value};
use crate::{names, objects};
use policy_assertions::{PeerSet, PodSelection, Scope, Whole};
use policy_model::LabelSelector;
use question_syntax::PortArgument;

pub(super) const SCOPE: Shape = Shape {
    name: "a scope",
    fields: &[
        ("from", "nothing would be asked about"),
        ("to", "nothing would be asked about"),
        ("port", "every port of TCP, UDP and SCTP would be meant"),
    ],
};
const SET: Shape = Shape {
    name: "a set",
    fields: &[
        ("namespace", "the set would not be narrowed to a namespace"),
        ("namespaceSelector", "the set would not be narrowed to some namespaces"),
        ("podSelector", "the set would not be narrowed to some pods"),
        ("hostNetwork", "pods would be in the set whether or not they use the host network"),
        ("any", "the set would not have these parts"),
        ("all", "the set would not be narrowed to what these share"),
        ("not", "nothing would be left away from the set"),
    ],
};
const POD_FIELDS: [&str; 4] = ["namespace", "namespaceSelector", "podSelector", "hostNetwork"];
const WHOLES: [Whole; 3] = [Whole::Cluster, Whole::Outside, Whole::Anywhere];

/// `from`, `to` and `port` of a mapping that was checked for other fields before.
pub(super) fn scope(decoder: &mut Decoder, fields: &Fields<'_, '_>) -> Option<Scope> {
    let from = fields.required(decoder, "from");
    let from = from.and_then(|node| set(decoder, node));
    let to = fields.required(decoder, "to");
    let to = to.and_then(|node| set(decoder, node));
    let ports = ports(decoder, fields)?;
    Some(Scope { from: from?, to: to?, ports, span: decoder.span(fields.place) })
}

/// A list of scopes of their own.
pub(super) fn scopes(decoder: &mut Decoder, node: &Node<'_>) -> Option<Vec<Scope>> {
    let items = decoder.sequence(node)?;
    let mut scopes = Vec::new();
    for item in items {
        let fields = decoder.strict(item, &SCOPE);
        scopes.push(fields.and_then(|fields| scope(decoder, &fields)));
    }
    scopes.into_iter().collect()
}

/// Recursion is bounded by the depth that a document may have.
pub(super) fn set(decoder: &mut Decoder, node: &Node<'_>) -> Option<PeerSet> {
    match &node.value {
        Value::Text { .. } => named(decoder, node),
        Value::Sequence(items) => sets(decoder, node, items).map(PeerSet::Any),
        Value::Mapping(_) => mapping(decoder, node),
        Value::Null | Value::Bool(_) | Value::Number(_) => {
            decoder.wrong_type(node, "a set: a peer, a list of sets, or a mapping");
            None
        }
    }
}

fn sets(decoder: &mut Decoder, node: &Node<'_>, items: &[Node<'_>]) -> Option<Vec<PeerSet>> {
    if items.is_empty() {
        let help = "list at least one set";
        decoder.error(codes::EMPTY_LIST, node.place, "the list has no sets", help);
        return None;
    }
    let sets: Vec<Option<PeerSet>> = items.iter().map(|item| set(decoder, item)).collect();
    sets.into_iter().collect()
}

fn named(decoder: &mut Decoder, node: &Node<'_>) -> Option<PeerSet> {
    let text = decoder.string(node)?;
    let span = decoder.span(node.place);
    if let Some(whole) = WHOLES.into_iter().find(|whole| whole.as_str() == text) {
        return Some(PeerSet::Whole { whole, span });
    }
    match text.parse() {
        Ok(peer) => Some(PeerSet::Peer { peer, span }),
        Err(error) => {
            let help = "a set is a peer as on the command line, `cluster`, `outside` or `anywhere`";
            decoder.error(codes::BAD_VALUE, node.place, format!("{error}"), help);
            None
        }
    }
}

/// All fields of a mapping must hold.
fn mapping(decoder: &mut Decoder, node: &Node<'_>) -> Option<PeerSet> {
    let fields = decoder.strict(node, &SET)?;
    let mut parts: Vec<Option<PeerSet>> = Vec::new();
    if POD_FIELDS.iter().any(|name| fields.field(name).is_some()) {
        let span = decoder.span(node.place);
        parts.push(selection(decoder, &fields).map(|pods| PeerSet::Pods { pods, span }));
    }
    for (name, wrap) in
        [("any", PeerSet::Any as fn(Vec<PeerSet>) -> PeerSet), ("all", PeerSet::All)]
    {
        let Some(list) = fields.field(name) else { continue };
        let items = decoder.sequence(list);
        parts.push(items.and_then(|items| sets(decoder, list, items)).map(wrap));
    }
    if let Some(other) = fields.field("not") {
        parts.push(set(decoder, other).map(|other| PeerSet::Not(Box::new(other))));
    }
    if parts.is_empty() {
        let is_empty = fields.entries().iter().all(|entry| entry.value.is_null());
        if is_empty {
            let help = "write `cluster` for every pod, or `anywhere` for addresses too";
            decoder.error(codes::BAD_VALUE, node.place, "the set says nothing", help);
        }
        return None;
    }
    let mut parts = parts.into_iter().collect::<Option<Vec<PeerSet>>>()?;
    if parts.len() == 1 { parts.pop() } else { Some(PeerSet::All(parts)) }
}

fn selection(decoder: &mut Decoder, fields: &Fields<'_, '_>) -> Option<PodSelection> {
    let namespaces = match fields.field("namespace") {
        None => Some(Vec::new()),
        Some(node) => namespaces(decoder, node),
    };
    let selector = |decoder: &mut Decoder, name| match fields.field(name) {
        None => Some(LabelSelector::EVERYTHING),
        Some(node) => objects::selector(decoder, node),
    };
    let namespace_labels = selector(decoder, "namespaceSelector");
    let labels = selector(decoder, "podSelector");
    let host_network = match fields.field("hostNetwork") {
        None => None,
        Some(node) => Some(decoder.boolean(node)?),
    };
    Some(PodSelection {
        namespaces: namespaces?,
        namespace_labels: namespace_labels?,
        labels: labels?,
        host_network,
    })
}

fn namespaces(
    decoder: &mut Decoder,
    node: &Node<'_>,
) -> Option<Vec<(String, finding_model::SourceSpan)>> {
    let items = match &node.value {
        Value::Sequence(items) => items.as_slice(),
        Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::Text { .. }
        | Value::Mapping(_) => std::slice::from_ref(node),
    };
    if items.is_empty() {
        let help = "name at least one namespace, or leave `namespace` away";
        decoder.error(codes::EMPTY_LIST, node.place, "the list has no namespaces", help);
        return None;
    }
    let mut names = Vec::new();
    for item in items {
        let span = decoder.span(item.place);
        names.push(names::namespace(decoder, item).map(|name| (name, span)));
    }
    names.into_iter().collect()
}

pub(super) fn ports(decoder: &mut Decoder, fields: &Fields<'_, '_>) -> Option<Vec<PortArgument>> {
    let Some(node) = fields.field("port") else { return Some(Vec::new()) };
    let Value::Sequence(items) = &node.value else {
        return port(decoder, node).map(|port| vec![port]);
    };
    if items.is_empty() {
        let help = "list at least one port, or leave `port` away for all";
        decoder.error(codes::EMPTY_LIST, node.place, "the list has no ports", help);
        return None;
    }
    let ports: Vec<Option<PortArgument>> = items.iter().map(|item| port(decoder, item)).collect();
    ports.into_iter().collect()
}

pub(crate) fn port(decoder: &mut Decoder, node: &Node<'_>) -> Option<PortArgument> {
    if let Value::Number(_) = &node.value {
        let port = names::port_number(decoder, node)?;
        return Some(PortArgument::Number { protocol: net_types::Protocol::Tcp, port });
    }
    let text = text(decoder, node)?;
    match text.parse() {
        Ok(port) => Some(port),
        Err(error) => {
            let help = "write `8443`, `53/udp`, the name of a port, or `icmp`";
            let error: question_syntax::PortArgumentError = error;
            decoder.error(codes::BAD_PORT, node.place, error.to_string(), help);
            None
        }
    }
}
