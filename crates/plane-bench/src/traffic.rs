//! Real connections between two pods through one node, under several ways of filtering.
//!
//! Client and server share a CPU, so that what is measured is the work and not the waking of another CPU; what
//! a process does beside them is on another one. The ways take turns, and each round is compared within itself.

use crate::node::apart;
use crate::ways::Way;
use anyhow::{Context, Result, anyhow, ensure};
use net_fabric::{
    Changes, FabricError, HardwareAddress, LinkEnd, Namespace, NewAddress, Route, set_sysctl,
};
use net_types::IpNet;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::socket::{setsockopt, sockopt};
use nix::sys::time::TimeValLike as _;
use nix::unistd::Pid;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

pub(crate) const PORT: u16 = 500;
pub(crate) const FIRST_LINK: u32 = 100;
const BLOCK: usize = 128 * 1024;
const ROUTER: HardwareAddress = HardwareAddress([2, 0, 0, 0, 0, 1]);
const ETH0: u32 = 2;
/// Of connection tracking's connections, and of no policy's throughput.
const CONNECTIONS_TARGET: f64 = 0.90;
const THROUGHPUT_TARGET: f64 = 0.97;

#[derive(Clone, Copy, Debug)]
struct Rates {
    connections: f64,
    /// CPU time of client and server, and of what the kernel does in their place.
    microseconds: f64,
    gigabits: f64,
}

pub(crate) fn pod(number: u8) -> IpAddr {
    IpAddr::from([10, 0, 0, 1 + number])
}

type Round = Vec<(Way, Rates)>;

pub(crate) fn measure(duration: Duration, n_rounds: usize) -> Result<()> {
    let mut rounds: Vec<Round> = Vec::new();
    for round in 0..n_rounds {
        let mut ways = Way::ALL;
        ways.rotate_left(round % Way::ALL.len());
        let measured =
            ways.into_iter().map(|way| Ok((way, apart(|root| with(way, root, duration))?)));
        rounds.push(measured.collect::<Result<_>>()?);
    }
    println!(
        "two pods of one node, client and server on one CPU, {n_rounds} rounds of {} s in turn; medians, and of \
         what was beside in the same round:",
        duration.as_secs()
    );
    println!("{:>46}{:>18}{:>15}{:>18}", "", "conn./s  tracking", "CPU, µs", "Gbit/s  no policy");
    for way in Way::ALL {
        let (connections, of_tracking) = compare(&rounds, way, Way::Tracking, |of| of.connections);
        let (micros, more) = compare(&rounds, way, Way::Tracking, |of| of.microseconds);
        let (gigabits, of_none) = compare(&rounds, way, Way::None, |of| of.gigabits);
        println!(
            "  {:<43} {connections:7.0} {:6.1} % {micros:6.1} {:6.1} % {gigabits:6.1} {:6.1} %",
            way.name(),
            of_tracking * 100.0,
            more * 100.0,
            of_none * 100.0
        );
    }
    let (_, connections) = compare(&rounds, Way::Ours, Way::Tracking, |of| of.connections);
    let (_, gigabits) = compare(&rounds, Way::Ours, Way::None, |of| of.gigabits);
    for (what, found, target) in [
        ("connections a second, of tracking", connections, CONNECTIONS_TARGET),
        ("throughput, of no policy", gigabits, THROUGHPUT_TARGET),
    ] {
        let verdict = if found >= target { "met" } else { "missed" };
        println!(
            "  ours: {what} {:.1} %, target {:.0} %: {verdict}",
            found * 100.0,
            target * 100.0
        );
    }
    Ok(())
}

/// Medians of a rate, and of what part it is of another way's in the same round.
fn compare(rounds: &[Round], way: Way, base: Way, rate: fn(&Rates) -> f64) -> (f64, f64) {
    let rates = |way: Way| {
        let of_way = rounds.iter().flatten().filter(move |(of, _)| *of == way);
        of_way.map(|(_, rates)| rate(rates))
    };
    let parts = rates(way).zip(rates(base)).map(|(of_way, of_base)| of_way / of_base);
    (median(rates(way).collect()), median(parts.collect()))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

fn with(way: Way, root: &Path, duration: Duration) -> Result<Rates> {
    let node = Namespace::of_this_thread()?;
    set_sysctl("ipv4/ip_forward", "1")?;
    let pods = Namespace::create_many(2, || Ok(()))?;
    connect(&node, &pods)?;
    let mut running = way.begin(&node, root)?;
    let [client, server] = &pods[..] else { return Err(anyhow!("two namespaces")) };
    let ended = AtomicBool::new(false);
    let serving = &mut running;
    let measured = thread::scope(|scope| -> Result<Rates> {
        let beside = scope.spawn(|| pin(Place::Beside).and_then(|()| serving.serve(&ended)));
        let measured = connections(client, server, duration).and_then(|rates| {
            Ok(Rates { gigabits: throughput(client, server, duration)?, ..rates })
        });
        ended.store(true, Ordering::Relaxed);
        // A packet for whoever waits for one; nobody listens any more.
        drop(client.enter(|| TcpStream::connect(SocketAddr::new(pod(1), PORT))));
        let n_served = beside.join().map_err(|_panic| anyhow!("a process beside panicked"))??;
        ensure!(n_served != Some(0), "{}: nothing went through it", way.name());
        measured
    })?;
    running.end()?;
    Ok(measured)
}

fn connect(node: &Namespace, pods: &[Namespace]) -> Result<(), FabricError> {
    let gateway = IpAddr::from([169, 254, 1, 1]);
    for (number, (namespace, index)) in (0..).zip(pods.iter().zip(FIRST_LINK..)) {
        let hardware = HardwareAddress([2, 0, 0, 0, 1, number]);
        let mut here = Changes::default();
        let name = format!("pod{number}");
        here.add_pair(
            LinkEnd { name: &name, index, hardware: ROUTER },
            LinkEnd { name: "eth0", index: ETH0, hardware },
            namespace.as_fd(),
        );
        here.set_up(index);
        here.add_route(Route { to: pod(number).into(), via: None, index });
        here.add_neighbour(index, pod(number), hardware);
        here.apply(node)?;
        let mut there = Changes::default();
        there.set_up(ETH0);
        there.add_address(NewAddress { index: ETH0, address: pod(number) });
        there.add_neighbour(ETH0, gateway, ROUTER);
        let everything = IpNet::new_assert(Ipv4Addr::UNSPECIFIED.into(), 0);
        there.add_route(Route { to: everything, via: Some(gateway), index: ETH0 });
        there.apply(namespace)?;
    }
    Ok(())
}

/// Who is on which CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// The first that there is.
    Traffic,
    /// The last.
    Beside,
}

/// One CPU of this thread from here on.
fn pin(place: Place) -> Result<()> {
    let usable = sched_getaffinity(Pid::from_raw(0))?;
    let mut numbers = (0..CpuSet::count()).filter(|cpu| usable.is_set(*cpu).unwrap_or_default());
    let cpu = match place {
        Place::Traffic => numbers.next(),
        Place::Beside => numbers.next_back(),
    };
    let mut cpus = CpuSet::new();
    cpus.set(cpu.context("no CPU")?)?;
    Ok(sched_setaffinity(Pid::from_raw(0), &cpus)?)
}

/// A server that answers each connection's one byte, while the client makes one after the other.
fn connections(client: &Namespace, server: &Namespace, duration: Duration) -> Result<Rates> {
    let address = SocketAddr::new(pod(1), PORT);
    let listener = server.enter(|| TcpListener::bind(address))??;
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        let serving = scope.spawn(|| -> Result<Duration> {
            pin(Place::Traffic)?;
            let before = spent()?;
            while let Ok((mut stream, _)) = listener.accept() {
                if ended.load(Ordering::Relaxed) {
                    break;
                }
                let mut byte = [0];
                if stream.read(&mut byte)? == 1 {
                    stream.write_all(&byte)?;
                }
                // Waits for the client, whose reset leaves no state that a port would wait for.
                drop(stream.read(&mut byte));
            }
            Ok(spent()? - before)
        });
        let asking = client.enter(|| -> Result<(f64, f64, Duration)> {
            pin(Place::Traffic)?;
            let (start, before) = (Instant::now(), spent()?);
            let mut n_connections = 0.0;
            while start.elapsed() < duration {
                exchange(address)?;
                n_connections += 1.0;
            }
            let (took, of_client) = (start.elapsed(), spent()? - before);
            ended.store(true, Ordering::Relaxed);
            drop(TcpStream::connect(address)?);
            Ok((n_connections, took.as_secs_f64(), of_client))
        })?;
        let of_server = serving.join().map_err(|_panic| anyhow!("the server panicked"))??;
        let (n_connections, seconds, of_client) = asking?;
        Ok(Rates {
            connections: n_connections / seconds,
            microseconds: (of_client + of_server).as_secs_f64() * 1e6 / n_connections,
            gigabits: 0.0,
        })
    })
}

/// CPU time of this thread.
fn spent() -> Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_THREAD)?;
    let both = usage.user_time() + usage.system_time();
    Ok(Duration::from_micros(u64::try_from(both.num_microseconds())?))
}

fn exchange(address: SocketAddr) -> Result<()> {
    let mut stream = TcpStream::connect(address).context("connecting")?;
    let abort = nix::libc::linger { l_onoff: 1, l_linger: 0 };
    setsockopt(&stream, sockopt::Linger, &abort)?;
    stream.set_nodelay(true)?;
    stream.write_all(b"x")?;
    stream.read_exact(&mut [0])?;
    Ok(())
}

/// Gigabits a second over one connection.
fn throughput(client: &Namespace, server: &Namespace, duration: Duration) -> Result<f64> {
    let address = SocketAddr::new(pod(1), PORT);
    let listener = server.enter(|| TcpListener::bind(address))??;
    thread::scope(|scope| {
        let receiving = scope.spawn(|| -> Result<f64> {
            pin(Place::Traffic)?;
            let (mut stream, _) = listener.accept()?;
            let (start, mut block, mut n_bytes) = (Instant::now(), vec![0; BLOCK], 0.0);
            loop {
                match stream.read(&mut block) {
                    Ok(0) => break,
                    #[expect(clippy::cast_precision_loss, reason = "a block's length")]
                    Ok(length) => n_bytes += length as f64,
                    Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
                    Err(error) => return Err(error.into()),
                }
            }
            Ok(n_bytes * 8.0 / 1e9 / start.elapsed().as_secs_f64())
        });
        client.enter(|| -> Result<()> {
            pin(Place::Traffic)?;
            let mut stream = TcpStream::connect(address)?;
            let (start, block) = (Instant::now(), vec![0; BLOCK]);
            while start.elapsed() < duration {
                stream.write_all(&block)?;
            }
            Ok(())
        })??;
        receiving.join().map_err(|_panic| anyhow!("the receiver panicked"))?
    })
}
