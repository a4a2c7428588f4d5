//! Plans of small manifests, as a line for each thing.

use super::{Assigned, Plan, PlanOptions};
use kube_import::import_text;
use policy_model::{PodOrigin, ServiceKind};
use std::collections::BTreeSet;

fn plan(manifests: &str, options: &PlanOptions) -> Plan {
    plan_again(manifests, options, &Assigned::default())
}

fn plan_again(manifests: &str, options: &PlanOptions, assigned: &Assigned) -> Plan {
    let imported = import_text("input.yaml", manifests);
    assert!(imported.findings.is_empty(), "{:?}", imported.findings);
    Plan::new(imported.snapshot, &imported.replicas, options, assigned)
}

fn text(plan: &Plan) -> String {
    let mut lines = Vec::new();
    for (pod, planned) in plan.snapshot.pods.iter().zip(&plan.pods) {
        assert_eq!(pod.origin, PodOrigin::Live);
        let addresses: Vec<String> = pod.addresses.iter().map(ToString::to_string).collect();
        let listeners: Vec<String> =
            planned.listeners.iter().map(|l| format!("{}/{}", l.port, l.protocol)).collect();
        let node = pod.node.as_deref().unwrap_or("nowhere");
        assert_eq!(plan.nodes[planned.node].name, node);
        lines.push(format!("{pod} on {node} {addresses:?} {listeners:?}").replace('"', ""));
    }
    for (service, planned) in plan.snapshot.services.iter().zip(&plan.services) {
        let addresses = match &service.kind {
            ServiceKind::ClusterIp { addresses } => addresses.as_slice(),
            ServiceKind::Headless | ServiceKind::ExternalName(_) => &[],
        };
        let ports: Vec<String> = planned
            .ports
            .iter()
            .map(|port| {
                let behind = port.endpoints.iter().map(|endpoint| {
                    format!("{}:{}", plan.snapshot.pods[endpoint.pod], endpoint.port)
                });
                format!("{} → {}", port.port, behind.collect::<Vec<_>>().join(" "))
            })
            .collect();
        lines.push(format!("service {service} {addresses:?} {ports:?}").replace('"', ""));
    }
    lines.extend(plan.notes.iter().map(|note| format!("note {note}")));
    lines.join("\n")
}

const DNS: &str = "
{apiVersion: v1, kind: Pod, metadata: {name: dns, namespace: kube-system, labels: {k8s-app: kube-dns}},
 spec: {nodeName: a, hostNetwork: true, containers: [{name: c, ports: [{containerPort: 53, protocol: UDP, name: dns}]}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: kube-dns, namespace: kube-system},
 spec: {clusterIP: 10.0.0.10, selector: {k8s-app: kube-dns}, ports: [{port: 53, protocol: UDP, targetPort: dns}]}}
---
";

#[test]
fn replicas_are_live_pods_that_spread_and_are_capped() {
    let manifests = format!("{DNS}
{{apiVersion: apps/v1, kind: Deployment, metadata: {{name: web, namespace: shop}}, spec: {{replicas: 5,
  template: {{metadata: {{labels: {{app: web}}}}, spec: {{containers: [{{name: c, ports: [{{containerPort: 80}}]}}]}}}}}}}}
---
{{apiVersion: apps/v1, kind: DaemonSet, metadata: {{name: log, namespace: shop}}, spec: {{
  template: {{metadata: {{labels: {{app: log}}}}, spec: {{containers: [{{name: c}}]}}}}}}}}
---
{{apiVersion: apps/v1, kind: Deployment, metadata: {{name: idle, namespace: shop}}, spec: {{replicas: 0,
  template: {{metadata: {{labels: {{app: idle}}}}, spec: {{containers: [{{name: c}}]}}}}}}}}
");
    let options = PlanOptions { nodes: Some(2), ..PlanOptions::default() };
    expect_test::expect![[r#"
        kube-system/dns on a [172.18.0.2, fd00:172:18::2] [53/UDP]
        shop/log-0 on a [10.244.0.2, fd00:10:244::2] []
        shop/log-1 on node-1 [10.244.1.2, fd00:10:244:1::2] []
        shop/web-0 on node-1 [10.244.1.3, fd00:10:244:1::3] [80/TCP]
        shop/web-1 on node-1 [10.244.1.4, fd00:10:244:1::4] [80/TCP]
        service kube-system/kube-dns [10.0.0.10] [53 → kube-system/dns:53]
        note shop/idle: scaled to no replicas
        note shop/web: 2 of 5 replicas"#]]
    .assert_eq(&text(&plan(&manifests, &options)));
}

#[test]
fn what_the_input_says_stays() {
    let manifests = format!("{DNS}
{{apiVersion: v1, kind: Node, metadata: {{name: a}}, status: {{addresses: [{{type: InternalIP, address: 10.1.0.1}}]}}}}
---
{{apiVersion: v1, kind: Pod, metadata: {{name: old, namespace: shop}}, spec: {{nodeName: a, containers: [{{name: c}}]}},
  status: {{podIP: 10.244.0.2}}}}
---
{{apiVersion: v1, kind: Pod, metadata: {{name: new, namespace: shop, labels: {{app: new}}}},
  spec: {{nodeName: a, containers: [{{name: c}}]}}}}
---
{{apiVersion: v1, kind: Service, metadata: {{name: new, namespace: shop}},
  spec: {{selector: {{app: new}}, ports: [{{port: 80, targetPort: 8080}}]}}}}
");
    expect_test::expect![[r#"
        kube-system/dns on a [10.1.0.1, fd00:172:18::2] [53/UDP]
        shop/new on a [10.244.0.3, fd00:10:244::3] [8080/TCP]
        shop/old on a [10.244.0.2] []
        service kube-system/kube-dns [10.0.0.10] [53 → kube-system/dns:53]
        service shop/new [10.96.0.11, fd00:10:96::b] [80 → shop/new:8080]"#]]
    .assert_eq(&text(&plan(&manifests, &PlanOptions::default())));
}

#[test]
fn dns_is_added_where_there_is_none() {
    let manifests = "{apiVersion: v1, kind: Namespace, metadata: {name: shop}}";
    let plan = plan(manifests, &PlanOptions::default());
    expect_test::expect![[r#"
        kube-system/coredns-0 on node-1 [10.244.0.2, fd00:10:244::2] [53/TCP, 53/UDP]
        service kube-system/kube-dns [10.96.0.10] [53 → kube-system/coredns-0:53, 53 → kube-system/coredns-0:53]
        note added DNS: Service kube-system/kube-dns at 10.96.0.10"#]]
    .assert_eq(&text(&plan));
    assert_eq!(plan.dns.endpoints.len(), 2);
}

#[test]
fn a_peer_outside_listens_on_what_policies_name_for_it() {
    let manifests = format!("{DNS}
{{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {{name: out, namespace: shop}}, spec: {{podSelector: {{}},
  policyTypes: [Egress], egress: [
  {{to: [{{ipBlock: {{cidr: 203.0.113.0/24, except: [203.0.113.64/26]}}}}], ports: [{{port: 443}}, {{port: 8000, endPort: 8010}}]}},
  {{to: [{{ipBlock: {{cidr: 198.51.100.0/24}}}}], ports: [{{port: 25}}]}}]}}}}
");
    let external = ["203.0.113.9", "203.0.113.65"].map(|address| address.parse().unwrap());
    let options = PlanOptions { external: external.to_vec(), ..PlanOptions::default() };
    let ports = plan(&manifests, &options)
        .external
        .into_iter()
        .map(|peer| peer.listeners.iter().map(|listener| listener.port).collect::<Vec<_>>());
    assert_eq!(ports.collect::<Vec<_>>(), [vec![443, 8000, 8010], vec![]]);
}

/// Pods and Services that come and go move nothing that stays, and no link's number is used again.
#[test]
fn what_was_given_away_stays() {
    let pod = |name: &str| {
        format!(
            "{{apiVersion: v1, kind: Pod, metadata: {{name: {name}, namespace: default}}}}\n---\n"
        )
    };
    let service = |name: &str| {
        format!(
            "{{apiVersion: v1, kind: Service, metadata: {{name: {name}, namespace: default}}, \
             spec: {{selector: {{a: b}}, ports: [{{port: 80}}]}}}}\n---\n"
        )
    };
    let options = PlanOptions { nodes: Some(2), ..PlanOptions::default() };
    let first = plan(&[pod("b"), pod("d"), service("v")].concat(), &options);
    let assigned = Assigned::of(&first);
    let more = [pod("a"), pod("c"), pod("d"), service("x"), service("v")].concat();
    let second = plan_again(&more, &options, &assigned);
    let of = |plan: &Plan, name: &str| {
        let at = plan.snapshot.pods.iter().position(|pod| pod.name == name).unwrap();
        (plan.pods[at].node, plan.pods[at].link, plan.snapshot.pods[at].addresses.clone())
    };
    assert_eq!(of(&first, "d"), of(&second, "d"));
    let links: BTreeSet<u32> =
        first.pods.iter().chain(&second.pods).filter_map(|pod| pod.link).collect();
    assert_eq!(links.len(), first.pods.len() + second.pods.len() - 2, "d and DNS are in both");
    let y = |plan: &Plan| plan.snapshot.services.iter().find(|of| of.name == "v").cloned().unwrap();
    assert_eq!(y(&first).kind, y(&second).kind);

    let stopped = ["default/c".to_owned()].into();
    let third = plan_again(&more, &PlanOptions { stopped, ..options }, &Assigned::of(&second));
    assert_eq!(third.pods.len(), second.pods.len() - 1);
    assert_eq!(of(&second, "a"), of(&third, "a"));
}

#[test]
fn an_address_is_not_used_again_while_others_are_free() {
    let pod = |name: &str| {
        format!(
            "{{apiVersion: v1, kind: Pod, metadata: {{name: {name}}}, spec: {{containers: [{{name: c}}]}}}}\n"
        )
    };
    let options = PlanOptions::default();
    let mut assigned = Assigned::default();
    let mut seen = BTreeSet::new();
    // The DNS server of the lab has the first one.
    for turn in 0..252 {
        let plan = plan_again(&(DNS.to_owned() + &pod(&format!("p{turn}"))), &options, &assigned);
        let pods = plan.snapshot.pods.iter().filter(|pod| !pod.host_network);
        seen.extend(pods.flat_map(|pod| pod.addresses.clone()));
        assigned = Assigned::of(&plan);
    }
    assert_eq!(seen.len(), 2 * 252);
    let plan =
        plan_again(&(DNS.to_owned() + &pod("late") + "---\n" + &pod("later")), &options, &assigned);
    assert_eq!(plan.snapshot.pods[0].addresses[0].to_string(), "10.244.0.254");
    assert_eq!(plan.snapshot.pods[1].addresses[0].to_string(), "10.244.0.2", "all were used");
}

#[test]
fn an_address_that_two_things_have_is_told_with_both() {
    let pod = |name: &str, address: &str| {
        format!(
            "{{apiVersion: v1, kind: Pod, metadata: {{name: {name}, namespace: shop}}, \
             spec: {{nodeName: a, containers: [{{name: c}}]}}, status: {{podIP: {address}}}}}\n---\n"
        )
    };
    let clash = |manifests: &str, external: &[&str]| {
        let external = external.iter().map(|address| address.parse().unwrap()).collect();
        let options = PlanOptions { external, ..PlanOptions::default() };
        plan(&format!("{DNS}{manifests}"), &options).clash().unwrap_or_default()
    };
    let one = pod("one", "10.1.1.5");
    let two = clash(&(one.clone() + &pod("two", "10.1.1.5")), &[]);
    assert!(
        two.starts_with("the pod shop/one and the pod shop/two both have 10.1.1.5: give"),
        "{two}"
    );
    assert_eq!(clash(&(one.clone() + &pod("two", "10.1.1.6")), &["203.0.113.9"]), "");
    let outside = clash(&one, &["10.1.1.5"]);
    assert!(outside.contains("outside 10.1.1.5 has the address of the pod shop/one"), "{outside}");
    let next = "{apiVersion: v1, kind: Pod, metadata: {name: new, namespace: shop}, spec: {nodeName: a, \
                containers: [{name: c}]}}";
    let would = clash(next, &["10.244.0.2"]);
    assert!(would.contains("outside 10.244.0.2 has an address that the lab gives"), "{would}");
    let service = clash(&pod("thief", "10.0.0.10"), &[]);
    assert!(
        service.starts_with("the Service kube-system/kube-dns and the pod shop/thief"),
        "{service}"
    );
}
