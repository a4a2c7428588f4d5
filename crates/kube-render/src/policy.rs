//! Policies of all four kinds, each in the words of its API.

use crate::cluster::{metadata, object};
use crate::selector::selector;
use crate::yaml::Yaml;
use net_types::{IpNet, PortRange, Protocol};
use policy_model::{
    Action, Direction, LabelSelector, NAMESPACE_NAME_LABEL, NamespaceScope, Network, PeerMatch,
    Peers, Policy, PolicyKind, PortMatch, Ports, Requirement, Rule, Tier,
};

pub(crate) fn policy(policy: &Policy) -> Yaml {
    let kind = policy.id.kind;
    let api_version = match kind {
        PolicyKind::NetworkPolicy => "networking.k8s.io/v1",
        PolicyKind::ClusterNetworkPolicy => "policy.networking.k8s.io/v1alpha2",
        PolicyKind::AdminNetworkPolicy | PolicyKind::BaselineAdminNetworkPolicy => {
            "policy.networking.k8s.io/v1alpha1"
        }
    };
    let mut spec = head(policy);
    for direction in Direction::BOTH {
        let Some(rules) = policy.rules(direction) else { continue };
        let rules = rules.iter().map(|item| rule(kind, direction, item)).collect();
        spec = spec.with(&direction.to_string(), Yaml::List(rules));
    }
    let metadata = metadata(policy.id.namespace.as_deref(), &policy.id.name);
    object(api_version, kind.as_str(), metadata).with("spec", spec)
}

/// What stands before the rules.
fn head(policy: &Policy) -> Yaml {
    let priority = Yaml::Number(policy.priority);
    match policy.id.kind {
        PolicyKind::NetworkPolicy => {
            let covered = Direction::BOTH.into_iter().filter(|side| policy.rules(*side).is_some());
            let word = |direction| match direction {
                Direction::Ingress => Yaml::text("Ingress"),
                Direction::Egress => Yaml::text("Egress"),
            };
            Yaml::map([
                ("podSelector", selector(&policy.subject.pods)),
                ("policyTypes", Yaml::List(covered.map(word).collect())),
            ])
        }
        PolicyKind::ClusterNetworkPolicy => {
            let tier = match policy.tier {
                Tier::Admin => "Admin",
                Tier::NetworkPolicy => "NetworkPolicy",
                Tier::Baseline => "Baseline",
            };
            Yaml::map([
                ("tier", Yaml::text(tier)),
                ("priority", priority),
                ("subject", pods(&policy.subject.namespaces, &policy.subject.pods)),
            ])
        }
        PolicyKind::AdminNetworkPolicy => Yaml::map([
            ("priority", priority),
            ("subject", pods(&policy.subject.namespaces, &policy.subject.pods)),
        ]),
        PolicyKind::BaselineAdminNetworkPolicy => {
            Yaml::map([("subject", pods(&policy.subject.namespaces, &policy.subject.pods))])
        }
    }
}

pub(crate) fn rule(kind: PolicyKind, direction: Direction, rule: &Rule) -> Yaml {
    let action = match (kind, rule.action) {
        (PolicyKind::NetworkPolicy, _) => None,
        (PolicyKind::ClusterNetworkPolicy, Action::Accept) => Some("Accept"),
        (
            PolicyKind::AdminNetworkPolicy | PolicyKind::BaselineAdminNetworkPolicy,
            Action::Accept,
        ) => Some("Allow"),
        (_, Action::Deny) => Some("Deny"),
        (_, Action::Pass) => Some("Pass"),
    };
    let peers_field = match direction {
        Direction::Ingress => "from",
        Direction::Egress => "to",
    };
    let ports_field = match kind {
        PolicyKind::ClusterNetworkPolicy => "protocols",
        PolicyKind::NetworkPolicy
        | PolicyKind::AdminNetworkPolicy
        | PolicyKind::BaselineAdminNetworkPolicy => "ports",
    };
    let peers = match &rule.peers {
        Peers::Any => None,
        Peers::Listed(peers) => {
            Some(Yaml::List(peers.iter().flat_map(|item| peer(kind, &item.matches)).collect()))
        }
    };
    let ports = match &rule.ports {
        Ports::All => None,
        Ports::Listed(ports) => {
            Some(Yaml::List(ports.iter().map(|item| port(kind, &item.matches)).collect()))
        }
    };
    Yaml::map([])
        .with_some("name", rule.name.as_ref().map(Yaml::text))
        .with_some("action", action.map(Yaml::text))
        .with_some(peers_field, peers)
        .with_some(ports_field, ports)
}

/// Several only for networks of a NetworkPolicy, where one item takes one block.
fn peer(kind: PolicyKind, matches: &PeerMatch) -> Vec<Yaml> {
    let texts = |texts: Vec<String>| Yaml::List(texts.into_iter().map(Yaml::Text).collect());
    let one = match (matches, kind) {
        (PeerMatch::Networks(networks), PolicyKind::NetworkPolicy) => {
            return networks.iter().map(ip_block).collect();
        }
        (PeerMatch::Networks(networks), _) => {
            let blocks = networks.iter().map(|network| network.block.to_string()).collect();
            Yaml::map([("networks", texts(blocks))])
        }
        (PeerMatch::Pods { namespaces, pods }, PolicyKind::NetworkPolicy) => {
            v1_pods(namespaces, pods)
        }
        (PeerMatch::Pods { namespaces, pods: labels }, _) => pods(namespaces, labels),
        (PeerMatch::Nodes(labels), _) => Yaml::map([("nodes", selector(labels))]),
        (PeerMatch::DomainNames(names), _) => Yaml::map([("domainNames", texts(names.clone()))]),
        (PeerMatch::Unknown, _) => Yaml::map([("unknownPeer", Yaml::map([]))]),
    };
    vec![one]
}

fn ip_block(network: &Network) -> Yaml {
    let text = |block: &IpNet| Yaml::text(block.to_string());
    let except = Yaml::List(network.except.iter().map(text).collect());
    let block = Yaml::map([("cidr", text(&network.block))])
        .with_some("except", (!network.except.is_empty()).then_some(except));
    Yaml::map([("ipBlock", block)])
}

fn v1_pods(namespaces: &NamespaceScope, pods: &LabelSelector) -> Yaml {
    match namespaces {
        NamespaceScope::Own(_) => Yaml::map([("podSelector", selector(pods))]),
        NamespaceScope::Selected(labels) => Yaml::map([("namespaceSelector", selector(labels))])
            .with_some("podSelector", (!pods.is_everything()).then(|| selector(pods))),
    }
}

/// A subject or peer of the cluster-scoped kinds. They have no namespace of their own, so a namespace
/// by name is one by the label that holds its name.
fn pods(namespaces: &NamespaceScope, pods: &LabelSelector) -> Yaml {
    let namespaces = match namespaces {
        NamespaceScope::Selected(labels) => selector(labels),
        NamespaceScope::Own(name) => {
            selector(&[Requirement::equals(NAMESPACE_NAME_LABEL, name)].into_iter().collect())
        }
    };
    if pods.is_everything() {
        return Yaml::map([("namespaces", namespaces)]);
    }
    let both = Yaml::map([("namespaceSelector", namespaces), ("podSelector", selector(pods))]);
    Yaml::map([("pods", both)])
}

fn port(kind: PolicyKind, matches: &PortMatch) -> Yaml {
    match kind {
        PolicyKind::NetworkPolicy => v1_port(matches),
        PolicyKind::ClusterNetworkPolicy => cluster_port(matches),
        PolicyKind::AdminNetworkPolicy | PolicyKind::BaselineAdminNetworkPolicy => {
            admin_port(matches)
        }
    }
}

fn v1_port(matches: &PortMatch) -> Yaml {
    match matches {
        PortMatch::Numbers { protocol, range } => {
            let is_all = *range == PortRange::ALL;
            let is_one = range.first() == range.last();
            Yaml::map([("protocol", Yaml::text(protocol.to_string()))])
                .with_some("port", (!is_all).then(|| Yaml::Number(range.first())))
                .with_some("endPort", (!is_all && !is_one).then(|| Yaml::Number(range.last())))
        }
        PortMatch::Named { protocol, name } => Yaml::map([])
            .with_some("protocol", protocol.map(|protocol| Yaml::text(protocol.to_string())))
            .with("port", Yaml::text(name)),
    }
}

fn cluster_port(matches: &PortMatch) -> Yaml {
    let (protocol, range) = match matches {
        PortMatch::Numbers { protocol, range } => (*protocol, *range),
        PortMatch::Named { protocol: _, name } => {
            return Yaml::map([("destinationNamedPort", Yaml::text(name))]);
        }
    };
    let field = match protocol {
        Protocol::Tcp => "tcp".to_owned(),
        Protocol::Udp => "udp".to_owned(),
        Protocol::Sctp => "sctp".to_owned(),
        Protocol::Other(number) => format!("protocol-{number}"),
    };
    let port = if range.first() == range.last() {
        Yaml::map([("number", Yaml::Number(range.first()))])
    } else {
        let ends = [("start", Yaml::Number(range.first())), ("end", Yaml::Number(range.last()))];
        Yaml::map([("range", Yaml::map(ends))])
    };
    Yaml::map([(&field, Yaml::map([("destinationPort", port)]))])
}

fn admin_port(matches: &PortMatch) -> Yaml {
    match matches {
        PortMatch::Named { protocol: _, name } => Yaml::map([("namedPort", Yaml::text(name))]),
        PortMatch::Numbers { protocol, range } if range.first() == range.last() => {
            let number = Yaml::map([
                ("protocol", Yaml::text(protocol.to_string())),
                ("port", Yaml::Number(range.first())),
            ]);
            Yaml::map([("portNumber", number)])
        }
        PortMatch::Numbers { protocol, range } => {
            let ends = Yaml::map([
                ("protocol", Yaml::text(protocol.to_string())),
                ("start", Yaml::Number(range.first())),
                ("end", Yaml::Number(range.last())),
            ]);
            Yaml::map([("portRange", ends)])
        }
    }
}
