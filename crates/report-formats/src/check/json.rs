//! The answer to one question, for programs. `docs/formats.md` describes the fields.

use super::line::{SidePart, reason_codes};
use super::{CheckReport, end_name};
use crate::json::{API_VERSION, write_pretty};
use net_types::{Protocol, Traffic};
use policy_engine::Answer;
use serde::Serialize;
use std::io::{self, Write};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    api_version: &'static str,
    kind: &'static str,
    profile: String,
    assumptions: Assumed,
    from: &'a str,
    to: &'a str,
    port: &'a str,
    verdict: &'static str,
    answers: Vec<AnswerPart<'a>>,
    caveats: Vec<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Assumed {
    pod_networks: Vec<String>,
}

#[derive(Serialize)]
struct AnswerPart<'a> {
    verdict: &'static str,
    witness: Witness,
    connections: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ports: Vec<PortsPart>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    addresses: Vec<String>,
    egress: SidePart<'a>,
    ingress: SidePart<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reasons: Vec<&'static str>,
}

#[derive(Serialize)]
struct Witness {
    from: String,
    to: String,
    protocol: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
}

#[derive(Serialize)]
struct PortsPart {
    protocol: String,
    ports: String,
}

pub fn write(out: &mut dyn Write, report: &CheckReport<'_>) -> io::Result<()> {
    let assumptions = report.program.assumptions();
    let networks = assumptions.pod_networks.ranges();
    let document = Document {
        api_version: API_VERSION,
        kind: "Check",
        profile: assumptions.semantics.to_string(),
        assumptions: Assumed { pod_networks: networks.iter().map(ToString::to_string).collect() },
        from: report.asked.from,
        to: report.asked.to,
        port: report.asked.port,
        verdict: report.overall.as_str(),
        answers: report.answers.iter().map(|answer| part(report, answer)).collect(),
        caveats: report.caveats.iter().map(|left_out| left_out.object.as_str()).collect(),
    };
    write_pretty(out, &document)
}

fn part<'a>(report: &CheckReport<'a>, answer: &Answer) -> AnswerPart<'a> {
    let Answer { question, decision, n_pairs, traffic, addresses } = answer;
    let side = |side| SidePart::of(report.program, report.files, side);
    AnswerPart {
        verdict: decision.verdict.as_str(),
        witness: Witness {
            from: end_name(report.program, &question.from),
            to: end_name(report.program, &question.to),
            protocol: question.protocol.to_string(),
            port: question.protocol.has_ports().then_some(question.port),
        },
        connections: *n_pairs,
        ports: if report.asked.all_ports { ports(traffic) } else { Vec::new() },
        addresses: addresses.ranges().iter().map(ToString::to_string).collect(),
        egress: side(decision.egress),
        ingress: side(decision.ingress),
        reasons: reason_codes(decision.reasons),
    }
}

fn ports(traffic: &Traffic) -> Vec<PortsPart> {
    let ports = Protocol::WITH_PORTS.into_iter().filter_map(|protocol| {
        let ports = traffic.ports(protocol).filter(|ports| !ports.is_empty())?;
        Some(PortsPart { protocol: protocol.to_string(), ports: ports.to_string() })
    });
    ports.collect()
}
