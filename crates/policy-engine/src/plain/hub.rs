//! The end that many pairs share, laid out so that each of them is two or three look-ups.
//!
//! A row has one source and a column one destination: the hub. Its terms and the rules of its own side
//! are spread over tables once, instead of being compared with those of every peer.

use crate::ids::{ClassId, ProfileId, TermId};
use crate::profile::Words;

#[derive(Debug)]
pub(super) struct Hub<'p> {
    pub(super) class: Option<ClassId>,
    /// By term: the rules of the hub's own side that have the term as a peer.
    own: Vec<u64>,
    /// By profile of the other side: its rules that have one of the hub's terms as a peer.
    theirs: Vec<u64>,
    /// What `own` was made from.
    words: Words<'p>,
    /// What `theirs` was made from.
    terms: &'p [TermId],
    /// Of the profiles of the other side.
    index: TermIndex,
}

impl<'p> Hub<'p> {
    pub(super) fn new(n_terms: usize, n_profiles: usize, index: TermIndex) -> Self {
        let (own, theirs) = (vec![0; n_terms], vec![0; n_profiles]);
        Self { class: None, own, theirs, words: Words::default(), terms: &[], index }
    }

    /// The rules of the hub's own side that have one of the peer's terms as a peer.
    pub(super) fn own_rules(&self, terms_of_peer: &[TermId]) -> u64 {
        terms_of_peer.iter().fold(0, |rules, term| rules | word(&self.own, term.index()))
    }

    /// The rules of a peer's profile that have the hub as a peer.
    pub(super) fn their_rules(&self, profile: ProfileId) -> u64 {
        word(&self.theirs, profile.index())
    }

    /// Takes the tables back from the class before, and fills them for the next.
    pub(super) fn turn(&mut self, class: ClassId, words: Words<'p>, terms: &'p [TermId]) {
        let index = &self.index;
        for (term, _) in self.words.iter() {
            set(&mut self.own, term.index(), |_| 0);
        }
        for (profile, _) in self.terms.iter().flat_map(|term| index.rules_of(*term)) {
            set(&mut self.theirs, profile.index(), |_| 0);
        }
        (self.class, self.words, self.terms) = (Some(class), words, terms);
        for (term, rules) in words.iter() {
            set(&mut self.own, term.index(), |_| rules);
        }
        for (profile, rules) in terms.iter().flat_map(|term| index.rules_of(*term)) {
            set(&mut self.theirs, profile.index(), |known| known | rules);
        }
    }
}

fn word(table: &[u64], index: usize) -> u64 {
    table.get(index).copied().unwrap_or_default()
}

fn set(table: &mut [u64], index: usize, value: impl FnOnce(u64) -> u64) {
    if let Some(slot) = table.get_mut(index) {
        *slot = value(*slot);
    }
}

/// By term: the rules of profiles of one direction that have it as a peer.
#[derive(Debug)]
pub(super) struct TermIndex {
    /// By term: where its entries begin. One more than there are terms.
    starts: Vec<usize>,
    entries: Vec<(ProfileId, u64)>,
}

impl TermIndex {
    pub(super) fn new(n_terms: usize, profiles: &[(ProfileId, Words<'_>)]) -> Self {
        let mut starts = vec![0; n_terms + 1];
        let all = || profiles.iter().flat_map(|(id, words)| words.iter().map(|word| (*id, word)));
        for (_, (term, _)) in all() {
            if let Some(count) = starts.get_mut(term.index() + 1) {
                *count += 1;
            }
        }
        let mut n_before = 0;
        for start in &mut starts {
            n_before += *start;
            *start = n_before;
        }
        let mut next = starts.clone();
        let mut entries = vec![(ProfileId::from_index(0), 0); n_before];
        for (profile, (term, rules)) in all() {
            if let Some(place) = next.get_mut(term.index()) {
                if let Some(entry) = entries.get_mut(*place) {
                    *entry = (profile, rules);
                }
                *place += 1;
            }
        }
        Self { starts, entries }
    }

    fn rules_of(&self, term: TermId) -> &[(ProfileId, u64)] {
        match self.starts.get(term.index()..term.index() + 2) {
            Some([start, end]) => self.entries.get(*start..*end).unwrap_or_default(),
            Some(_) | None => &[],
        }
    }
}
