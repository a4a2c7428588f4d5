//! What the data plane costs; `cargo xtask bench dataplane` builds and runs it, as root.
//! `docs/benchmarks.md` says what each figure is.
//!
//! Nothing is attached to any interface of the machine, and nothing stays. **Invariant.** Nothing fails because
//! a machine is slow.
#![expect(clippy::print_stdout, reason = "a command-line tool for developers")]

mod change;
mod memory;
mod node;
mod runs;
mod traffic;
mod ways;
mod world;

use anyhow::Result;
use clap::Parser;
use node::{Node, Programs};
use std::time::Duration;
use world::World;

#[derive(Debug, Parser)]
struct Args {
    /// Pods of the cluster, all of them peers of the one on this node.
    #[arg(long, default_value_t = 100_000)]
    pods: usize,
    /// How long each way of filtering carries traffic; 0: not at all.
    #[arg(long, default_value_t = 1)]
    traffic_seconds: u64,
    /// How often the ways take turns.
    #[arg(long, default_value_t = 15)]
    rounds: usize,
}

fn main() -> Result<()> {
    let args = Args::parse();
    verifier()?;
    node::apart(|root| {
        let mut world = World::new(args.pods)?;
        let tables = world.tables(None);
        let mut node = Node::new(root, &world, &tables)?;
        runs::measure(&Programs::over(&node.maps)?, args.pods)?;
        memory::measure(&node.maps, args.pods)?;
        change::measure(&mut node, &mut world, tables, args.pods)?;
        Ok(node.plane.detach()?)
    })?;
    if args.traffic_seconds > 0 {
        traffic::measure(Duration::from_secs(args.traffic_seconds), args.rounds)?;
    }
    Ok(())
}

fn verifier() -> Result<()> {
    println!("what the verifier looked at:");
    for (name, verified) in dataplane::verify()? {
        let stack = verified.stack.iter().max().copied().unwrap_or_default();
        println!(
            "  {name:<16} {:8} instructions, {stack:4} bytes of stack at most, {:6.1} ms",
            verified.instructions,
            verified.time.as_secs_f64() * 1e3
        );
    }
    Ok(())
}
