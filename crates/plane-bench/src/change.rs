//! From a changed policy to the first packet that it denies.

use crate::node::{Flags, Node, Programs, Which, tcp};
use crate::world::{ALLOWED_PORT, LOCAL, PEER, World, address};
use anyhow::{Context, Result, anyhow, ensure};
use policy_tables::Tables;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

const CHANGES: usize = 50;

#[derive(Default)]
struct Stages {
    engine: Vec<Duration>,
    tables: Vec<Duration>,
    first_denied: Vec<Duration>,
    whole: Vec<Duration>,
    written: Vec<Duration>,
}

pub(crate) fn measure(
    node: &mut Node,
    world: &mut World,
    mut tables: Tables,
    n_pods: usize,
) -> Result<()> {
    let mut stages = Stages::default();
    let maps = node.maps.clone();
    let (begin, begun) = mpsc::channel();
    let (tell, told) = mpsc::channel();
    let packets = thread::spawn(move || send_until_denied(&maps, &begun, &tell));
    for _ in 0..CHANGES {
        // A connection that is allowed, until it is not.
        begin.send(()).map_err(|_gone| anyhow!("the sender of packets has ended"))?;
        told.recv().context("the sender of packets has ended")??;
        let began = Instant::now();
        world.admit_peer(false);
        stages.engine.push(began.elapsed());
        let start = Instant::now();
        tables = world.tables(Some(&tables));
        stages.tables.push(start.elapsed());
        let start = Instant::now();
        node.write(world, &tables)?;
        stages.written.push(start.elapsed());
        let denied = told.recv().context("the sender of packets has ended")??;
        stages.first_denied.push(denied.saturating_duration_since(start));
        stages.whole.push(denied.saturating_duration_since(began));
        world.admit_peer(true);
        tables = world.tables(Some(&tables));
        node.write(world, &tables)?;
        node.plane.tick()?;
    }
    drop(begin);
    packets.join().map_err(|_panic| anyhow!("the sender of packets panicked"))?;
    println!(
        "one rule of 1,000 taken away among {n_pods} pods, {CHANGES} times, milliseconds: median, p99"
    );
    for (what, durations) in [
        ("engine: the policy is compiled", stages.engine),
        ("tables are built", stages.tables),
        ("write called → first packet denied", stages.first_denied),
        ("the change → first packet denied", stages.whole),
        ("write called → returned", stages.written),
    ] {
        print(what, durations);
    }
    Ok(())
}

/// One packet after the other, each time until one is denied: when the first passed and when that was.
fn send_until_denied(
    maps: &Path,
    begun: &mpsc::Receiver<()>,
    tell: &mpsc::Sender<Result<Instant>>,
) {
    let send = || -> Result<()> {
        let programs = Programs::over(maps)?;
        let pod = SocketAddr::new(address(LOCAL), ALLOWED_PORT);
        let packet = tcp(SocketAddr::new(address(PEER), 50_000), pod, Flags::Syn)?;
        while begun.recv().is_ok() {
            ensure!(programs.run(Which::ToPod, &packet, 1)?.0, "the connection is allowed");
            tell.send(Ok(Instant::now()))?;
            while programs.run(Which::ToPod, &packet, 1)?.0 {}
            tell.send(Ok(Instant::now()))?;
        }
        Ok(())
    };
    if let Err(error) = send() {
        drop(tell.send(Err(error)));
    }
}

fn print(what: &str, mut durations: Vec<Duration>) {
    durations.sort_unstable();
    let at = |part: usize| {
        let place = (durations.len() * part / 100).min(durations.len().saturating_sub(1));
        durations.get(place).copied().unwrap_or_default().as_secs_f64() * 1e3
    };
    println!("  {what:<40} {:8.2} {:8.2}", at(50), at(99));
}
