//! One connection with its verdict and what decided each side.

use crate::results::{SideWitness, Witness};
use crate::world::World;
use net_types::{PortRange, Protocol, Traffic};
use policy_engine::{Cause, Decision, End, Side};
use policy_model::{Action, Direction};

/// A question about one packet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packet<'p> {
    pub(crate) from: &'p End,
    pub(crate) to: &'p End,
    pub(crate) protocol: Protocol,
    /// 0 for a protocol without ports.
    pub(crate) port: u16,
}

impl Packet<'_> {
    pub(crate) fn decide(&self, world: &World<'_>) -> Decision {
        world.program.decide(self.from, self.to, self.protocol, self.port)
    }
}

/// A packet of this traffic: at a port that the destination serves, if there is one.
pub(crate) fn example_of<'p>(
    world: &World<'_>,
    (from, to): (&'p End, &'p End),
    traffic: &Traffic,
) -> Option<Packet<'p>> {
    if let End::Pod(id) = to
        && let Some(pod) = world.program.pod(*id)
        && let Some(served) =
            pod.ports.iter().find(|served| traffic.contains(served.protocol, served.port))
    {
        return Some(Packet { from, to, protocol: served.protocol, port: served.port });
    }
    let first = Protocol::WITH_PORTS.into_iter().find_map(|protocol| {
        let range: PortRange = *traffic.ports(protocol)?.ranges().first()?;
        Some((protocol, range.first()))
    });
    let portless = traffic.other.then_some((Protocol::Other(1), 0));
    let (protocol, port) = first.or(portless)?;
    Some(Packet { from, to, protocol, port })
}

pub(crate) fn witness(world: &World<'_>, packet: &Packet<'_>, decision: &Decision) -> Witness {
    let Decision { verdict, egress, ingress, reasons } = decision;
    Witness {
        from: world.name(packet.from),
        to: world.name(packet.to),
        port: port_text(packet.protocol, packet.port),
        verdict: *verdict,
        reasons: *reasons,
        egress: side(world, packet.from, Direction::Egress, egress),
        ingress: side(world, packet.to, Direction::Ingress, ingress),
    }
}

pub(crate) fn port_text(protocol: Protocol, port: u16) -> String {
    let name = protocol.to_string().to_ascii_lowercase();
    if protocol.has_ports() { format!("{port}/{name}") } else { name }
}

fn side(world: &World<'_>, subject: &End, direction: Direction, side: &Side) -> SideWitness {
    let program = world.program;
    let policy = program.deciding_policy(side.cause);
    let rule = match side.cause {
        Cause::Rule(rule) => program.rule(rule).zip(program.rule_ref(rule)),
        Cause::Isolation(_)
        | Cause::NoPolicy
        | Cause::NotAPod
        | Cause::OwnNode
        | Cause::SelfTraffic => None,
    };
    let text = match (side.cause, &rule, policy) {
        (Cause::Rule(_), Some((rule, at)), _) => match rule.action {
            Action::Accept => format!("{at} accepts it"),
            Action::Deny => format!("{at} denies it"),
            Action::Pass => format!("{at} passes it on"),
        },
        (Cause::Isolation(_), _, Some(policy)) => {
            format!("{} isolates {}, and no rule accepts it", policy.id, world.name(subject))
        }
        (Cause::NotAPod, _, _) => "not a pod, so no policy applies".to_owned(),
        (Cause::OwnNode, _, _) => "it comes from the pod's own node".to_owned(),
        (Cause::SelfTraffic, _, _) => "the pod's own traffic is never filtered".to_owned(),
        (Cause::Rule(_) | Cause::Isolation(_) | Cause::NoPolicy, _, _) => {
            "no policy applies".to_owned()
        }
    };
    let span = rule.as_ref().and_then(|(rule, _)| rule.span);
    SideWitness {
        direction,
        verdict: side.verdict,
        tier: program.deciding_tier(side.cause),
        policy: policy.map(|policy| policy.id.clone()),
        span: span.or_else(|| policy.and_then(|policy| policy.span)),
        rule: rule.map(|(_, at)| at),
        text,
    }
}
