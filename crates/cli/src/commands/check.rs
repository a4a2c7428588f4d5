//! `weir check`: may this peer talk to that one?

mod answerer;
mod batch;
mod caveats;
mod ends;
mod fragments;
mod query;
pub(crate) mod question;

pub use answerer::{Answered, BatchAnswerer};

use crate::arguments::{AssumptionArgs, InputArgs, PeerArgument, PortArgument};
use crate::load::load;
use crate::progress::Progress;
use crate::{Console, ExpectedError, Outcome, PeerIndex};
use finding_model::SourceFiles;
use policy_engine::{Program, Verdict};
use policy_model::Snapshot;
use question::{Found, Question};
use report_formats::check::{json, text};
use report_formats::{Asked, CheckReport, Overall, Role, visible};
use std::mem::ManuallyDrop;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  weir check manifests/ --from shop/web --to pay/db --port 5432/tcp
  weir check manifests/ --from internet --to service/shop/web --port http
  weir check manifests/ --from shop/ --to 10.0.0.0/8
  weir check manifests/ --batch queries.jsonl > answers.jsonl
  echo '{\"id\":1,\"from\":\"shop/web\",\"to\":\"10.0.0.9\",\"port\":80}' | weir check manifests/ --batch -

A PEER is namespace/name (a pod, else a workload), kind/namespace/name, service/namespace/name,
namespace/ (all of it), an address, a CIDR, or internet. A PORT is 8080/tcp, 53/udp, a name, icmp, or left
out for all ports.

Exit codes: 0 all of it is allowed, 1 some of it is denied or undefined, 2 the arguments or the
manifests have errors, 3 the work could not be done. With --batch: 0 every query was answered, 2 some
could not be understood.";

/// Answer whether a connection is allowed, and by which rule
///
/// One line: the verdict, and what decided on either side, with the policy, the rule and where it is
/// written. Where peers are sets and answers differ, a line for each distinct answer.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    input: InputArgs,

    /// Who opens the connection
    #[arg(long, value_name = "PEER", required_unless_present = "batch", help_heading = "Question")]
    from: Option<PeerArgument>,

    /// Whom it is opened to
    #[arg(long, value_name = "PEER", required_unless_present = "batch", help_heading = "Question")]
    to: Option<PeerArgument>,

    /// The destination's port; without it, all ports of TCP, UDP and SCTP
    #[arg(long, value_name = "PORT", help_heading = "Question")]
    port: Option<PortArgument>,

    /// Answer queries from a file or `-`, a JSON object a line, with a JSON object a line
    #[arg(long, value_name = "FILE", help_heading = "Question")]
    #[arg(conflicts_with_all = ["from", "to", "port", "output"])]
    batch: Option<PathBuf>,

    #[command(flatten)]
    assumptions: AssumptionArgs,

    /// How to print the answer
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    #[arg(help_heading = "Output")]
    output: CheckFormat,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum CheckFormat {
    /// For people: a line
    #[default]
    Text,
    /// For programs
    Json,
}

/// What a check is asked of.
#[derive(Clone, Copy, Debug)]
pub struct CheckWorld<'a> {
    /// Compiled from the snapshot and not changed since, so that a pod's id is its index.
    pub program: &'a Program,
    pub snapshot: &'a Snapshot,
    pub files: &'a SourceFiles,
    pub index: &'a PeerIndex<'a>,
}

pub(crate) fn run(args: &CheckArgs, console: &mut Console) -> Result<Outcome, ExpectedError> {
    let queries = args.batch.as_deref().map(|path| batch::open(path, &args.input.paths));
    let queries = queries.transpose()?;
    let imported = load(&args.input, console)?;
    let progress = Progress::start(console, "compiling policies");
    // The process ends with the answer, and taking a large program apart first takes long.
    let program = Program::compile(imported.snapshot.clone(), args.assumptions.assumptions());
    let program = ManuallyDrop::new(program);
    let index = PeerIndex::new(&imported.snapshot);
    drop(progress);
    let world = CheckWorld {
        program: &program,
        snapshot: &imported.snapshot,
        files: &imported.files,
        index: &index,
    };
    match (queries, &args.from, &args.to) {
        (Some(queries), _, _) => batch::run(world, queries, console),
        (None, Some(from), Some(to)) => {
            let port = args.port.clone().unwrap_or_default();
            answer(world, &Question { from, to, port: &port }, args.output, console)
        }
        (None, _, _) => Err(ExpectedError::Usage("--from and --to are needed".to_owned())),
    }
}

fn answer(
    world: CheckWorld<'_>,
    question: &Question<'_>,
    format: CheckFormat,
    console: &mut Console,
) -> Result<Outcome, ExpectedError> {
    let progress = Progress::start(console, "checking");
    let Found { answers, overall, all_ports, caveats } = question::ask(world, question)?;
    drop(progress);
    let [from, to, port] =
        [question.from.to_string(), question.to.to_string(), question.port.to_string()];
    let report = CheckReport {
        program: world.program,
        files: world.files,
        asked: Asked { from: &from, to: &to, port: &port, all_ports },
        overall,
        answers: &answers,
        caveats: &caveats,
    };
    match format {
        CheckFormat::Text => text::write(&mut console.out, &report, console.out_palette)?,
        CheckFormat::Json => json::write(&mut console.out, &report)?,
    }
    if !caveats.is_empty() {
        let label = console.err_palette.paint(Role::Warning, "warning");
        let objects: Vec<_> = caveats.iter().map(|left_out| visible(&left_out.object)).collect();
        let objects = objects.join(", ");
        writeln!(console.err, "{label}: the answer could be another with {objects}")?;
    }
    Ok(match overall {
        Overall::All(Verdict::Allow) => Outcome::Yes,
        Overall::All(Verdict::Deny | Verdict::Undefined)
        | Overall::ByEndpoint
        | Overall::Partly => Outcome::No,
    })
}
