//! A set of rules of one profile, as bits in precedence order.

use smallvec::SmallVec;
use std::ops::Range;

const WORD: usize = u64::BITS as usize;

/// Bit `n` stands for the profile's rule `n`; trailing zero words are not kept, so that equal sets
/// are equal whatever they were made from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct RuleBits {
    words: SmallVec<[u64; 2]>,
}

impl RuleBits {
    pub(crate) const EMPTY: Self = Self { words: SmallVec::new_const() };

    pub(crate) fn insert(&mut self, rule: usize) {
        let word = rule / WORD;
        if self.words.len() <= word {
            self.words.resize(word + 1, 0);
        }
        if let Some(slot) = self.words.get_mut(word) {
            *slot |= 1 << (rule % WORD);
        }
    }

    /// Rules 0 to 63.
    pub(crate) fn of_word(word: u64) -> Self {
        let words = if word == 0 { SmallVec::new() } else { SmallVec::from_slice(&[word]) };
        Self { words }
    }

    /// The set as one word, if no rule is above 63.
    pub(crate) fn word(&self) -> Option<u64> {
        match self.words.as_slice() {
            [] => Some(0),
            [word] => Some(*word),
            [_, _, ..] => None,
        }
    }

    pub(crate) fn contains(&self, rule: usize) -> bool {
        self.words.get(rule / WORD).is_some_and(|word| word & (1 << (rule % WORD)) != 0)
    }

    pub(crate) fn union_with(&mut self, other: &Self) {
        if self.words.len() < other.words.len() {
            self.words.resize(other.words.len(), 0);
        }
        for (mine, theirs) in self.words.iter_mut().zip(&other.words) {
            *mine |= theirs;
        }
    }

    pub(crate) fn intersection(&self, other: &Self) -> Self {
        let mut words: SmallVec<[u64; 2]> =
            self.words.iter().zip(&other.words).map(|(a, b)| a & b).collect();
        while words.last() == Some(&0) {
            words.pop();
        }
        Self { words }
    }

    /// Ascending, that is: in the order in which rules decide.
    pub(crate) fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.words.iter().enumerate().flat_map(|(index, word)| {
            let mut rest = *word;
            std::iter::from_fn(move || {
                let bit = rest.trailing_zeros() as usize;
                (rest != 0).then(|| {
                    rest &= rest - 1;
                    index * WORD + bit
                })
            })
        })
    }

    /// The first rule of the set at or after `range.start` and before `range.end`.
    pub(crate) fn first_in(&self, range: &Range<usize>) -> Option<usize> {
        let mut word = range.start / WORD;
        let mut mask = u64::MAX << (range.start % WORD);
        while word * WORD < range.end {
            let set = self.words.get(word)? & mask;
            if set != 0 {
                let rule = word * WORD + set.trailing_zeros() as usize;
                return (rule < range.end).then_some(rule);
            }
            mask = u64::MAX;
            word += 1;
        }
        None
    }
}

impl FromIterator<usize> for RuleBits {
    fn from_iter<I: IntoIterator<Item = usize>>(rules: I) -> Self {
        let mut bits = Self::default();
        rules.into_iter().for_each(|rule| bits.insert(rule));
        bits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_first_rule_of_a_range() {
        let bits: RuleBits = [3, 64, 130].into_iter().collect();
        assert_eq!(bits.first_in(&(0..200)), Some(3));
        assert_eq!(bits.first_in(&(4..200)), Some(64));
        assert_eq!(bits.first_in(&(4..64)), None);
        assert_eq!(bits.first_in(&(65..131)), Some(130));
        assert_eq!(bits.first_in(&(131..500)), None);
        assert_eq!(bits.iter().collect::<Vec<_>>(), [3, 64, 130]);
    }

    #[test]
    fn intersections_of_different_lengths_compare_equal() {
        let long: RuleBits = [1, 200].into_iter().collect();
        let short: RuleBits = [1].into_iter().collect();
        assert_eq!(long.intersection(&short), short);
        assert!(short.intersection(&long).contains(1));
    }
}
