//! What Hubble said, as a flow: of our own lines everything, of others' what a flow can hold.

use super::Line;
use super::message::{Endpoint, Integer, Layer4, Message, Policy, Response, Service};
use super::reasons;
use super::rest::{self, EndRest};
use crate::Problem;
use crate::record::{EndKind, PolicyKindWord, WorkloadKindWord};
use flow_model::{
    Decider, End, Flow, FlowVerdict, Identity, Observer, PodIdentity, PolicyMention, Report, Trace,
};
use net_types::Protocol;
use policy_model::{Direction, Labels, PolicyId, WorkloadKind, WorkloadRef};
use serde::de::IntoDeserializer as _;
use serde::de::value::{Error as WordError, StrDeserializer};
use std::net::IpAddr;
use std::sync::Arc;

/// Cilium's label with the pod's namespace, which is not the pod's own.
pub(super) const NAMESPACE_LABEL: &str = "io.kubernetes.pod.namespace";
/// The rest of what Cilium adds to labels.
const CILIUM_PREFIX: &str = "io.cilium.k8s.";

pub(super) fn read_line(line: &[u8]) -> Result<Line, Problem> {
    if !line.starts_with(b"{") {
        return Err(Problem::NoObject);
    }
    let response: Response<'_> = serde_json::from_slice(line).map_err(Problem::Json)?;
    let Response { flow, lost_events, node_status, node_name, time } = response;
    if let Some(lost) = lost_events {
        let Integer(count) = lost.num_events_lost;
        return Ok(Line::Lost { node: node_name.unwrap_or_default().into_owned(), count });
    }
    let Some(mut message) = flow else {
        return match node_status {
            Some(_) => Ok(Line::Other("the status of a node")),
            None => Err(Problem::Missing("flow")),
        };
    };
    message.time = message.time.or(time);
    message.node_name = message.node_name.or(node_name);
    read_flow(&message)
}

fn read_flow(message: &Message<'_>) -> Result<Line, Problem> {
    let layer = message.kind.as_deref().unwrap_or("L3_L4");
    if message.l7.is_some() || !matches!(layer, "L3_L4" | "UNKNOWN_TYPE") {
        return Ok(Line::Other("a flow of another layer than 3 and 4"));
    }
    let Some(side) = side(message) else {
        return Ok(Line::Other("a flow without a direction"));
    };
    let rest = message.extensions.as_ref().map(rest::read).transpose()?.flatten();
    let mut protocol = message.l4.as_ref().and_then(protocol);
    protocol = protocol.or_else(|| rest.as_ref().map(|rest| (rest.protocol.0, None)));
    let Some((protocol, icmp)) = protocol else {
        return Ok(Line::Other("a flow of a protocol that Hubble does not name"));
    };
    let Some(Judgement { report, decision, dropped }) = judgement(message, side) else {
        return Ok(Line::Other("a flow without a verdict of a known cause"));
    };
    let (source, destination) = ends(message, rest.as_ref().map(|r| (&r.source, &r.destination)))?;
    let mut flow = Flow {
        time: message.time.ok_or(Problem::Missing("time"))?.0,
        report,
        observer: Observer { node: message.node_name.as_deref().unwrap_or_default().into(), side },
        source,
        destination,
        protocol,
        icmp,
        service: None,
        decision,
        observed: None,
        staged: None,
        matched: Vec::new(),
        dropped,
        opened: None,
        counters: None,
        count: 1,
        epoch: None,
        lost_before: 0,
    };
    if let Some(rest) = rest {
        rest.complete(&mut flow)?;
    }
    Ok(Line::Flow(Box::new(flow)))
}

fn side(message: &Message<'_>) -> Option<Direction> {
    match message.traffic_direction.as_deref() {
        Some("INGRESS") => Some(Direction::Ingress),
        Some("EGRESS") => Some(Direction::Egress),
        _ => None,
    }
}

fn protocol(layer: &Layer4) -> Option<(Protocol, Option<(u8, u8)>)> {
    let Layer4 { tcp, udp, sctp, icmp_v4, icmp_v6 } = layer;
    if let Some(icmp) = icmp_v4 {
        return Some((Protocol::Other(1), Some((icmp.kind, icmp.code))));
    }
    if let Some(icmp) = icmp_v6 {
        return Some((Protocol::Other(58), Some((icmp.kind, icmp.code))));
    }
    let with_ports = [(tcp, Protocol::Tcp), (udp, Protocol::Udp), (sctp, Protocol::Sctp)];
    with_ports.into_iter().find(|(segment, _)| segment.is_some()).map(|(_, name)| (name, None))
}

struct Judgement {
    report: Report,
    decision: Option<Trace>,
    dropped: bool,
}

fn judgement(message: &Message<'_>, side: Direction) -> Option<Judgement> {
    let (allowed_by, denied_by) = match side {
        Direction::Ingress => (&message.ingress_allowed_by, &message.ingress_denied_by),
        Direction::Egress => (&message.egress_allowed_by, &message.egress_denied_by),
    };
    let reason = message.drop_reason_desc.as_deref().unwrap_or_default();
    let denied = || {
        let policies = policies(denied_by);
        let decider = match policies.is_empty() {
            true => Decider::Unknown(None),
            false if reason == reasons::DENIED_BY_RULE.0 => Decider::Policies(policies),
            false => Decider::DefaultDeny(policies),
        };
        Some(Trace { verdict: FlowVerdict::Deny, decider })
    };
    match message.verdict.as_deref()? {
        "DROPPED" if [reasons::DEFAULT_DENY.0, reasons::DENIED_BY_RULE.0].contains(&reason) => {
            Some(Judgement { report: Report::Denied, decision: denied(), dropped: true })
        }
        "DROPPED" => {
            let report = Report::Refused(reasons::cause(reason)?);
            Some(Judgement { report, decision: None, dropped: true })
        }
        "AUDIT" => Some(Judgement { report: Report::Denied, decision: denied(), dropped: false }),
        "FORWARDED" | "REDIRECTED" => {
            let policies = policies(allowed_by);
            let decider = match policies.is_empty() {
                true => Decider::Unknown(None),
                false => Decider::Policies(policies),
            };
            let decision = Some(Trace { verdict: FlowVerdict::Allow, decider });
            Some(Judgement { report: allowed_report(message), decision, dropped: false })
        }
        _ => None,
    }
}

/// Hubble sees packets: the first one of a connection has a verdict, or says that it is new.
fn allowed_report(message: &Message<'_>) -> Report {
    const POLICY_VERDICT: i32 = 5;
    let is_verdict = message.event_type.is_some_and(|event| event.kind == POLICY_VERDICT);
    let is_new = message.trace_reason.as_deref() == Some("NEW");
    if is_verdict || is_new { Report::Opened } else { Report::Active }
}

/// Those of kinds that a flow can name.
fn policies(list: &[Policy<'_>]) -> Arc<[PolicyMention]> {
    let named = list.iter().filter_map(|Policy { name, namespace, revision: _, kind }| {
        let kind: StrDeserializer<'_, WordError> = kind.as_ref().into_deserializer();
        let policy = PolicyId {
            kind: PolicyKindWord::deserialize(kind).ok()?,
            namespace: (!namespace.is_empty()).then(|| namespace.clone().into_owned()),
            name: name.clone().into_owned(),
        };
        Some(PolicyMention { policy, place: None })
    });
    named.collect()
}

/// The source opened the connection, also where Hubble saw a reply.
fn ends(
    message: &Message<'_>,
    rest: Option<(&EndRest<'_>, &EndRest<'_>)>,
) -> Result<(End, End), Problem> {
    let ip = message.ip.as_ref().ok_or(Problem::Missing("IP"))?;
    let ports = message.l4.as_ref().and_then(|layer| {
        let Layer4 { tcp, udp, sctp, icmp_v4: _, icmp_v6: _ } = layer;
        tcp.as_ref().or(udp.as_ref()).or(sctp.as_ref())
    });
    let port = |port: Option<u16>| port.filter(|port| *port != 0);
    let source = End {
        address: address(&ip.source)?,
        port: ports.and_then(|segment| port(segment.source_port)),
        identity: Identity::Outside,
    };
    let destination = End {
        address: address(&ip.destination)?,
        port: ports.and_then(|segment| port(segment.destination_port)),
        identity: Identity::Outside,
    };
    let source = named(
        source,
        message,
        (message.source.as_ref(), &message.source_service),
        rest.map(|r| r.0),
    )?;
    let destination = named(
        destination,
        message,
        (message.destination.as_ref(), &message.destination_service),
        rest.map(|rest| rest.1),
    )?;
    match message.is_reply {
        Some(true) => Ok((destination, source)),
        Some(false) | None => Ok((source, destination)),
    }
}

fn address(text: &str) -> Result<IpAddr, Problem> {
    text.parse().map_err(|source| Problem::Address { text: text.to_owned(), source })
}

fn named(
    mut end: End,
    message: &Message<'_>,
    (endpoint, service): (Option<&Endpoint<'_>>, &Option<Service<'_>>),
    rest: Option<&EndRest<'_>>,
) -> Result<End, Problem> {
    end.identity = match rest {
        Some(rest) => own_identity(endpoint, rest)?,
        None => foreign_identity(&end, message, endpoint, service.as_ref()),
    };
    Ok(end)
}

fn own_identity(endpoint: Option<&Endpoint<'_>>, rest: &EndRest<'_>) -> Result<Identity, Problem> {
    let name = || rest.name.as_deref().ok_or(Problem::Missing("name"));
    let namespace = || rest.namespace.as_deref().ok_or(Problem::Missing("namespace"));
    Ok(match rest.kind {
        EndKind::Outside => Identity::Outside,
        EndKind::Node => Identity::Node(name()?.into()),
        EndKind::Service => {
            Identity::Service { namespace: namespace()?.into(), name: name()?.into() }
        }
        EndKind::Pod => {
            let mut pod = endpoint.and_then(pod).ok_or(Problem::Missing("pod_name"))?;
            pod.node = rest.node.as_deref().map(str::to_owned);
            Identity::Pod(Arc::new(pod))
        }
    })
}

/// A node of Hubble's has no name; the observer's own is known, others go by their address.
fn foreign_identity(
    end: &End,
    message: &Message<'_>,
    endpoint: Option<&Endpoint<'_>>,
    service: Option<&Service<'_>>,
) -> Identity {
    if let Some(pod) = endpoint.and_then(pod) {
        return Identity::Pod(Arc::new(pod));
    }
    let has = |label: &str| endpoint.is_some_and(|e| e.labels.iter().any(|known| known == label));
    match (service, message.node_name.as_deref()) {
        (Some(Service { name, namespace }), _) if !name.is_empty() => {
            Identity::Service { namespace: namespace.as_ref().into(), name: name.as_ref().into() }
        }
        (_, Some(node)) if has("reserved:host") => Identity::Node(node.into()),
        _ if has("reserved:host") || has("reserved:remote-node") => {
            Identity::Node(end.address.to_string().into())
        }
        _ => Identity::Outside,
    }
}

fn pod(endpoint: &Endpoint<'_>) -> Option<PodIdentity> {
    let Endpoint { identity: _, namespace, labels, pod_name, workloads } = endpoint;
    if namespace.is_empty() || pod_name.is_empty() {
        return None;
    }
    let owner = workloads.first().and_then(|workload| {
        let kind: StrDeserializer<'_, WordError> = workload.kind.as_ref().into_deserializer();
        Some((workload.name.as_ref(), WorkloadKindWord::deserialize(kind).ok()?))
    });
    let (name, kind) = owner.unwrap_or((pod_name.as_ref(), WorkloadKind::Pod));
    let labels = labels.iter().filter_map(|label| label.strip_prefix("k8s:")?.split_once('='));
    let own = labels.filter(|(key, _)| *key != NAMESPACE_LABEL && !key.starts_with(CILIUM_PREFIX));
    Some(PodIdentity {
        name: pod_name.clone().into_owned(),
        workload: WorkloadRef {
            namespace: namespace.clone().into_owned(),
            name: name.to_owned(),
            kind,
        },
        labels: Labels::from_iter(own),
        node: None,
    })
}
