//! Full tables, quotas, expiry, and what is told about it.

use crate::frames::{ACK, SYN, tcp, udp};
use crate::node::{Drop, Node, Pass};
use crate::rules::{Action, DENY_REST, Peer, Ports, Rule, rule};
use dataplane::DEFAULT_SETTINGS;
use dataplane::skeleton::types::{cause, settings};
use std::thread;
use std::time::{Duration, Instant};

const ALLOW: Rule = rule(Action::Allow, Peer::Any, Ports::All);
const SECOND: u64 = 1_000_000_000;

fn open_node() -> Node {
    Node::new(&[ALLOW], &[ALLOW])
}

fn syn(port: u16) -> Vec<u8> {
    tcp(&format!("10.0.0.1:{port}"), "10.0.1.1:80", SYN)
}

#[test]
fn a_full_table_refuses_new_connections_and_forgets_no_old_one() {
    let node = open_node();
    for port in 1..=64 {
        assert_eq!(node.sends(&syn(port)), Pass);
    }
    assert_eq!(node.sends(&syn(65)), Drop);
    assert_eq!(node.count(cause::CAUSE_CONNECTIONS_FULL), 1);
    assert_eq!((node.connections().len(), node.used()), (64, 64));
    assert_eq!(node.receives(&tcp("10.0.1.1:80", "10.0.0.1:1", SYN | ACK)), Pass);
}

#[test]
fn a_pod_over_its_share_opens_no_more() {
    let node = Node::with_settings(
        &settings { pod_connections: 2, ..DEFAULT_SETTINGS },
        &[ALLOW],
        &[ALLOW],
    );
    assert_eq!([1, 2, 3].map(|port| node.sends(&syn(port))), [Pass, Pass, Drop]);
    assert_eq!(node.count(cause::CAUSE_POD_QUOTA), 1);
    node.silent_for(61 * SECOND);
    node.sweep();
    assert_eq!(node.sends(&syn(3)), Pass);
}

#[test]
fn denied_packets_make_no_entry_and_are_reported_once_and_then_as_a_sum() {
    let node = Node::new(&[ALLOW], &[DENY_REST]);
    for port in 1..=5 {
        assert_eq!(node.sends(&syn(port)), Drop);
    }
    assert_eq!((node.connections().len(), node.used()), (0, 0));
    assert_eq!(node.events(), ["denied egress rule 0 cause 1"]);
    node.sweep();
    let [event] = node.raw_events()[..] else { panic!("one sum") };
    assert_eq!((event.count, event.remote_port, event.profile), (4, 80, 2));
    node.sweep();
    assert_eq!(node.events(), [""; 0]);
    assert_eq!(node.count(cause::CAUSE_POLICY), 5);
}

#[test]
fn denials_that_find_no_room_are_counted() {
    let node = Node::new(&[ALLOW], &[DENY_REST]);
    for port in 1..=65 {
        assert_eq!(node.sends(&tcp("10.0.0.1:1", &format!("10.0.1.1:{port}"), SYN)), Drop);
    }
    assert_eq!(node.events().len(), 64);
    assert_eq!(node.count(cause::CAUSE_AGGREGATE_FULL), 1);
}

#[test]
fn an_event_that_finds_no_room_leaves_a_gap_and_a_number() {
    let node = open_node();
    while node.count(cause::CAUSE_RING_FULL) < 5 {
        assert_eq!(node.sends(&udp("10.0.0.1:1", "10.0.1.1:53", b"")), Pass);
        node.silent_for(31 * SECOND);
    }
    let delivered = node.raw_events().len() as u64;
    assert_eq!(delivered + node.count(cause::CAUSE_RING_FULL), node.numbered());
}

#[test]
fn an_entry_leaves_only_when_its_report_is_in_the_ring() {
    let node = open_node();
    while node.count(cause::CAUSE_RING_FULL) == 0 {
        assert_eq!(node.sends(&udp("10.0.0.1:1", "10.0.1.1:53", b"")), Pass);
        node.silent_for(31 * SECOND);
    }
    node.sweep();
    assert_eq!(node.connections().len(), 1);
    node.raw_events();
    node.sweep();
    assert_eq!(node.connections().len(), 0);
    assert_eq!(node.events(), ["closed egress rule 0 cause 0"]);
}

#[test]
fn what_is_over_leaves_with_its_counters() {
    let node = open_node();
    let request = udp("10.0.0.1:1", "10.0.1.1:53", b"question");
    let answer = udp("10.0.1.1:53", "10.0.0.1:1", b"a longer answer");
    assert_eq!((node.sends(&request), node.receives(&answer)), (Pass, Pass));
    node.events();
    node.silent_for(179 * SECOND);
    node.sweep();
    assert_eq!(node.connections().len(), 1);
    node.silent_for(2 * SECOND);
    node.sweep();
    assert_eq!((node.connections().len(), node.used()), (0, 0));
    let events = node.raw_events();
    let Some(event) = events.last() else { panic!("an event") };
    assert_eq!(event.packets, [1, 1]);
    assert_eq!(event.bytes, [answer.len() as u64, request.len() as u64]);
}

#[test]
fn every_packet_and_byte_is_counted_however_many_there_are() {
    let node = open_node();
    let small = udp("10.0.0.1:1", "10.0.1.1:53", b"");
    let large = udp("10.0.0.1:1", "10.0.1.1:53", &[7; 3_000]);
    // More than the word holds that both are added to, of packets and then of bytes.
    for frame in std::iter::repeat_n(&small, 700).chain(std::iter::repeat_n(&large, 12_000)) {
        assert_eq!(node.sends(frame), Pass);
    }
    assert_eq!(node.packets(), [0, 12_700]);
    node.silent_for(181 * SECOND);
    node.sweep();
    let events = node.raw_events();
    let Some(event) = events.last() else { panic!("an event") };
    assert_eq!(event.packets, [0, 12_700]);
    assert_eq!(event.bytes, [0, (700 * small.len() + 12_000 * large.len()) as u64]);
}

#[test]
fn udp_that_nobody_answers_lives_shorter() {
    let node = open_node();
    assert_eq!(node.sends(&udp("10.0.0.1:1", "10.0.1.1:53", b"")), Pass);
    node.silent_for(31 * SECOND);
    node.sweep();
    assert_eq!(node.events(), ["opened egress rule 0 cause 0", "closed egress rule 0 cause 0"]);
}

#[test]
fn an_expired_entry_counts_as_none() {
    let node = Node::new(&[DENY_REST], &[ALLOW]);
    assert_eq!(node.sends(&udp("10.0.0.1:1", "10.0.1.1:53", b"")), Pass);
    node.silent_for(31 * SECOND);
    assert_eq!(node.receives(&udp("10.0.1.1:53", "10.0.0.1:1", b"")), Drop);
    assert_eq!(node.sends(&udp("10.0.0.1:1", "10.0.1.1:53", b"")), Pass);
    assert_eq!(node.used(), 1);
}

#[test]
fn what_nobody_sweeps_leaves_by_itself_even_without_room_for_its_report() {
    const UNATTENDED: Duration = Duration::from_millis(200);
    let unattended = u64::try_from(UNATTENDED.as_nanos()).unwrap();
    let node =
        Node::with_settings(&settings { unattended, ..DEFAULT_SETTINGS }, &[ALLOW], &[ALLOW]);
    while node.count(cause::CAUSE_RING_FULL) == 0 {
        assert_eq!(node.sends(&udp("10.0.0.1:1", "10.0.1.1:53", b"")), Pass);
        node.silent_for(31 * SECOND);
    }
    assert_eq!(node.sends(&udp("10.0.0.1:2", "10.0.1.1:53", b"")), Pass);
    node.silent_for(20 * SECOND);
    let before = node.count(cause::CAUSE_RING_FULL);
    node.begin_watch();
    let since = Instant::now();
    while node.connections().len() > 1 {
        assert!(since.elapsed() < 100 * UNATTENDED, "one is over, and one is not");
        thread::sleep(UNATTENDED / 10);
    }
    assert_eq!(node.used(), 1);
    assert_eq!(node.count(cause::CAUSE_RING_FULL), before + 1, "the lost report is counted");
    // The next process does the same again.
    node.begin_watch();
}

#[test]
fn an_open_connection_reports_its_counters_now_and_then() {
    let node =
        Node::with_settings(&settings { active_report: 1, ..DEFAULT_SETTINGS }, &[ALLOW], &[ALLOW]);
    assert_eq!(node.sends(&syn(1)), Pass);
    node.events();
    node.sweep();
    assert_eq!(node.events(), ["active egress rule 0 cause 0"]);
}

#[test]
fn the_connections_of_a_pod_that_is_gone_leave() {
    let node = open_node();
    assert_eq!(node.sends(&syn(1)), Pass);
    node.give_slot_to(8);
    node.sweep();
    assert_eq!(node.connections().len(), 0);
    assert_eq!(node.used(), 0);
}

#[test]
fn a_slot_that_is_not_the_pods_is_a_defect_and_denies() {
    let node = open_node();
    node.give_slot_to(8);
    assert_eq!(node.sends(&syn(1)), Drop);
    assert_eq!(node.count(cause::CAUSE_TABLES), 1);
}
