//! Cases and assertions.

use super::{optional_text, sets, text};
use crate::codes;
use crate::document::{Decoder, Fields, Node, Shape, Value};
use policy_assertions::{
    Assertion, Case, Claim, Decider, OnUndefined, PeerSet, Quantifier, Scope, Verdict,
};
use policy_model::{Direction, PolicyId, PolicyKind};

const CASE: Shape = Shape {
    name: "a case",
    fields: &[
        ("name", "the case would be called by its connection"),
        ("from", "nothing would be asked about"),
        ("to", "nothing would be asked about"),
        ("port", "every port of TCP, UDP and SCTP would be meant"),
        ("expect", "nothing would be expected"),
        ("by", "any policy could decide it"),
        ("reason", "a failure would not say why it matters"),
    ],
};
const ASSERTION: Shape = Shape {
    name: "an assertion",
    fields: &[
        ("name", "the assertion would be called by its claim"),
        ("forbid", "nothing would be claimed"),
        ("require", "nothing would be claimed"),
        ("only", "nothing would be claimed"),
        ("isolated", "nothing would be claimed"),
        ("except", "nothing would be excepted"),
        ("undefined", "undefined verdicts would fail"),
        ("reason", "a failure would not say why it matters"),
    ],
};
const CLAIMS: [&str; 4] = ["forbid", "require", "only", "isolated"];
const ISOLATED: Shape = Shape {
    name: "`isolated`",
    fields: &[("pods", "no pods would be meant"), ("directions", "no direction would be meant")],
};
const VERDICTS: [(&str, Verdict); 3] =
    [("allow", Verdict::Allow), ("deny", Verdict::Deny), ("undefined", Verdict::Undefined)];
const DIRECTIONS: [(&str, Direction); 2] =
    [("ingress", Direction::Ingress), ("egress", Direction::Egress)];
const ON_UNDEFINED: [(&str, OnUndefined); 2] =
    [("fail", OnUndefined::Fail), ("pass", OnUndefined::Pass)];
const POLICY_KINDS: [PolicyKind; 4] = [
    PolicyKind::NetworkPolicy,
    PolicyKind::ClusterNetworkPolicy,
    PolicyKind::AdminNetworkPolicy,
    PolicyKind::BaselineAdminNetworkPolicy,
];

pub(super) fn cases(decoder: &mut Decoder, spec: &Fields<'_, '_>) -> Option<Vec<Case>> {
    each(decoder, spec, "cases", case)
}

pub(super) fn assertions(decoder: &mut Decoder, spec: &Fields<'_, '_>) -> Option<Vec<Assertion>> {
    each(decoder, spec, "assertions", assertion)
}

/// Every item is read before the first error counts, so that one run names all that is wrong.
fn each<T>(
    decoder: &mut Decoder,
    spec: &Fields<'_, '_>,
    name: &str,
    read: impl Fn(&mut Decoder, &Node<'_>) -> Option<T>,
) -> Option<Vec<T>> {
    let Some(list) = spec.field(name) else { return Some(Vec::new()) };
    let items: Vec<Option<T>> =
        decoder.sequence(list)?.iter().map(|item| read(decoder, item)).collect();
    items.into_iter().collect()
}

fn case(decoder: &mut Decoder, node: &Node<'_>) -> Option<Case> {
    let fields = decoder.strict(node, &CASE)?;
    let name = optional_text(decoder, &fields, "name");
    let reason = optional_text(decoder, &fields, "reason");
    let scope = sets::scope(decoder, &fields);
    let by = match fields.field("by") {
        Some(node) => decider(decoder, node).map(Some),
        None => Some(None),
    };
    let expect = fields.required(decoder, "expect")?;
    let expect = decoder.word(expect, codes::BAD_VALUE, &VERDICTS);
    Some(Case {
        name: name?,
        scope: scope?,
        expect: expect?,
        by: by?,
        reason: reason?,
        span: decoder.span(node.place),
    })
}

fn decider(decoder: &mut Decoder, node: &Node<'_>) -> Option<Decider> {
    let (policy, rule) = policy_or_rule(decoder, node)?;
    Some(Decider { policy, rule, span: decoder.span(node.place) })
}

/// `KIND PATH`, and a rule of it: `ingress[0]`.
pub(crate) fn policy_or_rule(
    decoder: &mut Decoder,
    node: &Node<'_>,
) -> Option<(PolicyId, Option<(Direction, usize)>)> {
    let written = text(decoder, node)?;
    let words: Vec<&str> = written.split_whitespace().collect();
    let read = match words.as_slice() {
        [kind, path] => policy_id(kind, path).map(|policy| (policy, None)),
        [kind, path, rule] => policy_id(kind, path).zip(rule_of(rule)).map(|(p, r)| (p, Some(r))),
        _ => None,
    };
    if read.is_none() {
        let message = format!("`{written}` names no policy");
        let help = "write `NetworkPolicy shop/web`, `ClusterNetworkPolicy baseline`, or with a rule \
                    `NetworkPolicy shop/web ingress[0]`";
        decoder.error(codes::BAD_VALUE, node.place, message, help);
    }
    read
}

fn policy_id(kind: &str, path: &str) -> Option<PolicyId> {
    let kind = POLICY_KINDS.into_iter().find(|known| known.as_str() == kind)?;
    let is_named = |part: &str| !part.is_empty() && !part.contains('/');
    match (kind, path.split_once('/')) {
        (PolicyKind::NetworkPolicy, Some((namespace, name)))
            if is_named(namespace) && is_named(name) =>
        {
            Some(PolicyId { kind, namespace: Some(namespace.to_owned()), name: name.to_owned() })
        }
        (
            PolicyKind::ClusterNetworkPolicy
            | PolicyKind::AdminNetworkPolicy
            | PolicyKind::BaselineAdminNetworkPolicy,
            None,
        ) => Some(PolicyId { kind, namespace: None, name: path.to_owned() }),
        (
            PolicyKind::NetworkPolicy
            | PolicyKind::ClusterNetworkPolicy
            | PolicyKind::AdminNetworkPolicy
            | PolicyKind::BaselineAdminNetworkPolicy,
            _,
        ) => None,
    }
}

fn rule_of(written: &str) -> Option<(Direction, usize)> {
    let (word, index) = written.strip_suffix(']')?.split_once('[')?;
    let (_, direction) = DIRECTIONS.into_iter().find(|(name, _)| *name == word)?;
    Some((direction, index.parse().ok()?))
}

fn assertion(decoder: &mut Decoder, node: &Node<'_>) -> Option<Assertion> {
    let fields = decoder.strict(node, &ASSERTION)?;
    let name = optional_text(decoder, &fields, "name");
    let reason = optional_text(decoder, &fields, "reason");
    let undefined = match fields.field("undefined") {
        Some(node) => decoder.word(node, codes::BAD_VALUE, &ON_UNDEFINED),
        None => Some(OnUndefined::default()),
    };
    let claim = claim(decoder, &fields);
    Some(Assertion {
        name: name?,
        claim: claim?,
        undefined: undefined?,
        reason: reason?,
        span: decoder.span(node.place),
    })
}

fn claim(decoder: &mut Decoder, fields: &Fields<'_, '_>) -> Option<Claim> {
    let mut claims = CLAIMS.into_iter().filter_map(|name| Some((name, fields.field(name)?)));
    let Some((name, node)) = claims.next() else {
        let message = "the assertion claims nothing";
        let help = "add `forbid`, `require`, `only` or `isolated`";
        decoder.error(codes::MISSING_FIELD, fields.place, message, help);
        return None;
    };
    if let Some((other, node)) = claims.next() {
        let message = format!("one assertion claims both `{name}` and `{other}`");
        decoder.error(codes::TOO_MANY, node.place, message, "make it two assertions");
        return None;
    }
    let takes_exceptions = matches!(name, "forbid" | "only");
    if let Some(except) = fields.field("except").filter(|_| !takes_exceptions) {
        let message = format!("`{name}` has no exceptions");
        let help = "narrow its sets with `not`, or use `forbid`";
        decoder.error(codes::UNKNOWN_FIELD, except.place, message, help);
        return None;
    }
    let except = match fields.field("except") {
        Some(node) => sets::scopes(decoder, node),
        None => Some(Vec::new()),
    };
    match name {
        "require" => require(decoder, node),
        "isolated" => isolated(decoder, node),
        "only" => {
            let scope = plain_scope(decoder, node);
            Some(Claim::Only { scope: scope?, except: except? })
        }
        _ => {
            let scope = plain_scope(decoder, node);
            Some(Claim::Forbid { scope: scope?, except: except? })
        }
    }
}

fn plain_scope(decoder: &mut Decoder, node: &Node<'_>) -> Option<Scope> {
    let fields = decoder.strict(node, &sets::SCOPE)?;
    sets::scope(decoder, &fields)
}

fn require(decoder: &mut Decoder, node: &Node<'_>) -> Option<Claim> {
    let fields = decoder.strict(node, &sets::SCOPE)?;
    let ports = sets::ports(decoder, &fields);
    let [from, to] = ["from", "to"].map(|name| {
        let side = fields.required(decoder, name);
        side.and_then(|side| quantified(decoder, side))
    });
    let ((from_every, from), (to_every, to)) = (from?, to?);
    let scope = Scope { from, to, ports: ports?, span: decoder.span(node.place) };
    Some(Claim::Require { scope, from: from_every, to: to_every })
}

/// `{every: SET}`, `{some: SET}`, or a set, of which every end is meant.
fn quantified(decoder: &mut Decoder, node: &Node<'_>) -> Option<(Quantifier, PeerSet)> {
    for (word, quantifier) in [("every", Quantifier::Every), ("some", Quantifier::Some)] {
        let Some(inner) = node.child(word) else { continue };
        if let Value::Mapping(entries) = &node.value
            && let Some(other) = entries.iter().find(|entry| entry.key.text != word)
        {
            let message = format!("`{}` stands beside `{word}`", other.key.text);
            let help = format!("move it into the set under `{word}`");
            decoder.error(codes::UNKNOWN_FIELD, other.key.place, message, help);
            return None;
        }
        return sets::set(decoder, inner).map(|set| (quantifier, set));
    }
    sets::set(decoder, node).map(|set| (Quantifier::Every, set))
}

fn isolated(decoder: &mut Decoder, node: &Node<'_>) -> Option<Claim> {
    let fields = decoder.strict(node, &ISOLATED)?;
    let pods = fields.required(decoder, "pods");
    let pods = pods.and_then(|node| sets::set(decoder, node));
    let list = fields.required(decoder, "directions")?;
    let items = decoder.sequence(list)?;
    let mut directions = Vec::new();
    for item in items {
        directions.push(decoder.word(item, codes::BAD_VALUE, &DIRECTIONS)?);
    }
    directions.sort_unstable();
    directions.dedup();
    if directions.is_empty() {
        let help = "list `ingress`, `egress` or both";
        decoder.error(codes::EMPTY_LIST, list.place, "the list has no directions", help);
        return None;
    }
    Some(Claim::Isolated { pods: pods?, directions })
}
