//! ICMP, neighbour discovery, ARP.

use crate::frames::{ACK, IP, SYN, other, tcp, udp, with};
use crate::node::{Drop, Node, Pass, Verdict, WORD, Word};
use crate::rules::{Action, DENY_REST, Peer, Ports, Rule, rule};
use dataplane::skeleton::types::cause;

const ALLOW: Rule = rule(Action::Allow, Peer::Any, Ports::All);
const POD: &str = "10.0.0.1";
const PEER: &str = "10.0.1.1";

/// Echo requests are type 8, replies 0.
fn echo(from: &str, to: &str, kind: u8) -> Vec<u8> {
    other(from, to, 1, &[kind, 0, 0, 0, 0x12, 0x34, 0, 1])
}

/// An error that quotes a frame's IP packet.
fn error(from: &str, to: &str, quoted: &[u8]) -> Vec<u8> {
    let payload = [&[3, 1, 0, 0, 0, 0, 0, 0], &quoted[IP..]].concat();
    other(from, to, 1, &payload)
}

fn egress_only() -> Node {
    Node::new(&[DENY_REST], &[ALLOW])
}

#[test]
fn an_echo_passes_with_its_reply() {
    let node = egress_only();
    assert_eq!(node.sends(&echo(POD, PEER, 8)), Pass);
    assert_eq!(node.receives(&echo(PEER, POD, 0)), Pass);
}

#[test]
fn an_echo_request_never_passes_as_somebodys_reply() {
    let node = egress_only();
    assert_eq!(node.sends(&echo(POD, PEER, 8)), Pass);
    assert_eq!(node.receives(&echo(PEER, POD, 8)), Drop);
    assert_eq!(node.sends(&echo(POD, PEER, 0)), Drop);
    assert_eq!(node.count(cause::CAUSE_ICMP_UNRELATED), 1);
}

#[test]
fn an_echo_reply_opens_nothing() {
    let node = egress_only();
    assert_eq!(node.sends(&echo(POD, PEER, 0)), Drop);
    assert_eq!(node.connections().len(), 0);
}

#[test]
fn other_icmp_has_no_reply() {
    let node = egress_only();
    let timestamp = |kind: u8| [vec![kind, 0, 0, 0, 0, 1, 0, 1], vec![0; 12]].concat();
    assert_eq!(node.sends(&other(POD, PEER, 1, &timestamp(13))), Pass);
    assert_eq!(node.receives(&other(PEER, POD, 1, &timestamp(14))), Drop);
    assert_eq!(node.receives(&other(PEER, POD, 1, &timestamp(13))), Drop);
}

#[test]
fn an_error_passes_if_it_quotes_a_packet_of_a_connection() {
    let node = egress_only();
    let packet = udp("10.0.0.1:1000", "10.0.1.1:53", b"");
    assert_eq!(node.receives(&error("10.9.9.9", POD, &packet)), Drop);
    assert_eq!(node.sends(&packet), Pass);
    assert_eq!(node.receives(&error("10.9.9.9", POD, &packet)), Pass);
    let another = udp("10.0.0.1:1001", "10.0.1.1:53", b"");
    assert_eq!(node.receives(&error("10.9.9.9", POD, &another)), Drop);
    let not_ours = udp("10.0.0.2:1000", "10.0.1.1:53", b"");
    assert_eq!(node.receives(&error("10.9.9.9", POD, &not_ours)), Drop);
}

#[test]
fn an_error_of_the_pod_goes_to_whom_it_quotes_only() {
    let node = Node::new(&[ALLOW], &[DENY_REST]);
    let packet = udp("10.0.1.1:1000", "10.0.0.1:53", b"");
    assert_eq!(node.receives(&packet), Pass);
    assert_eq!(node.sends(&error(POD, PEER, &packet)), Pass);
    assert_eq!(node.sends(&error(POD, "10.0.1.2", &packet)), Drop);
}

#[test]
fn an_error_about_an_echo_belongs_to_it() {
    let node = egress_only();
    let request = echo(POD, PEER, 8);
    assert_eq!(node.sends(&request), Pass);
    assert_eq!(node.receives(&error("10.9.9.9", POD, &request)), Pass);
}

#[test]
fn router_messages_never_come_from_a_pod_and_are_not_reported() {
    for kind in [5, 9, 10] {
        let node = egress_only();
        assert_eq!(node.sends(&other(POD, PEER, 1, &[kind, 0, 0, 0, 0, 0, 0, 0])), Drop);
        assert_eq!(node.count(cause::CAUSE_LINK_LOCAL), 1);
        assert_eq!(node.events(), [""; 0]);
    }
    for kind in [130, 131, 132, 133, 134, 137, 143] {
        let node = egress_only();
        let message = other("fd00::1", "ff02::2", 58, &[&[kind, 0][..], &[0; 40]].concat());
        assert_eq!(node.sends(&message), Drop);
        assert_eq!(node.count(cause::CAUSE_LINK_LOCAL), 1, "{kind}");
    }
}

/// A neighbour solicitation (135) or advertisement (136) about a target.
pub(crate) fn neighbour(from: &str, kind: u8, target: &str) -> Vec<u8> {
    let target: std::net::Ipv6Addr = target.parse().unwrap();
    let payload = [&[kind, 0, 0, 0, 0, 0, 0, 0], &target.octets()[..]].concat();
    with(other(from, "ff02::1", 58, &payload), IP + 7, &[255])
}

#[test]
fn neighbour_discovery_speaks_of_own_addresses_only() {
    for (from, kind, target, verdict) in [
        ("fd00::1", 135, "fd00::2", Pass),
        ("fd00::9", 135, "fd00::2", Drop),
        ("::", 135, "fd00::1", Pass),
        ("::", 135, "fd00::2", Drop),
        ("fd00::1", 136, "fd00::1", Pass),
        ("fd00::1", 136, "fd00::2", Drop),
        ("::", 136, "fd00::1", Drop),
    ] {
        let node = Node::new(&[DENY_REST], &[DENY_REST]);
        assert_eq!(node.sends(&neighbour(from, kind, target)), verdict, "{from} {kind} {target}");
        assert_eq!(node.receives(&neighbour("fd00::9", kind, target)), Pass);
    }
}

#[test]
fn neighbour_discovery_that_passed_a_router_is_malformed() {
    let node = egress_only();
    let message = with(neighbour("fd00::1", 135, "fd00::2"), IP + 7, &[254]);
    assert_eq!(node.sends(&message), Drop);
    assert_eq!(node.count(cause::CAUSE_MALFORMED), 1);
}

pub(crate) fn arp(sender: [u8; 4], target: [u8; 4]) -> Vec<u8> {
    let ethernet = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 6];
    let fixed = [0, 1, 8, 0, 6, 4, 0, 1];
    [&ethernet[..], &fixed, &[2; 6], &sender, &[0; 6], &target].concat()
}

#[test]
fn arp_speaks_of_own_addresses_only() {
    let own = [10, 0, 0, 1];
    let foreign = [10, 0, 0, 2];
    let none = [0, 0, 0, 0];
    let ask = |sender, target| {
        let node = Node::new(&[DENY_REST], &[DENY_REST]);
        assert_eq!(node.receives(&arp(sender, target)), Pass);
        node.sends(&arp(sender, target))
    };
    let asked: Vec<Verdict> = [(own, foreign), (foreign, own), (none, own), (none, foreign)]
        .into_iter()
        .map(|(sender, target)| ask(sender, target))
        .collect();
    assert_eq!(asked, [Pass, Drop, Pass, Drop]);
}

#[test]
fn arp_of_other_kinds_is_malformed_and_short_arp_truncated() {
    let whole = arp([10, 0, 0, 1], [10, 0, 0, 2]);
    for (frame, why) in [
        (with(whole.clone(), IP + 2, &[0x86, 0xdd]), cause::CAUSE_MALFORMED),
        (with(whole.clone(), IP + 5, &[16]), cause::CAUSE_MALFORMED),
        (whole[..40].to_vec(), cause::CAUSE_TRUNCATED),
    ] {
        let node = egress_only();
        assert_eq!(node.sends(&frame), Drop);
        assert_eq!(node.count(why), 1);
    }
}

/// Through a Service: it comes back with an address of the node, and counts as the pod.
#[test]
fn a_pod_that_reaches_itself_through_a_service_is_a_peer_like_any_other() {
    let to_itself = tcp("10.0.0.254:5000", "10.0.0.1:8080", SYN);
    let open = rule(Action::Allow, Peer::Class(7), Ports::All);
    let node = Node::new(&[open, DENY_REST], &[DENY_REST]);
    node.class("10.0.0.254", 7);
    assert_eq!(node.receives_from_itself(&to_itself), Drop, "the address is not what counts");
    node.class("10.0.0.1", 7);
    assert_eq!(node.receives_from_itself(&to_itself), Pass);
    assert_eq!(node.sends(&tcp("10.0.0.1:8080", "10.0.0.254:5000", SYN | ACK)), Pass);
    node.profile(3, &[DENY_REST]);
    node.word(Word { ingress: 3, generation: WORD.generation + 1, ..WORD });
    assert_eq!(node.sends(&tcp("10.0.0.1:8080", "10.0.0.254:5000", ACK)), Drop, "revoked");
}
