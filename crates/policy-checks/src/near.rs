//! Near misses: what a selector that selects nothing was probably meant to select.

use policy_model::{LabelSelector, Labels, Operator, Requirement};

/// One change of a label that would make the selector match.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct NearMiss {
    rank: Rank,
    /// `shop/web`.
    pub(crate) object: String,
    pub(crate) key: String,
    pub(crate) value: String,
    /// As the selector says it: `app=wbe`.
    pub(crate) written: String,
}

/// Best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    ValueTypo,
    KeyTypo,
    /// Another key carries exactly the value.
    OtherKey,
    /// All other requirements match, and the key has another value.
    OtherValue,
}

impl NearMiss {
    /// Whether it looks like a slip rather than something that is yet to come.
    pub(crate) fn is_likely(&self) -> bool {
        match self.rank {
            Rank::ValueTypo | Rank::KeyTypo | Rank::OtherKey => true,
            Rank::OtherValue => false,
        }
    }

    /// `shop/web has app=web, and the selector wants app=wbe`.
    pub(crate) fn text(&self) -> String {
        let Self { rank: _, object, key, value, written } = self;
        format!("{object} has `{key}={value}`, and the selector wants `{written}`")
    }

    /// The selector with the label that exists.
    pub(crate) fn correct(&self, selector: &LabelSelector) -> LabelSelector {
        let keep = selector.requirements().filter(|r| r.to_string() != self.written).cloned();
        keep.chain([Requirement::equals(&self.key, &self.value)]).collect()
    }
}

/// The best near miss among `candidates`.
pub(crate) fn near_miss<'a>(
    selector: &LabelSelector,
    candidates: impl Iterator<Item = (String, &'a Labels)>,
) -> Option<NearMiss> {
    candidates.filter_map(|(object, labels)| miss_of(selector, &object, labels)).min()
}

fn miss_of(selector: &LabelSelector, object: &str, labels: &Labels) -> Option<NearMiss> {
    let mut failing = selector.requirements().filter(|requirement| !requirement.matches(labels));
    let (failed, None) = (failing.next()?, failing.next()) else { return None };
    let Operator::In(wanted) = &failed.operator else { return None };
    let others_match = selector.requirements().len() > 1;
    let miss = |rank, key: &str, value: &str| NearMiss {
        rank,
        object: object.to_owned(),
        key: key.to_owned(),
        value: value.to_owned(),
        written: failed.to_string(),
    };
    if let Some(value) = labels.value(&failed.key) {
        if wanted.iter().any(|wanted| is_near(wanted, value)) {
            return Some(miss(Rank::ValueTypo, &failed.key, value));
        }
        return others_match.then(|| miss(Rank::OtherValue, &failed.key, value));
    }
    let same_value = labels.0.iter().filter(|(_, value)| wanted.contains(*value));
    same_value
        .map(|(key, value)| {
            let rank = if is_near(&failed.key, key) { Rank::KeyTypo } else { Rank::OtherKey };
            miss(rank, key, value)
        })
        .min()
}

/// One or two slips, in words long enough that this says something. A different number is a different
/// thing (`web1`, `web2`), not a slip.
pub(crate) fn is_near(written: &str, existing: &str) -> bool {
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
    if digits(written) != digits(existing) {
        return false;
    }
    let length = written.chars().count().min(existing.chars().count());
    let slips = strsim::damerau_levenshtein(written, existing);
    match length {
        0..=2 => written.eq_ignore_ascii_case(existing),
        3..=4 => slips == 1 || is_swap(written, existing),
        _ => slips <= 2,
    }
}

fn is_swap(a: &str, b: &str) -> bool {
    let sorted = |text: &str| {
        let mut letters: Vec<char> = text.chars().collect();
        letters.sort_unstable();
        letters
    };
    sorted(a) == sorted(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_near_and_other_words_are_not() {
        for (a, b) in [("promethues", "prometheus"), ("wbe", "web"), ("frontend", "front-end")] {
            assert!(is_near(a, b), "{a} {b}");
        }
        for (a, b) in [("web", "api"), ("web-1", "web-2"), ("v1", "v2"), ("orders", "users")] {
            assert!(!is_near(a, b), "{a} {b}");
        }
    }

    #[test]
    fn a_slip_is_better_than_another_value() {
        let selector: LabelSelector =
            [Requirement::equals("app", "wbe"), Requirement::equals("tier", "front")]
                .into_iter()
                .collect();
        let api: Labels = [("app", "api"), ("tier", "front")].into_iter().collect();
        let web: Labels = [("app", "web"), ("tier", "front")].into_iter().collect();
        let best =
            near_miss(&selector, [("a".to_owned(), &api), ("w".to_owned(), &web)].into_iter());
        let best = best.unwrap();
        assert!(best.is_likely());
        assert_eq!(best.text(), "w has `app=web`, and the selector wants `app=wbe`");
        assert_eq!(best.correct(&selector).to_string(), "app=web,tier=front");
    }
}
