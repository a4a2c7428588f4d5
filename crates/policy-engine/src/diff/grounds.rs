//! What decided about a changed connection, before and after.

use super::{ConnectionDiff, DiffEnd, DiffRow, Effect, Shift};
use crate::change::PodName;
use crate::facts::{Addresses, Facts};
use crate::ids::PodId;
use crate::program::Program;
use crate::verdict::{Decision, Verdict};
use net_types::{PortSet, Protocol, Traffic};
use rustc_hash::FxHashSet;
use std::net::IpAddr;

/// Ports of a shift that the same rules decided. A range is asked about at its first port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ground {
    pub traffic: Traffic,
    /// `None` where an end did not exist, or no pod of many was found to have the verdict.
    pub before: Option<Decision>,
    pub after: Option<Decision>,
}

/// One of the pods, or one of the addresses, that an end stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sample {
    Pod(PodId),
    Address(IpAddr),
}

/// Pairs of pods that are asked at most, of a peer that stands for many.
const MOST_ASKED: usize = 4096;

/// A question about one port.
type Packet = (Protocol, u16);

impl ConnectionDiff<'_> {
    /// What decided, for all ports of a row's shift.
    pub fn grounds(&self, row: &DiffRow<'_>, shift: &Shift) -> Vec<Ground> {
        let mut grounds: Vec<Ground> = Vec::new();
        for protocol in Protocol::WITH_PORTS {
            let ranges = shift.traffic.ports(protocol).map(PortSet::ranges);
            for range in ranges.into_iter().flatten() {
                let [before, after] = self.decisions(row, shift, (protocol, range.first()));
                let traffic = Traffic::of(protocol, *range);
                let same = |known: &&mut Ground| {
                    same_causes(known.before, before) && same_causes(known.after, after)
                };
                match grounds.iter_mut().find(same) {
                    Some(known) => known.traffic = known.traffic.union(&traffic),
                    None => grounds.push(Ground { traffic, before, after }),
                }
            }
        }
        grounds
    }

    /// The more open side says which pods it is about; where the other side has them, it is asked
    /// about the same ones.
    fn decisions(&self, row: &DiffRow<'_>, shift: &Shift, packet: Packet) -> [Option<Decision>; 2] {
        let old = (Version::Old, shift.before);
        let new = (Version::New, shift.after);
        match shift.effect() {
            Effect::Tightened => {
                let before = self.decided(old, row, packet, None);
                let after = self.decided(new, row, packet, before.map(|found| found.0));
                [before.map(|found| found.1), after.map(|found| found.1)]
            }
            Effect::Loosened => {
                let after = self.decided(new, row, packet, None);
                let before = self.decided(old, row, packet, after.map(|found| found.0));
                [before.map(|found| found.1), after.map(|found| found.1)]
            }
        }
    }

    /// Two pods of the ends that have the verdict, and their decision.
    fn decided(
        &self,
        (version, verdict): (Version, Verdict),
        row: &DiffRow<'_>,
        packet: Packet,
        like: Option<[Sample; 2]>,
    ) -> Option<([Sample; 2], Decision)> {
        let program = self.program(version);
        let from = self.samples(version, row.from, like.map(|[from, _]| from));
        let to = self.samples(version, row.to, like.map(|[_, to]| to));
        let pairs = from.iter().flat_map(|from| to.iter().map(move |to| [*from, *to]));
        pairs
            .take(MOST_ASKED)
            .filter_map(|pair| {
                let [from, to] = pair.map(|sample| program.sample_facts(sample));
                Some((pair, program.decide_facts(&from?, &to?, packet)))
            })
            .find(|(_, decision)| decision.verdict == verdict)
    }

    fn program(&self, version: Version) -> &Program {
        match version {
            Version::Old => self.old,
            Version::New => self.new,
        }
    }

    /// What to ask about: first what is called like `like` in the other version, then a pod of each
    /// class, then all others.
    fn samples(&self, version: Version, end: DiffEnd<'_>, like: Option<Sample>) -> Vec<Sample> {
        let peer = match end {
            DiffEnd::Outside(addresses) => {
                let first = addresses.ranges().first();
                return first.map(|range| Sample::Address(range.first())).into_iter().collect();
            }
            DiffEnd::Peer(peer) => self.peers.get(peer),
        };
        let (map, index) = match version {
            Version::Old => (&self.old_map, peer.and_then(|peer| peer.old)),
            Version::New => (&self.new_map, peer.and_then(|peer| peer.new)),
        };
        let program = self.program(version);
        let like = like.and_then(|like| match like {
            Sample::Pod(pod) => self.program(version.other()).pod(pod).map(PodName::of),
            Sample::Address(_) => None,
        });
        let mut seen = FxHashSet::default();
        let mut pods: Vec<(u8, PodId)> = index
            .into_iter()
            .flat_map(|index| map.pods(index))
            .map(|pod| {
                let is_first = seen.insert(program.classes.of(pod));
                let is_like = like.is_some() && program.pod(pod).map(PodName::of) == like;
                (if is_like { 0 } else { 2 - u8::from(is_first) }, pod)
            })
            .collect();
        pods.sort_unstable();
        pods.into_iter().map(|(_, pod)| Sample::Pod(pod)).collect()
    }
}

fn same_causes(a: Option<Decision>, b: Option<Decision>) -> bool {
    let causes = |decision: Option<Decision>| {
        decision.map(|decision| {
            [decision.egress, decision.ingress].map(|side| (side.verdict, side.cause))
        })
    };
    causes(a) == causes(b)
}

#[derive(Clone, Copy)]
enum Version {
    Old,
    New,
}

impl Version {
    fn other(self) -> Self {
        match self {
            Self::Old => Self::New,
            Self::New => Self::Old,
        }
    }
}

impl Program {
    fn sample_facts(&self, sample: Sample) -> Option<Facts<'_>> {
        match sample {
            Sample::Pod(pod) => self.pod_facts(pod),
            Sample::Address(address) => Some(self.outside(Addresses::One(address, None))),
        }
    }
}
