//! Errors in a ClusterNetworkPolicy.

use crate::{check, check_cluster_rule};
use expect_test::{Expect, expect};

fn check_spec(spec: &str, expected: Expect) {
    let head = "apiVersion: policy.networking.k8s.io/v1alpha2\nkind: ClusterNetworkPolicy\n\
                metadata: {name: base}\n";
    check(&format!("{head}spec: {spec}\n"), expected);
}

#[test]
fn spec() {
    check_spec(
        "{}",
        expect![[r#"
        4:7+2 error missing-field: a ClusterNetworkPolicy's spec has no `priority`
            help: add `priority`: the API server requires it
        4:7+2 error missing-field: a ClusterNetworkPolicy's spec has no `subject`
            help: add `subject`: the API server requires it
        4:7+2 error missing-field: a ClusterNetworkPolicy's spec has no `tier`
            help: add `tier`: the API server requires it
        left out: ClusterNetworkPolicy base Cluster
    "#]],
    );
    check_spec(
        "{tier: admin, priority: 1001, subject: {}}",
        expect![[r#"
        4:14+5 error bad-value: `admin` is none of `Admin` or `Baseline`
            help: did you mean `Admin`?
        4:31+4 error bad-value: 1001 is no priority
            help: a priority is 0, which decides first, to 1000
        4:46+2 error missing-field: a subject has no field
            help: write one of `namespaces` or `pods`
        left out: ClusterNetworkPolicy base Cluster
    "#]],
    );
    check_spec(
        "{tier: Admin, priority: 1, subject: {namespaces: {}, pods: {}}}",
        expect![[r#"
        4:60+4 error bad-value: a subject has both `namespaces` and `pods`
            help: write each in an item of its own
        left out: ClusterNetworkPolicy base Cluster
    "#]],
    );
    check_spec(
        "{tier: Admin, priority: 1, subject: {pods: {namespaceSelector: {}}}}",
        expect![[r#"
        4:50+23 error missing-field: `pods` has no `podSelector`
            help: add `podSelector`: the API server requires it
        left out: ClusterNetworkPolicy base Cluster
    "#]],
    );
    check_spec(
        "{tier: Admin, priority: -1, subject: {namespaces: {}}, rules: []}",
        expect![[r#"
        4:31+2 error bad-value: -1 is no priority
            help: a priority is 0, which decides first, to 1000
        4:62+5 error unknown-field: unknown field `rules` in a ClusterNetworkPolicy's spec
            why: the API server drops or refuses it: it has no effect
            help: the fields are `tier`, `priority`, `subject`, `ingress` or `egress`
        left out: ClusterNetworkPolicy base Cluster
    "#]],
    );
}

#[test]
fn rules() {
    check_cluster_rule(
        "{action: Allow, to: [{namespaces: {}}]}",
        expect![[r#"
        5:10+5 error bad-value: `Allow` is no action of this version
            help: it is called `Accept` here
        left out: ClusterNetworkPolicy base Cluster
    "#]],
    );
    check_cluster_rule(
        "{action: Deny, to: []}",
        expect![[r#"
        5:20+2 error empty-list: the rule has no peer
            help: list at least one peer; `namespaces: {}` is every pod
        left out: ClusterNetworkPolicy base Cluster
    "#]],
    );
    check_cluster_rule(
        "{action: Deny}",
        expect![[r#"
        5:1+14 error missing-field: an egress rule has no `to`
            help: add `to`: the API server requires it
        left out: ClusterNetworkPolicy base Cluster
    "#]],
    );
    check_cluster_rule(
        "{action: Deny, to: [{namespaces: {}}], ports: []}",
        expect![[r#"
        5:40+5 error unknown-field: unknown field `ports` in an egress rule
            why: read without it, the rule would match every port of every protocol
            help: did you mean `protocols`?
        left out: ClusterNetworkPolicy base Cluster
    "#]],
    );
    check_cluster_rule(
        "{action: Deny, to: [{namespaces: {}}], protocols: []}",
        expect![[r#"
        5:51+2 error empty-list: `protocols` is empty
            help: list at least one, or leave `protocols` away for all traffic
        left out: ClusterNetworkPolicy base Cluster
    "#]],
    );
    let name = "n".repeat(101);
    check_cluster_rule(
        &format!("{{name: {name}, action: Deny, to: [{{pods: {{podSelector: {{}}}}}}]}}"),
        expect![[r#"
            5:8+101 error bad-name: the rule's name is longer than 100 characters
                help: shorten it
            left out: ClusterNetworkPolicy base Cluster
        "#]],
    );
}

#[test]
fn peers() {
    check_cluster_rule(
        "{action: Deny, to: [{}]}",
        expect![[r#"
        5:21+2 error empty-peer: an egress peer has no field
            help: write one of `namespaces`, `pods`, `nodes`, `networks` or `domainNames`
        left out: ClusterNetworkPolicy base Cluster
    "#]],
    );
    check_cluster_rule(
        "{action: Deny, to: [{namespaces: {}, nodes: {}}]}",
        expect![[r#"
        5:38+5 error two-peer-fields: an egress peer has both `namespaces` and `nodes`
            help: write each in a peer of its own; for pods that meet two conditions there is `pods`
        left out: ClusterNetworkPolicy base Cluster
    "#]],
    );
    check_cluster_rule(
        "{action: Deny, to: [{namspaces: {}}]}",
        expect![[r#"
        5:22+9 error unknown-field: unknown field `namspaces` in an egress peer
            why: read without it, the peer would be empty
            help: did you mean `namespaces`?
        left out: ClusterNetworkPolicy base Cluster
    "#]],
    );
    check_cluster_rule(
        "{action: Deny, to: [{networks: []}]}",
        expect![[r#"
        5:32+2 error empty-list: the list of networks is empty
            help: list at least one
        left out: ClusterNetworkPolicy base Cluster
    "#]],
    );
    check_cluster_rule(
        "{action: Deny, to: [{networks: [10.0.0.0/8, 10.0.0.0/8]}]}",
        expect![[r#"
        5:45+10 error bad-value: `10.0.0.0/8` is listed twice
            help: remove one of them
        left out: ClusterNetworkPolicy base Cluster
    "#]],
    );
    check_cluster_rule(
        "{action: Deny, to: [{domainNames: [example.com]}]}",
        expect![[r#"
        5:1+50 error bad-value: `domainNames` in a Deny rule
            help: domain names can only be accepted: deny by `networks` in a later rule
        left out: ClusterNetworkPolicy base Cluster
    "#]],
    );
    check_cluster_rule(
        "{action: Accept, to: [{domainNames: [com, 'a.*.b', '*.', -a.b]}]}",
        expect![[r#"
            5:38+3 error bad-domain-name: `com` is no domain name
                help: write `example.com`, or `*.example.com` for the names below it
            5:43+7 error bad-domain-name: `a.*.b` is no domain name
                help: write `example.com`, or `*.example.com` for the names below it
            5:52+4 error bad-domain-name: `*.` is no domain name
                help: write `example.com`, or `*.example.com` for the names below it
            5:58+4 error bad-domain-name: `-a.b` is no domain name
                help: write `example.com`, or `*.example.com` for the names below it
            left out: ClusterNetworkPolicy base Cluster
        "#]],
    );
}

#[test]
fn networks_are_for_egress_only() {
    let text = "apiVersion: policy.networking.k8s.io/v1alpha2\nkind: ClusterNetworkPolicy\n\
                metadata: {name: base}\n\
                spec: {tier: Admin, priority: 1, subject: {namespaces: {}}, ingress: [\n\
                {action: Deny, from: [{networks: [10.0.0.0/8]}]}]}\n";
    check(
        text,
        expect![[r#"
        5:24+8 error unknown-field: unknown field `networks` in an ingress peer
            why: the API server drops or refuses it: it has no effect
            help: the fields are `namespaces` or `pods`
        left out: ClusterNetworkPolicy base Cluster
    "#]],
    );
}

#[test]
fn protocols() {
    let rule = |protocol: &str| {
        format!("{{action: Deny, to: [{{namespaces: {{}}}}], protocols: [{protocol}]}}")
    };
    check_cluster_rule(
        &rule("{}"),
        expect![[r#"
        5:52+2 error missing-field: a protocol has no field
            help: write one of `tcp`, `udp`, `sctp` or `destinationNamedPort`
        left out: ClusterNetworkPolicy base Cluster
    "#]],
    );
    check_cluster_rule(
        &rule("{tcp: {}}"),
        expect![[r#"
        5:58+2 error missing-field: a protocol's ports has no `destinationPort`
            help: add `destinationPort`: the API server requires it
        left out: ClusterNetworkPolicy base Cluster
    "#]],
    );
    check_cluster_rule(
        &rule("{tcp: {destinationPort: {}}}"),
        expect![[r#"
        5:76+2 error missing-field: a destination port has no field
            help: write one of `number` or `range`
        left out: ClusterNetworkPolicy base Cluster
    "#]],
    );
    check_cluster_rule(
        &rule("{tcp: {destinationPort: {number: 80, range: {start: 1, end: 2}}}}"),
        expect![[r#"
            5:89+5 error bad-value: a destination port has both `number` and `range`
                help: write each in an item of its own
            left out: ClusterNetworkPolicy base Cluster
        "#]],
    );
    check_cluster_rule(
        &rule("{tcp: {destinationPort: {range: {start: 2, end: 2}}}}"),
        expect![[r#"
        5:100+1 error end-port-below-port: `end` 2 is not above `start` 2
            help: write one port as `number`, not as a range
        left out: ClusterNetworkPolicy base Cluster
    "#]],
    );
    check_cluster_rule(
        &rule("{tcp: {destinationPort: {range: {start: 3, end: 2}}}}"),
        expect![[r#"
        5:100+1 error end-port-below-port: `end` 2 is not above `start` 3
            help: `end` is the last port of the range
        left out: ClusterNetworkPolicy base Cluster
    "#]],
    );
    check_cluster_rule(
        &rule("{TCP: {destinationPort: {number: 80}}}"),
        expect![[r#"
        5:53+3 error unknown-field: unknown field `TCP` in a protocol
            why: read without it, the rule would not speak of TCP
            help: did you mean `tcp`?
        left out: ClusterNetworkPolicy base Cluster
    "#]],
    );
    check_cluster_rule(
        &rule("{tcp: {destinationPort: {number: 80}}, udp: {destinationPort: {number: 80}}}"),
        expect![[r#"
            5:91+3 error bad-value: a protocol has both `tcp` and `udp`
                help: write each in an item of its own
            left out: ClusterNetworkPolicy base Cluster
        "#]],
    );
}

#[test]
fn named_ports_need_pods() {
    check_cluster_rule(
        "{action: Deny, to: [{networks: [10.0.0.0/8]}], protocols: [{destinationNamedPort: web}]}",
        expect![[r#"
            5:59+29 error named-port-without-pods: a named port in a rule with `networks`, `nodes` or `domainNames`
                help: only pods have named ports: write numbers, or make it two rules
            left out: ClusterNetworkPolicy base Cluster
        "#]],
    );
}

#[test]
fn lists_have_limits() {
    let many = |item: &str, n: usize| vec![item; n].join(", ");
    let peers = many("{namespaces: {}}", 26);
    check_cluster_rule(
        &format!("{{action: Deny, to: [{peers}]}}"),
        expect![[r#"
        5:471+16 error too-many: 26 peers, and 25 are allowed
            help: split it over several policies, or join items
        left out: ClusterNetworkPolicy base Cluster
    "#]],
    );
    let protocols = many("{destinationNamedPort: web}", 26);
    check_cluster_rule(
        &format!("{{action: Deny, to: [{{namespaces: {{}}}}], protocols: [{protocols}]}}"),
        expect![[r#"
            5:777+27 error too-many: 26 protocols, and 25 are allowed
                help: split it over several policies, or join items
            left out: ClusterNetworkPolicy base Cluster
        "#]],
    );
    let networks: Vec<String> = (0..26).map(|i| format!("10.{i}.0.0/16")).collect();
    check_cluster_rule(
        &format!("{{action: Deny, to: [{{networks: [{}]}}]}}", networks.join(", ")),
        expect![[r#"
            5:373+12 error too-many: 26 networks, and 25 are allowed
                help: split it over several policies, or join items
            left out: ClusterNetworkPolicy base Cluster
        "#]],
    );
    check_cluster_rule(
        &many("{action: Deny, to: [{namespaces: {}}]}", 26),
        expect![[r#"
        5:1001+38 error too-many: 26 rules, and 25 are allowed
            help: split it over several policies, or join items
        left out: ClusterNetworkPolicy base Cluster
    "#]],
    );
    check_cluster_rule(&many("{action: Deny, to: [{namespaces: {}}]}", 25), expect![]);
}
