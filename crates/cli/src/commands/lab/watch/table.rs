//! Who talks to whom: flows, added up by connection, without ports that change each time.

use flow_model::{Flow, Identity, Report, Timestamp};
use net_types::Protocol;
use policy_model::Direction;
use std::collections::BTreeMap;

const SECOND: u64 = 1_000_000_000;
/// Over which a rate is taken.
const WINDOW_SECONDS: u64 = 5;

/// The workloads at both ends, and the side that decided.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) from: String,
    pub(super) to: String,
    pub(super) protocol: Protocol,
    pub(super) port: u16,
    pub(super) side: Direction,
}

#[derive(Clone, Debug)]
pub(super) struct Row {
    /// Flows of one kind: opened or dropped.
    pub(super) count: u64,
    pub(super) denied: u64,
    /// The newest.
    pub(super) flow: Flow,
    /// The newest one that was denied, or would be.
    denied_flow: Option<Flow>,
    /// Seconds of the window and what was seen in each, the newest last.
    recent: Vec<(u64, u64)>,
}

#[derive(Debug, Default)]
pub(super) struct Table {
    rows: BTreeMap<Key, Row>,
}

impl Table {
    pub(super) fn add(&mut self, flow: Flow) {
        let n = match flow.report {
            Report::Opened | Report::Denied | Report::Revoked | Report::Refused(_) => {
                u64::from(flow.count)
            }
            // The connection was counted when it was opened.
            Report::Active | Report::Closed => return,
        };
        let denied = if flow.is_denied_or_would_be() { n } else { 0 };
        let second = flow.time.0 / SECOND;
        let row = self.rows.entry(key(&flow)).or_insert_with(|| Row {
            count: 0,
            denied: 0,
            flow: flow.clone(),
            denied_flow: None,
            recent: Vec::new(),
        });
        row.count += n;
        row.denied += denied;
        match row.recent.last_mut() {
            Some((last, seen)) if *last == second => *seen += n,
            Some(_) | None => row.recent.push((second, n)),
        }
        row.recent.retain(|(of, _)| of + WINDOW_SECONDS > second);
        if flow.is_denied_or_would_be() {
            row.denied_flow = Some(flow.clone());
        }
        if flow.time >= row.flow.time {
            row.flow = flow;
        }
    }

    pub(super) fn row(&self, key: &Key) -> Option<&Row> {
        self.rows.get(key)
    }

    /// The newest first; with what is denied before the rest.
    pub(super) fn rows(&self, denied_only: bool, filter: &str) -> Vec<(&Key, &Row)> {
        let is_wanted = |(key, row): &(&Key, &Row)| {
            (!denied_only || row.denied > 0)
                && (filter.is_empty() || key.from.contains(filter) || key.to.contains(filter))
        };
        let mut rows: Vec<_> = self.rows.iter().filter(is_wanted).collect();
        rows.sort_by_key(|(key, row)| {
            (row.denied == 0, std::cmp::Reverse(row.flow.time), (*key).clone())
        });
        rows
    }
}

impl Row {
    /// What a person asks about: a denial, where the newest flow is none but is listed as one.
    pub(super) fn telling(&self) -> &Flow {
        self.denied_flow.as_ref().unwrap_or(&self.flow)
    }

    /// A second.
    pub(super) fn rate(&self, now: Timestamp) -> u64 {
        let second = now.0 / SECOND;
        let recent = self.recent.iter().filter(|(of, _)| of + WINDOW_SECONDS > second);
        let sum: u64 = recent.map(|(_, seen)| seen).sum();
        sum.div_ceil(WINDOW_SECONDS)
    }
}

fn key(flow: &Flow) -> Key {
    Key {
        from: end(&flow.source),
        to: end(&flow.destination),
        protocol: flow.protocol,
        port: flow.destination.port.unwrap_or_default(),
        side: flow.observer.side,
    }
}

fn end(end: &flow_model::End) -> String {
    match &end.identity {
        Identity::Pod(pod) => format!("{}/{}", pod.namespace(), pod.workload.name),
        Identity::Node(_) | Identity::Service { .. } | Identity::Outside => end.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(second: u64, report: &str, pod: &str) -> Flow {
        let line = format!(
            r#"{{"apiVersion":"weir.dev/v1alpha1","kind":"Flow","time":"2026-11-21T12:00:0{second}Z","report":"{report}","observer":{{"node":"n","side":"ingress"}},"source":{{"address":"10.0.0.1","port":4000,"kind":"pod","namespace":"shop","name":"{pod}","workload":{{"kind":"Deployment","name":"web"}},"labels":{{}}}},"destination":{{"address":"10.0.0.2","port":80,"kind":"outside"}},"protocol":"TCP","matched":[],"dropped":false,"count":2,"lostBefore":0}}"#
        );
        flow_formats::json::read_line(line.as_bytes()).unwrap()
    }

    #[test]
    fn pods_of_one_workload_are_one_row_with_a_rate() {
        let mut table = Table::default();
        table.add(flow(1, "opened", "web-0"));
        table.add(flow(3, "opened", "web-1"));
        table.add(flow(3, "closed", "web-1"));
        let rows = table.rows(false, "web");
        let [(key, row)] = rows.as_slice() else { panic!("{rows:?}") };
        assert_eq!((&*key.from, &*key.to, key.port), ("shop/web", "10.0.0.2", 80));
        assert_eq!((row.count, row.denied), (4, 0));
        assert_eq!(row.rate(flow(3, "opened", "web-0").time), 1);
        assert_eq!(row.rate(flow(9, "opened", "web-0").time), 0);
        assert!(table.rows(true, "").is_empty() && table.rows(false, "api").is_empty());
    }
}
