//! What the page shows, as JSON: tables, and rows of indices into them.
//!
//! Only the page's own script reads it, so unlike the report for programs it may change its shape.

use super::details::{Causes, Details};
use super::sides::passing_sides;
use crate::json::write_part;
use crate::map::collected::{Collected, EndIx};
use crate::map::peers::PeerName;
use crate::map::summary::{RowCounts, reason_codes};
use crate::{visible, visible_lines};
use finding_model::SourceSpan;
use net_types::{AddressSet, PortSet, Protocol, Traffic};
use policy_engine::{Granularity, PairTraffic, RuleId};
use policy_model::{Direction, Policy};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{self, Write};

pub(super) fn write(out: &mut dyn Write, map: &Collected<'_>) -> io::Result<()> {
    let mut causes = Causes::default();
    let source = match map.report.by {
        Granularity::Namespace => None,
        Granularity::Pod | Granularity::Workload => Some(Details::new(map)),
    };
    let (rows, details) = rows(map, source.as_ref(), &mut causes);
    let policies = map.report.program.policies();
    let document = json!({
        "head": head(map),
        "namespaces": map.namespaces().iter().map(|(name, _)| visible(name)).collect::<Vec<_>>(),
        "peers": peers(map),
        "outside": outside(map),
        "traffic": map.traffic.iter().map(traffic).collect::<Vec<_>>(),
        "rows": rows,
        "details": details,
        "passes": source.as_ref().and_then(|source| passing_sides(map.report.program, &source.pods)),
        "causes": causes.list(),
        "rules": causes.rules().iter().map(|rule| of_rule(map, *rule)).collect::<Vec<_>>(),
        "policies": policies.map(|policy| of_policy(map, policy)).collect::<Vec<_>>(),
    });
    let mut text = Vec::new();
    write_part(&mut text, &document)?;
    write_inert(out, &text)
}

/// `[from, to, traffic, detail]`. The rules of rows between namespaces are too many to say anything.
fn rows(
    map: &Collected<'_>,
    source: Option<&Details<'_>>,
    causes: &mut Causes,
) -> (Vec<[usize; 4]>, Vec<Value>) {
    let mut details: Vec<Value> = Vec::new();
    let mut known: BTreeMap<String, usize> = BTreeMap::new();
    let rows = map.rows.iter().map(|row| {
        let detail = source.map_or(Value::Null, |source| source.of_row(row, causes));
        let next = details.len();
        let detail = *known.entry(detail.to_string()).or_insert_with(|| {
            details.push(detail);
            next
        });
        [row.from.0, row.to.0, row.traffic, detail]
    });
    let rows = rows.collect();
    (rows, details)
}

fn head(map: &Collected<'_>) -> Value {
    let report = map.report;
    let mut counts = RowCounts::default();
    map.rows.iter().filter_map(|row| map.traffic.get(row.traffic)).for_each(|t| counts.add(t));
    let reasons: BTreeMap<&str, &str> =
        counts.legend().map(|(reason, text)| (reason.code(), text)).collect();
    json!({
        "profile": report.program.assumptions().semantics.to_string(),
        "assumed": report.assumed(),
        "caveat": report.caveat().map(|caveat| visible(&caveat).into_owned()),
        "by": report.by_text(),
        "focus": report.focus_text().map(visible),
        "allowed": counts.allowed,
        "undefined": counts.undefined,
        "isolated": Direction::BOTH.map(|direction| report.n_isolated(direction)),
        "reasons": reasons,
    })
}

/// Sets of addresses, which overlap where policies of one peer cut them and those of another do not.
fn outside(map: &Collected<'_>) -> Vec<Value> {
    let of_set = |(place, set): (usize, &AddressSet)| {
        let label = map.label(EndIx(map.n_peers() + place));
        let others = map.outside.iter().enumerate().filter(|(other, _)| *other != place);
        let overlaps = others.filter(|(_, other)| !set.intersection(other).is_empty());
        let overlaps: Vec<usize> = overlaps.map(|(other, _)| other).collect();
        let is_in_focus = map.report.has_outside_in_focus(set);
        json!({"label": label, "inFocus": is_in_focus, "overlaps": overlaps})
    };
    map.outside.iter().enumerate().map(of_set).collect()
}

fn peers(map: &Collected<'_>) -> Vec<Value> {
    let report = map.report;
    let mut places: BTreeMap<&policy_model::PolicyId, usize> = BTreeMap::new();
    places.extend(report.program.policies().enumerate().map(|(place, policy)| (&policy.id, place)));
    let mut of_pod: BTreeMap<policy_engine::PodId, Vec<&Policy>> = BTreeMap::new();
    for policy in report.program.policies() {
        for pod in report.program.subjects(&policy.id) {
            of_pod.entry(pod).or_default().push(policy);
        }
    }
    let namespaces = map.namespaces();
    let of_namespace = namespaces.iter().enumerate().flat_map(|(namespace, (_, peers))| {
        peers.clone().filter_map(move |peer| Some((namespace, peer, report.peers.name(peer)?)))
    });
    of_namespace
        .map(|(namespace, peer, name)| {
            let PeerName { namespace: _, name: _, kind, is_ambiguous: _, caveats } = name;
            let side = |direction: Direction| {
                let pods: Vec<_> = report.map.pods(peer).collect();
                let isolated =
                    pods.iter().filter(|pod| report.program.is_isolated(**pod, direction)).count();
                let policies = pods.iter().filter_map(|pod| of_pod.get(pod)).flatten();
                let policies = policies.filter(|policy| policy.rules(direction).is_some());
                let mut policies: Vec<_> = policies
                    .filter_map(|policy| {
                        Some((policy.tier, policy.priority, *places.get(&policy.id)?))
                    })
                    .collect();
                policies.sort_unstable();
                policies.dedup();
                json!({
                    "isolated": [isolated, pods.len()],
                    "policies": policies.iter().map(|(_, _, place)| place).collect::<Vec<_>>(),
                })
            };
            let is_host = report.map.pods(peer).filter_map(|pod| report.program.pod(pod));
            json!({
                "namespace": namespace,
                "name": visible(&name.short()),
                "label": visible(&name.long()),
                "kind": kind,
                "ingress": side(Direction::Ingress),
                "egress": side(Direction::Egress),
                "hostNetwork": is_host.into_iter().any(|pod| pod.host_network),
                "caveat": !caveats.is_empty(),
                "inFocus": report.has_peer_in_focus(peer),
            })
        })
        .collect()
}

/// Texts for people, and ranges for the filter by port: `[protocol, [[first, last], …]]`.
fn traffic(traffic: &PairTraffic) -> Value {
    let text = |traffic: &Traffic| (!traffic.has_no_ports()).then(|| traffic.to_string());
    let ranges = |traffic: &Traffic| -> Vec<Value> {
        let of = |protocol: &Protocol| traffic.ports(*protocol).filter(|ports| !ports.is_empty());
        let listed = |ports: &PortSet| {
            ports.ranges().iter().map(|range| [range.first(), range.last()]).collect::<Vec<_>>()
        };
        let protocols = Protocol::WITH_PORTS.iter();
        protocols.filter_map(|p| Some(json!([p.to_string(), listed(of(p)?)]))).collect()
    };
    json!({
        "allowed": text(&traffic.allowed),
        "undefined": text(&traffic.undefined),
        "all": traffic.allowed.has_all_ports(),
        "reasons": reason_codes(traffic),
        "ranges": [ranges(&traffic.allowed), ranges(&traffic.undefined)],
    })
}

fn of_rule(map: &Collected<'_>, rule: RuleId) -> Value {
    let program = map.report.program;
    let (Some(policy), Some(found)) = (program.policy_of(rule), program.rule(rule)) else {
        return Value::Null;
    };
    let text = kube_render::rule(policy.id.kind, rule.direction(), found, 0);
    json!({
        "policy": visible(&policy.id.to_string()),
        "tier": policy.tier.to_string(),
        "place": format!("{}[{}]", rule.direction(), rule.index()),
        "name": found.name.as_deref().map(visible),
        "action": found.action.to_string(),
        "text": visible_lines(text.trim_end()),
        "file": file(map, found.span.or(policy.span)),
    })
}

fn of_policy(map: &Collected<'_>, policy: &Policy) -> Value {
    json!({
        "id": visible(&policy.id.to_string()),
        "tier": policy.tier.to_string(),
        "file": file(map, policy.span),
    })
}

/// `shop/web.yaml:14`.
fn file(map: &Collected<'_>, span: Option<SourceSpan>) -> Option<String> {
    let SourceSpan { file, line, .. } = span?;
    Some(visible(&format!("{}:{line}", map.report.files.name(file))).into_owned())
}

/// `<` would end the element that holds the data.
fn write_inert(out: &mut dyn Write, json: &[u8]) -> io::Result<()> {
    for part in json.split_inclusive(|byte| matches!(byte, b'<' | b'>' | b'&')) {
        match part.split_last() {
            Some((byte @ (b'<' | b'>' | b'&'), before)) => {
                out.write_all(before)?;
                write!(out, "\\u{byte:04x}")?;
            }
            Some(_) | None => out.write_all(part)?,
        }
    }
    Ok(())
}
