//! `cargo xtask testbed`: a real Kubernetes on this machine, for trying things by hand.

use anyhow::{Context as _, Result, bail};
use clap::Subcommand;
use cluster_testbed::{Options, Testbed, build_all};
use nix::sys::signal::{SigSet, Signal};
use std::process::{Command, ExitCode};

#[derive(Debug, Subcommand)]
pub(crate) enum TestbedCommand {
    /// Build the programs of a cluster into the cache, where they are not built yet.
    Build,
    /// Bring a cluster up, run a command in its network or wait for Ctrl-C, and take it down.
    Up {
        #[arg(long, default_value_t = 2)]
        nodes: usize,
        /// Runs with KUBECONFIG, and TESTBED as the cluster's folder; without one, `up` waits.
        #[arg(last = true)]
        command: Vec<String>,
    },
    /// Remove what testbeds left whose owners were killed.
    Clean,
}

pub(crate) fn run(command: &TestbedCommand) -> Result<ExitCode> {
    match command {
        TestbedCommand::Build => build_all().map(|()| ExitCode::SUCCESS),
        TestbedCommand::Clean => Testbed::clean(&std::env::temp_dir()).map(|()| ExitCode::SUCCESS),
        TestbedCommand::Up { nodes, command } => up(*nodes, command),
    }
}

fn up(nodes: usize, command: &[String]) -> Result<ExitCode> {
    // Ctrl-C reaches the whole group; this process has to outlive what it runs.
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGINT);
    signals.add(Signal::SIGTERM);
    signals.thread_block()?;
    let testbed = Testbed::up(&Options { nodes, ..Options::default() })?;
    let code = match command {
        [] => {
            describe(&testbed);
            signals.wait()?;
            ExitCode::SUCCESS
        }
        [program, arguments @ ..] => inside(&testbed, program, arguments)?,
    };
    testbed.down()?;
    Ok(code)
}

fn describe(testbed: &Testbed) {
    let kubeconfig = testbed.admin_kubeconfig().display();
    let network = testbed.network(0);
    println!("up: {}", testbed.folder().display());
    println!("  nsenter --net={} env KUBECONFIG={kubeconfig} PATH={}:$PATH kubectl get nodes", network.display(), tools());
    println!("Ctrl-C takes it down");
}

fn tools() -> String {
    cluster_testbed::Part::Kubernetes.built().map(|folder| folder.display().to_string()).unwrap_or_default()
}

fn inside(testbed: &Testbed, program: &str, arguments: &[String]) -> Result<ExitCode> {
    let mut command: Command = testbed.command("env");
    let path = format!("{}:{}", tools(), std::env::var("PATH").unwrap_or_default());
    command.arg(format!("PATH={path}")).arg(program).args(arguments);
    command.env("KUBECONFIG", testbed.admin_kubeconfig()).env("TESTBED", testbed.folder());
    let status = command.status().with_context(|| format!("running {program}"))?;
    match status.code().and_then(|code| u8::try_from(code).ok()) {
        Some(code) => Ok(ExitCode::from(code)),
        None => bail!("{program} was ended: {status}"),
    }
}
