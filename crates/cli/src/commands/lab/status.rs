//! `weir lab status`: which labs there are, and what is in them.

use super::WhichArgs;
use crate::{Console, ExpectedError, Outcome};
use lab::{AgentStatus, Enforcement, Status};
use report_formats::{Role, counted, visible};
use std::io::Write as _;

/// Say what is in a lab
///
/// Exits with 3 where there is no such lab.
#[derive(Debug, clap::Args)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    which: WhichArgs,

    /// How to print it
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    #[arg(help_heading = "Output")]
    output: StatusFormat,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum StatusFormat {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
}

pub(super) fn run(args: &StatusArgs, console: &mut Console) -> Result<Outcome, ExpectedError> {
    let status = args.which.client()?.status()?;
    match args.output {
        StatusFormat::Text => write_text(&status, console)?,
        StatusFormat::Json => {
            serde_json::to_writer_pretty(&mut console.out, &status)
                .map_err(std::io::Error::from)?;
            writeln!(console.out)?;
        }
    }
    Ok(Outcome::Yes)
}

fn write_text(status: &Status, console: &mut Console) -> std::io::Result<()> {
    let out = &mut console.out;
    writeln!(
        out,
        "lab {}: {} on {}, {}",
        status.name,
        counted(status.pods, "pod"),
        counted(status.nodes, "node"),
        counted(status.services, "Service")
    )?;
    if !status.external.is_empty() {
        let peers: Vec<String> = status.external.iter().map(ToString::to_string).collect();
        writeln!(out, "outside: {}", peers.join(", "))?;
    }
    write_enforcement(status, console)?;
    let out = &mut console.out;
    for note in &status.notes {
        writeln!(out, "note: {}", visible(note))?;
    }
    Ok(())
}

fn write_enforcement(status: &Status, console: &mut Console) -> std::io::Result<()> {
    let Enforcement { by, observe, fail_open_start, keep_established } = &status.enforcement;
    let palette = console.out_palette;
    let out = &mut console.out;
    let how = if *observe { "observed, nothing is dropped," } else { "enforced" };
    writeln!(out, "policies: {how} by {by}")?;
    if *fail_open_start {
        let warning = palette.paint(Role::Warning, "warning");
        writeln!(out, "{warning}: pods are open until their policies are written")?;
    }
    if *keep_established {
        writeln!(out, "established connections outlive a change that denies them")?;
    }
    for agent in &status.agents {
        let AgentStatus { node, running, epoch, restarts, repaired, .. } = agent;
        let running = if *running { "runs" } else { "does not run; what it wrote holds" };
        write!(out, "{node}: agent {running}, change {epoch}")?;
        if *restarts > 0 {
            write!(out, ", started again {}", counted(*restarts, "time"))?;
        }
        if *repaired > 0 {
            write!(out, ", put back {}", counted(*repaired, "pod"))?;
        }
        writeln!(out)?;
        let wrong = agent.failed.iter().chain(&agent.trouble).chain(&agent.problems);
        for problem in wrong {
            writeln!(out, "  {}: {}", palette.paint(Role::Warning, "warning"), visible(problem))?;
        }
    }
    Ok(())
}
