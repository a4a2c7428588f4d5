//! A query in, an answer out: the part of `weir check --batch` that does no I/O.
//!
//! **Invariants.** Every line gets exactly one line back, whatever its bytes are. Memory does not grow
//! with the number of lines. The answer to a query does not depend on those before it.

use super::ends::{BatchEnd, Ends, Resolved, Several, is_on_a_node};
use super::fragments::Fragments;
use super::query::{self, Misread, PortText, Query, Text, short};
use super::question::{Ports, service_ports};
use super::{CheckWorld, caveats};
use crate::PortArgument;
use net_types::Protocol;
use policy_engine::{AskedPort, Decision, End, Reason, Reasons, Side, Verdict};
use policy_model::Service;
use report_formats::check::line;
use report_formats::is_hidden;

/// What became of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answered {
    Verdict,
    /// The line is no query, or asks about what is not there.
    Error,
    /// The line is blank and has no answer.
    Nothing,
}

#[derive(Debug)]
pub struct BatchAnswerer<'a> {
    world: CheckWorld<'a>,
    ends: Ends,
    fragments: Fragments,
}

/// A decision, and the endpoint of a Service that it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Reply {
    decision: Decision,
    endpoint: Option<(End, u16)>,
}

/// Lines that are longer are not read whole.
pub(crate) const LONGEST_LINE: usize = 1 << 20;

impl<'a> BatchAnswerer<'a> {
    pub fn new(world: CheckWorld<'a>) -> Self {
        Self { world, ends: Ends::default(), fragments: Fragments::default() }
    }

    /// Appends the answer to one line, with a line end.
    pub fn answer(&mut self, line: &[u8], out: &mut Vec<u8>) -> Answered {
        if line.len() > LONGEST_LINE {
            return refuse_long(out);
        }
        let Ok(line) = std::str::from_utf8(line) else {
            return write_error(None, "the line is not UTF-8", out);
        };
        if line.trim_ascii().is_empty() {
            return Answered::Nothing;
        }
        let query = match query::read(line) {
            Ok(query) => query,
            Err(Misread { id, message }) => return write_error(id, &message, out),
        };
        let id = query.id.map(serde_json::value::RawValue::get);
        let from = self.ends.resolve(self.world, &query.from);
        let to = self.ends.resolve(self.world, &query.to);
        let reply = port_of(&query).and_then(|port| self.reply(&query, (&from, &to), &port));
        match reply {
            Ok(reply) => {
                self.write(id, &reply, (&from, &to), out);
                Answered::Verdict
            }
            Err(message) => write_error(id, &message, out),
        }
    }

    fn reply(
        &self,
        query: &Query<'_>,
        (from, to): (&BatchEnd, &BatchEnd),
        port: &PortArgument,
    ) -> Result<Reply, String> {
        match (&from.resolved, &to.resolved, port) {
            (Resolved::One(from), Resolved::One(to), PortArgument::Number { protocol, port }) => {
                let decision = self.world.program.decide(from, to, *protocol, *port);
                Ok(Reply { decision, endpoint: None })
            }
            (Resolved::Refused(message), _, _) => Err(format!("`from`: {message}")),
            (_, Resolved::Refused(message), _) => Err(format!("`to`: {message}")),
            (from, to, port) => self.reply_for_all(query, (from, to), port),
        }
    }

    /// Asks about every pair of ends, which must agree.
    fn reply_for_all(
        &self,
        query: &Query<'_>,
        (from, to): (&Resolved, &Resolved),
        port: &PortArgument,
    ) -> Result<Reply, String> {
        let service = match to {
            Resolved::Service { service, .. } => self.world.snapshot.services.get(*service),
            Resolved::One(_) | Resolved::Several(_) | Resolved::Refused(_) => None,
        };
        let sources = self.members(from, to);
        if sources.is_empty() {
            return Err("`from`: the Service's selector selects no pod".to_owned());
        }
        let mut replies: Vec<((&End, Option<&End>), Reply)> = Vec::new();
        let destinations = self.members(to, from);
        for source in sources {
            if let Some(service) = service {
                for reply in self.to_service(source, service, port)? {
                    replies.push(((source, None), reply));
                }
                continue;
            }
            for destination in destinations {
                for (protocol, port) in self.packets(destination, port) {
                    let decision = self.world.program.decide(source, destination, protocol, port);
                    let reply = Reply { decision, endpoint: None };
                    replies.push(((source, Some(destination)), reply));
                }
            }
        }
        // A workload to itself is a question about two of its pods.
        let is_self =
            |reply: &Reply| reply.decision.egress.cause == policy_engine::Cause::SelfTraffic;
        if replies.iter().any(|(_, reply)| !is_self(reply)) {
            replies.retain(|(_, reply)| !is_self(reply));
        }
        agreed(self.world, query, &replies)
    }

    fn members<'e>(&self, resolved: &'e Resolved, other: &Resolved) -> &'e [End] {
        match resolved {
            Resolved::One(end) => std::slice::from_ref(end),
            Resolved::Several(several) | Resolved::Service { pods: several, .. } => {
                let nodes_matter = match other {
                    Resolved::One(end) => is_on_a_node(self.world, end),
                    Resolved::Several(Several { distinct, .. }) => distinct.is_none(),
                    // Its endpoints may be on the host network, and among the sources.
                    Resolved::Service { .. } => true,
                    Resolved::Refused(_) => false,
                };
                match &several.distinct {
                    Some(distinct) if !nodes_matter => distinct,
                    Some(_) | None => &several.all,
                }
            }
            Resolved::Refused(_) => &[],
        }
    }

    fn packets(&self, to: &End, port: &PortArgument) -> Vec<(Protocol, u16)> {
        match port {
            PortArgument::Number { protocol, port } => vec![(*protocol, *port)],
            PortArgument::Portless(protocol) => vec![(*protocol, 0)],
            PortArgument::All => Vec::new(),
            PortArgument::Named { protocol, name } => {
                let pod = match to {
                    End::Pod(id) => self.world.program.pod(*id),
                    End::Address(_) | End::Name(_) => None,
                };
                let served = pod.into_iter().flat_map(|pod| &pod.ports).filter(|served| {
                    served.name.as_ref() == Some(name)
                        && protocol.is_none_or(|protocol| protocol == served.protocol)
                });
                let mut packets: Vec<(Protocol, u16)> =
                    served.map(|served| (served.protocol, served.port)).collect();
                packets.sort_unstable();
                packets.dedup();
                packets
            }
        }
    }

    fn to_service(
        &self,
        from: &End,
        service: &Service,
        port: &PortArgument,
    ) -> Result<Vec<Reply>, String> {
        let problem = |problem: String| format!("service/{service}: {problem}");
        let program = self.world.program;
        match service_ports(service, port).map_err(problem)? {
            Ports::Client(ports) => {
                let asked = ports.into_iter().map(|(protocol, port)| {
                    let decision = program.decide_service(from, service, protocol, port);
                    decision.map_err(|error| problem(error.to_string()))
                });
                let asked = asked.map(|decision| Ok(one_of(&decision?.endpoints)));
                asked
                    .collect::<Result<Vec<Option<Reply>>, String>>()
                    .map(|replies| replies.into_iter().flatten().collect())
            }
            Ports::Endpoint(asked) => {
                let port = match asked {
                    AskedPort::One(protocol, port) => PortArgument::Number { protocol, port },
                    AskedPort::Named { protocol, name } => PortArgument::Named { protocol, name },
                    AskedPort::All => PortArgument::All,
                };
                let pods = program.service_pods(service).into_iter().map(End::Pod);
                let endpoints = pods.flat_map(|to| {
                    let packets = self.packets(&to, &port).into_iter();
                    let decide = move |(protocol, port)| {
                        (to.clone(), port, program.decide(from, &to, protocol, port))
                    };
                    packets.map(decide).collect::<Vec<_>>()
                });
                Ok(one_of(&endpoints.collect::<Vec<_>>()).into_iter().collect())
            }
        }
    }

    fn write(
        &mut self,
        id: Option<&str>,
        reply: &Reply,
        (from, to): (&BatchEnd, &BatchEnd),
        out: &mut Vec<u8>,
    ) {
        let Reply { decision, endpoint } = reply;
        write_id(id, out);
        out.extend_from_slice(b",\"verdict\":\"");
        out.extend_from_slice(decision.verdict.as_str().as_bytes());
        out.extend_from_slice(b"\",\"egress\":");
        self.fragments.write_side(self.world, decision.egress, out);
        out.extend_from_slice(b",\"ingress\":");
        self.fragments.write_side(self.world, decision.ingress, out);
        if !decision.reasons.is_empty() {
            out.extend_from_slice(b",\"reasons\":");
            out.extend_from_slice(&line::reasons(decision.reasons));
        }
        if let Some((end, port)) = endpoint {
            out.extend_from_slice(b",\"endpoint\":{\"peer\":");
            out.extend_from_slice(&line::text(&name(self.world, end)));
            out.extend_from_slice(format!(",\"port\":{port}}}").as_bytes());
        }
        if !(from.caveats.is_empty() && to.caveats.is_empty()) {
            let left_out = caveats::of_both(&from.caveats, &to.caveats).into_iter();
            let objects = left_out.filter_map(|index| self.world.snapshot.left_out.get(index));
            let objects: Vec<Vec<u8>> =
                objects.map(|left_out| line::text(&left_out.object)).collect();
            out.extend_from_slice(b",\"caveats\":[");
            out.extend_from_slice(&objects.join(&b','));
            out.push(b']');
        }
        out.extend_from_slice(b"}\n");
    }
}

/// The endpoints of a Service as one reply: undefined where they differ, because any may be picked.
fn one_of(endpoints: &[(End, u16, Decision)]) -> Option<Reply> {
    let (end, port, first) = endpoints.first()?.clone();
    let mut decision = first;
    let merge = |side: &mut Side, of: fn(&Decision) -> Side| {
        if endpoints.iter().any(|(_, _, other)| of(other).verdict != side.verdict) {
            let reasons = endpoints.iter().map(|(_, _, other)| of(other).reasons);
            let reasons = reasons.fold(Reasons::NONE, Reasons::union);
            side.verdict = Verdict::Undefined;
            side.reasons = reasons.with(Reason::ServiceEndpoint);
        }
    };
    merge(&mut decision.egress, |decision| decision.egress);
    merge(&mut decision.ingress, |decision| decision.ingress);
    if endpoints.iter().any(|(_, _, other)| other.verdict != first.verdict) {
        let reasons = endpoints.iter().map(|(_, _, other)| other.reasons);
        let reasons = reasons.fold(Reasons::NONE, Reasons::union);
        decision.verdict = Verdict::Undefined;
        decision.reasons = reasons.with(Reason::ServiceEndpoint);
    }
    Some(Reply { decision, endpoint: Some((end, port)) })
}

/// The first of several replies with the same verdicts, or an error that shows two that differ.
fn agreed(
    world: CheckWorld<'_>,
    query: &Query<'_>,
    replies: &[((&End, Option<&End>), Reply)],
) -> Result<Reply, String> {
    let verdicts = |reply: &Reply| {
        let Decision { verdict, egress, ingress, reasons: _ } = reply.decision;
        (verdict, egress.verdict, ingress.verdict)
    };
    let Some((first_ends, first)) = replies.first() else {
        return Err(format!("`to`: nothing in {} serves a port of this name", short(&query.to)));
    };
    let other = replies.iter().find(|(_, reply)| verdicts(reply) != verdicts(first));
    let Some((other_ends, other)) = other else { return Ok(first.clone()) };
    let ends = |(from, to): &(&End, Option<&End>)| {
        let to = to.map_or_else(|| query.to.to_string(), |to| name(world, to));
        format!("{} → {to}", name(world, from))
    };
    Err(format!(
        "the peers stand for several ends that get different answers, {} for {} and {} for {}: ask about one of each",
        first.decision.verdict,
        ends(first_ends),
        other.decision.verdict,
        ends(other_ends),
    ))
}

fn port_of(query: &Query<'_>) -> Result<PortArgument, String> {
    let protocol = match &query.protocol {
        None => None,
        // What nearly every query says.
        Some(Text(name)) if name == "TCP" => Some(Protocol::Tcp),
        Some(Text(name)) if name.len() > 16 => {
            return Err(format!("unknown protocol `{}`", short(name)));
        }
        Some(Text(name)) => Some(name.parse::<Protocol>().map_err(|error| error.to_string())?),
    };
    match (protocol, &query.port) {
        (Some(protocol), None) if !protocol.has_ports() => Ok(PortArgument::Portless(protocol)),
        (Some(protocol), Some(_)) if !protocol.has_ports() => {
            Err(format!("{protocol} has no ports: leave `port` out"))
        }
        (_, None) => Err("`port` is missing".to_owned()),
        (protocol, Some(PortText::Number(port))) => {
            Ok(PortArgument::Number { protocol: protocol.unwrap_or(Protocol::Tcp), port: *port })
        }
        (protocol, Some(PortText::Name(name))) => match name.parse() {
            Ok(PortArgument::Named { protocol: None, name }) => {
                Ok(PortArgument::Named { protocol, name })
            }
            Ok(_) | Err(_) => Err(format!(
                "`port` is a number from 1 to 65535, or a name: \"{}\" is neither",
                short(name)
            )),
        },
    }
}

pub(crate) fn refuse_long(out: &mut Vec<u8>) -> Answered {
    write_error(None, "the line is longer than 1 MiB", out)
}

fn write_error(id: Option<&str>, message: &str, out: &mut Vec<u8>) -> Answered {
    write_id(id, out);
    out.extend_from_slice(b",\"error\":");
    out.extend_from_slice(&line::text(message));
    out.extend_from_slice(b"}\n");
    Answered::Error
}

/// As it was written, except for characters that do not show: inside a string, which is the only
/// place for them, an escape means the same.
fn write_id(id: Option<&str>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"id\":");
    let id = id.unwrap_or("null");
    if !id.contains(is_hidden) {
        out.extend_from_slice(id.as_bytes());
        return;
    }
    let mut units = [0; 2];
    let mut bytes = [0; 4];
    for character in id.chars() {
        if is_hidden(character) {
            for unit in character.encode_utf16(&mut units) {
                out.extend_from_slice(format!("\\u{unit:04x}").as_bytes());
            }
        } else {
            out.extend_from_slice(character.encode_utf8(&mut bytes).as_bytes());
        }
    }
}

fn name(world: CheckWorld<'_>, end: &End) -> String {
    match end {
        End::Pod(id) => world.program.pod(*id).map_or_else(|| "?".to_owned(), ToString::to_string),
        End::Address(address) => address.to_string(),
        End::Name(name) => name.clone(),
    }
}

#[cfg(test)]
mod tests;
