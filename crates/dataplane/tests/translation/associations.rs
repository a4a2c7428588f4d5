//! SCTP as far as a policy and a translation see it: INIT and its answer, in raw packets, because the kernel may
//! have no SCTP. It must track it, though.

use crate::network::{Family, PORT};
use net_fabric::Namespace;
use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, socket};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::Path;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

const INIT: u8 = 1;
const INIT_ACK: u8 = 2;
/// Of RFC 9260, section 3.3.2, without parameters; and of its answer, with the cookie that it must have.
const INIT_LENGTH: u16 = 20;
const COOKIE: [u8; 8] = *b"\x00\x07\x00\x08test";
const CHECKSUM: std::ops::Range<usize> = 8..12;

/// A socket for all SCTP packets of one family in a namespace.
pub(crate) struct Raw(UdpSocket);

impl Raw {
    pub(crate) fn new(namespace: &Namespace, family: Family) -> Self {
        let family = match family {
            Family::V4 => AddressFamily::Inet,
            Family::V6 => AddressFamily::Inet6,
        };
        let open = || {
            let (kind, flags) = (SockType::Raw, SockFlag::SOCK_CLOEXEC);
            // It takes and gives datagrams with addresses, as one of UDP does.
            UdpSocket::from(socket(family, kind, flags, SockProtocol::Sctp).unwrap())
        };
        Self(namespace.enter(open).unwrap())
    }

    fn send(&self, to: IpAddr, packet: &[u8]) {
        self.0.send_to(packet, SocketAddr::new(to, 0)).unwrap();
    }

    /// The next packet of this kind to this port.
    fn receive(&self, kind: u8, port: u16, patience: Duration) -> Option<(IpAddr, Vec<u8>)> {
        let end = Instant::now() + patience;
        loop {
            let left = end.checked_duration_since(Instant::now())?;
            self.0.set_read_timeout(Some(left.max(Duration::from_millis(1)))).unwrap();
            let mut bytes = [0; 2048];
            let (length, from) = self.0.recv_from(&mut bytes).ok()?;
            let header = if from.is_ipv4() { usize::from(bytes[0] & 0x0f) * 4 } else { 0 };
            let packet = bytes[header..length].to_vec();
            if packet[12] == kind && port_at(&packet, 2) == port {
                assert_eq!(checksum(&packet), packet[CHECKSUM], "translated with its checksum");
                return Some((from.ip(), packet));
            }
        }
    }
}

/// Asks the Service from the namespace for an association; whether the server was asked, and then the client
/// has its answer.
pub(crate) fn exchange(
    client: &Namespace,
    server: &Raw,
    service: SocketAddr,
    patience: Duration,
) -> bool {
    assert!(
        Path::new("/proc/sys/net/netfilter/nf_conntrack_sctp_timeout_closed").exists(),
        "this kernel tracks no SCTP: it lacks NF_CT_PROTO_SCTP"
    );
    static NEXT: AtomicU16 = AtomicU16::new(20_000);
    let port = NEXT.fetch_add(1, Ordering::Relaxed);
    let family = if service.is_ipv4() { Family::V4 } else { Family::V6 };
    let asking = Raw::new(client, family);
    asking.send(service.ip(), &packet((port, service.port()), 0, INIT, &[]));
    let Some((from, asked)) = server.receive(INIT, PORT, patience) else { return false };
    let (tag, back) = (u32_at(&asked, 16), port_at(&asked, 0));
    server.send(from, &packet((PORT, back), tag, INIT_ACK, &COOKIE));
    let answer = asking.receive(INIT_ACK, port, patience).expect("an answer to what was allowed");
    assert_eq!((answer.0, port_at(&answer.1, 0)), (service.ip(), service.port()));
    true
}

fn packet((from, to): (u16, u16), tag: u32, kind: u8, parameters: &[u8]) -> Vec<u8> {
    let length = INIT_LENGTH + u16::try_from(parameters.len()).unwrap();
    let (window, streams) = (65_536_u32.to_be_bytes(), 1_u16.to_be_bytes());
    let parts: [&[u8]; 12] = [
        &from.to_be_bytes(),
        &to.to_be_bytes(),
        &tag.to_be_bytes(),
        &[0; 4],
        &[kind, 0],
        &length.to_be_bytes(),
        &7_u32.to_be_bytes(),
        &window,
        &streams,
        &streams,
        &1_u32.to_be_bytes(),
        parameters,
    ];
    let mut packet = parts.concat();
    let checksum = checksum(&packet);
    packet[CHECKSUM].copy_from_slice(&checksum);
    packet
}

/// CRC32c of the packet with zeros in its place, with the lowest byte first.
fn checksum(packet: &[u8]) -> [u8; 4] {
    let mut packet = packet.to_vec();
    packet[CHECKSUM].fill(0);
    crc32c::crc32c(&packet).to_le_bytes()
}

fn port_at(packet: &[u8], place: usize) -> u16 {
    u16::from_be_bytes([packet[place], packet[place + 1]])
}

fn u32_at(packet: &[u8], place: usize) -> u32 {
    u32::from_be_bytes(packet[place..place + 4].try_into().unwrap())
}
