//! The order of decisions, peers and ports of `docs/design/semantics.md`, where nothing is forked.

use net_types::Protocol;
use policy_model::{
    Action, ContainerPort, Direction, PeerMatch, Pod, PodOrigin, Policy, Ports, Rule, Snapshot,
    Tier, WorkloadKind,
};
use policy_oracle::worlds::objects::{
    accept, cluster_policy, named_port, namespace, network_policy, pod, pods, port, rule,
};
use policy_oracle::worlds::{put_namespace, put_pod, put_policy};
use policy_oracle::{Assumptions, End, Question, Verdict, evaluate, evaluate_side};
use std::net::IpAddr;

/// Pods a and b of namespace shop, with addresses; b serves `http` on 80/tcp and 81/udp.
fn snapshot(policies: Vec<Policy>) -> Snapshot {
    let mut snapshot = Snapshot::default();
    put_namespace(&mut snapshot, namespace("shop", &[]));
    for (last, name) in [(1, "a"), (2, "b")] {
        let serves =
            |protocol, port| ContainerPort { name: Some("http".to_owned()), protocol, port };
        let served = Pod {
            addresses: vec![IpAddr::from([10, 0, 0, last])],
            ports: vec![serves(Protocol::Tcp, 80), serves(Protocol::Udp, 81)],
            ..pod("shop", name, &[("app", name)])
        };
        put_pod(&mut snapshot, served);
    }
    policies.into_iter().for_each(|policy| put_policy(&mut snapshot, policy));
    snapshot
}

fn ask<'a>(
    snapshot: &'a Snapshot,
    (from, to): (&str, &str),
    (protocol, port): (Protocol, u16),
) -> Question<'a> {
    let end = |name: &str| {
        let pod = snapshot.pods.iter().find(|pod| pod.name == name);
        pod.map_or(End::Address(IpAddr::from([203, 0, 113, 1])), End::Pod)
    };
    Question { from: end(from), to: end(to), protocol, port }
}

fn verdict(snapshot: &Snapshot, ends: (&str, &str), traffic: (Protocol, u16)) -> Verdict {
    evaluate(snapshot, &Assumptions::default(), &ask(snapshot, ends, traffic))
}

fn tcp_80(policies: Vec<Policy>) -> Verdict {
    verdict(&snapshot(policies), ("a", "b"), (Protocol::Tcp, 80))
}

fn admin(action: Action) -> Policy {
    tier(Tier::Admin, ("admin", 1), action)
}

fn tier(tier: Tier, name: (&str, u16), action: Action) -> Policy {
    cluster_policy(tier, name, Direction::Ingress, vec![rule(action, vec![pods(&[])])])
}

fn deny_by_default() -> Policy {
    network_policy("shop", "np", Direction::Ingress, vec![])
}

#[test]
fn tiers_decide_in_order() {
    let baseline = || tier(Tier::Baseline, ("base", 1), Action::Deny);
    assert_eq!(tcp_80(vec![]), Verdict::Allow);
    assert_eq!(tcp_80(vec![baseline()]), Verdict::Deny);
    let open = network_policy("shop", "np", Direction::Ingress, vec![accept(vec![])]);
    assert_eq!(tcp_80(vec![baseline(), open.clone()]), Verdict::Allow);
    assert_eq!(tcp_80(vec![baseline(), open, admin(Action::Deny)]), Verdict::Deny);
    assert_eq!(tcp_80(vec![deny_by_default(), admin(Action::Accept)]), Verdict::Allow);
    assert_eq!(tcp_80(vec![deny_by_default(), admin(Action::Pass)]), Verdict::Deny);
    assert_eq!(tcp_80(vec![baseline(), admin(Action::Pass)]), Verdict::Deny);
    let pass = tier(Tier::Baseline, ("early", 0), Action::Pass);
    assert_eq!(tcp_80(vec![baseline(), pass]), Verdict::Allow);
}

#[test]
fn accepted_egress_does_not_skip_the_ingress_of_the_destination() {
    let out =
        cluster_policy(Tier::Admin, ("out", 0), Direction::Egress, vec![accept(vec![pods(&[])])]);
    let snapshot = snapshot(vec![out, deny_by_default()]);
    let question = ask(&snapshot, ("a", "b"), (Protocol::Tcp, 80));
    let side = |direction| evaluate_side(&snapshot, &Assumptions::default(), &question, direction);
    assert_eq!(side(Direction::Egress), Verdict::Allow);
    assert_eq!(side(Direction::Ingress), Verdict::Deny);
    assert_eq!(evaluate(&snapshot, &Assumptions::default(), &question), Verdict::Deny);
}

#[test]
fn a_policy_says_nothing_of_the_other_direction() {
    let snapshot = snapshot(vec![deny_by_default()]);
    assert_eq!(verdict(&snapshot, ("a", "outside"), (Protocol::Tcp, 80)), Verdict::Allow);
    assert_eq!(verdict(&snapshot, ("outside", "a"), (Protocol::Tcp, 80)), Verdict::Deny);
}

#[test]
fn unknown_peer_fails_closed() {
    let of = |action, peers| {
        let rules = vec![rule(action, peers)];
        tcp_80(vec![
            cluster_policy(Tier::Admin, ("x", 0), Direction::Ingress, rules),
            tier(Tier::Baseline, ("base", 1), Action::Deny),
        ])
    };
    let known = || pods(&[("app", "a")]);
    assert_eq!(of(Action::Accept, vec![known()]), Verdict::Allow);
    assert_eq!(of(Action::Accept, vec![known(), PeerMatch::Unknown]), Verdict::Deny);
    assert_eq!(of(Action::Pass, vec![PeerMatch::Unknown]), Verdict::Deny);
    let mut other_port = rule(Action::Deny, vec![PeerMatch::Unknown]);
    other_port.ports = Ports::Listed(port(Protocol::Udp, 80).into_iter().collect());
    let policy = cluster_policy(Tier::Admin, ("x", 0), Direction::Ingress, vec![other_port]);
    assert_eq!(tcp_80(vec![policy]), Verdict::Allow);
}

#[test]
fn named_port_is_the_destinations_with_its_protocol() {
    let with_port = |protocol| {
        let ports = Ports::Listed(vec![named_port(protocol, "http")]);
        let rules = vec![Rule { ports, ..accept(vec![]) }];
        snapshot(vec![network_policy("shop", "np", Direction::Egress, rules)])
    };
    let tcp = with_port(Some(Protocol::Tcp));
    assert_eq!(verdict(&tcp, ("a", "b"), (Protocol::Tcp, 80)), Verdict::Allow);
    assert_eq!(verdict(&tcp, ("a", "b"), (Protocol::Udp, 81)), Verdict::Deny);
    assert_eq!(verdict(&tcp, ("a", "outside"), (Protocol::Tcp, 80)), Verdict::Deny);
    let any = with_port(None);
    assert_eq!(verdict(&any, ("a", "b"), (Protocol::Udp, 81)), Verdict::Allow);
    assert_eq!(verdict(&any, ("a", "b"), (Protocol::Udp, 80)), Verdict::Deny);
}

#[test]
fn a_pod_reaches_itself_but_not_its_replica() {
    let mut snapshot = snapshot(vec![deny_by_default()]);
    let mut template = pod("shop", "web", &[]);
    template.origin = PodOrigin::Template;
    put_pod(&mut snapshot, template.clone());
    assert_eq!(verdict(&snapshot, ("a", "a"), (Protocol::Tcp, 80)), Verdict::Allow);
    assert_eq!(verdict(&snapshot, ("web", "web"), (Protocol::Tcp, 80)), Verdict::Allow);
    snapshot.pods.retain(|pod| pod.name != "web");
    template.workload.kind = WorkloadKind::Deployment;
    put_pod(&mut snapshot, template);
    assert_eq!(verdict(&snapshot, ("web", "web"), (Protocol::Tcp, 80)), Verdict::Deny);
}

#[test]
fn an_address_of_a_pod_is_that_pod() {
    let snapshot = snapshot(vec![deny_by_default()]);
    let address = End::Address(IpAddr::from([10, 0, 0, 2]));
    let question = Question { to: address, ..ask(&snapshot, ("a", "b"), (Protocol::Tcp, 80)) };
    assert_eq!(evaluate(&snapshot, &Assumptions::default(), &question), Verdict::Deny);
}
