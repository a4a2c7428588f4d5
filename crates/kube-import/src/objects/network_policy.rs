//! `networking.k8s.io/v1` NetworkPolicy, decoded as strictly as the API server does.

use super::block;
use super::metadata::{Metadata, Strictness, metadata, selector};
use super::pod::protocol;
use super::{Object, in_namespace};
use crate::codes;
use crate::document::{Decoder, Field, Fields, Node, Shape, Value};
use crate::names;
use net_types::PortRange;
use policy_model::{
    Action, Direction, LabelSelector, NamespaceScope, Network, Peer, PeerMatch, Peers, Policy,
    PolicyId, PolicyKind, PortMatch, PortSpec, Ports, Rule, Subject, Tier,
};

static OBJECT: Shape = Shape {
    name: "a NetworkPolicy",
    fields: &[
        ("apiVersion", ""),
        ("kind", ""),
        ("metadata", "the policy would have no name"),
        ("spec", "the policy would select every pod of its namespace and allow them nothing in"),
        ("status", ""),
    ],
};
static SPEC: Shape = Shape {
    name: "a NetworkPolicy's spec",
    fields: &[
        ("podSelector", "the policy would select every pod of its namespace"),
        ("ingress", "the policy would allow nothing in"),
        ("egress", "the policy would say nothing of egress, or allow nothing out"),
        ("policyTypes", "the directions would be guessed from the rules that are there"),
    ],
};
const PORTS: Field = ("ports", "the rule would allow every port of every protocol");
static INGRESS_RULE: Shape = Shape {
    name: "an ingress rule",
    fields: &[("from", "the rule would allow traffic from every source"), PORTS],
};
static EGRESS_RULE: Shape = Shape {
    name: "an egress rule",
    fields: &[("to", "the rule would allow traffic to every destination"), PORTS],
};
static PEER: Shape = Shape {
    name: "a peer",
    fields: &[
        ("podSelector", "the peer would not be narrowed to some pods"),
        ("namespaceSelector", "the peer would not be narrowed to some namespaces"),
        ("ipBlock", "the peer would be empty"),
    ],
};
static IP_BLOCK: Shape = Shape {
    name: "an `ipBlock`",
    fields: &[
        ("cidr", "the block would have no addresses"),
        ("except", "the block would be allowed as a whole"),
    ],
};
static PORT: Shape = Shape {
    name: "a port",
    fields: &[
        ("port", "every port of the protocol would be allowed"),
        ("protocol", "the protocol would be TCP"),
        ("endPort", "only the first port of the range would be allowed"),
    ],
};

pub(super) fn lower(decoder: &mut Decoder, node: &Node<'_>) -> Option<Object> {
    let object = decoder.strict(node, &OBJECT)?;
    let metadata = metadata(decoder, &object, Strictness::Strict);
    // The API takes a policy without a spec for one with an empty spec.
    let empty = Node { value: Value::Mapping(Vec::new()), place: object.place };
    let spec = decoder.strict(object.field("spec").unwrap_or(&empty), &SPEC)?;
    // Every part is decoded before the first `?`, so that one run names all that is wrong.
    let pods = match spec.field("podSelector") {
        Some(node) => selector(decoder, node),
        None => Some(LabelSelector::EVERYTHING),
    };
    let Metadata { name, namespace, labels: _, controller: _ } = metadata?;
    let namespace = in_namespace(namespace);
    let ingress = rules(decoder, &spec, Direction::Ingress, &namespace);
    let egress = rules(decoder, &spec, Direction::Egress, &namespace);
    let covers = covered(decoder, &spec)?;
    let policy = Policy {
        id: PolicyId { kind: PolicyKind::NetworkPolicy, namespace: Some(namespace.clone()), name },
        tier: Tier::NetworkPolicy,
        priority: 0,
        subject: Subject { namespaces: NamespaceScope::Own(namespace), pods: pods? },
        ingress: Some(ingress?).filter(|_| covers.ingress),
        egress: Some(egress?).filter(|_| covers.egress),
        span: Some(decoder.span(object.place)),
    };
    Some(Object::Policy(Box::new(policy)))
}

struct Covers {
    ingress: bool,
    egress: bool,
}

const DIRECTIONS: [(&str, Direction); 2] =
    [("Ingress", Direction::Ingress), ("Egress", Direction::Egress)];

/// The directions that the policy speaks of.
fn covered(decoder: &mut Decoder, spec: &Fields<'_, '_>) -> Option<Covers> {
    let types = match spec.field("policyTypes") {
        Some(node) => decoder.sequence(node)?,
        None => &[],
    };
    let listed =
        decoder.all(types, |decoder, node| decoder.word(node, codes::BAD_VALUE, &DIRECTIONS))?;
    if let Some(third) = types.get(2) {
        let help = "list `Ingress`, `Egress` or both, once each";
        decoder.error(codes::TOO_MANY, third.place, "more than two `policyTypes`", help);
        return None;
    }
    if listed.is_empty() {
        let egress = spec.field("egress").is_some();
        return Some(Covers { ingress: true, egress });
    }
    for (word, field, direction) in
        [("Ingress", "ingress", Direction::Ingress), ("Egress", "egress", Direction::Egress)]
    {
        let Some(node) = spec.field(field) else { continue };
        if !listed.contains(&direction)
            && matches!(&node.value, Value::Sequence(items) if !items.is_empty())
        {
            let message = format!("the {direction} rules have no effect");
            let help = format!("add `{word}` to `policyTypes`, or remove the rules");
            let finding = decoder.warning(codes::IGNORED_RULES, node.place, message, help);
            finding.why = Some(format!("`policyTypes` does not list `{word}`"));
        }
    }
    Some(Covers {
        ingress: listed.contains(&Direction::Ingress),
        egress: listed.contains(&Direction::Egress),
    })
}

fn rules(
    decoder: &mut Decoder,
    spec: &Fields<'_, '_>,
    direction: Direction,
    namespace: &str,
) -> Option<Vec<Rule>> {
    let field = match direction {
        Direction::Ingress => "ingress",
        Direction::Egress => "egress",
    };
    let Some(node) = spec.field(field) else { return Some(Vec::new()) };
    let items = decoder.sequence(node)?;
    decoder.all(items, |decoder, item| rule(decoder, item, direction, namespace))
}

fn rule(
    decoder: &mut Decoder,
    node: &Node<'_>,
    direction: Direction,
    namespace: &str,
) -> Option<Rule> {
    let (shape, field) = match direction {
        Direction::Ingress => (&INGRESS_RULE, "from"),
        Direction::Egress => (&EGRESS_RULE, "to"),
    };
    let fields = decoder.strict(node, shape)?;
    let peers = match fields.field(field) {
        None => Some(Peers::Any),
        Some(list) => peers(decoder, list, namespace),
    };
    let ports = match fields.field("ports") {
        None => Some(Ports::All),
        Some(list) => ports(decoder, list),
    };
    let span = Some(decoder.span(node.place));
    Some(Rule { name: None, action: Action::Accept, peers: peers?, ports: ports?, span })
}

fn peers(decoder: &mut Decoder, list: &Node<'_>, namespace: &str) -> Option<Peers> {
    let items = decoder.sequence(list)?;
    if items.is_empty() {
        return Some(Peers::Any);
    }
    decoder.all(items, |decoder, item| peer(decoder, item, namespace)).map(Peers::Listed)
}

fn peer(decoder: &mut Decoder, node: &Node<'_>, namespace: &str) -> Option<Peer> {
    let fields = decoder.strict(node, &PEER)?;
    let pods = fields.field("podSelector");
    let namespaces = fields.field("namespaceSelector");
    let block = fields.field("ipBlock");
    let matches = match (pods, namespaces, block) {
        (None, None, None) => {
            if fields.entries().iter().all(|entry| is_peer_field(&entry.key.text)) {
                empty_peer(decoder, &fields);
            }
            return None;
        }
        (None, None, Some(block)) => PeerMatch::Networks(vec![ip_block(decoder, block)?]),
        (_, _, Some(block)) => {
            let help = "make it two peers: one with `ipBlock`, one with the selectors";
            let message = "`ipBlock` stands beside a selector in one peer";
            let finding = decoder.error(codes::TWO_PEER_FIELDS, block.place, message, help);
            finding.why = Some("no reading of it is defined: an address is no label".into());
            return None;
        }
        (pods, namespaces, None) => {
            let pods = match pods {
                Some(node) => selector(decoder, node),
                None => Some(LabelSelector::EVERYTHING),
            };
            let namespaces = match namespaces {
                Some(node) => selector(decoder, node).map(NamespaceScope::Selected),
                None => Some(NamespaceScope::Own(namespace.to_owned())),
            };
            PeerMatch::Pods { namespaces: namespaces?, pods: pods? }
        }
    };
    Some(Peer { matches, span: Some(decoder.span(node.place)) })
}

fn is_peer_field(name: &str) -> bool {
    PEER.fields.iter().any(|(field, _)| *field == name)
}

fn empty_peer(decoder: &mut Decoder, fields: &Fields<'_, '_>) {
    let finding = decoder.error(
        codes::EMPTY_PEER,
        fields.place,
        "the peer names neither pods, nor namespaces, nor addresses",
        "write `podSelector: {}` for all pods of the namespace, `namespaceSelector: {}` for all pods, \
         or leave the list away for everything",
    );
    finding.why = Some("some readers take it as everything, others as nothing".into());
}

fn ip_block(decoder: &mut Decoder, node: &Node<'_>) -> Option<Network> {
    let fields = decoder.strict(node, &IP_BLOCK)?;
    let cidr = fields.required(decoder, "cidr")?;
    let block = block::cidr(decoder, cidr)?;
    let except = match fields.field("except") {
        Some(list) => {
            let items = decoder.sequence(list)?;
            decoder.all(items, |decoder, item| block::except(decoder, item, block))?
        }
        None => Vec::new(),
    };
    Some(Network { block, except })
}

fn ports(decoder: &mut Decoder, list: &Node<'_>) -> Option<Ports> {
    let items = decoder.sequence(list)?;
    if items.is_empty() {
        return Some(Ports::All);
    }
    decoder.all(items, port).map(Ports::Listed)
}

fn port(decoder: &mut Decoder, node: &Node<'_>) -> Option<PortSpec> {
    let fields = decoder.strict(node, &PORT)?;
    let protocol = protocol(decoder, &fields)?;
    let end = fields.field("endPort");
    let matches = match (fields.field("port"), end) {
        (None, None) => PortMatch::Numbers { protocol, range: PortRange::ALL },
        (None, Some(end)) => {
            let why = "the range would have no start";
            return end_port_without_port(decoder, end, "add `port`, the first of the range", why);
        }
        (Some(port), end) => match &port.value {
            Value::Text { .. } => {
                if let Some(end) = end {
                    let help = "write `port` as a number, or remove `endPort`";
                    return end_port_without_port(decoder, end, help, "a name has no end");
                }
                let name = names::port_name(decoder, port)?;
                PortMatch::Named { protocol: Some(protocol), name }
            }
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::Sequence(_)
            | Value::Mapping(_) => {
                let range = number_range(decoder, port, end)?;
                PortMatch::Numbers { protocol, range }
            }
        },
    };
    Some(PortSpec { matches, span: Some(decoder.span(node.place)) })
}

fn end_port_without_port(
    decoder: &mut Decoder,
    end: &Node<'_>,
    help: &str,
    why: &str,
) -> Option<PortSpec> {
    let message = "`endPort` without a number in `port`";
    decoder.error(codes::END_PORT_WITHOUT_PORT, end.place, message, help).why = Some(why.into());
    None
}

fn number_range(
    decoder: &mut Decoder,
    port: &Node<'_>,
    end: Option<&Node<'_>>,
) -> Option<PortRange> {
    let first = names::port_number(decoder, port)?;
    let Some(end) = end else { return PortRange::single(first) };
    let last = names::port_number(decoder, end)?;
    let range = PortRange::new(first, last);
    if range.is_none() {
        let message = format!("`endPort` {last} is below `port` {first}");
        let help = format!("`endPort` is the last port of the range and at least {first}");
        let finding = decoder.error(codes::END_PORT_BELOW_PORT, end.place, message, help);
        finding.why = Some("the range would hold no port".into());
    }
    range
}
