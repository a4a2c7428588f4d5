//! Frames: valid ones by `etherparse`, broken ones by overwriting bytes of valid ones.

use etherparse::{PacketBuilder, PacketBuilderStep};
use std::net::{IpAddr, SocketAddr};

pub(crate) const FIN: u8 = 0x01;
pub(crate) const SYN: u8 = 0x02;
pub(crate) const RST: u8 = 0x04;
pub(crate) const ACK: u8 = 0x10;

/// Where the IP header begins.
pub(crate) const IP: usize = 14;

fn ip(from: IpAddr, to: IpAddr) -> PacketBuilderStep<etherparse::IpHeaders> {
    let frame = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);
    match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => frame.ipv4(from.octets(), to.octets(), 64),
        (IpAddr::V6(from), IpAddr::V6(to)) => frame.ipv6(from.octets(), to.octets(), 64),
        (from, to) => unreachable!("{from} and {to} are of two families"),
    }
}

fn parsed(address: &str) -> SocketAddr {
    address.parse().unwrap()
}

pub(crate) fn tcp(from: &str, to: &str, flags: u8) -> Vec<u8> {
    let (from, to) = (parsed(from), parsed(to));
    let mut step = ip(from.ip(), to.ip()).tcp(from.port(), to.port(), 1, 1024);
    for (flag, set) in [(FIN, 0), (SYN, 1), (RST, 2), (ACK, 3)] {
        if flags & flag != 0 {
            step = match set {
                0 => step.fin(),
                1 => step.syn(),
                2 => step.rst(),
                _ => step.ack(1),
            };
        }
    }
    let mut frame = Vec::new();
    step.write(&mut frame, b"").unwrap();
    frame
}

pub(crate) fn udp(from: &str, to: &str, payload: &[u8]) -> Vec<u8> {
    let (from, to) = (parsed(from), parsed(to));
    let mut frame = Vec::new();
    ip(from.ip(), to.ip()).udp(from.port(), to.port()).write(&mut frame, payload).unwrap();
    frame
}

/// Any protocol, with the payload as it is.
pub(crate) fn other(from: &str, to: &str, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    ip(from.parse().unwrap(), to.parse().unwrap())
        .write(&mut frame, protocol.into(), payload)
        .unwrap();
    frame
}

/// The frame with some of its bytes overwritten.
pub(crate) fn with(mut frame: Vec<u8>, at: usize, bytes: &[u8]) -> Vec<u8> {
    frame[at..at + bytes.len()].copy_from_slice(bytes);
    frame
}
