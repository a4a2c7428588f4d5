//! What answers in a lab. Sockets are opened inside the namespaces and polled here, all in one thread:
//! a socket stays where it was opened.

mod dns;
mod echo;
pub(crate) mod sctp;

use crate::error::LabError;
use crate::names::Names;
use crate::network::{Host, Network};
use crate::plan::{Endpoint, Listener, Plan, PodKey};
use net_types::{Family, Protocol};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::rc::Rc;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;

/// A socket that is open, with what it says of itself.
#[derive(Debug)]
pub(crate) enum Socket {
    Tcp(TcpListener),
    Udp(UdpSocket),
    /// Raw: of one family, for all ports.
    Sctp(UdpSocket),
}

/// What a socket answers with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answers {
    /// `shop/web-0 8080`.
    Name(String),
    Dns,
    /// SCTP, on these ports.
    Init(Vec<u16>),
}

#[derive(Debug)]
pub(crate) struct Served {
    /// Whose it is; a peer outside has none.
    pub pod: Option<PodKey>,
    pub answers: Answers,
    pub socket: Socket,
}

/// Opens what listens in these pods.
pub(crate) fn open_pods(
    plan: &Plan,
    network: &Network,
    is_wanted: impl Fn(&PodKey) -> bool,
) -> Result<Vec<Served>, LabError> {
    let mut served = Vec::new();
    for (place, pod) in plan.snapshot.pods.iter().enumerate() {
        let key = PodKey::of(pod);
        if !is_wanted(&key) {
            continue;
        }
        let listeners = plan.pods.get(place).map_or(&[][..], |planned| &planned.listeners);
        let is_dns = |listener: &Listener| {
            let endpoint = Endpoint { pod: place, port: listener.port };
            plan.dns.endpoints.contains(&(listener.protocol, endpoint))
        };
        let opened = open_in(network, Host::Pod(place), &pod.to_string(), listeners)?;
        served.extend(opened.into_iter().map(|(listener, socket)| Served {
            pod: Some(key.clone()),
            answers: match listener {
                Some(listener) if is_dns(&listener) => Answers::Dns,
                Some(listener) => Answers::Name(format!("{pod} {}", listener.port)),
                None => Answers::Init(sctp_ports(listeners)),
            },
            socket,
        }));
    }
    Ok(served)
}

/// Opens what listens outside the cluster.
pub(crate) fn open_external(plan: &Plan, network: &Network) -> Result<Vec<Served>, LabError> {
    let mut served = Vec::new();
    for (place, peer) in plan.external.iter().enumerate() {
        let name = peer.address.to_string();
        let opened = open_in(network, Host::External(place), &name, &peer.listeners)?;
        served.extend(opened.into_iter().map(|(listener, socket)| Served {
            pod: None,
            answers: match listener {
                Some(listener) => Answers::Name(format!("{name} {}", listener.port)),
                None => Answers::Init(sctp_ports(&peer.listeners)),
            },
            socket,
        }));
    }
    Ok(served)
}

fn sctp_ports(listeners: &[Listener]) -> Vec<u16> {
    let sctp = listeners.iter().filter(|listener| listener.protocol == Protocol::Sctp);
    sctp.map(|listener| listener.port).collect()
}

/// A socket for each listener, and for SCTP one for each family, whatever its ports.
fn open_in(
    network: &Network,
    host: Host,
    name: &str,
    listeners: &[Listener],
) -> Result<Vec<(Option<Listener>, Socket)>, LabError> {
    let Some(namespace) = network.namespace(host).filter(|_| !listeners.is_empty()) else {
        return Ok(Vec::new());
    };
    let open = |listener: &Listener| {
        let failed = |source| LabError::Listen {
            host: name.to_owned(),
            port: format!("{}/{}", listener.port, listener.protocol),
            source,
        };
        let socket = open_socket(*listener).map_err(failed)?;
        Ok(socket.map(|socket| (Some(*listener), socket)))
    };
    namespace.enter(|| {
        let opened: Result<Vec<_>, LabError> =
            listeners.iter().filter_map(|listener| open(listener).transpose()).collect();
        let mut opened = opened?;
        if !sctp_ports(listeners).is_empty() {
            for family in [Family::V4, Family::V6] {
                let socket = sctp::socket(family).map_err(|source| LabError::Listen {
                    host: name.to_owned(),
                    port: "SCTP".to_owned(),
                    source,
                })?;
                opened.push((None, Socket::Sctp(socket)));
            }
        }
        Ok(opened)
    })?
}

/// One socket for both families.
fn open_socket(Listener { protocol, port }: Listener) -> io::Result<Option<Socket>> {
    let any = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
    Ok(match protocol {
        Protocol::Tcp => {
            let listener = TcpListener::bind(any)?;
            listener.set_nonblocking(true)?;
            Some(Socket::Tcp(listener))
        }
        Protocol::Udp => {
            let socket = UdpSocket::bind(any)?;
            socket.set_nonblocking(true)?;
            Some(Socket::Udp(socket))
        }
        Protocol::Sctp | Protocol::Other(_) => None,
    })
}

/// As long as a host is there.
#[derive(Clone, Debug)]
struct Life(watch::Receiver<()>);

impl Life {
    /// The work ends with the host.
    fn spawn(&self, work: impl Future<Output = ()> + 'static) {
        let mut end = self.0.clone();
        tokio::task::spawn_local(async move {
            tokio::select! {
                // Nothing is ever sent: it changes by going away.
                _ = end.changed() => {}
                () = work => {}
            }
        });
    }
}

/// The names that hold now.
#[derive(Clone, Debug, Default)]
struct NamesNow(Rc<RefCell<Rc<Names>>>);

impl NamesNow {
    fn get(&self) -> Rc<Names> {
        Rc::clone(&self.0.borrow())
    }
}

/// What is to be served from now on, besides what is.
#[derive(Debug)]
pub(crate) enum Service {
    Serve(Vec<Served>),
    /// Its sockets and connections are closed.
    End(PodKey),
    Names(Names),
    /// Everything has ended that was asked for before.
    Settled(std::sync::mpsc::Sender<()>),
}

/// Serves until nobody can ask for anything any more.
pub(crate) async fn serve(mut asked: UnboundedReceiver<Service>) -> io::Result<()> {
    let names = NamesNow::default();
    let mut lives: BTreeMap<Option<PodKey>, (watch::Sender<()>, Life)> = BTreeMap::new();
    while let Some(service) = asked.recv().await {
        match service {
            Service::Serve(all) => {
                for Served { pod, answers, socket } in all {
                    let (_, life) = lives.entry(pod).or_insert_with(|| {
                        let (sender, receiver) = watch::channel(());
                        (sender, Life(receiver))
                    });
                    start(life, &names, answers, socket)?;
                }
            }
            Service::End(pod) => drop(lives.remove(&Some(pod))),
            Service::Names(new) => drop(names.0.replace(Rc::new(new))),
            Service::Settled(told) => {
                // The tasks that end need a turn each.
                tokio::task::yield_now().await;
                // Who asked may have gone.
                told.send(()).unwrap_or_default();
            }
        }
    }
    Ok(())
}

fn start(life: &Life, names: &NamesNow, answers: Answers, socket: Socket) -> io::Result<()> {
    match (socket, answers) {
        (Socket::Tcp(listener), Answers::Dns) => dns::serve_tcp(life, names.clone(), listener),
        (Socket::Udp(socket), Answers::Dns) => dns::serve_udp(life, names.clone(), socket),
        (Socket::Tcp(listener), Answers::Name(name)) => echo::serve_tcp(life, name, listener),
        (Socket::Udp(socket), Answers::Name(name)) => echo::serve_udp(life, &name, socket),
        (Socket::Sctp(socket), Answers::Init(ports)) => sctp::serve(life, ports, socket),
        // Not made by `open_pods` or `open_external`.
        (Socket::Tcp(_) | Socket::Udp(_), Answers::Init(_))
        | (Socket::Sctp(_), Answers::Name(_) | Answers::Dns) => Ok(()),
    }
}
