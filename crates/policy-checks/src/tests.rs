//! What the tests of all checks share, and worlds that no check may complain about.

use crate::fixtures::read;
use crate::{CHECKS, Settings, run};
use finding_model::{Code, Finding};
use policy_engine::{Assumptions, Program};

/// Runs one check on a fixture; its findings must start exactly at the annotated lines.
pub(crate) fn check(code: Code, text: &str) -> Vec<Finding> {
    let fixture = read(text);
    let program = Program::compile(fixture.snapshot, Assumptions::default());
    let findings: Vec<Finding> = run(&program, &Settings::default())
        .into_iter()
        .filter(|finding| finding.code == code)
        .collect();
    let mut found: Vec<(u32, String)> =
        findings.iter().map(|f| (f.span.map_or(0, |span| span.line), f.code.to_string())).collect();
    found.sort();
    assert_eq!(found, fixture.expected, "{findings:#?}");
    findings
}

/// All findings, as `line code`.
fn all(text: &str) -> Vec<String> {
    let program = Program::compile(read(text).snapshot, Assumptions::default());
    let findings = run(&program, &Settings::default());
    findings
        .iter()
        .map(|f| format!("{} {} {}", f.span.map_or(0, |s| s.line), f.code, f.message))
        .collect()
}

#[test]
fn checks_are_sorted_and_unique() {
    let codes: Vec<Code> = CHECKS.iter().map(|check| check.code).collect();
    let mut sorted = codes.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(codes, sorted);
}

const TIDY: &str = "namespace shop
    namespace ingress
    namespace kube-system
    node n1 172.16.0.1
    deployment ingress/controller app.kubernetes.io/name=ingress-nginx :http=80/tcp
    deployment shop/web app=web :http=8080/tcp
    deployment shop/db app=db :5432/tcp
    deployment kube-system/coredns k8s-app=kube-dns :dns=53/udp :dns-tcp=53/tcp
    service shop/web app=web :80->http/tcp
    service shop/db app=db :5432->5432/tcp
    service ingress/controller app.kubernetes.io/name=ingress-nginx :80->80/tcp !external
    service kube-system/kube-dns k8s-app=kube-dns :53->53/udp :53->53/tcp
    ingress-entry shop/web class=nginx backend=web:80
    policy shop/default-deny
    ingress
    egress
    policy shop/dns
    egress
    rule
    pods ns:kubernetes.io/metadata.name=kube-system k8s-app=kube-dns
    port 53/udp
    port 53/tcp
    policy shop/web app=web
    ingress
    rule
    pods ns:kubernetes.io/metadata.name=ingress app.kubernetes.io/name=ingress-nginx
    port http/tcp
    egress
    rule
    pods app=db
    port 5432/tcp
    rule
    block 203.0.113.0/24
    port 443/tcp
    policy shop/db app=db
    ingress
    rule
    pods app=web
    port 5432/tcp
    policy ingress/controller
    ingress
    rule
    port 80/tcp
    egress
    rule
    pods ns:kubernetes.io/metadata.name=shop app=web
    port 8080/tcp
    policy ingress/dns
    egress
    rule
    pods ns:kubernetes.io/metadata.name=kube-system
    port 53/udp
    port 53/tcp
    policy kube-system/dns
    ingress
    rule
    port 53/udp
    port 53/tcp
    egress
    rule
    block 192.0.2.53/32
    port 53/udp
    port 53/tcp";

/// The stories of other tools' false positives, in one world: external blocks, default-deny without
/// rules, separate policies for each direction, named ports, a controller of another namespace.
#[test]
fn a_tidy_world_has_no_findings() {
    assert_eq!(all(TIDY), Vec::<String>::new());
}

#[test]
fn the_order_of_documents_changes_nothing_and_ignored_codes_are_not_run() {
    let text =
        "deployment shop/web app=web\ndeployment shop/api app=api\npolicy shop/x app=wbe\ningress";
    let program = Program::compile(read(text).snapshot, Assumptions::default());
    let everything = run(&program, &Settings::default());
    assert_eq!(everything, run(&program, &Settings::default()));
    let ignore = everything.iter().map(|finding| finding.code.to_string()).collect();
    assert_eq!(run(&program, &Settings { ignore }), []);
}

/// A dash too many, and a Service's port in a rule: each is one mistake that several checks can see.
#[test]
fn one_mistake_is_not_found_twice() {
    let text = "namespace shop
        namespace edge
        namespace mon
        deployment shop/web app=web
        deployment shop/report app=report
        deployment mon/grafana app=grafana :http=3000/tcp
        deployment edge/nginx app.kubernetes.io/name=ingress-nginx :80/tcp
        service mon/grafana app=grafana :80->http/tcp
        ingress-entry mon/grafana class=nginx backend=grafana:80
        policy mon/grafana
        ingress
        rule
        pods ns:kubernetes.io/metadata.name=shop
        pods app=report
        port 3000/tcp
        rule
        pods ns:kubernetes.io/metadata.name=edge app.kubernetes.io/name=ingress-nginx
        port 80/tcp
        policy edge/nginx
        egress
        rule
        pods ns:kubernetes.io/metadata.name=mon app=grafana
        port 3000/tcp";
    let codes = ["and-or-peers", "port-unserved", "entry-backend-denied"];
    for (code, n) in codes
        .map(|code| (code, 1))
        .into_iter()
        .chain([("half-open", 0), ("peer-matches-nothing", 0)])
    {
        let found = all(text).into_iter().filter(|line| line.contains(&format!(" {code} ")));
        assert_eq!(found.count(), n, "{code}: {:#?}", all(text));
    }
}
