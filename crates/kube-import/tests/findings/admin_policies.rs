//! Errors in the policies of v1alpha1.

use crate::{check, check_admin_rule};
use expect_test::expect;

#[test]
fn rules() {
    check_admin_rule(
        "{action: Accept, from: [{namespaces: {}}]}",
        expect![[r#"
        5:10+6 error bad-value: `Accept` is no action of this version
            help: it is called `Allow` here
        left out: AdminNetworkPolicy base Cluster
    "#]],
    );
    check_admin_rule(
        "{action: Deny, from: [{namespaces: {}}], protocols: []}",
        expect![[r#"
        5:42+9 error unknown-field: unknown field `protocols` in an ingress rule
            why: read without it, the rule would match every port of every protocol
            help: did you mean `ports`?
        left out: AdminNetworkPolicy base Cluster
    "#]],
    );
    check_admin_rule(
        "{action: Deny, from: [{pods: {podSelector: {}}}]}",
        expect![[r#"
        5:30+17 error missing-field: `pods` has no `namespaceSelector`
            help: add `namespaceSelector`: the API server requires it
        left out: AdminNetworkPolicy base Cluster
    "#]],
    );
    check_admin_rule(
        "{action: Deny, from: [{networks: [10.0.0.0/8]}]}",
        expect![[r#"
        5:24+8 error unknown-field: unknown field `networks` in an ingress peer
            why: the API server drops or refuses it: it has no effect
            help: the fields are `namespaces` or `pods`
        left out: AdminNetworkPolicy base Cluster
    "#]],
    );
}

#[test]
fn ports() {
    let rule =
        |port: &str| format!("{{action: Deny, from: [{{namespaces: {{}}}}], ports: [{port}]}}");
    check_admin_rule(
        &rule("{}"),
        expect![[r#"
        5:50+2 error missing-field: a port has no field
            help: write one of `portNumber`, `portRange` or `namedPort`
        left out: AdminNetworkPolicy base Cluster
    "#]],
    );
    check_admin_rule(
        &rule("{portNumber: {protocol: TCP}}"),
        expect![[r#"
        5:63+15 error missing-field: a `portNumber` has no `port`
            help: add `port`: the API server requires it
        left out: AdminNetworkPolicy base Cluster
    "#]],
    );
    check_admin_rule(
        &rule("{portRange: {start: 9, end: 8}}"),
        expect![[r#"
        5:78+1 error end-port-below-port: `end` 8 is not above `start` 9
            help: `end` is the last port of the range
        left out: AdminNetworkPolicy base Cluster
    "#]],
    );
    check_admin_rule(
        &rule("{namedPort: web, portNumber: {port: 1}}"),
        expect![[r#"
        5:67+10 error bad-value: a port has both `namedPort` and `portNumber`
            help: write each in an item of its own
        left out: AdminNetworkPolicy base Cluster
    "#]],
    );
}

#[test]
fn the_baseline_is_named_default_and_does_not_pass() {
    let text = "apiVersion: policy.networking.k8s.io/v1alpha1\nkind: BaselineAdminNetworkPolicy\n\
                metadata: {name: base}\n\
                spec: {subject: {namespaces: {}}, priority: 1, egress: [\n\
                {action: Pass, to: [{domainNames: [a.b]}]}]}\n";
    check(
        text,
        expect![[r#"
        3:18+4 error bad-name: a BaselineAdminNetworkPolicy cannot be named `base`
            help: a cluster has one, and its name is `default`
        4:35+8 error unknown-field: unknown field `priority` in a BaselineAdminNetworkPolicy's spec
            why: the API server drops or refuses it: it has no effect
            help: the fields are `subject`, `ingress` or `egress`
        5:10+4 error bad-value: `Pass` is none of `Allow` or `Deny`
            help: write `Allow` or `Deny`
        5:22+11 error unknown-field: unknown field `domainNames` in an egress peer
            why: the API server drops or refuses it: it has no effect
            help: the fields are `namespaces`, `pods`, `nodes` or `networks`
        left out: BaselineAdminNetworkPolicy base Cluster
    "#]],
    );
}
