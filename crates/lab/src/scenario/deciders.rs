//! Who decided, as the kernel says it: the flows of connections that are tried.

use super::step::{cells, connection};
use crate::client::Client;
use crate::error::LabError;
use crate::probe::Cell;
use flow_model::{self as flow, Flow, FlowVerdict, RuleMention};
use lab_scenario::{Decider, Question, Wanted};
use policy_model::Direction;
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

/// How late a flow may be told.
const PATIENCE: Duration = Duration::from_secs(5);

/// Tries the connections; and for each that nobody like `by` decided, who did.
pub(super) fn of_cells(
    client: &Client,
    question: &Question,
    (wanted, by): (Wanted, &Decider),
) -> Result<(Vec<Cell>, Vec<String>), LabError> {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let (sender, flows) = channel();
        let is_over = &is_over;
        scope.spawn(move || {
            // Where the lab ends, the probe says so.
            drop(client.flows(true, true, |lines, _| {
                let sent = sender.send(lines);
                if sent.is_err() || is_over.load(Ordering::Relaxed) {
                    return ControlFlow::Break(());
                }
                ControlFlow::Continue(())
            }));
        });
        // The first answer says that from now on all flows are told.
        let begun = flows.recv_timeout(PATIENCE).is_ok();
        let result = cells(client, question).map(|cells| {
            let problems = if begun {
                waiting(&cells, &flows, (wanted, by))
            } else {
                vec!["the lab does not tell its flows".to_owned()]
            };
            (cells, problems)
        });
        is_over.store(true, Ordering::Relaxed);
        result
    })
}

fn waiting(
    cells: &[Cell],
    flows: &Receiver<Vec<String>>,
    (wanted, by): (Wanted, &Decider),
) -> Vec<String> {
    let mut seen: Vec<Flow> = Vec::new();
    let mut unseen: Vec<&Cell> = cells.iter().collect();
    let end = Instant::now() + PATIENCE;
    while !unseen.is_empty() {
        let left = end.saturating_duration_since(Instant::now());
        let lines = match flows.recv_timeout(left) {
            Ok(lines) => lines,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
        };
        // Our own agents wrote them.
        let read = |line: &String| flow_formats::json::read_line(line.as_bytes()).ok();
        seen.extend(lines.iter().filter_map(read));
        unseen.retain(|cell| !deciders(cell, &seen, wanted).any(|(_, decider)| is(decider, by)));
    }
    let told = |cell: &Cell| {
        let others: BTreeSet<String> = deciders(cell, &seen, wanted)
            .map(|(side, decider)| format!("{side}: {}", told(decider)))
            .collect();
        let others: Vec<String> = others.into_iter().collect();
        let others = match others.as_slice() {
            [] => "no flow says who did".to_owned(),
            others => others.join("; "),
        };
        format!("{}: {by} was expected to decide: {others}", connection(cell))
    };
    unseen.into_iter().map(told).collect()
}

/// Who decided the connection in the wanted way, on which side.
fn deciders<'f>(
    cell: &Cell,
    seen: &'f [Flow],
    wanted: Wanted,
) -> impl Iterator<Item = (Direction, &'f flow::Decider)> {
    let verdict = match wanted {
        Wanted::Allow => FlowVerdict::Allow,
        Wanted::Deny => FlowVerdict::Deny,
    };
    seen.iter().filter(move |flow| is_of(flow, cell, seen)).filter_map(move |flow| {
        let trace = flow.decision.as_ref().filter(|trace| trace.verdict == verdict)?;
        Some((flow.observer.side, &trace.decider))
    })
}

/// The side of the destination sees no Service: it is known by what the source's side says of the same
/// connection.
fn is_of(flow: &Flow, cell: &Cell, seen: &[Flow]) -> bool {
    let port = |port: u16| format!("{port}/{}", flow.protocol.to_string().to_ascii_lowercase());
    let is_direct = flow.destination.address == cell.address
        && flow.destination.port.map(port).as_ref() == Some(&cell.port);
    let is_by_service = || {
        seen.iter().any(|other| {
            let hop = other.service.as_ref();
            let is_asked =
                hop.is_some_and(|hop| hop.address == cell.address && port(hop.port) == cell.port);
            let ends = |flow: &Flow| (flow.protocol, flow.source.address, flow.source.port);
            is_asked && ends(other) == ends(flow)
        })
    };
    flow.source.to_string() == cell.from && (is_direct || is_by_service())
}

fn is(decider: &flow::Decider, by: &Decider) -> bool {
    match decider {
        flow::Decider::Rule(mention) => {
            let RuleMention { rule, .. } = mention.as_ref();
            rule.policy == by.policy
                && by.rule.is_none_or(|wanted| wanted == (rule.direction, rule.rule))
        }
        flow::Decider::DefaultDeny(policies) | flow::Decider::Policies(policies) => {
            by.rule.is_none() && policies.iter().any(|mention| mention.policy == by.policy)
        }
        flow::Decider::NoPolicy
        | flow::Decider::OwnNode
        | flow::Decider::SelfTraffic
        | flow::Decider::NoPolicyYet
        | flow::Decider::DenyEverything
        | flow::Decider::Unknown(_) => false,
    }
}

fn told(decider: &flow::Decider) -> String {
    let names = |policies: &[flow::PolicyMention]| {
        policies.iter().map(|mention| mention.policy.to_string()).collect::<Vec<_>>().join(", ")
    };
    match decider {
        flow::Decider::Rule(mention) => mention.rule.to_string(),
        flow::Decider::DefaultDeny(policies) => format!("no rule of {}", names(policies)),
        flow::Decider::Policies(policies) => names(policies),
        flow::Decider::NoPolicy => "no policy speaks".to_owned(),
        flow::Decider::OwnNode => "the pod's own node".to_owned(),
        flow::Decider::SelfTraffic => "the pod itself".to_owned(),
        flow::Decider::NoPolicyYet => "no policy yet".to_owned(),
        flow::Decider::DenyEverything => "its policies are not enforceable".to_owned(),
        flow::Decider::Unknown(_) => "a rule that is not known any more".to_owned(),
    }
}
