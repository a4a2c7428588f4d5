//! Changes to a world that must not change its map.

use net_types::AddressSet;
use policy_engine::{Assumptions, Granularity, MapPeer, PairTraffic, Program, Semantics};
use policy_model::{
    Direction, LabelSelector, Labels, NAMESPACE_NAME_LABEL, NamespaceScope, Operator, PeerMatch,
    Peers, Policy, PolicyKind, Ports, Requirement, Rule, Snapshot,
};
use policy_oracle::worlds::{Contents, snapshots};
use proptest::prelude::*;

type Rows = Vec<(MapPeer, MapPeer, PairTraffic)>;

/// The whole map by pods, with the outside, under both profiles.
fn maps(snapshot: &Snapshot) -> Vec<Rows> {
    let map = |semantics| {
        let program = Program::compile(snapshot.clone(), Assumptions::new(semantics));
        let mut rows = Rows::new();
        program.map(Granularity::Pod).visit(|row| {
            rows.push((row.from.clone(), row.to.clone(), row.traffic.clone()));
            true
        });
        rows
    };
    Semantics::ALL.into_iter().map(map).collect()
}

/// Puts others in the place of every NetworkPolicy.
fn replace_network_policies(
    snapshot: &Snapshot,
    replace: impl Fn(&Policy) -> Vec<Policy>,
) -> Snapshot {
    let policies = snapshot.policies.values().flat_map(|policy| match policy.id.kind {
        PolicyKind::NetworkPolicy => replace(policy),
        PolicyKind::ClusterNetworkPolicy
        | PolicyKind::AdminNetworkPolicy
        | PolicyKind::BaselineAdminNetworkPolicy => vec![policy.clone()],
    });
    let policies = policies.map(|policy| (policy.id.clone(), policy)).collect();
    Snapshot { policies, ..snapshot.clone() }
}

fn renamed(policy: &Policy, suffix: &str) -> Policy {
    let mut copy = policy.clone();
    copy.id.name.push_str(suffix);
    copy
}

/// One rule for each pair of a peer and a port.
fn split_rule(rule: &Rule) -> Vec<Rule> {
    let peers: Vec<Peers> = match &rule.peers {
        Peers::Any => vec![Peers::Any],
        Peers::Listed(peers) => {
            peers.iter().map(|peer| Peers::Listed(vec![peer.clone()])).collect()
        }
    };
    let ports: Vec<Ports> = match &rule.ports {
        Ports::All => vec![Ports::All],
        Ports::Listed(ports) => {
            ports.iter().map(|port| Ports::Listed(vec![port.clone()])).collect()
        }
    };
    let with_ports = |peers: &Peers| -> Vec<Rule> {
        let rule =
            |ports: &Ports| Rule { peers: peers.clone(), ports: ports.clone(), ..rule.clone() };
        ports.iter().map(rule).collect()
    };
    peers.iter().flat_map(with_ports).collect()
}

/// A bijection of keys and values that keeps neither their order nor their spelling.
fn other_label(key: &str, value: &str) -> (String, String) {
    if key == NAMESPACE_NAME_LABEL {
        return (key.to_owned(), value.to_owned());
    }
    (other_key(key), value.chars().rev().chain("-v".chars()).collect())
}

fn other_key(key: &str) -> String {
    if key == NAMESPACE_NAME_LABEL {
        return key.to_owned();
    }
    key.chars().rev().chain(".k".chars()).collect()
}

fn other_labels(labels: &Labels) -> Labels {
    labels.0.iter().map(|(key, value)| other_label(key, value)).collect()
}

fn other_selector(selector: &LabelSelector) -> LabelSelector {
    let requirement = |Requirement { key, operator }: &Requirement| {
        let others = |values: &std::collections::BTreeSet<String>| {
            values.iter().map(|value| other_label(key, value).1).collect()
        };
        let operator = match operator {
            Operator::In(values) => Operator::In(others(values)),
            Operator::NotIn(values) => Operator::NotIn(others(values)),
            Operator::Exists => Operator::Exists,
            Operator::DoesNotExist => Operator::DoesNotExist,
        };
        Requirement { key: other_key(key), operator }
    };
    selector.requirements().map(requirement).collect()
}

fn other_scope(scope: &NamespaceScope) -> NamespaceScope {
    match scope {
        NamespaceScope::Own(name) => NamespaceScope::Own(name.clone()),
        NamespaceScope::Selected(selector) => NamespaceScope::Selected(other_selector(selector)),
    }
}

fn relabel_rule(rule: &mut Rule) {
    let Peers::Listed(peers) = &mut rule.peers else { return };
    for peer in peers {
        match &mut peer.matches {
            PeerMatch::Pods { namespaces, pods } => {
                *namespaces = other_scope(namespaces);
                *pods = other_selector(pods);
            }
            PeerMatch::Nodes(selector) => *selector = other_selector(selector),
            PeerMatch::Networks(_) | PeerMatch::DomainNames(_) | PeerMatch::Unknown => {}
        }
    }
}

/// Every label and every selector with other keys and values.
fn relabelled(snapshot: &Snapshot) -> Snapshot {
    let mut other = snapshot.clone();
    for namespace in other.namespaces.values_mut() {
        namespace.labels = other_labels(&namespace.labels);
    }
    for node in other.nodes.values_mut() {
        node.labels = other_labels(&node.labels);
    }
    for pod in &mut other.pods {
        pod.labels = other_labels(&pod.labels);
    }
    for service in &mut other.services {
        service.selector = service.selector.as_ref().map(other_selector);
    }
    for policy in other.policies.values_mut() {
        policy.subject.namespaces = other_scope(&policy.subject.namespaces);
        policy.subject.pods = other_selector(&policy.subject.pods);
        policy.ingress.iter_mut().chain(&mut policy.egress).flatten().for_each(relabel_rule);
    }
    other
}

/// The documents of a manifest in any order.
fn shuffled_documents() -> impl Strategy<Value = (Snapshot, String)> {
    snapshots(Contents::Manifest).prop_flat_map(|snapshot| {
        let text = kube_render::manifest(&snapshot);
        let documents: Vec<String> = text.split("---\n").map(str::to_owned).collect();
        let shuffled = Just(documents).prop_shuffle().prop_map(|texts| texts.join("---\n"));
        (Just(snapshot), shuffled)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..Default::default() })]

    #[test]
    fn the_order_of_documents((snapshot, text) in shuffled_documents()) {
        let imported = kube_import::import_text("world.yaml", &text);
        prop_assert_eq!(&imported.findings, &[], "{}", text);
        prop_assert_eq!(maps(&imported.snapshot), maps(&snapshot), "{}", text);
    }

    #[test]
    fn a_rule_for_each_peer_and_port(snapshot in snapshots(Contents::Everything)) {
        let split = |rules: &Vec<Rule>| rules.iter().flat_map(split_rule).collect();
        let other = replace_network_policies(&snapshot, |policy| {
            let ingress = policy.ingress.as_ref().map(split);
            let egress = policy.egress.as_ref().map(split);
            vec![Policy { ingress, egress, ..policy.clone() }]
        });
        prop_assert_eq!(maps(&other), maps(&snapshot));
    }

    #[test]
    fn a_policy_for_each_direction(snapshot in snapshots(Contents::Everything)) {
        let other = replace_network_policies(&snapshot, |policy| {
            let one = |direction| match direction {
                Direction::Ingress => Policy { egress: None, ..renamed(policy, "-in") },
                Direction::Egress => Policy { ingress: None, ..renamed(policy, "-out") },
            };
            let covered = |direction: &Direction| policy.rules(*direction).is_some();
            Direction::BOTH.into_iter().filter(covered).map(one).collect()
        });
        prop_assert_eq!(maps(&other), maps(&snapshot));
    }

    #[test]
    fn a_policy_for_each_rule(snapshot in snapshots(Contents::Everything)) {
        let other = replace_network_policies(&snapshot, |policy| {
            let mut policies = vec![Policy {
                ingress: policy.ingress.as_ref().map(|_| Vec::new()),
                egress: policy.egress.as_ref().map(|_| Vec::new()),
                ..policy.clone()
            }];
            for (index, rule) in policy.ingress.iter().flatten().enumerate() {
                let ingress = Some(vec![rule.clone()]);
                let one = renamed(policy, &format!("-in{index}"));
                policies.push(Policy { ingress, egress: None, ..one });
            }
            for (index, rule) in policy.egress.iter().flatten().enumerate() {
                let egress = Some(vec![rule.clone()]);
                let one = renamed(policy, &format!("-out{index}"));
                policies.push(Policy { ingress: None, egress, ..one });
            }
            policies
        });
        prop_assert_eq!(maps(&other), maps(&snapshot));
    }

    #[test]
    fn other_names_of_labels(snapshot in snapshots(Contents::Everything)) {
        prop_assert_eq!(maps(&relabelled(&snapshot)), maps(&snapshot));
    }

    #[test]
    fn a_copy_of_each_policy(snapshot in snapshots(Contents::Everything)) {
        let other = replace_network_policies(&snapshot, |policy| {
            vec![renamed(policy, "-copy"), policy.clone()]
        });
        prop_assert_eq!(maps(&other), maps(&snapshot));
    }
}

/// Worlds would satisfy every property above if their maps said nothing.
#[test]
fn worlds_have_maps_worth_comparing() {
    let mut n_rows = 0;
    let mut n_undefined = 0;
    for seed in 0..50 {
        for rows in maps(&policy_oracle::worlds::random(seed).snapshot) {
            n_rows += rows.len();
            n_undefined += rows.iter().filter(|row| !row.2.undefined.is_empty()).count();
            let outside =
                |peer: &MapPeer| matches!(peer, MapPeer::Outside(set) if *set != AddressSet::EMPTY);
            assert!(rows.iter().any(|row| outside(&row.1)) || rows.is_empty());
        }
    }
    assert!(n_rows > 500 && n_undefined > 50, "{n_rows} {n_undefined}");
}
