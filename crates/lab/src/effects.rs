//! What a change would do to the connections that were seen: each is decided again by the engine.

use crate::probe::{Expected, expected_between};
use crate::wire::{Effect, Effects};
use crate::world::World;
use flow_model::{Flow, Identity};
use net_types::Protocol;
use policy_engine::{End, PodId};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Who connects to whom, whatever the port it comes from.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Connection {
    from: String,
    to: String,
    protocol: Protocol,
    port: u16,
}

pub(crate) fn of(lines: &[Arc<str>], before: &World, after: &World) -> Effects {
    let mut seen: BTreeMap<Connection, (usize, &Arc<str>, Flow)> = BTreeMap::new();
    for line in lines {
        // Our own agents wrote it.
        let Ok(flow) = flow_formats::json::read_line(line.as_bytes()) else { continue };
        let Some(connection) = connection(&flow) else { continue };
        let known = seen.entry(connection).or_insert_with(|| (0, line, flow));
        known.0 += 1;
    }
    let (pods_before, pods_after) = (pods(before), pods(after));
    let mut effects = Effects { connections: seen.len(), changed: Vec::new() };
    for (connection, (flows, line, flow)) in seen {
        let decide = |world: &World, pods: &HashMap<String, PodId>| -> Expected {
            let ends = (&end(&flow.source, pods), &end(&flow.destination, pods));
            expected_between(world, ends, connection.protocol, connection.port)
        };
        let (was, becomes) = (decide(before, &pods_before), decide(after, &pods_after));
        if was.verdict != becomes.verdict {
            let flow = line.as_ref().to_owned();
            effects.changed.push(Effect { flow, flows, before: was, after: becomes });
        }
    }
    effects
}

/// `None` for what policies say nothing of: packets that were refused, and protocols without ports.
fn connection(flow: &Flow) -> Option<Connection> {
    flow.decision.as_ref()?;
    Some(Connection {
        from: flow.source.to_string(),
        to: flow.destination.to_string(),
        protocol: flow.protocol,
        port: flow.destination.port?,
    })
}

fn pods(world: &World) -> HashMap<String, PodId> {
    let pods = world.plan.snapshot.pods.iter().zip(&world.pods);
    pods.map(|(pod, id)| (pod.to_string(), *id)).collect()
}

/// A pod that is not there any more counts as its address.
fn end(end: &flow_model::End, pods: &HashMap<String, PodId>) -> End {
    let pod = match &end.identity {
        Identity::Pod(_) => pods.get(&end.to_string()).copied(),
        Identity::Node(_) | Identity::Service { .. } | Identity::Outside => None,
    };
    pod.map_or(End::Address(end.address), End::Pod)
}
