//! The lab's socket: one request a connection, each in a thread of its own.

use crate::agent::chain;
use crate::effects;
use crate::error::LabError;
use crate::flow_log::Read;
use crate::network::Host;
use crate::plan::PodKey;
use crate::probe::{self, Enforcement, Filter, Target};
use crate::running::{Lab, Made, Moment};
use crate::traffic::{self, Traffic};
use crate::wire::{
    Answer, Changed, Envelope, ProbeRequest, Request, TrafficRequest, VERSION, read_line,
    write_line,
};
use crate::world::World;
use policy_model::{PodOrigin, ServiceKind};
use question_syntax::{Peer, PeerArgument, PeerIndex, PortArgument};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};
use std::collections::BTreeSet;
use std::io::{self, BufReader, IoSlice};
use std::mem::MaybeUninit;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;
use tokio::sync::mpsc::UnboundedSender;

/// How long a follower hears nothing where nothing happens.
const FOLLOW: Duration = Duration::from_secs(1);

/// Answers until the process ends.
pub(crate) fn listen(socket: &UnixListener, lab: &Arc<Lab>, stop: &UnboundedSender<()>) {
    for stream in socket.incoming().flatten() {
        let (lab, stop) = (Arc::clone(lab), stop.clone());
        thread::spawn(move || {
            // Who asked went away: nobody is left to tell.
            drop(answer(&stream, &lab, &stop));
        });
    }
}

fn answer(mut stream: &UnixStream, lab: &Lab, stop: &UnboundedSender<()>) -> io::Result<()> {
    let mut input = BufReader::new(stream);
    let Some(Envelope { version, request }) = read_line(&mut input)? else { return Ok(()) };
    if version != VERSION && !matches!(request, Request::Stop) {
        let text =
            format!("the lab runs version {VERSION}, and this is {version}: take it down first");
        return write_line(&mut stream, &Answer::Refused(text));
    }
    let moment = lab.now();
    let moment = &*moment;
    match request {
        Request::Status => write_line(&mut stream, &Answer::Status(lab.status())),
        Request::State => write_line(&mut stream, &Answer::State(Box::new(lab.known_state()))),
        Request::Roll(workloads) => write_made(stream, lab.roll(&workloads)),
        Request::Enter { peer } => match host_of(&moment.world, &peer) {
            Ok(host) => enter(stream, &mut input, moment, host),
            Err(text) => write_line(&mut stream, &Answer::Refused(text)),
        },
        Request::Probe(request) => match filter(&moment.world, &request) {
            Ok(filter) => probe(stream, (moment, lab), &filter),
            Err(text) => write_line(&mut stream, &Answer::Refused(text)),
        },
        Request::Flows { follow, new_only } => flows(stream, lab, follow, new_only),
        Request::Change(change) => write_made(stream, lab.change(&change)),
        Request::Effects(change) => match lab.with(&change) {
            Ok((_, after)) => {
                drop(lab.agents.catch_up());
                let effects = effects::of(&lab.flows.read(0).lines, &moment.world, &after);
                write_line(&mut stream, &Answer::Effects(effects))
            }
            Err(error) => write_line(&mut stream, &Answer::Refused(chain(&error))),
        },
        Request::StopPods(pods) => write_made(stream, lab.set_stopped(&pods, true)),
        Request::StartPods(pods) => write_made(stream, lab.set_stopped(&pods, false)),
        Request::KillAgent { node } => {
            let place = moment.world.plan.nodes.iter().position(|of| of.name == node);
            let names = moment.world.plan.nodes.iter().map(|node| node.name.as_str());
            let nodes = || names.collect::<Vec<_>>().join(", ");
            let killed =
                place.ok_or_else(|| format!("there is no node {node}; the lab has {}", nodes()));
            let killed = killed.and_then(|place| {
                lab.agents
                    .kill(place)
                    .map_err(|error| format!("its agent cannot be ended: {error}"))
            });
            write_line(&mut stream, &killed.map_or_else(Answer::Refused, |()| Answer::Killed))
        }
        Request::Traffic(request) => match traffic_of(moment, &request) {
            Ok(_) => traffic::run(
                || lab.now(),
                |moment| traffic_of(moment, &request).ok(),
                |attempts| write_line(&mut stream, &Answer::Attempts(attempts)),
            ),
            Err(text) => write_line(&mut stream, &Answer::Refused(text)),
        },
        Request::Bind => {
            write_line(&mut stream, &Answer::Bound)?;
            // However the reading ends, who bound the lab is not there any more.
            drop(io::copy(&mut input, &mut io::sink()));
            stop.send(()).map_err(io::Error::other)
        }
        Request::Stop => {
            let written = write_line(&mut stream, &Answer::Stopping);
            // The main thread hears it, or has ended and this process with it.
            stop.send(()).map_err(io::Error::other).and(written)
        }
    }
}

fn write_made(mut stream: &UnixStream, made: Result<Made, LabError>) -> io::Result<()> {
    let answer = match made {
        Ok(Made { epoch, notes, problems }) => {
            Answer::Changed { epoch, changed: Changed { notes, problems } }
        }
        Err(error) => Answer::Refused(chain(&error)),
    };
    write_line(&mut stream, &answer)
}

/// Writing to who went away ends it.
fn flows(mut stream: &UnixStream, lab: &Lab, follow: bool, new_only: bool) -> io::Result<()> {
    let missing = lab.agents.catch_up();
    let mut from = if new_only { lab.flows.end() } else { 0 };
    if follow {
        // From here on nothing is missed, and whoever waits for that knows it now.
        write_line(&mut stream, &Answer::Flows { lines: Vec::new(), missed: 0 })?;
    }
    loop {
        let Read { lines, missed, next } =
            if follow { lab.flows.wait(from, FOLLOW) } else { lab.flows.read(from) };
        // An empty answer, too, so that a client that went away is noticed.
        let lines = lines.iter().map(|line| line.as_ref().to_owned()).collect();
        // Before the first line nothing was missed: nobody had asked.
        let missed = if from == 0 { 0 } else { missed };
        write_line(&mut stream, &Answer::Flows { lines, missed })?;
        from = next;
        if !follow {
            return write_line(&mut stream, &Answer::FlowsEnd { missing });
        }
    }
}

/// The pod, the first pod of a workload, the node or the peer outside that is meant.
fn host_of(world: &World, text: &str) -> Result<Host, String> {
    if let Some(place) = world.plan.nodes.iter().position(|node| node.name == text) {
        return Ok(Host::Node(place));
    }
    let argument: PeerArgument = text.parse().map_err(|error| format!("{error}"))?;
    if let PeerArgument::Address(address) = argument {
        let peers = &world.plan.external;
        if let Some(place) = peers.iter().position(|peer| peer.address == address) {
            return Ok(Host::External(place));
        }
    }
    let resolved = PeerIndex::new(&world.plan.snapshot).resolve(&argument);
    match resolved.map_err(|error| error.to_string())? {
        Peer::Pods(pods) => pods.first().map(|pod| Host::Pod(*pod)),
        Peer::Node(name) => {
            world.plan.nodes.iter().position(|node| node.name == name).map(Host::Node)
        }
        Peer::Service(_) | Peer::Addresses(_) => None,
    }
    .ok_or_else(|| format!("`{text}` is no pod, node or peer outside of the lab"))
}

fn probe(
    mut stream: &UnixStream,
    (moment, lab): (&Moment, &Lab),
    filter: &Filter,
) -> io::Result<()> {
    let enforcement =
        if lab.setup.pods.observe { Enforcement::None } else { Enforcement::Enforced };
    let (done, cells) = channel();
    thread::scope(|scope| {
        scope.spawn(move || probe::run(moment, enforcement, filter, &done));
        for cells in cells {
            write_line(&mut stream, &Answer::Cells(cells))?;
        }
        write_line(&mut stream, &Answer::Probed)
    })
}

fn filter(world: &World, request: &ProbeRequest) -> Result<Filter, String> {
    let port = match &request.port {
        Some(text) => text.parse().map_err(|error| format!("{error}"))?,
        None => PortArgument::All,
    };
    if matches!(port, PortArgument::Named { .. } | PortArgument::Portless(_)) {
        return Err(format!("`{port}` cannot be tried: write a number, as 8080 or 53/udp"));
    }
    let targets = |text: &String| targets_of(world, text);
    let from = request.from.as_ref().map(targets).transpose()?;
    let hosts = |targets: Vec<Target>| {
        let host = |target: &Target| match target {
            Target::Host(host) => Some(*host),
            Target::Service(_) => None,
        };
        targets.iter().filter_map(host).collect()
    };
    Ok(Filter { from: from.map(hosts), to: request.to.as_ref().map(targets).transpose()?, port })
}

/// One address, of the older family where there are two. A pod that is about to go neither calls nor is called
/// by its own address.
fn traffic_of(moment: &Moment, request: &TrafficRequest) -> Result<Traffic, String> {
    traffic_in(&moment.world, &moment.leaving, request)
}

/// `leaving` are pods that begin nothing any more.
pub(crate) fn traffic_in(
    world: &World,
    leaving: &BTreeSet<PodKey>,
    request: &TrafficRequest,
) -> Result<Traffic, String> {
    let TrafficRequest { from, to, port, per_second, kept } = request;
    let stays = |target: &Target| match target {
        Target::Host(Host::Pod(place)) => {
            let pod = world.plan.snapshot.pods.get(*place);
            pod.is_some_and(|pod| !leaving.contains(&PodKey::of(pod)))
        }
        Target::Host(Host::Node(_) | Host::External(_)) | Target::Service(_) => true,
    };
    let sources = targets_of(world, from)?;
    let host = sources.iter().filter(|target| stays(target)).find_map(|target| match target {
        Target::Host(host) => Some(*host),
        Target::Service(_) => None,
    });
    let host = host.ok_or_else(|| format!("nothing of {from} can call"))?;
    let port: PortArgument = port.parse().map_err(|error| format!("{error}"))?;
    let PortArgument::Number { protocol, port } = port else {
        return Err(format!("`{port}` cannot be tried: write a number, as 8080 or 53/udp"));
    };
    let targets = targets_of(world, to)?;
    let target = targets.iter().find(|target| stays(target));
    let addresses = target.map(|target| target.addresses(&world.plan));
    let own = Target::Host(host).addresses(&world.plan);
    let reachable = |to: &&IpAddr| own.iter().any(|own| own.is_ipv4() == to.is_ipv4());
    let mut addresses: Vec<IpAddr> =
        addresses.unwrap_or_default().iter().filter(reachable).copied().collect();
    addresses.sort_by_key(|address| !address.is_ipv4());
    let address = addresses.first();
    let address = address.ok_or_else(|| format!("{from} shares no address family with {to}"))?;
    let to = SocketAddr::new(*address, port);
    let every = Duration::from_secs(1) / u32::from((*per_second).max(1));
    Ok(Traffic { from: host, to, protocol, every, kept: *kept })
}

fn targets_of(world: &World, text: &str) -> Result<Vec<Target>, String> {
    let argument: PeerArgument = text.parse().map_err(|error| format!("{error}"))?;
    let is_address = matches!(argument, PeerArgument::Address(_));
    let resolved = (!is_address).then(|| PeerIndex::new(&world.plan.snapshot).resolve(&argument));
    match resolved.transpose().map_err(|error| error.to_string())? {
        Some(Peer::Pods(pods)) => {
            Ok(pods.into_iter().map(|pod| Target::Host(Host::Pod(pod))).collect())
        }
        Some(Peer::Service(service)) => Ok(of_service(world, service)),
        Some(Peer::Node(_) | Peer::Addresses(_)) | None => {
            host_of(world, text).map(|host| vec![Target::Host(host)])
        }
    }
}

/// Clients of a headless Service connect to its pods.
fn of_service(world: &World, place: usize) -> Vec<Target> {
    let is_headless = (world.plan.snapshot.services.get(place))
        .is_some_and(|service| service.kind == ServiceKind::Headless);
    match world.plan.services.get(place) {
        Some(planned) if is_headless => {
            planned.pods.iter().map(|pod| Target::Host(Host::Pod(*pod))).collect()
        }
        Some(_) | None => vec![Target::Service(place)],
    }
}

/// Hands the namespace over, and holds the connection until the other side closes it or the lab ends: so
/// the other side learns that the lab is gone.
fn enter(
    stream: &UnixStream,
    input: &mut BufReader<&UnixStream>,
    Moment { world, network, leaving: _ }: &Moment,
    host: Host,
) -> io::Result<()> {
    let Some(namespace) = network.namespace(host) else {
        return write_line(&mut &*stream, &Answer::Refused("it has no network".to_owned()));
    };
    let answer = Answer::Entered {
        host: world.plan.name(host),
        resolv_conf: resolv_conf(world, host),
        hosts: hosts(world, host),
    };
    let mut line = serde_json::to_vec(&answer)?;
    line.push(b'\n');
    send_with(stream, &line, namespace.as_fd())?;
    io::copy(input, &mut io::sink()).map(|_| ())
}

fn send_with(
    stream: &UnixStream,
    line: &[u8],
    file: std::os::fd::BorrowedFd<'_>,
) -> io::Result<()> {
    let files = [file];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !ancillary.push(SendAncillaryMessage::ScmRights(&files)) {
        return Err(io::Error::other("no room for a descriptor"));
    }
    let sent =
        rustix::net::sendmsg(stream, &[IoSlice::new(line)], &mut ancillary, SendFlags::NOSIGNAL)?;
    match line.get(sent..) {
        Some(rest) if !rest.is_empty() => io::Write::write_all(&mut &*stream, rest),
        Some(_) | None => Ok(()),
    }
}

/// As a kubelet writes it. Host-network pods, nodes and peers outside use their machine's, and a lab's
/// have none.
fn resolv_conf(world: &World, host: Host) -> Option<String> {
    let Host::Pod(place) = host else { return None };
    let pod = world.plan.snapshot.pods.get(place)?;
    debug_assert_eq!(pod.origin, PodOrigin::Live);
    let servers: String =
        world.plan.dns.addresses.iter().map(|address| format!("nameserver {address}\n")).collect();
    let namespace = &pod.namespace;
    Some(format!(
        "{servers}search {namespace}.svc.cluster.local svc.cluster.local cluster.local\n\
         options ndots:5\n"
    ))
}

fn hosts(world: &World, host: Host) -> String {
    let own: Vec<(IpAddr, &str)> = match host {
        Host::Pod(place) => world.plan.snapshot.pods.get(place).map_or_else(Vec::new, |pod| {
            pod.addresses.iter().map(|address| (*address, &*pod.name)).collect()
        }),
        Host::Node(_) | Host::External(_) => Vec::new(),
    };
    let own: String = own.iter().map(|(address, name)| format!("{address}\t{name}\n")).collect();
    format!("127.0.0.1\tlocalhost\n::1\tlocalhost\n{own}")
}
