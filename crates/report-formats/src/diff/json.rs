//! A difference for programs, a row a line, written while it is computed.
//!
//! `docs/formats.md` describes the fields; they only ever grow.

use super::{DiffCounts, DiffReport};
use crate::check::deciding::{Deciding, DecidingPolicy, DecidingRule};
use crate::json::{API_VERSION, write_part};
use finding_model::SourceFiles;
use net_types::{AddressSet, Protocol, Traffic};
use policy_engine::{
    Decision, DiffEnd, DiffRow, MapPeer, PairTraffic, Presence, Program, Reason, Shift, Side,
};
use policy_model::LeftOut;
use serde_json::{Map, Value, json};
use std::io::{self, Write};

/// Returns what was counted, which decides the exit code.
pub fn write(out: &mut dyn Write, report: &DiffReport<'_>) -> io::Result<DiffCounts> {
    let assumptions = report.diff.new_program().assumptions();
    write!(out, "{{\"apiVersion\":\"{API_VERSION}\",\"kind\":\"ConnectionDiff\",")?;
    let peers = |presence| -> Vec<Value> {
        let peers = report.diff.peers().iter().filter(|peer| peer.presence == presence);
        peers.map(|peer| named(&peer.peer)).collect()
    };
    let caveats = json!({
        "old": caveats(report.diff.old().left_out(), report.old_files),
        "new": caveats(report.diff.new_program().left_out(), report.new_files),
    });
    for (name, value) in [
        ("profile", json!(assumptions.semantics.to_string())),
        ("assumptions", json!({"podNetworks": ranges(&assumptions.pod_networks)})),
        ("by", json!(report.noun())),
        ("old", json!(report.old_name)),
        ("new", json!(report.new_name)),
        ("caveats", caveats),
        ("appeared", json!(peers(Presence::Appeared))),
        ("disappeared", json!(peers(Presence::Disappeared))),
    ] {
        write!(out, "\"{name}\":")?;
        write_part(out, &value)?;
        out.write_all(b",")?;
    }
    out.write_all(b"\"changes\":[")?;
    let counts = write_rows(out, report)?;
    out.write_all(b"],\n\"summary\":")?;
    write_part(out, &summary(&counts))?;
    out.write_all(b"}\n")?;
    Ok(counts)
}

fn write_rows(out: &mut dyn Write, report: &DiffReport<'_>) -> io::Result<DiffCounts> {
    let mut counts = DiffCounts::of_peers(report.diff);
    let mut result = Ok(());
    let mut separator = "\n";
    report.diff.visit(|row| {
        let shifts = Shift::between(row.before, row.after);
        counts.add(&row, &shifts);
        result = out
            .write_all(separator.as_bytes())
            .and_then(|()| write_part(out, &change(report, &row, &shifts)));
        separator = ",\n";
        result.is_ok()
    });
    result.map(|()| counts)
}

fn summary(counts: &DiffCounts) -> Value {
    let DiffCounts {
        loosened,
        tightened,
        appeared,
        appeared_connections,
        disappeared,
        disappeared_connections,
        within,
    } = *counts;
    json!({
        "equal": counts.is_equal(),
        "loosened": loosened,
        "tightened": tightened,
        "appeared": appeared,
        "appearedConnections": appeared_connections,
        "disappeared": disappeared,
        "disappearedConnections": disappeared_connections,
        "within": within,
    })
}

fn change(report: &DiffReport<'_>, row: &DiffRow<'_>, shifts: &[Shift]) -> Value {
    let presence = match row.presence {
        Presence::Both => "both",
        Presence::Appeared => "appeared",
        Presence::Disappeared => "disappeared",
    };
    let shifts: Vec<Value> = shifts.iter().map(|of_row| shift(report, row, of_row)).collect();
    json!({
        "from": end(report, row.from),
        "to": end(report, row.to),
        "presence": presence,
        "within": row.is_within(),
        "before": traffic(row.before),
        "after": traffic(row.after),
        "shifts": shifts,
    })
}

fn shift(report: &DiffReport<'_>, row: &DiffRow<'_>, shift: &Shift) -> Value {
    let (old, new) = (report.diff.old(), report.diff.new_program());
    let grounds = report.diff.grounds(row, shift).into_iter().map(|ground| {
        let mut value = json!({"ports": ports(&ground.traffic)});
        if let Some(fields) = value.as_object_mut() {
            let before = ground.before.map(|before| decision(old, report.old_files, &before));
            let after = ground.after.map(|after| decision(new, report.new_files, &after));
            fields.extend(before.map(|before| ("before".to_owned(), before)));
            fields.extend(after.map(|after| ("after".to_owned(), after)));
        }
        value
    });
    json!({
        "effect": shift.effect().as_str(),
        "before": shift.before.as_str(),
        "after": shift.after.as_str(),
        "ports": ports(&shift.traffic),
        "decided": grounds.collect::<Vec<_>>(),
    })
}

fn decision(program: &Program, files: &SourceFiles, decision: &Decision) -> Value {
    json!({
        "verdict": decision.verdict.as_str(),
        "egress": side(program, files, &decision.egress),
        "ingress": side(program, files, &decision.ingress),
    })
}

fn side(program: &Program, files: &SourceFiles, side: &Side) -> Value {
    let Deciding { tier, policy } = Deciding::of(program, files, side.cause);
    let mut fields = Map::new();
    fields.insert("verdict".to_owned(), side.verdict.as_str().into());
    fields.insert("tier".to_owned(), tier.as_str().into());
    if let Some(DecidingPolicy { kind, path, rule, place }) = policy {
        fields.insert("kind".to_owned(), kind.as_str().into());
        fields.insert("policy".to_owned(), path.into());
        if let Some(DecidingRule { index, name }) = rule {
            fields.insert("rule".to_owned(), index.into());
            fields.extend(name.map(|name| ("ruleName".to_owned(), name.into())));
        }
        if let Some((file, line)) = place {
            fields.insert("file".to_owned(), file.into());
            fields.insert("line".to_owned(), line.into());
        }
    }
    Value::Object(fields)
}

fn end(report: &DiffReport<'_>, end: DiffEnd<'_>) -> Value {
    match end {
        DiffEnd::Outside(set) => json!({"ranges": ranges(set)}),
        DiffEnd::Peer(peer) => {
            report.diff.peers().get(peer).map_or(Value::Null, |peer| named(&peer.peer))
        }
    }
}

fn named(peer: &MapPeer) -> Value {
    match peer {
        MapPeer::Namespace(name) => {
            json!({"namespace": name, "name": name, "kind": "Namespace"})
        }
        MapPeer::Workload(workload) => json!({
            "namespace": workload.namespace,
            "name": workload.name,
            "kind": workload.kind.as_str(),
        }),
        MapPeer::Pod { namespace, name, workload } => json!({
            "namespace": namespace,
            "name": name,
            "kind": "Pod",
            "workload": {"name": workload.name, "kind": workload.kind.as_str()},
        }),
        MapPeer::Outside(set) => json!({"ranges": ranges(set)}),
    }
}

/// As in a connection map: either of both only where there is something.
fn traffic(traffic: &PairTraffic) -> Value {
    let mut fields = Map::new();
    if !traffic.allowed.has_no_ports() {
        fields.insert("allowed".to_owned(), ports(&traffic.allowed).into());
    }
    if !traffic.undefined.has_no_ports() {
        let reasons: Vec<&str> = traffic.reasons.iter().map(Reason::code).collect();
        fields.insert("undefined".to_owned(), ports(&traffic.undefined).into());
        fields.insert("reasons".to_owned(), reasons.into());
    }
    Value::Object(fields)
}

fn ports(traffic: &Traffic) -> Vec<Value> {
    let ports = Protocol::WITH_PORTS.into_iter().filter_map(|protocol| {
        let ports = traffic.ports(protocol).filter(|ports| !ports.is_empty())?;
        Some(json!({"protocol": protocol.to_string(), "ports": ports.to_string()}))
    });
    ports.collect()
}

fn ranges(set: &AddressSet) -> Vec<String> {
    set.ranges().iter().map(ToString::to_string).collect()
}

fn caveats(left_out: &[LeftOut], files: &SourceFiles) -> Vec<Value> {
    let caveat = |left_out: &LeftOut| {
        let mut value = json!({"object": left_out.object});
        if let (Some(span), Some(fields)) = (left_out.span, value.as_object_mut()) {
            fields.insert("file".to_owned(), files.name(span.file).into());
            fields.insert("line".to_owned(), span.line.into());
        }
        value
    };
    left_out.iter().map(caveat).collect()
}
