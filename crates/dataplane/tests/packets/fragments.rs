//! Fragments get the ports that the first one showed, or do not pass.

use crate::frames::{IP, SYN, tcp, udp, with};
use crate::node::{Drop, Node, Pass};
use crate::rules::{Action, DENY_REST, Peer, Ports, rule};
use dataplane::skeleton::types::cause;

/// Only 53/udp and 80/tcp may be reached.
fn node() -> Node {
    let node =
        Node::new(&[DENY_REST], &[rule(Action::Allow, Peer::Any, Ports::Class(1)), DENY_REST]);
    node.port_class(1, 53, 1);
    node.port_class(0, 80, 1);
    node
}

/// The IPv4 packet as a fragment: its offset in units of 8, and whether more follow.
fn fragment(frame: Vec<u8>, offset: u16, more: bool) -> Vec<u8> {
    let field = offset | if more { 0x2000 } else { 0 };
    with(with(frame, IP + 6, &field.to_be_bytes()), IP + 4, &[0xab, 0xcd])
}

fn first(port: u16) -> Vec<u8> {
    fragment(udp("10.0.0.1:1000", &format!("10.0.1.1:{port}"), &[7; 24]), 0, true)
}

/// Bytes where a transport header would be; they must not be read as one.
fn rest(offset: u16) -> Vec<u8> {
    fragment(udp("10.0.0.1:1000", "10.0.1.1:99", &[7; 24]), offset, false)
}

#[test]
fn the_rest_passes_with_its_first_fragment() {
    let node = node();
    assert_eq!(node.sends(&first(53)), Pass);
    assert_eq!(node.sends(&rest(4)), Pass);
    assert_eq!(node.packets(), [0, 2]);
}

#[test]
fn the_rest_of_a_denied_datagram_is_denied() {
    let node = node();
    assert_eq!(node.sends(&first(54)), Drop);
    assert_eq!(node.sends(&rest(4)), Drop);
    assert_eq!(node.count(cause::CAUSE_FRAGMENT), 1);
}

#[test]
fn a_fragment_whose_first_one_was_not_seen_is_denied() {
    let node = node();
    assert_eq!(node.sends(&rest(4)), Drop);
    assert_eq!(node.count(cause::CAUSE_FRAGMENT), 1);
}

#[test]
fn a_first_fragment_that_hides_the_transport_header_is_denied() {
    for (frame, kept) in [
        (tcp("10.0.0.1:1000", "10.0.1.1:80", SYN), 16_u16),
        (udp("10.0.0.1:1000", "10.0.1.1:53", b""), 0),
    ] {
        let node = node();
        let mut frame = fragment(frame, 0, true);
        frame.truncate(IP + 20 + usize::from(kept));
        let frame = with(frame, IP + 2, &(20 + kept).to_be_bytes());
        assert_eq!(node.sends(&frame), Drop);
        assert_eq!(node.count(cause::CAUSE_FRAGMENT), 1);
    }
}

#[test]
fn a_fragment_that_reaches_into_the_transport_header_is_denied() {
    let mut opening = tcp("10.0.0.1:1000", "10.0.1.1:80", SYN);
    opening.extend([0; 4]);
    let opening = fragment(with(opening, IP + 2, &[0, 44]), 0, true);
    for (offset, verdict) in [(1, Drop), (2, Drop), (3, Pass)] {
        let node = node();
        assert_eq!(node.sends(&opening), Pass);
        let next = fragment(tcp("10.0.0.1:1000", "10.0.1.1:80", SYN), offset, false);
        assert_eq!(node.sends(&next), verdict, "{offset}");
    }
}

#[test]
fn a_fragment_cut_between_units_or_over_the_longest_datagram_is_denied() {
    for (payload, offset, more) in [(21, 4, true), (24, 8191, false)] {
        let node = node();
        assert_eq!(node.sends(&first(53)), Pass);
        let frame = udp("10.0.0.1:1000", "10.0.1.1:53", &vec![7; payload]);
        assert_eq!(node.sends(&fragment(frame, offset, more)), Drop);
        assert_eq!(node.count(cause::CAUSE_FRAGMENT), 1);
    }
}

/// A fragment header in front of a datagram to port 53, or to where its bytes say.
fn fragment6(offset_and_more: u16) -> Vec<u8> {
    let mut frame = udp("[fd00::1]:1000", "[fd00::2]:53", &[7; 24]);
    let field = offset_and_more.to_be_bytes();
    frame.splice(IP + 40..IP + 40, [17, 0, field[0], field[1], 0, 0, 0, 9]);
    frame[IP + 6] = 44;
    with(frame, IP + 4, &[0, 40])
}

#[test]
fn ipv6_fragments_follow_the_same_rules() {
    let node = node();
    assert_eq!(node.sends(&fragment6(8)), Drop);
    assert_eq!(node.sends(&fragment6(1)), Pass);
    assert_eq!(node.sends(&fragment6(32)), Pass);
    // A "fragment" that is the whole datagram.
    assert_eq!(node.sends(&fragment6(0)), Pass);
    assert_eq!(node.count(cause::CAUSE_FRAGMENT), 1);
}

#[test]
fn one_pods_first_fragment_opens_nothing_in_the_other_direction() {
    let node = node();
    assert_eq!(node.sends(&first(53)), Pass);
    let back = fragment(udp("10.0.1.1:53", "10.0.0.1:1000", &[7; 24]), 4, false);
    assert_eq!(node.receives(&back), Drop);
}
