//! The DNS server behind the cluster's DNS Service.

use super::{Life, NamesNow};
use crate::names::{Entry, Found, Names};
use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, CNAME, SRV};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use std::io;
use std::net::{IpAddr, TcpListener, UdpSocket};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// As a cluster's DNS has it.
const TIME_TO_LIVE_S: u32 = 5;
const PATIENCE: Duration = Duration::from_secs(30);
/// Without EDNS.
const MOST_DATAGRAM_BYTES: usize = 512;
const PAUSE: Duration = Duration::from_millis(50);

pub(super) fn serve_udp(life: &Life, names: NamesNow, socket: UdpSocket) -> io::Result<()> {
    let socket = tokio::net::UdpSocket::from_std(socket)?;
    life.spawn(async move {
        let mut datagram = [0; 4096];
        loop {
            // An error here is an answer to one that was sent before; the socket is fine.
            let Ok((length, from)) = socket.recv_from(&mut datagram).await else { continue };
            if let Some(answer) =
                datagram.get(..length).and_then(|query| answer(&names.get(), query))
            {
                let bytes = fitting(&answer);
                drop(socket.send_to(&bytes, from).await);
            }
        }
    });
    Ok(())
}

pub(super) fn serve_tcp(life: &Life, names: NamesNow, listener: TcpListener) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let connections = life.clone();
    life.spawn(async move {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    let talk = tokio::time::timeout(PATIENCE, talk(names.clone(), stream));
                    // A client that breaks off has what it wanted.
                    connections.spawn(async { drop(talk.await) });
                }
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    });
    Ok(())
}

/// Messages with their length before them.
async fn talk(names: NamesNow, mut stream: TcpStream) -> io::Result<()> {
    loop {
        let length = stream.read_u16().await?;
        let mut query = vec![0; usize::from(length)];
        stream.read_exact(&mut query).await?;
        let Some(answer) = answer(&names.get(), &query) else { return Ok(()) };
        let bytes = answer.to_vec().map_err(io::Error::other)?;
        stream.write_u16(u16::try_from(bytes.len()).map_err(io::Error::other)?).await?;
        stream.write_all(&bytes).await?;
    }
}

/// Cut, and marked as cut, where it is too long for a datagram: the client asks again over TCP.
fn fitting(answer: &Message) -> Vec<u8> {
    match answer.to_vec() {
        Ok(bytes) if bytes.len() <= MOST_DATAGRAM_BYTES => bytes,
        Ok(_) => answer.truncate().to_vec().unwrap_or_default(),
        Err(_) => Vec::new(),
    }
}

/// `None` for what is no query and cannot be answered.
fn answer(names: &Names, query: &[u8]) -> Option<Message> {
    let query = Message::from_vec(query).ok()?;
    if query.metadata.message_type != MessageType::Query {
        return None;
    }
    let mut answer = Message::response(query.metadata.id, query.metadata.op_code);
    answer.metadata.recursion_desired = query.metadata.recursion_desired;
    let code = match (query.metadata.op_code, query.queries.first()) {
        (OpCode::Query, Some(question)) => {
            answer.add_query(question.clone());
            fill(&mut answer, names, question)
        }
        (OpCode::Query, None) => ResponseCode::FormErr,
        _ => ResponseCode::NotImp,
    };
    answer.metadata.response_code = code;
    Some(answer)
}

fn fill(answer: &mut Message, names: &Names, question: &Query) -> ResponseCode {
    match names.find(&question.name.to_ascii()) {
        Found::NotOurs => ResponseCode::Refused,
        Found::Nothing => {
            answer.metadata.authoritative = true;
            ResponseCode::NXDomain
        }
        Found::Entry(entry) => {
            answer.metadata.authoritative = true;
            let data = records(entry, question.query_type).into_iter();
            answer.add_answers(
                data.map(|data| Record::from_rdata(question.name.clone(), TIME_TO_LIVE_S, data)),
            );
            ResponseCode::NoError
        }
    }
}

fn records(entry: &Entry, wanted: RecordType) -> Vec<RData> {
    let is_wanted = |kind| wanted == kind || wanted == RecordType::ANY;
    let name = |text: &str| {
        Name::from_ascii(text).ok().map(|mut name| {
            name.set_fqdn(true);
            name
        })
    };
    let alias = entry.alias.as_deref().and_then(name).map(|alias| RData::CNAME(CNAME(alias)));
    let addresses = entry.addresses.iter().filter_map(|address| match address {
        IpAddr::V4(address) => is_wanted(RecordType::A).then_some(RData::A(A(*address))),
        IpAddr::V6(address) => is_wanted(RecordType::AAAA).then_some(RData::AAAA(AAAA(*address))),
    });
    let servers = entry.servers.iter().filter(|_| is_wanted(RecordType::SRV));
    let servers = servers
        .filter_map(|(port, target)| Some(RData::SRV(SRV::new(0, 100, *port, name(target)?))));
    alias.into_iter().chain(addresses).chain(servers).collect()
}
