//! What the cluster-scoped policies of all versions share: priority, subject, rules and peers.

use super::block;
use super::metadata::selector;
use crate::codes;
use crate::document::{Decoder, Field, Fields, Node, Place, Shape, listed};
use finding_model::Code;
use policy_model::{
    Action, Direction, LabelSelector, NamespaceScope, Network, Peer, PeerMatch, Peers, PortMatch,
    PortSpec, Ports, Rule, Subject,
};

/// Of the API group `policy.networking.k8s.io`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    V1Alpha1Admin,
    V1Alpha1Baseline,
    V1Alpha2,
}

/// How long the lists of one policy may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub rules: usize,
    pub peers: usize,
    pub ports: usize,
    /// Of `networks` and of `domainNames`.
    pub blocks: usize,
}

/// The name of the list of ports in a rule, and what reads one of its items.
pub(super) type PortReader = (&'static str, fn(&mut Decoder, &Node<'_>) -> Option<PortSpec>);

/// What differs between the kinds.
#[derive(Clone, Copy, Debug)]
pub(super) struct RuleContext {
    pub version: Version,
    pub limits: Limits,
    pub ports: PortReader,
}

static SUBJECT: Shape = Shape {
    name: "a subject",
    fields: &[
        ("namespaces", "the policy would apply to nothing"),
        ("pods", "the policy would apply to nothing"),
    ],
};
static NAMESPACED_PODS: Shape = Shape {
    name: "`pods`",
    fields: &[
        ("namespaceSelector", "every namespace would be selected"),
        ("podSelector", "every pod of the namespaces would be selected"),
    ],
};

const NAME: Field = ("name", "");
const ACTION: Field = ("action", "the rule would have no action");
const FROM: Field = ("from", "the rule would match no source");
const TO: Field = ("to", "the rule would match no destination");
const NAMESPACES: Field = ("namespaces", "the peer would be empty");
const PODS: Field = ("pods", "the peer would be empty");
const NODES: Field = ("nodes", "the peer would be empty");
const NETWORKS: Field = ("networks", "the peer would be empty");
const DOMAIN_NAMES: Field = ("domainNames", "the peer would be empty");
const PROTOCOLS: Field = ("protocols", "the rule would match every port of every protocol");
const PORTS: Field = ("ports", "the rule would match every port of every protocol");

const INGRESS_RULE: &str = "an ingress rule";
const EGRESS_RULE: &str = "an egress rule";
static INGRESS_V1ALPHA1: Shape = Shape { name: INGRESS_RULE, fields: &[NAME, ACTION, FROM, PORTS] };
static EGRESS_V1ALPHA1: Shape = Shape { name: EGRESS_RULE, fields: &[NAME, ACTION, TO, PORTS] };
static INGRESS_V1ALPHA2: Shape =
    Shape { name: INGRESS_RULE, fields: &[NAME, ACTION, FROM, PROTOCOLS] };
static EGRESS_V1ALPHA2: Shape = Shape { name: EGRESS_RULE, fields: &[NAME, ACTION, TO, PROTOCOLS] };
static INGRESS_PEER: Shape = Shape { name: "an ingress peer", fields: &[NAMESPACES, PODS] };
static EGRESS_PEER: Shape =
    Shape { name: "an egress peer", fields: &[NAMESPACES, PODS, NODES, NETWORKS, DOMAIN_NAMES] };
static BASELINE_EGRESS_PEER: Shape =
    Shape { name: "an egress peer", fields: &[NAMESPACES, PODS, NODES, NETWORKS] };

const ADMIN_ACTIONS: [(&str, Action); 3] =
    [("Allow", Action::Accept), ("Deny", Action::Deny), ("Pass", Action::Pass)];
const BASELINE_ACTIONS: [(&str, Action); 2] = [("Allow", Action::Accept), ("Deny", Action::Deny)];
const ACTIONS: [(&str, Action); 3] =
    [("Accept", Action::Accept), ("Deny", Action::Deny), ("Pass", Action::Pass)];

const MAX_PRIORITY: u16 = 1000;
const RULE_NAME_LENGTH: usize = 100;
const DOMAIN_NAME_LENGTH: usize = 253;

pub(super) fn priority(decoder: &mut Decoder, spec: &Fields<'_, '_>) -> Option<u16> {
    let node = spec.required(decoder, "priority")?;
    let number = decoder.integer(node)?;
    let priority = u16::try_from(number).ok().filter(|priority| *priority <= MAX_PRIORITY);
    if priority.is_none() {
        let message = format!("{number} is no priority");
        let help = "a priority is 0, which decides first, to 1000";
        decoder.error(codes::BAD_VALUE, node.place, message, help);
    }
    priority
}

pub(super) fn subject(
    decoder: &mut Decoder,
    spec: &Fields<'_, '_>,
    version: Version,
) -> Option<Subject> {
    let node = spec.required(decoder, "subject")?;
    let (name, value) = only_field(decoder, node, &SUBJECT)?;
    let (namespaces, pods) = match name {
        "namespaces" => (selector(decoder, value)?, LabelSelector::EVERYTHING),
        _ => namespaced_pods(decoder, value, version)?,
    };
    Some(Subject { namespaces: NamespaceScope::Selected(namespaces), pods })
}

fn namespaced_pods(
    decoder: &mut Decoder,
    node: &Node<'_>,
    version: Version,
) -> Option<(LabelSelector, LabelSelector)> {
    let fields = decoder.strict(node, &NAMESPACED_PODS)?;
    let namespaces = match (fields.field("namespaceSelector"), version) {
        (Some(node), _) => selector(decoder, node),
        (None, Version::V1Alpha2) => Some(LabelSelector::EVERYTHING),
        (None, Version::V1Alpha1Admin | Version::V1Alpha1Baseline) => {
            fields.required(decoder, "namespaceSelector");
            None
        }
    };
    let pods = fields.required(decoder, "podSelector")?;
    let pods = selector(decoder, pods)?;
    Some((namespaces?, pods))
}

/// The one field of a mapping that must have exactly one of those of `shape`.
pub(super) fn only_field<'n, 't>(
    decoder: &mut Decoder,
    node: &'n Node<'t>,
    shape: &'static Shape,
) -> Option<(&'n str, &'n Node<'t>)> {
    let help = "write each in an item of its own";
    one_of(decoder, node, shape, [(codes::MISSING_FIELD, ""), (codes::BAD_VALUE, help)])
}

/// The codes of none and of several, the latter with its help. Null is an absent field, as everywhere.
fn one_of<'n, 't>(
    decoder: &mut Decoder,
    node: &'n Node<'t>,
    shape: &'static Shape,
    codes: [(Code, &str); 2],
) -> Option<(&'n str, &'n Node<'t>)> {
    let n_errors = decoder.n_errors();
    let fields = decoder.strict(node, shape)?;
    if decoder.n_errors() > n_errors {
        return None;
    }
    let [(none, _), (several, help)] = codes;
    let mut written = fields.entries().iter().filter(|entry| !entry.value.is_null());
    let Some(first) = written.next() else {
        let names: Vec<&str> = shape.fields.iter().map(|(name, _)| *name).collect();
        let message = format!("{} has no field", shape.name);
        let help = format!("write one of {}", listed(&names));
        decoder.error(none, fields.place, message, help);
        return None;
    };
    if let Some(second) = written.next() {
        let message =
            format!("{} has both `{}` and `{}`", shape.name, first.key.text, second.key.text);
        decoder.error(several, second.key.place, message, help);
        return None;
    }
    Some((&first.key.text, &first.value))
}

/// A direction's rules; without any the policy says nothing of the direction.
pub(super) fn rules(
    decoder: &mut Decoder,
    spec: &Fields<'_, '_>,
    direction: Direction,
    context: &RuleContext,
) -> Option<Option<Vec<Rule>>> {
    let field = match direction {
        Direction::Ingress => "ingress",
        Direction::Egress => "egress",
    };
    let Some(node) = spec.field(field) else { return Some(None) };
    let items = decoder.sequence(node)?;
    check_length(decoder, items, context.limits.rules, "rules");
    let rules = decoder.all(items, |decoder, item| rule(decoder, item, direction, context))?;
    Some(Some(rules).filter(|rules| !rules.is_empty()))
}

fn check_length(decoder: &mut Decoder, items: &[Node<'_>], limit: usize, what: &str) {
    if let Some(first_over) = items.get(limit) {
        let message = format!("{} {what}, and {limit} are allowed", items.len());
        let help = "split it over several policies, or join items";
        decoder.error(codes::TOO_MANY, first_over.place, message, help);
    }
}

fn rule(
    decoder: &mut Decoder,
    node: &Node<'_>,
    direction: Direction,
    context: &RuleContext,
) -> Option<Rule> {
    let is_v1alpha2 = context.version == Version::V1Alpha2;
    let (shape, field) = match direction {
        Direction::Ingress if is_v1alpha2 => (&INGRESS_V1ALPHA2, "from"),
        Direction::Ingress => (&INGRESS_V1ALPHA1, "from"),
        Direction::Egress if is_v1alpha2 => (&EGRESS_V1ALPHA2, "to"),
        Direction::Egress => (&EGRESS_V1ALPHA1, "to"),
    };
    let fields = decoder.strict(node, shape)?;
    let name = match fields.field("name") {
        Some(node) => Some(rule_name(decoder, node)?),
        None => None,
    };
    let action = action(decoder, &fields, context.version);
    let peers =
        fields.required(decoder, field).and_then(|list| peers(decoder, list, direction, context));
    let ports = ports(decoder, &fields, context);
    let rule = Rule {
        name,
        action: action?,
        peers: Peers::Listed(peers?),
        ports: ports?,
        span: Some(decoder.span(node.place)),
    };
    check_named_ports(decoder, &rule, &fields, context)?;
    check_domain_names(decoder, &rule, node.place)?;
    Some(rule)
}

fn rule_name(decoder: &mut Decoder, node: &Node<'_>) -> Option<String> {
    let name = decoder.string(node)?;
    if name.chars().count() > RULE_NAME_LENGTH {
        let message = format!("the rule's name is longer than {RULE_NAME_LENGTH} characters");
        decoder.error(codes::BAD_NAME, node.place, message, "shorten it");
        return None;
    }
    Some(name.to_owned())
}

fn action(decoder: &mut Decoder, fields: &Fields<'_, '_>, version: Version) -> Option<Action> {
    let node = fields.required(decoder, "action")?;
    let actions: &[(&str, Action)] = match version {
        Version::V1Alpha1Admin => &ADMIN_ACTIONS,
        Version::V1Alpha1Baseline => &BASELINE_ACTIONS,
        Version::V1Alpha2 => &ACTIONS,
    };
    let renamed = match (node.text(), version) {
        (Some("Allow"), Version::V1Alpha2) => Some("Accept"),
        (Some("Accept"), Version::V1Alpha1Admin | Version::V1Alpha1Baseline) => Some("Allow"),
        (Some(_) | None, _) => None,
    };
    let Some(renamed) = renamed else { return decoder.word(node, codes::BAD_VALUE, actions) };
    let message = format!("`{}` is no action of this version", node.text().unwrap_or_default());
    decoder.error(codes::BAD_VALUE, node.place, message, format!("it is called `{renamed}` here"));
    None
}

/// Not empty: a NetworkPolicy reads an empty list as everything, this API refuses it.
fn peers(
    decoder: &mut Decoder,
    list: &Node<'_>,
    direction: Direction,
    context: &RuleContext,
) -> Option<Vec<Peer>> {
    let items = decoder.sequence(list)?;
    if items.is_empty() {
        let help = "list at least one peer; `namespaces: {}` is every pod";
        decoder.error(codes::EMPTY_LIST, list.place, "the rule has no peer", help);
        return None;
    }
    check_length(decoder, items, context.limits.peers, "peers");
    let shape = match (direction, context.version) {
        (Direction::Ingress, _) => &INGRESS_PEER,
        (Direction::Egress, Version::V1Alpha1Baseline) => &BASELINE_EGRESS_PEER,
        (Direction::Egress, Version::V1Alpha1Admin | Version::V1Alpha2) => &EGRESS_PEER,
    };
    decoder.all(items, |decoder, item| peer(decoder, item, shape, context))
}

fn peer(
    decoder: &mut Decoder,
    node: &Node<'_>,
    shape: &'static Shape,
    context: &RuleContext,
) -> Option<Peer> {
    let help = "write each in a peer of its own; for pods that meet two conditions there is `pods`";
    let codes = [(codes::EMPTY_PEER, ""), (codes::TWO_PEER_FIELDS, help)];
    let (name, value) = one_of(decoder, node, shape, codes)?;
    let matches = match name {
        "namespaces" => PeerMatch::Pods {
            namespaces: NamespaceScope::Selected(selector(decoder, value)?),
            pods: LabelSelector::EVERYTHING,
        },
        "pods" => {
            let (namespaces, pods) = namespaced_pods(decoder, value, context.version)?;
            PeerMatch::Pods { namespaces: NamespaceScope::Selected(namespaces), pods }
        }
        "nodes" => PeerMatch::Nodes(selector(decoder, value)?),
        "networks" => PeerMatch::Networks(networks(decoder, value, context.limits)?),
        _ => PeerMatch::DomainNames(domain_names(decoder, value, context.limits)?),
    };
    Some(Peer { matches, span: Some(decoder.span(node.place)) })
}

fn networks(decoder: &mut Decoder, node: &Node<'_>, limits: Limits) -> Option<Vec<Network>> {
    let items = set_items(decoder, node, limits, "networks")?;
    let blocks = decoder.all(items, block::cidr)?;
    Some(blocks.into_iter().map(|block| Network { block, except: Vec::new() }).collect())
}

fn domain_names(decoder: &mut Decoder, node: &Node<'_>, limits: Limits) -> Option<Vec<String>> {
    let items = set_items(decoder, node, limits, "domain names")?;
    decoder.all(items, domain_name)
}

/// The items of a list that the API takes as a set of one to some strings.
fn set_items<'n, 't>(
    decoder: &mut Decoder,
    node: &'n Node<'t>,
    limits: Limits,
    what: &str,
) -> Option<&'n [Node<'t>]> {
    let items = decoder.sequence(node)?;
    if items.is_empty() {
        let message = format!("the list of {what} is empty");
        decoder.error(codes::EMPTY_LIST, node.place, message, "list at least one");
        return None;
    }
    check_length(decoder, items, limits.blocks, what);
    for (index, item) in items.iter().enumerate() {
        let Some(text) = item.text() else { continue };
        if items.iter().take(index).any(|earlier| earlier.text() == Some(text)) {
            let message = format!("`{text}` is listed twice");
            decoder.error(codes::BAD_VALUE, item.place, message, "remove one of them");
            return None;
        }
    }
    Some(items)
}

fn domain_name(decoder: &mut Decoder, node: &Node<'_>) -> Option<String> {
    let text = decoder.string(node)?;
    let name = text.strip_suffix('.').unwrap_or(text);
    let parts = name.strip_prefix("*.").unwrap_or(name).split('.');
    let is_right = |part: &str| {
        let inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        part.bytes().all(inner)
            && part.starts_with(|c: char| c.is_ascii_alphanumeric())
            && part.ends_with(|c: char| c.is_ascii_alphanumeric())
    };
    if name.len() <= DOMAIN_NAME_LENGTH && parts.clone().count() > 1 && parts.clone().all(is_right)
    {
        return Some(name.to_ascii_lowercase());
    }
    let message = format!("`{text}` is no domain name");
    let help = "write `example.com`, or `*.example.com` for the names below it";
    decoder.error(codes::BAD_DOMAIN_NAME, node.place, message, help);
    None
}

fn ports(decoder: &mut Decoder, fields: &Fields<'_, '_>, context: &RuleContext) -> Option<Ports> {
    let (field, read) = context.ports;
    let Some(node) = fields.field(field) else { return Some(Ports::All) };
    let items = decoder.sequence(node)?;
    if items.is_empty() {
        if context.version == Version::V1Alpha2 {
            let help = format!("list at least one, or leave `{field}` away for all traffic");
            decoder.error(codes::EMPTY_LIST, node.place, format!("`{field}` is empty"), help);
            return None;
        }
        return Some(Ports::All);
    }
    check_length(decoder, items, context.limits.ports, field);
    decoder.all(items, read).map(Ports::Listed)
}

/// A rule of the CRD: nothing but a pod has named ports.
fn check_named_ports(
    decoder: &mut Decoder,
    rule: &Rule,
    fields: &Fields<'_, '_>,
    context: &RuleContext,
) -> Option<()> {
    let Ports::Listed(ports) = &rule.ports else { return Some(()) };
    let has_name = ports.iter().any(|port| matches!(port.matches, PortMatch::Named { .. }));
    let Peers::Listed(peers) = &rule.peers else { return Some(()) };
    let is_pods = |peer: &Peer| matches!(peer.matches, PeerMatch::Pods { .. });
    if !has_name || peers.iter().all(is_pods) {
        return Some(());
    }
    let (field, _) = context.ports;
    let place = fields.field(field).map_or(fields.place, |node| node.place);
    let message = "a named port in a rule with `networks`, `nodes` or `domainNames`";
    let help = "only pods have named ports: write numbers, or make it two rules";
    decoder.error(codes::NAMED_PORT_WITHOUT_PODS, place, message, help);
    None
}

fn check_domain_names(decoder: &mut Decoder, rule: &Rule, place: Place) -> Option<()> {
    let Peers::Listed(peers) = &rule.peers else { return Some(()) };
    let has_names = peers.iter().any(|peer| matches!(peer.matches, PeerMatch::DomainNames(_)));
    if !has_names || rule.action == Action::Accept {
        return Some(());
    }
    let message = format!("`domainNames` in a {} rule", rule.action);
    let help = "domain names can only be accepted: deny by `networks` in a later rule";
    decoder.error(codes::BAD_VALUE, place, message, help);
    None
}
