//! What `weir explain` would be asked about a flow.

use crate::commands::explain::QuestionArgs;
use crate::commands::lab::explain::Policies;
use flow_model::{End, Flow, FlowVerdict, Identity};
use question_syntax::{PeerArgument, PortArgument};

#[derive(Clone, Debug)]
pub(super) struct Question {
    /// The pods themselves, and where those are gone the workloads.
    pub(super) of_pods: QuestionArgs,
    pub(super) of_workloads: QuestionArgs,
    pub(super) policies: Policies,
}

/// `None` for what no policy decided: a packet that was refused because of what it is.
pub(super) fn question(flow: &Flow) -> Option<Question> {
    let decision = flow.decision.as_ref()?;
    let would = [&flow.observed, &flow.staged];
    let would_deny = would.iter().any(|trace| is_denied(trace.as_ref()));
    let policies = if would_deny && decision.verdict != FlowVerdict::Deny {
        Policies::All
    } else {
        Policies::Enforced
    };
    let port = match flow.destination.port {
        Some(port) => PortArgument::Number { protocol: flow.protocol, port },
        None => PortArgument::Portless(flow.protocol),
    };
    let asked = |name: fn(&End) -> PeerArgument| QuestionArgs {
        from: name(&flow.source),
        to: name(&flow.destination),
        port: Some(port.clone()),
    };
    Some(Question { of_pods: asked(pod), of_workloads: asked(workload), policies })
}

fn is_denied(trace: Option<&flow_model::Trace>) -> bool {
    trace.is_some_and(|trace| trace.verdict == FlowVerdict::Deny)
}

fn pod(end: &End) -> PeerArgument {
    match &end.identity {
        Identity::Pod(pod) => named(pod.namespace(), &pod.name),
        Identity::Node(_) | Identity::Service { .. } | Identity::Outside => other(end),
    }
}

fn workload(end: &End) -> PeerArgument {
    match &end.identity {
        Identity::Pod(pod) => named(pod.namespace(), &pod.workload.name),
        Identity::Node(_) | Identity::Service { .. } | Identity::Outside => other(end),
    }
}

fn named(namespace: &str, name: &str) -> PeerArgument {
    PeerArgument::Named { namespace: namespace.to_owned(), name: name.to_owned() }
}

/// The address of a Service stands for it.
fn other(end: &End) -> PeerArgument {
    PeerArgument::Address(end.address)
}
