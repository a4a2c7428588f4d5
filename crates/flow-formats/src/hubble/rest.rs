//! What Hubble has no field for: a `google.protobuf.Struct` under `extensions`.
//!
//! Programs that keep its numbers as floating point are exact up to 2⁵³.

use crate::Problem;
use crate::record::{
    CauseWord, CountersLine, EndKind, FlowLine, ProtocolWord, ReportWord, RuleLine, ServiceLine,
    Time, TraceLine, rule_lines, rules,
};
use flow_model::{End, Flow, Identity, Trace};
use safe_output::json::API_VERSION;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::borrow::Cow;

const STRUCT: &str = "type.googleapis.com/google.protobuf.Struct";

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Rest<'a> {
    api_version: Cow<'a, str>,
    kind: Cow<'a, str>,
    report: ReportWord,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cause: Option<CauseWord>,
    dropped: bool,
    pub(super) source: EndRest<'a>,
    pub(super) destination: EndRest<'a>,
    /// Used only where Hubble has no name for it.
    pub(super) protocol: ProtocolWord,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    service: Option<ServiceLine<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    decision: Option<TraceLine<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    observed: Option<TraceLine<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    staged: Option<TraceLine<'a>>,
    #[serde(borrow, default)]
    matched: Vec<RuleLine<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    opened: Option<Time>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    counters: Option<CountersLine>,
    count: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    epoch: Option<u64>,
}

/// What an end is, and the names that an endpoint of Hubble has no place for.
#[derive(Serialize, Deserialize)]
pub(super) struct EndRest<'a> {
    pub(super) kind: EndKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) namespace: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) node: Option<Cow<'a, str>>,
}

/// The value of `extensions`.
pub(super) fn extension(flow: &Flow) -> Result<Value, serde_json::Error> {
    Ok(json!({ "@type": STRUCT, "value": serde_json::to_value(Rest::of(flow))? }))
}

/// `None` where the extension is somebody else's.
pub(super) fn read(extension: &Value) -> Result<Option<Rest<'_>>, Problem> {
    let Some(value) = extension.get("value") else {
        return Ok(None);
    };
    let is = |key: &str, text: &str| value.get(key).and_then(Value::as_str) == Some(text);
    if !is("apiVersion", API_VERSION) || !is("kind", FlowLine::KIND) {
        return Ok(None);
    }
    Rest::deserialize(value).map(Some).map_err(Problem::Json)
}

impl<'a> Rest<'a> {
    fn of(flow: &'a Flow) -> Self {
        let (report, cause) = ReportWord::of(flow.report);
        Self {
            api_version: Cow::Borrowed(API_VERSION),
            kind: Cow::Borrowed(FlowLine::KIND),
            report,
            cause,
            dropped: flow.dropped,
            source: EndRest::of(&flow.source),
            destination: EndRest::of(&flow.destination),
            protocol: ProtocolWord(flow.protocol),
            service: flow.service.as_ref().map(ServiceLine::of),
            decision: flow.decision.as_ref().map(TraceLine::of),
            observed: flow.observed.as_ref().map(TraceLine::of),
            staged: flow.staged.as_ref().map(TraceLine::of),
            matched: rule_lines(&flow.matched),
            opened: flow.opened.map(Time),
            counters: flow.counters.map(CountersLine::of),
            count: flow.count,
            epoch: flow.epoch,
        }
    }

    /// Puts what it knows in the place of what was taken from Hubble's fields.
    pub(super) fn complete(self, flow: &mut Flow) -> Result<(), Problem> {
        let Self {
            api_version: _,
            kind: _,
            report,
            cause,
            dropped,
            source: _,
            destination: _,
            protocol: _,
            service,
            decision,
            observed,
            staged,
            matched,
            opened,
            counters,
            count,
            epoch,
        } = self;
        let trace = |line: Option<TraceLine<'a>>| -> Result<Option<Trace>, Problem> {
            line.map(TraceLine::read).transpose()
        };
        flow.report = report.read(cause)?;
        flow.dropped = dropped;
        flow.service = service.map(ServiceLine::read);
        flow.decision = trace(decision)?;
        flow.observed = trace(observed)?;
        flow.staged = trace(staged)?;
        flow.matched = rules(matched)?;
        flow.opened = opened.map(|time| time.0);
        flow.counters = counters.map(CountersLine::read);
        flow.count = count;
        flow.epoch = epoch;
        Ok(())
    }
}

impl<'a> EndRest<'a> {
    fn of(end: &'a End) -> Self {
        let blank =
            Self { kind: EndKind::of(&end.identity), namespace: None, name: None, node: None };
        match &end.identity {
            Identity::Pod(pod) => Self { node: pod.node.as_deref().map(Cow::Borrowed), ..blank },
            Identity::Node(name) => Self { name: Some(Cow::Borrowed(name)), ..blank },
            Identity::Service { namespace, name } => Self {
                namespace: Some(Cow::Borrowed(namespace)),
                name: Some(Cow::Borrowed(name)),
                ..blank
            },
            Identity::Outside => blank,
        }
    }
}
