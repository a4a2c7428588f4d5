//! Peer terms: what rules can select, interned so that equal selectors are matched once.

use crate::ids::{Interner, PodId, TermId};
use crate::objects::Objects;
use net_types::AddressSet;
use policy_model::{LabelSelector, NamespaceScope, Network};
use roaring::RoaringBitmap;
use std::sync::Arc;

/// Something that a rule's peer can select.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Term {
    /// Pods by namespace and labels.
    Pods { namespaces: NamespaceScope, pods: LabelSelector },
    /// Addresses.
    Network(Network),
    /// Nodes by labels.
    Nodes(LabelSelector),
}

/// All terms, with the pods that each `Pods` term selects: host-network pods too, which the rules
/// of some kinds leave out later.
#[derive(Clone, Debug, Default)]
pub(crate) struct Terms {
    interner: Interner<Term>,
    members: Vec<RoaringBitmap>,
    n_networks: usize,
}

impl Terms {
    pub(crate) fn intern(&mut self, term: Term, objects: &Objects) -> TermId {
        let id = self.interner.intern(term);
        if id == self.members.len() {
            let members = match self.interner.values().get(id).map(AsRef::as_ref) {
                Some(Term::Pods { namespaces, pods }) => objects.select(namespaces, pods),
                Some(Term::Network(_)) => {
                    self.n_networks += 1;
                    RoaringBitmap::new()
                }
                Some(Term::Nodes(_)) | None => RoaringBitmap::new(),
            };
            self.members.push(members);
        }
        TermId::from_index(id)
    }

    pub(crate) fn of_nodes(&self) -> impl Iterator<Item = (TermId, &LabelSelector)> {
        self.iter().filter_map(|(id, term)| match term {
            Term::Nodes(selector) => Some((id, selector)),
            Term::Pods { .. } | Term::Network(_) => None,
        })
    }

    pub(crate) fn is_nodes(&self, id: TermId) -> bool {
        matches!(self.term(id), Some(Term::Nodes(_)))
    }

    pub(crate) fn term(&self, id: TermId) -> Option<&Term> {
        self.interner.values().get(id.index()).map(AsRef::as_ref)
    }

    pub(crate) fn shared(&self, id: TermId) -> Option<&Arc<Term>> {
        self.interner.values().get(id.index())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (TermId, &Term)> {
        self.interner
            .values()
            .iter()
            .enumerate()
            .map(|(index, term)| (TermId::from_index(index), term.as_ref()))
    }

    pub(crate) fn members(&self, id: TermId) -> Option<&RoaringBitmap> {
        self.members.get(id.index())
    }

    pub(crate) fn n_networks(&self) -> usize {
        self.n_networks
    }

    pub(crate) fn len(&self) -> usize {
        self.members.len()
    }

    /// A new pod joins the terms that select it.
    pub(crate) fn add_pod(&mut self, id: PodId, objects: &Objects) {
        for (term, members) in self.interner.values().iter().zip(&mut self.members) {
            if let Term::Pods { namespaces, pods } = term.as_ref()
                && objects.selects(namespaces, pods, id)
            {
                members.insert(id.0);
            }
        }
    }

    /// The labels of a namespace have changed, in which `pods` are.
    pub(crate) fn rescope(&mut self, name: &str, pods: &RoaringBitmap, objects: &Objects) {
        let own = NamespaceScope::Own(name.to_owned());
        let Some(labels) = objects.namespaces.get(name).map(|namespace| &namespace.labels) else {
            return;
        };
        for (term, members) in self.interner.values().iter().zip(&mut self.members) {
            if let Term::Pods { namespaces: NamespaceScope::Selected(selector), pods: of } =
                term.as_ref()
            {
                *members -= pods;
                if selector.matches(labels) {
                    *members |= objects.select(&own, of);
                }
            }
        }
    }

    pub(crate) fn remove_pod(&mut self, id: PodId) {
        for members in &mut self.members {
            members.remove(id.0);
        }
    }
}

/// The addresses of `block` without `except`.
pub(crate) fn addresses(network: &Network) -> AddressSet {
    let except: AddressSet = network.except.iter().map(|net| (*net).into()).collect();
    AddressSet::from(network.block).difference(&except)
}
