//! Whether pods can ask the cluster's DNS for names.

use crate::contain::WrittenPorts;
use crate::known::{DnsPod, is_dns};
use crate::words;
use crate::world::World;
use net_types::Protocol;
use policy_engine::{End, PodId, Verdict};
use policy_model::{Action, Direction, PeerMatch, Peers, Policy, Rule};

const DNS_PORT: u16 = 53;

/// A pod that surely cannot ask for names by one protocol.
#[derive(Clone, Debug)]
pub(crate) struct Refused<'p> {
    /// The first policy that isolates or denies.
    pub(crate) policy: Option<&'p Policy>,
    /// `None` where the input has no DNS pod to ask.
    pub(crate) witness: Option<String>,
}

/// What a pod may open apart from DNS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Egress {
    Nothing,
    /// Only addresses, which need no names.
    Addresses,
    /// Pods, anything, or names outside.
    Named,
}

/// `None` where the pod can ask, may be able to, or has no need.
pub(crate) fn refused<'p>(
    world: &World<'p>,
    dns: &[DnsPod],
    pod: PodId,
    protocol: Protocol,
) -> Option<Refused<'p>> {
    let known = world.pod(pod)?;
    if known.host_network || is_dns(known) {
        return None;
    }
    if dns.is_empty() {
        without_pods(world, pod, protocol)
    } else {
        by_pods(world, dns, pod, protocol)
    }
}

fn by_pods<'p>(
    world: &World<'p>,
    dns: &[DnsPod],
    pod: PodId,
    protocol: Protocol,
) -> Option<Refused<'p>> {
    let from = End::Pod(pod);
    let mut refusal = None;
    for server in dns {
        let to = End::Pod(server.pod);
        let port = if protocol == Protocol::Udp { server.udp } else { server.tcp };
        let (decision, text) = words::witness(world, (&from, &to), (protocol, port));
        if decision.egress.verdict != Verdict::Deny {
            return None;
        }
        let policy = world.program.deciding_policy(decision.egress.cause);
        let named = policy.and_then(|p| world.program.policies().find(|known| known.id == p.id));
        refusal.get_or_insert(Refused { policy: named, witness: Some(text) });
    }
    let outside =
        world.program.outside_traffic(pod, Direction::Egress, &mut world.cache.borrow_mut());
    let resolver = |traffic: &policy_engine::PairTraffic| {
        traffic.allowed.contains(protocol, DNS_PORT)
            || traffic.undefined.contains(protocol, DNS_PORT)
    };
    if outside.iter().any(|(_, traffic)| resolver(traffic)) { None } else { refusal }
}

/// Without DNS pods in the input, only the absence of any rule for port 53 says something.
fn without_pods<'p>(world: &World<'p>, pod: PodId, protocol: Protocol) -> Option<Refused<'p>> {
    if !world.program.is_isolated(pod, Direction::Egress) {
        return None;
    }
    let mut admits = accepting(world, pod).map(|rule| WrittenPorts::of(&rule.ports));
    let admitted = admits.any(|ports| {
        let named = |name: &(Option<Protocol>, String)| name.0.is_none_or(|p| p == protocol);
        ports.numbers.contains(protocol, DNS_PORT) || ports.names.iter().any(named)
    });
    let policy = world.applied(pod, Direction::Egress).next();
    (!admitted).then_some(Refused { policy, witness: None })
}

fn accepting<'w, 'p>(
    world: &'w World<'p>,
    pod: PodId,
) -> impl Iterator<Item = &'p Rule> + use<'w, 'p> {
    world
        .applied(pod, Direction::Egress)
        .flat_map(|policy| policy.rules(Direction::Egress).unwrap_or_default())
        .filter(|rule| rule.action == Action::Accept)
}

/// What the pod's rules let it open, DNS aside.
pub(crate) fn egress(world: &World<'_>, pod: PodId) -> Egress {
    let mut best = Egress::Nothing;
    for rule in accepting(world, pod) {
        let peers = match &rule.peers {
            Peers::Any => return Egress::Named,
            Peers::Listed(peers) => peers,
        };
        for peer in peers {
            match &peer.matches {
                PeerMatch::Pods { namespaces, pods } => {
                    let others = world.select(namespaces, pods);
                    let other =
                        |id: &PodId| *id != pod && world.pod(*id).is_some_and(|p| !is_dns(p));
                    if others.iter().any(other) {
                        return Egress::Named;
                    }
                }
                PeerMatch::DomainNames(_) => return Egress::Named,
                PeerMatch::Networks(_) | PeerMatch::Nodes(_) => best = Egress::Addresses,
                PeerMatch::Unknown => {}
            }
        }
    }
    best
}
