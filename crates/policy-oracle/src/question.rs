//! A question, what is assumed of what the input leaves open, and the verdict over all worlds.

use crate::forks::{Outcomes, in_every_world};
use crate::places::{Place, Resolved, families, places};
use crate::side::Side;
use net_types::{AddressRange, AddressSet, Family, IpNet, Ipv4Net, Protocol};
use policy_model::{Direction, Pod, PodOrigin, Snapshot, WorkloadKind};
use std::net::{IpAddr, Ipv4Addr};

/// Which of the known readings of the API applies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Profile {
    #[default]
    Upstream,
    /// Identity comes first: networks never match pods or nodes of the cluster.
    Cilium,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assumptions {
    pub profile: Profile,
    /// Where the address of a pod lies that the input does not tell.
    pub pod_networks: AddressSet,
}

impl Default for Assumptions {
    fn default() -> Self {
        let blocks = [
            (Ipv4Addr::new(10, 0, 0, 0), 8),
            (Ipv4Addr::new(172, 16, 0, 0), 12),
            (Ipv4Addr::new(192, 168, 0, 0), 16),
            (Ipv4Addr::new(100, 64, 0, 0), 10),
        ];
        let nets = blocks.into_iter().filter_map(|(base, bits)| Ipv4Net::new(base, bits).ok());
        Self {
            profile: Profile::default(),
            pod_networks: nets.map(|net| AddressRange::from(IpNet::from(net))).collect(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum End<'a> {
    /// One of the snapshot's.
    Pod(&'a Pod),
    /// A pod that is not on the host network and has it, else the node that has it, else an address
    /// outside the cluster. No two pods may have it.
    Address(IpAddr),
    /// An ExternalName, lower case and without a final dot. Only as a destination.
    Name(&'a str),
}

/// May `from` open a connection to `to`? The port is ignored for a protocol without ports.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Question<'a> {
    pub from: End<'a>,
    pub to: End<'a>,
    pub protocol: Protocol,
    pub port: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    Allow,
    Deny,
    /// Some worlds allow it, others do not.
    Undefined,
}

/// How NetworkPolicy v1 treats a host-network pod, both ends of a question alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    AsNode,
    AsPod,
}

/// The source's egress and the destination's ingress together.
pub fn evaluate(
    snapshot: &Snapshot,
    assumptions: &Assumptions,
    question: &Question<'_>,
) -> Verdict {
    verdict(in_every_reading(snapshot, assumptions, (question, None), both))
}

/// The sides fork independently: every outcome of one may meet every outcome of the other.
fn both(egress: Outcomes, ingress: Outcomes) -> Outcomes {
    Outcomes { allow: egress.allow && ingress.allow, deny: egress.deny || ingress.deny }
}

fn only(direction: Direction) -> impl Fn(Outcomes, Outcomes) -> Outcomes {
    move |egress, ingress| match direction {
        Direction::Egress => egress,
        Direction::Ingress => ingress,
    }
}

/// What a client connects to that is led to the question's destination.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Via<'a> {
    /// The Service's, as far as they are known.
    pub addresses: &'a [IpAddr],
    pub port: u16,
}

/// Verdict, egress, ingress; with `via`, the destination is what a Service picked.
pub(crate) fn evaluate_via(
    snapshot: &Snapshot,
    assumptions: &Assumptions,
    question: &Question<'_>,
    via: Option<Via<'_>>,
) -> [Verdict; 3] {
    let asked = (question, via);
    let side = |direction| verdict(in_every_reading(snapshot, assumptions, asked, only(direction)));
    [
        verdict(in_every_reading(snapshot, assumptions, asked, both)),
        side(Direction::Egress),
        side(Direction::Ingress),
    ]
}

/// One side alone.
pub fn evaluate_side(
    snapshot: &Snapshot,
    assumptions: &Assumptions,
    question: &Question<'_>,
    direction: Direction,
) -> Verdict {
    verdict(in_every_reading(snapshot, assumptions, (question, None), only(direction)))
}

fn verdict(outcomes: Outcomes) -> Verdict {
    match outcomes {
        Outcomes { allow: true, deny: true } => Verdict::Undefined,
        Outcomes { allow: true, deny: false } => Verdict::Allow,
        Outcomes { allow: false, deny: true | false } => Verdict::Deny,
    }
}

/// The forks that are one choice for both sides: the reading of host-network pods, the family, and
/// whether a pod's connection to itself is filtered.
fn in_every_reading(
    snapshot: &Snapshot,
    assumptions: &Assumptions,
    (question, via): (&Question<'_>, Option<Via<'_>>),
    combine: impl Fn(Outcomes, Outcomes) -> Outcomes,
) -> Outcomes {
    let from = Resolved::of(snapshot, question.from);
    let to = Resolved::of(snapshot, question.to);
    let mut loopbacks: &[Loopback] = &[Loopback::Filtered];
    if let (Resolved::Pod(source), Resolved::Pod(destination)) = (from, to)
        && is_the_same_object(source, destination)
    {
        if via.is_some() {
            loopbacks = &[Loopback::Filtered, Loopback::Open];
        } else if is_one_pod(source) {
            return Outcomes::ALLOW;
        }
    }
    let readings: &[Reading] = match assumptions.profile {
        Profile::Upstream => &[Reading::AsNode, Reading::AsPod],
        Profile::Cilium => &[Reading::AsNode],
    };
    let from_places = places(snapshot, assumptions, from);
    let to_places = places(snapshot, assumptions, to);
    let mut total = Outcomes::default();
    for reading in readings {
        for (from_family, to_family) in family_pairs(&from_places, &to_places) {
            for loopback in loopbacks {
                let (reading, loopback) = (*reading, *loopback);
                let context = Context { snapshot, assumptions, question, via, reading, loopback };
                let source = EndPlaces { end: from, places: within(&from_places, from_family) };
                let destination = EndPlaces { end: to, places: within(&to_places, to_family) };
                let egress = side_outcomes(context, Direction::Egress, &source, &destination);
                let ingress = side_outcomes(context, Direction::Ingress, &destination, &source);
                let outcomes = combine(egress, ingress);
                total.allow |= outcomes.allow;
                total.deny |= outcomes.deny;
            }
        }
    }
    total
}

/// What is fixed in all worlds of one reading.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context<'a> {
    pub snapshot: &'a Snapshot,
    pub assumptions: &'a Assumptions,
    pub question: &'a Question<'a>,
    pub via: Option<Via<'a>>,
    pub reading: Reading,
    pub loopback: Loopback,
}

/// How NetworkPolicy v1 treats a connection of a pod to itself through a Service, both sides alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loopback {
    Filtered,
    Open,
}

/// An end, and where it may be in one family.
#[derive(Clone, Debug)]
pub(crate) struct EndPlaces<'a> {
    pub end: Resolved<'a>,
    pub places: Vec<Place<'a>>,
}

fn side_outcomes(
    context: Context<'_>,
    direction: Direction,
    subject: &EndPlaces<'_>,
    peer: &EndPlaces<'_>,
) -> Outcomes {
    match subject.end {
        Resolved::Pod(pod) => in_every_world(|forks| {
            Side::new(context, direction, (pod, &subject.places), peer).allows(forks)
        }),
        Resolved::Node(..) | Resolved::Outside(_) | Resolved::Name(_) => Outcomes::ALLOW,
    }
}

fn is_the_same_object(a: &Pod, b: &Pod) -> bool {
    (&a.namespace, &a.name, a.origin, &a.workload) == (&b.namespace, &b.name, b.origin, &b.workload)
}

/// The template of a workload stands for replicas that are different pods.
fn is_one_pod(pod: &Pod) -> bool {
    pod.origin == PodOrigin::Live || pod.workload.kind == WorkloadKind::Pod
}

/// One pair for each family that both ends have; if they share none, every combination.
fn family_pairs(from: &[Place<'_>], to: &[Place<'_>]) -> Vec<(Option<Family>, Option<Family>)> {
    let (from, to) = (families(from), families(to));
    let shared: Vec<_> =
        from.iter().filter(|family| to.contains(family)).map(|family| (*family, *family)).collect();
    if !shared.is_empty() {
        return shared;
    }
    from.iter()
        .flat_map(|source| to.iter().map(move |destination| (*source, *destination)))
        .collect()
}

fn within<'a>(places: &[Place<'a>], family: Option<Family>) -> Vec<Place<'a>> {
    places.iter().filter(|place| place.family() == family).copied().collect()
}
