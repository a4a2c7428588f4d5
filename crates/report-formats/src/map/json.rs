//! A connection map for programs, a row a line, written while it is computed.
//!
//! `docs/formats.md` describes the fields; they only ever grow.

use super::MapReport;
use super::summary::reason_codes;
use crate::json::{API_VERSION, write_part};
use finding_model::SourceSpan;
use net_types::{AddressSet, Protocol, Traffic};
use policy_engine::{MapPeer, MapRow, PairTraffic};
use policy_model::LeftOutScope;
use rustc_hash::FxHashMap;
use serde::Serialize;
use serde_json::{Value, json};
use std::io::{self, Write};

/// Rows without anything allowed come last. Up to this many bytes of them are kept; beyond, the map is
/// computed a second time.
const KEPT_UNDEFINED_BYTES: usize = 8 << 20;

pub fn write(out: &mut dyn Write, report: &MapReport<'_>) -> io::Result<()> {
    write!(out, "{{\"apiVersion\":\"{API_VERSION}\",\"kind\":\"ConnectionMap\",")?;
    write_head(out, report)?;
    out.write_all(b"\"connections\":[")?;
    let mut rows = Rows::new(report)?;
    let mut kept = Some(Vec::new());
    let mut first = true;
    report.rows(|row| {
        if row.traffic.allowed.has_no_ports() {
            return rows.keep(row, &mut kept);
        }
        separate(out, &mut first)?;
        rows.write(out, row)
    })?;
    out.write_all(if first { b"],\"undefined\":[" } else { b"\n],\"undefined\":[" })?;
    first = true;
    match kept {
        Some(bytes) => {
            first = bytes.is_empty();
            out.write_all(bytes.get(1..).unwrap_or_default())?;
        }
        None => report.rows(|row| {
            if !row.traffic.allowed.has_no_ports() {
                return Ok(());
            }
            separate(out, &mut first)?;
            rows.write(out, row)
        })?,
    }
    out.write_all(if first { b"]}\n" } else { b"\n]}\n" })
}

/// What every answer of the report assumes: members of the document, each with a comma after it.
pub(crate) fn write_head(out: &mut dyn Write, report: &MapReport<'_>) -> io::Result<()> {
    let assumptions = report.program.assumptions();
    write_member(out, "profile", &assumptions.semantics.to_string())?;
    write_member(out, "assumptions", &json!({"podNetworks": ranges(&assumptions.pod_networks)}))?;
    write_member(out, "by", &report.by_text())?;
    if let Some(focus) = report.focus_text() {
        write_member(out, "focus", &focus)?;
    }
    let left_out = report.program.left_out().iter().map(|left_out| {
        let mut caveat = json!({"object": left_out.object, "scope": scope(&left_out.scope)});
        if let (Some(SourceSpan { file, line, .. }), Some(fields)) =
            (left_out.span, caveat.as_object_mut())
        {
            fields.insert("file".to_owned(), report.files.name(file).into());
            fields.insert("line".to_owned(), line.into());
        }
        caveat
    });
    write_member(out, "caveats", &left_out.collect::<Vec<_>>())
}

fn write_member(out: &mut dyn Write, name: &str, value: &impl Serialize) -> io::Result<()> {
    write!(out, "\"{name}\":")?;
    write_part(out, value)?;
    out.write_all(b",")
}

fn scope(scope: &LeftOutScope) -> Value {
    match scope {
        LeftOutScope::Cluster => json!({"cluster": true}),
        LeftOutScope::Namespace(namespace) => json!({"namespace": namespace}),
        LeftOutScope::Object { namespace, name } => json!({"namespace": namespace, "name": name}),
    }
}

pub(crate) fn ranges(set: &AddressSet) -> Vec<String> {
    set.ranges().iter().map(ToString::to_string).collect()
}

fn separate(out: &mut dyn Write, first: &mut bool) -> io::Result<()> {
    out.write_all(if *first { b"\n" } else { b",\n" })?;
    *first = false;
    Ok(())
}

/// Peers and traffic as they were written before: a large map repeats both.
struct Rows<'r> {
    report: &'r MapReport<'r>,
    peers: Vec<Vec<u8>>,
    traffic: FxHashMap<PairTraffic, Vec<u8>>,
}

/// Bounds the memory of repeated traffic.
const TRAFFIC_LIMIT: usize = 1 << 14;

impl<'r> Rows<'r> {
    fn new(report: &'r MapReport<'_>) -> io::Result<Self> {
        let peers = report.peers.iter().map(|peer| {
            let mut text = Vec::new();
            let value = PeerPart { namespace: peer.namespace, name: peer.name, kind: peer.kind };
            write_part(&mut text, &value).map(|()| text)
        });
        Ok(Self { report, peers: peers.collect::<io::Result<_>>()?, traffic: FxHashMap::default() })
    }

    fn keep(&mut self, row: &MapRow<'_>, kept: &mut Option<Vec<u8>>) -> io::Result<()> {
        let Some(bytes) = kept else { return Ok(()) };
        bytes.extend_from_slice(b",\n");
        self.write(bytes, row)?;
        if bytes.len() > KEPT_UNDEFINED_BYTES {
            *kept = None;
        }
        Ok(())
    }

    fn write(&mut self, out: &mut dyn Write, row: &MapRow<'_>) -> io::Result<()> {
        out.write_all(b"{\"from\":")?;
        let [from, to] = row.places;
        self.write_peer(out, row.from, from)?;
        out.write_all(b",\"to\":")?;
        self.write_peer(out, row.to, to)?;
        match self.traffic.get(row.traffic) {
            Some(text) => out.write_all(text)?,
            None => {
                if self.traffic.len() >= TRAFFIC_LIMIT {
                    self.traffic.clear();
                }
                let text = traffic_members(row.traffic)?;
                out.write_all(&text)?;
                self.traffic.insert(row.traffic.clone(), text);
            }
        }
        if !self.report.program.left_out().is_empty() {
            let caveats = self.report.peers.caveats_of(row.places);
            let objects = self.report.program.left_out();
            let objects = caveats.iter().filter_map(|index| objects.get(*index));
            let names: Vec<&str> = objects.map(|left_out| left_out.object.as_str()).collect();
            if !names.is_empty() {
                out.write_all(b",\"caveats\":")?;
                write_part(out, &names)?;
            }
        }
        out.write_all(b"}")
    }

    fn write_peer(
        &self,
        out: &mut dyn Write,
        peer: &MapPeer,
        index: Option<usize>,
    ) -> io::Result<()> {
        if let MapPeer::Outside(set) = peer {
            return write_part(out, &json!({"ranges": ranges(set)}));
        }
        let text = index.and_then(|index| self.peers.get(index));
        out.write_all(text.map_or(b"null", Vec::as_slice))
    }
}

#[derive(Serialize)]
struct PeerPart<'a> {
    namespace: &'a str,
    name: &'a str,
    kind: &'a str,
}

#[derive(Serialize)]
pub(crate) struct PortsPart {
    protocol: String,
    ports: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reasons: Vec<&'static str>,
}

/// `,"allowed":[…],"undefined":[…]`, either of them only where there is something.
fn traffic_members(traffic: &PairTraffic) -> io::Result<Vec<u8>> {
    let PairTraffic { allowed, undefined, reasons: _ } = traffic;
    let mut text = Vec::new();
    for (name, part, reasons) in
        [("allowed", allowed, Vec::new()), ("undefined", undefined, reason_codes(traffic))]
    {
        if !part.has_no_ports() {
            write!(text, ",\"{name}\":")?;
            write_part(&mut text, &ports(part, &reasons))?;
        }
    }
    Ok(text)
}

pub(crate) fn ports(traffic: &Traffic, reasons: &[&'static str]) -> Vec<PortsPart> {
    let ports = Protocol::WITH_PORTS.into_iter().filter_map(|protocol| {
        let ports = traffic.ports(protocol).filter(|ports| !ports.is_empty())?;
        let (protocol, ports) = (protocol.to_string(), ports.to_string());
        Some(PortsPart { protocol, ports, reasons: reasons.to_vec() })
    });
    ports.collect()
}
