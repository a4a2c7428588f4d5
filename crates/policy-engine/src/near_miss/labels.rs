//! What keeps labels from satisfying a selector.

use super::{Difference, RulePart};
use crate::program::Program;
use policy_model::{LabelSelector, Labels, Operator, Requirement};

/// Whose labels a selector reads.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LabelOwner {
    Pod,
    Namespace(String),
    Node(String),
}

/// One requirement that the labels do not meet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LabelDifference {
    pub owner: LabelOwner,
    pub requirement: Requirement,
    /// The value of the label that the requirement speaks of.
    pub has: Option<String>,
    /// The value that it wants, where the label's value looks like a slip of it.
    pub near_value: Option<String>,
    /// Another label that was likely meant: spelled nearly alike, or with a wanted value.
    pub near_label: Option<(String, String)>,
}

impl LabelDifference {
    /// Whether it looks like a slip of the pen rather than another intent.
    pub fn is_slip(&self) -> bool {
        self.near_value.is_some() || self.near_label.is_some()
    }

    pub(super) fn weight(&self) -> u32 {
        match self.requirement.operator {
            _ if self.is_slip() => 1,
            Operator::In(_) if self.has.is_some() => 2,
            Operator::In(_) | Operator::Exists => 2,
            Operator::NotIn(_) | Operator::DoesNotExist => 3,
        }
    }
}

/// One difference for each requirement that does not hold. Labels that are not known are none.
pub(super) fn differences(
    program: &Program,
    part: RulePart,
    selector: &LabelSelector,
    labels: Option<&Labels>,
    owner: &LabelOwner,
) -> impl Iterator<Item = Difference> {
    let unmet = unmet(program, selector, labels, owner).into_iter();
    unmet.map(move |difference| Difference::Label { part, difference })
}

pub(super) fn unmet(
    program: &Program,
    selector: &LabelSelector,
    labels: Option<&Labels>,
    owner: &LabelOwner,
) -> Vec<LabelDifference> {
    let none = Labels::default();
    let labels = labels.unwrap_or(&none);
    let unmet = selector.requirements().filter(|requirement| !requirement.matches(labels));
    unmet.map(|requirement| difference(program, requirement, labels, owner)).collect()
}

fn difference(
    program: &Program,
    requirement: &Requirement,
    labels: &Labels,
    owner: &LabelOwner,
) -> LabelDifference {
    let Requirement { key, operator } = requirement;
    let has = labels.value(key);
    let mut found = LabelDifference {
        owner: owner.clone(),
        requirement: requirement.clone(),
        has: has.map(str::to_owned),
        near_value: None,
        near_label: None,
    };
    let Operator::In(values) = operator else { return found };
    match has {
        Some(value) => {
            // A value that something has is meant.
            let slipped =
                |other: &&String| is_slip(value, other) && !is_used(program, owner, key, other);
            found.near_value = values.iter().find(slipped).cloned();
        }
        None => {
            let alike = |other: &str| {
                is_slip(other, key)
                    || last_part(other) == last_part(key)
                    || names_things(other) && names_things(key)
            };
            let meant =
                |(other, value): &(&String, &String)| values.contains(*value) && alike(other);
            let label = labels.0.iter().find(meant);
            found.near_label = label.map(|(key, value)| (key.clone(), value.clone()));
        }
    }
    found
}

/// Whether anything of the sort has the label.
fn is_used(program: &Program, owner: &LabelOwner, key: &str, value: &str) -> bool {
    let has = |labels: &Labels| labels.value(key) == Some(value);
    match owner {
        LabelOwner::Pod => program.pods().any(|(_, pod)| has(&pod.labels)),
        LabelOwner::Namespace(_) => program.namespaces().any(|found| has(&found.labels)),
        LabelOwner::Node(_) => program.nodes().any(|node| has(&node.labels)),
    }
}

/// At most two letters apart, and at most a third of the word. Another number is another thing.
pub(super) fn is_slip(a: &str, b: &str) -> bool {
    let limit = (a.len().max(b.len()) / 3).min(2);
    let letters = |text: &str| text.chars().filter(|c| !c.is_ascii_digit()).collect::<String>();
    a.len().abs_diff(b.len()) <= limit * 4
        && letters(a) != letters(b)
        && strsim::damerau_levenshtein(a, b) <= limit
}

/// `name` of `app.kubernetes.io/name`.
fn last_part(key: &str) -> &str {
    key.rsplit_once('/').map_or(key, |(_, name)| name)
}

/// Labels that people use for the name of an application: one is easily taken for another.
fn names_things(key: &str) -> bool {
    matches!(key, "app" | "k8s-app" | "app.kubernetes.io/name" | "name")
}

#[cfg(test)]
mod tests {
    use super::is_slip;

    #[test]
    fn slips_are_short_words_apart() {
        assert!(is_slip("promethues", "prometheus"));
        assert!(is_slip("web-app", "web-apps"));
        assert!(!is_slip("web", "api"));
        assert!(!is_slip("v1", "v2"));
        assert!(!is_slip("web", "web"));
        assert!(!is_slip("worker-17", "worker-18"));
    }
}
