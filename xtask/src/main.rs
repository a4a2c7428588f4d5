//! `cargo xtask`: the project's own checks and benches.
//!
//! Every house rule that a program can check is checked by `tidy`; the README's transcript is kept true by
//! `transcript`; `test` runs the tests and counts them; `bench` measures. Nothing here is shipped.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line tool for developers"
)]

mod bench;
mod test_count;
mod testbed;
mod tidy;
mod transcript;
mod workspace;

use anyhow::Result;
use clap::{Parser, Subcommand};
use std::process::ExitCode;

#[derive(Debug, Parser)]
#[command(about = "Weir's own checks and benches", disable_help_subcommand = true)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check the house rules of STYLE.md that a program can check.
    Tidy,
    /// Run `cargo test` and end with one line of summed counts.
    Test {
        /// Passed on to `cargo test`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Run the commands in the README's console blocks and compare what they print.
    Transcript {
        /// Write what they print into the README instead.
        #[arg(long)]
        bless: bool,
    },
    /// A real Kubernetes in namespaces on this machine; needs root, Go and what `make testbed-toolchain` installs.
    #[command(subcommand)]
    Testbed(testbed::TestbedCommand),
    /// Measure; without a name, list the benches.
    Bench(bench::BenchArgs),
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
    let root = workspace::root()?;
    match command {
        Command::Tidy => tidy::run(&root),
        Command::Test { arguments } => test_count::run(&root, &arguments),
        Command::Transcript { bless } => transcript::run(&root, bless),
        Command::Testbed(command) => testbed::run(&command),
        Command::Bench(arguments) => bench::run(&root, &arguments),
    }
}
