//! How findings name things.

use crate::world::World;
use finding_model::{Finding, SourceSpan};
use net_types::{PortSet, Protocol, Traffic};
use policy_engine::{Decision, End, PodId};
use std::collections::BTreeSet;

/// Names that a message lists before it says how many more there are.
const LISTED: usize = 3;

/// `a`, `a and b`, `a, b, c and 2 more`.
pub(crate) fn list<S: AsRef<str>>(names: &[S]) -> String {
    let shown: Vec<&str> = names.iter().take(LISTED).map(AsRef::as_ref).collect();
    let rest = names.len() - shown.len();
    match (shown.split_last(), rest) {
        (None, _) => "nothing".to_owned(),
        (Some((last, [])), 0) => (*last).to_owned(),
        (Some((last, before)), 0) => format!("{} and {last}", before.join(", ")),
        (Some(_), rest) => format!("{} and {rest} more", shown.join(", ")),
    }
}

/// `1 pod`, `3 pods`.
pub(crate) fn count(n: usize, word: &str) -> String {
    match (n, word.strip_suffix('y')) {
        (1, _) => format!("1 {word}"),
        (_, Some(stem)) => format!("{n} {stem}ies"),
        (_, None) => format!("{n} {word}s"),
    }
}

/// The workloads of some pods, `namespace/name`, sorted.
pub(crate) fn workloads(world: &World<'_>, pods: impl IntoIterator<Item = PodId>) -> Vec<String> {
    let names: BTreeSet<String> = pods
        .into_iter()
        .filter_map(|pod| world.pod(pod))
        .map(|pod| pod.workload.to_string())
        .collect();
    names.into_iter().collect()
}

pub(crate) fn end(world: &World<'_>, end: &End) -> String {
    match end {
        End::Pod(id) => world.pod(*id).map_or_else(|| "?".to_owned(), ToString::to_string),
        End::Address(address) => address.to_string(),
        End::Name(name) => name.clone(),
    }
}

/// `8080/tcp`.
pub(crate) fn port(protocol: Protocol, port: u16) -> String {
    format!("{port}/{}", protocol.to_string().to_lowercase())
}

/// `shop/web → pay/db 5432/tcp`.
pub(crate) fn connection(
    world: &World<'_>,
    (from, to): (&End, &End),
    (protocol, number): (Protocol, u16),
) -> String {
    format!("{} → {} {}", end(world, from), end(world, to), port(protocol, number))
}

/// A connection and the verdict on it, as witnesses are written.
pub(crate) fn witness(
    world: &World<'_>,
    (from, to): (&End, &End),
    (protocol, number): (Protocol, u16),
) -> (Decision, String) {
    let decision = world.program.decide(from, to, protocol, number);
    let text = connection(world, (from, to), (protocol, number));
    (decision, format!("{text} ({})", decision.verdict))
}

/// A few of the ports, for a sentence: `every port`, `443/tcp`.
pub(crate) fn ports(traffic: &Traffic) -> String {
    if traffic.has_all_ports() { "every port".to_owned() } else { traffic.to_string() }
}

/// The port to show a set by: one that the destination serves, else the first.
pub(crate) fn sample(world: &World<'_>, to: &End, traffic: &Traffic) -> Option<(Protocol, u16)> {
    if let End::Pod(id) = to {
        let served = world.pod(*id).into_iter().flat_map(|pod| &pod.ports);
        let mut open = served.filter(|port| traffic.contains(port.protocol, port.port));
        if let Some(port) = open.next() {
            return Some((port.protocol, port.port));
        }
    }
    let well_known = [443, 80, 53];
    let first = |ports: &PortSet| ports.ranges().first().map(|range| range.first());
    Protocol::WITH_PORTS.into_iter().find_map(|protocol| {
        let ports = traffic.ports(protocol)?;
        let known = well_known.into_iter().find(|port| ports.contains(*port));
        Some((protocol, known.or_else(|| first(ports))?))
    })
}

/// Other places with the same cause, all of them: what is too long to read is for the format to cut.
pub(crate) fn also(
    finding: Finding,
    places: impl IntoIterator<Item = (Option<SourceSpan>, String)>,
) -> Finding {
    let add = |finding: Finding, (span, name)| finding.related_to(span, format!("{name} as well"));
    places.into_iter().fold(finding, add)
}

/// A finding at a place, where the place is known.
pub(crate) fn placed(finding: Finding, span: Option<SourceSpan>) -> Finding {
    Finding { span, ..finding }
}
