//! Features: everything that the rules of local pods can tell of a peer. A class of addresses is the
//! set of features that they have.

use crate::numbers::{FeatureNumber, Numbers};
use net_types::Protocol;
use policy_engine::{Program, Term, TermId};
use policy_model::ContainerPort;
use std::collections::BTreeSet;
use std::sync::Arc;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Feature {
    /// A selector or network matches it.
    Term(Arc<Term>),
    /// It serves a port by a name that an egress rule gives.
    Served(ContainerPort),
}

/// A port as a rule names it. `protocol: None`: the pod's own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PortName {
    pub(crate) protocol: Option<Protocol>,
    pub(crate) name: String,
}

impl PortName {
    pub(crate) fn fits(&self, served: &ContainerPort) -> bool {
        served.name.as_deref() == Some(self.name.as_str())
            && self.protocol.is_none_or(|protocol| protocol == served.protocol)
    }
}

/// The numbers of features that are in use.
#[derive(Clone, Debug)]
pub(crate) struct Features {
    numbers: Numbers<Feature, FeatureNumber>,
    /// By the program's number of the term; valid for the program of this build only.
    of_term: Vec<Option<FeatureNumber>>,
}

impl Features {
    /// `Err` holds how many features there would be.
    pub(crate) fn new(
        program: &Program,
        terms: &BTreeSet<TermId>,
        served: BTreeSet<ContainerPort>,
        previous: Option<&Self>,
    ) -> Result<Self, usize> {
        let known = |term: &TermId| program.term(*term).map(|term| Feature::Term(Arc::clone(term)));
        let wanted = terms.iter().filter_map(known).chain(served.into_iter().map(Feature::Served));
        let wanted: BTreeSet<Feature> = wanted.collect();
        let n_features = wanted.len();
        let numbers =
            Numbers::anew(previous.map(|previous| &previous.numbers), wanted).ok_or(n_features)?;
        let n_terms = terms.last().map_or(0, |last| last.index() + 1);
        let mut of_term = vec![None; n_terms];
        for term in terms {
            let number = known(term).and_then(|feature| numbers.number(&feature));
            if let Some(slot) = of_term.get_mut(term.index()) {
                *slot = number;
            }
        }
        Ok(Self { numbers, of_term })
    }

    /// The same features, by the same numbers.
    pub(crate) fn mean_the_same(&self, other: &Self) -> bool {
        self.numbers.iter().eq(other.numbers.iter())
    }

    /// `None` for a term that no rule of a local pod names.
    pub(crate) fn of_term(&self, term: TermId) -> Option<FeatureNumber> {
        self.of_term.get(term.index()).copied().flatten()
    }

    pub(crate) fn of_served(&self, port: &ContainerPort) -> Option<FeatureNumber> {
        self.numbers.number(&Feature::Served(port.clone()))
    }

    /// All served ports, with their numbers.
    pub(crate) fn served(&self) -> impl Iterator<Item = (&ContainerPort, FeatureNumber)> {
        self.numbers.iter().filter_map(|(feature, number)| match feature {
            Feature::Served(port) => Some((port, number)),
            Feature::Term(_) => None,
        })
    }

    /// The terms in use.
    pub(crate) fn terms(&self) -> impl Iterator<Item = (&Term, FeatureNumber)> {
        self.numbers.iter().filter_map(|(feature, number)| match feature {
            Feature::Term(term) => Some((term.as_ref(), number)),
            Feature::Served(_) => None,
        })
    }
}
