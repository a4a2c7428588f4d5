//! Traffic: connections from one host to one address, tried over and over, whatever else happens.
//!
//! An attempt has less patience than TCP has before it sends a SYN again: what was dropped once has
//! failed, even if the next packet would get through.

use crate::network::Host;
use crate::probe::{Observed, of_error, once};
use crate::running::Moment;
use crate::wire::Attempt;
use net_types::Protocol;
use std::io;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

pub(crate) const PATIENCE: Duration = Duration::from_millis(900);
/// How often is told what happened.
const TOLD_EVERY: Duration = Duration::from_millis(50);

#[derive(Clone, Debug)]
pub(crate) struct Traffic {
    pub from: Host,
    pub to: SocketAddr,
    pub protocol: Protocol,
    pub every: Duration,
    /// Lines over one connection, not a connection each.
    pub kept: bool,
}

/// Goes on until `tell` fails, which is called again and again. While an end is not there, nothing is
/// tried; an end that comes back, or gets another address, is found.
pub(crate) fn run(
    now: impl Fn() -> Arc<Moment> + Sync,
    look_up: impl Fn(&Moment) -> Option<Traffic> + Sync,
    mut tell: impl FnMut(Vec<Attempt>) -> io::Result<()> + Send,
) -> io::Result<()> {
    let begin = Instant::now();
    loop {
        let moment = now();
        let found = look_up(&moment).and_then(|traffic| {
            Some((Arc::clone(moment.network.namespace(traffic.from)?), traffic))
        });
        let Some((namespace, traffic)) = found else {
            tell(Vec::new())?;
            std::thread::sleep(TOLD_EVERY);
            continue;
        };
        let mut known = moment;
        let mut is_same = || {
            let now = now();
            let is_same = Arc::ptr_eq(&known, &now)
                || look_up(&now).is_some_and(|new| {
                    let there = now.network.namespace(new.from);
                    new.to == traffic.to && there.is_some_and(|new| Arc::ptr_eq(new, &namespace))
                });
            known = now;
            is_same
        };
        let mut tell_or_end = |attempts| {
            tell(attempts)?;
            Ok(if is_same() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        };
        let work = || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(generate(&traffic, begin, &mut tell_or_end))
        };
        namespace.enter(work).map_err(io::Error::other)??;
    }
}

/// Ends where `tell` says so.
async fn generate(
    traffic: &Traffic,
    begin: Instant,
    tell: &mut impl FnMut(Vec<Attempt>) -> io::Result<ControlFlow<()>>,
) -> io::Result<()> {
    let (sender, mut ended) = unbounded_channel();
    let kept = traffic.kept.then(|| tokio::spawn(keep(traffic.clone(), begin, sender.clone())));
    let mut ticks = interval(traffic.every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut telling = interval(TOLD_EVERY);
    let mut attempts = Vec::new();
    let told = loop {
        tokio::select! {
            _ = ticks.tick(), if kept.is_none() => {
                tokio::spawn(connect(traffic.clone(), begin, sender.clone()));
            }
            Some(attempt) = ended.recv() => attempts.push(attempt),
            _ = telling.tick() => {
                match tell(std::mem::take(&mut attempts)) {
                    Ok(ControlFlow::Continue(())) => {}
                    Ok(ControlFlow::Break(())) => break Ok(()),
                    Err(error) => break Err(error),
                }
            }
        }
    };
    if let Some(kept) = kept {
        kept.abort();
    }
    told
}

async fn connect(traffic: Traffic, begin: Instant, ended: UnboundedSender<Attempt>) {
    let begun = Instant::now();
    let observed = once(traffic.protocol, traffic.to, PATIENCE).await;
    // Whoever asked may be gone.
    drop(ended.send(attempt(begin, begun, observed)));
}

/// A line for each tick; a connection that broke is made again with the next.
async fn keep(traffic: Traffic, begin: Instant, ended: UnboundedSender<Attempt>) {
    let mut ticks = interval(traffic.every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut connection: Option<BufReader<TcpStream>> = None;
    loop {
        ticks.tick().await;
        let begun = Instant::now();
        let observed = match timeout(PATIENCE, line(&mut connection, traffic.to)).await {
            Ok(Ok(by)) => Observed::Open { by: Some(by) },
            Ok(Err(error)) => of_error(&error),
            Err(_) => Observed::NoAnswer,
        };
        if !matches!(observed, Observed::Open { .. }) {
            connection = None;
        }
        if ended.send(attempt(begin, begun, observed)).is_err() {
            return;
        }
    }
}

async fn line(connection: &mut Option<BufReader<TcpStream>>, to: SocketAddr) -> io::Result<String> {
    let stream = match connection {
        Some(stream) => stream,
        None => connection.insert(BufReader::new(TcpStream::connect(to).await?)),
    };
    stream.write_all(b"still there\n").await?;
    let mut answer = String::new();
    if stream.read_line(&mut answer).await? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(answer.trim_end().to_owned())
}

fn attempt(begin: Instant, begun: Instant, observed: Observed) -> Attempt {
    let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    Attempt {
        begun_ms: milliseconds(begun - begin),
        took_ms: milliseconds(begun.elapsed()),
        observed,
    }
}
