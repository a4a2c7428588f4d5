//! The lab's socket: one request a connection, each in a thread of its own.

use crate::network::{Host, Network};
use crate::plan::Plan;
use crate::wire::{Answer, Envelope, Request, VERSION, read_line, write_line};
use policy_model::PodOrigin;
use question_syntax::{Peer, PeerArgument, PeerIndex};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};
use std::io::{self, BufReader, IoSlice};
use std::mem::MaybeUninit;
use std::net::IpAddr;
use std::os::fd::AsFd as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::thread;
use tokio::sync::mpsc::UnboundedSender;

/// What requests are about.
#[derive(Debug)]
pub(crate) struct Lab {
    pub name: String,
    pub plan: Plan,
    pub network: Network,
}

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
    match request {
        Request::Status => write_line(&mut stream, &Answer::Status(lab.status())),
        Request::Enter { peer } => match host_of(lab, &peer) {
            Ok(host) => enter(stream, &mut input, lab, host),
            Err(text) => write_line(&mut stream, &Answer::Refused(text)),
        },
        Request::Stop => {
            let written = write_line(&mut stream, &Answer::Stopping);
            // The main thread hears it, or has ended and this process with it.
            stop.send(()).map_err(io::Error::other).and(written)
        }
    }
}

/// The pod, the first pod of a workload, the node or the peer outside that is meant.
fn host_of(lab: &Lab, text: &str) -> Result<Host, String> {
    let argument: PeerArgument = text.parse().map_err(|error| format!("{error}"))?;
    if let PeerArgument::Address(address) = argument {
        let peers = &lab.plan.external;
        if let Some(place) = peers.iter().position(|peer| peer.address == address) {
            return Ok(Host::External(place));
        }
    }
    let resolved = PeerIndex::new(&lab.plan.snapshot).resolve(&argument);
    match resolved.map_err(|error| error.to_string())? {
        Peer::Pods(pods) => pods.first().map(|pod| Host::Pod(*pod)),
        Peer::Node(name) => {
            lab.plan.nodes.iter().position(|node| node.name == name).map(Host::Node)
        }
        Peer::Service(_) | Peer::Addresses(_) => None,
    }
    .ok_or_else(|| format!("`{text}` is no pod, node or peer outside of the lab"))
}

/// Hands the namespace over, and holds the connection until the other side closes it or the lab ends: so
/// the other side learns that the lab is gone.
fn enter(
    stream: &UnixStream,
    input: &mut BufReader<&UnixStream>,
    lab: &Lab,
    host: Host,
) -> io::Result<()> {
    let Some(namespace) = lab.network.namespace(host) else {
        return write_line(&mut &*stream, &Answer::Refused("it has no network".to_owned()));
    };
    let answer = Answer::Entered {
        host: name(lab, host),
        resolv_conf: resolv_conf(lab, host),
        hosts: hosts(lab, host),
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

fn name(lab: &Lab, host: Host) -> String {
    match host {
        Host::Pod(place) => lab.plan.snapshot.pods.get(place).map(ToString::to_string),
        Host::Node(place) => lab.plan.nodes.get(place).map(|node| node.name.clone()),
        Host::External(place) => lab.plan.external.get(place).map(|peer| peer.address.to_string()),
    }
    .unwrap_or_default()
}

/// As a kubelet writes it. Host-network pods, nodes and peers outside use their machine's, and a lab's
/// have none.
fn resolv_conf(lab: &Lab, host: Host) -> Option<String> {
    let Host::Pod(place) = host else { return None };
    let pod = lab.plan.snapshot.pods.get(place)?;
    debug_assert_eq!(pod.origin, PodOrigin::Live);
    let servers: String =
        lab.plan.dns.addresses.iter().map(|address| format!("nameserver {address}\n")).collect();
    let namespace = &pod.namespace;
    Some(format!(
        "{servers}search {namespace}.svc.cluster.local svc.cluster.local cluster.local\n\
         options ndots:5\n"
    ))
}

fn hosts(lab: &Lab, host: Host) -> String {
    let own: Vec<(IpAddr, &str)> = match host {
        Host::Pod(place) => lab.plan.snapshot.pods.get(place).map_or_else(Vec::new, |pod| {
            pod.addresses.iter().map(|address| (*address, &*pod.name)).collect()
        }),
        Host::Node(_) | Host::External(_) => Vec::new(),
    };
    let own: String = own.iter().map(|(address, name)| format!("{address}\t{name}\n")).collect();
    format!("127.0.0.1\tlocalhost\n::1\tlocalhost\n{own}")
}
