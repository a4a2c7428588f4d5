//! Real connections between two pods through one node, under several ways of filtering.
//!
//! Client and server share a CPU, so that what is measured is the work and not the waking of another CPU.

use crate::node::apart;
use anyhow::{Context, Result, anyhow, ensure};
use dataplane::{Established, NodePlane, Options, PodInterface, PodMode, PodPolicy};
use net_fabric::{
    Changes, FabricError, HardwareAddress, LinkEnd, Namespace, NewAddress, Route, rules, set_sysctl,
};
use net_types::{IpNet, PortRange, Protocol};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::socket::{setsockopt, sockopt};
use nix::unistd::Pid;
use policy_engine::{Assumptions, Program, Semantics};
use policy_model::{Direction, Pod, PortMatch, PortSpec, Ports, Rule, Snapshot};
use policy_oracle::worlds::{objects, put_pod, put_policy};
use policy_tables::{LocalPod, Modes, Tables};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const ROUNDS: usize = 3;
const PORT: u16 = 500;
const BLOCK: usize = 128 * 1024;
const ROUTER: HardwareAddress = HardwareAddress([2, 0, 0, 0, 0, 1]);
const ETH0: u32 = 2;
const FIRST_LINK: u32 = 100;

/// A way of filtering, and its name in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    None,
    Tracking,
    Ours,
    Set,
    Linear,
}

impl Way {
    const ALL: [Self; 5] = [Self::None, Self::Tracking, Self::Ours, Self::Set, Self::Linear];

    fn name(self) -> &'static str {
        match self {
            Self::None => "no policy",
            Self::Tracking => "the kernel's connection tracking",
            Self::Ours => "ours, 1,000 rules, beside tracking",
            Self::Set => "nft set of 10,000 elements",
            Self::Linear => "nft, 1,000 rules in a row",
        }
    }

    /// The packet filter's rules.
    fn script(self) -> Option<String> {
        let verdicts = match self {
            Self::None => return None,
            Self::Tracking | Self::Ours => "accept".to_owned(),
            Self::Set => "ip saddr . ip daddr . tcp dport @pairs accept\n    drop".to_owned(),
            Self::Linear => {
                let rule = |port: u16| format!("ip saddr {} tcp dport {port} accept\n    ", pod(0));
                (1..=1_000).map(rule).collect()
            }
        };
        let mut set = String::new();
        if self == Self::Set {
            let others = (0..9_999_u32).map(|number| {
                let from = Ipv4Addr::from_bits(u32::from_be_bytes([10, 9, 0, 0]) + number);
                format!("{from} . {} . {PORT}", pod(1))
            });
            let own = format!("{} . {} . {PORT}", pod(0), pod(1));
            let elements: Vec<String> = others.chain([own]).collect();
            set = format!(
                "  set pairs {{\n    type ipv4_addr . ipv4_addr . inet_service\n    elements = {{ {} }}\n  }}\n",
                elements.join(", ")
            );
        }
        Some(format!(
            "table inet bench {{\n{set}  chain passing {{\n    type filter hook forward priority 0\n    \
             ct state established,related accept\n    {verdicts}\n  }}\n}}\n"
        ))
    }
}

fn pod(number: u8) -> IpAddr {
    IpAddr::from([10, 0, 0, 1 + number])
}

pub(crate) fn measure(duration: Duration) -> Result<()> {
    println!(
        "two pods of one node, on one CPU, the best of {ROUNDS} times {} s: connections a second, Gbit/s",
        duration.as_secs()
    );
    let mut best = [(0.0_f64, 0.0_f64); Way::ALL.len()];
    for _ in 0..ROUNDS {
        for (way, best) in Way::ALL.into_iter().zip(&mut best) {
            let (rate, throughput) = apart(|root| with(way, root, duration))?;
            *best = (best.0.max(rate), best.1.max(throughput));
        }
    }
    for (way, (rate, throughput)) in Way::ALL.into_iter().zip(best) {
        println!("  {:<40} {rate:8.0} {throughput:8.1}", way.name());
    }
    Ok(())
}

fn with(way: Way, root: &Path, duration: Duration) -> Result<(f64, f64)> {
    let node = Namespace::of_this_thread()?;
    set_sysctl("ipv4/ip_forward", "1")?;
    let pods = Namespace::create_many(2, || Ok(()))?;
    connect(&node, &pods)?;
    if let Some(script) = way.script() {
        rules::load(&node, &script)?;
    }
    let mut plane = None;
    if way == Way::Ours {
        plane = Some(enforce(root)?);
    }
    let [client, server] = &pods[..] else { return Err(anyhow!("two namespaces")) };
    let ended = AtomicBool::new(false);
    let measured = thread::scope(|scope| {
        let reading = scope.spawn(|| plane.as_mut().map_or(Ok(0), |plane| read(plane, &ended)));
        let measured = connections(client, server, duration)
            .and_then(|rate| Ok((rate, throughput(client, server, duration)?)));
        ended.store(true, Ordering::Relaxed);
        let n_events = reading.join().map_err(|_panic| anyhow!("the reader panicked"))??;
        ensure!(way != Way::Ours || n_events > 0, "nothing was reported");
        measured
    })?;
    plane.map_or(Ok(()), NodePlane::detach)?;
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

/// Both pods have 1,000 rules, of which the one in the middle lets the traffic pass.
fn enforce(root: &Path) -> Result<NodePlane> {
    let mut snapshot = Snapshot::default();
    snapshot.namespaces.insert("shop".into(), objects::namespace("shop", &[]));
    for number in 0..2 {
        let named = objects::pod("shop", &format!("pod{number}"), &[("app", "both")]);
        put_pod(&mut snapshot, Pod { addresses: vec![pod(number)], ..named });
    }
    for (name, direction) in [("in", Direction::Ingress), ("out", Direction::Egress)] {
        let rules: Vec<Rule> = (1..=1_000).map(to_port).collect();
        put_policy(&mut snapshot, objects::network_policy("shop", name, direction, rules));
    }
    let program = Program::compile(snapshot, Assumptions::new(Semantics::Upstream));
    let locals: Vec<LocalPod> = program.pods().map(|(pod, _)| LocalPod { pod }).collect();
    let tables = Tables::build(&program, &locals, &Modes::default(), None);
    // One pod makes more connections than its share of a node.
    let settings = dataplane::skeleton::types::settings {
        pod_connections: u32::MAX,
        ..dataplane::DEFAULT_SETTINGS
    };
    let options = Options { settings, max_connections: 524_288, ..Options::default() };
    let mut plane = NodePlane::open(root, &options)?;
    let (mode, established) = (PodMode::Enforce, Established::Revoke);
    let mut policies = Vec::new();
    for (local, (number, interface)) in locals.iter().zip((0..).zip(FIRST_LINK..)) {
        let addresses = vec![pod(number)];
        let interface =
            PodInterface { interface, addresses, open_until_policy: false, uid: [0; 16] };
        let number = plane.add_pod(&interface)?;
        policies.push(PodPolicy { number, pod: local.pod, mode, established });
    }
    plane.write(&tables, &policies)?;
    Ok(plane)
}

fn to_port(port: u16) -> Rule {
    let range = PortRange::single(port).unwrap_or(PortRange::ALL);
    let matches = PortMatch::Numbers { protocol: Protocol::Tcp, range };
    let both = objects::pods(&[("app", "both")]);
    Rule {
        ports: Ports::Listed(vec![PortSpec { matches, span: None }]),
        ..objects::accept(vec![both])
    }
}

/// Takes what is reported, as an agent does, ten times a second; how many events there were.
fn read(plane: &mut NodePlane, ended: &AtomicBool) -> Result<usize> {
    let mut events = plane.events()?;
    let mut n_events = 0;
    while !ended.load(Ordering::Relaxed) {
        n_events += events.read()?.len();
        thread::sleep(Duration::from_millis(100));
    }
    Ok(n_events)
}

/// One CPU of this thread from here on.
fn pin() -> Result<()> {
    let mut cpus = CpuSet::new();
    cpus.set(0)?;
    Ok(sched_setaffinity(Pid::from_raw(0), &cpus)?)
}

/// A server that answers each connection's one byte, while the client makes one after the other.
fn connections(client: &Namespace, server: &Namespace, duration: Duration) -> Result<f64> {
    let address = SocketAddr::new(pod(1), PORT);
    let listener = server.enter(|| TcpListener::bind(address))??;
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        let serving = scope.spawn(|| -> Result<()> {
            pin()?;
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
            Ok(())
        });
        let rate = client.enter(|| -> Result<f64> {
            pin()?;
            let start = Instant::now();
            let mut n_connections = 0.0;
            while start.elapsed() < duration {
                exchange(address)?;
                n_connections += 1.0;
            }
            let rate = n_connections / start.elapsed().as_secs_f64();
            ended.store(true, Ordering::Relaxed);
            drop(TcpStream::connect(address)?);
            Ok(rate)
        })?;
        serving.join().map_err(|_panic| anyhow!("the server panicked"))??;
        rate
    })
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
            pin()?;
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
            pin()?;
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
