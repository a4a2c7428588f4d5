//! All commands: one variant here, one file in `commands/`.

mod check;
mod completions;
mod dataplane;
mod diff;
mod doctor;
mod explain;
mod gateway;
mod lab;
mod ledger;
mod lint;
mod login;
mod man;
mod map;
mod sessions;
mod test;
mod version;
mod witness;

pub use check::{Answered, BatchAnswerer, CheckWorld};

use crate::exit::{ExpectedError, Outcome};
use crate::terminal::{ColorArgument, Console};

const EXAMPLES: &str = "\
Examples:
  weir lint manifests/
  helm template shop ./chart | weir lint -
  kubectl get netpol,deploy,svc,ns -A -o yaml | weir lint - -o sarif > weir.sarif

Exit codes:
  0  yes: allowed, equal, passed, or no finding at or over --fail-on
  1  no: denied, different, failed, or findings at or over --fail-on
  2  the arguments or the input have errors; there is no answer
  3  the work could not be done

`weir COMMAND --help` says more about a command; `weir man DIR` writes the manual.";

/// Exact analysis of Kubernetes network policies
///
/// Reads manifests (NetworkPolicy, ClusterNetworkPolicy, AdminNetworkPolicy and its baseline, and the
/// workloads they are about) and answers who may talk to whom, by which rule.
#[derive(Debug, clap::Parser)]
#[command(name = "weir", version, after_help = EXAMPLES, max_term_width = 100)]
#[command(disable_help_subcommand = true)]
pub(crate) struct WeirArgs {
    #[command(subcommand)]
    pub command: Command,

    /// When to use colour; NO_COLOR and CLICOLOR_FORCE are honoured
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t)]
    #[arg(help_heading = "Output", hide_possible_values = true)]
    pub color: ColorArgument,

    /// Say on standard error what was read, and what was not considered
    #[arg(short, long, global = true, help_heading = "Output")]
    pub verbose: bool,
}

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    Check(check::CheckArgs),
    Explain(explain::ExplainArgs),
    Map(map::MapArgs),
    Diff(diff::DiffArgs),
    Lint(lint::LintArgs),
    Test(test::TestArgs),
    Lab(lab::LabArgs),
    Doctor(doctor::DoctorArgs),
    Dataplane(dataplane::DataplaneArgs),
    Gateway(gateway::GatewayArgs),
    Login(login::LoginArgs),
    Sessions(sessions::SessionsArgs),
    Ledger(ledger::LedgerArgs),
    Witness(witness::WitnessArgs),
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
    Version(version::VersionArgs),
}

pub(crate) fn run(command: &Command, console: &mut Console) -> Result<Outcome, ExpectedError> {
    match command {
        Command::Check(args) => check::run(args, console),
        Command::Explain(args) => explain::run(args, console),
        Command::Map(args) => map::run(args, console),
        Command::Diff(args) => diff::run(args, console),
        Command::Lint(args) => lint::run(args, console),
        Command::Test(args) => test::run(args, console),
        Command::Lab(args) => lab::run(args, console),
        Command::Doctor(args) => doctor::run(args, console),
        Command::Dataplane(args) => dataplane::run(args, console),
        Command::Gateway(args) => gateway::run(args, console),
        Command::Login(args) => login::run(args, console),
        Command::Sessions(args) => sessions::run(args, console),
        Command::Ledger(args) => ledger::run(args, console),
        Command::Witness(args) => witness::run(args, console),
        Command::Completions(args) => completions::run(args, console),
        Command::Man(args) => man::run(args, console),
        Command::Version(args) => version::run(args, console),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn clap_finds_no_contradiction() {
        WeirArgs::command().debug_assert();
    }
}
