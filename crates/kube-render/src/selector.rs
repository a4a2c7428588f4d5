//! Labels and label selectors.

use crate::yaml::Yaml;
use policy_model::{LabelSelector, Labels, Operator, Requirement};

pub(crate) fn labels(labels: &Labels) -> Yaml {
    let pairs = labels.0.iter();
    Yaml::Map(pairs.map(|(key, value)| (key.clone(), Yaml::text(value))).collect())
}

/// A `metav1.LabelSelector`: equalities as `matchLabels`, all else as `matchExpressions`.
pub(crate) fn selector(selector: &LabelSelector) -> Yaml {
    let (pairs, rest) = equalities(selector);
    let mut parts = Yaml::map([]);
    if !pairs.is_empty() {
        parts = parts.with("matchLabels", Yaml::Map(pairs));
    }
    if !rest.is_empty() {
        let expressions = rest.into_iter().map(expression).collect();
        parts = parts.with("matchExpressions", Yaml::List(expressions));
    }
    parts
}

/// A mapping takes one value for each key, so a second equality of one key is an expression.
pub(crate) fn equalities(selector: &LabelSelector) -> (Vec<(String, Yaml)>, Vec<&Requirement>) {
    let mut pairs: Vec<(String, Yaml)> = Vec::new();
    let mut rest = Vec::new();
    for requirement in selector.requirements() {
        match only_value(requirement) {
            Some(value) if !pairs.iter().any(|(key, _)| *key == requirement.key) => {
                pairs.push((requirement.key.clone(), Yaml::text(value)));
            }
            Some(_) | None => rest.push(requirement),
        }
    }
    (pairs, rest)
}

fn only_value(requirement: &Requirement) -> Option<&str> {
    match &requirement.operator {
        Operator::In(values) if values.len() == 1 => values.first().map(String::as_str),
        Operator::In(_) | Operator::NotIn(_) | Operator::Exists | Operator::DoesNotExist => None,
    }
}

fn expression(requirement: &Requirement) -> Yaml {
    let (operator, values) = match &requirement.operator {
        Operator::In(values) => ("In", Some(values)),
        Operator::NotIn(values) => ("NotIn", Some(values)),
        Operator::Exists => ("Exists", None),
        Operator::DoesNotExist => ("DoesNotExist", None),
    };
    let list = values.map(|values| Yaml::List(values.iter().map(Yaml::text).collect()));
    Yaml::map([("key", Yaml::text(&requirement.key)), ("operator", Yaml::text(operator))])
        .with_some("values", list)
}
