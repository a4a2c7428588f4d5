//! `cargo xtask testbed`: a real Kubernetes on this machine, for trying things by hand, and for many runs of tests.

use anyhow::{Context as _, Result, bail};
use clap::{Args, Subcommand};
use cluster_testbed::{Options, Part, Testbed, build_all};
use nix::sys::signal::{SigSet, Signal};
use std::env;
use std::process::{Command, ExitCode, ExitStatus};

/// What a testbed is called that nobody gave a name.
const NAME: &str = "default";

#[derive(Debug, Subcommand)]
pub(crate) enum TestbedCommand {
    /// Build the programs of a cluster into the cache, where they are not built yet.
    Build,
    /// Bring a cluster up and leave it running until `down`; with a command, run that and take it down.
    Up(UpArgs),
    /// Take a cluster down, whoever uses it.
    Down(NameArgs),
    /// List the testbeds on this machine.
    Status,
    /// Run the cluster's kubectl as its administrator.
    Kubectl {
        #[command(flatten)]
        name: NameArgs,
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Run a command in the network of the control plane, with KUBECONFIG, TESTBED and kubectl.
    Exec {
        #[command(flatten)]
        name: NameArgs,
        #[arg(last = true, required = true)]
        command: Vec<String>,
    },
    /// Remove what is left of testbeds that were killed with their supervisor.
    Clean,
}

#[derive(Debug, Args)]
pub(crate) struct NameArgs {
    /// Which testbed; tests find it by this name.
    #[arg(long, default_value = NAME)]
    name: String,
}

#[derive(Debug, Args)]
pub(crate) struct UpArgs {
    #[command(flatten)]
    name: NameArgs,
    #[arg(long, default_value_t = 2)]
    nodes: usize,
    /// Added to the API server's, for instance `--api-server-argument=--v=4`.
    #[arg(long)]
    api_server_argument: Vec<String>,
    /// Runs as by `exec`; the testbed is this command's alone.
    #[arg(last = true)]
    command: Vec<String>,
}

pub(crate) fn run(command: &TestbedCommand) -> Result<ExitCode> {
    let parent = env::temp_dir();
    match command {
        TestbedCommand::Build => build_all()?,
        TestbedCommand::Up(arguments) => return up(arguments),
        TestbedCommand::Down(name) => Testbed::attach(&name.name, &parent)?.take_down()?,
        TestbedCommand::Status => status()?,
        TestbedCommand::Kubectl { name, arguments } => {
            let testbed = Testbed::attach(&name.name, &parent)?;
            let mut kubectl = testbed.command(Part::Kubernetes.program("kubectl")?);
            kubectl.env("KUBECONFIG", testbed.admin_kubeconfig()).args(arguments);
            return ended("kubectl", kubectl.status().context("running kubectl")?);
        }
        TestbedCommand::Exec { name, command } => {
            return inside(&Testbed::attach(&name.name, &parent)?, command);
        }
        TestbedCommand::Clean => Testbed::clean(&parent)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn up(arguments: &UpArgs) -> Result<ExitCode> {
    let options = Options {
        nodes: arguments.nodes,
        api_server_arguments: arguments.api_server_argument.clone(),
        ..Options::default()
    };
    if arguments.command.is_empty() {
        let testbed = Testbed::attach_or_up(&arguments.name.name, &options)?;
        testbed.keep()?;
        println!("up: {}", testbed.folder().display());
        println!("  cargo xtask testbed kubectl get pods -A");
        println!("  cargo xtask testbed exec -- CMD");
        println!("  cargo xtask testbed down");
        return Ok(ExitCode::SUCCESS);
    }
    // Ctrl-C reaches the command as well; this process has to outlive it.
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGINT);
    signals.thread_block()?;
    let testbed = Testbed::up(&options)?;
    signals.thread_unblock()?;
    let code = inside(&testbed, &arguments.command)?;
    testbed.down()?;
    Ok(code)
}

fn status() -> Result<()> {
    for found in Testbed::all(&env::temp_dir())? {
        let name = found.name.unwrap_or_else(|| "(its owner's)".to_owned());
        let nodes = found.nodes.map_or_else(|| "coming up".to_owned(), |n| format!("{n} nodes"));
        println!("{name}  {nodes}  {}", found.folder.display());
    }
    Ok(())
}

fn inside(testbed: &Testbed, command: &[String]) -> Result<ExitCode> {
    let mut inside: Command = testbed.command("env");
    let path = env::var("PATH").unwrap_or_default();
    inside.arg(format!("PATH={}:{path}", Part::Kubernetes.built()?.display())).args(command);
    inside.env("KUBECONFIG", testbed.admin_kubeconfig()).env("TESTBED", testbed.folder());
    ended("the command", inside.status().context("running the command")?)
}

fn ended(what: &str, status: ExitStatus) -> Result<ExitCode> {
    match status.code().and_then(|code| u8::try_from(code).ok()) {
        Some(code) => Ok(ExitCode::from(code)),
        None => bail!("{what} was ended: {status}"),
    }
}
