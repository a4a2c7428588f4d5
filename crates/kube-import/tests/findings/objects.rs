//! Errors in objects that are no policies.

use crate::check;
use expect_test::{Expect, expect};

fn check_pod(rest: &str, expected: Expect) {
    check(&format!("apiVersion: v1\nkind: Pod\nmetadata: {{name: a}}\n{rest}\n"), expected);
}

#[test]
fn pods() {
    check_pod(
        "spec: {hostNetwork: 'true'}",
        expect![[r#"
        4:21+6 error wrong-type: a boolean is needed here, and this is a string
            help: check the indentation, and the field's name
        left out: Pod default/a Object { namespace: "default", name: "a" }
    "#]],
    );
    check_pod(
        "spec: {containers: {}}",
        expect![[r#"
        4:20+2 error wrong-type: a list is needed here, and this is a mapping
            help: check the indentation, and the field's name
        left out: Pod default/a Object { namespace: "default", name: "a" }
    "#]],
    );
    check_pod(
        "spec: {containers: [{ports: [{containerPort: '80'}]}]}",
        expect![[r#"
        4:46+4 error wrong-type: a number is needed here, and this is a string
            help: write the number without quotes
        left out: Pod default/a Object { namespace: "default", name: "a" }
    "#]],
    );
    check_pod(
        "spec: {containers: [{ports: [{containerPort: 65536}]}]}",
        expect![[r#"
        4:46+5 error bad-port: 65536 is no port
            help: a port is 1 to 65535
        left out: Pod default/a Object { namespace: "default", name: "a" }
    "#]],
    );
    check_pod(
        "spec: {containers: [{ports: [{containerPort: 80, name: HTTP}]}]}",
        expect![[r#"
        4:56+4 error bad-port: `HTTP` is no port name
            help: a port name has up to 15 lower-case letters, digits and single inner `-`, with at least one letter
        left out: Pod default/a Object { namespace: "default", name: "a" }
    "#]],
    );
    check_pod(
        "spec: {containers: [{ports: [{containerPort: 80, protocol: ICMP}]}]}",
        expect![[r#"
        4:60+4 error bad-protocol: `ICMP` is none of `TCP`, `UDP` or `SCTP`
            help: write `TCP`, `UDP` or `SCTP`
        left out: Pod default/a Object { namespace: "default", name: "a" }
    "#]],
    );
    check_pod(
        "status: {podIP: 10.0.0.256}",
        expect![[r#"
        4:17+10 error bad-address: `10.0.0.256` is no IP address
            help: write an IPv4 or IPv6 address
        left out: Pod default/a Object { namespace: "default", name: "a" }
    "#]],
    );
}

#[test]
fn workloads_services_and_entries() {
    check(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec: {}\n",
        expect![[r#"
        4:7+2 error missing-field: the workload's spec has no `template`
            help: add `template`: the API server requires it
        left out: Deployment default/a Object { namespace: "default", name: "a" }
    "#]],
    );
    let service = "apiVersion: v1\nkind: Service\nmetadata: {name: a}\n";
    check(
        &format!("{service}spec: {{type: Nodeport}}\n"),
        expect![[r#"
        4:14+8 error bad-value: `Nodeport` is none of `ClusterIP`, `NodePort`, `LoadBalancer` or `ExternalName`
            help: did you mean `NodePort`?
        left out: Service default/a Object { namespace: "default", name: "a" }
    "#]],
    );
    check(
        &format!("{service}spec: {{ports: [{{port: 0}}, {{port: 1, targetPort: a--b}}]}}\n"),
        expect![[r#"
            4:23+1 error bad-port: 0 is no port
                help: a port is 1 to 65535
            4:49+4 error bad-port: `a--b` is no port name
                help: a port name has up to 15 lower-case letters, digits and single inner `-`, with at least one letter
            left out: Service default/a Object { namespace: "default", name: "a" }
        "#]],
    );
    let ingress = "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: a}\n";
    check(
        &format!("{ingress}spec: {{defaultBackend: {{service: {{name: b}}}}}}\n"),
        expect![[r#"
        4:34+9 error missing-field: a backend's service has no `port`
            help: add `port`: the API server requires it
        left out: Ingress default/a Object { namespace: "default", name: "a" }
    "#]],
    );
}
