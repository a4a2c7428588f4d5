//! `weir dataplane`: what a node's kernel holds, for its operator.

mod views;

use crate::{Console, ExpectedError, Outcome};
use dataplane::{Inspection, PlaneState, PodPolicyState, PodState, TableState};
use lab::{Client, Folder, default_parent};
use report_formats::{Role, counted};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use views::{Dump, Status};

const EXAMPLES: &str = "\
Examples:
  weir dataplane status
  weir dataplane dump -o json
  weir dataplane status --lab default --node node-1
  weir dataplane detach

Exit codes: 0 done, 1 nothing is pinned there, 2 the arguments have errors, 3 it could not be read.";

/// Look at the data plane that is pinned on this node, or end it
///
/// What is pinned enforces, whether an agent runs or not. Runs as root.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DataplaneArgs {
    #[command(subcommand)]
    command: DataplaneCommand,
}

#[derive(Debug, clap::Subcommand)]
enum DataplaneCommand {
    Status(StatusArgs),
    Dump(DumpArgs),
    Detach(DetachArgs),
}

/// Say which pods are enforced, what was dropped, and how full the tables are
#[derive(Debug, clap::Args)]
struct StatusArgs {
    #[command(flatten)]
    place: PlaceArgs,

    #[command(flatten)]
    output: OutputArgs,
}

/// List every connection that the kernel keeps
#[derive(Debug, clap::Args)]
struct DumpArgs {
    #[command(flatten)]
    place: PlaceArgs,

    #[command(flatten)]
    output: OutputArgs,
}

/// End enforcement on this node: nothing of it stays, and everything passes
#[derive(Debug, clap::Args)]
struct DetachArgs {
    /// Where the pins are
    #[arg(long, value_name = "DIR", default_value = PINS, help_heading = "Place")]
    pins: PathBuf,
}

#[derive(Debug, clap::Args)]
struct OutputArgs {
    /// How to print it
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    #[arg(help_heading = "Output")]
    output: PlaneFormat,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum PlaneFormat {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
}

/// Where an agent pins on a node.
const PINS: &str = "/sys/fs/bpf/weir";

#[derive(Debug, clap::Args)]
struct PlaceArgs {
    /// Where the pins are
    #[arg(long, value_name = "DIR", default_value = PINS, help_heading = "Place")]
    pins: PathBuf,

    /// Of this lab instead
    #[arg(long, value_name = "NAME", requires = "node", help_heading = "Place")]
    lab: Option<String>,

    /// The lab's node
    #[arg(long, value_name = "NODE", requires = "lab", help_heading = "Place")]
    node: Option<String>,

    /// Where labs keep their lock and socket
    #[arg(long, value_name = "DIR", default_value_os_t = default_parent(), help_heading = "Place")]
    dir: PathBuf,
}

impl PlaceArgs {
    fn pins(&self) -> Result<PathBuf, ExpectedError> {
        let (Some(lab), Some(node)) = (&self.lab, &self.node) else {
            return Ok(self.pins.clone());
        };
        let client = Client::new(Folder::new(&self.dir, lab)?)?;
        Ok(client.pins(node)?)
    }

    fn open(&self, console: &mut Console) -> Result<Option<Inspection>, ExpectedError> {
        let pins = self.pins()?;
        let found = Inspection::open(&pins).map_err(of_pins(&pins))?;
        if found.is_none() {
            writeln!(console.err, "nothing is pinned below {}", pins.display())?;
        }
        Ok(found)
    }
}

pub(crate) fn run(args: &DataplaneArgs, console: &mut Console) -> Result<Outcome, ExpectedError> {
    match &args.command {
        DataplaneCommand::Status(args) => status(args, console),
        DataplaneCommand::Dump(args) => dump(args, console),
        DataplaneCommand::Detach(args) => detach(args, console),
    }
}

fn status(args: &StatusArgs, console: &mut Console) -> Result<Outcome, ExpectedError> {
    let Some(found) = args.place.open(console)? else { return Ok(Outcome::No) };
    let state = found.state().map_err(of_pins(&args.place.pins()?))?;
    match args.output.output {
        PlaneFormat::Text => write_status(&state, console)?,
        PlaneFormat::Json => write_json(&Status::of(&state), console)?,
    }
    Ok(Outcome::Yes)
}

fn dump(args: &DumpArgs, console: &mut Console) -> Result<Outcome, ExpectedError> {
    let Some(found) = args.place.open(console)? else { return Ok(Outcome::No) };
    let mut connections = found.connections().map_err(of_pins(&args.place.pins()?))?;
    connections.sort_by_key(|of| (of.pod, of.local, of.remote));
    if args.output.output == PlaneFormat::Json {
        write_json(&Dump::of(&connections), console)?;
        return Ok(Outcome::Yes);
    }
    for connection in &connections {
        let arrow = if connection.opened_by_pod { "→" } else { "←" };
        let end = |(address, port)| std::net::SocketAddr::new(address, port);
        writeln!(
            console.out,
            "pod {}  {} {arrow} {} {}  {} in, {} out",
            connection.pod,
            end(connection.local),
            end(connection.remote),
            connection.protocol.to_string().to_ascii_lowercase(),
            counted(usize::try_from(connection.packets[0]).unwrap_or(usize::MAX), "packet"),
            connection.packets[1],
        )?;
    }
    writeln!(console.out, "{}", counted(connections.len(), "connection"))?;
    Ok(Outcome::Yes)
}

fn detach(args: &DetachArgs, console: &mut Console) -> Result<Outcome, ExpectedError> {
    let Some(found) = Inspection::open(&args.pins).map_err(of_pins(&args.pins))? else {
        writeln!(console.err, "nothing is pinned below {}", args.pins.display())?;
        return Ok(Outcome::No);
    };
    found.detach().map_err(of_pins(&args.pins))?;
    writeln!(console.out, "nothing is enforced any more")?;
    Ok(Outcome::Yes)
}

fn of_pins(folder: &Path) -> impl FnOnce(io::Error) -> ExpectedError {
    let folder = folder.display().to_string();
    move |source| ExpectedError::Pins { folder, source }
}

fn write_json(value: &impl serde::Serialize, console: &mut Console) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut console.out, value)?;
    writeln!(console.out)
}

fn write_status(state: &PlaneState, console: &mut Console) -> io::Result<()> {
    let palette = console.out_palette;
    let out = &mut console.out;
    let (pods, links) = (counted(state.pods.len(), "pod"), counted(state.links.len(), "link"));
    writeln!(out, "schema {}, {pods}, {links}", state.schema)?;
    for PodState { number, interface, policy, connections } in &state.pods {
        let addresses: Vec<String> = interface.addresses.iter().map(ToString::to_string).collect();
        let policy = match policy {
            Some(PodPolicyState { mode, ingress, egress, generation }) => format!(
                "{}, profiles {ingress} in and {egress} out, change {generation}",
                views::mode(*mode)
            ),
            None => palette.paint(Role::Warning, "no policy yet").clone(),
        };
        writeln!(
            out,
            "  pod {number} at interface {}: {}; {policy}; {}",
            interface.interface,
            addresses.join(", "),
            counted(usize::try_from(*connections).unwrap_or(usize::MAX), "connection")
        )?;
    }
    writeln!(out, "dropped:")?;
    for (cause, count) in state.counters.iter().filter(|(_, count)| *count > 0) {
        writeln!(out, "  {cause}: {count}")?;
    }
    writeln!(out, "tables:")?;
    for TableState { name, entries, max_entries, bytes } in &state.tables {
        let kib = bytes.div_ceil(1024);
        writeln!(out, "  {name}: {entries} of {max_entries}, {kib} KiB")?;
    }
    Ok(())
}
