//! Parameters of a query, where they decide what happens.
//!
//! The API server takes the first of several values and reads every word but `false` and `0` as true. Here each
//! parameter is given once and says `true` or `false`, so that nobody can read it in another way.

use crate::refusal::shown;
use crate::target::Parameter;
use crate::{Detail, Refusal, Streams, Transport};

/// The client's time limit and wish for indented answers: of no effect on streams, so they end here.
const WITHOUT_EFFECT: [&str; 2] = ["pretty", "timeout"];

const LOG: [&str; 12] = [
    "container",
    "follow",
    "insecureSkipTLSVerifyBackend",
    "limitBytes",
    "pretty",
    "previous",
    "sinceSeconds",
    "sinceTime",
    "stream",
    "tailLines",
    "timeout",
    "timestamps",
];

/// Any parameters, each once.
pub(crate) fn plain(parameters: &[Parameter]) -> Result<(), Refusal> {
    let mut names: Vec<&str> = parameters.iter().map(|parameter| parameter.name.as_str()).collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair.first() == pair.last()) {
        Some([name, ..]) => Err(Refusal::Repeated { name: shown(name) }),
        Some([]) | None => Ok(()),
    }
}

/// Whether it is given, and says true.
pub(crate) fn flag(parameters: &[Parameter], name: &str) -> Result<bool, Refusal> {
    match value(parameters, name) {
        None => Ok(false),
        Some(value) if value == "1" || value.eq_ignore_ascii_case("true") => Ok(true),
        Some(value) if value == "0" || value.eq_ignore_ascii_case("false") => Ok(false),
        Some(_) => Err(Refusal::Value { name: name.to_owned() }),
    }
}

/// Empty where only the name is given.
fn value<'parameters>(
    parameters: &'parameters [Parameter],
    name: &str,
) -> Option<&'parameters str> {
    let parameter = parameters.iter().find(|parameter| parameter.name == name)?;
    Some(parameter.value.as_deref().unwrap_or_default())
}

/// Each known, and each once but the one that is a list.
fn known(parameters: &[Parameter], known: &[&str], list: &str) -> Result<(), Refusal> {
    let is_known = |name: &str| name == list || known.contains(&name);
    if let Some(parameter) = parameters.iter().find(|parameter| !is_known(&parameter.name)) {
        return Err(Refusal::Parameter { name: shown(&parameter.name) });
    }
    let once: Vec<Parameter> =
        parameters.iter().filter(|parameter| parameter.name != list).cloned().collect();
    plain(&once)
}

pub(crate) fn log(parameters: &[Parameter]) -> Result<Detail, Refusal> {
    known(parameters, &LOG, "")?;
    let container = container(parameters);
    Ok(Detail::Logs { container, follow: flag(parameters, "follow")? })
}

/// An empty one means the pod's default, as none does.
fn container(parameters: &[Parameter]) -> Option<String> {
    value(parameters, "container").filter(|name| !name.is_empty()).map(str::to_owned)
}

/// With the query as it is sent on, in the order in which kubectl writes it.
pub(crate) fn exec(
    parameters: &[Parameter],
    transport: Transport,
) -> Result<(Detail, Vec<Parameter>), Refusal> {
    known(parameters, &with_streams(), "command")?;
    let arguments = parameters.iter().filter(|parameter| parameter.name == "command");
    let command: Vec<String> =
        arguments.map(|argument| argument.value.clone().unwrap_or_default()).collect();
    if command.is_empty() {
        return Err(Refusal::Missing { what: "which command to run" });
    }
    let (container, streams) = (container(parameters), streams(parameters)?);
    let mut query: Vec<Parameter> =
        command.iter().map(|argument| parameter("command", argument)).collect();
    query.extend(container_and_streams(container.as_deref(), streams));
    Ok((Detail::Exec { container, command, streams, transport }, query))
}

pub(crate) fn attach(
    parameters: &[Parameter],
    transport: Transport,
) -> Result<(Detail, Vec<Parameter>), Refusal> {
    known(parameters, &with_streams(), "")?;
    let (container, streams) = (container(parameters), streams(parameters)?);
    let query = container_and_streams(container.as_deref(), streams);
    Ok((Detail::Attach { container, streams, transport }, query))
}

pub(crate) fn port_forward(
    parameters: &[Parameter],
    transport: Transport,
) -> Result<(Detail, Vec<Parameter>), Refusal> {
    known(parameters, &WITHOUT_EFFECT, "ports")?;
    let wrong = || Refusal::Value { name: "ports".to_owned() };
    let mut ports = Vec::new();
    for parameter in parameters.iter().filter(|parameter| parameter.name == "ports") {
        for port in parameter.value.as_deref().unwrap_or_default().split(',') {
            let is_number = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
            let port = if is_number { port.parse::<u16>().ok() } else { None };
            ports.push(port.filter(|port| *port > 0).ok_or_else(wrong)?);
        }
    }
    let query = ports.iter().map(|port| parameter("ports", &port.to_string())).collect();
    Ok((Detail::PortForward { ports, transport }, query))
}

fn with_streams() -> [&'static str; 7] {
    let [pretty, timeout] = WITHOUT_EFFECT;
    ["container", "stderr", "stdin", "stdout", "tty", pretty, timeout]
}

/// A terminal has no stderr of its own: the node would leave it away, so it is left away here.
fn streams(parameters: &[Parameter]) -> Result<Streams, Refusal> {
    let terminal = flag(parameters, "tty")?;
    let streams = Streams {
        stdin: flag(parameters, "stdin")?,
        stdout: flag(parameters, "stdout")?,
        stderr: flag(parameters, "stderr")? && !terminal,
        terminal,
    };
    if streams.stdin || streams.stdout || streams.stderr {
        Ok(streams)
    } else {
        Err(Refusal::Missing { what: "which of stdin, stdout and stderr to open" })
    }
}

fn container_and_streams(container: Option<&str>, streams: Streams) -> Vec<Parameter> {
    let Streams { stdin, stdout, stderr, terminal } = streams;
    let flags = [("stderr", stderr), ("stdin", stdin), ("stdout", stdout), ("tty", terminal)];
    let container = container.map(|name| parameter("container", name));
    let flags = flags.into_iter().filter(|(_, wanted)| *wanted);
    container.into_iter().chain(flags.map(|(name, _)| parameter(name, "true"))).collect()
}

fn parameter(name: &str, value: &str) -> Parameter {
    Parameter { name: name.to_owned(), value: Some(value.to_owned()) }
}
