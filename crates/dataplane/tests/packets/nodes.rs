//! The node's own traffic, what looks like it, and pods that follow each other.

use crate::frames::{ACK, RST, SYN, tcp, udp};
use crate::icmp::{arp, neighbour};
use crate::node::{Drop, Node, Pass, WORD, Word};
use crate::rules::{Action, DENY_REST, Mode, Peer, Ports, Rule, Tier, rule};
use dataplane::skeleton::types::cause;

const ALLOW: Rule = rule(Action::Allow, Peer::Any, Ports::All);
const ADMIN_DENY: Rule = rule(Action::Deny, Peer::Any, Ports::All).in_tier(Tier::Admin);
const OBSERVED_DENY: Rule = DENY_REST.in_mode(Mode::Observed);
const STAGED_DENY: Rule = DENY_REST.in_mode(Mode::Staged);
const NOTHING_YET: Word = Word { ingress: 0, egress: 0, generation: 0, ..WORD };

/// Everything that a pod may be told about its ingress.
fn policies() -> [(&'static [Rule], Word); 6] {
    [
        (&[DENY_REST], WORD),
        (&[ADMIN_DENY, ALLOW], WORD),
        (&[OBSERVED_DENY], WORD),
        (&[STAGED_DENY], WORD),
        (&[DENY_REST], Word { observe: true, ..WORD }),
        (&[DENY_REST], NOTHING_YET),
    ]
}

#[test]
fn the_node_reaches_its_pods_whatever_policies_say() {
    for (rules, word) in policies() {
        let node = Node::new(rules, rules);
        node.word(word);
        assert_eq!(node.receives_from_node(&tcp("10.0.0.254:5000", "10.0.0.1:8080", SYN)), Pass);
        assert_eq!(node.sends(&tcp("10.0.0.1:8080", "10.0.0.254:5000", SYN | ACK)), Pass);
        assert_eq!(node.receives_from_node(&udp("10.0.0.254:53", "10.0.0.1:99", b"")), Pass);
        assert_eq!(node.receives(&arp([10, 0, 0, 254], [10, 0, 0, 1])), Pass);
        assert_eq!(node.sends(&arp([10, 0, 0, 1], [10, 0, 0, 254])), Pass);
        assert_eq!(node.receives(&neighbour("fd00::9", 135, "fd00::1")), Pass);
        assert_eq!(node.sends(&neighbour("fd00::1", 136, "fd00::1")), Pass);
    }
}

/// As traffic to a port of the node has that came from elsewhere and was translated.
#[test]
fn an_address_of_the_node_is_no_exemption_by_itself() {
    for (rules, word) in policies() {
        let node = Node::new(rules, rules);
        node.word(word);
        let enforced = !word.observe && rules.iter().any(|rule| rule.mode == Mode::Enforced);
        let expected = if enforced { Drop } else { Pass };
        assert_eq!(node.receives(&tcp("10.0.0.254:5000", "10.0.0.1:8080", SYN)), expected);
    }
}

/// The address of a pod that goes in the middle of a handshake is the next one's.
#[test]
fn a_connection_is_not_the_next_pods() {
    let node = Node::new(&[DENY_REST], &[ALLOW]);
    assert_eq!(node.sends(&tcp("10.0.0.1:40000", "10.0.1.1:80", SYN)), Pass);
    node.write_next_pod();
    assert_eq!(node.receives(&tcp("10.0.1.1:80", "10.0.0.1:40000", SYN | ACK)), Drop);
    assert_eq!(node.sends(&tcp("10.0.0.1:40000", "10.0.1.1:80", ACK)), Drop);
    assert_eq!(node.count(cause::CAUSE_NOT_CONNECTED), 2);
    node.sweep();
    assert_eq!(node.connections().len(), 0, "nobody has it any more");
}

#[test]
fn the_nodes_own_traffic_passes_and_may_be_answered() {
    let node = Node::new(&[DENY_REST], &[DENY_REST]);
    let probe = tcp("10.0.0.254:5000", "10.0.0.1:8080", SYN);
    assert_eq!(node.receives_from_node(&probe), Pass);
    assert_eq!(node.sends(&tcp("10.0.0.1:8080", "10.0.0.254:5000", SYN | ACK)), Pass);
    assert_eq!(node.sends(&tcp("10.0.0.1:8081", "10.0.0.254:5000", SYN)), Drop);
    let stranger = tcp("10.0.0.253:5000", "10.0.0.1:8080", SYN);
    assert_eq!(node.receives(&stranger), Drop);
}

#[test]
fn the_node_may_use_the_ports_of_its_connections_again() {
    let node = Node::new(&[DENY_REST], &[DENY_REST]);
    let from_node = |flags| tcp("10.0.0.254:5000", "10.0.0.1:8080", flags);
    let answer = tcp("10.0.0.1:8080", "10.0.0.254:5000", SYN | ACK);
    assert_eq!(node.receives_from_node(&from_node(SYN)), Pass);
    assert_eq!(node.sends(&answer), Pass);
    assert_eq!(node.receives_from_node(&from_node(ACK)), Pass);
    assert_eq!(node.receives_from_node(&from_node(SYN)), Pass);
    assert_eq!(node.sends(&answer), Pass);
    assert_eq!(node.receives_from_node(&from_node(RST)), Pass);
    assert_eq!(node.receives_from_node(&from_node(SYN)), Pass);
    assert_eq!(node.sends(&answer), Pass);
    assert_eq!(node.count(cause::CAUSE_POLICY), 0);
}
