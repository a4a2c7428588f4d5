//! Arbitrary flows: every value that the types allow, and those that Hubble's JSON can hold.

use flow_model::{
    Cause, Counters, Decider, End, Flow, FlowVerdict, Identity, Observer, Place, PodIdentity,
    PolicyMention, Report, RuleMention, ServiceHop, TableBit, Timestamp, Trace,
};
use net_types::Protocol;
use policy_model::{
    Action, Direction, Labels, PolicyId, PolicyKind, RuleRef, WorkloadKind, WorkloadRef,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use std::net::IpAddr;
use std::sync::Arc;

/// Every flow that the types allow.
pub(crate) fn any_flow() -> impl Strategy<Value = Flow> {
    flow(".{0,6}", any::<u8>().prop_map(Protocol::from_number).boxed(), 0)
}

/// Flows with the names and ports that Kubernetes and the protocols allow.
pub(crate) fn possible_flow() -> impl Strategy<Value = Flow> {
    let protocols = select(vec![
        Protocol::Tcp,
        Protocol::Udp,
        Protocol::Sctp,
        Protocol::Other(1),
        Protocol::Other(58),
        Protocol::Other(47),
    ]);
    flow("[a-z][a-z0-9.-]{0,5}", protocols.boxed(), 1).prop_map(|mut flow| {
        if flow.protocol.has_ports() {
            flow.icmp = None;
        } else {
            flow.source.port = None;
            flow.destination.port = None;
        }
        if !matches!(flow.protocol, Protocol::Other(1 | 58)) {
            flow.icmp = None;
        }
        flow
    })
}

fn flow(
    text: &'static str,
    protocol: BoxedStrategy<Protocol>,
    lowest_port: u16,
) -> impl Strategy<Value = Flow> {
    let packet = (
        any::<u64>().prop_map(Timestamp),
        report(),
        (text, direction()).prop_map(|(node, side)| Observer { node: node.into(), side }),
        (end(text, lowest_port), end(text, lowest_port)),
        (protocol, option::of(any::<(u8, u8)>())),
        option::of(service(text)),
    );
    let decided = (
        option::of(trace(text)),
        option::of(trace(text)),
        option::of(trace(text)),
        vec(rule(text).prop_map(Arc::new), 0..3),
        any::<bool>(),
    );
    let counted = (
        option::of(any::<u64>().prop_map(Timestamp)),
        option::of(counters()),
        any::<u32>(),
        option::of(any::<u64>()),
        any::<u64>(),
    );
    (packet, decided, counted).prop_map(|(packet, decided, counted)| {
        let (time, report, observer, (source, destination), (protocol, icmp), service) = packet;
        let (decision, observed, staged, matched, dropped) = decided;
        let (opened, counters, count, epoch, lost_before) = counted;
        Flow {
            time,
            report,
            observer,
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
        }
    })
}

fn report() -> impl Strategy<Value = Report> {
    prop_oneof![
        Just(Report::Opened),
        Just(Report::Active),
        Just(Report::Closed),
        Just(Report::Denied),
        Just(Report::Revoked),
        select(Cause::ALL.to_vec()).prop_map(Report::Refused),
    ]
}

fn direction() -> impl Strategy<Value = Direction> {
    select(Direction::BOTH.to_vec())
}

fn end(text: &'static str, lowest_port: u16) -> impl Strategy<Value = End> {
    let identity = prop_oneof![
        pod(text).prop_map(|pod| Identity::Pod(Arc::new(pod))),
        text.prop_map(|name| Identity::Node(name.into())),
        (text, text).prop_map(|(namespace, name)| Identity::Service {
            namespace: namespace.into(),
            name: name.into(),
        }),
        Just(Identity::Outside),
    ];
    (any::<IpAddr>(), option::of(lowest_port..), identity)
        .prop_map(|(address, port, identity)| End { address, port, identity })
}

fn pod(text: &'static str) -> impl Strategy<Value = PodIdentity> {
    let kinds = vec![
        WorkloadKind::Deployment,
        WorkloadKind::StatefulSet,
        WorkloadKind::DaemonSet,
        WorkloadKind::ReplicaSet,
        WorkloadKind::ReplicationController,
        WorkloadKind::Job,
        WorkloadKind::CronJob,
        WorkloadKind::Pod,
    ];
    let workload = (text, text, select(kinds)).prop_map(|(namespace, name, kind)| WorkloadRef {
        namespace,
        name,
        kind,
    });
    (text, workload, vec((text, text), 0..3), option::of(text)).prop_map(
        |(name, workload, labels, node)| PodIdentity {
            name,
            workload,
            labels: Labels::from_iter(labels),
            node,
        },
    )
}

fn service(text: &'static str) -> impl Strategy<Value = ServiceHop> {
    let name = option::of((text, text).prop_map(|(namespace, name)| format!("{namespace}/{name}")));
    (any::<IpAddr>(), any::<u16>(), name).prop_map(|(address, port, name)| ServiceHop {
        address,
        port,
        name: name.map(Into::into),
    })
}

fn policy(text: &'static str) -> impl Strategy<Value = PolicyId> {
    let kinds = vec![
        PolicyKind::NetworkPolicy,
        PolicyKind::ClusterNetworkPolicy,
        PolicyKind::AdminNetworkPolicy,
        PolicyKind::BaselineAdminNetworkPolicy,
    ];
    (select(kinds), option::of(text), text).prop_map(|(kind, namespace, name)| PolicyId {
        kind,
        namespace,
        name,
    })
}

fn place(text: &'static str) -> impl Strategy<Value = Place> {
    let parts = (text, any::<u32>(), any::<u32>());
    parts.prop_map(|(file, line, column)| Place { file, line, column })
}

fn policies(text: &'static str) -> impl Strategy<Value = Vec<PolicyMention>> {
    let mention = (policy(text), option::of(place(text)));
    vec(mention.prop_map(|(policy, place)| PolicyMention { policy, place }), 1..3)
}

fn rule(text: &'static str) -> impl Strategy<Value = RuleMention> {
    let actions = vec![Action::Accept, Action::Deny, Action::Pass];
    let rule = (policy(text), direction(), any::<usize>())
        .prop_map(|(policy, direction, rule)| RuleRef { policy, direction, rule });
    (rule, select(actions), option::of(text), option::of(place(text)))
        .prop_map(|(rule, action, name, place)| RuleMention { rule, action, name, place })
}

fn trace(text: &'static str) -> impl Strategy<Value = Trace> {
    let bit = (any::<u32>(), any::<u16>()).prop_map(|(profile, bit)| TableBit { profile, bit });
    let decider = prop_oneof![
        rule(text).prop_map(|rule| Decider::Rule(Arc::new(rule))),
        policies(text).prop_map(|policies| Decider::DefaultDeny(policies.into())),
        policies(text).prop_map(|policies| Decider::Policies(policies.into())),
        Just(Decider::NoPolicy),
        Just(Decider::OwnNode),
        Just(Decider::SelfTraffic),
        Just(Decider::NoPolicyYet),
        Just(Decider::DenyEverything),
        option::of(bit).prop_map(Decider::Unknown),
    ];
    (select(vec![FlowVerdict::Allow, FlowVerdict::Deny]), decider)
        .prop_map(|(verdict, decider)| Trace { verdict, decider })
}

fn counters() -> impl Strategy<Value = Counters> {
    (any::<[u64; 4]>(), any::<[u8; 2]>()).prop_map(|(numbers, flags)| Counters {
        packets_forward: numbers[0],
        packets_back: numbers[1],
        bytes_forward: numbers[2],
        bytes_back: numbers[3],
        tcp_flags_forward: flags[0],
        tcp_flags_back: flags[1],
    })
}
