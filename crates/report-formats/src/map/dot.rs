//! A connection map for Graphviz: a cluster for each namespace, an arrow for each connection.

use super::MapReport;
use super::collected::{Collected, EndIx};
use super::summary::{RowCounts, reason_codes};
use crate::visible;
use std::collections::BTreeSet;
use std::io::{self, Write};

const STYLE: &str = "  rankdir=LR; compound=true; newrank=true; nodesep=0.25; ranksep=1.2;
  fontname=\"Helvetica\"; fontsize=12; labelloc=t; labeljust=l;
  node [shape=box, style=\"rounded,filled\", fillcolor=white, color=\"#5b6770\", fontname=\"Helvetica\", fontsize=11];
  edge [color=\"#0072b2\", fontname=\"Helvetica\", fontsize=9, fontcolor=\"#33414d\", arrowsize=0.7];
";

pub fn write(out: &mut dyn Write, report: &MapReport<'_>) -> io::Result<()> {
    let map = Collected::new(report)?;
    let mut counts = RowCounts::default();
    map.rows.iter().filter_map(|row| map.traffic.get(row.traffic)).for_each(|t| counts.add(t));
    let caveat = report.caveat().map(|caveat| format!("\n{caveat}")).unwrap_or_default();
    let title = format!("{}\n{}{caveat}", report.counts(&counts), report.assumed());
    write!(out, "digraph connections {{\n{STYLE}  label={};\n", quoted(&title))?;
    let shown = shown(&map);
    for (index, (namespace, peers)) in map.namespaces().into_iter().enumerate() {
        let peers: Vec<EndIx> = peers.map(EndIx).filter(|end| shown.contains(end)).collect();
        if peers.is_empty() {
            continue;
        }
        if namespace.is_empty() {
            write_nodes(out, &map, &peers, "  ")?;
            continue;
        }
        writeln!(out, "  subgraph cluster_{index} {{")?;
        writeln!(out, "    label={}; style=\"rounded,filled\";", quoted(namespace))?;
        writeln!(out, "    color=\"#b6c2cc\"; fillcolor=\"#f3f6f8\";")?;
        write_nodes(out, &map, &peers, "    ")?;
        writeln!(out, "  }}")?;
    }
    for (index, _) in map.outside.iter().enumerate() {
        let end = EndIx(map.n_peers() + index);
        let label = quoted(&wrapped(&map.label(end)));
        writeln!(out, "  n{} [label={label}, shape=ellipse, fillcolor=\"#fdf6e3\"];", end.0)?;
    }
    write_arrows(out, &map)?;
    writeln!(out, "}}")
}

/// All peers, or in a map of one peer those that have a row.
fn shown(map: &Collected<'_>) -> BTreeSet<EndIx> {
    match map.report.focus_text() {
        None => (0..map.n_peers()).map(EndIx).collect(),
        Some(_) => map.rows.iter().flat_map(|row| [row.from, row.to]).collect(),
    }
}

fn write_nodes(
    out: &mut dyn Write,
    map: &Collected<'_>,
    peers: &[EndIx],
    indent: &str,
) -> io::Result<()> {
    for end in peers {
        let Some(peer) = map.report.peers.name(end.0) else { continue };
        let (label, full) = (
            quoted(&peer.short()),
            quoted(&format!("{} {}/{}", peer.kind, peer.namespace, peer.name)),
        );
        writeln!(out, "{indent}n{} [label={label}, tooltip={full}];", end.0)?;
    }
    Ok(())
}

fn write_arrows(out: &mut dyn Write, map: &Collected<'_>) -> io::Result<()> {
    for row in &map.rows {
        let Some(traffic) = map.traffic.get(row.traffic) else { continue };
        let mut label = Vec::new();
        if !traffic.allowed.has_no_ports() {
            label.push(traffic.allowed.to_string());
        }
        if !traffic.undefined.has_no_ports() {
            let reasons = reason_codes(traffic).join(", ");
            label.push(format!("undefined: {} ({reasons})", traffic.undefined));
        }
        let style =
            if traffic.allowed.has_no_ports() { ", style=dashed, color=\"#b35c00\"" } else { "" };
        let label = quoted(&label.join("\n"));
        writeln!(out, "  n{} -> n{} [label={label}{style}];", row.from.0, row.to.0)?;
    }
    Ok(())
}

/// Long lists of networks go over several lines.
fn wrapped(text: &str) -> String {
    text.replace(", ", ",\n")
}

/// A double-quoted string of the DOT language: `\` begins escapes such as `\N`, so it is doubled.
fn quoted(text: &str) -> String {
    let lines: Vec<_> = text.split('\n').map(visible).collect();
    format!(
        "\"{}\"",
        lines.join("\n").replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
    )
}
