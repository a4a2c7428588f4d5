//! Policies that are observed or staged, pods that are, and policies that change.

use crate::frames::{ACK, SYN, tcp};
use crate::node::{Drop, Node, POD, POD6, Pass, WORD, Word};
use crate::rules::{Action, DENY_REST, Mode, Peer, Ports, Rule, rule};
use dataplane::skeleton::types::{cause, connection_flags, pod_flags, verdict_bits};

const ALLOW: Rule = rule(Action::Allow, Peer::Any, Ports::All);
const NOTHING_YET: Word = Word { ingress: 0, egress: 0, generation: 0, ..WORD };

fn syn() -> Vec<u8> {
    tcp("10.0.0.1:40000", "10.0.1.1:80", SYN)
}

fn answer() -> Vec<u8> {
    tcp("10.0.1.1:80", "10.0.0.1:40000", SYN | ACK)
}

fn egress(rules: &[Rule]) -> Node {
    Node::new(&[DENY_REST], rules)
}

#[test]
fn an_observed_policy_reports_and_drops_nothing() {
    let node = egress(&[DENY_REST.in_mode(Mode::Observed)]);
    assert_eq!(node.sends(&syn()), Pass);
    let [event] = node.raw_events()[..] else { panic!("one event") };
    assert_eq!((event.rule, event.observed_rule, event.staged_rule), (0xffff, 0, 0));
    let expected = verdict_bits::VERDICT_OBSERVED_DENY.0 | verdict_bits::VERDICT_STAGED_DENY.0;
    assert_eq!(u32::from(event.verdicts), expected);
}

#[test]
fn a_staged_policy_is_evaluated_as_if_it_were_added() {
    let node = egress(&[ALLOW, DENY_REST.in_mode(Mode::Staged)]);
    assert_eq!(node.sends(&syn()), Pass);
    let [event] = node.raw_events()[..] else { panic!("one event") };
    assert_eq!((event.rule, event.observed_rule, event.staged_rule, event.verdicts), (0, 0, 0, 0));
    let node = egress(&[ALLOW.in_mode(Mode::Staged), DENY_REST]);
    assert_eq!(node.sends(&syn()), Drop);
    let [event] = node.raw_events()[..] else { panic!("one event") };
    assert_eq!((event.rule, event.observed_rule, event.staged_rule), (1, 1, 0));
    let expected = verdict_bits::VERDICT_DENY.0 | verdict_bits::VERDICT_OBSERVED_DENY.0;
    assert_eq!(u32::from(event.verdicts), expected);
}

#[test]
fn an_observed_pod_loses_nothing_by_policy() {
    let node = egress(&[DENY_REST]);
    node.word(Word { observe: true, ..WORD });
    assert_eq!(node.sends(&syn()), Pass);
    assert_eq!(node.receives(&answer()), Pass);
    assert_eq!(node.sends(&tcp("10.0.0.1:40001", "10.0.1.1:80", ACK)), Pass);
    let [(_, connection)] = node.connections()[..] else { panic!("one connection") };
    assert!(u32::from(connection.flags) & connection_flags::CONNECTION_OBSERVED.0 != 0);
    assert_eq!(node.events(), ["opened egress rule 0 cause 0", "refused egress rule - cause 10"]);
}

#[test]
fn an_observed_pod_may_not_forge_either() {
    let node = egress(&[ALLOW]);
    node.word(Word { observe: true, ..WORD });
    assert_eq!(node.sends(&tcp("10.0.0.2:40000", "10.0.1.1:80", SYN)), Drop);
}

#[test]
fn a_pod_without_a_policy_yet_passes_nothing() {
    let node = egress(&[ALLOW]);
    node.word(NOTHING_YET);
    assert_eq!(node.sends(&syn()), Drop);
    assert_eq!(node.receives(&tcp("10.0.1.1:80", "10.0.0.1:80", SYN)), Drop);
    assert_eq!(node.count(cause::CAUSE_NO_POLICY_YET), 2);
}

#[test]
fn a_pod_open_until_its_policy_is_decided_again_once_it_is_there() {
    let node = egress(&[DENY_REST]);
    node.write_pod(&[POD, POD6], pod_flags::POD_OPEN_UNTIL_POLICY.0);
    node.word(NOTHING_YET);
    assert_eq!(node.sends(&syn()), Pass);
    assert_eq!(node.receives(&answer()), Pass);
    node.word(Word { keep: true, ..WORD });
    assert_eq!(node.receives(&answer()), Drop);
    assert_eq!(node.events(), ["opened egress rule - cause 0", "revoked egress rule 0 cause 1"]);
}

#[test]
fn what_a_new_policy_denies_is_cut_on_its_next_packet() {
    for reply in [false, true] {
        let node = egress(&[ALLOW]);
        assert_eq!(node.sends(&syn()), Pass);
        assert_eq!(node.receives(&answer()), Pass);
        node.profile(3, &[DENY_REST]);
        node.word(Word { egress: 3, generation: 2, ..WORD });
        let next = if reply {
            node.receives(&answer())
        } else {
            node.sends(&tcp("10.0.0.1:40000", "10.0.1.1:80", ACK))
        };
        assert_eq!(next, Drop);
        assert_eq!(node.connections().len(), 0);
        assert_eq!(node.used(), 0);
        assert_eq!(
            node.events(),
            ["opened egress rule 0 cause 0", "revoked egress rule 0 cause 1"]
        );
    }
}

#[test]
fn what_a_new_policy_allows_goes_on_under_its_rule() {
    let node = egress(&[ALLOW]);
    assert_eq!(node.sends(&syn()), Pass);
    node.profile(3, &[rule(Action::Deny, Peer::Class(9), Ports::All), ALLOW, DENY_REST]);
    node.word(Word { egress: 3, generation: 2, ..WORD });
    assert_eq!(node.receives(&answer()), Pass);
    let [(_, connection)] = node.connections()[..] else { panic!("one connection") };
    assert_eq!((connection.profile, connection.rule, connection.generation), (3, 1, 2));
}

#[test]
fn a_pod_that_keeps_its_connections_keeps_them_but_opens_none() {
    let node = egress(&[ALLOW]);
    assert_eq!(node.sends(&syn()), Pass);
    node.profile(3, &[DENY_REST]);
    node.word(Word { egress: 3, generation: 2, keep: true, ..WORD });
    assert_eq!(node.receives(&answer()), Pass);
    assert_eq!(node.sends(&tcp("10.0.0.1:40000", "10.0.1.1:80", ACK)), Pass);
    assert_eq!(node.sends(&syn()), Drop);
    assert_eq!(node.sends(&tcp("10.0.0.1:40001", "10.0.1.1:80", SYN)), Drop);
}

#[test]
fn the_column_of_the_word_is_the_one_that_is_read() {
    let node = egress(&[rule(Action::Allow, Peer::Class(5), Ports::All), DENY_REST]);
    node.classes("10.0.1.1", [6, 5]);
    assert_eq!(node.sends(&syn()), Drop);
    node.word(Word { column: 1, generation: 2, ..WORD });
    assert_eq!(node.sends(&syn()), Pass);
}
