//! A connection map as CSV (RFC 4180): a record for each protocol of each row.
//!
//! Every record stands alone, so each names the profile and the assumed networks.

use super::summary::reason_codes;
use super::{MapReport, addresses};
use crate::visible;
use net_types::{Protocol, Traffic};
use policy_engine::{MapPeer, PairTraffic};
use std::borrow::Cow;
use std::io::{self, Write};

const HEADER: &str = "from_namespace,from_name,from_kind,from_ranges,\
    to_namespace,to_name,to_kind,to_ranges,verdict,protocol,ports,reasons,\
    profile,assumed_pod_networks,caveats\r\n";

pub fn write(out: &mut dyn Write, report: &MapReport<'_>) -> io::Result<()> {
    out.write_all(HEADER.as_bytes())?;
    let assumptions = report.program.assumptions();
    let networks = addresses::networks(&assumptions.pod_networks);
    let networks: Vec<String> = networks.iter().map(ToString::to_string).collect();
    let assumed = format!("{},{}", assumptions.semantics, networks.join(" "));
    report.rows(|row| {
        let [from, to] = row.places;
        let ends = [(row.from, from), (row.to, to)].map(|(peer, at)| peer_fields(report, peer, at));
        let caveats = caveats(report, row.places);
        let PairTraffic { allowed, undefined, reasons: _ } = row.traffic;
        let reasons = reason_codes(row.traffic).join(" ");
        for (verdict, traffic, reasons) in
            [("allow", allowed, ""), ("undefined", undefined, reasons.as_str())]
        {
            for (protocol, ports) in by_protocol(traffic) {
                write!(out, "{},{},{verdict},{protocol},{},", ends[0], ends[1], field(&ports))?;
                write!(out, "{reasons},{assumed},{}\r\n", field(&caveats))?;
            }
        }
        Ok(())
    })
}

fn by_protocol(traffic: &Traffic) -> impl Iterator<Item = (Protocol, String)> {
    Protocol::WITH_PORTS.into_iter().filter_map(|protocol| {
        let ports = traffic.ports(protocol).filter(|ports| !ports.is_empty())?;
        Some((protocol, ports.to_string()))
    })
}

fn peer_fields(report: &MapReport<'_>, peer: &MapPeer, place: Option<usize>) -> String {
    if let MapPeer::Outside(set) = peer {
        return format!(",,,{}", field(&set.to_string()));
    }
    let name = place.and_then(|peer| report.peers.name(peer));
    name.map_or_else(
        || ",,,".to_owned(),
        |peer| format!("{},{},{},", field(peer.namespace), field(peer.name), peer.kind),
    )
}

fn caveats(report: &MapReport<'_>, ends: [Option<usize>; 2]) -> String {
    let left_out = report.program.left_out();
    if left_out.is_empty() {
        return String::new();
    }
    let objects = report.peers.caveats_of(ends);
    let names = objects.iter().filter_map(|index| left_out.get(*index));
    names.map(|left_out| left_out.object.as_str()).collect::<Vec<_>>().join("; ")
}

/// One field. A spreadsheet runs what starts like a formula, so an apostrophe makes it text (OWASP,
/// "CSV Injection"); no name that Kubernetes accepts starts like one.
fn field(text: &str) -> Cow<'_, str> {
    let text = visible(text);
    let starts_formula = text.starts_with(['=', '+', '-', '@', '|', '%']);
    let text = if starts_formula { Cow::Owned(format!("'{text}")) } else { text };
    if text.contains(['"', ',']) {
        return Cow::Owned(format!("\"{}\"", text.replace('"', "\"\"")));
    }
    text
}
