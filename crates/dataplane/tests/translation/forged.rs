//! Packets that no kernel would send.

use etherparse::PacketBuilder;
use net_fabric::Namespace;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrStorage, sendto, socket,
};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd as _;

/// A SYN with a checksum that is wrong: the connection tracker takes it for none of its connections, and
/// nothing translates it.
pub(crate) fn send_syn(namespace: &Namespace, from: SocketAddr, to: SocketAddr) {
    let (builder, family) = match (from.ip(), to.ip()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            (PacketBuilder::ipv4(from.octets(), to.octets(), 64), AddressFamily::Inet)
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            (PacketBuilder::ipv6(from.octets(), to.octets(), 64), AddressFamily::Inet6)
        }
        (from, to) => unreachable!("{from} and {to} are of two families"),
    };
    let mut packet = Vec::new();
    builder.tcp(from.port(), to.port(), 1, 1024).syn().write(&mut packet, b"").unwrap();
    // The checksum is followed by the urgent pointer, which ends a TCP header without options.
    let checksum = packet.len() - 4;
    packet[checksum] ^= 0x55;
    let to = SockaddrStorage::from(SocketAddr::new(to.ip(), 0));
    let sent = namespace.enter(|| {
        let raw = socket(family, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::Raw).unwrap();
        sendto(raw.as_raw_fd(), &packet, &to, MsgFlags::empty()).unwrap()
    });
    assert_eq!(sent.unwrap(), packet.len());
}
