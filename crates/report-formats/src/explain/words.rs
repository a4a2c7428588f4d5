//! The phrases of an explanation. None is fit to show before it went through `visible`.

use super::rule_text::{networks_text, some};
use net_types::{Protocol, Traffic};
use policy_engine::{
    Assumed, Cause, DecidingTier, Difference, End, LabelDifference, LabelOwner, MapPeer,
    PortDifference, Program, RulePart, TierOutcome, Verdict,
};
use policy_model::{Operator, Pod, PodOrigin, WorkloadKind};

/// `shop/web`, `node n1 (10.0.0.1)`, `203.0.113.9`.
pub(super) fn end(program: &Program, end: &End) -> String {
    match end {
        End::Pod(id) => program.pod(*id).map_or_else(|| "a removed pod".to_owned(), Pod::to_string),
        End::Address(address) => match program.node_at(*address) {
            Some(node) => format!("node {} ({address})", node.name),
            None => address.to_string(),
        },
        End::Name(name) => name.clone(),
    }
}

/// What else tells the end apart: kind, owner, labels, host network.
pub(super) fn end_details(program: &Program, end: &End) -> Option<String> {
    let End::Pod(id) = end else { return None };
    let pod = program.pod(*id)?;
    let kind = match (pod.origin, pod.workload.kind) {
        (_, WorkloadKind::Pod) => "Pod".to_owned(),
        (PodOrigin::Template, kind) => kind.to_string(),
        (PodOrigin::Live, kind) => format!("pod of {kind} {}", pod.workload.name),
    };
    let host = if pod.host_network { ", on the host network" } else { "" };
    Some(format!("{kind}{host}, {}", pod.labels))
}

/// `8080/tcp`, `icmp`.
pub(super) fn packet(protocol: Protocol, port: u16) -> String {
    let name = protocol.to_string().to_ascii_lowercase();
    if protocol.has_ports() { format!("{port}/{name}") } else { name }
}

/// `80,443/tcp, all/udp`; `all ports`.
pub(super) fn traffic(traffic: &Traffic) -> String {
    if traffic.has_all_ports() {
        return "all ports".to_owned();
    }
    let of = |protocol: Protocol| {
        let ports = traffic.ports(protocol).filter(|ports| !ports.is_empty())?;
        Some(format!("{ports}/{}", protocol.to_string().to_ascii_lowercase()))
    };
    let mut parts: Vec<String> = Protocol::WITH_PORTS.into_iter().filter_map(of).collect();
    if traffic.other {
        parts.push("protocols without ports".to_owned());
    }
    parts.join(", ")
}

pub(super) fn map_peer(peer: &MapPeer) -> String {
    match peer {
        MapPeer::Namespace(name) => format!("{name}/"),
        MapPeer::Workload(workload) => workload.to_string(),
        MapPeer::Pod { namespace, name, .. } => format!("{namespace}/{name}"),
        MapPeer::Outside(addresses) => crate::map::addresses::outside(addresses),
    }
}

/// `denied`.
pub(super) fn participle(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Allow => "allowed",
        Verdict::Deny => "denied",
        Verdict::Undefined => "undefined",
    }
}

/// Why no tier was asked.
pub(super) fn untiered(cause: Cause) -> &'static str {
    match cause {
        Cause::NotAPod => "not a pod: no policy has it as its subject",
        Cause::OwnNode => "traffic from the pod's own node is never filtered",
        Cause::SelfTraffic => "a pod's traffic to itself is never filtered",
        Cause::NoPolicy => "no policy applies",
        Cause::Rule(_) | Cause::Isolation(_) => "a policy decides",
    }
}

/// One tier of the summary: `[Admin] Pass (guardrails egress[0])`.
pub(super) fn flow_step(
    program: &Program,
    tier: &str,
    outcome: TierOutcome,
    cause: Cause,
) -> Option<String> {
    let rule = |rule| match program.rule_ref(rule) {
        Some(found) => format!("{} {}[{}]", found.policy.path(), found.direction, found.rule),
        None => "a removed rule".to_owned(),
    };
    Some(match outcome {
        TierOutcome::NoPolicies | TierOutcome::NotAsked => return None,
        TierOutcome::NoMatch => format!("[{tier}] no match"),
        TierOutcome::Passes(by) => format!("[{tier}] Pass ({})", rule(by)),
        TierOutcome::Accepts(by) => format!("[{tier}] allowed ({})", rule(by)),
        TierOutcome::Denies(by) => format!("[{tier}] denied ({})", rule(by)),
        TierOutcome::DeniesByDefault => {
            let policy = program.deciding_policy(cause);
            let policy = policy.map_or_else(String::new, |policy| policy.id.path());
            format!("[{tier}] denied by default ({policy})")
        }
    })
}

/// What is left when every tier let the question pass.
pub(super) fn flow_end(program: &Program, cause: Cause) -> Option<String> {
    (program.deciding_tier(cause) == DecidingTier::Default)
        .then(|| format!("[Default] allowed: {}", untiered(cause)))
}

pub(super) fn assumed(program: &Program, assumed: &Assumed) -> String {
    match assumed {
        Assumed::HostNetworkIsNode => "if a host-network pod is only its node".to_owned(),
        Assumed::HostNetworkIsPod => "if a host-network pod is a pod like any other".to_owned(),
        Assumed::Family(family) => format!("over {family}"),
        Assumed::OwnNode => "if it is the pod's own node".to_owned(),
        Assumed::OtherNode => "if it is another node".to_owned(),
        Assumed::AddressDecides(Cause::Rule(rule)) => match program.rule_ref(*rule) {
            Some(rule) => format!("if the address is such that {rule} decides"),
            None => "if the address is such that a removed rule decides".to_owned(),
        },
        Assumed::AddressDecides(_) => "if the address is in no block of the rules".to_owned(),
        Assumed::LabelsDecide(Cause::Rule(rule)) => match program.rule_ref(*rule) {
            Some(rule) => format!("if the node's labels are such that {rule} decides"),
            None => "if the node's labels are such that a removed rule decides".to_owned(),
        },
        Assumed::LabelsDecide(_) => "if no rule selects the node by its labels".to_owned(),
        Assumed::NameMatches => "if the address belongs to a listed domain name".to_owned(),
        Assumed::NameDiffers => "if it does not".to_owned(),
        Assumed::AppliedFirst { policy, rule } => {
            format!("if {policy} comes first: its rule {} decides", rule.index())
        }
        Assumed::ImplementationAllows => {
            "if the implementation lets protocols without ports through".to_owned()
        }
        Assumed::ImplementationDenies => "if it denies them".to_owned(),
        Assumed::HairpinIsOpen => {
            "if traffic to itself through a Service is not filtered".to_owned()
        }
        Assumed::HairpinIsFiltered => "if it is".to_owned(),
        Assumed::BeforeDnat => "if ipBlock is compared with the Service's address".to_owned(),
        Assumed::AfterDnat => "if it is compared with the pod's".to_owned(),
    }
}

/// `label `tier` differs: has `mid`, the rule wants `front``.
pub(super) fn label(difference: &LabelDifference) -> String {
    let LabelDifference { owner, requirement, has, near_value, near_label } = difference;
    let key = &requirement.key;
    let whose = match owner {
        LabelOwner::Pod => "label".to_owned(),
        LabelOwner::Namespace(name) => format!("namespace {name}: label"),
        LabelOwner::Node(name) => format!("node {name}: label"),
    };
    let text = match (&requirement.operator, has) {
        (Operator::In(values), Some(has)) => {
            format!("{whose} `{key}` differs: has `{has}`, the rule wants {}", quoted(values))
        }
        (Operator::In(values), None) => {
            format!("{whose} `{key}` is missing: the rule wants {}", quoted(values))
        }
        (Operator::NotIn(_), has) => {
            let has = has.as_deref().unwrap_or_default();
            format!("{whose} `{key}` is `{has}`, which the rule excludes")
        }
        (Operator::Exists, _) => format!("{whose} `{key}` is missing: the rule wants it"),
        (Operator::DoesNotExist, _) => format!("{whose} `{key}` is there: the rule excludes it"),
    };
    match (near_value, near_label) {
        (Some(value), _) => format!("{text} (is `{value}` a slip?)"),
        (None, Some((key, value))) => format!("{text} (it has `{key}={value}`)"),
        (None, None) => text,
    }
}

fn quoted(values: &std::collections::BTreeSet<String>) -> String {
    some(values.iter().map(|value| format!("`{value}`")).collect(), " or ")
}

/// One requirement that does not hold.
pub(super) fn difference(found: &Difference, wanted: (Protocol, u16)) -> String {
    match found {
        Difference::Label { part: RulePart::Subject, difference } => {
            format!("the policy does not select the pod: {}", label(difference))
        }
        Difference::Label { difference, .. } => label(difference),
        Difference::PolicyNamespace { policy, pod } => {
            format!("the policy is in namespace `{policy}`, the pod in `{pod}`")
        }
        Difference::PeerNamespace { rule, pod } => format!(
            "namespace differs: the peer is in `{pod}`; without namespaceSelector the rule means \
             `{rule}` only"
        ),
        Difference::Port(difference) => port(difference, wanted),
        Difference::OutsideNetworks { addresses, networks } => {
            let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            format!(
                "address differs: {} is not in {}",
                addresses.join(", "),
                networks_text(networks)
            )
        }
        Difference::NetworksSkipCluster { networks } => format!(
            "{} contains the address, but under this profile blocks never match pods or nodes",
            networks_text(networks)
        ),
        Difference::HostNetwork => {
            "the peer is on the host network: selectors do not match it, blocks with its node's \
             address do"
                .to_owned()
        }
        Difference::OtherDirection => {
            "wrong direction: the rule speaks of the other one".to_owned()
        }
        Difference::DecidedBefore { by } => format!("everything matches, but {by} decides first"),
    }
}

fn port(difference: &PortDifference, (protocol, asked): (Protocol, u16)) -> String {
    let asked = packet(protocol, asked);
    match difference {
        PortDifference::ServicePort { service, port, target } => format!(
            "port differs: {port} is the port of Service {service}; policies see the pod's, {target}"
        ),
        PortDifference::Protocol { rule } => {
            format!("protocol differs: {asked} is asked, the rule wants {rule}")
        }
        PortDifference::Number { rule, protocol } => {
            let rule = format!("{rule}/{}", protocol.to_string().to_ascii_lowercase());
            format!("port differs: {asked} is asked, the rule wants {rule}")
        }
        PortDifference::NamedElsewhere { name, served } => format!(
            "port differs: `{name}` is {} there, {asked} is asked",
            packet(served.protocol, served.port)
        ),
        PortDifference::NotServed { name, near: Some(near) } => {
            format!("the destination has no port named `{name}` (is `{near}` meant?)")
        }
        PortDifference::NotServed { name, near: None } => {
            format!("the destination has no port named `{name}`")
        }
        PortDifference::NamedOutside { name } => {
            format!("the port is named `{name}`, and only pods have named ports")
        }
        PortDifference::HasNoPorts => format!("the rule lists ports, and {protocol} has none"),
    }
}

/// `subject and port match; `, or nothing.
pub(super) fn matching(parts: &[RulePart]) -> String {
    let names: Vec<&str> = parts
        .iter()
        .map(|part| match part {
            RulePart::Subject => "subject",
            RulePart::Peer => "peer",
            RulePart::Port => "port",
        })
        .collect();
    match names.as_slice() {
        [] => String::new(),
        [only] => format!("{only} matches, "),
        [first @ .., last] => format!("{} and {last} match, ", first.join(", ")),
    }
}
