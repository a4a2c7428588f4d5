//! Packets that no kernel would send.

use etherparse::{PacketBuilder, UdpHeader};
use net_fabric::Namespace;
use nix::fcntl::{SpliceFFlags, splice};
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrStorage, connect, sendto,
    socket,
};
use std::io::Write as _;
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

/// A datagram of which the packet has all but the IP header in pages that the sender gave the kernel.
pub(crate) fn send_in_pages(namespace: &Namespace, to: SocketAddr) {
    let family =
        if to.is_ipv4() { AddressFamily::Inet } else { unreachable!("IPv6 needs a checksum") };
    let mut datagram = Vec::new();
    let header =
        UdpHeader { source_port: 5_000, destination_port: to.port(), length: 11, checksum: 0 };
    header.write(&mut datagram).unwrap();
    datagram.extend(b"ask");
    let sent = namespace.enter(|| {
        let flags = SockFlag::SOCK_CLOEXEC;
        let raw = socket(family, SockType::Raw, flags, SockProtocol::Udp).unwrap();
        connect(raw.as_raw_fd(), &SockaddrStorage::from(SocketAddr::new(to.ip(), 0))).unwrap();
        let (from, mut into) = std::io::pipe().unwrap();
        into.write_all(&datagram).unwrap();
        splice(&from, None, &raw, None, datagram.len(), SpliceFFlags::empty()).unwrap()
    });
    assert_eq!(sent.unwrap(), datagram.len());
}
