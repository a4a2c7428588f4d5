//! Which rule decides, by peer, port, order and tier.

use crate::frames::{SYN, other, tcp, udp};
use crate::node::{Drop, Node, POD_ID, Pass, WORD};
use crate::rules::{Action, DENY_REST, Peer, Ports, Rule, Tier, rule};
use dataplane::skeleton::types::{self, cause};

const ALLOW: Rule = rule(Action::Allow, Peer::Any, Ports::All);
const DENY: Rule = rule(Action::Deny, Peer::Any, Ports::All);
const PASS: Rule = rule(Action::Pass, Peer::Any, Ports::All);

fn syn() -> Vec<u8> {
    tcp("10.0.0.1:40000", "10.0.1.1:80", SYN)
}

fn egress(rules: &[Rule]) -> Node {
    let node = Node::new(&[DENY_REST], rules);
    node.class("10.0.1.1", 5);
    node.port_class(0, 80, 1);
    node
}

#[test]
fn the_first_rule_that_matches_peer_and_port_decides() {
    for (rules, verdict, event) in [
        (&[ALLOW, DENY][..], Pass, "opened egress rule 0 cause 0"),
        (&[DENY, ALLOW], Drop, "denied egress rule 0 cause 1"),
        (
            &[rule(Action::Allow, Peer::Class(6), Ports::All), DENY],
            Drop,
            "denied egress rule 1 cause 1",
        ),
        (
            &[rule(Action::Allow, Peer::Class(5), Ports::Class(2)), DENY],
            Drop,
            "denied egress rule 1 cause 1",
        ),
        (
            &[
                rule(Action::Deny, Peer::Class(6), Ports::All),
                rule(Action::Allow, Peer::Class(5), Ports::Class(1)),
                DENY,
            ],
            Pass,
            "opened egress rule 1 cause 0",
        ),
    ] {
        let node = egress(rules);
        assert_eq!(node.sends(&syn()), verdict);
        assert_eq!(node.events(), [event]);
    }
}

#[test]
fn nothing_that_matches_is_the_default_and_allows() {
    let node = egress(&[rule(Action::Deny, Peer::Class(6), Ports::All)]);
    assert_eq!(node.sends(&syn()), Pass);
    assert_eq!(node.events(), ["opened egress rule - cause 0"]);
}

#[test]
fn a_pass_goes_on_behind_its_tier() {
    let admin = |rule: Rule| rule.in_tier(Tier::Admin);
    let baseline = |rule: Rule| rule.in_tier(Tier::Baseline);
    for (rules, verdict, event) in [
        (&[admin(PASS), admin(DENY), ALLOW][..], Pass, "opened egress rule 2 cause 0"),
        (&[admin(PASS), admin(DENY), baseline(DENY)], Drop, "denied egress rule 2 cause 1"),
        (&[admin(PASS), PASS, DENY, baseline(ALLOW)], Pass, "opened egress rule 3 cause 0"),
        (&[baseline(PASS), baseline(DENY)], Pass, "opened egress rule - cause 0"),
    ] {
        let node = egress(rules);
        assert_eq!(node.sends(&syn()), verdict, "{rules:?}");
        assert_eq!(node.events(), [event]);
    }
}

#[test]
fn a_pass_reaches_over_words() {
    let mut rules = vec![PASS.in_tier(Tier::Admin)];
    rules.extend([DENY.in_tier(Tier::Admin); 200]);
    rules.push(ALLOW);
    let node = egress(&rules);
    assert_eq!(node.sends(&syn()), Pass);
    assert_eq!(node.events(), ["opened egress rule 201 cause 0"]);
}

#[test]
fn the_last_of_1024_rules_decides_and_the_event_has_every_rule_that_matched() {
    let mut rules = vec![rule(Action::Deny, Peer::Class(6), Ports::All); 1023];
    rules[70] = rule(Action::Allow, Peer::Class(5), Ports::Class(2));
    rules.push(rule(Action::Deny, Peer::Class(5), Ports::Class(1)));
    let node = egress(&rules);
    assert_eq!(node.sends(&syn()), Drop);
    let [event] = node.raw_events()[..] else { panic!("one event") };
    let mut vector = [0; 16];
    vector[15] = 1 << 63;
    assert_eq!((event.rule, event.n_words, event.vector), (1023, 16, vector));
    assert_eq!((event.profile, event.peer_class), (2, 5));
}

#[test]
fn every_rule_that_matched_is_in_the_event() {
    let node = egress(&[
        rule(Action::Allow, Peer::Class(5), Ports::All),
        rule(Action::Allow, Peer::Class(6), Ports::All),
        rule(Action::Allow, Peer::Any, Ports::Class(1)),
        DENY_REST,
    ]);
    assert_eq!(node.sends(&syn()), Pass);
    let [event] = node.raw_events()[..] else { panic!("one event") };
    assert_eq!((event.rule, event.n_words, event.vector[0]), (0, 1, 0b1101));
}

#[test]
fn an_address_without_an_entry_has_the_class_of_its_longest_network() {
    let node = egress(&[rule(Action::Allow, Peer::Class(8), Ports::All), DENY]);
    for (prefix, network, class) in [(96 + 8, "10.0.0.0", 7), (96 + 24, "10.0.2.0", 8)] {
        node.network(network, prefix, class);
    }
    for (to, verdict) in [("10.0.2.9:80", Pass), ("10.0.3.9:80", Drop), ("10.0.1.1:80", Drop)] {
        assert_eq!(node.sends(&tcp("10.0.0.1:40000", to, SYN)), verdict, "{to}");
    }
}

#[test]
fn the_except_of_one_rule_does_not_touch_another_rule() {
    // 10/8 without 10.1/16 by rule 0, everything by rule 1 on port class 1.
    let node = egress(&[
        rule(Action::Allow, Peer::Class(7), Ports::All),
        rule(Action::Allow, Peer::Any, Ports::Class(1)),
        DENY,
    ]);
    for (prefix, network, class) in [(96 + 8, "10.0.0.0", 7), (96 + 16, "10.1.0.0", 0)] {
        node.network(network, prefix, class);
    }
    for (to, verdict) in [("10.2.0.1:81", Pass), ("10.1.0.1:81", Drop), ("10.1.0.1:80", Pass)] {
        assert_eq!(node.sends(&tcp("10.0.0.1:40000", to, SYN)), verdict, "{to}");
    }
}

#[test]
fn ports_are_of_one_protocol() {
    let node = egress(&[rule(Action::Allow, Peer::Any, Ports::Class(1)), DENY]);
    assert_eq!(node.sends(&syn()), Pass);
    assert_eq!(node.sends(&udp("10.0.0.1:40000", "10.0.1.1:80", b"")), Drop);
    node.port_class(2, 80, 1);
    let sctp = [0x9c, 0x40, 0, 80, 0, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(node.sends(&other("10.0.0.1", "10.0.1.1", 132, &sctp)), Pass);
}

#[test]
fn protocols_without_ports_match_rules_for_all_traffic_only() {
    for (rules, verdict) in
        [(&[ALLOW, DENY], Pass), (&[rule(Action::Allow, Peer::Any, Ports::Class(1)), DENY], Drop)]
    {
        let node = egress(rules);
        assert_eq!(node.sends(&other("10.0.0.1", "10.0.1.1", 47, b"tunnel")), verdict);
    }
}

#[test]
fn ipv6_and_ipv4_are_decided_alike() {
    let node = egress(&[rule(Action::Allow, Peer::Class(5), Ports::Class(1)), DENY]);
    node.class("fd00::2", 5);
    assert_eq!(node.sends(&tcp("[fd00::1]:40000", "[fd00::2]:80", SYN)), Pass);
    assert_eq!(node.sends(&tcp("[fd00::1]:40000", "[fd00::3]:80", SYN)), Drop);
}

#[test]
fn ingress_has_its_own_profile_and_the_port_is_the_pods() {
    let node = Node::new(&[rule(Action::Allow, Peer::Class(5), Ports::Class(1)), DENY], &[DENY]);
    node.class("10.0.1.1", 5);
    node.port_class(0, 80, 1);
    assert_eq!(node.receives(&tcp("10.0.1.1:40000", "10.0.0.1:80", SYN)), Pass);
    assert_eq!(node.receives(&tcp("10.0.1.1:80", "10.0.0.1:81", SYN)), Drop);
    assert_eq!(node.events(), ["opened ingress rule 0 cause 0", "denied ingress rule 1 cause 1"]);
}

#[test]
fn a_profile_without_rules_allows() {
    let node = Node::new(&[], &[]);
    assert_eq!(node.sends(&syn()), Pass);
    assert_eq!(node.receives(&tcp("10.0.1.1:40000", "10.0.0.1:80", SYN)), Pass);
}

#[test]
fn a_profile_that_is_not_in_the_table_denies() {
    let node = egress(&[ALLOW]);
    node.word(crate::node::Word { egress: 60_000, ..WORD });
    assert_eq!(node.sends(&syn()), Drop);
    assert_eq!(node.count(cause::CAUSE_TABLES), 1);
    assert_eq!(node.events(), ["refused egress rule - cause 15"]);
}

#[test]
fn an_interface_without_a_pod_is_not_ours() {
    let node = egress(&[DENY]);
    node.forget_pod();
    assert_eq!(node.sends(&syn()), Pass);
    assert_eq!(node.events(), [""; 0]);
}

#[test]
fn a_pod_whose_place_is_anothers_is_found_all_the_same() {
    let node = egress(&[ALLOW]);
    let another = types::pod { slot: 9, id: 8, ..types::pod::default() };
    node.place(1 + types::limits::MAX_PODS.0, another);
    assert_eq!(node.sends(&syn()), Pass);
    assert_eq!(node.connections()[0].0.pod, POD_ID);
}
