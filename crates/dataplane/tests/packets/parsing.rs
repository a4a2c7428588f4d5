//! What cannot be parsed is denied and counted, in every mode: IP headers, frames, forged addresses.

use crate::frames::{IP, SYN, other, tcp, udp, with};
use crate::node::{Drop, Node, Pass};
use crate::rules::{Action, Peer, Ports, rule};
use dataplane::skeleton::types::cause;

fn open_node() -> Node {
    let all = [rule(Action::Allow, Peer::Any, Ports::All)];
    Node::new(&all, &all)
}

fn syn() -> Vec<u8> {
    tcp("10.0.0.1:40000", "10.0.1.1:80", SYN)
}

fn syn6() -> Vec<u8> {
    tcp("[fd00::1]:40000", "[fd00::2]:80", SYN)
}

/// The frame is dropped for this cause and for no other.
fn refused(frame: &[u8], why: cause) {
    let node = open_node();
    assert_eq!(node.sends(frame), Drop);
    assert_eq!(node.count(why), 1, "{why:?}");
    assert_eq!(node.connections().len(), 0);
}

fn passed(frame: &[u8]) {
    assert_eq!(open_node().sends(frame), Pass);
}

/// IPv4 with options in front of the transport header.
fn with_options(options: &[u8]) -> Vec<u8> {
    let mut frame = syn();
    frame.splice(IP + 20..IP + 20, options.iter().copied());
    frame[IP] = 0x45 + u8::try_from(options.len() / 4).unwrap();
    let length = u16::try_from(frame.len() - IP).unwrap();
    with(frame, IP + 2, &length.to_be_bytes())
}

/// IPv6 with headers between the fixed one and TCP; `first` is the type of the first of them.
fn with_extensions(first: u8, headers: &[u8]) -> Vec<u8> {
    let mut frame = syn6();
    frame.splice(IP + 40..IP + 40, headers.iter().copied());
    frame[IP + 6] = first;
    let length = u16::try_from(frame.len() - IP - 40).unwrap();
    with(frame, IP + 4, &length.to_be_bytes())
}

#[test]
fn whole_packets_pass() {
    passed(&syn());
    passed(&syn6());
}

#[test]
fn an_ipv4_header_under_five_words_is_malformed() {
    for words in 0..5 {
        refused(&with(syn(), IP, &[0x40 + words]), cause::CAUSE_MALFORMED);
    }
}

#[test]
fn an_ipv4_header_longer_than_its_packet_is_malformed() {
    refused(&with(syn(), IP, &[0x4f]), cause::CAUSE_MALFORMED);
}

#[test]
fn a_header_of_the_other_version_is_malformed() {
    refused(&with(syn(), IP, &[0x65]), cause::CAUSE_MALFORMED);
    refused(&with(syn6(), IP, &[0x40]), cause::CAUSE_MALFORMED);
}

#[test]
fn a_total_length_that_contradicts_the_packet_is_refused() {
    refused(&with(syn(), IP + 2, &[0, 19]), cause::CAUSE_MALFORMED);
    refused(&with(syn(), IP + 2, &[0, 41]), cause::CAUSE_TRUNCATED);
    refused(&with(syn(), IP + 2, &[0, 0]), cause::CAUSE_MALFORMED);
    refused(&with(syn(), IP + 2, &[0, 39]), cause::CAUSE_TRUNCATED);
    refused(&with(syn6(), IP + 4, &[0, 21]), cause::CAUSE_TRUNCATED);
    refused(&with(syn6(), IP + 4, &[0, 19]), cause::CAUSE_TRUNCATED);
}

#[test]
fn packets_that_the_kernel_merged_may_have_no_total_length() {
    for frame in [with(syn(), IP + 2, &[0, 0]), with(syn6(), IP + 4, &[0, 0])] {
        assert_eq!(open_node().sends_merged(&frame), Pass);
    }
}

#[test]
fn padding_behind_a_short_packet_is_not_part_of_it() {
    let mut frame = syn();
    frame.resize(80, 0);
    passed(&frame);
}

#[test]
fn ports_behind_ipv4_options_are_found() {
    let node =
        Node::new(&[], &[rule(Action::Allow, Peer::Any, Ports::Class(1)), crate::rules::DENY_REST]);
    node.port_class(0, 80, 1);
    assert_eq!(node.sends(&with_options(&[1, 1, 1, 0])), Pass);
    assert_eq!(node.sends(&with_options(&[148, 4, 0, 0])), Pass);
    // Options that look like ports 40000 and 80, before the real ones.
    let hidden = with(with_options(&[7, 8, 0x9c, 0x40, 0, 80, 0, 0]), IP + 28 + 2, &[0, 81]);
    assert_eq!(node.sends(&hidden), Drop);
}

#[test]
fn source_routes_are_refused() {
    for option in [131, 137] {
        refused(&with_options(&[1, option, 3, 4]), cause::CAUSE_MALFORMED);
    }
}

#[test]
fn options_that_run_over_their_end_are_malformed() {
    for options in [[148, 5, 0, 0], [148, 0, 0, 0], [148, 1, 0, 0], [1, 1, 1, 148]] {
        refused(&with_options(&options), cause::CAUSE_MALFORMED);
    }
}

#[test]
fn ports_behind_extension_headers_are_found() {
    let options = [60, 0, 1, 4, 0, 0, 0, 0];
    let last = [6, 0, 1, 4, 0, 0, 0, 0];
    passed(&with_extensions(0, &[options, last].concat()));
    passed(&with_extensions(43, &[6, 0, 0, 0, 0, 0, 0, 0]));
    passed(&with_extensions(
        51,
        &[6, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    ));
    let node = Node::new(&[], &[crate::rules::DENY_REST]);
    assert_eq!(node.sends(&with_extensions(60, &last)), Drop);
    let [event] = node.raw_events()[..] else { panic!("one event") };
    assert_eq!((event.protocol, event.local_port, event.remote_port), (6, 40000, 80));
}

#[test]
fn more_than_eight_extension_headers_are_refused() {
    let mut headers = [60, 0, 1, 4, 0, 0, 0, 0].repeat(9);
    headers[64] = 6;
    refused(&with_extensions(60, &headers), cause::CAUSE_UNKNOWN_EXTENSION);
    headers.drain(..8);
    passed(&with_extensions(60, &headers));
}

#[test]
fn unknown_extension_headers_are_refused() {
    for unknown in [135, 139, 140, 253, 254, 255] {
        let header = [6, 0, 1, 4, 0, 0, 0, 0];
        refused(&with_extensions(unknown, &header), cause::CAUSE_UNKNOWN_EXTENSION);
    }
}

#[test]
fn routing_with_segments_left_and_a_late_hop_by_hop_are_malformed() {
    refused(&with_extensions(43, &[6, 0, 0, 1, 0, 0, 0, 0]), cause::CAUSE_MALFORMED);
    let late = [[0, 0, 1, 4, 0, 0, 0, 0], [6, 0, 1, 4, 0, 0, 0, 0]].concat();
    refused(&with_extensions(60, &late), cause::CAUSE_MALFORMED);
}

#[test]
fn an_extension_header_over_the_end_is_truncated() {
    refused(&with_extensions(60, &[6, 200, 1, 4, 0, 0, 0, 0]), cause::CAUSE_TRUNCATED);
}

#[test]
fn an_ipv4_address_in_an_ipv6_header_is_malformed() {
    refused(&tcp("[::ffff:10.0.0.1]:40000", "[fd00::2]:80", SYN), cause::CAUSE_MALFORMED);
}

#[test]
fn frames_cut_anywhere_are_refused() {
    for (frame, shortest) in [(syn(), IP + 20), (syn6(), IP + 40)] {
        for length in (shortest..frame.len()).step_by(6) {
            let node = open_node();
            assert_eq!(node.sends(&frame[..length]), Drop, "{length} bytes");
            assert_eq!(node.count(cause::CAUSE_TRUNCATED), 1, "{length} bytes");
        }
    }
}

#[test]
fn transport_headers_that_contradict_the_packet_are_malformed() {
    refused(&with(syn(), IP + 20 + 12, &[0x40]), cause::CAUSE_MALFORMED);
    refused(&with(syn(), IP + 20 + 12, &[0xf0]), cause::CAUSE_MALFORMED);
    let datagram = udp("10.0.0.1:40000", "10.0.1.1:53", b"abcd");
    refused(&with(datagram.clone(), IP + 20 + 4, &[0, 7]), cause::CAUSE_MALFORMED);
    refused(&with(datagram, IP + 20 + 4, &[0, 13]), cause::CAUSE_MALFORMED);
    refused(&other("10.0.0.1", "10.0.1.1", 132, &[0; 11]), cause::CAUSE_TRUNCATED);
}

#[test]
fn vlan_tags_are_refused() {
    for tag in [[0x81, 0x00], [0x88, 0xa8]] {
        refused(&with(syn(), 12, &tag), cause::CAUSE_VLAN);
    }
}

#[test]
fn every_ethertype_but_ip_and_arp_is_refused() {
    for ethertype in [[0x88, 0xcc], [0x80, 0x35], [0x00, 0x40], [0x88, 0x64]] {
        refused(&with(syn(), 12, &ethertype), cause::CAUSE_UNKNOWN_ETHERTYPE);
    }
}

#[test]
fn a_pod_sends_from_its_own_addresses_only() {
    for (from, to) in [
        ("10.0.0.2:1", "10.0.1.1:80"),
        ("0.0.0.0:68", "255.255.255.255:67"),
        ("[fd00::9]:1", "[fd00::2]:80"),
        ("[fe80::1]:1", "[fd00::2]:80"),
    ] {
        refused(&tcp(from, to, SYN), cause::CAUSE_NOT_OWN_ADDRESS);
    }
}

#[test]
fn forged_addresses_do_not_fill_the_table_of_denials() {
    let node = open_node();
    for last in 2..60 {
        assert_eq!(node.sends(&tcp(&format!("10.0.0.{last}:1"), "10.0.1.1:80", SYN)), Drop);
    }
    assert_eq!(node.events(), ["refused egress rule - cause 3"]);
    node.sweep();
    let [event] = node.raw_events()[..] else { panic!("one sum") };
    assert_eq!((event.count, event.packets), (57, [0, 57]));
}
