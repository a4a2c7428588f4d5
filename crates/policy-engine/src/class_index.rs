//! Which classes are worth asking about.
//!
//! Most pairs of a segmented cluster are denied, so nobody asks about them: the classes that the
//! source's rules accept are intersected with the classes whose rules accept the source, and only
//! what is in both is evaluated.

use crate::classes::{AddressKey, ClassKey};
use crate::ids::{ClassId, TermId};
use crate::profile::Profile;
use crate::program::Program;
use policy_model::Direction;
use roaring::RoaringBitmap;

/// Which classes terms select, and which classes' rules accept terms. Kept up to date as classes come
/// and go.
#[derive(Clone, Debug, Default)]
pub(crate) struct ClassIndex {
    all: RoaringBitmap,
    /// By term: the classes that it selects or whose addresses it contains.
    selected: Vec<RoaringBitmap>,
    /// Classes that networks or nodes peers may match by addresses that are not in their key.
    unsettled: RoaringBitmap,
    ingress: DirectionIndex,
    egress: DirectionIndex,
}

#[derive(Clone, Debug, Default)]
struct DirectionIndex {
    /// By term: the classes whose rules accept it.
    accepting: Vec<RoaringBitmap>,
    /// Classes that may allow peers that no term selects.
    anyone: RoaringBitmap,
    /// Classes whose rules look at addresses or nodes.
    by_address: RoaringBitmap,
}

impl ClassIndex {
    fn direction_mut(&mut self, direction: Direction) -> &mut DirectionIndex {
        match direction {
            Direction::Ingress => &mut self.ingress,
            Direction::Egress => &mut self.egress,
        }
    }

    fn direction(&self, direction: Direction) -> &DirectionIndex {
        match direction {
            Direction::Ingress => &self.ingress,
            Direction::Egress => &self.egress,
        }
    }
}

impl DirectionIndex {
    fn mark(&mut self, profile: &Profile, beyond_pods: bool, key: &ClassKey, mark: Mark) {
        if profile.may_allow_anyone() || key.host.is_some() {
            mark.on(&mut self.anyone);
            return;
        }
        if beyond_pods {
            mark.on(&mut self.by_address);
        }
        for term in profile.accepting_terms().chain(profile.network_terms().iter().copied()) {
            mark.on_term(&mut self.accepting, term);
        }
    }
}

/// Adds a class to sets, or takes it out of them.
#[derive(Clone, Copy)]
struct Mark {
    class: ClassId,
    present: bool,
}

impl Mark {
    fn on(self, set: &mut RoaringBitmap) {
        if self.present {
            set.insert(self.class.0);
        } else {
            set.remove(self.class.0);
        }
    }

    fn on_term(self, table: &mut Vec<RoaringBitmap>, term: TermId) {
        if table.len() <= term.index() {
            table.resize_with(term.index() + 1, RoaringBitmap::new);
        }
        if let Some(set) = table.get_mut(term.index()) {
            self.on(set);
        }
    }
}

/// Networks or nodes peers, which match host-network pods and pods whose address is not known.
fn looks_beyond_pods(program: &Program, profile: &Profile) -> bool {
    profile.looks_at_addresses()
        || profile.accepting_terms().any(|term| program.terms.is_nodes(term))
}

fn network_terms(key: &ClassKey) -> impl Iterator<Item = &TermId> {
    let known = match &key.addresses {
        AddressKey::Known { v4, v6 } => [v4.as_deref(), v6.as_deref()],
        AddressKey::Unknown | AddressKey::Host(_) => [None, None],
    };
    known.into_iter().flatten().flatten()
}

impl Program {
    /// A class has its first pod, or has lost its last.
    pub(crate) fn index_class(&mut self, class: ClassId, present: bool) {
        let Some(key) = self.classes.key(class) else { return };
        let mark = Mark { class, present };
        let mut index = std::mem::take(&mut self.index);
        mark.on(&mut index.all);
        for term in key.terms.iter().chain(network_terms(key)) {
            mark.on_term(&mut index.selected, *term);
        }
        if !matches!(key.addresses, AddressKey::Known { .. }) {
            mark.on(&mut index.unsettled);
        }
        for direction in Direction::BOTH {
            if let Some((_, profile)) = self.profile_of(key.policies, direction) {
                let beyond_pods = looks_beyond_pods(self, profile);
                index.direction_mut(direction).mark(profile, beyond_pods, key, mark);
            }
        }
        self.index = index;
    }

    /// Classes worth asking about as peers of a class whose own side is `direction`: every other
    /// class is denied on one side.
    pub(crate) fn candidates(&self, direction: Direction, key: &ClassKey) -> RoaringBitmap {
        let index = &self.index;
        // Traffic from a node to its own pods needs no rule.
        let is_exempt = key.host.is_some() && direction == Direction::Egress;
        if is_exempt {
            return index.all.clone();
        }
        let (mine, theirs) = match direction {
            Direction::Egress => (Direction::Egress, index.direction(Direction::Ingress)),
            Direction::Ingress => (Direction::Ingress, index.direction(Direction::Egress)),
        };
        let mut accept_me = theirs.anyone.clone();
        for term in key.terms.iter().chain(network_terms(key)) {
            if let Some(classes) = theirs.accepting.get(term.index()) {
                accept_me |= classes;
            }
        }
        if !matches!(key.addresses, AddressKey::Known { .. }) {
            accept_me |= &theirs.by_address;
        }
        let Some((_, profile)) = self.profile_of(key.policies, mine) else { return accept_me };
        if profile.may_allow_anyone() || key.host.is_some() {
            return accept_me;
        }
        let mut accepted = RoaringBitmap::new();
        for term in profile.accepting_terms().chain(profile.network_terms().iter().copied()) {
            if let Some(classes) = index.selected.get(term.index()) {
                accepted |= classes;
            }
        }
        if looks_beyond_pods(self, profile) || direction == Direction::Ingress {
            accepted |= &index.unsettled;
        }
        accepted & accept_me
    }
}
