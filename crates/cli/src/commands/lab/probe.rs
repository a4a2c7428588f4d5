//! `weir lab probe`: who reaches whom in the lab, tried out.

use super::WhichArgs;
use crate::progress::Progress;
use crate::{Console, ExpectedError, Outcome};
use lab::{Cell, Observed, ProbeRequest};
use report_formats::{Role, counted, visible};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

const EXAMPLES: &str = "\
Examples:
  weir lab probe
  weir lab probe --from shop/web
  weir lab probe --to service/shop/api --port 80 -o json

Exit codes: 0 the packets do as the policies say, 1 they do not, 2 the arguments have errors, 3 the lab could
not be asked.";

/// Try who reaches whom, and compare it with what the policies say
///
/// Every pod and peer outside opens a connection to every port that something listens on, and to every
/// Service: TCP, UDP and SCTP, IPv4 and IPv6. Where policies are enforced, each answer is compared with
/// the verdict, and a difference is an error with both explanations.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ProbeArgs {
    /// Who tries: namespace/name, namespace/ or an address; left out, everybody
    #[arg(long, value_name = "PEER", help_heading = "Question")]
    from: Option<String>,

    /// Who is tried: as --from, or service/namespace/name; left out, everybody
    #[arg(long, value_name = "PEER", help_heading = "Question")]
    to: Option<String>,

    /// The destination's port: 8080 or 53/udp; left out, all ports
    #[arg(long, value_name = "PORT", help_heading = "Question")]
    port: Option<String>,

    #[command(flatten)]
    which: WhichArgs,

    /// How to print the answers
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    #[arg(help_heading = "Output")]
    output: ProbeFormat,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum ProbeFormat {
    /// A matrix for people
    #[default]
    Table,
    /// Every attempt, for programs
    Json,
}

#[derive(Serialize)]
struct JsonReport<'a> {
    cells: &'a [Cell],
    disagreements: usize,
    /// Whether anything was compared.
    compared: bool,
}

pub(super) fn run(args: &ProbeArgs, console: &mut Console) -> Result<Outcome, ExpectedError> {
    let client = args.which.client()?;
    // Where nothing is dropped there is nothing to compare.
    let compared = !client.status()?.enforcement.observe;
    let request =
        ProbeRequest { from: args.from.clone(), to: args.to.clone(), port: args.port.clone() };
    let progress = Progress::start(console, "trying connections");
    let mut cells: Vec<Cell> = Vec::new();
    client.probe(request, |more| cells.extend(more))?;
    drop(progress);
    if cells.is_empty() {
        return Err(ExpectedError::Usage(
            "nothing that is asked for listens on such a port".to_owned(),
        ));
    }
    cells.sort_by(|a, b| {
        let key =
            |cell: &Cell| (cell.to.clone(), cell.port.clone(), cell.from.clone(), cell.address);
        key(a).cmp(&key(b))
    });
    let disagreements = cells.iter().filter(|cell| cell.disagreement.is_some()).count();
    match args.output {
        ProbeFormat::Table => write_table(&cells, console)?,
        ProbeFormat::Json => {
            let report = JsonReport { cells: &cells, disagreements, compared };
            serde_json::to_writer_pretty(&mut console.out, &report).map_err(io::Error::from)?;
            writeln!(console.out)?;
        }
    }
    write_summary(&cells, compared, console)?;
    let is_same = disagreements == 0 && !cells.iter().any(is_untried);
    Ok(if is_same { Outcome::Yes } else { Outcome::No })
}

fn is_untried(cell: &Cell) -> bool {
    matches!(cell.observed, Observed::Failed(_))
}

/// A line for each port of each destination, a column for each source.
fn write_table(cells: &[Cell], console: &mut Console) -> io::Result<()> {
    let sources: BTreeSet<&str> = cells.iter().map(|cell| cell.from.as_str()).collect();
    let mut rows: BTreeMap<(&str, &str), BTreeMap<&str, Vec<&Cell>>> = BTreeMap::new();
    for cell in cells {
        let row = rows.entry((&cell.to, &cell.port)).or_default();
        row.entry(&cell.from).or_default().push(cell);
    }
    let title = |(to, port): &(&str, &str)| format!("{} {port}", visible(to));
    let width = rows.keys().map(|key| title(key).chars().count()).max().unwrap_or(0);
    let out = &mut console.out;
    writeln!(out, "{:width$}  from: 1 to {}, as listed below", "", sources.len())?;
    for (key, row) in &rows {
        let marks: String =
            sources.iter().map(|from| row.get(from).map_or(' ', |cells| mark(cells))).collect();
        writeln!(out, "{:width$}  {marks}", title(key))?;
    }
    writeln!(
        out,
        "\n+ open, r refused, . no answer, x no way, ~ differs by address, ! contradicts, ? not tried"
    )?;
    for (place, from) in sources.iter().enumerate() {
        writeln!(out, "{:>4}  {}", place + 1, visible(from))?;
    }
    Ok(())
}

/// One sign for both families and all addresses.
fn mark(cells: &[&Cell]) -> char {
    if cells.iter().any(|cell| cell.disagreement.is_some()) {
        return '!';
    }
    let marks: BTreeSet<char> = cells
        .iter()
        .map(|cell| match cell.observed {
            Observed::Open { .. } => '+',
            Observed::Refused => 'r',
            Observed::NoAnswer => '.',
            Observed::Unreachable => 'x',
            Observed::Failed(_) => '?',
        })
        .collect();
    match marks.first() {
        Some(mark) if marks.len() == 1 => *mark,
        Some(_) => '~',
        None => ' ',
    }
}

fn write_summary(cells: &[Cell], compared: bool, console: &mut Console) -> io::Result<()> {
    let palette = console.err_palette;
    for cell in cells {
        let why = match (&cell.disagreement, &cell.observed) {
            (Some(why), _) => why.clone(),
            (None, Observed::Failed(why)) => format!("could not be tried: {why}"),
            (None, _) => continue,
        };
        let label = palette.paint(Role::Error, "error");
        let Cell { from, to, port, address, .. } = cell;
        let (from, to) = (visible(from), visible(to));
        writeln!(console.err, "{label}: {from} → {to} {port} at {address}: {}", visible(&why))?;
    }
    let is_open = |cell: &&Cell| matches!(cell.observed, Observed::Open { .. });
    let open = cells.iter().filter(is_open).count();
    let differing = cells.iter().filter(|cell| cell.disagreement.is_some()).count();
    let compared = if compared {
        format!("{differing} contradict the policies")
    } else {
        "not compared, because policies are only observed".to_owned()
    };
    writeln!(console.err, "{}, {open} open; {compared}", counted(cells.len(), "attempt"))
}
