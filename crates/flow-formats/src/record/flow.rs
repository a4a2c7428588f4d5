//! A whole flow as our JSON has it.

use super::words::{CauseWord, DirectionWord, IcmpLine, ProtocolWord, ReportWord, TcpFlags, Time};
use super::{EndLine, RuleLine, TraceLine, rule_lines, rules};
use crate::Problem;
use flow_model::{Counters, Flow, Observer, ServiceHop, Trace};
use policy_model::Direction;
use safe_output::json::API_VERSION;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::net::IpAddr;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FlowLine<'a> {
    #[serde(borrow)]
    pub(crate) api_version: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) kind: Cow<'a, str>,
    time: Time,
    report: ReportWord,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<CauseWord>,
    dropped: bool,
    #[serde(borrow)]
    observer: ObserverLine<'a>,
    #[serde(borrow)]
    source: EndLine<'a>,
    #[serde(borrow)]
    destination: EndLine<'a>,
    protocol: ProtocolWord,
    #[serde(skip_serializing_if = "Option::is_none")]
    icmp: Option<IcmpLine>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    service: Option<ServiceLine<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    decision: Option<TraceLine<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    observed: Option<TraceLine<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    staged: Option<TraceLine<'a>>,
    #[serde(borrow)]
    matched: Vec<RuleLine<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    opened: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    counters: Option<CountersLine>,
    count: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    epoch: Option<u64>,
    lost_before: u64,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct ObserverLine<'a> {
    #[serde(borrow)]
    node: Cow<'a, str>,
    #[serde(with = "DirectionWord")]
    side: Direction,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct ServiceLine<'a> {
    address: IpAddr,
    port: u16,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    name: Option<Cow<'a, str>>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CountersLine {
    packets_forward: u64,
    packets_back: u64,
    bytes_forward: u64,
    bytes_back: u64,
    tcp_flags_forward: TcpFlags,
    tcp_flags_back: TcpFlags,
}

impl<'a> FlowLine<'a> {
    pub(crate) const KIND: &'static str = "Flow";

    pub(crate) fn of(flow: &'a Flow) -> Self {
        let Flow {
            time,
            report,
            observer: Observer { node, side },
            source,
            destination,
            protocol,
            icmp,
            service,
            decision,
            observed,
            staged,
            matched,
            dropped,
            opened,
            counters,
            count,
            epoch,
            lost_before,
        } = flow;
        let (report, cause) = ReportWord::of(*report);
        Self {
            api_version: Cow::Borrowed(API_VERSION),
            kind: Cow::Borrowed(Self::KIND),
            time: Time(*time),
            report,
            cause,
            dropped: *dropped,
            observer: ObserverLine { node: Cow::Borrowed(node), side: *side },
            source: EndLine::of(source),
            destination: EndLine::of(destination),
            protocol: ProtocolWord(*protocol),
            icmp: icmp.map(IcmpLine::of),
            service: service.as_ref().map(ServiceLine::of),
            decision: decision.as_ref().map(TraceLine::of),
            observed: observed.as_ref().map(TraceLine::of),
            staged: staged.as_ref().map(TraceLine::of),
            matched: rule_lines(matched),
            opened: opened.map(Time),
            counters: counters.map(CountersLine::of),
            count: *count,
            epoch: *epoch,
            lost_before: *lost_before,
        }
    }

    pub(crate) fn read(self) -> Result<Flow, Problem> {
        let trace = |line: Option<TraceLine<'a>>| -> Result<Option<Trace>, Problem> {
            line.map(TraceLine::read).transpose()
        };
        Ok(Flow {
            time: self.time.0,
            report: self.report.read(self.cause)?,
            observer: Observer { node: self.observer.node.into(), side: self.observer.side },
            source: self.source.read()?,
            destination: self.destination.read()?,
            protocol: self.protocol.0,
            icmp: self.icmp.map(IcmpLine::read),
            service: self.service.map(ServiceLine::read),
            decision: trace(self.decision)?,
            observed: trace(self.observed)?,
            staged: trace(self.staged)?,
            matched: rules(self.matched)?,
            dropped: self.dropped,
            opened: self.opened.map(|time| time.0),
            counters: self.counters.map(CountersLine::read),
            count: self.count,
            epoch: self.epoch,
            lost_before: self.lost_before,
        })
    }
}

impl<'a> ServiceLine<'a> {
    pub(crate) fn of(hop: &'a ServiceHop) -> Self {
        let ServiceHop { address, port, name } = hop;
        Self { address: *address, port: *port, name: name.as_deref().map(Cow::Borrowed) }
    }

    pub(crate) fn read(self) -> ServiceHop {
        let Self { address, port, name } = self;
        ServiceHop { address, port, name: name.map(Into::into) }
    }
}

impl CountersLine {
    pub(crate) fn of(counters: Counters) -> Self {
        let Counters {
            packets_forward,
            packets_back,
            bytes_forward,
            bytes_back,
            tcp_flags_forward,
            tcp_flags_back,
        } = counters;
        Self {
            packets_forward,
            packets_back,
            bytes_forward,
            bytes_back,
            tcp_flags_forward: TcpFlags(tcp_flags_forward),
            tcp_flags_back: TcpFlags(tcp_flags_back),
        }
    }

    pub(crate) fn read(self) -> Counters {
        let Self {
            packets_forward,
            packets_back,
            bytes_forward,
            bytes_back,
            tcp_flags_forward,
            tcp_flags_back,
        } = self;
        Counters {
            packets_forward,
            packets_back,
            bytes_forward,
            bytes_back,
            tcp_flags_forward: tcp_flags_forward.0,
            tcp_flags_back: tcp_flags_back.0,
        }
    }
}
