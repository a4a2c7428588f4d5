//! The verdict of a profile, exactly as the kernel program computes it.

use crate::numbers::{AddressClass, PortClass};
use crate::profile::{ProfileTable, Row, RuleWord};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub allow: bool,
    /// The bit that decided. `None`: no rule did, which allows.
    pub rule: Option<usize>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evaluated {
    /// Every rule that matches, of all modes, as bits.
    pub vector: Vec<u64>,
    /// By the enforced policies: what is done.
    pub enforced: Outcome,
    /// With the observed ones beside them.
    pub observed: Outcome,
    /// With the staged ones as well.
    pub staged: Outcome,
}

impl Evaluated {
    /// The bits of the rules that match, in the order in which they decide.
    pub fn matching(&self) -> impl Iterator<Item = usize> + '_ {
        let words = self.vector.iter().enumerate();
        words.flat_map(|(index, word)| {
            (0..64).filter(move |bit| word >> bit & 1 == 1).map(move |bit| index * 64 + bit)
        })
    }
}

impl ProfileTable {
    pub fn evaluate(&self, peer: AddressClass, port: PortClass) -> Evaluated {
        let peers = self.peer_rows.get(&peer);
        let ports = self.port_rows.get(&port);
        let word_of = |row: Option<&Row>, index: usize| {
            row.and_then(|row| row.get(index)).copied().unwrap_or_default()
        };
        let words = self.words().iter().enumerate();
        let vector: Vec<u64> = words
            .map(|(index, word)| {
                (word_of(peers, index) | word.any_peer) & (word_of(ports, index) | word.all_ports)
            })
            .collect();
        Evaluated {
            enforced: self.decide(&vector, |word| word.enforced),
            observed: self.decide(&vector, |word| word.enforced | word.observed),
            staged: self.decide(&vector, |word| word.enforced | word.observed | word.staged),
            vector,
        }
    }

    fn decide(&self, vector: &[u64], mask: fn(&RuleWord) -> u64) -> Outcome {
        let allowed_by_none = Outcome { allow: true, rule: None };
        let Some(mut rule) = self.first(vector, mask, 0) else { return allowed_by_none };
        if self.has(rule, |word| word.passes) {
            if rule >= self.admin_end() {
                return allowed_by_none;
            }
            let Some(behind) = self.first(vector, mask, self.admin_end()) else {
                return allowed_by_none;
            };
            if self.has(behind, |word| word.passes) {
                return allowed_by_none;
            }
            rule = behind;
        }
        Outcome { allow: !self.has(rule, |word| word.denies), rule: Some(rule) }
    }

    /// The first matching rule of a mode at or behind `from`.
    fn first(&self, vector: &[u64], mask: fn(&RuleWord) -> u64, from: usize) -> Option<usize> {
        let words = self.words().iter().zip(vector).enumerate().skip(from / 64);
        words
            .filter_map(|(index, (word, bits))| {
                let before = if index == from / 64 { (1_u64 << (from % 64)) - 1 } else { 0 };
                let found = mask(word) & bits & !before;
                (found != 0).then(|| index * 64 + found.trailing_zeros() as usize)
            })
            .next()
    }

    fn has(&self, rule: usize, mask: fn(&RuleWord) -> u64) -> bool {
        self.words().get(rule / 64).is_some_and(|word| mask(word) >> (rule % 64) & 1 == 1)
    }
}
