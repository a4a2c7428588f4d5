//! Forwarded ports as packets: pcapng (draft-ietf-opsawg-pcapng), link type raw IPv4.
//!
//! The packets are made up, because a gateway sees bytes and no packets: 10.0.0.1 is the person, 10.0.0.2 the pod, the
//! person's port is 40000 and the connection's number. Sequence numbers, sums and times are right, so that any tool puts
//! the streams together again; a comment says which session it is, and that the packets were made.

use session_record::{Event, Opening, Step, Stream};
use std::collections::BTreeMap;
use std::io::{self, Write};

const PERSON: [u8; 4] = [10, 0, 0, 1];
const POD: [u8; 4] = [10, 0, 0, 2];
const FIRST_PORT: u16 = 40_000;
const LINK_RAW_IPV4: u16 = 228;
/// Payload of one packet.
const MAX_PAYLOAD: usize = 1400;
const FIN: u8 = 1;
const SYN: u8 = 2;
const PSH: u8 = 8;
const ACK: u8 = 16;

#[derive(Debug)]
pub(crate) struct Pcapng {
    started_us: u64,
    flows: BTreeMap<u32, Flow>,
}

#[derive(Debug, Clone, Copy)]
struct Flow {
    port: u16,
    /// Next numbers of the person and of the pod.
    person: u32,
    pod: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum From {
    Person,
    Pod,
}

impl Pcapng {
    pub(crate) fn begin(opening: &Opening, out: &mut dyn Write) -> io::Result<Self> {
        let comment = format!(
            "weir session {}: bytes as recorded, packets made for this file",
            opening.session
        );
        // Section header: byte order, version 1.0, length unknown.
        let mut section = Vec::new();
        section.extend_from_slice(&0x1a2b_3c4d_u32.to_le_bytes());
        section.extend_from_slice(&[1, 0, 0, 0]);
        section.extend_from_slice(&u64::MAX.to_le_bytes());
        option(&mut section, 1, comment.as_bytes());
        option(&mut section, 0, &[]);
        block(out, 0x0a0d_0d0a, &section)?;
        // Interface: microseconds, which is the default.
        let mut interface = Vec::new();
        interface.extend_from_slice(&LINK_RAW_IPV4.to_le_bytes());
        interface.extend_from_slice(&[0, 0]);
        interface.extend_from_slice(&0_u32.to_le_bytes());
        block(out, 1, &interface)?;
        let started_us = u64::try_from(opening.at_ms).unwrap_or(0).saturating_mul(1000);
        Ok(Self { started_us, flows: BTreeMap::new() })
    }

    pub(crate) fn step(&mut self, step: &Step, out: &mut dyn Write) -> io::Result<()> {
        let Step::Known(record) = step else { return Ok(()) };
        let at_us = self.started_us.saturating_add(record.at_us);
        match &record.event {
            Event::Connected { connection, port } => {
                self.flows.insert(*connection, Flow { port: *port, person: 0, pod: 0 });
                self.packet((at_us, *connection), (From::Person, SYN), &[], out)?;
                self.packet((at_us, *connection), (From::Pod, SYN | ACK), &[], out)?;
                self.packet((at_us, *connection), (From::Person, ACK), &[], out)
            }
            Event::Data { stream: Stream::ToPort { connection }, bytes } => {
                self.data((at_us, *connection), From::Person, bytes, out)
            }
            Event::Data { stream: Stream::FromPort { connection }, bytes } => {
                self.data((at_us, *connection), From::Pod, bytes, out)
            }
            Event::End { stream: Stream::ToPort { connection } } => {
                self.packet((at_us, *connection), (From::Person, FIN | ACK), &[], out)
            }
            Event::End { stream: Stream::FromPort { connection } } => {
                self.packet((at_us, *connection), (From::Pod, FIN | ACK), &[], out)
            }
            Event::Disconnected { connection } => {
                self.flows.remove(connection);
                Ok(())
            }
            Event::Data { .. }
            | Event::End { .. }
            | Event::Resize { .. }
            | Event::Status { .. }
            | Event::ConnectionError { .. }
            | Event::Call { .. }
            | Event::Notice { .. }
            | Event::Frozen { .. }
            | Event::Thawed { .. }
            | Event::Marker { .. } => Ok(()),
        }
    }

    fn data(
        &mut self,
        at: (u64, u32),
        from: From,
        bytes: &[u8],
        out: &mut dyn Write,
    ) -> io::Result<()> {
        bytes.chunks(MAX_PAYLOAD).try_for_each(|part| self.packet(at, (from, PSH | ACK), part, out))
    }

    fn packet(
        &mut self,
        (at_us, connection): (u64, u32),
        (from, flags): (From, u8),
        payload: &[u8],
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let Some(flow) = self.flows.get_mut(&connection) else { return Ok(()) };
        let person = FIRST_PORT.wrapping_add(u16::try_from(connection % 20_000).unwrap_or(0));
        let ends = match from {
            From::Person => (PERSON, person, POD, flow.port, flow.person, flow.pod),
            From::Pod => (POD, flow.port, PERSON, person, flow.pod, flow.person),
        };
        let packet = tcp(ends, flags, payload);
        let counts =
            u32::try_from(payload.len()).unwrap_or(u32::MAX) + u32::from(flags & (SYN | FIN) != 0);
        let own = match from {
            From::Person => &mut flow.person,
            From::Pod => &mut flow.pod,
        };
        *own = own.wrapping_add(counts);
        let length = u32::try_from(packet.len()).unwrap_or(u32::MAX).to_le_bytes();
        let mut body = Vec::with_capacity(packet.len() + 24);
        body.extend_from_slice(&0_u32.to_le_bytes());
        let (high, low) = (
            u32::try_from(at_us >> 32).unwrap_or(u32::MAX),
            u32::try_from(at_us & 0xffff_ffff).unwrap_or(u32::MAX),
        );
        body.extend_from_slice(&high.to_le_bytes());
        body.extend_from_slice(&low.to_le_bytes());
        body.extend_from_slice(&length);
        body.extend_from_slice(&length);
        body.extend_from_slice(&packet);
        block(out, 6, &body)
    }
}

type Ends = ([u8; 4], u16, [u8; 4], u16, u32, u32);

/// An IPv4 packet with a TCP segment (RFC 791, RFC 9293).
fn tcp(
    (source, source_port, target, target_port, sequence, acknowledged): Ends,
    flags: u8,
    payload: &[u8],
) -> Vec<u8> {
    let mut segment = Vec::with_capacity(20 + payload.len());
    segment.extend_from_slice(&source_port.to_be_bytes());
    segment.extend_from_slice(&target_port.to_be_bytes());
    segment.extend_from_slice(&sequence.to_be_bytes());
    segment.extend_from_slice(&if flags & ACK == 0 { 0 } else { acknowledged }.to_be_bytes());
    segment.extend_from_slice(&[0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
    segment.extend_from_slice(payload);
    let length = u16::try_from(segment.len()).unwrap_or(u16::MAX);
    let [high, low] = length.to_be_bytes();
    let pseudo = [&source[..], &target[..], &[0, 6, high, low]].concat();
    put_sum(&mut segment, 16, &pseudo);
    let [high, low] = (length + 20).to_be_bytes();
    let mut packet = vec![0x45, 0, high, low, 0, 0, 0x40, 0, 64, 6, 0, 0];
    packet.extend_from_slice(&source);
    packet.extend_from_slice(&target);
    put_sum(&mut packet, 10, &[]);
    packet.extend_from_slice(&segment);
    packet
}

/// The Internet checksum (RFC 1071) of `before` and `bytes`, put into `bytes`.
fn put_sum(bytes: &mut [u8], at: usize, before: &[u8]) {
    let pairs = before.chunks(2).chain(bytes.chunks(2));
    let mut sum: u32 = pairs
        .map(|pair| match pair {
            [high, low] => u32::from(u16::from_be_bytes([*high, *low])),
            [high] => u32::from(u16::from_be_bytes([*high, 0])),
            _ => 0,
        })
        .sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    let sum = !u16::try_from(sum).unwrap_or(u16::MAX);
    for (to, from) in bytes.iter_mut().skip(at).zip(sum.to_be_bytes()) {
        *to = from;
    }
}

fn option(block: &mut Vec<u8>, code: u16, value: &[u8]) {
    block.extend_from_slice(&code.to_le_bytes());
    block.extend_from_slice(&u16::try_from(value.len()).unwrap_or(u16::MAX).to_le_bytes());
    block.extend_from_slice(value);
    pad(block);
}

fn pad(block: &mut Vec<u8>) {
    block.resize(block.len().next_multiple_of(4), 0);
}

/// A block: type, length, body, length again.
fn block(out: &mut dyn Write, kind: u32, body: &[u8]) -> io::Result<()> {
    let mut padded = body.to_vec();
    pad(&mut padded);
    let length = u32::try_from(padded.len() + 12).unwrap_or(u32::MAX).to_le_bytes();
    out.write_all(&kind.to_le_bytes())?;
    out.write_all(&length)?;
    out.write_all(&padded)?;
    out.write_all(&length)
}
