//! Small objects without spans, to build a snapshot by hand.

use net_types::{PortRange, Protocol};
use policy_model::{
    Action, Direction, LabelSelector, Labels, NAMESPACE_NAME_LABEL, Namespace, NamespaceScope,
    Node, Peer, PeerMatch, Peers, Pod, PodOrigin, Policy, PolicyId, PolicyKind, PortMatch,
    PortSpec, Ports, Requirement, Rule, Subject, Tier, WorkloadKind, WorkloadRef,
};
use std::net::IpAddr;

pub fn namespace(name: &str, labels: &[(&str, &str)]) -> Namespace {
    let own = [(NAMESPACE_NAME_LABEL, name)];
    let labels = labels.iter().copied().chain(own).collect();
    Namespace { name: name.to_owned(), labels, span: None }
}

pub fn node(name: &str, labels: &[(&str, &str)], addresses: &[IpAddr]) -> Node {
    Node {
        name: name.to_owned(),
        labels: labels.iter().copied().collect(),
        addresses: addresses.to_vec(),
        span: None,
    }
}

/// A live pod without an owner, a node, ports or an address.
pub fn pod(namespace: &str, name: &str, labels: &[(&str, &str)]) -> Pod {
    Pod {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        workload: WorkloadRef {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            kind: WorkloadKind::Pod,
        },
        origin: PodOrigin::Live,
        labels: labels.iter().copied().collect::<Labels>(),
        addresses: Vec::new(),
        host_network: false,
        node: None,
        ports: Vec::new(),
        span: None,
    }
}

/// All pairs must hold.
pub fn selector(pairs: &[(&str, &str)]) -> LabelSelector {
    pairs.iter().map(|(key, value)| Requirement::equals(*key, *value)).collect()
}

/// Pods of all namespaces with these labels.
pub fn pods(pairs: &[(&str, &str)]) -> PeerMatch {
    PeerMatch::Pods {
        namespaces: NamespaceScope::Selected(LabelSelector::EVERYTHING),
        pods: selector(pairs),
    }
}

pub fn peer(matches: PeerMatch) -> Peer {
    Peer { matches, span: None }
}

/// One port; `None` for port 0.
pub fn port(protocol: Protocol, number: u16) -> Option<PortSpec> {
    let range = PortRange::single(number)?;
    Some(PortSpec { matches: PortMatch::Numbers { protocol, range }, span: None })
}

pub fn named_port(protocol: Option<Protocol>, name: &str) -> PortSpec {
    PortSpec { matches: PortMatch::Named { protocol, name: name.to_owned() }, span: None }
}

/// All ports; no peers are everything.
pub fn rule(action: Action, peers: Vec<PeerMatch>) -> Rule {
    let peers: Vec<Peer> = peers.into_iter().map(peer).collect();
    let peers = if peers.is_empty() { Peers::Any } else { Peers::Listed(peers) };
    Rule { name: None, action, peers, ports: Ports::All, span: None }
}

pub fn accept(peers: Vec<PeerMatch>) -> Rule {
    rule(Action::Accept, peers)
}

/// Of all pods of the namespace, in one direction.
pub fn network_policy(
    namespace: &str,
    name: &str,
    direction: Direction,
    rules: Vec<Rule>,
) -> Policy {
    let id = PolicyId {
        kind: PolicyKind::NetworkPolicy,
        namespace: Some(namespace.to_owned()),
        name: name.to_owned(),
    };
    let subject = Subject {
        namespaces: NamespaceScope::Own(namespace.to_owned()),
        pods: LabelSelector::EVERYTHING,
    };
    with_rules(Policy { tier: Tier::NetworkPolicy, ..blank(id, subject) }, direction, rules)
}

/// Of all pods of the cluster, in one direction.
pub fn cluster_policy(
    tier: Tier,
    (name, priority): (&str, u16),
    direction: Direction,
    rules: Vec<Rule>,
) -> Policy {
    let id =
        PolicyId { kind: PolicyKind::ClusterNetworkPolicy, namespace: None, name: name.to_owned() };
    let subject = Subject {
        namespaces: NamespaceScope::Selected(LabelSelector::EVERYTHING),
        pods: LabelSelector::EVERYTHING,
    };
    with_rules(Policy { tier, priority, ..blank(id, subject) }, direction, rules)
}

fn blank(id: PolicyId, subject: Subject) -> Policy {
    let tier = Tier::NetworkPolicy;
    Policy { id, tier, priority: 0, subject, ingress: None, egress: None, span: None }
}

fn with_rules(mut policy: Policy, direction: Direction, rules: Vec<Rule>) -> Policy {
    match direction {
        Direction::Ingress => policy.ingress = Some(rules),
        Direction::Egress => policy.egress = Some(rules),
    }
    policy
}
