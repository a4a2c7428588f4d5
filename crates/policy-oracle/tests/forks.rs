//! Every row of the fork table of `docs/design/semantics.md`, under both profiles.

use net_types::{IpNet, Protocol};
use policy_model::{
    Action, Direction, LabelSelector, Network, Operator, PeerMatch, Pod, Policy, Requirement, Rule,
    Snapshot, Tier,
};
use policy_oracle::worlds::objects::{
    accept, cluster_policy, namespace, network_policy, node, pod, pods, rule,
};
use policy_oracle::worlds::{put_namespace, put_node, put_pod, put_policy};
use policy_oracle::{Assumptions, End, Profile, Question, Verdict, evaluate};
use std::collections::BTreeSet;
use std::net::IpAddr;

const ALLOW: Verdict = Verdict::Allow;
const DENY: Verdict = Verdict::Deny;
const UNDEFINED: Verdict = Verdict::Undefined;

fn address(text: &str) -> IpAddr {
    text.parse().unwrap_or(IpAddr::from([0, 0, 0, 0]))
}

fn networks(blocks: &[&str]) -> PeerMatch {
    let blocks = blocks.iter().filter_map(|block| block.parse::<IpNet>().ok());
    PeerMatch::Networks(blocks.map(|block| Network { block, except: vec![] }).collect())
}

fn pod_at(name: &str, addresses: &[&str]) -> Pod {
    let addresses = addresses.iter().map(|text| address(text)).collect();
    Pod { addresses, ..pod("shop", name, &[("app", name)]) }
}

fn on_host(pod: Pod, node: Option<&str>) -> Pod {
    Pod { host_network: true, node: node.map(str::to_owned), ..pod }
}

fn on_node(pod: Pod, node: &str) -> Pod {
    Pod { node: Some(node.to_owned()), ..pod }
}

/// Two nodes, n1 and n2, with one address each.
fn snapshot(pods: Vec<Pod>, policies: Vec<Policy>) -> Snapshot {
    let mut snapshot = Snapshot::default();
    put_namespace(&mut snapshot, namespace("shop", &[]));
    put_node(&mut snapshot, node("n1", &[("zone", "a")], &[address("172.18.0.1")]));
    put_node(&mut snapshot, node("n2", &[("zone", "b")], &[address("172.18.0.2")]));
    pods.into_iter().for_each(|pod| put_pod(&mut snapshot, pod));
    policies.into_iter().for_each(|policy| put_policy(&mut snapshot, policy));
    snapshot
}

/// A pod's name, else an address, else a DNS name.
fn end<'a>(snapshot: &'a Snapshot, text: &'a str) -> End<'a> {
    let pod = snapshot.pods.iter().find(|pod| pod.name == text);
    pod.map(End::Pod).or_else(|| text.parse().ok().map(End::Address)).unwrap_or(End::Name(text))
}

/// The verdicts under the profiles upstream and cilium.
fn verdicts(
    snapshot: &Snapshot,
    (from, to): (&str, &str),
    (protocol, port): (Protocol, u16),
) -> (Verdict, Verdict) {
    let question = Question { from: end(snapshot, from), to: end(snapshot, to), protocol, port };
    let under =
        |profile| evaluate(snapshot, &Assumptions { profile, ..Assumptions::default() }, &question);
    (under(Profile::Upstream), under(Profile::Cilium))
}

fn tcp_80(snapshot: &Snapshot, from: &str, to: &str) -> (Verdict, Verdict) {
    verdicts(snapshot, (from, to), (Protocol::Tcp, 80))
}

fn isolate(direction: Direction, rules: Vec<Rule>) -> Policy {
    network_policy("shop", "np", direction, rules)
}

#[test]
fn host_network_pod_is_isolated_as_a_pod_and_not_as_its_node() {
    let host = on_host(pod_at("host", &["172.18.0.1"]), Some("n1"));
    let snapshot = snapshot(
        vec![host, pod_at("web", &["10.0.0.1"])],
        vec![isolate(Direction::Ingress, vec![])],
    );
    assert_eq!(tcp_80(&snapshot, "203.0.113.1", "host"), (UNDEFINED, ALLOW));
    assert_eq!(tcp_80(&snapshot, "203.0.113.1", "web"), (DENY, DENY));
}

#[test]
fn host_network_peer_matches_pods_as_a_pod_and_networks_under_both_readings() {
    let host = || on_host(pod_at("host", &["172.18.0.2"]), Some("n2"));
    let web = || on_node(pod_at("web", &["10.0.0.1"]), "n1");
    let by_label = isolate(Direction::Ingress, vec![accept(vec![pods(&[("app", "host")])])]);
    let snapshot_by_label = snapshot(vec![host(), web()], vec![by_label]);
    assert_eq!(tcp_80(&snapshot_by_label, "host", "web"), (UNDEFINED, DENY));
    let by_address = isolate(Direction::Ingress, vec![accept(vec![networks(&["172.18.0.2/32"])])]);
    let snapshot_by_address = snapshot(vec![host(), web()], vec![by_address]);
    assert_eq!(tcp_80(&snapshot_by_address, "host", "web"), (ALLOW, DENY));
}

#[test]
fn host_network_pod_is_nothing_but_a_node_to_cluster_scoped_policies() {
    let host = on_host(pod_at("host", &["172.18.0.2"]), Some("n2"));
    let web = on_node(pod_at("web", &["10.0.0.1"]), "n1");
    let deny_pods = rule(Action::Deny, vec![pods(&[])]);
    let both = |direction, name| {
        cluster_policy(Tier::Admin, (name, 0), direction, vec![deny_pods.clone()])
    };
    let policies = vec![both(Direction::Ingress, "in"), both(Direction::Egress, "out")];
    let by_pods = snapshot(vec![host.clone(), web.clone()], policies);
    assert_eq!(tcp_80(&by_pods, "host", "web"), (ALLOW, ALLOW));
    assert_eq!(tcp_80(&by_pods, "web", "host"), (ALLOW, ALLOW));
    let zone_b = objects_selector("zone", "b");
    let deny_node = rule(Action::Deny, vec![PeerMatch::Nodes(zone_b)]);
    let policy = cluster_policy(Tier::Admin, ("out", 0), Direction::Egress, vec![deny_node]);
    let by_node = snapshot(vec![host, web], vec![policy]);
    assert_eq!(tcp_80(&by_node, "web", "host"), (DENY, DENY));
    assert_eq!(tcp_80(&by_node, "web", "172.18.0.2"), (DENY, DENY));
    assert_eq!(tcp_80(&by_node, "web", "172.18.0.1"), (ALLOW, ALLOW));
}

fn objects_selector(key: &str, value: &str) -> LabelSelector {
    policy_oracle::worlds::objects::selector(&[(key, value)])
}

#[test]
fn a_node_that_is_not_in_the_input_may_have_any_labels() {
    let deny = |values: &[(&str, &str)]| {
        let peers =
            values.iter().map(|(key, value)| PeerMatch::Nodes(objects_selector(key, value)));
        let rule = rule(Action::Deny, peers.collect());
        cluster_policy(Tier::Admin, ("out", 0), Direction::Egress, vec![rule])
    };
    let of = |policies| {
        let host = on_host(pod_at("host", &["172.18.0.9"]), Some("n9"));
        snapshot(vec![host, pod_at("web", &["10.0.0.1"])], policies)
    };
    let by_zone = of(vec![deny(&[("zone", "a")])]);
    assert_eq!(tcp_80(&by_zone, "web", "host"), (UNDEFINED, UNDEFINED));
    let mut by_any = deny(&[]);
    by_any.egress =
        Some(vec![rule(Action::Deny, vec![PeerMatch::Nodes(LabelSelector::EVERYTHING)])]);
    assert_eq!(tcp_80(&of(vec![by_any]), "web", "host"), (DENY, DENY));
}

#[test]
fn labels_of_an_unknown_node_are_one_choice_for_all_rules() {
    let of_zone = |operator| {
        let requirement = Requirement { key: "zone".to_owned(), operator };
        PeerMatch::Nodes(std::iter::once(requirement).collect())
    };
    let a = || BTreeSet::from(["a".to_owned()]);
    let deny = |operator| rule(Action::Deny, vec![of_zone(operator)]);
    let rules = vec![deny(Operator::In(a())), deny(Operator::NotIn(a()))];
    let policy = cluster_policy(Tier::Admin, ("out", 0), Direction::Egress, rules);
    let host = on_host(pod_at("host", &["172.18.0.9"]), Some("n9"));
    let snapshot = snapshot(vec![host, pod_at("web", &["10.0.0.1"])], vec![policy]);
    assert_eq!(tcp_80(&snapshot, "web", "host"), (DENY, DENY));
}

#[test]
fn same_priority_is_undefined_only_where_the_order_matters() {
    let ranked = |name, priority, action| {
        cluster_policy(
            Tier::Admin,
            (name, priority),
            Direction::Ingress,
            vec![rule(action, vec![pods(&[])])],
        )
    };
    let of =
        |policies| snapshot(vec![pod_at("a", &["10.0.0.1"]), pod_at("b", &["10.0.0.2"])], policies);
    let accept_and_deny = of(vec![ranked("x", 5, Action::Accept), ranked("y", 5, Action::Deny)]);
    assert_eq!(tcp_80(&accept_and_deny, "a", "b"), (UNDEFINED, UNDEFINED));
    let accept_and_pass = of(vec![ranked("x", 5, Action::Accept), ranked("y", 5, Action::Pass)]);
    assert_eq!(tcp_80(&accept_and_pass, "a", "b"), (ALLOW, ALLOW));
    let ordered = of(vec![ranked("x", 5, Action::Accept), ranked("y", 4, Action::Deny)]);
    assert_eq!(tcp_80(&ordered, "a", "b"), (DENY, DENY));
}

#[test]
fn same_priority_never_reorders_the_rules_of_one_policy() {
    let one = cluster_policy(
        Tier::Admin,
        ("x", 5),
        Direction::Ingress,
        vec![rule(Action::Accept, vec![pods(&[])]), rule(Action::Deny, vec![pods(&[])])],
    );
    let snapshot =
        snapshot(vec![pod_at("a", &["10.0.0.1"]), pod_at("b", &["10.0.0.2"])], vec![one]);
    assert_eq!(tcp_80(&snapshot, "a", "b"), (ALLOW, ALLOW));
}

#[test]
fn other_protocol_is_undefined_in_the_network_policy_tier_only() {
    let icmp = (Protocol::Other(1), 0);
    let of = |policy| {
        snapshot(vec![pod_at("a", &["10.0.0.1"]), pod_at("b", &["10.0.0.2"])], vec![policy])
    };
    let open = of(isolate(Direction::Ingress, vec![accept(vec![])]));
    assert_eq!(verdicts(&open, ("a", "b"), icmp), (UNDEFINED, ALLOW));
    let shut = of(isolate(Direction::Ingress, vec![]));
    assert_eq!(verdicts(&shut, ("a", "b"), icmp), (UNDEFINED, DENY));
    let admin = cluster_policy(
        Tier::Admin,
        ("x", 5),
        Direction::Ingress,
        vec![rule(Action::Deny, vec![pods(&[])])],
    );
    assert_eq!(verdicts(&of(admin), ("a", "b"), icmp), (DENY, DENY));
}

#[test]
fn domain_name_may_or_may_not_hold_an_address_outside() {
    let names = PeerMatch::DomainNames(vec!["*.example.com".to_owned()]);
    let everything = networks(&["0.0.0.0/0", "::/0"]);
    let policy = cluster_policy(
        Tier::Admin,
        ("x", 5),
        Direction::Egress,
        vec![rule(Action::Accept, vec![names]), rule(Action::Deny, vec![everything])],
    );
    let snapshot =
        snapshot(vec![pod_at("a", &["10.0.0.1"]), pod_at("b", &["10.0.0.2"])], vec![policy]);
    assert_eq!(tcp_80(&snapshot, "a", "203.0.113.1"), (UNDEFINED, UNDEFINED));
    assert_eq!(tcp_80(&snapshot, "a", "b"), (DENY, ALLOW));
    assert_eq!(tcp_80(&snapshot, "a", "v1.api.example.com"), (ALLOW, ALLOW));
    assert_eq!(tcp_80(&snapshot, "a", "example.com"), (DENY, DENY));
    assert_eq!(tcp_80(&snapshot, "a", "badexample.com"), (DENY, DENY));
}

#[test]
fn a_name_may_have_any_address_outside() {
    let policy = isolate(Direction::Egress, vec![accept(vec![networks(&["203.0.113.0/24"])])]);
    let snapshot = snapshot(vec![pod_at("a", &["10.0.0.1"])], vec![policy]);
    assert_eq!(tcp_80(&snapshot, "a", "example.com"), (UNDEFINED, UNDEFINED));
}

#[test]
fn address_family_matters_where_both_ends_have_both() {
    let policy = isolate(Direction::Ingress, vec![accept(vec![networks(&["10.0.0.0/8"])])]);
    let pods = vec![
        pod_at("both", &["10.0.0.1", "fd00::1"]),
        pod_at("dual", &["10.0.0.2", "fd00::2"]),
        pod_at("old", &["10.0.0.3"]),
        pod_at("new", &["fd00::4"]),
    ];
    let snapshot = snapshot(pods, vec![policy]);
    assert_eq!(tcp_80(&snapshot, "both", "dual"), (UNDEFINED, DENY));
    assert_eq!(tcp_80(&snapshot, "both", "old"), (ALLOW, DENY));
    assert_eq!(tcp_80(&snapshot, "both", "new"), (DENY, DENY));
    // No family in common: each end is taken by its own.
    assert_eq!(tcp_80(&snapshot, "old", "new"), (ALLOW, DENY));
}

#[test]
fn family_is_one_choice_for_both_sides() {
    let out = isolate(Direction::Egress, vec![accept(vec![networks(&["10.0.0.0/8"])])]);
    let mut into = isolate(Direction::Ingress, vec![accept(vec![networks(&["fd00::/8"])])]);
    into.id.name = "into".to_owned();
    let pods = vec![pod_at("a", &["10.0.0.1", "fd00::1"]), pod_at("b", &["10.0.0.2", "fd00::2"])];
    // IPv4 may not enter and IPv6 may not leave.
    assert_eq!(tcp_80(&snapshot(pods, vec![out, into]), "a", "b"), (DENY, DENY));
}

#[test]
fn unknown_pod_address_may_be_any_of_the_assumed_networks() {
    let of = |block| {
        let policy = isolate(Direction::Ingress, vec![accept(vec![networks(&[block])])]);
        snapshot(vec![pod_at("a", &[]), pod_at("b", &["10.0.0.2"])], vec![policy])
    };
    assert_eq!(tcp_80(&of("10.1.2.3/32"), "a", "b"), (UNDEFINED, DENY));
    assert_eq!(tcp_80(&of("0.0.0.0/0"), "a", "b"), (ALLOW, DENY));
    assert_eq!(tcp_80(&of("203.0.113.0/24"), "a", "b"), (DENY, DENY));
}

#[test]
fn ingress_from_the_own_node_is_never_filtered() {
    let deny = cluster_policy(
        Tier::Admin,
        ("x", 0),
        Direction::Ingress,
        vec![rule(Action::Deny, vec![PeerMatch::Unknown])],
    );
    let of = |web| snapshot(vec![web], vec![deny.clone(), isolate(Direction::Ingress, vec![])]);
    let known = of(on_node(pod_at("web", &["10.0.0.1"]), "n1"));
    assert_eq!(tcp_80(&known, "172.18.0.1", "web"), (ALLOW, ALLOW));
    assert_eq!(tcp_80(&known, "172.18.0.2", "web"), (DENY, DENY));
    let unknown = of(pod_at("web", &["10.0.0.1"]));
    assert_eq!(tcp_80(&unknown, "172.18.0.1", "web"), (UNDEFINED, UNDEFINED));
    assert_eq!(tcp_80(&unknown, "203.0.113.1", "web"), (DENY, DENY));
}
