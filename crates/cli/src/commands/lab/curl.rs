//! `weir lab curl`: a request from a pod, and what decided about it.

use super::WhichArgs;
use super::flows::read;
use crate::{Console, ExpectedError, Outcome};
use flow_model::{Flow, Timestamp};
use lab::Client;
use std::ffi::OsString;
use std::io::{self, Write as _};
use std::ops::ControlFlow;
use std::process::{Command, ExitStatus};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Nothing comes back from what is denied.
const PATIENCE: &str = "3";
/// Until the flows of what just happened can be asked for.
const FLOWS_COME: Duration = Duration::from_millis(100);

/// Request a URL from a pod with the machine's curl, and say which rules decided
///
/// Exits as curl does: 28 where nothing came back.
#[derive(Debug, clap::Args)]
pub(crate) struct CurlArgs {
    /// namespace/name of a pod or workload, a node's name, or an address
    #[arg(value_name = "POD")]
    peer: String,

    /// As curl takes it: the host is SERVICE, SERVICE.NAMESPACE, or an address
    #[arg(value_name = "URL")]
    url: OsString,

    /// Options of curl
    #[arg(value_name = "OPTION", last = true)]
    options: Vec<OsString>,

    #[command(flatten)]
    which: WhichArgs,
}

pub(super) fn run(args: &CurlArgs, console: &mut Console) -> Result<Outcome, ExpectedError> {
    let client = args.which.client()?;
    let entry = client.enter(&args.peer)?;
    let host = entry.host.clone();
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--max-time", PATIENCE]);
    curl.args(&args.options).arg("--").arg(&args.url);
    let start = now();
    let status = lab::run_inside(entry, &args.which.folder()?, &mut curl).map_err(|error| {
        if is_missing(&error) {
            return ExpectedError::Usage(
                "curl is not installed here: install it, or use `weir lab exec` with another client"
                    .to_owned(),
            );
        }
        error.into()
    })?;
    thread::sleep(FLOWS_COME);
    write_flows(&client, |flow| flow.time >= start && flow.source.to_string() == host, console)?;
    Ok(Outcome::OfCommand(code(status)))
}

fn write_flows(
    client: &Client,
    is_wanted: impl Fn(&Flow) -> bool,
    console: &mut Console,
) -> Result<(), ExpectedError> {
    let mut lines = Vec::new();
    client.flows(false, false, |more, _| {
        lines.extend(more);
        ControlFlow::Continue(())
    })?;
    let flows: io::Result<Vec<Flow>> = lines.iter().map(|line| read(line)).collect();
    console.out.flush()?;
    for flow in flows?.iter().filter(|flow| is_wanted(flow)) {
        flow_formats::text::write(&mut console.err, flow, console.err_palette)?;
    }
    Ok(())
}

fn is_missing(error: &lab::LabError) -> bool {
    let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    let mut io_errors = causes.filter_map(|cause| cause.downcast_ref::<io::Error>());
    io_errors.any(|cause| cause.kind() == io::ErrorKind::NotFound)
}

fn code(status: ExitStatus) -> u8 {
    status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}
