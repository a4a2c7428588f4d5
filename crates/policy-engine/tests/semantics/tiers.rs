//! Tiers: ClusterNetworkPolicy v1alpha2, and AdminNetworkPolicy with its baseline v1alpha1.

use crate::fixture::*;
use policy_engine::DecidingTier::{self, Admin, Baseline, Default, NetworkPolicy};
use policy_engine::Semantics;
use policy_engine::Verdict::{self, Allow, Deny};
use policy_model::{PeerMatch, Peers};

/// Rules for ingress from all pods into all pods.
fn ingress(name: &str, tier: &str, priority: u16, actions: &[&str]) -> String {
    let rule = |action: &&str| format!("{{action: {action}, from: [{{namespaces: {{}}}}]}}");
    let rules: Vec<String> = actions.iter().map(rule).collect();
    let subject = "subject: {namespaces: {}}";
    let rules = rules.join(", ");
    cluster_policy(
        name,
        &format!("tier: {tier}, priority: {priority}, {subject}, ingress: [{rules}]"),
    )
}

/// From `shop/web` to `pay/db`: the verdict and the tier that decided ingress.
fn into_db(policies: &[String]) -> (Verdict, DecidingTier) {
    let pods = [pod("shop/web"), pod("pay/db")];
    let world = World::of(&[&pods[..], policies].concat());
    let verdict = world.decide("shop/web", "pay/db", "80/tcp").verdict;
    (verdict, world.tiers("shop/web", "pay/db", "80/tcp").1)
}

fn closed() -> String {
    policy("pay/closed", "ingress: []")
}

fn open() -> String {
    policy("pay/open", "ingress: [{}]")
}

/// Admin, then NetworkPolicy, then Baseline, then allowed.
#[test]
fn the_tiers_decide_in_order() {
    let admin = |action| ingress("a", "Admin", 1, &[action]);
    let baseline = |action| ingress("b", "Baseline", 1, &[action]);
    assert_eq!(into_db(&[]), (Allow, Default));
    assert_eq!(into_db(&[baseline("Deny")]), (Deny, Baseline));
    assert_eq!(into_db(&[baseline("Deny"), open()]), (Allow, NetworkPolicy));
    assert_eq!(into_db(&[baseline("Accept"), closed()]), (Deny, NetworkPolicy));
    assert_eq!(into_db(&[admin("Accept"), closed(), baseline("Deny")]), (Allow, Admin));
    assert_eq!(into_db(&[admin("Deny"), open(), baseline("Accept")]), (Deny, Admin));
}

/// Each direction is decided for itself, and both must allow.
#[test]
fn accept_on_egress_does_not_skip_the_destinations_ingress() {
    let out = "tier: Admin, priority: 1, subject: {namespaces: {}}, \
               egress: [{action: Accept, to: [{namespaces: {}}]}]";
    let world = World::of(&[pod("shop/web"), pod("pay/db"), cluster_policy("out", out), closed()]);
    let decision = world.decide("shop/web", "pay/db", "80/tcp");
    assert_eq!(
        (decision.verdict, decision.egress.verdict, decision.ingress.verdict),
        (Deny, Allow, Deny)
    );
    assert_eq!(world.tiers("shop/web", "pay/db", "80/tcp"), (Admin, NetworkPolicy));
}

/// The lowest number decides, then the first rule that matches.
#[test]
fn the_first_matching_rule_by_priority_and_then_order_decides() {
    let policy = |name, priority, actions| ingress(name, "Admin", priority, actions);
    assert_eq!(into_db(&[policy("a", 2, &["Deny"]), policy("b", 1, &["Accept"])]).0, Allow);
    assert_eq!(into_db(&[policy("a", 1, &["Deny"]), policy("b", 2, &["Accept"])]).0, Deny);
    assert_eq!(into_db(&[policy("a", 0, &["Deny"]), policy("b", 1000, &["Accept"])]).0, Deny);
    assert_eq!(into_db(&[policy("a", 1, &["Accept", "Deny"])]).0, Allow);
    assert_eq!(into_db(&[policy("a", 1, &["Deny", "Accept"])]).0, Deny);
}

/// A policy of these tiers isolates nobody: what none of its rules matches falls through.
#[test]
fn what_no_rule_matches_falls_through() {
    let other = |name: &str, tier: &str, action: &str| {
        cluster_policy(
            name,
            &format!(
                "tier: {tier}, priority: 1, subject: {{namespaces: {{}}}}, \
                 ingress: [{{action: {action}, from: [{{namespaces: {{}}}}], \
                 protocols: [{{tcp: {{destinationPort: {{number: 443}}}}}}]}}]"
            ),
        )
    };
    let accepts = [other("a", "Admin", "Accept"), other("b", "Baseline", "Accept")];
    assert_eq!(into_db(&accepts), (Allow, Default));
    let [admin, baseline] = accepts;
    assert_eq!(into_db(&[admin.clone(), baseline, closed()]), (Deny, NetworkPolicy));
    let deny = ingress("c", "Baseline", 2, &["Deny"]);
    assert_eq!(into_db(&[admin, other("b", "Baseline", "Accept"), deny]), (Deny, Baseline));
}

/// Pass leaves its tier, whatever stands behind it there; in Baseline too.
#[test]
fn pass_skips_the_rest_of_its_tier() {
    let pass_then = |tier, action| {
        [ingress("p1", tier, 1, &["Pass", action]), ingress("p2", tier, 2, &[action])]
    };
    let with = |policies: [String; 2], more: &[String]| into_db(&[&policies[..], more].concat());
    assert_eq!(with(pass_then("Admin", "Deny"), &[]), (Allow, Default));
    assert_eq!(with(pass_then("Admin", "Accept"), &[closed()]), (Deny, NetworkPolicy));
    let baseline = ingress("b", "Baseline", 1, &["Deny"]);
    assert_eq!(with(pass_then("Admin", "Accept"), &[baseline]), (Deny, Baseline));
    assert_eq!(with(pass_then("Baseline", "Deny"), &[]), (Allow, Default));
}

/// A pod that a NetworkPolicy selects in a direction is decided there, and in that direction only.
#[test]
fn baseline_is_not_consulted_where_a_network_policy_selects_the_pod() {
    let both = "tier: Baseline, priority: 1, subject: {namespaces: {}}, \
                ingress: [{action: Deny, from: [{namespaces: {}}]}], \
                egress: [{action: Deny, to: [{namespaces: {}}]}]";
    let world = World::of(&[
        pod("shop/web"),
        pod("pay/db"),
        cluster_policy("base", both),
        policy("pay/p", "ingress: [{from: [{namespaceSelector: {}}]}]"),
        policy("shop/p", "policyTypes: [Egress], egress: [{}]"),
    ]);
    world.check(&[
        ("shop/web", "pay/db", "80/tcp", Allow),
        ("pay/db", "shop/web", "80/tcp", Deny),
        ("pay/db", "203.0.113.7", "80/tcp", Allow),
    ]);
    assert_eq!(world.tiers("pay/db", "shop/web", "80/tcp"), (Baseline, Baseline));
}

/// Policies of one priority may be applied in any order: undefined only where it makes a difference.
#[test]
fn the_same_priority_is_undefined_where_the_outcomes_differ() {
    let pods = [pod("shop/web"), pod("pay/db")];
    for tier in ["Admin", "Baseline"] {
        let pair = |a, b| {
            let policies = [ingress("a", tier, 5, &[a]), ingress("b", tier, 5, &[b])];
            World::of(&[&pods[..], &policies].concat())
        };
        pair("Accept", "Deny").check_undefined("shop/web", "pay/db", "80/tcp", "same-priority");
        pair("Pass", "Deny").check_undefined("shop/web", "pay/db", "80/tcp", "same-priority");
        pair("Deny", "Deny").check(&[("shop/web", "pay/db", "80/tcp", Deny)]);
        pair("Pass", "Accept").check(&[("shop/web", "pay/db", "80/tcp", Allow)]);
    }
    let old = |name: &str, action: &str| {
        let rule = format!("[{{action: {action}, from: [{{namespaces: {{}}}}]}}]");
        let spec = format!("priority: 5, subject: {{namespaces: {{}}}}, ingress: {rule}");
        admin_policy(name, &spec)
    };
    let world = World::of(&[&pods[..], &[old("a", "Allow"), old("b", "Deny")]].concat());
    world.check_undefined("shop/web", "pay/db", "80/tcp", "same-priority");
    let mixed = [old("a", "Allow"), ingress("b", "Admin", 5, &["Deny"])];
    let world = World::of(&[&pods[..], &mixed].concat());
    world.check_undefined("shop/web", "pay/db", "80/tcp", "same-priority");
}

fn many(n: usize, item: impl Fn(usize) -> String) -> String {
    let items: Vec<String> = (0..n).map(item).collect();
    items.join(", ")
}

/// Whether the reader takes a ClusterNetworkPolicy with these egress rules; if not, why not.
fn limit(rules: &str) -> Vec<String> {
    codes(cluster_policy(
        "p",
        &format!("tier: Admin, priority: 0, subject: {{namespaces: {{}}}}, egress: [{rules}]"),
    ))
}

/// No code for what is accepted; else the codes of the findings of what is refused.
fn codes(document: String) -> Vec<String> {
    if read(std::slice::from_ref(&document)).findings.is_empty() {
        assert_eq!(snapshot(&[document]).policies.len(), 1);
        return Vec::new();
    }
    let code = |place: &String| place.split(' ').nth(1).map(str::to_owned);
    refused(document).iter().filter_map(code).collect()
}

/// A ClusterNetworkPolicy has at most 25 of each list, priorities to 1000 and names to 100 characters.
#[test]
fn limits_of_v1alpha2() {
    let deny = |peers: &str| format!("{{action: Deny, to: [{peers}]}}");
    let peers = |n| limit(&deny(&many(n, |_| "{namespaces: {}}".to_owned())));
    let rules = |n| limit(&many(n, |_| deny("{namespaces: {}}")));
    let networks =
        |n| limit(&deny(&format!("{{networks: [{}]}}", many(n, |i| format!("10.{i}.0.0/16")))));
    let protocols = |n| {
        let ports = many(n, |i| format!("{{destinationNamedPort: p{i}}}"));
        limit(&format!("{{action: Deny, to: [{{namespaces: {{}}}}], protocols: [{ports}]}}"))
    };
    let domain_names = |n| {
        let names = many(n, |i| format!("h{i}.example.com"));
        limit(&format!("{{action: Accept, to: [{{domainNames: [{names}]}}]}}"))
    };
    for list in
        [&peers as &dyn Fn(usize) -> Vec<String>, &rules, &networks, &protocols, &domain_names]
    {
        assert_eq!((list(25), list(26)), (vec![], vec!["too-many".to_owned()]));
    }
    let rule_name = |length| {
        limit(&format!(
            "{{name: {}, action: Deny, to: [{{namespaces: {{}}}}]}}",
            "n".repeat(length)
        ))
    };
    assert_eq!((rule_name(100), rule_name(101)), (vec![], vec!["bad-name".to_owned()]));
    let priority = |priority| codes(ingress("p", "Admin", priority, &["Deny"]));
    assert_eq!((priority(1000), priority(1001)), (vec![], vec!["bad-value".to_owned()]));
}

/// v1alpha1 has lists of up to 100.
#[test]
fn limits_of_v1alpha1() {
    let admin = |rules: &str| {
        let subject = "subject: {namespaces: {}}";
        codes(admin_policy("p", &format!("priority: 1, {subject}, ingress: [{rules}]")))
    };
    let rules = |n| admin(&many(n, |_| "{action: Deny, from: [{namespaces: {}}]}".to_owned()));
    let peers = |n| {
        let peers = many(n, |_| "{namespaces: {}}".to_owned());
        admin(&format!("{{action: Deny, from: [{peers}]}}"))
    };
    assert_eq!((rules(100), rules(101)), (vec![], vec!["too-many".to_owned()]));
    assert_eq!((peers(100), peers(101)), (vec![], vec!["too-many".to_owned()]));
}

/// There is one BaselineAdminNetworkPolicy, named `default`; Baseline ClusterNetworkPolicies are many.
#[test]
fn the_v1alpha1_baseline_is_named_default_and_v1alpha2_has_many() {
    let spec = "subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}]}]";
    assert_eq!(into_db(&[baseline_policy(spec)]), (Deny, Baseline));
    let other = baseline_policy(spec).replace("name: default", "name: other");
    assert_eq!(refused(other), ["3:18 bad-name `other`"]);
    let many = [
        ingress("b1", "Baseline", 1, &["Pass"]),
        ingress("b2", "Baseline", 2, &["Deny"]),
        ingress("b3", "Baseline", 0, &["Accept"]),
    ];
    assert_eq!(into_db(&many), (Allow, Baseline));
    assert_eq!(into_db(&many[1..2]), (Deny, Baseline));
}

/// A rule lists at least one peer, and each peer has exactly one field.
#[test]
fn from_and_to_are_not_empty_and_a_peer_has_one_field() {
    assert_eq!(limit("{action: Deny, to: []}"), ["empty-list"]);
    assert_eq!(limit("{action: Deny}"), ["missing-field"]);
    assert_eq!(limit("{action: Deny, to: [{}]}"), ["empty-peer"]);
    assert_eq!(limit("{action: Deny, to: [{namespaces: {}, nodes: {}}]}"), ["two-peer-fields"]);
    assert_eq!(limit("{action: Deny, to: [{namespaces: {}}]}"), [""; 0]);
    let admin = |rule: &str| {
        let subject = "subject: {namespaces: {}}";
        codes(admin_policy("p", &format!("priority: 1, {subject}, egress: [{rule}]")))
    };
    assert_eq!(admin("{action: Deny, to: []}"), ["empty-list"]);
    assert_eq!(admin("{action: Deny, to: [{namespaces: {}, nodes: {}}]}"), ["two-peer-fields"]);
}

/// A peer of a kind that is not known: the reader refuses it, and where one gets to the engine Accept
/// matches nothing, and Deny and Pass deny everything.
#[test]
fn an_unknown_peer_fails_closed() {
    let found = limit("{action: Deny, to: [{serviceAccounts: {}}]}");
    assert_eq!(found, ["unknown-field"]);
    let verdict = |action: &str| {
        let pods = [pod("shop/web"), pod("pay/db"), closed()];
        let peers = "from: [{pods: {podSelector: {matchLabels: {app: nobody}}}}, {namespaces: {}}]";
        let rule = format!("ingress: [{{action: {action}, {peers}}}]");
        let spec = format!("tier: Admin, priority: 1, subject: {{namespaces: {{}}}}, {rule}");
        let mut snapshot = snapshot(&[&pods[..], &[cluster_policy("p", &spec)]].concat());
        let mut rules = snapshot.policies.values_mut().filter_map(|p| p.ingress.as_mut()).flatten();
        let rule = rules.find(|rule| rule.peers != Peers::Any).unwrap();
        let Peers::Listed(peers) = &mut rule.peers else { return None };
        peers[0].matches = PeerMatch::Unknown;
        let world = World::under(Semantics::Upstream, snapshot);
        let verdict = world.decide("shop/web", "pay/db", "80/tcp").verdict;
        let outside = world.decide("203.0.113.7", "pay/db", "80/tcp");
        let tier = world.program.deciding_tier(outside.ingress.cause);
        Some((verdict, outside.verdict, tier))
    };
    assert_eq!(verdict("Accept"), Some((Deny, Deny, NetworkPolicy)));
    assert_eq!(verdict("Deny"), Some((Deny, Deny, Admin)));
    assert_eq!(verdict("Pass"), Some((Deny, Deny, Admin)));
}

fn out(action: &str, peer: &str) -> String {
    let rule = format!("egress: [{{action: {action}, to: [{{{peer}}}]}}]");
    cluster_policy("p", &format!("tier: Admin, priority: 1, subject: {{namespaces: {{}}}}, {rule}"))
}

/// `nodes` matches every address of the selected nodes, in egress only.
#[test]
fn nodes_are_matched_by_their_addresses_in_egress_only() {
    let world = World::of(&[
        node("n1", "zone: a", "172.18.0.1"),
        node("n2", "zone: b", "172.18.0.2"),
        pod_on("shop/web", "n2", "10.0.0.1"),
        out("Deny", "nodes: {matchLabels: {zone: a}}"),
    ]);
    world.check(&[
        ("shop/web", "172.18.0.1", "80/tcp", Deny),
        ("shop/web", "172.18.0.2", "80/tcp", Allow),
        ("shop/web", "172.18.0.3", "80/tcp", Allow),
    ]);
    let inward = out("Deny", "nodes: {}").replace("egress", "ingress").replace("to:", "from:");
    assert_eq!(codes(inward), ["unknown-field"]);
}

/// A name matches itself; `*.` stands for one or more whole labels and not for none. Which names an
/// address has is not known here.
#[test]
fn domain_names_match_whole_labels_and_not_the_apex() {
    let closed = policy("shop/p", "policyTypes: [Egress], egress: []");
    let names = "domainNames: ['*.example.com', api.example.org]";
    let world = World::of(&[pod("shop/web"), closed, out("Accept", names)]);
    world.check(&[
        ("shop/web", "a.example.com", "443/tcp", Allow),
        ("shop/web", "b.a.example.com", "443/tcp", Allow),
        ("shop/web", "example.com", "443/tcp", Deny),
        ("shop/web", "badexample.com", "443/tcp", Deny),
        ("shop/web", "api.example.org", "443/tcp", Allow),
        ("shop/web", "v1.api.example.org", "443/tcp", Deny),
    ]);
    world.check_undefined("shop/web", "203.0.113.7", "443/tcp", "domain-names");
}

/// Domain names can be accepted only, and in egress only.
#[test]
fn domain_names_are_for_accept_and_egress_only() {
    let peer = "domainNames: [example.com]";
    for action in ["Deny", "Pass"] {
        assert_eq!(codes(out(action, peer)), ["bad-value"]);
    }
    let inward = out("Accept", peer).replace("egress", "ingress").replace("to:", "from:");
    assert_eq!(codes(inward), ["unknown-field"]);
}

/// Each version has its own words, and they mean the same.
#[test]
fn the_words_of_one_version_are_not_those_of_the_other() {
    let old = |action: &str, ports: &str| {
        let rule = format!("{{action: {action}, from: [{{namespaces: {{}}}}], {ports}}}");
        let subject = "subject: {namespaces: {}}";
        admin_policy("p", &format!("priority: 1, {subject}, ingress: [{rule}]"))
    };
    let new = |action: &str, ports: &str| {
        let rule = format!("{{action: {action}, from: [{{namespaces: {{}}}}], {ports}}}");
        let subject = "tier: Admin, priority: 1, subject: {namespaces: {}}";
        cluster_policy("p", &format!("{subject}, ingress: [{rule}]"))
    };
    let old_ports = "ports: [{portNumber: {protocol: UDP, port: 53}}, \
                     {portRange: {protocol: SCTP, start: 7, end: 9}}, \
                     {portNumber: {protocol: TCP, port: 80}}]";
    let new_ports = "protocols: [{udp: {destinationPort: {number: 53}}}, \
                     {sctp: {destinationPort: {range: {start: 7, end: 9}}}}, \
                     {tcp: {destinationPort: {number: 80}}}]";
    let pods = [pod("shop/web"), pod("pay/db"), policy("pay/closed", "ingress: []")];
    for policy in [old("Allow", old_ports), new("Accept", new_ports)] {
        let world = World::of(&[&pods[..], &[policy]].concat());
        assert_eq!(
            world.map(),
            ["pay/db → shop/web: all", "shop/web → pay/db: 80/tcp 53/udp 7-9/sctp"]
        );
    }
    assert_eq!(codes(new("Allow", new_ports)), ["bad-value"]);
    assert_eq!(codes(old("Accept", old_ports)), ["bad-value"]);
    assert_eq!(codes(new("Accept", old_ports)), ["unknown-field"]);
    assert_eq!(codes(old("Allow", new_ports)), ["unknown-field"]);
}

/// A rule without ports speaks of every protocol, so `networks` match ICMP; one with ports does not.
#[test]
fn networks_match_icmp_and_rules_with_ports_do_not() {
    let everything = out("Deny", "networks: [0.0.0.0/0]");
    let pods = [pod_at("shop/web", "10.0.0.1"), pod_at("pay/db", "10.0.0.2")];
    let denied = World::of(&[&pods[..], std::slice::from_ref(&everything)].concat());
    denied.check(&[
        ("shop/web", "203.0.113.7", "icmp", Deny),
        ("shop/web", "pay/db", "icmp", Deny),
        ("shop/web", "203.0.113.7", "80/tcp", Deny),
    ]);
    assert_eq!(denied.tiers("shop/web", "203.0.113.7", "icmp").0, Admin);
    let tcp = "to: [{networks: [0.0.0.0/0]}], protocols: [{tcp: {destinationPort: {number: 80}}}]";
    let ports = everything.replace("to: [{networks: [0.0.0.0/0]}]", tcp);
    World::of(&[&pods[..], &[ports]].concat()).check(&[
        ("shop/web", "203.0.113.7", "icmp", Allow),
        ("shop/web", "203.0.113.7", "80/tcp", Deny),
    ]);
    let closed = policy("shop/p", "policyTypes: [Egress], egress: []");
    let accepted =
        World::of(&[&pods[..], &[closed, out("Accept", "networks: [0.0.0.0/0]")]].concat());
    accepted.check(&[("shop/web", "203.0.113.7", "icmp", Allow)]);
}

/// Accept of a connection carries its replies, also where the way back is denied.
#[test]
fn accept_carries_the_replies() {
    let one_way = "tier: Admin, priority: 1, subject: {namespaces: {matchLabels: \
                   {kubernetes.io/metadata.name: pay}}}, \
                   ingress: [{action: Accept, from: [{namespaces: {}}]}], \
                   egress: [{action: Deny, to: [{namespaces: {}}]}]";
    let world = World::of(&[pod("shop/web"), pod("pay/db"), cluster_policy("p", one_way)]);
    world.check(&[("shop/web", "pay/db", "80/tcp", Allow), ("pay/db", "shop/web", "80/tcp", Deny)]);
}
