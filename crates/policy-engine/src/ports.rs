//! Which rules of a profile match a protocol and a port.
//!
//! Numbers are cut into intervals once, when the profile is made. Names are resolved on the
//! destination pod, so they are laid over the intervals for each destination.

use crate::bits::RuleBits;
use net_types::{PortRange, Protocol};
use policy_model::{ContainerPort, PortMatch, Ports};

/// The intervals of one protocol: ascending starts, the first is 1, each up to the next.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Intervals {
    cells: Vec<(u16, RuleBits)>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct NamedPort {
    name: String,
    /// `None`: whatever protocol the pod gives the name.
    protocol: Option<Protocol>,
    rules: RuleBits,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct PortTable {
    tcp: Intervals,
    udp: Intervals,
    sctp: Intervals,
    /// Rules that speak of all traffic, and so also of protocols without ports.
    all: RuleBits,
    named: Vec<NamedPort>,
}

impl PortTable {
    /// `ports` in the profile's rule order.
    pub(crate) fn new<'a>(ports: impl Iterator<Item = &'a Ports>) -> Self {
        let mut all = RuleBits::default();
        let mut numbers: Vec<(Protocol, PortRange, usize)> = Vec::new();
        let mut named: Vec<NamedPort> = Vec::new();
        for (rule, ports) in ports.enumerate() {
            let Ports::Listed(specs) = ports else {
                all.insert(rule);
                continue;
            };
            for spec in specs {
                match &spec.matches {
                    PortMatch::Numbers { protocol, range } => {
                        numbers.push((*protocol, *range, rule));
                    }
                    PortMatch::Named { protocol, name } => {
                        add_name(&mut named, name, *protocol, rule)
                    }
                }
            }
        }
        let of = |protocol| Intervals::new(&numbers, protocol, &all);
        Self {
            tcp: of(Protocol::Tcp),
            udp: of(Protocol::Udp),
            sctp: of(Protocol::Sctp),
            all,
            named,
        }
    }

    pub(crate) fn has_names(&self) -> bool {
        !self.named.is_empty()
    }

    /// The rules that match a packet to `port`, whose destination pod serves `served`.
    pub(crate) fn at(&self, protocol: Protocol, port: u16, served: &[ContainerPort]) -> RuleBits {
        let mut rules = match self.intervals(protocol) {
            Some(intervals) => intervals.at(port).clone(),
            None => return self.all.clone(),
        };
        for named in self.names_served_at(protocol, port, served) {
            rules.union_with(&named.rules);
        }
        rules
    }

    pub(crate) fn without_ports(&self) -> &RuleBits {
        &self.all
    }

    /// All ports of a protocol that has them, cut where the matching rules change.
    pub(crate) fn cells(
        &self,
        protocol: Protocol,
        served: &[ContainerPort],
        mut visit: impl FnMut(PortRange, &RuleBits),
    ) {
        let Some(intervals) = self.intervals(protocol) else { return };
        let mut cuts: Vec<u16> = served
            .iter()
            .filter(|port| port.protocol == protocol && self.named.iter().any(|n| n.fits(port)))
            .flat_map(|port| [Some(port.port), port.port.checked_add(1)])
            .flatten()
            .collect();
        if cuts.is_empty() {
            intervals.ranges().for_each(|(range, rules)| visit(range, rules));
            return;
        }
        cuts.extend(intervals.cells.iter().map(|(start, _)| *start));
        cuts.sort_unstable();
        cuts.dedup();
        for (index, first) in cuts.iter().enumerate() {
            let last = cuts.get(index + 1).map_or(u16::MAX, |next| next - 1);
            if let Some(range) = PortRange::new(*first, last) {
                visit(range, &self.at(protocol, *first, served));
            }
        }
    }

    fn names_served_at<'a>(
        &'a self,
        protocol: Protocol,
        port: u16,
        served: &'a [ContainerPort],
    ) -> impl Iterator<Item = &'a NamedPort> {
        self.named.iter().filter(move |named| {
            served.iter().any(|served| {
                served.port == port && served.protocol == protocol && named.fits(served)
            })
        })
    }

    fn intervals(&self, protocol: Protocol) -> Option<&Intervals> {
        match protocol {
            Protocol::Tcp => Some(&self.tcp),
            Protocol::Udp => Some(&self.udp),
            Protocol::Sctp => Some(&self.sctp),
            Protocol::Other(_) => None,
        }
    }
}

impl NamedPort {
    fn fits(&self, served: &ContainerPort) -> bool {
        served.name.as_deref() == Some(self.name.as_str())
            && self.protocol.is_none_or(|protocol| protocol == served.protocol)
    }
}

fn add_name(named: &mut Vec<NamedPort>, name: &str, protocol: Option<Protocol>, rule: usize) {
    match named.iter_mut().find(|other| other.name == name && other.protocol == protocol) {
        Some(known) => known.rules.insert(rule),
        None => named.push(NamedPort {
            name: name.to_owned(),
            protocol,
            rules: std::iter::once(rule).collect(),
        }),
    }
}

impl Intervals {
    fn new(numbers: &[(Protocol, PortRange, usize)], protocol: Protocol, all: &RuleBits) -> Self {
        let of_protocol = || numbers.iter().filter(|(of, _, _)| *of == protocol);
        let mut starts: Vec<u16> = vec![1];
        for (_, range, _) in of_protocol() {
            starts.push(range.first());
            starts.extend(range.last().checked_add(1));
        }
        starts.sort_unstable();
        starts.dedup();
        let mut cells: Vec<(u16, RuleBits)> = Vec::with_capacity(starts.len());
        for start in starts {
            let mut rules = all.clone();
            for (_, range, rule) in of_protocol() {
                if range.contains(start) {
                    rules.insert(*rule);
                }
            }
            if cells.last().is_none_or(|(_, previous)| *previous != rules) {
                cells.push((start, rules));
            }
        }
        Self { cells }
    }

    fn at(&self, port: u16) -> &RuleBits {
        static NONE: RuleBits = RuleBits::EMPTY;
        let after = self.cells.partition_point(|(start, _)| *start <= port);
        after.checked_sub(1).and_then(|at| self.cells.get(at)).map_or(&NONE, |(_, rules)| rules)
    }

    fn ranges(&self) -> impl Iterator<Item = (PortRange, &RuleBits)> {
        self.cells.iter().enumerate().filter_map(|(index, (first, rules))| {
            let last = self.cells.get(index + 1).map_or(u16::MAX, |(next, _)| next - 1);
            PortRange::new(*first, last).map(|range| (range, rules))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use policy_model::PortSpec;

    fn listed(matches: Vec<PortMatch>) -> Ports {
        Ports::Listed(matches.into_iter().map(|matches| PortSpec { matches, span: None }).collect())
    }

    fn numbers(protocol: Protocol, first: u16, last: u16) -> PortMatch {
        PortMatch::Numbers { protocol, range: PortRange::new(first, last).unwrap() }
    }

    fn rules(bits: &RuleBits) -> Vec<usize> {
        bits.iter().collect()
    }

    #[test]
    fn a_udp_rule_says_nothing_of_tcp() {
        let table = PortTable::new([listed(vec![numbers(Protocol::Udp, 1, 65535)])].iter());
        assert_eq!(rules(&table.at(Protocol::Udp, 53, &[])), [0]);
        assert!(rules(&table.at(Protocol::Tcp, 80, &[])).is_empty());
        assert!(rules(&table.at(Protocol::Other(1), 0, &[])).is_empty());
    }

    #[test]
    fn a_name_with_two_numbers_matches_both_with_their_protocols() {
        let port = |name: &str, protocol, port| ContainerPort {
            name: Some(name.to_owned()),
            protocol,
            port,
        };
        let served = [
            port("dns", Protocol::Tcp, 53),
            port("dns", Protocol::Udp, 53),
            port("dns", Protocol::Udp, 5353),
            port("web", Protocol::Tcp, 80),
        ];
        let rule =
            listed(vec![PortMatch::Named { protocol: Some(Protocol::Udp), name: "dns".into() }]);
        let table = PortTable::new([rule, Ports::All].iter());
        assert_eq!(rules(&table.at(Protocol::Udp, 5353, &served)), [0, 1]);
        assert_eq!(rules(&table.at(Protocol::Tcp, 53, &served)), [1]);
        assert_eq!(rules(&table.at(Protocol::Udp, 5353, &[])), [1]);
        let mut cells = Vec::new();
        table.cells(Protocol::Udp, &served, |range, bits| {
            cells.push(format!("{range}:{:?}", rules(bits)));
        });
        assert_eq!(
            cells,
            ["1-52:[1]", "53:[0, 1]", "54-5352:[1]", "5353:[0, 1]", "5354-65535:[1]"]
        );
    }
}
