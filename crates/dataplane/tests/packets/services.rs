//! Connections towards a Service, at the pod's interface: they wait for the hook behind the translation.

use crate::frames::{ACK, SYN, tcp};
use crate::node::{Drop, Node, POD, POD6, Pass, WORD, Word, address};
use crate::rules::{Action, DENY_REST, Peer, Ports, rule};
use dataplane::skeleton::types::{cause, connection_flags, service_key, settings};
use dataplane::{DEFAULT_SETTINGS, tracked_connection_type};

const SERVICE: &str = "10.96.0.1:80";
const CLIENT: &str = "10.0.0.1:40000";

/// Egress is denied but for class 5; the Service is translated, and has no class itself.
fn node() -> Node {
    let tracked = tracked_connection_type().unwrap();
    assert_ne!(tracked, 0, "the kernel must track connections");
    let settings = settings { nf_conn_btf_id: tracked, ..DEFAULT_SETTINGS };
    let allowed = rule(Action::Allow, Peer::Class(5), Ports::All);
    let node = Node::with_settings(&settings, &[DENY_REST], &[allowed, DENY_REST]);
    let key = service_key { address: address("10.96.0.1"), port: 80, protocol: 6 };
    node.put(&node.maps().services, &key, &0_u32);
    node
}

#[test]
fn a_packet_towards_a_service_is_left_open_and_makes_no_event() {
    let node = node();
    assert_eq!(node.sends(&tcp(CLIENT, SERVICE, SYN)), Pass);
    let [(_, connection)] = node.connections()[..] else { panic!("one connection") };
    let pending = connection_flags::CONNECTION_SERVICE_PENDING.0;
    assert_eq!(u32::from(connection.flags), pending);
    assert_eq!(node.events(), [""; 0]);
    assert_eq!(node.sends(&tcp(CLIENT, "10.96.0.1:81", SYN)), Drop);
}

#[test]
fn an_undecided_connection_passes_no_reply() {
    let node = node();
    assert_eq!(node.sends(&tcp(CLIENT, SERVICE, SYN)), Pass);
    assert_eq!(node.receives(&tcp(SERVICE, CLIENT, SYN | ACK)), Drop);
    assert_eq!(node.count(cause::CAUSE_SERVICE_UNDECIDED), 1);
}

#[test]
fn an_undecided_connection_leaves_without_an_event() {
    let node = node();
    assert_eq!(node.sends(&tcp(CLIENT, SERVICE, SYN)), Pass);
    node.silent_for(61_000_000_000);
    node.sweep();
    assert_eq!((node.connections().len(), node.used()), (0, 0));
    assert_eq!(node.events(), [""; 0]);
}

#[test]
fn a_service_is_no_way_out_of_a_pod_without_a_policy_yet() {
    let node = node();
    node.write_pod(&[POD, POD6], 0);
    node.word(Word { ingress: 0, egress: 0, generation: 0, ..WORD });
    assert_eq!(node.sends(&tcp(CLIENT, SERVICE, SYN)), Drop);
    assert_eq!(node.count(cause::CAUSE_NO_POLICY_YET), 1);
}

#[test]
fn without_connection_tracking_a_service_is_an_address_like_others() {
    let allowed = rule(Action::Allow, Peer::Class(5), Ports::All);
    let node = Node::new(&[DENY_REST], &[allowed, DENY_REST]);
    let key = service_key { address: address("10.96.0.1"), port: 80, protocol: 6 };
    node.put(&node.maps().services, &key, &0_u32);
    assert_eq!(node.sends(&tcp(CLIENT, SERVICE, SYN)), Drop);
}
