//! What manifests look like.

use expect_test::{Expect, expect};
use net_types::Protocol;
use policy_model::{
    Action, ContainerPort, Direction, Network, PeerMatch, Pod, PodOrigin, PolicyKind, Ports, Rule,
    Snapshot, Tier, WorkloadKind,
};
use policy_oracle::worlds::objects::{
    accept, cluster_policy, named_port, namespace, network_policy, node, pod, pods, port, rule,
};
use policy_oracle::worlds::{put_namespace, put_node, put_pod};
use std::net::IpAddr;

#[expect(clippy::needless_pass_by_value, reason = "an expectation is written where it is checked")]
fn check(text: &str, expected: Expect) {
    expected.assert_eq(text);
}

#[test]
fn a_pod_on_its_node() {
    let mut snapshot = Snapshot::default();
    put_namespace(&mut snapshot, namespace("y", &[]));
    put_node(&mut snapshot, node("n1", &[("zone", "1")], &[IpAddr::from([172, 18, 0, 1])]));
    let port = |protocol, port| ContainerPort { name: Some("dns".to_owned()), protocol, port };
    let mut live = Pod {
        addresses: vec![IpAddr::from([10, 0, 0, 1])],
        host_network: true,
        node: Some("n1".to_owned()),
        ports: vec![port(Protocol::Udp, 53), port(Protocol::Tcp, 53)],
        ..pod("y", "db-0", &[("app", "db")])
    };
    live.workload.kind = WorkloadKind::StatefulSet;
    live.workload.name = "db".to_owned();
    put_pod(&mut snapshot, live);
    check(
        &kube_render::manifest(&snapshot),
        expect![[r#"
        apiVersion: v1
        kind: Namespace
        metadata:
          name: "y"
          labels:
            kubernetes.io/metadata.name: "y"
        ---
        apiVersion: v1
        kind: Node
        metadata:
          name: n1
          labels:
            zone: "1"
        status:
          addresses:
            - type: InternalIP
              address: "172.18.0.1"
        ---
        apiVersion: v1
        kind: Pod
        metadata:
          name: db-0
          namespace: "y"
          labels:
            app: db
          ownerReferences:
            - apiVersion: apps/v1
              kind: StatefulSet
              name: db
              controller: true
        spec:
          hostNetwork: true
          nodeName: n1
          containers:
            - name: c0
              image: image
              ports:
                - name: dns
                  containerPort: 53
                  protocol: UDP
            - name: c1
              image: image
              ports:
                - name: dns
                  containerPort: 53
                  protocol: TCP
        status:
          podIP: "10.0.0.1"
          podIPs:
            - ip: "10.0.0.1"
    "#]],
    );
}

#[test]
fn a_template_is_its_workload() {
    let mut snapshot = Snapshot::default();
    let mut template = Pod { origin: PodOrigin::Template, ..pod("y", "web", &[("app", "web")]) };
    template.workload.kind = WorkloadKind::Deployment;
    put_pod(&mut snapshot, template);
    check(
        &kube_render::manifest(&snapshot),
        expect![[r#"
            apiVersion: v1
            kind: Namespace
            metadata:
              name: "y"
              labels:
                kubernetes.io/metadata.name: "y"
            ---
            apiVersion: apps/v1
            kind: Deployment
            metadata:
              name: web
              namespace: "y"
            spec:
              selector:
                matchLabels:
                  app: web
              template:
                metadata:
                  labels:
                    app: web
                spec:
                  containers:
                    - name: c0
                      image: image
        "#]],
    );
}

#[test]
fn a_network_policy() {
    let block = Network {
        block: "10.0.0.0/8".parse().unwrap(),
        except: vec!["10.1.0.0/16".parse().unwrap()],
    };
    let mut first = accept(vec![pods(&[("app", "web")]), PeerMatch::Networks(vec![block])]);
    let ports = [port(Protocol::Tcp, 80), Some(named_port(Some(Protocol::Udp), "dns"))];
    first.ports = Ports::Listed(ports.into_iter().flatten().collect());
    let mut policy = network_policy("shop", "web", Direction::Ingress, vec![first, accept(vec![])]);
    policy.egress = Some(vec![]);
    check(
        &kube_render::policy(&policy),
        expect![[r#"
        apiVersion: networking.k8s.io/v1
        kind: NetworkPolicy
        metadata:
          name: web
          namespace: shop
        spec:
          podSelector: {}
          policyTypes:
            - Ingress
            - Egress
          ingress:
            - from:
                - namespaceSelector: {}
                  podSelector:
                    matchLabels:
                      app: web
                - ipBlock:
                    cidr: 10.0.0.0/8
                    except:
                      - 10.1.0.0/16
              ports:
                - protocol: TCP
                  port: 80
                - protocol: UDP
                  port: dns
            - {}
          egress: []
    "#]],
    );
}

#[test]
fn a_cluster_network_policy() {
    let names = PeerMatch::DomainNames(vec!["*.example.com".to_owned()]);
    let rules = vec![accept(vec![names, PeerMatch::Unknown]), rule(Action::Pass, vec![pods(&[])])];
    let policy = cluster_policy(Tier::Baseline, ("base", 5), Direction::Egress, rules);
    check(
        &kube_render::policy(&policy),
        expect![[r#"
        apiVersion: policy.networking.k8s.io/v1alpha2
        kind: ClusterNetworkPolicy
        metadata:
          name: base
        spec:
          tier: Baseline
          priority: 5
          subject:
            namespaces: {}
          egress:
            - action: Accept
              to:
                - domainNames:
                    - "*.example.com"
                - unknownPeer: {}
            - action: Pass
              to:
                - namespaces: {}
    "#]],
    );
}

#[test]
fn a_rule_in_the_words_of_its_api() {
    // An expectation loses the indentation that all its lines share, hence the line at the margin.
    let ports = Ports::Listed(port(Protocol::Tcp, 80).into_iter().collect());
    let web = Rule { ports, ..accept(vec![pods(&[("app", "web")])]) };
    let text = [
        PolicyKind::NetworkPolicy,
        PolicyKind::ClusterNetworkPolicy,
        PolicyKind::AdminNetworkPolicy,
    ]
    .map(|kind| kube_render::rule(kind, Direction::Egress, &web, 4));
    check(
        &format!("ingress:\n{}", text.concat()),
        expect![[r#"
            ingress:
                - to:
                    - namespaceSelector: {}
                      podSelector:
                        matchLabels:
                          app: web
                  ports:
                    - protocol: TCP
                      port: 80
                - action: Accept
                  to:
                    - pods:
                        namespaceSelector: {}
                        podSelector:
                          matchLabels:
                            app: web
                  protocols:
                    - tcp:
                        destinationPort:
                          number: 80
                - action: Allow
                  to:
                    - pods:
                        namespaceSelector: {}
                        podSelector:
                          matchLabels:
                            app: web
                  ports:
                    - portNumber:
                        protocol: TCP
                        port: 80
        "#]],
    );
}
