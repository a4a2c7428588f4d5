//! `weir lab flows`: what the data plane saw, with the rule that decided.

use super::WhichArgs;
use crate::{Console, ExpectedError, Outcome};
use flow_model::{End, Flow, Identity};
use net_types::IpNet;
use question_syntax::{KindArgument, PeerArgument, PortArgument};
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

    /// Who opened it: namespace/name, namespace/, kind/namespace/name, an address or a network
    #[arg(long, value_name = "PEER", help_heading = "Which")]
    from: Option<PeerArgument>,

    /// Who was asked, or whose Service
    #[arg(long, value_name = "PEER", help_heading = "Which")]
    to: Option<PeerArgument>,

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
pub(crate) enum FlowFormat {
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
    let mut failed = None;
    let mut first = args.last;
    let (mut seen, mut shown) = (0, 0);
    client.flows(args.follow, args.new, |lines, missed| {
        seen += lines.len();
        match write(args, (&lines, missed), first.take(), console) {
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
    if shown == 0 && failed.is_none() && !args.follow {
        // A name that is misspelt looks like silence.
        writeln!(console.err, "none of {} is such a one", counted(seen, "flow"))?;
    }
    failed.map_or(Ok(Outcome::Yes), |error| Err(ExpectedError::Output(error)))
}

fn write(
    args: &FlowsArgs,
    (lines, missed): (&[String], u64),
    last: Option<usize>,
    console: &mut Console,
) -> io::Result<usize> {
    let flows: io::Result<Vec<Flow>> = lines.iter().map(|line| read(line)).collect();
    let mut wanted: Vec<Flow> = flows?.into_iter().filter(|flow| is_wanted(args, flow)).collect();
    if let Some(last) = last {
        wanted.drain(..wanted.len().saturating_sub(last));
    }
    if missed > 0 {
        writeln!(console.err, "warning: {missed} flows came too fast and are not shown")?;
    }
    let palette = console.out_palette;
    let out = &mut console.out;
    for flow in &wanted {
        match args.output {
            FlowFormat::Text => flow_formats::text::write(out, flow, palette)?,
            FlowFormat::Json => flow_formats::json::write(out, flow)?,
            FlowFormat::Hubble => flow_formats::hubble::write(out, flow)?,
        }
    }
    out.flush()?;
    Ok(wanted.len())
}

pub(super) fn read(line: &str) -> io::Result<Flow> {
    flow_formats::json::read_line(line.as_bytes())
        .map_err(|problem| io::Error::new(io::ErrorKind::InvalidData, problem))
}

fn is_wanted(args: &FlowsArgs, flow: &Flow) -> bool {
    let is_from = |peer: &PeerArgument| is_end(peer, &flow.source);
    let is_to = |peer: &PeerArgument| is_end(peer, &flow.destination) || is_service(peer, flow);
    args.from.as_ref().is_none_or(is_from)
        && args.to.as_ref().is_none_or(is_to)
        && args.port.as_ref().is_none_or(|port| is_port(port, flow))
        && (!args.denied || flow.is_denied_or_would_be())
}

pub(super) fn is_end(peer: &PeerArgument, end: &End) -> bool {
    let pod = match &end.identity {
        Identity::Pod(pod) => Some(pod),
        Identity::Node(_) | Identity::Service { .. } | Identity::Outside => None,
    };
    match peer {
        PeerArgument::Named { namespace, name } => pod.is_some_and(|pod| {
            pod.namespace() == namespace && (pod.name == *name || pod.workload.name == *name)
        }),
        PeerArgument::OfKind { kind: KindArgument::Workload(kind), namespace, name } => pod
            .is_some_and(|pod| {
                let workload = &pod.workload;
                (workload.kind, &workload.namespace, &workload.name) == (*kind, namespace, name)
            }),
        PeerArgument::OfKind { kind: KindArgument::Service, namespace, name } => {
            match &end.identity {
                Identity::Service { namespace: of, name: called } => {
                    **of == **namespace && **called == **name
                }
                Identity::Pod(_) | Identity::Node(_) | Identity::Outside => false,
            }
        }
        PeerArgument::Namespace(namespace) => pod.is_some_and(|pod| pod.namespace() == namespace),
        PeerArgument::Address(address) => end.address == *address,
        PeerArgument::Network(network) => network.contains(&end.address),
        PeerArgument::Internet => end.identity == Identity::Outside && !is_private(end),
    }
}

/// The Service that was asked for, before its address was translated.
fn is_service(peer: &PeerArgument, flow: &Flow) -> bool {
    let name = flow.service.as_ref().and_then(|service| service.name.as_deref());
    match peer {
        PeerArgument::OfKind { kind: KindArgument::Service, namespace, name: called } => {
            name == Some(&*format!("{namespace}/{called}"))
        }
        PeerArgument::Address(address) => {
            flow.service.as_ref().is_some_and(|service| service.address == *address)
        }
        PeerArgument::Named { .. }
        | PeerArgument::OfKind { kind: KindArgument::Workload(_), .. }
        | PeerArgument::Namespace(_)
        | PeerArgument::Network(_)
        | PeerArgument::Internet => false,
    }
}

fn is_private(end: &End) -> bool {
    const PRIVATE: [&str; 4] = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"];
    let mut networks = PRIVATE.iter().filter_map(|text| text.parse::<IpNet>().ok());
    networks.any(|network| network.contains(&end.address))
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
