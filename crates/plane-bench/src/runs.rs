//! Nanoseconds of one packet in a program, as the kernel counts them.

use crate::node::{Flags, Programs, Which, inquiry, tcp};
use crate::world::{ALLOWED_PORT, DENIED_PORT, LOCAL, PEER, address};
use anyhow::{Result, ensure};
use policy_model::Direction;
use std::net::SocketAddr;
use std::time::Duration;

const REPEAT: u32 = 1_000_000;
const ROUNDS: usize = 5;
/// So many peers are asked about once each.
const PEERS: usize = 50_000;

pub(crate) fn measure(programs: &Programs, n_pods: usize) -> Result<()> {
    let pod = SocketAddr::new(address(LOCAL), ALLOWED_PORT);
    let peer = SocketAddr::new(address(PEER), 40_000);
    println!("one packet again and again, ns a packet, the best of {ROUNDS} times {REPEAT}:");
    let to_pod = |flags| tcp(peer, pod, flags);
    print("a program that does nothing", fastest(programs, Which::Nothing, &to_pod(Flags::Ack)?)?);
    for (which, packet) in [
        (Which::ToPod, to_pod(Flags::Syn)?),
        (Which::FromPod, tcp(pod, peer, Flags::SynAck)?),
        (Which::ToPod, to_pod(Flags::Ack)?),
    ] {
        ensure!(programs.run(which, &packet, 1)?.0, "the connection is allowed");
    }
    print("established, to the pod", fastest(programs, Which::ToPod, &to_pod(Flags::Ack)?)?);
    let from_pod = tcp(pod, peer, Flags::Ack)?;
    print("established, from the pod", fastest(programs, Which::FromPod, &from_pod)?);
    for (what, port) in [("allowed", ALLOWED_PORT), ("denied", DENIED_PORT)] {
        let asked = inquiry(programs.slot()?, Direction::Ingress, (peer.ip(), port));
        print(&format!("evaluation alone, {what}"), fastest(programs, Which::Ask, &asked)?);
    }
    let denied = tcp(peer, SocketAddr::new(pod.ip(), DENIED_PORT), Flags::Syn)?;
    ensure!(!programs.run(Which::ToPod, &denied, 1)?.0, "the connection is denied");
    print("denied again", fastest(programs, Which::ToPod, &denied)?);
    println!("another packet each time, ns a packet, {PEERS} of them, less what nothing costs:");
    let nothing = once_each(programs, Which::Nothing, |_| tcp(peer, pod, Flags::Ack))?;
    let peers = |number: usize| address(1 + number * 7919 % (n_pods - 1));
    let slot = programs.slot()?;
    let asked = |number| Ok(inquiry(slot, Direction::Ingress, (peers(number), ALLOWED_PORT)));
    print("evaluation alone, of peers in turn", once_each(programs, Which::Ask, asked)? - nothing);
    let opened = |number: usize| {
        let port = 10_000 + u16::try_from(number % 20_000)?;
        tcp(SocketAddr::new(peer.ip(), port), pod, Flags::Syn)
    };
    // A ring that nobody reads would be full soon, and the pod would be over its share.
    let n_opened = 20_000;
    let total: f64 = (0..n_opened)
        .map(|number| Ok(nanoseconds(programs.run(Which::ToPod, &opened(number)?, 1)?.1)))
        .sum::<Result<f64>>()?;
    print("a connection begins, with its event", total / 20_000.0 - nothing);
    Ok(())
}

fn fastest(programs: &Programs, which: Which, packet: &[u8]) -> Result<f64> {
    let rounds = (0..ROUNDS).map(|_| Ok(nanoseconds(programs.run(which, packet, REPEAT)?.1)));
    Ok(rounds.collect::<Result<Vec<f64>>>()?.into_iter().fold(f64::MAX, f64::min))
}

/// The mean: each run meets what the one before it left in no cache.
fn once_each(
    programs: &Programs,
    which: Which,
    packet: impl Fn(usize) -> Result<Vec<u8>>,
) -> Result<f64> {
    let mut total = 0.0;
    for number in 0..PEERS {
        total += nanoseconds(programs.run(which, &packet(number)?, 1)?.1);
    }
    #[expect(clippy::cast_precision_loss, reason = "a count below 2^52")]
    Ok(total / PEERS as f64)
}

fn nanoseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e9
}

fn print(what: &str, nanoseconds: f64) {
    println!("  {what:<40} {nanoseconds:8.0}");
}
