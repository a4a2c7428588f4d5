//! What a person reads, from a manifest to the last line.

use super::*;
use clap::Parser as _;
use expect_test::{Expect, expect, expect_file};

#[derive(clap::Parser)]
struct Line {
    #[command(flatten)]
    args: ExplainArgs,
}

fn explained(manifest: &str, line: &str) -> (Outcome, String) {
    let words = ["explain", "-"].into_iter().chain(line.split(' '));
    let args = Line::try_parse_from(words).unwrap().args;
    let imported = kube_import::import_text("shop.yaml", manifest);
    assert!(!imported.has_errors(), "{:?}", imported.findings);
    let mut out = Vec::new();
    let outcome = explain(&args, &imported, Palette::Plain, &mut out).unwrap();
    (outcome, String::from_utf8(out).unwrap())
}

fn check(manifest: &str, line: &str, outcome: Outcome, expected: &Expect) {
    let (found, text) = explained(manifest, line);
    let text = text.rsplit_once("\nprofile ").unwrap().0;
    expected.assert_eq(text);
    assert_eq!(found, outcome);
}

const SHOP: &str = r#"
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web, tier: mid, pod-template-hash: x1}}
spec: {containers: [{name: a, image: a}]}
---
apiVersion: v1
kind: Pod
metadata: {name: db, namespace: pay, labels: {app.kubernetes.io/name: db}}
spec: {containers: [{name: a, image: a, ports: [{name: sql, containerPort: 5432}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: db, namespace: pay}
spec: {selector: {app.kubernetes.io/name: db}, ports: [{port: 80, targetPort: sql}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db, namespace: pay}
spec:
  podSelector: {matchLabels: {app.kubernetes.io/name: db}}
  ingress:
    - from:
        - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: shop}}
          podSelector: {matchLabels: {tier: front}}
      ports: [{port: sql}]
"#;

#[test]
fn a_denial_names_the_label_and_the_rule_to_add() {
    check(
        SHOP,
        "--from shop/web --to pay/db --port 5432",
        Outcome::No,
        &expect![[r#"
        shop/web → pay/db 5432/tcp: denied
          egress [Default] allowed: no policy applies
          ingress [NetworkPolicy] denied by default (pay/db)

        ingress of pay/db (Pod, app.kubernetes.io/name=db)
          NetworkPolicy: denied by default, because no rule matches
            no rule matches in one policy: pay/db

        nearly allowed it (ingress)
            NetworkPolicy pay/db ingress[0]
                from pods tier=front in namespace shop · ports sql/tcp
                shop.yaml:23:7
                but: subject and port match, label `tier` differs: has `mid`, the rule wants `front`

        fix: add this rule at the end of `spec.ingress` of NetworkPolicy pay/db
            shop.yaml:17:1
            - from:
                - namespaceSelector:
                    matchLabels:
                      kubernetes.io/metadata.name: shop
                  podSelector:
                    matchLabels:
                      app: web
              ports:
                - protocol: TCP
                  port: 5432
          opens nothing else
    "#]],
    );
}

#[test]
fn a_service_shows_where_its_port_leads() {
    check(
        SHOP,
        "--from shop/web --to service/pay/db --port 80",
        Outcome::No,
        &expect![[r#"
        through Service pay/db: 80/tcp → targetPort sql → 1 endpoint: pay/db:5432

        shop/web → pay/db 5432/tcp: denied
          egress [Default] allowed: no policy applies
          ingress [NetworkPolicy] denied by default (pay/db)

        ingress of pay/db (Pod, app.kubernetes.io/name=db)
          NetworkPolicy: denied by default, because no rule matches
            no rule matches in one policy: pay/db

        nearly allowed it (ingress)
            NetworkPolicy pay/db ingress[0]
                from pods tier=front in namespace shop · ports sql/tcp
                shop.yaml:23:7
                but: subject and port match, label `tier` differs: has `mid`, the rule wants `front`

        fix: add this rule at the end of `spec.ingress` of NetworkPolicy pay/db
            shop.yaml:17:1
            - from:
                - namespaceSelector:
                    matchLabels:
                      kubernetes.io/metadata.name: shop
                  podSelector:
                    matchLabels:
                      app: web
              ports:
                - protocol: TCP
                  port: 5432
          opens nothing else
    "#]],
    );
}

#[test]
fn asking_for_the_port_of_a_service_at_its_pod_gives_a_hint() {
    check(
        SHOP,
        "--from shop/web --to pay/db --port 80",
        Outcome::No,
        &expect![[r#"
        shop/web → pay/db 80/tcp: denied
          egress [Default] allowed: no policy applies
          ingress [NetworkPolicy] denied by default (pay/db)
          note: 80 is the port of Service pay/db; the pod listens on 5432: ask for 5432, or for service/pay/db 80

        ingress of pay/db (Pod, app.kubernetes.io/name=db)
          NetworkPolicy: denied by default, because no rule matches
            no rule matches in one policy: pay/db

        nearly allowed it (ingress)
            NetworkPolicy pay/db ingress[0]
                from pods tier=front in namespace shop · ports sql/tcp
                shop.yaml:23:7
                but: subject matches, label `tier` differs: has `mid`, the rule wants `front`; port differs: `sql` is 5432/tcp there, 80/tcp is asked

        fix: add this rule at the end of `spec.ingress` of NetworkPolicy pay/db
            shop.yaml:17:1
            - from:
                - namespaceSelector:
                    matchLabels:
                      kubernetes.io/metadata.name: shop
                  podSelector:
                    matchLabels:
                      app: web
              ports:
                - protocol: TCP
                  port: 80
          opens nothing else
    "#]],
    );
}

#[test]
fn without_a_port_each_answer_names_its_ports() {
    let manifest = SHOP.replace("tier: front", "tier: mid");
    check(
        &manifest,
        "--from shop/web --to pay/db",
        Outcome::No,
        &expect![[r#"
            shop/web → pay/db: 2 different answers
              denied     1 pair, 1-5431,5433-65535/tcp, all/udp, all/sctp, such as shop/web → pay/db 1/tcp
              allowed    1 pair, 5432/tcp, such as shop/web → pay/db 5432/tcp

            shop/web → pay/db 1/tcp: denied
              egress [Default] allowed: no policy applies
              ingress [NetworkPolicy] denied by default (pay/db)

            ingress of pay/db (Pod, app.kubernetes.io/name=db)
              NetworkPolicy: denied by default, because no rule matches
                no rule matches in one policy: pay/db

            nearly allowed it (ingress)
                NetworkPolicy pay/db ingress[0]
                    from pods tier=mid in namespace shop · ports sql/tcp
                    shop.yaml:23:7
                    but: subject and peer match, port differs: `sql` is 5432/tcp there, 1/tcp is asked

            fix: name a port with --port to get one

            shop/web → pay/db 5432/tcp: allowed
              egress [Default] allowed: no policy applies
              ingress [NetworkPolicy] allowed (pay/db ingress[0])

            ingress of pay/db (Pod, app.kubernetes.io/name=db)
              NetworkPolicy: allowed
                ▶ NetworkPolicy pay/db ingress[0]
                    from pods tier=mid in namespace shop · ports sql/tcp
                    shop.yaml:23:7
        "#]],
    );
}

const TIERS: &str = r#"
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
spec: {containers: [{name: a, image: a}]}
---
apiVersion: v1
kind: Pod
metadata: {name: api, namespace: shop, labels: {app: api}}
spec: {containers: [{name: a, image: a}]}
---
apiVersion: policy.networking.k8s.io/v1alpha2
kind: ClusterNetworkPolicy
metadata: {name: guard}
spec:
  tier: Admin
  priority: 10
  subject: {namespaces: {}}
  ingress:
    - {name: web-first, action: Pass, from: [{pods: {namespaceSelector: {}, podSelector: {matchLabels: {app: web}}}}]}
    - {name: nobody, action: Deny, from: [{namespaces: {}}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: default-deny, namespace: shop}
spec: {podSelector: {}, policyTypes: [Ingress]}
"#;

#[test]
fn a_pass_leads_on_to_the_next_tier() {
    check(
        TIERS,
        "--from shop/web --to shop/api --port 80",
        Outcome::No,
        &expect![[r#"
        shop/web → shop/api 80/tcp: denied
          egress [Default] allowed: no policy applies
          ingress [Admin] Pass (guard ingress[0]) → [NetworkPolicy] denied by default (shop/default-deny)

        ingress of shop/api (Pod, app=api)
          Admin: passes on to the next tier
            ▶ ClusterNetworkPolicy guard ingress[0] Pass
                `web-first`: from pods app=web in all namespaces · all ports
                shop.yaml:20:7
              ClusterNetworkPolicy guard ingress[1] Deny  (matches too)
                `nobody`: from all pods in all namespaces · all ports
                shop.yaml:21:7
          NetworkPolicy: denied by default, because no rule matches
            no rule matches in one policy: shop/default-deny

        fix: add this NetworkPolicy for ingress
            apiVersion: networking.k8s.io/v1
            kind: NetworkPolicy
            metadata:
              name: allow-api-from-web-80-tcp
              namespace: shop
            spec:
              podSelector:
                matchLabels:
                  app: api
              policyTypes:
                - Ingress
              ingress:
                - from:
                    - podSelector:
                        matchLabels:
                          app: web
                  ports:
                    - protocol: TCP
                      port: 80
          opens nothing else
    "#]],
    );
}

#[test]
fn an_admin_denial_is_overruled_in_front_of_it() {
    check(
        TIERS,
        "--from shop/api --to shop/web --port 80",
        Outcome::No,
        &expect![[r#"
        shop/api → shop/web 80/tcp: denied
          egress [Default] allowed: no policy applies
          ingress [Admin] denied (guard ingress[1])

        ingress of shop/web (Pod, app=web)
          Admin: denied
            ▶ ClusterNetworkPolicy guard ingress[1] Deny
                `nobody`: from all pods in all namespaces · all ports
                shop.yaml:21:7
          NetworkPolicy: not asked, a tier before it decides

        fix: add this ClusterNetworkPolicy for ingress
            apiVersion: policy.networking.k8s.io/v1alpha2
            kind: ClusterNetworkPolicy
            metadata:
              name: allow-web-from-api-80-tcp
            spec:
              tier: Admin
              priority: 9
              subject:
                pods:
                  namespaceSelector:
                    matchLabels:
                      kubernetes.io/metadata.name: shop
                  podSelector:
                    matchLabels:
                      app: web
              ingress:
                - name: web-from-api-80-tcp
                  action: Accept
                  from:
                    - pods:
                        namespaceSelector:
                          matchLabels:
                            kubernetes.io/metadata.name: shop
                        podSelector:
                          matchLabels:
                            app: api
                  protocols:
                    - tcp:
                        destinationPort:
                          number: 80
          opens nothing else
    "#]],
    );
}

const LOOSE_ENDS: &str = r#"
apiVersion: v1
kind: Pod
metadata: {name: a, namespace: shop, labels: {app: same}}
spec: {containers: [{name: a, image: a}]}
---
apiVersion: v1
kind: Pod
metadata: {name: b, namespace: shop, labels: {app: same}}
spec: {containers: [{name: a, image: a}]}
---
apiVersion: v1
kind: Pod
metadata: {name: agent, namespace: shop, labels: {app: agent}}
spec: {hostNetwork: true, containers: [{name: a, image: a}]}
---
apiVersion: v1
kind: Service
metadata: {name: lost, namespace: shop}
spec: {selector: {app: sane}, ports: [{port: 80}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: agents-only, namespace: shop}
spec:
  podSelector: {}
  ingress: [{from: [{podSelector: {matchLabels: {app: agent}}}]}]
"#;

#[test]
fn what_no_label_tells_apart_is_said() {
    check(
        LOOSE_ENDS,
        "--from shop/b --to shop/a --port 80",
        Outcome::No,
        &expect![[r#"
        shop/b → shop/a 80/tcp: denied
          egress [Default] allowed: no policy applies
          ingress [NetworkPolicy] denied by default (shop/agents-only)

        ingress of shop/a (Pod, app=same)
          NetworkPolicy: denied by default, because no rule matches
            no rule matches in one policy: shop/agents-only

        nearly allowed it (ingress)
            NetworkPolicy shop/agents-only ingress[0]
                from pods app=agent in namespace shop · all ports
                shop.yaml:27:13
                but: subject and port match, label `app` differs: has `same`, the rule wants `agent`

        fix: add this NetworkPolicy for ingress
            apiVersion: networking.k8s.io/v1
            kind: NetworkPolicy
            metadata:
              name: allow-a-from-b-80-tcp
              namespace: shop
            spec:
              podSelector:
                matchLabels:
                  app: same
              policyTypes:
                - Ingress
              ingress:
                - from:
                    - podSelector:
                        matchLabels:
                          app: same
                  ports:
                    - protocol: TCP
                      port: 80
          note: no stable label tells shop/a from shop/b: give it one of its own to be exact
          note: no stable label tells shop/b from shop/a: give it one of its own to be exact
          also opens shop/a → shop/b 80/tcp
    "#]],
    );
}

#[test]
fn an_undefined_answer_lists_its_readings() {
    check(
        LOOSE_ENDS,
        "--from shop/agent --to shop/a --port 80",
        Outcome::No,
        &expect![[r#"
        shop/agent → shop/a 80/tcp: undefined
          egress [Default] allowed: no policy applies
          ingress undefined (host-network, node-locality); in the first reading [NetworkPolicy] denied by default (shop/agents-only)

        ingress of shop/a (Pod, app=same)
          NetworkPolicy: denied by default, because no rule matches
              NetworkPolicy shop/agents-only ingress[0]  (matches too)
                from pods app=agent in namespace shop · all ports
                shop.yaml:27:13
          undefined (host-network): the API does not say how NetworkPolicy treats host-network pods
            if a host-network pod is only its node: undefined
            if a host-network pod is a pod like any other: allowed
          undefined (node-locality): it depends on whether the node is the pod's own
            if it is the pod's own node: allowed
            if it is another node: undefined

        fix: no policy for these ends surely allows it under this profile
    "#]],
    );
}

#[test]
fn a_service_without_endpoints_leads_nowhere() {
    check(
        LOOSE_ENDS,
        "--from shop/b --to service/shop/lost --port 80",
        Outcome::BadInput,
        &expect![[r#"
        through Service shop/lost: 80/tcp → targetPort 80 → nowhere
          the Service's selector selects no pod
          nearly selected: shop/a: label `app` differs: has `same`, the Service wants `sane` (is `sane` a slip?)
          nearly selected: shop/b: label `app` differs: has `same`, the Service wants `sane` (is `sane` a slip?)
          nearly selected: shop/agent: label `app` differs: has `agent`, the Service wants `sane`
    "#]],
    );
}

const NEAR: &str = r#"
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
spec: {containers: [{name: a, image: a}]}
status: {podIP: 10.0.0.1}
---
apiVersion: v1
kind: Pod
metadata: {name: agent, namespace: shop, labels: {app: agent}}
spec: {hostNetwork: true, nodeName: n1, containers: [{name: a, image: a}]}
---
apiVersion: v1
kind: Node
metadata: {name: n1}
status: {addresses: [{type: InternalIP, address: 192.168.7.1}]}
---
apiVersion: v1
kind: Pod
metadata: {name: db, namespace: pay, labels: {app: db}}
spec: {nodeName: n2, containers: [{name: a, image: a, ports: [{name: sql, containerPort: 5432}]}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db, namespace: pay}
spec:
  podSelector: {matchLabels: {app: db}}
  policyTypes: [Ingress, Egress]
  ingress:
    - {from: [{podSelector: {matchLabels: {app: web}}}]}
    - {from: [{namespaceSelector: {}, podSelector: {matchLabels: {app: web}}}], ports: [{protocol: UDP, port: 53}]}
    - {from: [{namespaceSelector: {}, podSelector: {matchLabels: {app: web}}}], ports: [{port: sqll}]}
    - {from: [{ipBlock: {cidr: 203.0.113.0/24, except: [203.0.113.7/32]}}]}
    - {from: [{namespaceSelector: {}, podSelector: {matchLabels: {app: agent}}}]}
  egress:
    - {to: [{ipBlock: {cidr: 198.51.100.1/32}}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: dbs, namespace: pay}
spec:
  podSelector: {matchLabels: {app: dbb}}
  ingress: [{from: [{namespaceSelector: {}}]}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db, namespace: shop}
spec:
  podSelector: {matchLabels: {app: db}}
  ingress: [{from: [{namespaceSelector: {}}], ports: [{port: 7}]}]
"#;

/// Only what differs.
fn near_misses(line: &str) -> String {
    let (_, text) = explained(NEAR, line);
    let lines = text.lines().map(str::trim);
    lines.filter(|line| line.starts_with("but: ")).map(|line| format!("{line}\n")).collect()
}

#[test]
fn near_misses_name_what_differs() {
    let named_port = near_misses("--from shop/web --to pay/db --port 5432");
    expect![[r#"
        but: subject and peer match, the destination has no port named `sqll` (is `sql` meant?)
        but: peer and port match, the policy does not select the pod: label `app` differs: has `db`, the rule wants `dbb` (is `dbb` a slip?)
        but: subject and port match, namespace differs: the peer is in `shop`; without namespaceSelector the rule means `pay` only
    "#]].assert_eq(&named_port);
    let protocol = near_misses("--from shop/web --to pay/db --port 53");
    expect![[r#"
        but: peer and port match, the policy does not select the pod: label `app` differs: has `db`, the rule wants `dbb` (is `dbb` a slip?)
        but: subject and port match, namespace differs: the peer is in `shop`; without namespaceSelector the rule means `pay` only
        but: subject and peer match, protocol differs: 53/tcp is asked, the rule wants UDP
    "#]].assert_eq(&protocol);
    let other_direction = near_misses("--from 198.51.100.1 --to pay/db --port 5432");
    expect![[r#"
        but: subject, peer and port match, wrong direction: the rule speaks of the other one
        but: subject and port match, address differs: 198.51.100.1 is not in 203.0.113.0/24 except 203.0.113.7/32
    "#]].assert_eq(&other_direction);
    let except = near_misses("--from 203.0.113.7 --to pay/db --port 5432");
    expect![[r#"
        but: subject and port match, address differs: 203.0.113.7 is not in 203.0.113.0/24 except 203.0.113.7/32
    "#]].assert_eq(&except);
    let other_namespace = near_misses("--from shop/web --to pay/db --port 7");
    expect![[r#"
        but: peer and port match, the policy does not select the pod: label `app` differs: has `db`, the rule wants `dbb` (is `dbb` a slip?)
        but: subject and port match, namespace differs: the peer is in `shop`; without namespaceSelector the rule means `pay` only
        but: subject and peer match, the destination has no port named `sqll`
    "#]].assert_eq(&other_namespace);
    let on_host = near_misses("--from shop/agent --to pay/db --port 1 --profile cilium");
    expect![[r#"
        but: subject and port match, the peer is on the host network: selectors do not match it, blocks with its node's address do
        but: port matches, the policy does not select the pod: label `app` differs: has `db`, the rule wants `dbb` (is `dbb` a slip?); the peer is on the host network: selectors do not match it, blocks with its node's address do
    "#]].assert_eq(&on_host);
}

#[test]
fn what_was_left_out_is_said() {
    let broken = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n\
        metadata: {name: bad, namespace: pay}\nspec: {podSelecto: {}}\n---\n";
    let line = "explain - --from shop/web --to pay/db --port 1 --keep-going";
    let args = Line::try_parse_from(line.split(' ')).unwrap().args;
    let options = kube_import::Options { keep_going: true, ..kube_import::Options::default() };
    let text =
        kube_import::Input::Text { name: "shop.yaml".to_owned(), text: format!("{broken}{SHOP}") };
    let imported = kube_import::import(&[text], &options).unwrap();
    let mut out = Vec::new();
    explain(&args, &imported, Palette::Plain, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    let notes: Vec<&str> = text.lines().filter(|line| line.contains("note: ")).collect();
    expect!["  note: NetworkPolicy pay/bad has errors and was left out; it could change this"]
        .assert_eq(&notes.join("\n"));
}

#[test]
fn json_has_all_of_it() {
    let (_, text) = explained(SHOP, "--from shop/web --to pay/db --port 5432 -o json");
    expect_file!["./expected.json"].assert_eq(&text);
}
