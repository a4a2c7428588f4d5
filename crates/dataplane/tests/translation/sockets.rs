//! Real sockets in the namespaces of the node: who gets what.

use crate::associations::{self, Raw};
use crate::network::{Family, PORT};
use net_fabric::Namespace;
use nix::errno::Errno;
use nix::sys::socket::sockopt::{ReuseAddr, SendTimeout};
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrStorage, bind, setsockopt, socket,
};
use nix::sys::time::{TimeVal, TimeValLike as _};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd as _;
use std::time::Duration;

/// Shorter than TCP waits before it sends a SYN again.
const PATIENCE: Duration = Duration::from_millis(400);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    Tcp,
    Udp,
    Sctp,
}

impl Transport {
    pub(crate) const ALL: [Self; 3] = [Self::Tcp, Self::Udp, Self::Sctp];
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exchange {
    /// The server was asked, and the client has its answer.
    Answered,
    /// No packet reached anybody.
    Nothing,
}

/// Listens on one port, over all transports.
pub(crate) struct Server {
    tcp: TcpListener,
    udp: UdpSocket,
    sctp: Raw,
}

impl Server {
    pub(crate) fn new(namespace: &Namespace, family: Family) -> Self {
        let address = SocketAddr::new(family.any(), PORT);
        let (tcp, udp) = namespace
            .enter(|| (TcpListener::bind(address).unwrap(), UdpSocket::bind(address).unwrap()))
            .unwrap();
        tcp.set_nonblocking(true).unwrap();
        udp.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { tcp, udp, sctp: Raw::new(namespace, family) }
    }

    /// Whether a datagram comes in.
    pub(crate) fn is_asked(&self) -> bool {
        self.udp.recv_from(&mut [0; 16]).is_ok()
    }

    /// Asks the Service from the namespace; only this server may be asked.
    pub(crate) fn exchange(
        &self,
        client: &Namespace,
        transport: Transport,
        service: SocketAddr,
    ) -> Exchange {
        match transport {
            Transport::Tcp => match connect(client, service) {
                None => {
                    let accepted = self.tcp.accept().map(drop);
                    assert_eq!(accepted.unwrap_err().kind(), ErrorKind::WouldBlock);
                    Exchange::Nothing
                }
                Some(mut stream) => {
                    self.answer(&mut stream);
                    Exchange::Answered
                }
            },
            Transport::Udp => self.exchange_datagrams(client, service),
            Transport::Sctp => {
                let answered = associations::exchange(client, &self.sctp, service, PATIENCE);
                if answered { Exchange::Answered } else { Exchange::Nothing }
            }
        }
    }

    /// Accepts the connection of this client, is asked, and answers.
    pub(crate) fn answer(&self, client: &mut TcpStream) -> TcpStream {
        let (mut server, _) = self.tcp.accept().unwrap();
        server.set_nonblocking(false).unwrap();
        server.set_read_timeout(Some(PATIENCE)).unwrap();
        assert!(is_heard(client, &mut server));
        assert!(is_heard(&mut server, client));
        server
    }

    fn exchange_datagrams(&self, client: &Namespace, service: SocketAddr) -> Exchange {
        let any = SocketAddr::new(if service.is_ipv4() { Family::V4 } else { Family::V6 }.any(), 0);
        let client = client.enter(|| UdpSocket::bind(any).unwrap()).unwrap();
        client.connect(service).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        client.send(b"ask").unwrap();
        let mut bytes = [0; 16];
        let Ok((_, from)) = self.udp.recv_from(&mut bytes) else { return Exchange::Nothing };
        self.udp.send_to(b"answer", from).unwrap();
        let length = client.recv(&mut bytes).expect("an answer to what was allowed");
        assert_eq!(&bytes[..length], b"answer");
        Exchange::Answered
    }
}

/// `None`: nobody answered.
pub(crate) fn connect(client: &Namespace, service: SocketAddr) -> Option<TcpStream> {
    match client.enter(|| TcpStream::connect_timeout(&service, PATIENCE)).unwrap() {
        Ok(stream) => {
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            Some(stream)
        }
        Err(error) if error.kind() == ErrorKind::TimedOut => None,
        Err(error) => panic!("neither answered nor dropped: {error}"),
    }
}

/// As [`connect`], from this port, which may have had a connection until now.
pub(crate) fn connect_from(
    client: &Namespace,
    from: SocketAddr,
    service: SocketAddr,
) -> Option<TcpStream> {
    let family = if from.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let connected = client.enter(|| {
        let socket = socket(family, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).unwrap();
        setsockopt(&socket, ReuseAddr, &true).unwrap();
        let patience = TimeVal::milliseconds(i64::try_from(PATIENCE.as_millis()).unwrap());
        setsockopt(&socket, SendTimeout, &patience).unwrap();
        bind(socket.as_raw_fd(), &SockaddrStorage::from(from)).unwrap();
        let connected =
            nix::sys::socket::connect(socket.as_raw_fd(), &SockaddrStorage::from(service));
        connected.map(|()| TcpStream::from(socket))
    });
    match connected.unwrap() {
        Ok(stream) => {
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            Some(stream)
        }
        Err(Errno::EINPROGRESS) => None,
        Err(error) => panic!("neither answered nor dropped: {error}"),
    }
}

/// What came of a datagram, as its sender hears it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Unreachable,
    Silence,
}

/// To where nobody listens.
pub(crate) fn ask_nobody(client: &Namespace, service: SocketAddr) -> Fate {
    let any = SocketAddr::new(if service.is_ipv4() { Family::V4 } else { Family::V6 }.any(), 0);
    let client = client.enter(|| UdpSocket::bind(any).unwrap()).unwrap();
    client.connect(service).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client.send(b"ask").unwrap();
    match client.recv(&mut [0; 16]).map_err(|error| error.kind()) {
        Err(ErrorKind::ConnectionRefused) => Fate::Unreachable,
        Err(ErrorKind::WouldBlock) => Fate::Silence,
        other => panic!("neither refused nor dropped: {other:?}"),
    }
}

pub(crate) fn is_heard(from: &mut TcpStream, to: &mut TcpStream) -> bool {
    from.write_all(b"ping").unwrap();
    let mut bytes = [0; 4];
    match to.read_exact(&mut bytes) {
        Ok(()) => true,
        Err(error) if error.kind() == ErrorKind::WouldBlock => false,
        Err(error) => panic!("neither heard nor dropped: {error}"),
    }
}

/// How many packets came in at the far end of a link, but for what the kernel says to all on a link.
pub(crate) fn received(namespace: &Namespace) -> u64 {
    let read = |file: &str| {
        let path = format!("/proc/thread-self/net/{file}");
        namespace.enter(|| std::fs::read_to_string(path)).unwrap().unwrap()
    };
    let of_ipv6 = read("snmp6");
    let ipv6 = |name: &str| -> u64 {
        let mut lines = of_ipv6.lines().filter_map(|line| line.strip_prefix(name));
        lines.next().unwrap().trim().parse().unwrap()
    };
    let of_ipv4 = read("snmp");
    let ipv4: u64 = of_ipv4
        .lines()
        .filter(|line| line.starts_with("Ip:"))
        .nth(1)
        .unwrap()
        .split_whitespace()
        .nth(3)
        .unwrap()
        .parse()
        .unwrap();
    ipv4 + ipv6("Ip6InReceives ") - ipv6("Ip6InMcastPkts ")
}
