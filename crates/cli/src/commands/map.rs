//! `weir map`: who may talk to whom.

use crate::arguments::{AssumptionArgs, InputArgs, PeerArgument};
use crate::load::load;
use crate::progress::Progress;
use crate::{Console, ExpectedError, Outcome, Peer, PeerIndex};
use net_types::AddressSet;
use policy_engine::{Granularity, PodId, Program};
use policy_model::Snapshot;
use report_formats::map::{MapReport, csv, dot, exposure, html, json, markdown, svg, table};
use std::mem::ManuallyDrop;
use std::num::NonZero;

const EXAMPLES: &str = "\
Examples:
  weir map manifests/
  weir map manifests/ --focus shop/web
  weir map manifests/ --by namespace -o md
  weir map manifests/ -o html > map.html
  weir map manifests/ --exposure

Exit codes: 0 the map was written, 2 the arguments or the manifests have errors, 3 the work could not
be done.";

/// Show who may talk to whom
///
/// Every pair of workloads between which something is allowed, with the protocols and ports, and what
/// may pass between workloads and addresses outside the cluster. Protocols without ports, such as
/// ICMP, are not part of a map: ask `weir check`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct MapArgs {
    #[command(flatten)]
    input: InputArgs,

    #[command(flatten)]
    assumptions: AssumptionArgs,

    /// How to print the map
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    #[arg(help_heading = "Output")]
    output: MapFormat,

    /// What one line of the map stands for
    #[arg(long, value_enum, value_name = "WHAT", default_value_t, help_heading = "Output")]
    by: ByArgument,

    /// Only connections with this peer at an end
    #[arg(long, value_name = "PEER", help_heading = "Output")]
    focus: Option<PeerArgument>,

    /// Instead of connections, show what each peer is open to
    ///
    /// For each direction: whether it is isolated, which outside addresses and which other namespaces
    /// reach it or are reached, through which Services and routes the outside comes in, and which pods
    /// that do not exist would be let through. As table or json.
    #[arg(long, help_heading = "Output")]
    exposure: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum MapFormat {
    /// For people: peers with the same connections share a line
    #[default]
    Table,
    /// For programs: a row a line
    Json,
    /// For spreadsheets: a record for each protocol of a row
    Csv,
    /// For a comment on a pull request: Markdown
    Md,
    /// For Graphviz
    Dot,
    /// A picture: a matrix of all peers
    Svg,
    /// A page to explore in a browser, without a network
    Html,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum ByArgument {
    Pod,
    #[default]
    Workload,
    Namespace,
}

impl From<ByArgument> for Granularity {
    fn from(argument: ByArgument) -> Self {
        match argument {
            ByArgument::Pod => Self::Pod,
            ByArgument::Workload => Self::Workload,
            ByArgument::Namespace => Self::Namespace,
        }
    }
}

/// What a focus keeps.
struct Focus {
    text: String,
    pods: Vec<PodId>,
    outside: AddressSet,
}

pub(crate) fn run(args: &MapArgs, console: &mut Console) -> Result<Outcome, ExpectedError> {
    let imported = load(&args.input, console)?;
    let snapshot = imported.snapshot;
    let focus = args.focus.as_ref().map(|peer| focus(&snapshot, peer)).transpose()?;
    let progress = Progress::start(console, "computing the map");
    // The process ends with the map, and taking a large program apart first takes as long as reading it.
    let program = Program::compile(snapshot, args.assumptions.assumptions());
    let program = ManuallyDrop::new(program);
    let by = args.by.into();
    let mut map = program.map(by);
    if let Some(focus) = focus.as_ref().filter(|focus| focus.outside.is_empty()) {
        map = map.focused_on(focus.pods.iter().copied());
    }
    let n_threads = std::thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN);
    let mut report = MapReport::new(&program, &map, by, &imported.files).with_threads(n_threads);
    if let Some(Focus { text, pods, outside }) = &focus {
        report = report.focused_on(text, pods, outside.clone());
    }
    drop(progress);
    if args.exposure {
        write_exposure(&report, args.output, console)?;
    } else {
        write(&report, args.output, console)?;
    }
    Ok(Outcome::Yes)
}

fn write(
    report: &MapReport<'_>,
    format: MapFormat,
    console: &mut Console,
) -> Result<(), ExpectedError> {
    let out = &mut console.out;
    match format {
        MapFormat::Table => {
            let width = terminal_size::terminal_size_of(std::io::stdout());
            let width = width.map(|(width, _)| usize::from(width.0));
            let layout = table::Layout { palette: console.out_palette, width };
            table::write(out, report, layout)?;
        }
        MapFormat::Json => json::write(out, report)?,
        MapFormat::Csv => csv::write(out, report)?,
        MapFormat::Md => markdown::write(out, report)?,
        MapFormat::Dot => dot::write(out, report)?,
        MapFormat::Svg => {
            require_at_most(svg::MOST_IN_SVG, "an svg", report)?;
            svg::write(out, report)?;
        }
        MapFormat::Html => {
            require_at_most(html::MOST_IN_HTML, "an html page", report)?;
            html::write(out, report)?;
        }
    }
    Ok(())
}

fn write_exposure(
    report: &MapReport<'_>,
    format: MapFormat,
    console: &mut Console,
) -> Result<(), ExpectedError> {
    match format {
        MapFormat::Table => exposure::table::write(&mut console.out, report, console.out_palette)?,
        MapFormat::Json => exposure::json::write(&mut console.out, report)?,
        MapFormat::Csv | MapFormat::Md | MapFormat::Dot | MapFormat::Svg | MapFormat::Html => {
            let message = "--exposure is shown as table or json: choose one of them with -o";
            return Err(ExpectedError::Usage(message.to_owned()));
        }
    }
    Ok(())
}

/// A picture of more peers would not be readable, so it is not drawn.
fn require_at_most(most: usize, what: &str, report: &MapReport<'_>) -> Result<(), ExpectedError> {
    let n_peers = report.n_shown_peers();
    if n_peers <= most {
        return Ok(());
    }
    Err(ExpectedError::Usage(format!(
        "{what} shows at most {most} peers and this map has {n_peers}: narrow it with --focus, widen its \
         lines with --by namespace, or choose another format"
    )))
}

/// Services stand for their pods, and nodes for none: they are no ends of a map.
fn focus(snapshot: &Snapshot, peer: &PeerArgument) -> Result<Focus, ExpectedError> {
    let nothing = |what: &str| ExpectedError::Usage(format!("--focus {peer}: {what}"));
    let (pods, outside) = match PeerIndex::new(snapshot).resolve(peer)? {
        Peer::Pods(pods) => (pods, AddressSet::EMPTY),
        Peer::Addresses(found) => (found.pods, found.outside),
        Peer::Node(_) => return Err(nothing("a node is no end of a map; its pods are")),
        Peer::Service(service) => {
            let service = snapshot.services.get(service);
            let selector = service.and_then(|service| Some((service, service.selector.as_ref()?)));
            let pods = snapshot.pods.iter().enumerate().filter(|(_, pod)| {
                selector.is_some_and(|(service, selector)| {
                    pod.namespace == service.namespace && selector.matches(&pod.labels)
                })
            });
            let pods: Vec<usize> = pods.map(|(index, _)| index).collect();
            if pods.is_empty() {
                return Err(nothing("the Service selects no pod of the input"));
            }
            (pods, AddressSet::EMPTY)
        }
    };
    let pods = pods.into_iter().map(PodId::from_index).collect();
    Ok(Focus { text: peer.to_string(), pods, outside })
}
