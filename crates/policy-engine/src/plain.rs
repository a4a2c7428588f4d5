//! Pairs of plain classes, by the million.
//!
//! Two classes are plain to each other when the question has one reading: neither is on the host
//! network, they share one address family, and no profile of more than 64 rules or network that
//! splits the assumed pod networks is in the way. Then the rules that match are one word for each
//! side, and a pair costs two merges and three look-ups. Everything else takes the general path;
//! both must give the same answer.

use crate::bits::RuleBits;
use crate::classes::{AddressKey, ClassKey};
use crate::decide::{ProtocolRule, decide};
use crate::ids::{ClassId, ProfileId, TermId};
use crate::profile::Profile;
use crate::program::Program;
use crate::semantics::{Reasons, Semantics};
use crate::traffic::PairTraffic;
use net_types::{Family, PortRange, PortSet, Protocol, Traffic};
use policy_model::{ContainerPort, Direction};
use rustc_hash::FxHashMap;
use std::net::IpAddr;
use std::rc::Rc;

/// What a plain pair looks at, gathered so that a row reads memory in order.
#[derive(Debug)]
struct PlainClass<'p> {
    terms: &'p [TermId],
    v4: Option<Address>,
    v6: Option<Address>,
    served: usize,
    egress: PlainSide<'p>,
    ingress: PlainSide<'p>,
}

#[derive(Clone, Copy, Debug)]
enum Address {
    Known(IpAddr),
    Unknown,
}

/// A profile whose rule sets fit one word, with what every pair reads beside it.
#[derive(Clone, Copy, Debug)]
struct PlainProfile<'p> {
    id: ProfileId,
    profile: &'p Profile,
    /// Rules for any peer.
    any: u64,
    /// Sorted by term.
    words: &'p [(TermId, u64)],
    has_networks: bool,
    has_names: bool,
}

/// No profile at all allows everything; one that is too big for a word is asked the general way.
#[derive(Clone, Copy, Debug)]
enum PlainSide<'p> {
    Open,
    Rules(PlainProfile<'p>),
    TooBig,
}

/// What a side allows. Only protocols without ports may be open to readings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct SideTraffic {
    allowed: Traffic,
    /// Protocols without ports are allowed in some reading.
    other_may: bool,
    reasons: Reasons,
}

/// A [`SideTraffic`], by its place in [`Memory::sets`].
type SetIx = u32;

#[derive(Debug)]
pub(crate) struct PlainClasses<'p> {
    program: &'p Program,
    classes: Vec<Option<PlainClass<'p>>>,
    networks_apply: bool,
    memory: Memory,
}

/// By the destination's named ports and the matching rules; `None` where the answer is not settled.
type KnownSides = FxHashMap<(usize, u64), Option<SetIx>>;

/// Answers of sides and of pairs of sides, each computed once.
#[derive(Debug, Default)]
struct Memory {
    sets: Vec<SideTraffic>,
    ids: FxHashMap<SideTraffic, SetIx>,
    /// By profile: few sets of its rules ever match a peer together.
    sides: Vec<KnownSides>,
    pairs: FxHashMap<(SetIx, SetIx), Rc<PairTraffic>>,
}

impl<'p> PlainClasses<'p> {
    pub(crate) fn new(program: &'p Program) -> Self {
        let mut classes: Vec<Option<PlainClass<'p>>> = Vec::new();
        classes.resize_with(program.classes.n_keys(), || None);
        for (class, key, _) in program.classes.live() {
            if let Some(slot) = classes.get_mut(class.index()) {
                *slot = plain_class(program, class, key);
            }
        }
        let networks_apply = program.assumptions.semantics == Semantics::Upstream;
        Self { program, classes, networks_apply, memory: Memory::default() }
    }

    /// `None` where the pair is not plain.
    pub(crate) fn between(&mut self, from: ClassId, to: ClassId) -> Option<Rc<PairTraffic>> {
        let source = self.classes.get(from.index())?.as_ref()?;
        let destination = self.classes.get(to.index())?.as_ref()?;
        let (of_source, of_destination) =
            match (source.v4.zip(destination.v4), source.v6.zip(destination.v6)) {
                (Some(v4), None) => (Place(v4.0, Family::V4), Place(v4.1, Family::V4)),
                (None, Some(v6)) => (Place(v6.0, Family::V6), Place(v6.1, Family::V6)),
                (Some(_), Some(_)) | (None, None) => return None,
            };
        let sides = [
            (source.egress, destination.terms, of_destination),
            (destination.ingress, source.terms, of_source),
        ];
        let [egress, ingress] = sides.map(|(side, terms, place)| match side {
            PlainSide::Open => Some(self.memory.everything()),
            PlainSide::TooBig => None,
            PlainSide::Rules(mine) => {
                let rules = mine.matching(terms, place, self.networks_apply)?;
                self.memory.side(self.program, mine, destination.served, rules)
            }
        });
        Some(self.memory.pair(egress?, ingress?))
    }
}

impl PlainProfile<'_> {
    /// The rules that match the peer; `None` where its unknown address makes a difference.
    fn matching(&self, terms: &[TermId], place: Place, networks_apply: bool) -> Option<u64> {
        let mut rules = self.any;
        let mut mine = self.words.iter();
        let mut next = mine.next();
        for term in terms {
            while let Some((other, word)) = next
                && other <= term
            {
                if other == term {
                    rules |= word;
                }
                next = mine.next();
            }
        }
        if self.has_networks && networks_apply {
            let inside = match place {
                Place(Address::Known(address), _) => self.profile.containing(address)?,
                Place(Address::Unknown, family) => match self.profile.containing_unknown(family) {
                    [only] => only,
                    [] | [_, _, ..] => return None,
                },
            };
            rules |= inside.word()?;
        }
        Some(rules)
    }
}

/// An address in the family that the pair uses.
#[derive(Clone, Copy)]
struct Place(Address, Family);

fn plain_class<'p>(
    program: &'p Program,
    class: ClassId,
    key: &'p ClassKey,
) -> Option<PlainClass<'p>> {
    let pod = program.objects.pod(program.first_pod(class)?)?;
    let known = |family| {
        let address = pod.addresses.iter().find(|address| Family::of(**address) == family);
        address.map(|address| Address::Known(*address))
    };
    let unknown = |family| program.pod_families.contains(&family).then_some(Address::Unknown);
    let (v4, v6) = match key.addresses {
        AddressKey::Known { .. } => (known(Family::V4), known(Family::V6)),
        AddressKey::Unknown => (unknown(Family::V4), unknown(Family::V6)),
        AddressKey::Host(_) => return None,
    };
    let profile = |direction| match program.profile_of(key.policies, direction) {
        Some((id, profile)) if !profile.is_open() => plain_profile(id, profile),
        Some(_) | None => PlainSide::Open,
    };
    Some(PlainClass {
        terms: &key.terms,
        v4,
        v6,
        served: key.ports,
        egress: profile(Direction::Egress),
        ingress: profile(Direction::Ingress),
    })
}

fn plain_profile(id: ProfileId, profile: &Profile) -> PlainSide<'_> {
    match (profile.words(), profile.any().word()) {
        (Some(words), Some(any)) => PlainSide::Rules(PlainProfile {
            id,
            profile,
            any,
            words,
            has_networks: profile.looks_at_addresses(),
            has_names: profile.ports.has_names(),
        }),
        (None, _) | (_, None) => PlainSide::TooBig,
    }
}

impl Memory {
    fn intern(&mut self, traffic: SideTraffic) -> SetIx {
        if let Some(id) = self.ids.get(&traffic) {
            return *id;
        }
        let id = SetIx::try_from(self.sets.len()).unwrap_or(SetIx::MAX);
        self.sets.push(traffic.clone());
        self.ids.insert(traffic, id);
        id
    }

    fn everything(&mut self) -> SetIx {
        self.intern(SideTraffic {
            allowed: Traffic::all(),
            other_may: true,
            reasons: Reasons::NONE,
        })
    }

    fn side(
        &mut self,
        program: &Program,
        mine: PlainProfile<'_>,
        served: usize,
        rules: u64,
    ) -> Option<SetIx> {
        let named = if mine.has_names { served } else { 0 };
        let known = self.sides.get(mine.id.index());
        if let Some(id) = known.and_then(|sides| sides.get(&(named, rules))) {
            return *id;
        }
        let served = program.classes.served(named);
        let id = side_traffic(program, mine.profile, served, rules).map(|set| self.intern(set));
        if self.sides.len() <= mine.id.index() {
            self.sides.resize_with(mine.id.index() + 1, KnownSides::default);
        }
        if let Some(sides) = self.sides.get_mut(mine.id.index()) {
            sides.insert((named, rules), id);
        }
        id
    }

    fn pair(&mut self, egress: SetIx, ingress: SetIx) -> Rc<PairTraffic> {
        if let Some(known) = self.pairs.get(&(egress, ingress)) {
            return Rc::clone(known);
        }
        let set = |ix: SetIx| self.sets.get(ix as usize).cloned().unwrap_or_default();
        let (egress_set, ingress_set) = (set(egress), set(ingress));
        let mut traffic = PairTraffic {
            allowed: egress_set.allowed.intersection(&ingress_set.allowed),
            ..PairTraffic::default()
        };
        if egress_set.other_may && ingress_set.other_may && !traffic.allowed.other {
            traffic.undefined.other = true;
            traffic.reasons = egress_set.reasons.union(ingress_set.reasons);
        }
        let traffic = Rc::new(traffic);
        self.pairs.insert((egress, ingress), Rc::clone(&traffic));
        traffic
    }
}

/// What a side allows when exactly `rules` match its peer; `None` where some port is undefined.
fn side_traffic(
    program: &Program,
    profile: &Profile,
    served: &[ContainerPort],
    rules: u64,
) -> Option<SideTraffic> {
    let matching = RuleBits::of_word(rules);
    let decided = |protocol: ProtocolRule, at_port: &RuleBits| {
        let rules = matching.intersection(at_port);
        decide(profile, &rules, &rules, protocol)
    };
    let mut settled = true;
    let [tcp, udp, sctp] = Protocol::WITH_PORTS.map(|protocol| -> PortSet {
        let mut ranges: Vec<PortRange> = Vec::new();
        profile.ports.cells(protocol, served, |range, at_port| {
            let outcome = decided(ProtocolRule::Defined, at_port);
            settled &= outcome.allow != outcome.deny;
            ranges.extend(outcome.allow.then_some(range));
        });
        ranges.into_iter().collect()
    });
    let other = decided(program.protocol_rule(Protocol::Other(1)), profile.ports.without_ports());
    let allowed = Traffic { tcp, udp, sctp, other: !other.deny };
    let side = SideTraffic { allowed, other_may: other.allow, reasons: other.reasons };
    settled.then_some(side)
}
