//! `weir lab flows`: what the data plane saw, with the rule that decided.

use super::WhichArgs;
use super::ends::{EndArgument, Ends};
use crate::{Console, ExpectedError, Outcome};
use flow_model::Flow;
use lab::Client;
use question_syntax::PortArgument;
use report_formats::counted;
use std::io::{self, Write as _};
use std::ops::ControlFlow;

const EXAMPLES: &str = "\
Examples:
  weir lab flows
  weir lab flows --follow --denied
  weir lab flows --from shop/web --port 5432
  weir lab flows -o hubble | hubble observe --input-file -

Exit codes: 0 done, 2 the arguments have errors, 3 the lab could not be asked.";

/// Show connections, with the rule that decided each
///
/// One line for what each pod's side decided: opened, still active, closed, denied, revoked by a change,
/// or refused because the packet was malformed or forged.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct FlowsArgs {
    /// Go on with what happens
    #[arg(short, long)]
    follow: bool,

    /// Only what happens from now on; with --follow
    #[arg(long, requires = "follow")]
    new: bool,

    /// At most this many of the newest that are there
    #[arg(long, value_name = "N")]
    last: Option<usize>,

    /// Only what was denied, refused or revoked, and what passes and would be
    #[arg(long, help_heading = "Which")]
    denied: bool,

    /// Who opened it: namespace/name, namespace/, kind/namespace/name, a node, an address or a network
    #[arg(long, value_name = "PEER", help_heading = "Which")]
    from: Option<EndArgument>,

    /// Who was asked, or whose Service
    #[arg(long, value_name = "PEER", help_heading = "Which")]
    to: Option<EndArgument>,

    /// The destination's port: 8080 or 53/udp
    #[arg(long, value_name = "PORT", help_heading = "Which")]
    port: Option<PortArgument>,

    #[command(flatten)]
    which: WhichArgs,

    /// How to print them
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    #[arg(help_heading = "Output")]
    output: FlowFormat,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum FlowFormat {
    /// A line for each flow
    #[default]
    Text,
    /// A JSON object in each line: docs/formats.md
    Json,
    /// As Hubble writes them
    Hubble,
}

pub(super) fn run(args: &FlowsArgs, console: &mut Console) -> Result<Outcome, ExpectedError> {
    if let Some(port @ (PortArgument::Named { .. } | PortArgument::Portless(_))) = &args.port {
        return Err(ExpectedError::Usage(format!("flows have port numbers: `{port}` is none")));
    }
    let client = args.which.client()?;
    let (from, to) =
        (ends(args.from.as_ref(), &client, console)?, ends(args.to.as_ref(), &client, console)?);
    let wanted = Wanted { args, from, to };
    let mut failed = None;
    let mut first = args.last;
    let (mut seen, mut shown) = (0, 0);
    let missing = client.flows(args.follow, args.new, |lines, missed| {
        seen += lines.len();
        match write(&wanted, (&lines, missed), first.take(), console) {
            Ok(n) => {
                shown += n;
                ControlFlow::Continue(())
            }
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        }
    })?;
    write_missing(&missing, console)?;
    if shown == 0 && failed.is_none() && !args.follow {
        writeln!(console.err, "none of {} is such a one", counted(seen, "flow"))?;
    }
    failed.map_or(Ok(Outcome::Yes), |error| Err(ExpectedError::Output(error)))
}

/// What of the flows is shown.
struct Wanted<'a> {
    args: &'a FlowsArgs,
    from: Option<Ends>,
    to: Option<Ends>,
}

fn ends(
    argument: Option<&EndArgument>,
    client: &Client,
    console: &mut Console,
) -> Result<Option<Ends>, ExpectedError> {
    let Some(argument) = argument else { return Ok(None) };
    let ends = Ends::find(argument, client)?;
    if !ends.nodes().is_empty() {
        let nodes = ends.nodes().join(", ");
        writeln!(
            console.err,
            "note: it is on its node's own network: these are the flows of {nodes}"
        )?;
    }
    Ok(Some(ends))
}

fn write(
    wanted: &Wanted<'_>,
    (lines, missed): (&[String], u64),
    last: Option<usize>,
    console: &mut Console,
) -> io::Result<usize> {
    let flows: io::Result<Vec<Flow>> = lines.iter().map(|line| read(line)).collect();
    let mut shown: Vec<Flow> = flows?.into_iter().filter(|flow| wanted.has(flow)).collect();
    if let Some(last) = last {
        shown.drain(..shown.len().saturating_sub(last));
    }
    if missed > 0 {
        writeln!(console.err, "warning: {missed} flows came too fast and are not shown")?;
    }
    let palette = console.out_palette;
    let out = &mut console.out;
    for flow in &shown {
        match wanted.args.output {
            FlowFormat::Text => flow_formats::text::write(out, flow, palette)?,
            FlowFormat::Json => flow_formats::json::write(out, flow)?,
            FlowFormat::Hubble => flow_formats::hubble::write(out, flow)?,
        }
    }
    out.flush()?;
    Ok(shown.len())
}

pub(super) fn read(line: &str) -> io::Result<Flow> {
    flow_formats::json::read_line(line.as_bytes())
        .map_err(|problem| io::Error::new(io::ErrorKind::InvalidData, problem))
}

impl Wanted<'_> {
    fn has(&self, flow: &Flow) -> bool {
        let Self { args, from, to } = self;
        from.as_ref().is_none_or(|from| from.is(&flow.source))
            && to.as_ref().is_none_or(|to| to.is_destination(flow))
            && args.port.as_ref().is_none_or(|port| is_port(port, flow))
            && (!args.denied || flow.is_denied_or_would_be())
    }
}

fn is_port(port: &PortArgument, flow: &Flow) -> bool {
    match port {
        PortArgument::All => true,
        PortArgument::Number { protocol, port } => {
            let asked = flow.service.as_ref().map(|service| service.port);
            flow.protocol == *protocol
                && (flow.destination.port == Some(*port) || asked == Some(*port))
        }
        PortArgument::Named { .. } | PortArgument::Portless(_) => false,
    }
}

/// Not all that happened is there.
pub(super) fn write_missing(nodes: &[String], console: &mut Console) -> io::Result<()> {
    if nodes.is_empty() {
        return Ok(());
    }
    let nodes = nodes.join(", ");
    writeln!(
        console.err,
        "warning: newer flows of {nodes} are missing: the agent does not answer; `weir lab status` says more"
    )
}
