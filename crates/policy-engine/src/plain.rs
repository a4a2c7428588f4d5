//! Pairs of plain classes, by the million.
//!
//! Two classes are plain to each other when the question has one reading: neither is on the host
//! network, they share one address family, and no profile of more than 64 rules or network that
//! splits the assumed pod networks is in the way. Then the rules that match are one word for each
//! side. Everything else takes the general path; both must give the same answer.

mod hub;
mod memory;

use crate::classes::{AddressKey, ClassKey};
use crate::ids::{ClassId, ProfileId, ShapeId, TermId};
use crate::profile::{Profile, Words};
use crate::program::Program;
use crate::semantics::Semantics;
use crate::traffic::PairTraffic;
use hub::{Hub, TermIndex};
use memory::Memory;
use net_types::Family;
use policy_model::Direction;
use std::net::IpAddr;
use std::rc::Rc;

#[derive(Debug)]
pub(crate) struct PlainClasses<'p> {
    program: &'p Program,
    /// By class.
    classes: Vec<Option<PlainClass>>,
    /// The terms of all plain classes, one class after the other.
    terms: Vec<TermId>,
    networks_apply: bool,
    /// For rows and for columns; each is made when it is first needed.
    source: Option<Hub<'p>>,
    destination: Option<Hub<'p>>,
    memory: Memory,
}

/// What a plain pair looks at; small, because a row reads one for each pair.
#[derive(Clone, Copy, Debug)]
struct PlainClass {
    /// Where its terms begin and end in [`PlainClasses::terms`].
    terms: (usize, usize),
    v4: Option<Address>,
    v6: Option<Address>,
    served: usize,
    ingress: PlainSide,
    egress: PlainSide,
}

#[derive(Clone, Copy, Debug)]
enum Address {
    Known(IpAddr),
    Unknown,
}

/// No profile at all allows everything; one that is too big for a word is asked the general way.
#[derive(Clone, Copy, Debug)]
enum PlainSide {
    Open,
    Rules(PlainProfile),
    TooBig,
}

/// A profile whose rule sets fit one word.
#[derive(Clone, Copy, Debug)]
struct PlainProfile {
    id: ProfileId,
    shape: ShapeId,
    /// Rules for any peer.
    any: u64,
    has_networks: bool,
    has_names: bool,
}

impl PlainClass {
    fn side(&self, direction: Direction) -> PlainSide {
        match direction {
            Direction::Ingress => self.ingress,
            Direction::Egress => self.egress,
        }
    }
}

impl<'p> PlainClasses<'p> {
    pub(crate) fn new(program: &'p Program) -> Self {
        let mut classes: Vec<Option<PlainClass>> = vec![None; program.classes.n_keys()];
        let mut terms = Vec::new();
        for (class, key, _) in program.classes.live() {
            if let Some(slot) = classes.get_mut(class.index()) {
                *slot = plain_class(program, class, key, &mut terms);
            }
        }
        Self {
            program,
            classes,
            terms,
            networks_apply: program.assumptions.semantics == Semantics::Upstream,
            source: None,
            destination: None,
            memory: Memory::new(),
        }
    }

    /// Between the hub, which is the source where `own` is egress, and a peer. `None` where the pair is
    /// not plain. Quick as long as the hub stays the same.
    pub(crate) fn between(
        &mut self,
        (hub, own): (ClassId, Direction),
        peer: ClassId,
    ) -> Option<Rc<PairTraffic>> {
        let of_hub = self.classes.get(hub.index())?.as_ref()?;
        let of_peer = self.classes.get(peer.index())?.as_ref()?;
        let (place_of_hub, place_of_peer) = places(of_hub, of_peer)?;
        let (table, theirs, served) = match own {
            Direction::Egress => (&mut self.source, Direction::Ingress, of_peer.served),
            Direction::Ingress => (&mut self.destination, Direction::Egress, of_hub.served),
        };
        let table = table.get_or_insert_with(|| new_hub(self.program, &self.classes, theirs));
        if table.class != Some(hub) {
            let (words, terms) = own_words(self.program, hub, own);
            table.turn(hub, words, terms);
        }
        let mut side = |side: PlainSide, by_term: &dyn Fn(ProfileId) -> u64, place| match side {
            PlainSide::Open => Some(Memory::EVERYTHING),
            PlainSide::TooBig => None,
            PlainSide::Rules(mine) => {
                let mut rules = mine.any | by_term(mine.id);
                if mine.has_networks && self.networks_apply {
                    rules |= rules_at(self.program.profile(mine.id)?, place)?;
                }
                let served = if mine.has_names { served } else { 0 };
                self.memory.side(self.program, mine.shape, served, rules)
            }
        };
        let (start, end) = of_peer.terms;
        let terms_of_peer = self.terms.get(start..end).unwrap_or_default();
        let own_rules = |_| table.own_rules(terms_of_peer);
        let own_side = side(of_hub.side(own), &own_rules, place_of_peer)?;
        let their_rules = |profile| table.their_rules(profile);
        let their_side = side(of_peer.side(theirs), &their_rules, place_of_hub)?;
        let (egress, ingress) = match own {
            Direction::Egress => (own_side, their_side),
            Direction::Ingress => (their_side, own_side),
        };
        Some(self.memory.pair(egress, ingress))
    }
}

/// The addresses in the only family that both have.
fn places(a: &PlainClass, b: &PlainClass) -> Option<(Place, Place)> {
    let at = |family, (a, b)| (Place(a, family), Place(b, family));
    match (a.v4.zip(b.v4), a.v6.zip(b.v6)) {
        (Some(v4), None) => Some(at(Family::V4, v4)),
        (None, Some(v6)) => Some(at(Family::V6, v6)),
        (Some(_), Some(_)) | (None, None) => None,
    }
}

/// An address in the family that the pair uses.
#[derive(Clone, Copy)]
struct Place(Address, Family);

/// The rules whose networks contain the peer; `None` where its unknown address makes a difference.
fn rules_at(profile: &Profile, Place(address, family): Place) -> Option<u64> {
    let inside = match address {
        Address::Known(address) => profile.containing(address)?,
        Address::Unknown => match profile.containing_unknown(family) {
            [only] => only,
            [] | [_, _, ..] => return None,
        },
    };
    inside.word()
}

/// `theirs` is the side of the peers.
fn new_hub<'p>(program: &'p Program, classes: &[Option<PlainClass>], theirs: Direction) -> Hub<'p> {
    let mut is_known = vec![false; program.n_profiles()];
    let mut profiles = Vec::new();
    for class in classes.iter().flatten() {
        if let PlainSide::Rules(PlainProfile { id, .. }) = class.side(theirs)
            && let Some(is_known) = is_known.get_mut(id.index())
            && !std::mem::replace(is_known, true)
            && let Some(words) = program.profile(id).and_then(|profile| profile.words())
        {
            profiles.push((id, words));
        }
    }
    let index = TermIndex::new(program.terms.len(), &profiles);
    Hub::new(program.terms.len(), program.n_profiles(), index)
}

/// The rules of a class's own side, and its terms.
fn own_words(program: &Program, class: ClassId, own: Direction) -> (Words<'_>, &[TermId]) {
    let Some(key) = program.classes.key(class) else { return Default::default() };
    let profile = program.profile_of(key.policies, own);
    let words = profile.and_then(|(_, profile)| profile.words());
    (words.unwrap_or_default(), &key.terms)
}

fn plain_class(
    program: &Program,
    class: ClassId,
    key: &ClassKey,
    terms: &mut Vec<TermId>,
) -> Option<PlainClass> {
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
    let side = |direction| match program.profile_of(key.policies, direction) {
        Some((id, profile)) if !profile.is_open() => plain_profile(id, profile),
        Some(_) | None => PlainSide::Open,
    };
    let start = terms.len();
    terms.extend_from_slice(&key.terms);
    Some(PlainClass {
        terms: (start, terms.len()),
        v4,
        v6,
        served: key.ports,
        ingress: side(Direction::Ingress),
        egress: side(Direction::Egress),
    })
}

fn plain_profile(id: ProfileId, profile: &Profile) -> PlainSide {
    match (profile.words(), profile.any().word()) {
        (Some(_), Some(any)) => PlainSide::Rules(PlainProfile {
            id,
            shape: profile.shape_id,
            any,
            has_networks: profile.looks_at_addresses(),
            has_names: profile.shape.ports.has_names(),
        }),
        (None, _) | (_, None) => PlainSide::TooBig,
    }
}
