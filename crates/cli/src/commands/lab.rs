//! `weir lab`: a cluster of network namespaces on this machine, to try policies on real packets.

mod change;
mod curl;
mod down;
mod ends;
mod enter;
mod explain;
mod flows;
mod probe;
mod process;
mod run;
mod status;
mod up;
mod watch;

use crate::{Console, ExpectedError, Outcome};
use lab::{Client, Folder, LabError, default_parent};
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  weir lab up manifests/
  weir lab exec shop/web -- curl http://api
  weir lab shell shop/web
  weir lab probe --from shop/web
  weir lab flows --follow --denied
  weir lab explain --from shop/web --to pay/db --port 5432
  weir lab apply policy.yaml
  weir lab run scenarios/
  weir lab down

Exit codes: 0 done, 1 no or different, 2 the arguments or the manifests have errors, 3 the work could not
be done; `exec` and `shell` exit as their command does.";

/// A small cluster on this machine: real packets, no Kubernetes
///
/// Makes a network namespace for each pod and node of the manifests, with addresses, Services and DNS.
/// Policies are enforced in the kernel. Nothing leaves the machine, and `weir lab down` leaves nothing
/// behind. Runs as root.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct LabArgs {
    #[command(subcommand)]
    command: LabCommand,
}

#[derive(Debug, clap::Subcommand)]
enum LabCommand {
    Up(up::UpArgs),
    Down(down::DownArgs),
    Status(status::StatusArgs),
    Probe(probe::ProbeArgs),
    Explain(explain::ExplainArgs),
    Flows(flows::FlowsArgs),
    Watch(watch::WatchArgs),
    Apply(change::ApplyArgs),
    Delete(change::DeleteArgs),
    Diff(change::DiffArgs),
    Run(run::RunArgs),
    Stop(change::PodsArgs),
    Start(change::PodsArgs),
    Roll(change::RollArgs),
    KillAgent(change::KillAgentArgs),
    Exec(enter::ExecArgs),
    Shell(enter::ShellArgs),
    Curl(curl::CurlArgs),
    /// What `up` starts
    #[command(hide = true)]
    Process(process::ProcessArgs),
    /// What the lab's process starts on each node
    #[command(hide = true)]
    Agent(process::ProcessArgs),
}

/// Which lab, for every command about labs.
#[derive(Clone, Debug, clap::Args)]
struct WhichArgs {
    /// The lab's name
    #[arg(long, value_name = "NAME", default_value = "default", help_heading = "Lab")]
    name: String,

    /// Where labs keep their lock and socket
    #[arg(long, value_name = "DIR", default_value_os_t = default_parent(), help_heading = "Lab")]
    dir: PathBuf,
}

impl WhichArgs {
    fn folder(&self) -> Result<Folder, LabError> {
        Folder::new(&self.dir, &self.name)
    }

    fn client(&self) -> Result<Client, LabError> {
        Client::new(self.folder()?)
    }
}

pub(crate) fn run(args: &LabArgs, console: &mut Console) -> Result<Outcome, ExpectedError> {
    match &args.command {
        LabCommand::Up(args) => up::run(args, console),
        LabCommand::Down(args) => down::run(args, console),
        LabCommand::Status(args) => status::run(args, console),
        LabCommand::Exec(args) => enter::exec(args),
        LabCommand::Curl(args) => curl::run(args, console),
        LabCommand::Shell(args) => enter::shell(args, console),
        LabCommand::Explain(args) => explain::run(args, console),
        LabCommand::Probe(args) => probe::run(args, console),
        LabCommand::Flows(args) => flows::run(args, console),
        LabCommand::Watch(args) => watch::run(args, console),
        LabCommand::Apply(args) => change::apply(args, console),
        LabCommand::Delete(args) => change::delete(args, console),
        LabCommand::Diff(args) => change::diff(args, console),
        LabCommand::Run(args) => run::run(args, console),
        LabCommand::Stop(args) => change::stop(args, console),
        LabCommand::Start(args) => change::start(args, console),
        LabCommand::Roll(args) => change::roll(args, console),
        LabCommand::KillAgent(args) => change::kill_agent(args, console),
        LabCommand::Process(args) => process::run(args),
        LabCommand::Agent(_) => process::agent(),
    }
}
