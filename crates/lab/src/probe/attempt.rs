//! Connections, tried from inside a namespace.

use super::Observed;
use super::cells::Question;
use crate::servers::sctp::{Chunk, Packet, payload, socket};
use net_types::{Family, Protocol};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::{Instant, timeout, timeout_at};

/// What is denied is dropped, and nothing comes back.
const DENIED_PATIENCE: Duration = Duration::from_millis(300);
/// What is allowed comes back at once, unless the machine is busy: the first packet is sent again after a
/// second.
const PATIENCE: Duration = Duration::from_millis(2_500);
/// For the server's name; servers of other protocols say nothing.
const NAME_PATIENCE: Duration = Duration::from_millis(100);
/// Attempts of one source at once.
const AT_ONCE: usize = 256;

/// A DNS query for a name that does not exist: a DNS server answers it, and an echo server anything.
const DATAGRAM: &[u8] = b"\x57\x52\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x05probe\x07cluster\x05local\x00\x00\x01\x00\x01";

/// In the order of the questions; beside each, whether it is expected to be denied.
pub(super) fn all(questions: &[(Question, bool)]) -> Vec<Observed> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return vec![Observed::Failed(error.to_string()); questions.len()],
    };
    let mut observed = Vec::with_capacity(questions.len());
    for chunk in questions.chunks(AT_ONCE) {
        runtime.block_on(async {
            let attempts = chunk.iter().cloned().map(|(question, is_denied)| {
                tokio::spawn(attempt(question, if is_denied { DENIED_PATIENCE } else { PATIENCE }))
            });
            for attempt in attempts.collect::<Vec<_>>() {
                observed.push(match attempt.await {
                    Ok(observed) => observed,
                    Err(error) => Observed::Failed(error.to_string()),
                });
            }
        });
    }
    observed
}

async fn attempt(question: Question, patience: Duration) -> Observed {
    once(question.protocol, SocketAddr::new(question.address, question.port), patience).await
}

/// One connection, from the namespace of the thread.
pub(crate) async fn once(protocol: Protocol, to: SocketAddr, patience: Duration) -> Observed {
    let result = match protocol {
        Protocol::Tcp => timeout(patience, tcp(to)).await,
        Protocol::Udp => timeout(patience, udp(to)).await,
        Protocol::Sctp => timeout(patience, sctp(to)).await,
        Protocol::Other(_) => return Observed::Failed("it has no ports".to_owned()),
    };
    match result {
        Ok(Ok(by)) => Observed::Open { by },
        Ok(Err(error)) => of_error(&error),
        Err(_) => Observed::NoAnswer,
    }
}

pub(crate) fn of_error(error: &io::Error) -> Observed {
    let kind = error.kind();
    if kind == io::ErrorKind::ConnectionRefused {
        Observed::Refused
    } else if matches!(kind, io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable) {
        Observed::Unreachable
    } else {
        Observed::Failed(error.to_string())
    }
}

async fn tcp(to: SocketAddr) -> io::Result<Option<String>> {
    let mut stream = BufReader::new(TcpStream::connect(to).await?);
    let mut line = String::new();
    // It is open whatever comes of the question who it is.
    let asked = async {
        stream.write_all(b"who\n").await?;
        stream.read_line(&mut line).await
    };
    drop(timeout(NAME_PATIENCE, asked).await);
    Ok(name(line.as_bytes()))
}

/// Sent again once, as a client would.
async fn udp(to: SocketAddr) -> io::Result<Option<String>> {
    let own: IpAddr = match to {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((own, 0)).await?;
    socket.connect(to).await?;
    let mut answer = [0; 512];
    loop {
        socket.send(DATAGRAM).await?;
        let again = Instant::now() + Duration::from_secs(1);
        if let Ok(received) = timeout_at(again, socket.recv(&mut answer)).await {
            return Ok(answer.get(..received?).and_then(name));
        }
    }
}

async fn sctp(to: SocketAddr) -> io::Result<Option<String>> {
    let family = Family::of(to.ip());
    let socket = UdpSocket::from_std(socket(family)?)?;
    let tag = tag();
    let [.., high, low] = tag.to_be_bytes();
    // Of the ports that clients get; the tag tells attempts apart that share one.
    let init = Packet::init(u16::from_be_bytes([high, low]) | 0xc000, to.port(), tag);
    let mut bytes = [0; 2048];
    loop {
        socket.send_to(&init.bytes(), SocketAddr::new(to.ip(), 0)).await?;
        let again = Instant::now() + Duration::from_secs(1);
        while let Ok(received) = timeout_at(again, socket.recv_from(&mut bytes)).await {
            let (length, from) = received?;
            let packet = bytes.get(..length).and_then(|bytes| payload(from, bytes));
            let packet = packet.and_then(Packet::parse);
            let is_answer = |packet: &Packet| {
                packet.verification_tag == tag && matches!(packet.chunk, Chunk::InitAck { .. })
            };
            if packet.as_ref().is_some_and(is_answer) {
                return Ok(None);
            }
        }
    }
}

/// Another one for each attempt of this process.
fn tag() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(0x5752_0000);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// `shop/web-0 8080`, and nothing that a server of another protocol may say.
fn name(answer: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(answer).ok()?.trim_end();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-./: ".contains(c);
    (!text.is_empty() && text.chars().all(is_plain)).then(|| text.to_owned())
}
