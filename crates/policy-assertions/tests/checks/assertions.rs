//! Set assertions.

use super::fixture::{SHOP, results, run, shown};
use expect_test::expect;

#[test]
fn nothing_outside_reaches_inside_except() {
    expect![[r#"
        FAILED nothing outside pci reaches pci
          wrong-verdict: expected none of these connections (2)
            shop/web → pci/api 8443/tcp: allow []
              egress: no policy applies
              ingress: NetworkPolicy pci/api ingress[0] accepts it
            203.0.113.0 → pci/api 8443/tcp: allow []
              egress: not a pod, so no policy applies
              ingress: NetworkPolicy pci/api ingress[1] accepts it
        ok but for what is listed
        FAILED half of a block is not the block
          wrong-verdict: expected none of these connections (1)
            203.0.113.128 → pci/api 8443/tcp: allow []
              egress: not a pod, so no policy applies
              ingress: NetworkPolicy pci/api ingress[1] accepts it
          note: the exception shop/cart → pci/db excuses nothing: no such connection is allowed
    "#]]
    .assert_eq(&run(r"
assertions:
- name: nothing outside pci reaches pci
  forbid: {from: {not: {namespace: pci}}, to: {namespace: pci}}
- name: but for what is listed
  forbid: {from: {not: {namespaceSelector: {matchLabels: {compliance: pci}}}}, to: {namespace: pci}}
  except:
  - {from: shop/web, to: pci/api, port: https}
  - {from: 203.0.113.0/24, to: pci/api, port: 8443}
- name: half of a block is not the block
  forbid: {from: {not: pci/}, to: pci/}
  except:
  - {from: shop/web, to: pci/api}
  - {from: 203.0.113.0/25, to: pci/api, port: 8443}
  - {from: shop/cart, to: pci/db}
"));
}

#[test]
fn only_fails_where_nobody_gets_through() {
    expect![[r#"
        ok only pci/api → pci/db 5432/tcp
        FAILED only shop/web → pci/api https
          wrong-verdict: expected no other source to get through (1)
            203.0.113.0 → pci/api 8443/tcp: allow []
              egress: not a pod, so no policy applies
              ingress: NetworkPolicy pci/api ingress[1] accepts it
        FAILED only shop/cart → pci/db 80/tcp
          wrong-verdict: expected something of `from` to get through: shop/cart → pci/db 80/tcp (1)
            shop/cart → pci/db 80/tcp: deny []
              egress: no policy applies
              ingress: NetworkPolicy pci/closed isolates pci/db, and no rule accepts it
        ok only shop/web → pci/api https
    "#]]
    .assert_eq(&run(r"
assertions:
- only: {from: pci/api, to: pci/db, port: 5432}
- only: {from: shop/web, to: pci/api, port: https}
- only: {from: shop/cart, to: pci/db, port: 80}
- only: {from: shop/web, to: pci/api, port: https}
  except: [{from: 203.0.113.0/24, to: pci/api}]
"));
}

#[test]
fn quantifiers_bind_every_before_some() {
    expect![[r#"
        ok require every shop/ → every shop/
        FAILED require every pods of shop → some pods of pci 8443/tcp
          wrong-verdict: expected every one of `from` to reach some of `to`: pods of shop → pods of pci 8443/tcp (1)
            shop/cart → pci/api 8443/tcp: deny []
              egress: no policy applies
              ingress: NetworkPolicy pci/closed isolates pci/api, and no rule accepts it
        FAILED require some cluster → every pci/ 8443/tcp,5432/tcp
          wrong-verdict: expected every one of `to` to be reached by some of `from`: cluster → pci/ 8443/tcp,5432/tcp (2)
            pci/api → pci/api 8443/tcp: deny []
              egress: no policy applies
              ingress: NetworkPolicy pci/closed isolates pci/api, and no rule accepts it
            pci/api → pci/db 8443/tcp: deny []
              egress: no policy applies
              ingress: NetworkPolicy pci/closed isolates pci/db, and no rule accepts it
        ok require some cluster → every pci/api https
        FAILED require some outside → every pods of pci 8443/tcp
          wrong-verdict: expected every one of `to` to be reached by some of `from`: outside → pods of pci 8443/tcp (1)
            1.1.1.1 → pci/db 8443/tcp: deny []
              egress: not a pod, so no policy applies
              ingress: NetworkPolicy pci/closed isolates pci/db, and no rule accepts it
        FAILED require every outside → some pods of pci 8443/tcp
          wrong-verdict: expected every one of `from` to reach some of `to`: outside → pods of pci 8443/tcp (1)
            1.1.1.1 → pci/api 8443/tcp: deny []
              egress: not a pod, so no policy applies
              ingress: NetworkPolicy pci/closed isolates pci/api, and no rule accepts it
        ok require some shop/ → some pci/ 8443/tcp
        FAILED require some shop/ → some pci/ 5432/tcp
          wrong-verdict: expected something of `from` to get through: shop/ → pci/ 5432/tcp (1)
            shop/cart → pci/api 5432/tcp: deny []
              egress: no policy applies
              ingress: NetworkPolicy pci/closed isolates pci/api, and no rule accepts it
    "#]]
    .assert_eq(&run(r"
assertions:
- require: {from: shop/, to: shop/}
- require: {from: {every: {namespace: shop}}, to: {some: {namespace: pci}}, port: 8443}
- require: {from: {some: cluster}, to: {every: pci/}, port: [8443, 5432]}
- require: {from: {some: cluster}, to: {every: pci/api}, port: https}
- require: {from: {some: outside}, to: {every: {namespace: pci}}, port: 8443}
- require: {from: {every: outside}, to: {some: {namespace: pci}}, port: 8443}
- require: {from: {some: shop/}, to: {some: pci/}, port: 8443}
- require: {from: {some: shop/}, to: {some: pci/}, port: 5432}
"));
}

#[test]
fn isolation_is_by_network_policy() {
    expect![[r#"
        ok isolated pods of pci for ingress
        FAILED isolated cluster for ingress and egress
          not-isolated: expected every pod to be isolated (6)
            pci/api: no NetworkPolicy isolates it for egress
            pci/db: no NetworkPolicy isolates it for egress
            shop/cart: no NetworkPolicy isolates it for ingress
            shop/cart: no NetworkPolicy isolates it for egress
            shop/web: no NetworkPolicy isolates it for ingress
        FAILED isolated outside for ingress
          selects-nothing: `outside` selects no pods (0)
    "#]]
    .assert_eq(&run(r"
assertions:
- isolated: {pods: {namespace: pci}, directions: [ingress]}
- isolated: {pods: cluster, directions: [ingress, egress]}
- isolated: {pods: outside, directions: [ingress]}
"));
}

const BASELINE: &str = r#"
---
apiVersion: policy.networking.k8s.io/v1alpha2
kind: ClusterNetworkPolicy
metadata: {name: closed}
spec:
  tier: Baseline
  priority: 10
  subject: {namespaces: {}}
  ingress: [{action: Deny, from: [{namespaces: {}}]}]
  egress: [{action: Deny, to: [{networks: ["0.0.0.0/0", "::/0"]}]}]
"#;

#[test]
fn a_baseline_isolates_where_it_denies_every_peer() {
    let spec = "assertions:\n- isolated: {pods: shop/, directions: [ingress, egress]}\n";
    let on = |baseline: &str| shown(&results(&format!("{SHOP}{baseline}"), spec));
    let open = |pod: &str, direction: &str| {
        format!("    shop/{pod}: no NetworkPolicy isolates it for {direction}")
    };
    let why = ", and the Deny of all pods leaves other peers open";
    let failed = |lines: &[String]| {
        let n = lines.len();
        let head = "FAILED isolated shop/ for ingress and egress\n  not-isolated: expected every pod \
                    to be isolated";
        format!("{head} ({n})\n{}\n", lines.join("\n"))
    };
    let ingress = |pod| format!("{}{why}", open(pod, "ingress"));
    assert_eq!(on(BASELINE), failed(&[ingress("cart"), ingress("web")]));
    let all = [ingress("cart"), open("cart", "egress"), ingress("web"), open("web", "egress")];
    let passing =
        BASELINE.replace("egress: [", "egress: [{action: Pass, to: [{namespaces: {}}]}, ");
    assert_eq!(on(&passing), failed(&all));
    let of_one_family = BASELINE.replace(r#", "::/0""#, "");
    assert_eq!(on(&of_one_family), failed(&all));
}

const HOST: &str = "
---
{apiVersion: v1, kind: Pod, metadata: {name: agent, namespace: shop, labels: {app: agent}}, spec: {hostNetwork: true, containers: [{name: c}]}}
";

#[test]
fn undefined_fails_unless_the_test_says_otherwise() {
    expect![[r#"
        FAILED forbid shop/agent → pci/db
          wrong-verdict: expected none of these connections (1)
            shop/agent → pci/db 1/tcp: undefined ["node-locality"]
              egress: no policy applies
              ingress: NetworkPolicy pci/closed isolates pci/db, and no rule accepts it
        ok forbid shop/agent → pci/db
        ok forbid pods of shop not on the host network → pci/db
        FAILED require every shop/agent → every pci/db
          wrong-verdict: expected every one of these connections to be allowed (1)
            shop/agent → pci/db 1/tcp: undefined ["node-locality"]
              egress: no policy applies
              ingress: NetworkPolicy pci/closed isolates pci/db, and no rule accepts it
        ok require every shop/agent → every pci/db
        FAILED isolated pods on the host network for ingress
          not-isolated: expected every pod to be isolated (1)
            shop/agent: no NetworkPolicy isolates it for ingress
    "#]]
    .assert_eq(&shown(&results(
        &format!("{SHOP}{HOST}"),
        r"
assertions:
- forbid: {from: shop/agent, to: pci/db}
- forbid: {from: shop/agent, to: pci/db}
  undefined: pass
- forbid: {from: {namespace: shop, hostNetwork: false}, to: pci/db}
- require: {from: shop/agent, to: pci/db}
- require: {from: shop/agent, to: pci/db}
  undefined: pass
- isolated: {pods: {hostNetwork: true}, directions: [ingress]}
",
    )));
}

#[test]
fn names_that_stand_for_nothing_fail() {
    expect![[r#"
        FAILED forbid outside → pci/
          unknown-peer: the input has no pod or workload `pci/apis`: did you mean pci/api or service/pci/api? (0)
          selects-nothing: nothing in `to` serves a port named nope (0)
        FAILED forbid outside → internet
          selects-nothing: there is no connection to ask about: both ends are the same pod, or outside the cluster (0)
        FAILED forbid not anywhere → pci/
          selects-nothing: `from` selects nothing: not anywhere (0)
        FAILED require some (pods of shop and pods of pci) → every pci/
          selects-nothing: `from` selects nothing: (pods of shop and pods of pci) (0)
    "#]]
    .assert_eq(&run(r"
assertions:
- forbid: {from: outside, to: pci/}
  except: [{from: 203.0.113.0/24, to: pci/apis}, {from: shop/, to: pci/db, port: nope}]
- forbid: {from: outside, to: internet}
- forbid: {from: {not: anywhere}, to: pci/}
- require: {from: {some: {all: [{namespace: shop}, {namespace: pci}]}}, to: pci/}
"));
}
