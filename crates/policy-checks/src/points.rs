//! Connections that stand for all connections a rule can match: one end of each class, and one port
//! and address of each piece that rules tell apart.

use crate::contain::addresses;
use crate::world::{RuleAt, World};
use net_types::{AddressRange, AddressSet, Family, Protocol, Traffic};
use policy_engine::{End, PodId};
use policy_model::{Direction, PeerMatch, Peers, Pod, PortMatch, Ports, Rule, Tier};
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What a rule's ports mean at a destination.
pub(crate) fn traffic_at(ports: &Ports, destination: Option<&Pod>) -> Traffic {
    let Ports::Listed(specs) = ports else { return Traffic::all() };
    let mut traffic = Traffic::NONE;
    for spec in specs {
        match &spec.matches {
            PortMatch::Numbers { protocol, range } => {
                traffic = traffic.union(&Traffic::of(*protocol, *range));
            }
            PortMatch::Named { protocol, name } => {
                let served = destination.into_iter().flat_map(|pod| &pod.ports);
                let named = served.filter(|port| {
                    port.name.as_ref() == Some(name)
                        && protocol.is_none_or(|protocol| protocol == port.protocol)
                });
                for port in named {
                    let range = net_types::PortRange::single(port.port);
                    let one = range.map(|range| Traffic::of(port.protocol, range));
                    traffic = traffic.union(&one.unwrap_or_default());
                }
            }
        }
    }
    traffic
}

/// Where the rules of the ordered tiers cut ports and addresses.
#[derive(Debug, Default)]
pub(crate) struct Cuts {
    ports: BTreeSet<(Protocol, u16)>,
    addresses: BTreeSet<IpAddr>,
}

impl Cuts {
    /// Cuts of the Admin and Baseline tiers: in the NetworkPolicy tier rules do not hide each other.
    pub(crate) fn of(world: &World<'_>) -> Self {
        let mut cuts = Self::default();
        let ordered = world.rules().filter(|rule| rule.policy.tier != Tier::NetworkPolicy);
        ordered.for_each(|rule| cuts.add(rule.rule));
        cuts
    }

    fn add(&mut self, rule: &Rule) {
        for protocol in Protocol::WITH_PORTS {
            self.ports.insert((protocol, 1));
        }
        if let Ports::Listed(specs) = &rule.ports {
            for spec in specs {
                if let PortMatch::Numbers { protocol, range } = &spec.matches {
                    self.ports.insert((*protocol, range.first()));
                    self.ports.extend(range.last().checked_add(1).map(|port| (*protocol, port)));
                }
            }
        }
        let networks = peers(rule).filter_map(|peer| match peer {
            PeerMatch::Networks(networks) => Some(networks),
            PeerMatch::Pods { .. }
            | PeerMatch::Nodes(_)
            | PeerMatch::DomainNames(_)
            | PeerMatch::Unknown => None,
        });
        for network in networks.flatten() {
            for net in [&network.block].into_iter().chain(&network.except) {
                self.addresses.insert(net.network());
                self.addresses.extend(next(net.broadcast()));
            }
        }
    }

    /// One port of every piece of the rule's ports, at a destination that serves names.
    pub(crate) fn ports_in(&self, rule: &Rule, destination: Option<&Pod>) -> Vec<(Protocol, u16)> {
        let traffic = traffic_at(&rule.ports, destination);
        let mut points = BTreeSet::new();
        for protocol in Protocol::WITH_PORTS {
            let ranges = traffic.ports(protocol).map_or(&[][..], |ports| ports.ranges());
            points.extend(ranges.iter().map(|range| (protocol, range.first())));
        }
        // Names of other rules cut here too, at ports that the destination serves.
        let served = destination.into_iter().flat_map(|pod| &pod.ports);
        let around = served.flat_map(|port| {
            let after = port.port.checked_add(1).map(|after| (port.protocol, after));
            [Some((port.protocol, port.port)), after].into_iter().flatten()
        });
        let cuts = self.ports.iter().copied().chain(around);
        points.extend(cuts.filter(|(protocol, port)| traffic.contains(*protocol, *port)));
        points.into_iter().collect()
    }

    /// Addresses of every piece of a set: the first, the last and one between.
    fn addresses_in(&self, set: &AddressSet) -> Vec<IpAddr> {
        let mut points = BTreeSet::new();
        for range in set.ranges() {
            let inside = self.addresses.iter().copied().filter(|address| range.contains(*address));
            let mut starts: Vec<IpAddr> = std::iter::once(range.first()).chain(inside).collect();
            starts.sort_unstable();
            starts.dedup();
            for (index, first) in starts.iter().enumerate() {
                let last = starts.get(index + 1).and_then(|next| previous(*next));
                let last = last.unwrap_or_else(|| range.last());
                points.extend([*first, middle(*first, last), last]);
            }
        }
        points.into_iter().collect()
    }
}

pub(crate) fn peers(rule: &Rule) -> impl Iterator<Item = &PeerMatch> {
    match &rule.peers {
        Peers::Any => [].iter(),
        Peers::Listed(peers) => peers.iter(),
    }
    .map(|peer| &peer.matches)
}

/// Ends that stand for everything a rule's peers can match; `None` where that is not known.
pub(crate) fn peer_ends(world: &World<'_>, cuts: &Cuts, rule: RuleAt<'_>) -> Option<Vec<End>> {
    let all = || {
        let pods: Vec<PodId> = world.program.pods().map(|(id, _)| id).collect();
        world.one_of_each(&pods)
    };
    let mut pods: BTreeSet<PodId> = BTreeSet::new();
    let mut outside: BTreeSet<IpAddr> = BTreeSet::new();
    match &rule.rule.peers {
        Peers::Any => {
            pods.extend(all());
            outside.extend(cuts.addresses_in(&AddressSet::all()));
        }
        Peers::Listed(_) => {
            for peer in peers(rule.rule) {
                match peer {
                    PeerMatch::Pods { namespaces, pods: selector } => {
                        pods.extend(world.one_of_each(&world.select(namespaces, selector)));
                    }
                    PeerMatch::Networks(networks) => {
                        pods.extend(all());
                        outside.extend(cuts.addresses_in(&addresses(networks)));
                    }
                    PeerMatch::Nodes(selector) => {
                        let nodes = world.program.nodes().filter(|n| selector.matches(&n.labels));
                        outside.extend(nodes.flat_map(|node| node.addresses.iter().copied()));
                        // A host-network pod is its node, and may have an address that no node says.
                        pods.extend(all().into_iter().filter(|pod| world.is_on_host(*pod)));
                    }
                    PeerMatch::DomainNames(_) | PeerMatch::Unknown => return None,
                }
            }
        }
    }
    let pods = pods.into_iter().map(End::Pod);
    Some(pods.chain(outside.into_iter().map(End::Address)).collect())
}

/// `(from, to)` of a connection of the subject.
pub(crate) fn oriented(direction: Direction, subject: PodId, peer: &End) -> (End, End) {
    match direction {
        Direction::Ingress => (peer.clone(), End::Pod(subject)),
        Direction::Egress => (End::Pod(subject), peer.clone()),
    }
}

/// The addresses that are routed on the internet, roughly: what is left without the blocks that
/// RFC 6890 sets apart.
pub(crate) fn internet(family: Family) -> AddressSet {
    const APART: [([u8; 4], [u8; 4]); 12] = [
        ([0, 0, 0, 0], [0, 255, 255, 255]),
        ([10, 0, 0, 0], [10, 255, 255, 255]),
        ([100, 64, 0, 0], [100, 127, 255, 255]),
        ([127, 0, 0, 0], [127, 255, 255, 255]),
        ([169, 254, 0, 0], [169, 254, 255, 255]),
        ([172, 16, 0, 0], [172, 31, 255, 255]),
        ([192, 0, 0, 0], [192, 0, 2, 255]),
        ([192, 168, 0, 0], [192, 168, 255, 255]),
        ([198, 18, 0, 0], [198, 19, 255, 255]),
        ([198, 51, 100, 0], [198, 51, 100, 255]),
        ([203, 0, 113, 0], [203, 0, 113, 255]),
        ([224, 0, 0, 0], [255, 255, 255, 255]),
    ];
    let global_v6 = (
        IpAddr::V6(Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0)),
        IpAddr::V6(Ipv6Addr::from_bits((0x4000 << 112) - 1)),
    );
    match family {
        Family::V4 => {
            let apart: AddressSet = APART
                .iter()
                .filter_map(|(first, last)| {
                    AddressRange::new(Ipv4Addr::from(*first).into(), Ipv4Addr::from(*last).into())
                })
                .collect();
            AddressSet::from_iter([AddressRange::ALL_V4]).difference(&apart)
        }
        Family::V6 => AddressRange::new(global_v6.0, global_v6.1).into_iter().collect(),
    }
}

fn next(address: IpAddr) -> Option<IpAddr> {
    match address {
        IpAddr::V4(v4) => v4.to_bits().checked_add(1).map(|bits| Ipv4Addr::from_bits(bits).into()),
        IpAddr::V6(v6) => v6.to_bits().checked_add(1).map(|bits| Ipv6Addr::from_bits(bits).into()),
    }
}

fn previous(address: IpAddr) -> Option<IpAddr> {
    match address {
        IpAddr::V4(v4) => v4.to_bits().checked_sub(1).map(|bits| Ipv4Addr::from_bits(bits).into()),
        IpAddr::V6(v6) => v6.to_bits().checked_sub(1).map(|bits| Ipv6Addr::from_bits(bits).into()),
    }
}

fn middle(first: IpAddr, last: IpAddr) -> IpAddr {
    match (first, last) {
        (IpAddr::V4(a), IpAddr::V4(b)) => {
            let (a, b) = (a.to_bits(), b.to_bits());
            Ipv4Addr::from_bits(a + b.saturating_sub(a) / 2).into()
        }
        (IpAddr::V6(a), IpAddr::V6(b)) => {
            let (a, b) = (a.to_bits(), b.to_bits());
            Ipv6Addr::from_bits(a + b.saturating_sub(a) / 2).into()
        }
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => first,
    }
}

/// A connection that a rule matches, to show what it is about; pods before addresses.
pub(crate) fn example(world: &World<'_>, rule: RuleAt<'_>) -> Option<(End, End, (Protocol, u16))> {
    let subjects = world.subjects(rule.policy);
    let mut subjects = subjects.iter().copied().filter(|id| !world.is_on_host(*id)).take(10);
    let pods: Vec<PodId> = match &rule.rule.peers {
        Peers::Any => world.program.pods().map(|(id, _)| id).take(2).collect(),
        Peers::Listed(_) => world.peer_pods(rule.rule).to_vec(),
    };
    let address = peers(rule.rule).find_map(|peer| match peer {
        PeerMatch::Networks(networks) => {
            let first = addresses(networks).ranges().first()?.first();
            Some(End::Address(next(first).unwrap_or(first)))
        }
        PeerMatch::Pods { .. }
        | PeerMatch::Nodes(_)
        | PeerMatch::DomainNames(_)
        | PeerMatch::Unknown => None,
    });
    subjects.find_map(|subject| {
        let pod = pods.iter().copied().find(|pod| *pod != subject).map(End::Pod);
        let (from, to) = oriented(rule.direction, subject, &pod.or_else(|| address.clone())?);
        let destination = match &to {
            End::Pod(id) => world.pod(*id),
            End::Address(_) | End::Name(_) => None,
        };
        let point = crate::words::sample(world, &to, &traffic_at(&rule.rule.ports, destination))?;
        Some((from, to, point))
    })
}
