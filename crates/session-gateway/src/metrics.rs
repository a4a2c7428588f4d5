//! What the gateway counts, in Prometheus' text format.
//!
//! Values of labels come from fixed lists and from the configuration, never from requests.

use access_model::Verb;
use session_record::Ending;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// Why a request went no further.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RefusedBy {
    /// Nobody was proven.
    Identity,
    /// The request could be read in more than one way, or not at all.
    Request,
    /// A rule of the gateway, or that none allows it.
    Rules,
    /// The cluster's own RBAC.
    Cluster,
    /// No recording could be begun, or none more.
    Recording,
    Limit,
    Stopping,
}

const CAUSES: [RefusedBy; 7] = [
    RefusedBy::Identity,
    RefusedBy::Request,
    RefusedBy::Rules,
    RefusedBy::Cluster,
    RefusedBy::Recording,
    RefusedBy::Limit,
    RefusedBy::Stopping,
];

/// The word of an ending in metrics and in the ledger.
pub(crate) const fn ending_word(ending: &Ending) -> &'static str {
    match ending {
        Ending::Finished { .. } => "finished",
        Ending::ClientLeft => "client-left",
        Ending::UpstreamLeft { .. } => "upstream-left",
        Ending::Killed { .. } => "killed",
        Ending::Limit { .. } => "limit",
        Ending::RecordingFailed { .. } => "recording-failed",
        Ending::Protocol { .. } => "protocol",
        Ending::GatewayStopped => "gateway-stopped",
        Ending::Recovered => "recovered",
    }
}

const ENDINGS: [&str; 9] = [
    "finished",
    "client-left",
    "upstream-left",
    "killed",
    "limit",
    "recording-failed",
    "protocol",
    "gateway-stopped",
    "recovered",
];

#[derive(Debug, Default)]
pub(crate) struct Metrics {
    requests: [AtomicU64; Verb::ALL.len()],
    refusals: [AtomicU64; CAUSES.len()],
    sessions_open: AtomicI64,
    sessions_opened: [AtomicU64; Verb::ALL.len()],
    sessions_ended: [AtomicU64; ENDINGS.len()],
    bytes_from_clients: AtomicU64,
    bytes_to_clients: AtomicU64,
    ledger_failures: AtomicU64,
    archived: AtomicU64,
    deleted: AtomicU64,
    upkeep_failures: AtomicU64,
}

impl Metrics {
    pub(crate) fn request(&self, verb: Verb) {
        add(&self.requests, Verb::ALL.iter().position(|known| *known == verb));
    }

    pub(crate) fn refusal(&self, cause: RefusedBy) {
        add(&self.refusals, CAUSES.iter().position(|known| *known == cause));
    }

    pub(crate) fn session_opened(&self, verb: Verb) {
        self.sessions_open.fetch_add(1, Ordering::Relaxed);
        add(&self.sessions_opened, Verb::ALL.iter().position(|known| *known == verb));
    }

    pub(crate) fn session_ended(&self, ending: &Ending) {
        self.sessions_open.fetch_sub(1, Ordering::Relaxed);
        let word = ending_word(ending);
        add(&self.sessions_ended, ENDINGS.iter().position(|known| *known == word));
    }

    pub(crate) fn bytes(&self, from_client: u64, to_client: u64) {
        self.bytes_from_clients.fetch_add(from_client, Ordering::Relaxed);
        self.bytes_to_clients.fetch_add(to_client, Ordering::Relaxed);
    }

    pub(crate) fn ledger_failure(&self) {
        self.ledger_failures.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn archived(&self) {
        self.archived.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn deleted(&self) {
        self.deleted.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn upkeep_failure(&self) {
        self.upkeep_failures.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn text(&self) -> String {
        let mut text = Text::default();
        let verbs = Verb::ALL.map(Verb::word);
        let of = |counters: &[AtomicU64]| -> Vec<u64> {
            counters.iter().map(|counter| counter.load(Ordering::Relaxed)).collect()
        };
        text.family(
            "weir_gateway_requests_total",
            "Requests whose verb was recognised.",
            "counter",
        );
        text.labelled("verb", &verbs, &of(&self.requests));
        text.family("weir_gateway_refusals_total", "Requests that went no further.", "counter");
        text.labelled("by", &CAUSES.map(RefusedBy::word), &of(&self.refusals));
        text.family("weir_gateway_sessions_open", "Sessions that are going on.", "gauge");
        text.value(&self.sessions_open.load(Ordering::Relaxed));
        text.family(
            "weir_gateway_sessions_opened_total",
            "Sessions whose recording began.",
            "counter",
        );
        text.labelled("verb", &verbs, &of(&self.sessions_opened));
        text.family("weir_gateway_sessions_ended_total", "Sessions that ended, by how.", "counter");
        text.labelled("ending", &ENDINGS, &of(&self.sessions_ended));
        let bytes = "Bytes of sessions' streams that came from this side.";
        text.family("weir_gateway_session_bytes_total", bytes, "counter");
        let sides = [&self.bytes_from_clients, &self.bytes_to_clients];
        let sides = sides.map(|counter| counter.load(Ordering::Relaxed));
        text.labelled("from", &["client", "cluster"], &sides);
        let failures = "Entries that the ledger did not take.";
        text.family("weir_gateway_ledger_failures_total", failures, "counter");
        text.value(&self.ledger_failures.load(Ordering::Relaxed));
        for (name, help, counter) in [
            (
                "weir_gateway_recordings_archived_total",
                "Recordings copied to object storage, and read back.",
                &self.archived,
            ),
            (
                "weir_gateway_recordings_deleted_total",
                "Recordings deleted because their time was over.",
                &self.deleted,
            ),
            (
                "weir_gateway_upkeep_failures_total",
                "Copies and deletions that failed and are tried again.",
                &self.upkeep_failures,
            ),
        ] {
            text.family(name, help, "counter");
            text.value(&counter.load(Ordering::Relaxed));
        }
        text.written
    }
}

impl RefusedBy {
    const fn word(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Request => "request",
            Self::Rules => "rules",
            Self::Cluster => "cluster",
            Self::Recording => "recording",
            Self::Limit => "limit",
            Self::Stopping => "stopping",
        }
    }
}

fn add(counters: &[AtomicU64], index: Option<usize>) {
    if let Some(counter) = index.and_then(|index| counters.get(index)) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

#[derive(Default)]
struct Text {
    written: String,
    family: &'static str,
}

impl Text {
    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // A string takes whatever is written to it.
        let _written = self.written.write_fmt(line);
        self.written.push('\n');
    }

    fn family(&mut self, name: &'static str, help: &str, kind: &str) {
        self.family = name;
        self.line(format_args!("# HELP {name} {help}"));
        self.line(format_args!("# TYPE {name} {kind}"));
    }

    fn value(&mut self, value: &dyn std::fmt::Display) {
        let name = self.family;
        self.line(format_args!("{name} {value}"));
    }

    fn labelled(&mut self, label: &str, names: &[&str], values: &[u64]) {
        let family = self.family;
        for (name, value) in names.iter().zip(values) {
            self.line(format_args!("{family}{{{label}=\"{name}\"}} {value}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_is_in_the_text() {
        let metrics = Metrics::default();
        metrics.request(Verb::Exec);
        metrics.refusal(RefusedBy::Rules);
        metrics.session_opened(Verb::Exec);
        metrics.session_opened(Verb::Logs);
        metrics.session_ended(&Ending::ClientLeft);
        metrics.bytes(3, 5);
        let text = metrics.text();
        let counted: Vec<&str> =
            text.lines().filter(|line| !line.starts_with('#') && !line.ends_with(" 0")).collect();
        assert_eq!(
            counted,
            [
                "weir_gateway_requests_total{verb=\"exec\"} 1",
                "weir_gateway_refusals_total{by=\"rules\"} 1",
                "weir_gateway_sessions_open 1",
                "weir_gateway_sessions_opened_total{verb=\"exec\"} 1",
                "weir_gateway_sessions_opened_total{verb=\"logs\"} 1",
                "weir_gateway_sessions_ended_total{ending=\"client-left\"} 1",
                "weir_gateway_session_bytes_total{from=\"client\"} 3",
                "weir_gateway_session_bytes_total{from=\"cluster\"} 5",
            ]
        );
    }
}
