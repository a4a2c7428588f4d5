//! YAML for fixes: only what patches need, in block style.

use policy_model::{LabelSelector, Operator, Requirement};
use std::fmt::Write as _;

/// The lines under `podSelector:` or `namespaceSelector:`, each with `indent` spaces; `None` for a
/// selector of everything, which is `{}`.
fn selector_lines(selector: &LabelSelector, indent: usize) -> Option<String> {
    if selector.is_everything() {
        return None;
    }
    let (equal, other): (Vec<&Requirement>, Vec<&Requirement>) =
        selector.requirements().partition(|requirement| single(requirement).is_some());
    let pad = " ".repeat(indent);
    let mut text = String::new();
    if !equal.is_empty() {
        line(&mut text, format_args!("{pad}matchLabels:"));
        for requirement in equal {
            let value = single(requirement).unwrap_or_default();
            line(&mut text, format_args!("{pad}  {}: {}", scalar(&requirement.key), scalar(value)));
        }
    }
    if !other.is_empty() {
        line(&mut text, format_args!("{pad}matchExpressions:"));
    }
    for requirement in other {
        let (operator, values) = match &requirement.operator {
            Operator::In(values) => ("In", Some(values)),
            Operator::NotIn(values) => ("NotIn", Some(values)),
            Operator::Exists => ("Exists", None),
            Operator::DoesNotExist => ("DoesNotExist", None),
        };
        line(&mut text, format_args!("{pad}- key: {}", scalar(&requirement.key)));
        line(&mut text, format_args!("{pad}  operator: {operator}"));
        if let Some(values) = values {
            let values: Vec<String> = values.iter().map(|value| scalar(value)).collect();
            line(&mut text, format_args!("{pad}  values: [{}]", values.join(", ")));
        }
    }
    Some(text)
}

/// `podSelector:` and its lines, or `podSelector: {}`.
pub(crate) fn selector(field: &str, selector: &LabelSelector, indent: usize) -> String {
    let pad = " ".repeat(indent);
    match selector_lines(selector, indent + 2) {
        Some(lines) => format!("{pad}{field}:\n{lines}"),
        None => format!("{pad}{field}: {{}}\n"),
    }
}

fn line(text: &mut String, content: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    if writeln!(text, "{content}").is_err() {
        text.push('\n');
    }
}

fn single(requirement: &Requirement) -> Option<&str> {
    match &requirement.operator {
        Operator::In(values) if values.len() == 1 => values.first().map(String::as_str),
        Operator::In(_) | Operator::NotIn(_) | Operator::Exists | Operator::DoesNotExist => None,
    }
}

/// Plain where every YAML version reads a string, else quoted.
pub(crate) fn scalar(text: &str) -> String {
    const WORDS: [&str; 9] = ["y", "n", "yes", "no", "true", "false", "on", "off", "null"];
    let starts = text.starts_with(|c: char| c.is_ascii_alphabetic());
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c));
    let word = WORDS.iter().any(|word| text.eq_ignore_ascii_case(word));
    if starts && plain && !word { text.to_owned() } else { format!("{text:?}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_what_a_manifest_would_say() {
        let all: LabelSelector = [
            Requirement::equals("app", "y"),
            Requirement { key: "tier".into(), operator: Operator::Exists },
        ]
        .into_iter()
        .collect();
        assert_eq!(
            selector("podSelector", &all, 2),
            "  podSelector:\n    matchLabels:\n      app: \"y\"\n    matchExpressions:\n    - key: tier\n      operator: Exists\n"
        );
        assert_eq!(selector("podSelector", &LabelSelector::EVERYTHING, 0), "podSelector: {}\n");
    }
}
