//! The life of a TCP connection.

use crate::frames::{ACK, FIN, RST, SYN, tcp};
use crate::node::{Drop, Node, Pass, Verdict};
use crate::rules::{Action, DENY_REST, Peer, Ports, rule};
use dataplane::skeleton::types::{cause, tcp_state};

const POD: &str = "10.0.0.1:40000";
const PEER: &str = "10.0.1.1:80";
const SECOND: u64 = 1_000_000_000;

/// The pod may open connections to class 5 (the peer) on port class 1 (80/tcp); nobody to the pod.
fn node() -> Node {
    let allowed = rule(Action::Allow, Peer::Class(5), Ports::Class(1));
    let node = Node::new(&[DENY_REST], &[allowed, DENY_REST]);
    node.class("10.0.1.1", 5);
    node.port_class(0, 80, 1);
    node
}

fn out(node: &Node, flags: u8) -> Verdict {
    node.sends(&tcp(POD, PEER, flags))
}

fn back(node: &Node, flags: u8) -> Verdict {
    node.receives(&tcp(PEER, POD, flags))
}

fn open() -> Node {
    let node = node();
    assert_eq!(out(&node, SYN), Pass);
    assert_eq!(back(&node, SYN | ACK), Pass);
    assert_eq!(out(&node, ACK), Pass);
    assert_eq!(node.state(), tcp_state::TCP_OPEN);
    assert_eq!(node.events(), ["opened egress rule 0 cause 0"]);
    node
}

#[test]
fn a_handshake_leads_from_opening_over_answered_to_open() {
    let node = node();
    let mut states = Vec::new();
    for step in [out(&node, SYN), back(&node, SYN | ACK), out(&node, ACK)] {
        states.push((step, node.state()));
    }
    assert_eq!(states.iter().map(|(verdict, _)| *verdict).collect::<Vec<_>>(), [Pass; 3]);
    assert_eq!(node.state(), tcp_state::TCP_OPEN);
}

#[test]
fn tcp_that_is_no_syn_and_belongs_to_no_connection_is_denied() {
    for flags in [ACK, SYN | ACK, RST, FIN | ACK] {
        let node = node();
        assert_eq!(out(&node, flags), Drop);
        assert_eq!(node.connections().len(), 0);
        assert_eq!(node.count(cause::CAUSE_NOT_CONNECTED), 1);
    }
}

#[test]
fn a_fin_from_one_side_closes_half_and_from_both_all() {
    let node = open();
    assert_eq!(out(&node, FIN | ACK), Pass);
    assert_eq!(node.state(), tcp_state::TCP_CLOSING);
    assert_eq!(back(&node, FIN | ACK), Pass);
    assert_eq!(node.state(), tcp_state::TCP_CLOSED);
}

#[test]
fn a_reset_closes_and_only_the_openers_plain_ack_opens_again() {
    let node = open();
    assert_eq!(back(&node, RST | ACK), Pass);
    assert_eq!(node.state(), tcp_state::TCP_CLOSED);
    assert_eq!(back(&node, ACK), Pass);
    assert_eq!(node.state(), tcp_state::TCP_CLOSED);
    assert_eq!(out(&node, ACK), Pass);
    assert_eq!(node.state(), tcp_state::TCP_OPEN);
}

#[test]
fn what_a_fin_from_both_sides_closed_stays_closed() {
    let node = open();
    assert_eq!(out(&node, FIN | ACK), Pass);
    assert_eq!(back(&node, FIN | ACK), Pass);
    assert_eq!(out(&node, ACK), Pass);
    assert_eq!(node.state(), tcp_state::TCP_CLOSED);
}

#[test]
fn a_refused_connection_is_not_opened_by_an_ack() {
    let node = node();
    assert_eq!(out(&node, SYN), Pass);
    assert_eq!(back(&node, RST | ACK), Pass);
    assert_eq!(out(&node, ACK), Pass);
    assert_eq!(node.state(), tcp_state::TCP_CLOSED);
}

#[test]
fn each_state_lives_as_long_as_the_design_says() {
    for (lifetime, prepare) in [
        (60, (|_| ()) as fn(&Node)),
        (60, |node| assert_eq!(back(node, SYN | ACK), Pass)),
        (8_000, |node| {
            assert_eq!(back(node, SYN | ACK), Pass);
            assert_eq!(out(node, ACK), Pass);
        }),
        (120, |node| {
            assert_eq!(back(node, SYN | ACK), Pass);
            assert_eq!(out(node, ACK), Pass);
            assert_eq!(out(node, FIN | ACK), Pass);
        }),
        (10, |node| assert_eq!(back(node, RST | ACK), Pass)),
    ] {
        for (silence, expected) in [(lifetime - 1, Pass), (lifetime + 1, Drop)] {
            let node = node();
            assert_eq!(out(&node, SYN), Pass);
            prepare(&node);
            node.silent_for(silence * SECOND);
            assert_eq!(back(&node, ACK), expected, "{silence} s of {lifetime} s");
        }
    }
}

#[test]
fn a_storm_of_fins_or_resets_holds_no_connection() {
    for flags in [FIN | ACK, RST | ACK] {
        let node = open();
        assert_eq!(back(&node, flags), Pass);
        for _ in 0..4 {
            node.silent_for(40 * SECOND);
            back(&node, flags);
        }
        assert_eq!(back(&node, ACK), Drop, "{flags:#x}");
    }
}

#[test]
fn answers_do_not_prolong_a_connection_that_is_only_opening() {
    let node = node();
    assert_eq!(out(&node, SYN), Pass);
    node.silent_for(40 * SECOND);
    assert_eq!(back(&node, ACK), Pass);
    node.silent_for(40 * SECOND);
    assert_eq!(back(&node, ACK), Drop);
}

#[test]
fn a_repeated_syn_prolongs_the_opening() {
    let node = node();
    assert_eq!(out(&node, SYN), Pass);
    node.silent_for(40 * SECOND);
    assert_eq!(out(&node, SYN), Pass);
    node.silent_for(40 * SECOND);
    assert_eq!(back(&node, SYN | ACK), Pass);
    assert_eq!(node.events(), ["opened egress rule 0 cause 0"]);
}

#[test]
fn ports_used_again_are_a_new_decision_that_begins_with_the_answer() {
    let node = open();
    assert_eq!(out(&node, SYN), Pass);
    assert_eq!(node.state(), tcp_state::TCP_OPEN);
    assert_eq!(node.events(), [""; 0]);
    assert_eq!(back(&node, SYN | ACK), Pass);
    assert_eq!(node.state(), tcp_state::TCP_ANSWERED);
    assert_eq!(node.events(), ["closed egress rule 0 cause 0", "opened egress rule 0 cause 0"]);
    assert_eq!(node.used(), 1);
}

#[test]
fn a_syn_from_the_other_side_is_decided_by_the_other_direction() {
    let node = open();
    assert_eq!(back(&node, SYN), Drop);
    assert_eq!(node.state(), tcp_state::TCP_OPEN);
    assert_eq!(node.events(), ["denied ingress rule 0 cause 1"]);
}

#[test]
fn a_closed_connection_is_replaced_by_a_new_one() {
    let node = open();
    assert_eq!(back(&node, RST), Pass);
    assert_eq!(out(&node, SYN), Pass);
    assert_eq!(node.state(), tcp_state::TCP_OPENING);
    assert_eq!(node.events(), ["closed egress rule 0 cause 0", "opened egress rule 0 cause 0"]);
    assert_eq!(node.used(), 1);
}

#[test]
fn flags_that_contradict_themselves_are_malformed() {
    for flags in [0, SYN | FIN, SYN | RST] {
        let node = open();
        assert_eq!(out(&node, flags), Drop, "{flags:#x}");
        assert_eq!(node.count(cause::CAUSE_MALFORMED), 1);
    }
}
