//! `weir lab status`: which labs there are, and what is in them.

use super::WhichArgs;
use crate::{Console, ExpectedError, Outcome};
use lab::Status;
use report_formats::{counted, visible};
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
    match &status.enforcement {
        Some(enforcement) => writeln!(out, "policies: enforced by {enforcement}")?,
        None => writeln!(out, "policies: not enforced, everything passes")?,
    }
    for note in &status.notes {
        writeln!(out, "note: {}", visible(note))?;
    }
    Ok(())
}
