//! A flow as Hubble says it.

use super::message::{
    Emitter, Endpoint, EventType, Flags, Icmp, Integer, Ip, Layer4, LostEvents, Message, Policy,
    Response, Segment, Service, Workload,
};
use super::reasons::{self, Reason};
use super::rest;
use crate::record::{FlowLine, Time};
use crate::text::decider_text;
use flow_model::{Decider, End, Flow, FlowVerdict, Identity, PodIdentity, Report, Trace};
use net_types::Protocol;
use policy_model::{Direction, PolicyId};
use safe_output::json::write_line;
use sha2::{Digest as _, Sha256};
use std::borrow::Cow;
use std::io::{self, Write};
use std::net::IpAddr;
use uuid::Builder;

/// Of `monitor/api` in Cilium: what kind of event a flow was made of.
const DROP: i32 = 1;
const TRACE: i32 = 4;
const POLICY_VERDICT: i32 = 5;
const FROM_ENDPOINT: i32 = 5;
/// `PolicyMatchL3L4`: what a rule with peers and ports looks at.
const PEERS_AND_PORTS: u32 = 2;

/// Cilium's reserved identities.
const HOST: u32 = 1;
const WORLD: u32 = 2;
const REMOTE_NODE: u32 = 6;
/// Where the identities of workloads begin and end.
const FIRST_IDENTITY: u64 = 256;
const IDENTITIES: u64 = (1 << 24) - FIRST_IDENTITY;

pub(super) fn write(out: &mut dyn Write, flow: &Flow) -> io::Result<()> {
    let head = || Response {
        node_name: Some(Cow::Borrowed(&flow.observer.node)),
        time: Some(Time(flow.time)),
        ..Response::default()
    };
    if flow.lost_before > 0 {
        let source = Some("PERF_EVENT_RING_BUFFER".to_owned());
        let lost = LostEvents { source, num_events_lost: Integer(flow.lost_before) };
        write_line(out, &Response { lost_events: Some(lost), ..head() })?;
    }
    write_line(out, &Response { flow: Some(Box::new(message(flow)?)), ..head() })
}

fn message(flow: &Flow) -> io::Result<Message<'_>> {
    let mut message = Message {
        time: Some(Time(flow.time)),
        uuid: Some(uuid(flow)?),
        emitter: Some(Emitter {
            name: "weir".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }),
        ip: Some(ip(flow)),
        l4: layer4(flow),
        source: Some(endpoint(flow, &flow.source)),
        destination: Some(endpoint(flow, &flow.destination)),
        kind: Some(Cow::Borrowed("L3_L4")),
        node_name: Some(Cow::Borrowed(&flow.observer.node)),
        source_service: service(&flow.source),
        destination_service: flow
            .service
            .as_ref()
            .and_then(|hop| hop.name.as_deref()?.split_once('/'))
            .map(|(namespace, name)| Service { name: name.into(), namespace: namespace.into() })
            .or_else(|| service(&flow.destination)),
        traffic_direction: Some(Cow::Borrowed(match flow.observer.side {
            Direction::Ingress => "INGRESS",
            Direction::Egress => "EGRESS",
        })),
        is_reply: Some(false),
        summary: Some(summary(flow)),
        extensions: Some(rest::extension(flow)?),
        policy_log: policy_log(flow),
        ..Message::default()
    };
    add_verdict(&mut message, flow);
    Ok(message)
}

/// The verdict, the event that it comes from, and the policies behind it.
fn add_verdict<'a>(message: &mut Message<'a>, flow: &'a Flow) {
    let denies = |trace: &Option<Trace>| {
        trace.as_ref().is_some_and(|trace| trace.verdict == FlowVerdict::Deny)
    };
    let is_audit = denies(&flow.decision) || denies(&flow.observed);
    let verdict = match (flow.dropped, is_audit) {
        (true, _) => "DROPPED",
        (false, true) => "AUDIT",
        (false, false) => "FORWARDED",
    };
    message.verdict = Some(Cow::Borrowed(verdict));
    if flow.dropped {
        let Reason(name, number) = drop_reason(flow);
        message.drop_reason_desc = Some(Cow::Borrowed(name));
        message.drop_reason = Some(u32::from(number));
        message.event_type = Some(EventType { kind: DROP, sub_type: i32::from(number) });
    } else {
        add_event(message, flow, is_audit);
    }
    add_policies(message, flow, flow.decision.as_ref());
    if denies(&flow.observed) && !denies(&flow.decision) {
        add_policies(message, flow, flow.observed.as_ref());
    }
}

fn add_event(message: &mut Message<'_>, flow: &Flow, is_audit: bool) {
    let decider = flow.decision.as_ref().map(|trace| &trace.decider);
    let by_policy = matches!(decider, Some(Decider::Rule(_) | Decider::Policies(_)));
    if is_audit || flow.report == Report::Opened && by_policy {
        message.event_type = Some(EventType { kind: POLICY_VERDICT, sub_type: 0 });
        message.policy_match_type = (by_policy && !is_audit).then_some(PEERS_AND_PORTS);
        return;
    }
    let (sub_type, point) = match flow.observer.side {
        Direction::Ingress => (0, "TO_ENDPOINT"),
        Direction::Egress => (FROM_ENDPOINT, "FROM_ENDPOINT"),
    };
    message.event_type = Some(EventType { kind: TRACE, sub_type });
    message.trace_observation_point = Some(Cow::Borrowed(point));
    let is_new = flow.report == Report::Opened;
    message.trace_reason = Some(Cow::Borrowed(if is_new { "NEW" } else { "ESTABLISHED" }));
}

fn drop_reason(flow: &Flow) -> Reason {
    if let Report::Refused(cause) = flow.report {
        return reasons::of(cause);
    }
    match flow.decision.as_ref().map(|trace| &trace.decider) {
        Some(Decider::Rule(_) | Decider::Policies(_)) => reasons::DENIED_BY_RULE,
        Some(
            Decider::DefaultDeny(_)
            | Decider::NoPolicy
            | Decider::OwnNode
            | Decider::SelfTraffic
            | Decider::NoPolicyYet
            | Decider::DenyEverything
            | Decider::Unknown(_),
        )
        | None => reasons::DEFAULT_DENY,
    }
}

fn add_policies<'a>(message: &mut Message<'a>, flow: &'a Flow, trace: Option<&'a Trace>) {
    let Some(Trace { verdict, decider }) = trace else {
        return;
    };
    let list = match (flow.observer.side, verdict) {
        (Direction::Egress, FlowVerdict::Allow) => &mut message.egress_allowed_by,
        (Direction::Egress, FlowVerdict::Deny) => &mut message.egress_denied_by,
        (Direction::Ingress, FlowVerdict::Allow) => &mut message.ingress_allowed_by,
        (Direction::Ingress, FlowVerdict::Deny) => &mut message.ingress_denied_by,
    };
    let named = |policy: &'a PolicyId| Policy {
        name: Cow::Borrowed(&policy.name),
        namespace: Cow::Borrowed(policy.namespace.as_deref().unwrap_or_default()),
        revision: flow.epoch.map(Integer),
        kind: Cow::Borrowed(policy.kind.as_str()),
    };
    match decider {
        Decider::Rule(mention) => list.push(named(&mention.rule.policy)),
        Decider::DefaultDeny(policies) | Decider::Policies(policies) => {
            list.extend(policies.iter().map(|mention| named(&mention.policy)));
        }
        Decider::NoPolicy
        | Decider::OwnNode
        | Decider::SelfTraffic
        | Decider::NoPolicyYet
        | Decider::DenyEverything
        | Decider::Unknown(_) => {}
    }
}

/// What decided, in the words of the text format.
fn policy_log(flow: &Flow) -> Vec<String> {
    let traces = [("", &flow.decision), ("observed: ", &flow.observed), ("staged: ", &flow.staged)];
    traces
        .into_iter()
        .filter_map(|(mode, trace)| Some(format!("{mode}{}", decider_text(trace.as_ref()?))))
        .collect()
}

/// The same flow has the same number, wherever and whenever it is written.
fn uuid(flow: &Flow) -> io::Result<String> {
    let digest = Sha256::digest(serde_json::to_vec(&FlowLine::of(flow))?);
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(digest).for_each(|(byte, of_digest)| *byte = of_digest);
    Ok(Builder::from_custom_bytes(bytes).into_uuid().to_string())
}

fn ip(flow: &Flow) -> Ip<'static> {
    let version = match flow.source.address {
        IpAddr::V4(_) => "IPv4",
        IpAddr::V6(_) => "IPv6",
    };
    Ip {
        source: flow.source.address.to_string().into(),
        destination: flow.destination.address.to_string().into(),
        version: Some(Cow::Borrowed(version)),
    }
}

fn layer4(flow: &Flow) -> Option<Layer4> {
    let ports = |flags| Segment {
        source_port: flow.source.port,
        destination_port: flow.destination.port,
        flags,
    };
    let flags = flow.counters.map(|counters| Flags(counters.tcp_flags_forward));
    let icmp = flow.icmp.map(|(kind, code)| Icmp { kind, code });
    let blank = Layer4::default();
    Some(match flow.protocol {
        Protocol::Tcp => Layer4 { tcp: Some(ports(flags)), ..blank },
        Protocol::Udp => Layer4 { udp: Some(ports(None)), ..blank },
        Protocol::Sctp => Layer4 { sctp: Some(ports(None)), ..blank },
        Protocol::Other(1) => Layer4 { icmp_v4: Some(icmp?), ..blank },
        Protocol::Other(58) => Layer4 { icmp_v6: Some(icmp?), ..blank },
        Protocol::Other(_) => return None,
    })
}

fn endpoint<'a>(flow: &Flow, end: &'a End) -> Endpoint<'a> {
    let reserved = |identity, label: Option<&str>| Endpoint {
        identity,
        namespace: Cow::Borrowed(""),
        labels: label.map(str::to_owned).into_iter().collect(),
        pod_name: Cow::Borrowed(""),
        workloads: Vec::new(),
    };
    match &end.identity {
        Identity::Pod(pod) => pod_endpoint(pod),
        Identity::Node(name) if *name == flow.observer.node => {
            reserved(HOST, Some("reserved:host"))
        }
        Identity::Node(_) => reserved(REMOTE_NODE, Some("reserved:remote-node")),
        Identity::Service { .. } => reserved(0, None),
        Identity::Outside => reserved(WORLD, Some("reserved:world")),
    }
}

fn pod_endpoint(pod: &PodIdentity) -> Endpoint<'_> {
    let labels = pod.labels.0.iter().map(|(key, value)| format!("k8s:{key}={value}"));
    let namespace = format!("k8s:{}={}", super::read::NAMESPACE_LABEL, pod.namespace());
    Endpoint {
        identity: identity(pod),
        namespace: Cow::Borrowed(pod.namespace()),
        labels: labels.chain([namespace]).collect(),
        pod_name: Cow::Borrowed(&pod.name),
        workloads: vec![Workload {
            name: Cow::Borrowed(&pod.workload.name),
            kind: Cow::Borrowed(pod.workload.kind.as_str()),
        }],
    }
}

/// A number of the workload, in the range of Cilium's own. Programs group by it. Of 600 workloads two
/// share one in one cluster of a hundred.
fn identity(pod: &PodIdentity) -> u32 {
    let workload = &pod.workload;
    let mut hasher = Sha256::new();
    for part in [workload.namespace.as_str(), workload.kind.as_str(), workload.name.as_str()] {
        hasher.update(part);
        hasher.update([0]);
    }
    let number = hasher.finalize().iter().take(7).fold(0, |sum, byte| sum << 8 | u64::from(*byte));
    u32::try_from(FIRST_IDENTITY + number % IDENTITIES).unwrap_or_default()
}

fn service(end: &End) -> Option<Service<'_>> {
    match &end.identity {
        Identity::Service { namespace, name } => {
            Some(Service { name: Cow::Borrowed(name), namespace: Cow::Borrowed(namespace) })
        }
        Identity::Pod(_) | Identity::Node(_) | Identity::Outside => None,
    }
}

fn summary(flow: &Flow) -> String {
    let icmp = |name: &str, echo: (u8, u8)| match flow.icmp {
        Some((kind, _)) if kind == echo.0 => format!("{name} EchoRequest"),
        Some((kind, _)) if kind == echo.1 => format!("{name} EchoReply"),
        Some((kind, code)) => format!("{name} {kind}({code})"),
        None => name.to_owned(),
    };
    match (flow.protocol, flow.counters) {
        (Protocol::Tcp, Some(counters)) => {
            let flags: Vec<&str> = Flags(counters.tcp_flags_forward).names().collect();
            format!("TCP Flags: {}", flags.join(", "))
        }
        (Protocol::Other(1), _) => icmp("ICMPv4", (8, 0)),
        (Protocol::Other(58), _) => icmp("ICMPv6", (128, 129)),
        (protocol, _) => protocol.to_string(),
    }
}
