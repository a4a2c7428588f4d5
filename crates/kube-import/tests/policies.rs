//! What right policies come to.

use expect_test::{Expect, expect};
use kube_import::import_text;
use policy_model::{
    Action, Direction, NamespaceScope, PeerMatch, Peers, Policy, PortMatch, Ports, Tier,
};

#[expect(clippy::unwrap_used, reason = "a fixture without a policy is a broken test")]
fn policy(text: &str) -> Policy {
    let imported = import_text("a.yaml", text);
    assert_eq!(imported.findings, []);
    imported.snapshot.policies.into_values().next().unwrap()
}

fn rules(policy: &Policy, direction: Direction) -> String {
    let Some(rules) = policy.rules(direction) else { return "no word".to_owned() };
    let rule_text = |rule: &policy_model::Rule| {
        let peers = match &rule.peers {
            Peers::Any => "any".to_owned(),
            Peers::Listed(peers) => {
                peers.iter().map(|peer| peer_text(&peer.matches)).collect::<Vec<_>>().join(" or ")
            }
        };
        let ports = match &rule.ports {
            Ports::All => "all".to_owned(),
            Ports::Listed(ports) => {
                ports.iter().map(|port| port_text(&port.matches)).collect::<Vec<_>>().join(" or ")
            }
        };
        let line = rule.span.map_or(0, |span| span.line);
        let name = rule.name.as_deref().unwrap_or("-");
        format!("{name} {} {peers}; {ports}; line {line}\n", rule.action)
    };
    rules.iter().map(rule_text).collect()
}

fn peer_text(peer: &PeerMatch) -> String {
    match peer {
        PeerMatch::Pods { namespaces, pods } => match namespaces {
            NamespaceScope::Own(name) => format!("pods {pods} of {name}"),
            NamespaceScope::Selected(selector) => format!("pods {pods} where {selector}"),
        },
        PeerMatch::Networks(networks) => networks
            .iter()
            .map(|network| format!("{} but {:?}", network.block, network.except))
            .collect(),
        PeerMatch::Nodes(selector) => format!("nodes {selector}"),
        PeerMatch::DomainNames(names) => names.join(","),
        PeerMatch::Unknown => "unknown".to_owned(),
    }
}

fn port_text(port: &PortMatch) -> String {
    match port {
        PortMatch::Numbers { protocol, range } => format!("{range}/{protocol}"),
        PortMatch::Named { protocol: Some(protocol), name } => format!("{name}/{protocol}"),
        PortMatch::Named { protocol: None, name } => name.clone(),
    }
}

fn network_policy(spec: &str) -> Policy {
    policy(&format!(
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: p, namespace: s}}\nspec: {spec}\n"
    ))
}

#[expect(clippy::needless_pass_by_value, reason = "what `expect!` gives")]
fn check_rules(policy: &Policy, direction: Direction, expected: Expect) {
    expected.assert_eq(&rules(policy, direction));
}

#[test]
fn policy_types_missing_means_ingress_and_egress_where_there_is_an_egress_section() {
    let covers = |spec: &str| {
        let policy = network_policy(spec);
        (policy.ingress.is_some(), policy.egress.is_some())
    };
    assert_eq!(covers("{}"), (true, false));
    assert_eq!(covers("{policyTypes: []}"), (true, false));
    assert_eq!(covers("{egress: []}"), (true, true));
    assert_eq!(covers("{egress: null}"), (true, false));
    assert_eq!(covers("{egress: [{}]}"), (true, true));
    assert_eq!(covers("{policyTypes: [Egress]}"), (false, true));
    assert_eq!(covers("{policyTypes: [Ingress], ingress: [{}]}"), (true, false));
    assert_eq!(covers("{policyTypes: [Ingress, Egress]}"), (true, true));
}

#[test]
fn a_policy_without_a_pod_selector_selects_its_namespace() {
    let subject = network_policy("{}").subject;
    assert!(subject.pods.is_everything());
    assert_eq!(subject.namespaces, NamespaceScope::Own("s".to_owned()));
}

#[test]
fn network_policy_peers_and_ports() {
    let policy = network_policy(NETWORK_POLICY_SPEC);
    check_rules(
        &policy,
        Direction::Ingress,
        expect![[r#"
        - Accept any; all; line 7
        - Accept any; all; line 8
        - Accept pods all of s or pods all where all or pods a notin (v,x),b,!c,d=z where team=a or 10.0.0.0/8 but [10.1.0.0/16] or fd00::/8 but []; 80/TCP or 1-65535/UDP or 8000-8099/SCTP or http/TCP or 9/TCP; line 10
    "#]],
    );
    assert_eq!((policy.tier, policy.priority), (Tier::NetworkPolicy, 0));
}

const NETWORK_POLICY_SPEC: &str = "
  podSelector: {matchLabels: {app: web}}
  ingress:
    - {}
    - from: []
      ports: []
    - from:
        - podSelector: {}
        - namespaceSelector: {}
        - namespaceSelector: {matchLabels: {team: a}}
          podSelector:
            matchExpressions:
              - {key: a, operator: NotIn, values: [x, v]}
              - {key: b, operator: Exists}
              - {key: c, operator: DoesNotExist}
              - {key: d, operator: In, values: [z]}
        - ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16]}
        - ipBlock: {cidr: 'fd00::/8'}
      ports:
        - port: 80
        - {protocol: UDP}
        - {port: 8000, endPort: 8099, protocol: SCTP}
        - {port: http}
        - {port: 9, endPort: 9}";

#[test]
fn cluster_network_policy() {
    let policy = policy(CLUSTER_NETWORK_POLICY);
    check_rules(
        &policy,
        Direction::Egress,
        expect![[r#"
        dns Accept pods all where team=a or pods all where x=v; 53/UDP or 1-65535/TCP or 1/SCTP or dns; line 11
        - Accept *.example.com,a.b; all; line 21
        - Pass nodes all; all; line 23
        - Deny 10.0.0.0/8 but []::/0 but []; all; line 25
    "#]],
    );
    check_rules(&policy, Direction::Ingress, expect!["no word"]);
    assert_eq!((policy.tier, policy.priority), (Tier::Baseline, 1000));
    assert_eq!(policy.subject.pods.to_string(), "app=a");
}

const CLUSTER_NETWORK_POLICY: &str = "
apiVersion: policy.networking.k8s.io/v1alpha2
kind: ClusterNetworkPolicy
metadata: {name: base}
spec:
  tier: Baseline
  priority: 1000
  subject: {pods: {podSelector: {matchLabels: {app: a}}}}
  ingress: []
  egress:
    - name: dns
      action: Accept
      to:
        - namespaces: {matchLabels: {team: a}}
        - pods: {namespaceSelector: {matchLabels: {x: v}}, podSelector: {}}
      protocols:
        - udp: {destinationPort: {number: 53}}
        - tcp: {destinationPort: {range: {start: 1, end: 65535}}}
        - sctp: {destinationPort: {number: 1}}
        - destinationNamedPort: dns
    - action: Accept
      to: [{domainNames: ['*.Example.com.', a.b]}]
    - action: Pass
      to: [{nodes: {}}]
    - action: Deny
      to: [{networks: [10.0.0.0/8, '::/0']}]
";

/// In JSON, as the API server prints it.
fn v1alpha1(kind: &str, name: &str, priority: &str) -> String {
    format!(
        r#"{{"apiVersion": "policy.networking.k8s.io/v1alpha1", "kind": "{kind}",
  "metadata": {{"name": "{name}", "uid": "u", "managedFields": [{{"x": 1, "x": 2}}]}},
  "spec": {{{priority} "subject": {{"namespaces": {{"matchLabels": {{"a": "b"}}}}}},
    "ingress": [{{"action": "Allow",
      "from": [{{"namespaces": {{}}}}, {{"pods": {{"namespaceSelector": {{}}, "podSelector": {{}}}}}}],
      "ports": [
        {{"portNumber": {{"protocol": "UDP", "port": 53}}}}, {{"portNumber": {{"port": 80}}}},
        {{"portRange": {{"start": 1, "end": 9}}}}, {{"namedPort": "web"}}]}}],
    "egress": [{{"action": "Deny", "to": [{{"networks": ["10.0.0.0/8"]}}, {{"nodes": {{}}}}]}}]}}}}"#
    )
}

#[test]
fn admin_network_policies_of_v1alpha1() {
    let admin = policy(&v1alpha1("AdminNetworkPolicy", "a", r#""priority": 7,"#));
    check_rules(
        &admin,
        Direction::Ingress,
        expect![[r#"
        - Accept pods all where all or pods all where all; 53/UDP or 80/TCP or 1-9/TCP or web; line 4
    "#]],
    );
    check_rules(
        &admin,
        Direction::Egress,
        expect![[r#"
        - Deny 10.0.0.0/8 but [] or nodes all; all; line 9
    "#]],
    );
    assert_eq!((admin.tier, admin.priority), (Tier::Admin, 7));
    let baseline = policy(&v1alpha1("BaselineAdminNetworkPolicy", "default", ""));
    assert_eq!((baseline.tier, baseline.priority), (Tier::Baseline, 0));
    assert_eq!(baseline.egress.map(|rules| rules[0].action), Some(Action::Deny));
}
