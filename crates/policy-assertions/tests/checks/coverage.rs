//! Rule coverage.

use super::fixture::{SHOP, results};
use expect_test::expect;

fn covered(manifests: &str, spec: &str) -> String {
    let coverage = results(manifests, spec).coverage;
    let mut lines: Vec<String> = coverage
        .rules
        .iter()
        .map(|rule| format!("{} case {} assertion {}", rule.rule, rule.by_case, rule.by_assertion))
        .collect();
    lines.push(format!("{} %", coverage.percent()));
    lines.join("\n")
}

#[test]
fn a_rule_counts_where_it_decides() {
    expect![[r#"
        NetworkPolicy pci/api ingress[0] case true assertion false
        NetworkPolicy pci/api ingress[1] case false assertion false
        NetworkPolicy pci/db ingress[0] case false assertion true
        33 %"#]]
    .assert_eq(&covered(
        SHOP,
        r"
cases:
- {from: shop/web, to: pci/api, port: https, expect: allow}
assertions:
- only: {from: pci/api, to: pci/db, port: 5432}
",
    ));
}

const TIERS: &str = "
---
apiVersion: policy.networking.k8s.io/v1alpha2
kind: ClusterNetworkPolicy
metadata: {name: guard}
spec:
  tier: Admin
  priority: 1
  subject: {namespaces: {matchLabels: {compliance: pci}}}
  ingress:
  - {action: Pass, from: [{namespaces: {matchLabels: {kubernetes.io/metadata.name: shop}}}]}
  - {action: Deny, from: [{namespaces: {matchLabels: {compliance: pci}}}]}
  egress:
  - {action: Deny, to: [{networks: [198.51.100.0/24]}]}
";

#[test]
fn passing_on_counts_and_the_side_that_does_not_decide_does_not() {
    expect![[r#"
        NetworkPolicy pci/api ingress[0] case true assertion false
        NetworkPolicy pci/api ingress[1] case false assertion true
        NetworkPolicy pci/db ingress[0] case false assertion false
        ClusterNetworkPolicy guard ingress[0] case true assertion false
        ClusterNetworkPolicy guard ingress[1] case false assertion false
        ClusterNetworkPolicy guard egress[0] case false assertion false
        33 %"#]]
    .assert_eq(&covered(
        &format!("{SHOP}{TIERS}"),
        r"
cases:
- {from: shop/web, to: pci/api, port: https, expect: allow}
assertions:
- forbid: {from: outside, to: pci/}
",
    ));
}
