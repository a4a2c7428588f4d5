//! Exposure for programs, a peer a line. `docs/formats.md` describes the fields; they only ever grow.

use super::{isolation, namespaces_of_port, reach_of_port, selectors};
use crate::json::{API_VERSION, write_part};
use crate::map::MapReport;
use crate::map::json::{ports, ranges, write_head};
use crate::map::summary::reason_codes;
use policy_engine::{Entrance, PairTraffic, PossibleNamespace, PossiblePeer, SideExposure};
use serde_json::{Map, Value, json};
use std::io::{self, Write};

pub fn write(out: &mut dyn Write, report: &MapReport<'_>) -> io::Result<()> {
    write!(out, "{{\"apiVersion\":\"{API_VERSION}\",\"kind\":\"ExposureReport\",")?;
    write_head(out, report)?;
    out.write_all(b"\"exposures\":[")?;
    for (index, exposure) in report.exposures().enumerate() {
        out.write_all(if index == 0 { b"\n" } else { b",\n" })?;
        let Some(peer) = report.peers.name(exposure.peer) else { continue };
        let entrances =
            exposure.entrances.iter().map(|entrance| of_entrance(&exposure.ingress, entrance));
        let left_out = peer.caveats.iter().filter_map(|at| report.program.left_out().get(*at));
        let members = [
            ("peer", json!({"namespace": peer.namespace, "name": peer.name, "kind": peer.kind})),
            ("ingress", of_side(&exposure.ingress)),
            ("egress", of_side(&exposure.egress)),
            ("entrances", entrances.collect()),
            ("caveats", left_out.map(|left_out| left_out.object.as_str()).collect()),
        ];
        for (place, (name, value)) in members.iter().enumerate() {
            write!(out, "{}\"{name}\":", if place == 0 { "{" } else { "," })?;
            write_part(out, value)?;
        }
        out.write_all(b"}")?;
    }
    out.write_all(b"\n]}\n")
}

fn of_side(side: &SideExposure) -> Value {
    let SideExposure { n_pods: _, n_isolated: _, outside, namespaces, possible, unsettled } = side;
    let unsettled = unsettled.iter().map(|of| selectors(Some(of)));
    let outside =
        outside.iter().map(|(set, traffic)| with_traffic(json!({"ranges": ranges(set)}), traffic));
    let namespaces = namespaces
        .iter()
        .map(|(name, traffic)| with_traffic(json!({"namespace": name.as_ref()}), traffic));
    json!({
        "isolated": isolation(side),
        "outside": outside.collect::<Vec<_>>(),
        "namespaces": namespaces.collect::<Vec<_>>(),
        "possible": possible.iter().map(of_possible).collect::<Vec<_>>(),
        "unsettled": unsettled.collect::<Vec<_>>(),
    })
}

fn of_possible(possible: &PossiblePeer) -> Value {
    let namespace = match &possible.namespace {
        PossibleNamespace::Existing(name) => json!({"name": name}),
        PossibleNamespace::New { name: Some(name), labels } => {
            json!({"name": name, "labels": labels.0, "new": true})
        }
        PossibleNamespace::New { name: None, labels } => json!({"labels": labels.0, "new": true}),
    };
    let value = json!({
        "selectors": selectors(possible.selectors.as_ref()),
        "example": {"namespace": namespace, "labels": possible.labels.0},
    });
    with_traffic(value, &possible.traffic)
}

fn of_entrance(side: &SideExposure, entrance: &Entrance) -> Value {
    let Entrance { kind, namespace, name, service, protocol, port } = entrance;
    let [outside, outside_undefined] = reach_of_port(side, entrance);
    let [namespaces, namespaces_undefined] = namespaces_of_port(side, entrance);
    json!({
        "kind": kind.name(),
        "namespace": namespace,
        "name": name,
        "service": service,
        "protocol": protocol.to_string(),
        "port": port,
        "allowed": {"ranges": ranges(&outside), "namespaces": namespaces},
        "undefined": {"ranges": ranges(&outside_undefined), "namespaces": namespaces_undefined},
    })
}

/// Adds `allowed` and `undefined` as rows of a map have them.
fn with_traffic(value: Value, traffic: &PairTraffic) -> Value {
    let mut fields: Map<String, Value> = match value {
        Value::Object(fields) => fields,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Map::new()
        }
    };
    let parts = [
        ("allowed", &traffic.allowed, Vec::new()),
        ("undefined", &traffic.undefined, reason_codes(traffic)),
    ];
    for (name, part, reasons) in parts {
        if !part.has_no_ports() {
            fields.insert(name.to_owned(), json!(ports(part, &reasons)));
        }
    }
    Value::Object(fields)
}
