//! The benches that need the engine; `cargo xtask bench` builds and runs them. `docs/benchmarks.md` says
//! what each measures.
//!
//! A bench prints medians beside those of an alternative that ran on the same machine a moment before, and
//! checks that both came to the same. **Invariant.** Nothing fails because a machine is slow, and everything
//! fails where two ways to an answer differ.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line tool for developers"
)]

mod change;
mod check;
mod compare;
mod map;
mod naive;
mod oracle;
mod read;
mod shrink;
mod spent;
mod tables;
mod worlds;

use anyhow::Result;
use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, Parser)]
#[command(disable_help_subcommand = true)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

/// What a bench of the `weir` command runs and where it keeps worlds.
#[derive(Debug, clap::Args)]
struct Setting {
    /// The built command.
    #[arg(long)]
    weir: PathBuf,
    /// The folder with the generator of worlds.
    #[arg(long)]
    generator: PathBuf,
    /// Where generated worlds are kept for the next run.
    #[arg(long)]
    worlds: PathBuf,
    /// How often each figure is measured.
    #[arg(long, default_value_t = 5)]
    runs: usize,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// All-pairs maps of worlds of growing size, against the naive oracle on the smallest.
    Map(Setting),
    /// One changed policy, against compiling and mapping the world again.
    Change(Setting),
    /// What a node's kernel holds, from nothing and after one changed policy.
    Tables(Setting),
    /// Batches of queries, against the naive oracle.
    Check(Setting),
    /// Reading JSON and block YAML.
    Read(Setting),
    /// The engine and the naive oracle on random verdicts.
    Oracle(oracle::OracleArgs),
    /// Runs a command and prints what it spent.
    #[command(hide = true)]
    Spent { command: Vec<String> },
    /// Asks the naive oracle about every pair of pods of a world.
    #[command(hide = true)]
    NaiveMap { world: PathBuf },
}

fn main() -> ExitCode {
    match run(Args::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<ExitCode> {
    let measured = match command {
        Command::Map(setting) => map::measure(&setting),
        Command::Change(setting) => change::measure(&setting),
        Command::Tables(setting) => tables::measure(&setting),
        Command::Check(setting) => check::measure(&setting),
        Command::Read(setting) => read::measure(&setting),
        Command::Oracle(args) => return Ok(oracle::run(&args)),
        Command::Spent { command } => spent::run(&command),
        Command::NaiveMap { world } => naive::print_map(&world),
    };
    measured.map(|()| ExitCode::SUCCESS)
}
