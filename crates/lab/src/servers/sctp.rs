//! SCTP as far as a policy sees it: INIT and its answer (RFC 9260, sections 3.3.2 and 3.3.3), in raw
//! packets, because the kernel may have no SCTP. An association is never made: the answer says that the
//! port was reached.

use super::Life;
use net_types::Family;
use rustix::net::{AddressFamily, SocketFlags, SocketType, ipproto, socket_with};
use std::io;
use std::net::{SocketAddr, UdpSocket};

const COMMON_HEADER: usize = 12;
const INIT: u8 = 1;
const INIT_ACK: u8 = 2;
/// Of INIT and INIT ACK, without parameters.
const CHUNK: u16 = 20;
const WINDOW: u32 = 65_536;
const STREAMS: u16 = 1;
/// The parameter that every INIT ACK has to have: type, length, value.
const STATE_COOKIE: [u8; 12] = *b"\x00\x07\x00\x0cweir lab";
const COOKIE: u16 = 12;

/// A raw socket of the namespace that the thread is in: it sees every SCTP packet of the family. The type
/// is that of datagrams with an address, which a raw socket takes and gives as well.
pub(crate) fn socket(family: Family) -> io::Result<UdpSocket> {
    let family = match family {
        Family::V4 => AddressFamily::INET,
        Family::V6 => AddressFamily::INET6,
    };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    Ok(socket_with(family, SocketType::RAW, flags, Some(ipproto::SCTP))?.into())
}

/// What follows the IP header, which IPv4 gives and IPv6 does not.
pub(crate) fn payload(from: SocketAddr, bytes: &[u8]) -> Option<&[u8]> {
    match from {
        SocketAddr::V6(_) => Some(bytes),
        SocketAddr::V4(_) => bytes.get(usize::from(bytes.first()? & 0x0f) * 4..),
    }
}

/// Answers every INIT to one of the ports.
pub(super) fn serve(life: &Life, ports: Vec<u16>, socket: UdpSocket) -> io::Result<()> {
    let socket = tokio::net::UdpSocket::from_std(socket)?;
    life.spawn(async move {
        let mut bytes = [0; 2048];
        loop {
            let Ok((length, from)) = socket.recv_from(&mut bytes).await else { continue };
            let packet = bytes.get(..length).and_then(|bytes| payload(from, bytes));
            let asked = packet.and_then(Packet::parse);
            let asked = asked.filter(|packet| ports.contains(&packet.destination_port));
            if let Some(answer) = asked.and_then(|packet| packet.answer(TAG)) {
                drop(socket.send_to(&answer.bytes(), SocketAddr::new(from.ip(), 0)).await);
            }
        }
    });
    Ok(())
}

/// No association follows, so it need not be secret.
const TAG: u32 = 0x7765_6972;

/// The parts of a packet that matter here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Packet {
    pub source_port: u16,
    pub destination_port: u16,
    pub verification_tag: u32,
    pub chunk: Chunk,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chunk {
    /// With the tag that the answer has to carry.
    Init {
        tag: u32,
    },
    InitAck {
        tag: u32,
    },
    Other,
}

impl Packet {
    /// The packet that asks, and carries no tag yet.
    pub(crate) fn init(source_port: u16, destination_port: u16, tag: u32) -> Self {
        Self { source_port, destination_port, verification_tag: 0, chunk: Chunk::Init { tag } }
    }

    /// The answer to an INIT.
    pub(crate) fn answer(&self, tag: u32) -> Option<Self> {
        match self.chunk {
            Chunk::Init { tag: of_peer } => Some(Self {
                source_port: self.destination_port,
                destination_port: self.source_port,
                verification_tag: of_peer,
                chunk: Chunk::InitAck { tag },
            }),
            Chunk::InitAck { .. } | Chunk::Other => None,
        }
    }

    /// `None` where the checksum is wrong or something is missing.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let (header, chunks) = bytes.split_at_checked(COMMON_HEADER)?;
        let [s0, s1, d0, d1, v0, v1, v2, v3, c0, c1, c2, c3] = *header else { return None };
        if checksum(bytes)? != [c0, c1, c2, c3] {
            return None;
        }
        let chunk = match *chunks {
            [INIT, _, _, _, t0, t1, t2, t3, ..] => {
                Chunk::Init { tag: u32::from_be_bytes([t0, t1, t2, t3]) }
            }
            [INIT_ACK, _, _, _, t0, t1, t2, t3, ..] => {
                Chunk::InitAck { tag: u32::from_be_bytes([t0, t1, t2, t3]) }
            }
            _ => Chunk::Other,
        };
        Some(Self {
            source_port: u16::from_be_bytes([s0, s1]),
            destination_port: u16::from_be_bytes([d0, d1]),
            verification_tag: u32::from_be_bytes([v0, v1, v2, v3]),
            chunk,
        })
    }

    /// Nothing for a chunk that is neither.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let (kind, tag, is_answer) = match self.chunk {
            Chunk::Init { tag } => (INIT, tag, false),
            Chunk::InitAck { tag } => (INIT_ACK, tag, true),
            Chunk::Other => return Vec::new(),
        };
        let parameters: &[u8] = if is_answer { &STATE_COOKIE } else { &[] };
        let length = if is_answer { CHUNK + COOKIE } else { CHUNK };
        let mut bytes = [
            &self.source_port.to_be_bytes()[..],
            &self.destination_port.to_be_bytes(),
            &self.verification_tag.to_be_bytes(),
            &[0; 4],
            &[kind, 0],
            &length.to_be_bytes(),
            &tag.to_be_bytes(),
            &WINDOW.to_be_bytes(),
            &STREAMS.to_be_bytes(),
            &STREAMS.to_be_bytes(),
            &tag.to_be_bytes(),
            parameters,
        ]
        .concat();
        if let (Some(sum), Some(place)) = (checksum(&bytes), bytes.get_mut(8..12)) {
            place.copy_from_slice(&sum);
        }
        bytes
    }
}

/// CRC32c over the packet with its own place empty, least significant byte first (appendix A).
fn checksum(bytes: &[u8]) -> Option<[u8; 4]> {
    let (before, rest) = bytes.split_at_checked(8)?;
    let (_, after) = rest.split_at_checked(4)?;
    let sum = crc32c::crc32c_append(crc32c::crc32c_append(crc32c::crc32c(before), &[0; 4]), after);
    Some(sum.to_le_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_read_as_they_were_written() {
        let init = Packet::init(40_000, 9_999, 7);
        assert_eq!(Packet::parse(&init.bytes()), Some(init));
        let answer = init.answer(9).unwrap();
        assert_eq!(answer.verification_tag, 7);
        assert_eq!(Packet::parse(&answer.bytes()), Some(answer));
        assert_eq!(answer.answer(1), None);
    }

    #[test]
    fn a_damaged_packet_is_none() {
        let bytes = Packet::init(1, 2, 3).bytes();
        for place in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[place] ^= 1;
            assert_eq!(Packet::parse(&damaged), None, "byte {place}");
        }
        for length in 0..bytes.len() {
            assert_eq!(Packet::parse(&bytes[..length]), None, "{length} bytes");
        }
    }

    /// The bytes that the kernel's own SCTP would have to send and take: the checksum is that of the
    /// RFC's polynomial, not of Ethernet's.
    #[test]
    fn the_checksum_is_crc32c() {
        assert_eq!(crc32c::crc32c(b"123456789"), 0xe306_9283);
    }
}
