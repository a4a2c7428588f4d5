//! Flows that tests of every format show: one of each report, and of each way in which a verdict comes about.

use flow_model::{
    Cause, Counters, Decider, End, Flow, FlowVerdict, Identity, Observer, Place, PodIdentity,
    PolicyMention, Report, RuleMention, ServiceHop, TableBit, Timestamp, Trace,
};
use net_types::Protocol;
use policy_model::{
    Action, Direction, Labels, PolicyId, PolicyKind, RuleRef, WorkloadKind, WorkloadRef,
};
use std::net::IpAddr;
use std::sync::Arc;

/// 2026-11-21T15:10:31.123456789Z.
pub(crate) const TIME: Timestamp = Timestamp(1_795_273_831_123_456_789);

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub(crate) fn policy(kind: PolicyKind, path: &str) -> PolicyId {
    match path.split_once('/') {
        Some((namespace, name)) => {
            PolicyId { kind, namespace: Some(namespace.to_owned()), name: name.to_owned() }
        }
        None => PolicyId { kind, namespace: None, name: path.to_owned() },
    }
}

fn rule(path: &str, direction: Direction, rule: usize, line: u32) -> Arc<RuleMention> {
    let policy = policy(PolicyKind::NetworkPolicy, path);
    let place = Place { file: format!("{}.yaml", policy.name), line, column: 7 };
    let rule = RuleRef { policy, direction, rule };
    Arc::new(RuleMention { rule, action: Action::Accept, name: None, place: Some(place) })
}

fn admin_rule() -> Arc<RuleMention> {
    let policy = policy(PolicyKind::ClusterNetworkPolicy, "quarantine");
    let rule = RuleRef { policy, direction: Direction::Ingress, rule: 2 };
    let name = Some("no-scanners".to_owned());
    Arc::new(RuleMention { rule, action: Action::Deny, name, place: None })
}

fn pod(namespace: &str, name: &str, (address, port): (&str, u16)) -> End {
    let owner = name.split('-').next().unwrap();
    let identity = PodIdentity {
        name: name.to_owned(),
        workload: WorkloadRef {
            namespace: namespace.to_owned(),
            name: owner.to_owned(),
            kind: WorkloadKind::Deployment,
        },
        labels: Labels::from_iter([("app", owner), ("tier", "front")]),
        node: Some("node-1".to_owned()),
    };
    End {
        address: ip(address),
        port: (port != 0).then_some(port),
        identity: Identity::Pod(Arc::new(identity)),
    }
}

pub(crate) fn allow(decider: Decider) -> Option<Trace> {
    Some(Trace { verdict: FlowVerdict::Allow, decider })
}

pub(crate) fn deny(decider: Decider) -> Option<Trace> {
    Some(Trace { verdict: FlowVerdict::Deny, decider })
}

/// The first version knew no places of theirs.
fn isolating() -> Decider {
    isolating_at(None)
}

fn isolating_at(place: Option<Place>) -> Decider {
    let policies = [("pay/default-deny", place), ("pay/db", None)];
    let mentions = policies.map(|(path, place)| PolicyMention {
        policy: policy(PolicyKind::NetworkPolicy, path),
        place,
    });
    Decider::DefaultDeny(mentions.into())
}

/// An allowed connection through a Service.
pub(crate) fn opened() -> Flow {
    let rule = rule("shop/web-out", Direction::Egress, 1, 12);
    Flow {
        time: TIME,
        report: Report::Opened,
        observer: Observer { node: "node-1".into(), side: Direction::Egress },
        source: pod("shop", "web-5d9c", ("10.0.1.5", 41_000)),
        destination: pod("pay", "db-0", ("10.0.2.9", 5432)),
        protocol: Protocol::Tcp,
        icmp: None,
        service: Some(ServiceHop {
            address: ip("10.96.0.7"),
            port: 80,
            name: Some("pay/db".into()),
        }),
        decision: allow(Decider::Rule(Arc::clone(&rule))),
        observed: None,
        staged: deny(isolating()),
        matched: vec![rule],
        dropped: false,
        opened: Some(TIME),
        counters: Some(Counters {
            packets_forward: 1,
            bytes_forward: 60,
            tcp_flags_forward: 0b10,
            ..Counters::default()
        }),
        count: 1,
        epoch: Some(3),
        lost_before: 0,
    }
}

fn closed() -> Flow {
    Flow {
        report: Report::Closed,
        staged: None,
        opened: Some(Timestamp(TIME.0 - 1_250_000_000)),
        counters: Some(Counters {
            packets_forward: 12,
            packets_back: 9,
            bytes_forward: 3_481,
            bytes_back: 1_258_291,
            tcp_flags_forward: 0b1_1011,
            tcp_flags_back: 0b1_1011,
        }),
        lost_before: 7,
        ..opened()
    }
}

/// As [`denied_by_default`], by a policy that is in a file.
pub(crate) fn denied_by_a_file() -> Flow {
    let place = Place { file: "pay.yaml".to_owned(), line: 3, column: 1 };
    Flow { decision: deny(isolating_at(Some(place))), ..denied_by_default() }
}

pub(crate) fn denied_by_default() -> Flow {
    Flow {
        report: Report::Denied,
        observer: Observer { node: "node-2".into(), side: Direction::Ingress },
        service: None,
        decision: deny(isolating()),
        staged: None,
        matched: vec![],
        dropped: true,
        opened: None,
        count: 12,
        ..opened()
    }
}

fn denied_by_a_rule() -> Flow {
    Flow {
        source: End { address: ip("2001:db8::9"), port: Some(50_123), identity: Identity::Outside },
        destination: pod("pay", "db-0", ("fd00::2:9", 5432)),
        decision: deny(Decider::Rule(admin_rule())),
        matched: vec![admin_rule(), rule("pay/db", Direction::Ingress, 0, 20)],
        epoch: None,
        ..denied_by_default()
    }
}

fn observed() -> Flow {
    Flow {
        dropped: false,
        decision: allow(Decider::NoPolicy),
        observed: deny(isolating()),
        count: 1,
        ..denied_by_default()
    }
}

fn revoked() -> Flow {
    Flow { report: Report::Revoked, dropped: true, decision: deny(isolating()), ..closed() }
}

fn refused() -> Flow {
    Flow {
        report: Report::Refused(Cause::Fragment),
        source: pod("shop", "web-5d9c", ("10.0.1.5", 0)),
        destination: pod("pay", "db-0", ("10.0.2.9", 0)),
        protocol: Protocol::Udp,
        decision: None,
        ..denied_by_default()
    }
}

fn ping_from_the_node() -> Flow {
    let identity = Identity::Node("node-2".into());
    Flow {
        report: Report::Active,
        source: End { address: ip("192.168.0.2"), port: None, identity },
        destination: pod("pay", "db-0", ("10.0.2.9", 0)),
        protocol: Protocol::Other(1),
        icmp: Some((8, 0)),
        decision: allow(Decider::OwnNode),
        dropped: false,
        count: 1,
        ..denied_by_default()
    }
}

fn to_an_unknown_backend() -> Flow {
    let identity = Identity::Service { namespace: "pay".into(), name: "db".into() };
    Flow {
        destination: End { address: ip("10.96.0.7"), port: Some(80), identity },
        protocol: Protocol::Sctp,
        service: None,
        staged: None,
        decision: allow(Decider::Unknown(Some(TableBit { profile: 9, bit: 3 }))),
        matched: vec![],
        epoch: None,
        counters: None,
        ..opened()
    }
}

/// What a hostile label, name or path may hold.
pub(crate) const HOSTILE: &str = "a\u{1b}[2J\u{202e}b\n\"\\";

fn hostile() -> Flow {
    let policy = policy(PolicyKind::NetworkPolicy, &format!("{HOSTILE}/{HOSTILE}"));
    let rule = RuleRef { policy, direction: Direction::Egress, rule: 0 };
    let place = Place { file: HOSTILE.to_owned(), line: 1, column: 1 };
    let name = Some(HOSTILE.to_owned());
    let rule = Arc::new(RuleMention { rule, action: Action::Accept, name, place: Some(place) });
    let mut source = pod(HOSTILE, HOSTILE, ("10.0.1.5", 0));
    if let Identity::Pod(pod) = &mut source.identity {
        Arc::make_mut(pod).labels = Labels::from_iter([(HOSTILE, HOSTILE)]);
    }
    Flow {
        observer: Observer { node: HOSTILE.into(), side: Direction::Egress },
        source,
        destination: pod("pay", "db-0", ("10.0.2.9", 0)),
        protocol: Protocol::Other(47),
        service: None,
        decision: allow(Decider::Rule(rule)),
        ..opened()
    }
}

/// Decisions that no rule and no isolation made, which the first version did not know.
pub(crate) fn without_a_rule() -> Vec<Flow> {
    let open = Flow {
        decision: allow(Decider::NoPolicyYet),
        report: Report::Opened,
        dropped: false,
        count: 1,
        epoch: None,
        ..denied_by_default()
    };
    let itself = Flow {
        source: pod("pay", "db-0", ("10.0.2.9", 41_000)),
        decision: allow(Decider::SelfTraffic),
        ..open.clone()
    };
    let closed = Flow { decision: deny(Decider::DenyEverything), ..denied_by_default() };
    vec![itself, open, closed]
}

pub(crate) fn all() -> Vec<Flow> {
    vec![
        opened(),
        closed(),
        denied_by_default(),
        denied_by_a_rule(),
        observed(),
        revoked(),
        refused(),
        ping_from_the_node(),
        to_an_unknown_backend(),
        hostile(),
    ]
}
