//! Policies of all four kinds, each within what its kind allows.

use super::Contents;
use super::alphabet::DOMAIN_NAMES;
use super::cluster::namespace_name;
use super::parts::{block, network, port_name, port_range, protocol, selector};
use policy_model::{
    Action, Direction, LabelSelector, NamespaceScope, Network, Peer, PeerMatch, Peers, Policy,
    PolicyId, PolicyKind, PortMatch, PortSpec, Ports, Rule, Subject, Tier,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

pub(super) fn policy(contents: Contents) -> impl Strategy<Value = Policy> {
    let cluster_kinds = prop_oneof![
        3 => Just((PolicyKind::ClusterNetworkPolicy, Tier::Admin)),
        2 => Just((PolicyKind::ClusterNetworkPolicy, Tier::Baseline)),
        2 => Just((PolicyKind::AdminNetworkPolicy, Tier::Admin)),
        1 => Just((PolicyKind::BaselineAdminNetworkPolicy, Tier::Baseline)),
    ];
    prop_oneof![
        network_policy(),
        cluster_kinds.prop_flat_map(move |(kind, tier)| cluster_policy(contents, kind, tier)),
    ]
}

fn network_policy() -> impl Strategy<Value = Policy> {
    (namespace_name(), 1..=3).prop_flat_map(|(namespace, number)| {
        let rules = || option::weighted(0.7, vec(network_policy_rule(namespace.clone()), 0..=3));
        let id = PolicyId {
            kind: PolicyKind::NetworkPolicy,
            namespace: Some(namespace.clone()),
            name: format!("np{number}"),
        };
        let namespaces = NamespaceScope::Own(namespace.clone());
        (rules(), rules(), selector()).prop_map(move |(ingress, egress, pods)| {
            // `policyTypes` always names one direction at least.
            let ingress =
                if egress.is_none() { Some(ingress.unwrap_or_default()) } else { ingress };
            Policy {
                id: id.clone(),
                tier: Tier::NetworkPolicy,
                priority: 0,
                subject: Subject { namespaces: namespaces.clone(), pods },
                ingress,
                egress,
                span: None,
            }
        })
    })
}

fn network_policy_rule(namespace: String) -> impl Strategy<Value = Rule> {
    let own = selector().prop_map(move |pods| PeerMatch::Pods {
        namespaces: NamespaceScope::Own(namespace.clone()),
        pods,
    });
    let peer = prop_oneof![
        2 => own,
        3 => pods_peer(),
        3 => network().prop_map(|network| PeerMatch::Networks(vec![network])),
    ];
    (vec(peer, 0..=2), vec(port(true), 0..=2)).prop_map(|(peers, ports)| Rule {
        name: None,
        action: Action::Accept,
        peers: listed_peers(peers),
        ports: listed_ports(ports),
        span: None,
    })
}

fn pods_peer() -> impl Strategy<Value = PeerMatch> {
    (selector(), prop_oneof![Just(LabelSelector::EVERYTHING), selector()]).prop_map(
        |(namespaces, pods)| PeerMatch::Pods {
            namespaces: NamespaceScope::Selected(namespaces),
            pods,
        },
    )
}

/// A named port has a protocol in NetworkPolicy v1 and none in the cluster-scoped kinds.
fn port(is_v1: bool) -> impl Strategy<Value = PortMatch> {
    prop_oneof![
        3 => (protocol(), port_range())
            .prop_map(|(protocol, range)| PortMatch::Numbers { protocol, range }),
        1 => (protocol(), port_name()).prop_map(move |(protocol, name)| PortMatch::Named {
            protocol: is_v1.then_some(protocol),
            name,
        }),
    ]
}

fn cluster_policy(
    contents: Contents,
    kind: PolicyKind,
    tier: Tier,
) -> impl Strategy<Value = Policy> {
    let rules =
        |direction| option::weighted(0.7, vec(cluster_rule(contents, kind, direction), 1..=4));
    (1..=3, 0_u16..=1, pods_peer(), rules(Direction::Ingress), rules(Direction::Egress)).prop_map(
        move |(number, priority, subject, ingress, egress)| {
            let (name, priority) = match kind {
                PolicyKind::BaselineAdminNetworkPolicy => ("default".to_owned(), 0),
                PolicyKind::NetworkPolicy
                | PolicyKind::ClusterNetworkPolicy
                | PolicyKind::AdminNetworkPolicy => (format!("p{number}"), priority),
            };
            let subject = match subject {
                PeerMatch::Pods { namespaces, pods } => Subject { namespaces, pods },
                PeerMatch::Networks(_)
                | PeerMatch::Nodes(_)
                | PeerMatch::DomainNames(_)
                | PeerMatch::Unknown => Subject {
                    namespaces: NamespaceScope::Selected(LabelSelector::EVERYTHING),
                    pods: LabelSelector::EVERYTHING,
                },
            };
            let id = PolicyId { kind, namespace: None, name };
            Policy { id, tier, priority, subject, ingress, egress, span: None }
        },
    )
}

fn cluster_rule(
    contents: Contents,
    kind: PolicyKind,
    direction: Direction,
) -> impl Strategy<Value = Rule> {
    let name = option::weighted(0.2, select(vec!["no", "first rule"]).prop_map(str::to_owned));
    let action = select(vec![Action::Accept, Action::Deny, Action::Pass]);
    let ports = vec(port(false), 0..=2);
    (name, action, vec(cluster_peer(contents, direction), 1..=2), ports).prop_map(
        move |(name, action, peers, mut ports)| {
            let action = match (kind, action) {
                (PolicyKind::BaselineAdminNetworkPolicy, Action::Pass) => Action::Deny,
                (_, action) => action,
            };
            let peers: Vec<PeerMatch> =
                peers.into_iter().map(|peer| within_kind(kind, action, peer)).collect();
            if !peers.iter().all(may_have_named_ports) {
                ports.retain(|port| matches!(port, PortMatch::Numbers { .. }));
            }
            Rule {
                name,
                action,
                peers: listed_peers(peers),
                ports: listed_ports(ports),
                span: None,
            }
        },
    )
}

fn cluster_peer(contents: Contents, direction: Direction) -> BoxedStrategy<PeerMatch> {
    let unknown_weight = match contents {
        Contents::Manifest => 0,
        Contents::Everything => 2,
    };
    let unknown = Just(PeerMatch::Unknown);
    match direction {
        Direction::Ingress => prop_oneof![12 => pods_peer(), unknown_weight => unknown].boxed(),
        Direction::Egress => prop_oneof![
            8 => pods_peer(),
            4 => vec(block(), 1..=2).prop_map(networks),
            4 => selector().prop_map(PeerMatch::Nodes),
            4 => subsequence(&DOMAIN_NAMES[..], 1..=2).prop_map(|names| {
                PeerMatch::DomainNames(names.into_iter().map(str::to_owned).collect())
            }),
            unknown_weight => unknown,
        ]
        .boxed(),
    }
}

/// The cluster-scoped kinds have no exceptions, and a block is listed once.
fn networks(mut blocks: Vec<net_types::IpNet>) -> PeerMatch {
    blocks.dedup();
    let network = |block| Network { block, except: Vec::new() };
    PeerMatch::Networks(blocks.into_iter().map(network).collect())
}

/// Domain names are for Accept rules only, and BaselineAdminNetworkPolicy has none.
fn within_kind(kind: PolicyKind, action: Action, peer: PeerMatch) -> PeerMatch {
    let is_baseline = kind == PolicyKind::BaselineAdminNetworkPolicy;
    match peer {
        PeerMatch::DomainNames(_) if action != Action::Accept || is_baseline => {
            PeerMatch::Nodes(LabelSelector::EVERYTHING)
        }
        other @ (PeerMatch::Pods { .. }
        | PeerMatch::Networks(_)
        | PeerMatch::Nodes(_)
        | PeerMatch::DomainNames(_)
        | PeerMatch::Unknown) => other,
    }
}

fn may_have_named_ports(peer: &PeerMatch) -> bool {
    match peer {
        PeerMatch::Pods { .. } | PeerMatch::Unknown => true,
        PeerMatch::Networks(_) | PeerMatch::Nodes(_) | PeerMatch::DomainNames(_) => false,
    }
}

fn listed_peers(peers: Vec<PeerMatch>) -> Peers {
    if peers.is_empty() {
        return Peers::Any;
    }
    Peers::Listed(peers.into_iter().map(|matches| Peer { matches, span: None }).collect())
}

fn listed_ports(ports: Vec<PortMatch>) -> Ports {
    if ports.is_empty() {
        return Ports::All;
    }
    Ports::Listed(ports.into_iter().map(|matches| PortSpec { matches, span: None }).collect())
}
