//! Cases.

use super::fixture::run;
use expect_test::expect;

#[test]
fn a_case_holds_for_each_end_and_port() {
    expect![[r#"
        ok shop/web → pci/api 8443/tcp: allow
        ok shop/web → pci/api https: allow
        FAILED shop/ → pci/api https: allow
          wrong-verdict: expected allow (1)
            shop/cart → pci/api 8443/tcp: deny []
              egress: no policy applies
              ingress: NetworkPolicy pci/closed isolates pci/api, and no rule accepts it
        FAILED shop/web → pci/api: deny
          wrong-verdict: expected deny (1)
            shop/web → pci/api 8443/tcp: allow []
              egress: no policy applies
              ingress: NetworkPolicy pci/api ingress[0] accepts it
        ok shop/web → pci/api 80/tcp,443/tcp: deny
        ok shop/web → pci/api icmp: undefined
        ok through the Service
        ok shop/cart → service/pci/api: deny
        FAILED shop/cart → service/pci/api tls: allow
          wrong-verdict: expected allow (1)
            shop/cart → pci/api 8443/tcp: deny []
              egress: no policy applies
              ingress: NetworkPolicy pci/closed isolates pci/api, and no rule accepts it
        ok 203.0.113.9 → pci/api 8443/tcp: allow
        FAILED 203.0.0.0/16 → pci/api 8443/tcp: allow
          wrong-verdict: expected allow (1)
            203.0.0.0 → pci/api 8443/tcp: deny []
              egress: not a pod, so no policy applies
              ingress: NetworkPolicy pci/closed isolates pci/api, and no rule accepts it
        ok internet → pci/: deny
    "#]]
    .assert_eq(&run(r"
cases:
- {from: shop/web, to: pci/api, port: 8443/tcp, expect: allow}
- {from: shop/web, to: pci/api, port: https, expect: allow, by: NetworkPolicy pci/api}
- {from: shop/, to: pci/api, port: https, expect: allow}
- {from: shop/web, to: pci/api, expect: deny}
- {from: shop/web, to: pci/api, port: [80, 443], expect: deny, by: 'NetworkPolicy pci/closed'}
- {from: shop/web, to: pci/api, port: icmp, expect: undefined}
- {name: through the Service, from: shop/web, to: service/pci/api, port: 443, expect: allow}
- {from: shop/cart, to: service/pci/api, expect: deny}
- {from: shop/cart, to: service/pci/api, port: tls, expect: allow}
- {from: 203.0.113.9, to: pci/api, port: 8443, expect: allow, by: 'NetworkPolicy pci/api ingress[1]'}
- {from: 203.0.0.0/16, to: pci/api, port: 8443, expect: allow}
- {from: internet, to: pci/, expect: deny}
"));
}

#[test]
fn who_decides_can_be_part_of_a_case() {
    expect![[r#"
        ok pci/api → pci/db 5432/tcp: allow
        FAILED pci/api → pci/db 5432/tcp: allow
          wrong-decider: expected NetworkPolicy pci/closed to decide (1)
            pci/api → pci/db 5432/tcp: allow []
              egress: no policy applies
              ingress: NetworkPolicy pci/db ingress[0] accepts it
        FAILED pci/api → pci/db 5432/tcp: allow
          selects-nothing: the input has no NetworkPolicy pci/gone (0)
          wrong-decider: expected NetworkPolicy pci/gone to decide (1)
            pci/api → pci/db 5432/tcp: allow []
              egress: no policy applies
              ingress: NetworkPolicy pci/db ingress[0] accepts it
        FAILED pci/api → pci/db 5432/tcp: allow
          selects-nothing: the input has no NetworkPolicy pci/db ingress[1] (0)
          wrong-decider: expected NetworkPolicy pci/db ingress[1] to decide (1)
            pci/api → pci/db 5432/tcp: allow []
              egress: no policy applies
              ingress: NetworkPolicy pci/db ingress[0] accepts it
        FAILED shop/cart → pci/api 8443/tcp: deny
          wrong-decider: expected NetworkPolicy pci/api to decide (1)
            shop/cart → pci/api 8443/tcp: deny []
              egress: no policy applies
              ingress: NetworkPolicy pci/closed isolates pci/api, and no rule accepts it
        FAILED shop/cart → service/pci/api 443/tcp: deny
          wrong-decider: expected NetworkPolicy pci/api ingress[0] to decide (1)
            shop/cart → pci/api 8443/tcp: deny []
              egress: no policy applies
              ingress: NetworkPolicy pci/closed isolates pci/api, and no rule accepts it
    "#]]
    .assert_eq(&run(r"
cases:
- {from: pci/api, to: pci/db, port: 5432, expect: allow, by: 'NetworkPolicy pci/db ingress[0]'}
- {from: pci/api, to: pci/db, port: 5432, expect: allow, by: NetworkPolicy pci/closed}
- {from: pci/api, to: pci/db, port: 5432, expect: allow, by: NetworkPolicy pci/gone}
- {from: pci/api, to: pci/db, port: 5432, expect: allow, by: 'NetworkPolicy pci/db ingress[1]'}
- {from: shop/cart, to: pci/api, port: 8443, expect: deny, by: NetworkPolicy pci/api}
- {from: shop/cart, to: service/pci/api, port: 443, expect: deny, by: 'NetworkPolicy pci/api ingress[0]'}
"));
}

#[test]
fn what_selects_nothing_fails() {
    expect![[r#"
        FAILED shop/wbe → pci/api: deny
          unknown-peer: the input has no pod or workload `shop/wbe`: did you mean shop/web? (0)
        FAILED shop/web → pci/api metrics: deny
          selects-nothing: nothing in `to` serves a port named metrics (0)
        FAILED shop/web → pods of pci,pic: deny
          unknown-peer: the input has no namespace `pic`: did you mean pci? (0)
        FAILED pods with app=wbe → pci/api: deny
          selects-nothing: `pods with app=wbe` selects nothing (0)
        FAILED internet → 10.0.0.0/8: deny
          selects-nothing: there is no connection to ask about: both ends are the same pod, or outside the cluster (0)
        FAILED (pods of shop and not pods) → pci/api: deny
          selects-nothing: `from` selects nothing: (pods of shop and not pods) (0)
        FAILED shop/web → service/pci/api 80/tcp: deny
          selects-nothing: pci/api: the Service has no such port (0)
        FAILED shop/web → service/pci/api http: deny
          selects-nothing: the Service pci/api has no port named http (0)
    "#]]
    .assert_eq(&run(r"
cases:
- {from: shop/wbe, to: pci/api, expect: deny}
- {from: shop/web, to: pci/api, port: metrics, expect: deny}
- {from: shop/web, to: {namespace: [pci, pic]}, expect: deny}
- {from: {podSelector: {matchLabels: {app: wbe}}}, to: pci/api, expect: deny}
- {from: internet, to: 10.0.0.0/8, expect: deny}
- {from: {namespace: shop, not: {namespaceSelector: {}}}, to: pci/api, expect: deny}
- {from: shop/web, to: service/pci/api, port: 80, expect: deny}
- {from: shop/web, to: service/pci/api, port: http, expect: deny}
"));
}
