//! `ipBlock` and `networks`, and whether they match pods of the cluster.

use crate::fixture::*;
use policy_engine::Verdict::{Allow, Deny};

/// `pay/db` at 10.0.0.2, with this list of peers as its only ingress.
fn from_peers(peers: &str) -> [String; 4] {
    [
        pod_at("shop/web", "10.0.0.1"),
        pod("shop/new"),
        pod_at("pay/db", "10.0.0.2"),
        policy("pay/p", &format!("ingress: [{{from: [{peers}]}}]")),
    ]
}

/// An `ipBlock` matches a pod by its address, and under `cilium` never.
#[test]
fn ip_block_matches_pods_of_the_cluster_unless_identity_comes_first() {
    let documents = from_peers("{ipBlock: {cidr: 10.0.0.0/24}}");
    World::of(&documents).check(&[
        ("shop/web", "pay/db", "80/tcp", Allow),
        ("10.0.0.99", "pay/db", "80/tcp", Allow),
        ("10.0.1.0", "pay/db", "80/tcp", Deny),
    ]);
    World::cilium(&documents).check(&[
        ("shop/web", "pay/db", "80/tcp", Deny),
        ("shop/new", "pay/db", "80/tcp", Deny),
        ("10.0.0.99", "pay/db", "80/tcp", Allow),
    ]);
}

/// A pod whose address is not in the input may have any of the pod networks.
#[test]
fn ip_block_and_a_pod_of_unknown_address() {
    let part = World::of(&from_peers("{ipBlock: {cidr: 10.0.0.0/24}}"));
    part.check_undefined("shop/new", "pay/db", "80/tcp", "pod-address");
    let all = World::of(&from_peers("{ipBlock: {cidr: 0.0.0.0/0}}"));
    all.check(&[("shop/new", "pay/db", "80/tcp", Allow)]);
    let public = World::of(&from_peers("{ipBlock: {cidr: 203.0.113.0/24}}"));
    public.check(&[("shop/new", "pay/db", "80/tcp", Deny)]);
}

/// `networks` of both cluster-scoped versions match pods, and under `cilium` never.
#[test]
fn networks_of_cluster_scoped_policies_match_pods() {
    let rules =
        "subject: {namespaces: {}}, egress: [{action: Deny, to: [{networks: [10.0.0.0/24]}]}]";
    let policies = [
        admin_policy("p", &format!("priority: 1, {rules}")),
        baseline_policy(rules),
        cluster_policy("p", &format!("tier: Admin, priority: 1, {rules}")),
        cluster_policy("p", &format!("tier: Baseline, priority: 1, {rules}")),
    ];
    for policy in policies {
        let documents = [pod_at("shop/web", "10.0.0.1"), pod_at("pay/db", "10.0.0.2"), policy];
        World::of(&documents).check(&[
            ("shop/web", "pay/db", "80/tcp", Deny),
            ("shop/web", "10.0.0.3", "80/tcp", Deny),
            ("shop/web", "10.0.1.0", "80/tcp", Allow),
        ]);
        World::cilium(&documents).check(&[
            ("shop/web", "pay/db", "80/tcp", Allow),
            ("shop/web", "10.0.0.3", "80/tcp", Deny),
        ]);
    }
}

/// An IPv6 block is IPv6: it has its own addresses, and none of IPv4.
#[test]
fn ipv6_blocks_are_not_ipv4() {
    let documents = [
        pod_at("shop/web", "fd00::1"),
        pod_at("shop/old", "253.0.0.1"),
        "{apiVersion: v1, kind: Pod, metadata: {name: db, namespace: pay}, \
         status: {podIP: 10.0.0.2, podIPs: [{ip: 10.0.0.2}, {ip: 'fd00::2'}]}}"
            .to_owned(),
        policy(
            "pay/p",
            "ingress: [{from: [{ipBlock: {cidr: 'fd00::/8', except: ['fd01::/16']}}]}]",
        ),
    ];
    World::of(&documents).check(&[
        ("shop/web", "pay/db", "80/tcp", Allow),
        ("fdff::1", "pay/db", "80/tcp", Allow),
        ("fd01::1", "pay/db", "80/tcp", Deny),
        ("fe80::1", "pay/db", "80/tcp", Deny),
        ("shop/old", "pay/db", "80/tcp", Deny),
        ("253.0.0.9", "pay/db", "80/tcp", Deny),
    ]);
    let rules =
        "subject: {namespaces: {}}, egress: [{action: Deny, to: [{networks: ['fd00::/8']}]}]";
    let policies = [
        admin_policy("p", &format!("priority: 1, {rules}")),
        cluster_policy("p", &format!("tier: Admin, priority: 1, {rules}")),
    ];
    for policy in policies {
        let world =
            World::of(&[pod_at("shop/web", "fd00::1"), pod_at("pay/db", "fd00::2"), policy]);
        world.check(&[
            ("shop/web", "pay/db", "80/tcp", Deny),
            ("shop/web", "2001:db8::1", "80/tcp", Allow),
        ]);
    }
}

/// Policies add up: what one leaves out, an overlapping block of another may allow.
#[test]
fn overlapping_blocks_of_several_policies_are_a_union() {
    let documents = [
        pod_at("pay/db", "10.0.0.2"),
        policy(
            "pay/but",
            "ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16]}}]}]",
        ),
        policy("pay/again", "ingress: [{from: [{ipBlock: {cidr: 10.1.2.0/24}}]}]"),
    ];
    World::of(&documents[..2])
        .check(&[("10.2.0.1", "pay/db", "80/tcp", Allow), ("10.1.2.1", "pay/db", "80/tcp", Deny)]);
    World::of(&documents).check(&[
        ("10.2.0.1", "pay/db", "80/tcp", Allow),
        ("10.1.2.1", "pay/db", "80/tcp", Allow),
        ("10.1.3.1", "pay/db", "80/tcp", Deny),
    ]);
}

/// `except` takes from its own block only: another peer or rule may allow the same again.
#[test]
fn except_belongs_to_its_block() {
    let but = "{ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16]}}";
    let again = "{ipBlock: {cidr: 10.1.2.0/24}}";
    for rules in [
        format!("ingress: [{{from: [{but}, {again}]}}]"),
        format!("ingress: [{{from: [{but}]}}, {{from: [{again}]}}]"),
        format!("ingress: [{{from: [{again}]}}, {{from: [{but}]}}]"),
    ] {
        World::of(&[pod_at("pay/db", "10.0.0.2"), policy("pay/p", &rules)]).check(&[
            ("10.0.9.9", "pay/db", "80/tcp", Allow),
            ("10.1.2.1", "pay/db", "80/tcp", Allow),
            ("10.1.3.1", "pay/db", "80/tcp", Deny),
        ]);
    }
}
