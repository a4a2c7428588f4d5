//! What the labels of a node may be that is not in the input, as far as nodes peers can tell.
//!
//! Labels are one choice for all selectors: `zone=a` and `zone=b` never match together, and of
//! `zone=a` and `zone!=a` always one does.

use crate::ids::TermId;
use policy_model::{LabelSelector, Labels, Operator, Requirement};
use std::collections::BTreeSet;

/// More ways than this are not listed: each selector is then taken to match or not on its own, which
/// never settles what is open.
const MOST_READINGS: usize = 1024;

/// One way in which a node may be labelled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NodeReading {
    /// The nodes terms that select it, sorted.
    pub(crate) certain: Vec<TermId>,
    /// Those that may or may not, each on its own.
    pub(crate) maybe: Vec<TermId>,
}

impl NodeReading {
    pub(crate) fn known(certain: Vec<TermId>) -> Self {
        Self { certain, maybe: Vec::new() }
    }
}

/// Every way that selectors tell apart.
pub(crate) fn possible_readings(selectors: &[(TermId, &LabelSelector)]) -> Vec<NodeReading> {
    let mut by_labels: BTreeSet<Vec<TermId>> =
        BTreeSet::from([selectors.iter().map(|(term, _)| *term).collect()]);
    for key in keys(selectors) {
        let refused: BTreeSet<Vec<TermId>> = labels_of(key, selectors)
            .iter()
            .map(|labels| refusing(key, labels, selectors))
            .collect();
        by_labels = by_labels
            .iter()
            .flat_map(|terms| refused.iter().map(|refused| without(terms, refused)))
            .collect();
        if by_labels.len() > MOST_READINGS {
            return vec![each_on_its_own(selectors)];
        }
    }
    by_labels.into_iter().map(NodeReading::known).collect()
}

fn each_on_its_own(selectors: &[(TermId, &LabelSelector)]) -> NodeReading {
    let of = |is_everything: bool| {
        let terms = selectors.iter().filter(move |(_, one)| one.is_everything() == is_everything);
        terms.map(|(term, _)| *term).collect()
    };
    NodeReading { certain: of(true), maybe: of(false) }
}

fn keys<'a>(selectors: &[(TermId, &'a LabelSelector)]) -> BTreeSet<&'a str> {
    let requirements = selectors.iter().flat_map(|(_, selector)| selector.requirements());
    requirements.map(|requirement| requirement.key.as_str()).collect()
}

/// No label of the key, each value that a selector names, and one that none names.
fn labels_of(key: &str, selectors: &[(TermId, &LabelSelector)]) -> Vec<Labels> {
    let on_key = selectors.iter().flat_map(|(_, selector)| requirements_on(key, selector));
    let values: BTreeSet<&str> = on_key.flat_map(values_of).collect();
    // Longer than each of them, so it is none of them.
    let other: String = values.iter().copied().chain(["x"]).collect();
    let labelled = |value: &str| [(key, value)].into_iter().collect();
    let listed = values.iter().map(|value| labelled(value));
    [Labels::default(), labelled(&other)].into_iter().chain(listed).collect()
}

fn requirements_on<'a>(
    key: &str,
    selector: &'a LabelSelector,
) -> impl Iterator<Item = &'a Requirement> {
    selector.requirements().filter(move |requirement| requirement.key == key)
}

fn values_of(requirement: &Requirement) -> impl Iterator<Item = &str> {
    let values = match &requirement.operator {
        Operator::In(values) | Operator::NotIn(values) => Some(values),
        Operator::Exists | Operator::DoesNotExist => None,
    };
    values.into_iter().flatten().map(String::as_str)
}

/// The terms that do not select a node with these labels of the key, whatever its others are.
fn refusing(key: &str, labels: &Labels, selectors: &[(TermId, &LabelSelector)]) -> Vec<TermId> {
    let refuses = |selector: &LabelSelector| {
        requirements_on(key, selector).any(|requirement| !requirement.matches(labels))
    };
    selectors.iter().filter(|(_, one)| refuses(one)).map(|(term, _)| *term).collect()
}

fn without(terms: &[TermId], refused: &[TermId]) -> Vec<TermId> {
    terms.iter().filter(|term| !refused.contains(term)).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selector(requirements: &[(&str, Operator)]) -> LabelSelector {
        let one = |(key, operator): &(&str, Operator)| Requirement {
            key: (*key).to_owned(),
            operator: operator.clone(),
        };
        requirements.iter().map(one).collect()
    }

    fn is(value: &str) -> Operator {
        Operator::In(BTreeSet::from([value.to_owned()]))
    }

    fn is_not(value: &str) -> Operator {
        Operator::NotIn(BTreeSet::from([value.to_owned()]))
    }

    /// The indices of the selectors that match together, one list for each way.
    fn ways(selectors: &[LabelSelector]) -> Vec<Vec<usize>> {
        let terms: Vec<(TermId, &LabelSelector)> =
            selectors.iter().enumerate().map(|(n, one)| (TermId::from_index(n), one)).collect();
        let readings = possible_readings(&terms).into_iter();
        readings.map(|one| one.certain.iter().map(|term| term.index()).collect()).collect()
    }

    #[test]
    fn one_value_excludes_another_and_a_negation_completes_it() {
        let zone = |operator| selector(&[("zone", operator)]);
        let given = [zone(is("a")), zone(is("b")), zone(is_not("a"))];
        assert_eq!(ways(&given), [vec![0], vec![1, 2], vec![2]]);
    }

    #[test]
    fn what_no_label_meets_never_matches_and_the_empty_selector_always_does() {
        let never = selector(&[("zone", is("a")), ("zone", is("b"))]);
        assert_eq!(ways(&[never, LabelSelector::EVERYTHING]), [vec![1]]);
        assert_eq!(ways(&[]), [Vec::<usize>::new()]);
    }

    #[test]
    fn too_many_ways_leave_each_selector_open_on_its_own() {
        let keys: Vec<String> = (0..11).map(|n| format!("k{n}")).collect();
        let mut given: Vec<LabelSelector> =
            keys.iter().map(|key| selector(&[(key.as_str(), Operator::Exists)])).collect();
        given.push(LabelSelector::EVERYTHING);
        let terms: Vec<(TermId, &LabelSelector)> =
            given.iter().enumerate().map(|(n, one)| (TermId::from_index(n), one)).collect();
        let all: Vec<TermId> = terms.iter().map(|(term, _)| *term).collect();
        let expected = NodeReading { certain: all[11..].to_vec(), maybe: all[..11].to_vec() };
        assert_eq!(possible_readings(&terms), [expected]);
        assert_eq!(possible_readings(&terms[1..]).len(), 1024);
    }
}
