//! Connections all the time: some that every policy allows, some that none does, and some that the policy
//! of the moment decides.

use crate::fabric;
use crate::journal::now;
use crate::world::{ALWAYS, CLIENT, NEVER, SERVER, Variant};
use net_fabric::Namespace;
use rustix::net::sockopt::set_tcp_user_timeout;
use std::fmt;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, Scope};
use std::time::Duration;

const PORTS: [u16; 4] = [ALWAYS, NEVER, 8080, 8081];
const STREAMS: usize = 4;
/// What is sent again is there by then; a stream in which nothing arrives for longer is broken. The kernel measures it:
/// threads of a busy machine may not run for as long.
const UNANSWERED: Duration = Duration::from_secs(10);
/// Until the other side has run again.
const PATIENCE: Duration = Duration::from_secs(120);
const MESSAGE: usize = 16;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sender {
    Client,
    Friend,
    /// No policy ever allows it anything.
    Stranger,
}

impl Sender {
    const ALL: [Self; 3] = [Self::Client, Self::Friend, Self::Stranger];
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Datagram,
    /// That a client's connection came about.
    Connection,
    /// In a connection that the policy of the moment allowed at its beginning.
    Stream,
}

/// Something reached the server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    pub(crate) port: u16,
    pub(crate) kind: Kind,
    pub(crate) sender: Sender,
    pub(crate) sent: u64,
    pub(crate) received: u64,
}

#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) arrivals: Vec<Arrival>,
    /// Why streams ended, or connections did not come about, that every policy allowed.
    pub(crate) broken: Vec<String>,
    /// Messages that were echoed by streams, and connections, that every policy allowed.
    echoes: usize,
    connections: usize,
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { arrivals, echoes, connections, broken } = self;
        let arrivals = arrivals.len();
        write!(f, "{arrivals} arrivals, {echoes} echoes, {connections} connections, ")?;
        write!(f, "{} broken", broken.len())
    }
}

impl Seen {
    /// Or the test would have shown nothing.
    pub(crate) fn must_have_seen_everything(&self) {
        for port in [8080, 8081] {
            for kind in [Kind::Datagram, Kind::Connection, Kind::Stream] {
                let arrived = |arrival: &&Arrival| arrival.port == port && arrival.kind == kind;
                let n = self.arrivals.iter().filter(arrived).count();
                assert!(n >= 20, "{kind:?} to {port}: {n}");
            }
        }
        let friends = self.arrivals.iter().filter(|arrival| arrival.sender == Sender::Friend);
        let friends = friends.count();
        assert!(friends >= 300, "{friends} calls of guests");
        assert!(self.echoes >= 1_000 && self.connections >= 100, "{self}");
    }
}

/// When it was sent, and by whom.
pub(crate) fn message(sent: u64, sender: Sender) -> [u8; MESSAGE] {
    let mut message = [0; MESSAGE];
    message[..8].copy_from_slice(&sent.to_ne_bytes());
    message[8] =
        u8::try_from(Sender::ALL.iter().position(|other| *other == sender).unwrap()).unwrap();
    message
}

fn arrival(port: u16, kind: Kind, message: &[u8; MESSAGE]) -> Arrival {
    let sent = u64::from_ne_bytes(*message.first_chunk().unwrap());
    let sender = Sender::ALL[usize::from(message[8])];
    Arrival { port, kind, sender, sent, received: now() }
}

/// What the threads share.
#[derive(Default)]
struct Shared {
    ended: AtomicBool,
    seen: Mutex<Seen>,
    echoes: AtomicUsize,
    connections: AtomicUsize,
}

impl Shared {
    fn goes_on(&self) -> bool {
        !self.ended.load(Ordering::Relaxed)
    }

    fn arrived(&self, arrival: Arrival) {
        self.seen.lock().unwrap().arrivals.push(arrival);
    }

    fn broke(&self, what: String) {
        self.seen.lock().unwrap().broken.push(what);
    }
}

/// Ends the traffic also when the work panics.
struct Ending<'test>(&'test AtomicBool);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Traffic between client and server as long as the work takes.
pub(crate) fn flow(pods: &[Namespace], work: impl FnOnce()) -> Seen {
    let shared = Shared::default();
    let (client, server) = (&pods[CLIENT as usize], &pods[SERVER as usize]);
    thread::scope(|scope| {
        let ending = Ending(&shared.ended);
        for port in PORTS {
            serve(scope, &shared, server, port);
        }
        for port in PORTS {
            let shared = &shared;
            scope.spawn(move || client.enter(|| send_datagrams(shared, port)).unwrap());
            scope.spawn(move || client.enter(|| connect_often(shared, port)).unwrap());
        }
        for variant in Variant::BOTH {
            let shared = &shared;
            scope.spawn(move || client.enter(|| stream_while_allowed(shared, variant)).unwrap());
        }
        for _ in 0..STREAMS {
            let shared = &shared;
            scope.spawn(move || client.enter(|| stream_always(shared)).unwrap());
        }
        work();
        drop(ending);
    });
    let mut seen = shared.seen.into_inner().unwrap();
    seen.echoes = shared.echoes.into_inner();
    seen.connections = shared.connections.into_inner();
    seen
}

fn serve<'scope, 'env>(
    scope: &'scope Scope<'scope, 'env>,
    shared: &'env Shared,
    server: &Namespace,
    port: u16,
) {
    let bind = || {
        let address = ("0.0.0.0", port);
        (TcpListener::bind(address).unwrap(), UdpSocket::bind(address).unwrap())
    };
    let (listener, datagrams) = server.enter(bind).unwrap();
    listener.set_nonblocking(true).unwrap();
    datagrams.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    scope.spawn(move || {
        let mut message = [0; MESSAGE];
        while shared.goes_on() {
            if datagrams.recv(&mut message).is_ok_and(|length| length == MESSAGE) {
                shared.arrived(arrival(port, Kind::Datagram, &message));
            }
        }
    });
    scope.spawn(move || {
        while shared.goes_on() {
            match listener.accept() {
                Ok((stream, _)) => drop(scope.spawn(move || answer(shared, stream, port))),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    thread::sleep(Duration::from_millis(1));
                }
                Err(error) => panic!("{error}"),
            }
        }
    });
}

/// Echoes where streams always may be, else writes down what came.
fn answer(shared: &Shared, mut stream: TcpStream, port: u16) {
    stream.set_nonblocking(false).unwrap();
    end_unanswered(&stream);
    stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    let mut message = [0; MESSAGE];
    let mut filled = 0;
    while shared.goes_on() {
        match stream.read(&mut message[filled..]) {
            Ok(0) => return,
            Ok(length) => filled += length,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => return,
        }
        if filled == MESSAGE {
            filled = 0;
            if port != ALWAYS {
                shared.arrived(arrival(port, Kind::Stream, &message));
            } else if stream.write_all(&message).is_err() {
                return;
            }
        }
    }
}

fn end_unanswered(stream: &TcpStream) {
    let millis = u32::try_from(UNANSWERED.as_millis()).unwrap();
    set_tcp_user_timeout(stream, millis).unwrap();
}

/// Each from a port of its own, so each is a connection.
fn send_datagrams(shared: &Shared, port: u16) {
    let server = SocketAddr::new(fabric::place(SERVER).address, port);
    while shared.goes_on() {
        let socket = UdpSocket::bind(("0.0.0.0", 0)).unwrap();
        socket.send_to(&message(now(), Sender::Client), server).unwrap();
        thread::sleep(Duration::from_millis(1));
    }
}

fn connect_often(shared: &Shared, port: u16) {
    let server = SocketAddr::new(fabric::place(SERVER).address, port);
    while shared.goes_on() {
        let sent = now();
        let connected = if port == ALWAYS {
            // Until the kernel has asked seven times.
            TcpStream::connect(server)
        } else {
            TcpStream::connect_timeout(&server, Duration::from_millis(50))
        };
        match connected {
            Ok(_) if port == ALWAYS => drop(shared.connections.fetch_add(1, Ordering::Relaxed)),
            Ok(_) => {
                let (kind, sender) = (Kind::Connection, Sender::Client);
                shared.arrived(Arrival { port, kind, sender, sent, received: now() });
            }
            Err(error) if port == ALWAYS => {
                shared.broke(format!("a new connection from {sent}: {error}"))
            }
            Err(_) => {}
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// Until the policy of the moment ends it, and then again.
fn stream_while_allowed(shared: &Shared, variant: Variant) {
    let server = SocketAddr::new(fabric::place(SERVER).address, variant.port());
    while shared.goes_on() {
        let connected = TcpStream::connect_timeout(&server, Duration::from_millis(50));
        let Ok(mut stream) = connected else { continue };
        stream.set_nodelay(true).unwrap();
        stream.set_write_timeout(Some(Duration::from_millis(100))).unwrap();
        for _ in 0..200 {
            if stream.write_all(&message(now(), Sender::Client)).is_err() || !shared.goes_on() {
                break;
            }
            thread::sleep(Duration::from_millis(2));
        }
    }
}

fn stream_always(shared: &Shared) {
    let server = SocketAddr::new(fabric::place(SERVER).address, ALWAYS);
    let mut stream = TcpStream::connect(server).unwrap();
    end_unanswered(&stream);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    let mut echo = [0; MESSAGE];
    while shared.goes_on() {
        let sent = message(now(), Sender::Client);
        let echoed = stream.write_all(&sent).and_then(|()| stream.read_exact(&mut echo));
        match echoed {
            Ok(()) if echo == sent => drop(shared.echoes.fetch_add(1, Ordering::Relaxed)),
            Ok(()) => return shared.broke("a stream: another message came back".to_owned()),
            // The server may have heard of the end first.
            Err(_) if !shared.goes_on() => return,
            Err(error) => return shared.broke(format!("a stream: {error}")),
        }
        thread::sleep(Duration::from_millis(1));
    }
}
