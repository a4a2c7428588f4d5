//! NetworkPolicy: whom it selects, what it covers, and what its peers mean.

use crate::fixture::*;
use policy_engine::Verdict::{self, Allow, Deny};
use policy_model::{NAMESPACE_NAME_LABEL, PolicyKind};

/// Of `shop/web` under a policy with this spec: what comes in from `pay/db`, and what goes out to it.
fn in_and_out(spec: &str) -> (Verdict, Verdict) {
    let world = World::of(&[pod("shop/web"), pod("pay/db"), policy("shop/p", spec)]);
    let verdict = |from, to| world.decide(from, to, "80/tcp").verdict;
    (verdict("pay/db", "shop/web"), verdict("shop/web", "pay/db"))
}

/// Without `policyTypes`, ingress is covered always and egress where there is an `egress` section.
#[test]
fn policy_types_missing_is_ingress_always_and_egress_iff_its_section_exists() {
    assert_eq!(in_and_out("podSelector: {}"), (Deny, Allow));
    assert_eq!(in_and_out("podSelector: {}, egress: null"), (Deny, Allow));
    assert_eq!(in_and_out("podSelector: {}, egress: []"), (Deny, Deny));
    assert_eq!(in_and_out("podSelector: {}, egress: [{}]"), (Deny, Allow));
    assert_eq!(in_and_out("podSelector: {}, ingress: [{}]"), (Allow, Allow));
    assert_eq!(in_and_out("podSelector: {}, policyTypes: [Egress]"), (Allow, Deny));
    assert_eq!(in_and_out("podSelector: {}, policyTypes: []"), (Deny, Allow));
}

/// A policy without `podSelector` selects all pods of its namespace, and none of another.
#[test]
fn pod_selector_missing_is_all_pods_of_the_namespace() {
    let pods = [labelled_pod("shop/web", "app: web"), pod("shop/log"), pod("pay/db")];
    let world = World::of(&[&pods[..], &[policy("shop/p", "ingress: []")]].concat());
    world.check(&[
        ("pay/db", "shop/web", "80/tcp", Deny),
        ("pay/db", "shop/log", "80/tcp", Deny),
        ("shop/web", "pay/db", "80/tcp", Allow),
    ]);
}

/// `ingress` missing, null or `[]` denies; `[{}]` allows everything.
#[test]
fn ingress_missing_or_empty_denies_and_one_empty_rule_allows_all() {
    for spec in ["podSelector: {}", "ingress: null", "ingress: []"] {
        assert_eq!(in_and_out(spec).0, Deny, "{spec}");
        let both = format!("{spec}, policyTypes: [Ingress]");
        assert_eq!(in_and_out(&both).0, Deny, "{both}");
    }
    let world = World::of(&[pod("shop/web"), pod("pay/db"), policy("shop/p", "ingress: [{}]")]);
    world.check(&[
        ("pay/db", "shop/web", "1/tcp", Allow),
        ("pay/db", "shop/web", "65535/sctp", Allow),
        ("203.0.113.7", "shop/web", "53/udp", Allow),
    ]);
}

/// A peer in which nothing is set is an error, not everything and not nothing.
#[test]
fn a_peer_with_nothing_set_is_refused() {
    assert_eq!(refused(broken_policy("ingress: [{from: [{}]}]")), ["4:26 empty-peer `{}`"]);
    assert_eq!(
        refused(broken_policy("egress: [{to: [{podSelector: null}]}]")),
        ["4:23 empty-peer `{podSelector: null}`"]
    );
}

/// `ipBlock` beside a selector in one peer has no meaning.
#[test]
fn ip_block_beside_a_selector_is_refused() {
    for selector in ["podSelector", "namespaceSelector"] {
        let peer = format!("{{ipBlock: {{cidr: 10.0.0.0/8}}, {selector}: {{}}}}");
        let found = refused(broken_policy(&format!("ingress: [{{from: [{peer}]}}]")));
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("4:36 two-peer-fields"), "{found:?}");
    }
}

/// A peer with a `podSelector` only speaks of the policy's own namespace.
#[test]
fn pod_selector_alone_is_the_policys_namespace() {
    let world = World::of(&[
        labelled_pod("shop/web", "app: web"),
        pod("shop/db"),
        labelled_pod("pay/web", "app: web"),
        policy("shop/p", "ingress: [{from: [{podSelector: {matchLabels: {app: web}}}]}]"),
    ]);
    world.check(&[
        ("shop/web", "shop/db", "80/tcp", Allow),
        ("pay/web", "shop/db", "80/tcp", Deny),
        ("203.0.113.7", "shop/db", "80/tcp", Deny),
    ]);
}

/// `namespaceSelector: {}` alone is every pod of every namespace, and nothing outside.
#[test]
fn an_empty_namespace_selector_alone_is_all_pods_of_all_namespaces() {
    let world = World::of(&[
        pod("shop/web"),
        pod("pay/web"),
        policy("shop/p", "ingress: [{from: [{namespaceSelector: {}}]}]"),
    ]);
    world.check(&[
        ("pay/web", "shop/web", "80/tcp", Allow),
        ("203.0.113.7", "shop/web", "80/tcp", Deny),
    ]);
}

/// Two selectors in one item must both match; of two items, either may.
#[test]
fn both_selectors_in_one_item_are_and_but_two_items_are_or() {
    let world = |peers: &str| {
        World::of(&[
            namespace("pay", "team: pay"),
            pod("shop/db"),
            labelled_pod("shop/web", "app: web"),
            labelled_pod("pay/web", "app: web"),
            pod("pay/log"),
            policy("shop/p", &format!("ingress: [{{from: [{peers}]}}]")),
        ])
    };
    let [pay, web] =
        ["namespaceSelector: {matchLabels: {team: pay}}", "podSelector: {matchLabels: {app: web}}"];
    let verdicts = |both, shop_web, pay_log| {
        [
            ("pay/web", "shop/db", "80/tcp", both),
            ("shop/web", "shop/db", "80/tcp", shop_web),
            ("pay/log", "shop/db", "80/tcp", pay_log),
        ]
    };
    world(&format!("{{{pay}, {web}}}")).check(&verdicts(Allow, Deny, Deny));
    world(&format!("{{{pay}}}, {{{web}}}")).check(&verdicts(Allow, Allow, Allow));
}

/// `NotIn` matches where the key is absent, of pods and of namespaces.
#[test]
fn not_in_matches_an_absent_key() {
    let not_web = "matchExpressions: [{key: app, operator: NotIn, values: [web]}]";
    let world = World::of(&[
        labelled_pod("shop/web", "app: web"),
        labelled_pod("shop/log", "app: log"),
        pod("shop/bare"),
        pod("shop/db"),
        policy("shop/p", &format!("ingress: [{{from: [{{podSelector: {{{not_web}}}}}]}}]")),
    ]);
    world.check(&[
        ("shop/bare", "shop/db", "80/tcp", Allow),
        ("shop/log", "shop/db", "80/tcp", Allow),
        ("shop/web", "shop/db", "80/tcp", Deny),
    ]);
    let world = World::of(&[
        namespace("web", "app: web"),
        pod("web/a"),
        pod("bare/a"),
        pod("shop/db"),
        policy("shop/p", &format!("ingress: [{{from: [{{namespaceSelector: {{{not_web}}}}}]}}]")),
    ]);
    world.check(&[("bare/a", "shop/db", "80/tcp", Allow), ("web/a", "shop/db", "80/tcp", Deny)]);
}

/// `from` missing or empty is any source, also outside the cluster.
#[test]
fn from_or_to_missing_or_empty_is_everything_also_outside() {
    for (from, to) in [("", ""), ("from: [], ", "to: [], "), ("from: null, ", "to: null, ")] {
        let rules = format!(
            "ingress: [{{{from}ports: [{{port: 80}}]}}], egress: [{{{to}ports: [{{port: 53}}]}}]"
        );
        let world = World::of(&[pod("shop/web"), pod("pay/db"), policy("shop/p", &rules)]);
        world.check(&[
            ("pay/db", "shop/web", "80/tcp", Allow),
            ("203.0.113.7", "shop/web", "80/tcp", Allow),
            ("2001:db8::7", "shop/web", "80/tcp", Allow),
            ("203.0.113.7", "shop/web", "81/tcp", Deny),
            ("shop/web", "pay/db", "53/tcp", Allow),
            ("shop/web", "203.0.113.7", "53/tcp", Allow),
            ("shop/web", "203.0.113.7", "80/tcp", Deny),
        ]);
    }
}

/// `ports` missing or empty is all ports of all protocols. Whether a NetworkPolicy speaks of ICMP at
/// all is left to implementations.
#[test]
fn ports_missing_or_empty_is_all_ports_of_all_protocols() {
    for ports in ["", ", ports: []", ", ports: null"] {
        let rule = format!("ingress: [{{from: [{{namespaceSelector: {{}}}}]{ports}}}]");
        let documents = [pod("shop/web"), pod("pay/db"), policy("shop/p", &rule)];
        let world = World::of(&documents);
        world.check(&[
            ("pay/db", "shop/web", "1/tcp", Allow),
            ("pay/db", "shop/web", "65535/udp", Allow),
            ("pay/db", "shop/web", "7/sctp", Allow),
        ]);
        world.check_undefined("pay/db", "shop/web", "icmp", "other-protocol");
        World::cilium(&documents).check(&[("pay/db", "shop/web", "icmp", Allow)]);
    }
    let listed = "ingress: [{ports: [{port: 80}, {protocol: UDP}]}]";
    let documents = [pod("shop/web"), pod("pay/db"), policy("shop/p", listed)];
    World::of(&documents).check_undefined("pay/db", "shop/web", "icmp", "other-protocol");
    World::cilium(&documents).check(&[("pay/db", "shop/web", "icmp", Deny)]);
}

/// A misspelt field is an error with a suggestion; read without it, the rule would allow everything.
#[test]
fn an_unknown_field_is_refused_and_not_read_as_allow_all() {
    let document = broken_policy("ingress: [{form: [{podSelector: {}}]}]");
    assert_eq!(refused(document.clone()), ["4:19 unknown-field `form`"]);
    let imported = read(&[document]);
    assert_eq!(imported.findings[0].help, "did you mean `from`?");
    assert_eq!(
        refused(broken_policy("podSelecter: {matchLabels: {app: web}}")),
        ["4:8 unknown-field `podSelecter`"]
    );
    assert_eq!(
        refused(broken_policy("ingress: [{from: [{podSelector: {matchLabel: {app: web}}}]}]")),
        ["4:41 unknown-field `matchLabel`"]
    );
}

/// `namespace: y` is the namespace `y`, with a warning that YAML 1.1 reads a boolean.
#[test]
fn a_namespace_named_y_is_that_namespace_with_a_warning() {
    let documents = [pod("y/web"), pod("pay/db"), policy("y/p", "ingress: []")];
    let imported = read(&documents);
    assert!(!imported.has_errors());
    let found = places(&imported);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found.iter().all(|place| place.ends_with(" yaml-1-1 `y`")), "{found:?}");
    let world = World::under(policy_engine::Semantics::Upstream, imported.snapshot);
    world.check(&[("pay/db", "y/web", "80/tcp", Deny), ("y/web", "pay/db", "80/tcp", Allow)]);
}

/// `except` must lie within `cidr`, and be smaller.
#[test]
fn except_outside_its_cidr_is_refused() {
    let block = |cidr: &str, except: &str| {
        let block = format!("ipBlock: {{cidr: {cidr}, except: ['{except}']}}");
        refused(broken_policy(&format!("ingress: [{{from: [{{{block}}}]}}]")))
    };
    let found = |except: &str| vec![format!("4:64 except-outside-cidr `'{except}'`")];
    for except in ["11.0.0.0/16", "0.0.0.0/0", "10.0.0.0/8", "fd00::/16"] {
        assert_eq!(block("10.0.0.0/8", except), found(except));
    }
}

/// Host bits in a block are read as the block, with a warning.
#[test]
fn host_bits_of_a_block_are_warned_of_and_ignored() {
    let rule = "ingress: [{from: [{ipBlock: {cidr: 10.0.0.7/24}}]}]";
    let imported = read(&[pod_at("shop/web", "10.9.0.1"), policy("shop/p", rule)]);
    assert!(!imported.has_errors());
    assert_eq!(imported.findings.len(), 1);
    assert!(places(&imported)[0].ends_with("host-bits-set `10.0.0.7/24`"));
    let world = World::under(policy_engine::Semantics::Upstream, imported.snapshot);
    world.check(&[
        ("10.0.0.1", "shop/web", "80/tcp", Allow),
        ("10.0.0.255", "shop/web", "80/tcp", Allow),
        ("10.0.1.0", "shop/web", "80/tcp", Deny),
    ]);
}

const FROM_PAY_BY_NAME: &str = "ingress: [{from: [{namespaceSelector: \
                                {matchLabels: {kubernetes.io/metadata.name: pay}}}]}]";

/// Every namespace has the label with its name, whether or not its manifest writes it.
#[test]
fn the_name_label_of_a_namespace_is_implied() {
    let world = World::of(&[
        namespace("pay", "team: pay"),
        namespace("ops", "team: ops"),
        pod("pay/web"),
        pod("ops/web"),
        pod("shop/db"),
        policy("shop/p", FROM_PAY_BY_NAME),
    ]);
    world.check(&[("pay/web", "shop/db", "80/tcp", Allow), ("ops/web", "shop/db", "80/tcp", Deny)]);
}

/// A namespace without a manifest exists, with the name label and no other.
#[test]
fn a_namespace_without_a_manifest_has_the_name_label_only() {
    let world = World::of(&[pod("pay/web"), pod("shop/db"), policy("shop/p", FROM_PAY_BY_NAME)]);
    world.check(&[("pay/web", "shop/db", "80/tcp", Allow)]);
    let snapshot = world.program.snapshot();
    let labels = &snapshot.namespaces["pay"].labels;
    assert_eq!(labels, &[(NAMESPACE_NAME_LABEL, "pay")].into_iter().collect());
}

/// Pods of one owner may differ in labels that a policy uses: each is answered by its own.
#[test]
fn pods_of_one_owner_with_different_labels_are_told_apart() {
    let replica = |name: &str, track: &str| {
        format!(
            "{{apiVersion: v1, kind: Pod, metadata: {{name: {name}, namespace: shop, \
             labels: {{track: {track}}}, ownerReferences: [{{apiVersion: apps/v1, \
             kind: StatefulSet, name: web, controller: true}}]}}}}"
        )
    };
    let canaries = "podSelector: {matchLabels: {track: canary}}";
    let world = World::of(&[
        replica("web-0", "stable"),
        replica("web-1", "canary"),
        pod("pay/db"),
        policy("shop/in", &format!("{canaries}, ingress: []")),
        policy("pay/p", &format!("ingress: [{{from: [{{{canaries}, namespaceSelector: {{}}}}]}}]")),
    ]);
    world.check(&[
        ("pay/db", "shop/web-0", "80/tcp", Allow),
        ("pay/db", "shop/web-1", "80/tcp", Deny),
        ("shop/web-0", "pay/db", "80/tcp", Deny),
        ("shop/web-1", "pay/db", "80/tcp", Allow),
    ]);
    let id = World::policy_id(PolicyKind::NetworkPolicy, "shop/in");
    assert_eq!(world.program.subjects(&id).len(), 1);
    assert_eq!(world.program.map(policy_engine::Granularity::Workload).peers().len(), 2);
}
