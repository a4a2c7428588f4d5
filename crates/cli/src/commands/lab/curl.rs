//! `weir lab curl`: a request from a pod, and what decided about it.

use super::WhichArgs;
use super::ends::{EndArgument, Ends};
use super::flows::{read, write_missing};
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
/// Nanoseconds in which a packet is sent again; a port is used again by chance much later.
const REPEATED_FOR: u64 = 60_000_000_000;
/// Flows of what just happened come within this; then more of them may.
const FLOWS_COME: Duration = Duration::from_millis(100);
/// How often is asked for them, on a machine that has much to do.
const MOST_TRIES: usize = 10;

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
    let argument: EndArgument =
        host.parse().map_err(|error| ExpectedError::Usage(format!("{host}: {error}")))?;
    write_flows(&client, (start, &Ends::find(&argument, &client)?), console)?;
    Ok(Outcome::OfCommand(code(status)))
}

fn write_flows(
    client: &Client,
    (start, source): (Timestamp, &Ends),
    console: &mut Console,
) -> Result<(), ExpectedError> {
    console.out.flush()?;
    let (mut shown, mut missing) = (Vec::new(), Vec::new());
    for _ in 0..MOST_TRIES {
        thread::sleep(FLOWS_COME);
        let mut lines = Vec::new();
        missing = client.flows(false, false, |more, _| {
            lines.extend(more);
            ControlFlow::Continue(())
        })?;
        let flows: io::Result<Vec<Flow>> = lines.iter().map(|line| read(line)).collect();
        let flows = flows?;
        let is_wanted = |flow: &&Flow| source.is(&flow.source) && began(flow, start, &flows);
        let found: Vec<Flow> = flows.iter().filter(is_wanted).cloned().collect();
        let is_all = !found.is_empty() && found.len() == shown.len();
        shown = found;
        if is_all {
            break;
        }
    }
    write_missing(&missing, console)?;
    for flow in &shown {
        flow_formats::text::write(&mut console.err, flow, console.err_palette)?;
    }
    Ok(())
}

/// It was opened from then on, and not only told of: of what a probe did before, the ends are told later. What
/// was denied was never opened, and is told again while its packets come.
fn began(flow: &Flow, start: Timestamp, flows: &[Flow]) -> bool {
    let is_earlier_denial = |other: &Flow| {
        let ends = |flow: &Flow| {
            let (from, to) = (&flow.source, &flow.destination);
            (flow.protocol, (from.address, from.port), (to.address, to.port))
        };
        other.opened.is_none()
            && other.time < start
            && start.0 - other.time.0 < REPEATED_FOR
            && ends(other) == ends(flow)
    };
    match flow.opened {
        Some(opened) => opened >= start,
        None => flow.time >= start && !flows.iter().any(is_earlier_denial),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(report: &str, second: u8, port: u16, opened: Option<u8>) -> Flow {
        let opened = opened.map(|second| format!(r#""opened":"2026-11-21T12:00:0{second}Z","#));
        let line = format!(
            r#"{{"apiVersion":"weir.dev/v1alpha1","kind":"Flow","time":"2026-11-21T12:00:0{second}Z","report":"{report}","observer":{{"node":"n","side":"ingress"}},"source":{{"address":"10.0.0.1","port":{port},"kind":"outside"}},"destination":{{"address":"10.0.0.2","port":80,"kind":"outside"}},"protocol":"TCP","matched":[],{}"dropped":false,"count":2,"lostBefore":0}}"#,
            opened.unwrap_or_default()
        );
        flow_formats::json::read_line(line.as_bytes()).unwrap()
    }

    #[test]
    fn what_was_opened_before_is_not_of_this_request() {
        let flows = [
            flow("opened", 1, 1000, Some(1)),
            flow("denied", 2, 1001, None),
            flow("closed", 5, 1000, Some(1)),
            flow("denied", 5, 1001, None),
            flow("opened", 5, 1002, Some(5)),
            flow("denied", 5, 1003, None),
        ];
        let start = flow("opened", 4, 1, None).time;
        let began: Vec<bool> = flows.iter().map(|flow| began(flow, start, &flows)).collect();
        assert_eq!(began, [false, false, false, false, true, true]);
    }
}
