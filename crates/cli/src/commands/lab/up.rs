//! `weir lab up`: manifests in, a running lab out.

use super::WhichArgs;
use super::change::write_problems;
use super::enter::code;
use crate::arguments::{InputArgs, ProfileArgument};
use crate::load::load;
use crate::progress::Progress;
use crate::{Console, ExpectedError, Outcome};
use kube_import::Imported;
use lab::{HookChoice, PodChoice, Profile, Setup, Status};
use report_formats::{counted, visible};
use std::ffi::OsString;
use std::io::Write as _;
use std::net::IpAddr;
use std::process::Command;
use std::time::Instant;

const EXAMPLES: &str = "\
Examples:
  weir lab up manifests/
  weir lab up manifests/ --nodes 3 --external 203.0.113.9
  helm template shop ./chart | weir lab up - --name shop
  weir lab up manifests/ -- weir lab probe

Exit codes: 0 the lab is up, 2 the arguments or the manifests have errors, 3 it could not be made or ended \
too early. With CMD, its code.";

/// Make a lab of manifests
///
/// Pods get the addresses of the manifests, or free ones; every declared port answers each line with the
/// pod's name. What is not as the manifests say is listed.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct UpArgs {
    #[command(flatten)]
    input: InputArgs,

    /// How many nodes; without it as many as the manifests name, at least one
    #[arg(long, value_name = "N", help_heading = "Lab", value_parser = clap::value_parser!(u16).range(1..=250))]
    nodes: Option<u16>,

    /// The most pods of a workload; a DaemonSet has one for each node
    #[arg(long, value_name = "N", default_value_t = 2, help_heading = "Lab")]
    replicas: u16,

    /// A peer outside the cluster; it listens on the ports that policies name for it
    #[arg(long, value_name = "ADDRESS", help_heading = "Lab", value_delimiter = ',')]
    external: Vec<IpAddr>,

    /// Who reads the policies, where the API leaves it open
    #[arg(long, value_enum, default_value_t, help_heading = "Assumptions")]
    profile: ProfileArgument,

    /// Drop nothing by policy; report what would be dropped
    #[arg(long, help_heading = "Enforcement")]
    observe: bool,

    /// Let everything pass to and from a pod until its policies are written, instead of nothing
    #[arg(long, help_heading = "Enforcement")]
    fail_open_start: bool,

    /// Leave established connections that a change denies
    #[arg(long, help_heading = "Enforcement")]
    keep_established: bool,

    /// Connections that each node remembers; those beyond are refused, and a pod has an eighth of them
    #[arg(long, value_name = "N", help_heading = "Enforcement")]
    #[arg(value_parser = clap::value_parser!(u32).range(8..=1_048_576))]
    max_connections: Option<u32>,

    /// How programs get at packets
    #[arg(long, value_enum, value_name = "HOOK", default_value_t, help_heading = "Enforcement")]
    hook: HookArgument,

    #[command(flatten)]
    which: WhichArgs,

    /// Run this, and end the lab with it: also when it or this command is killed
    #[arg(value_name = "CMD", last = true)]
    command: Vec<OsString>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum HookArgument {
    /// As Linux has it since 6.6
    #[default]
    Tcx,
    /// As older kernels have it
    Clsact,
}

pub(super) fn run(args: &UpArgs, console: &mut Console) -> Result<Outcome, ExpectedError> {
    let start = Instant::now();
    let folder = args.which.folder()?;
    let imported = load(&args.input, console)?;
    let progress = Progress::start(console, "making the lab");
    let program = std::env::current_exe().map_err(ExpectedError::OwnProgram)?;
    let mut lab = Command::new(program);
    lab.args(["lab", "process", "--name", &args.which.name, "--dir"]).arg(&args.which.dir);
    let hook = match args.hook {
        HookArgument::Tcx => HookChoice::Tcx,
        HookArgument::Clsact => HookChoice::Clsact,
    };
    let setup = setup(args, &imported);
    let Some((program, arguments)) = args.command.split_first() else {
        let status = lab::start(&folder, &mut lab, setup, hook)?;
        drop(progress);
        write_up(&status, start, console)?;
        return Ok(Outcome::Yes);
    };
    let (status, bond) = lab::start_bound(&folder, &mut lab, setup, hook)?;
    drop(progress);
    write_up(&status, start, console)?;
    console.out.flush()?;
    let ended = lab::run_beside(bond, folder, Command::new(program).args(arguments))?;
    Ok(Outcome::OfCommand(code(ended)))
}

fn setup(args: &UpArgs, imported: &Imported) -> Setup {
    let text = |(file, text): (_, &str)| (imported.files.name(file).to_owned(), text.to_owned());
    Setup {
        name: args.which.name.clone(),
        files: imported.files.texts().map(text).collect(),
        keep_going: args.input.reading.keep_going,
        nodes: args.nodes.map(usize::from),
        replicas: usize::from(args.replicas),
        external: args.external.clone(),
        profile: match args.profile {
            ProfileArgument::Upstream => Profile::Upstream,
            ProfileArgument::Cilium => Profile::Cilium,
        },
        pods: PodChoice {
            observe: args.observe,
            fail_open_start: args.fail_open_start,
            keep_established: args.keep_established,
        },
        max_connections: args.max_connections,
    }
}

fn write_up(status: &Status, start: Instant, console: &mut Console) -> Result<(), ExpectedError> {
    for note in &status.notes {
        writeln!(console.err, "note: {}", visible(note))?;
    }
    let problems = status.agents.iter().flat_map(|agent| {
        agent.problems.iter().map(move |problem| format!("{}: {problem}", agent.node))
    });
    write_problems(&problems.collect::<Vec<_>>(), console)?;
    writeln!(
        console.out,
        "lab {} is up: {} on {}, {}, {} ms",
        status.name,
        counted(status.pods, "pod"),
        counted(status.nodes, "node"),
        counted(status.services, "Service"),
        start.elapsed().as_millis()
    )?;
    Ok(())
}
