//! Whether the policy is there, and is the one that `weir gateway install` writes.

use super::cluster::Cluster;
use super::{Expected, codes};
use crate::install::{Lists, NAMESPACE_NAME, break_glass_policy, policy};
use crate::names::{BREAK_GLASS_POLICY, POLICY};
use finding_model::{Finding, Severity};
use serde_json::Value;

const AGAIN: &str =
    "apply what `weir gateway install` prints again, with the options of this cluster";

pub(super) fn findings(cluster: &Cluster, expected: &Expected) -> Vec<Finding> {
    let Some(spec) = cluster.policies.get(POLICY) else {
        let message = format!("there is no ValidatingAdmissionPolicy {POLICY}");
        let help = "apply what `weir gateway install` prints; the input of this command has to have the policies";
        let missing = Finding::new(codes::POLICY_MISSING, Severity::Error, message, help);
        return vec![missing.because("nothing refuses access past the gateway")];
    };
    let lists = lists_of(spec);
    let mut findings = vec![];
    let message =
        spec.pointer("/validations/0/message").and_then(Value::as_str).unwrap_or_default();
    findings.extend(changed(POLICY, spec, &policy(&lists, message)));
    match cluster.policies.get(BREAK_GLASS_POLICY) {
        Some(spec) => {
            findings.extend(changed(BREAK_GLASS_POLICY, spec, &break_glass_policy(&lists)))
        }
        None => findings.push(not_marked()),
    }
    findings.extend(bound(cluster));
    findings.extend(narrowed(cluster));
    findings.extend(exemptions(cluster, &lists));
    let differs = !lists.users.iter().eq(&expected.break_glass.users)
        || !lists.groups.iter().eq(&expected.break_glass.groups);
    let said = !expected.break_glass.users.is_empty() || !expected.break_glass.groups.is_empty();
    if said && differs {
        let message =
            "the policy lets other identities break the glass than were named here".to_owned();
        findings.push(Finding::new(codes::POLICY_CHANGED, Severity::Error, message, AGAIN));
    }
    findings
}

fn not_marked() -> Finding {
    let message = format!("there is no ValidatingAdmissionPolicy {BREAK_GLASS_POLICY}");
    Finding::new(codes::POLICY_MISSING, Severity::Error, message, AGAIN)
        .because("uses of break-glass identities are not marked in the audit log")
}

fn changed(name: &str, found: &Value, ours: &Value) -> Option<Finding> {
    let ours = ours.get("spec").cloned().unwrap_or_default();
    let at = difference(&ours, found, String::new())?;
    let message = format!("ValidatingAdmissionPolicy {name} is not what this version installs");
    let finding = Finding::new(codes::POLICY_CHANGED, Severity::Error, message, AGAIN);
    let finding = finding.because("it may refuse less than it has to");
    Some(finding.witnessed_by(format!("spec{at} differs")))
}

/// Where the first difference is. What the API server fills in for itself is none.
fn difference(ours: &Value, found: &Value, at: String) -> Option<String> {
    match (ours, found) {
        (Value::Object(ours), Value::Object(found)) => {
            let known = ours.iter().find_map(|(key, value)| {
                let at = format!("{at}.{key}");
                match found.get(key) {
                    Some(found) => difference(value, found, at),
                    None => Some(at),
                }
            });
            known.or_else(|| {
                let mut more = found.iter().filter(|(key, _)| !ours.contains_key(*key));
                let (key, _) = more.find(|(_, value)| !is_filled_in(value))?;
                Some(format!("{at}.{key}"))
            })
        }
        (Value::Array(ours), Value::Array(found)) if ours.len() == found.len() => {
            let mut pairs = ours.iter().zip(found).enumerate();
            pairs.find_map(|(index, (ours, found))| {
                difference(ours, found, format!("{at}[{index}]"))
            })
        }
        _ => (ours != found).then_some(at),
    }
}

fn is_filled_in(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text == "*" || text == "Equivalent",
        Value::Array(values) => values.is_empty(),
        Value::Object(values) => values.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// A policy without a binding does nothing.
fn bound(cluster: &Cluster) -> Option<Finding> {
    let bindings = cluster.policy_bindings.values().filter(|spec| spec["policyName"] == POLICY);
    let actions: Vec<&str> = bindings
        .flat_map(|spec| spec["validationActions"].as_array().into_iter().flatten())
        .filter_map(Value::as_str)
        .collect();
    if actions.is_empty() {
        let message = format!("nothing binds ValidatingAdmissionPolicy {POLICY}");
        let missing = Finding::new(codes::POLICY_MISSING, Severity::Error, message, AGAIN);
        return Some(missing.because("a policy without a binding refuses nothing"));
    }
    if actions.contains(&"Deny") {
        return None;
    }
    let message = "the policy only warns and marks".to_owned();
    let help = "install again without --dry-run-audit once nobody is warned any more";
    Some(Finding::new(codes::POLICY_OBSERVES, Severity::Error, message, help))
}

/// What limits the policy's bindings.
fn limits(cluster: &Cluster) -> impl Iterator<Item = (&str, &Value)> {
    let ours = cluster.policy_bindings.values().filter(|spec| spec["policyName"] == POLICY);
    let resources = ours.filter_map(|spec| spec.get("matchResources")?.as_object()).flatten();
    resources.filter(|(_, value)| !is_filled_in(value)).map(|(key, value)| (key.as_str(), value))
}

/// Namespaces are left out by name, and nothing else limits a binding.
fn narrowed(cluster: &Cluster) -> Option<Finding> {
    let (key, value) = limits(cluster).find(|(key, value)| {
        let terms = value["matchExpressions"].as_array().map(Vec::as_slice).unwrap_or_default();
        let is_ours = |term: &Value| term["key"] == NAMESPACE_NAME && term["operator"] == "NotIn";
        let of_namespaces = *key == "namespaceSelector" && value.get("matchLabels").is_none();
        !(of_namespaces && !terms.is_empty() && terms.iter().all(is_ours))
    })?;
    let message = "a binding of the policy leaves out more than namespaces by name".to_owned();
    let finding = Finding::new(codes::POLICY_CHANGED, Severity::Error, message, AGAIN);
    Some(finding.witnessed_by(format!("{key} {value}")))
}

fn exemptions(cluster: &Cluster, lists: &Lists) -> Option<Finding> {
    let namespaces: Vec<&str> = limits(cluster)
        .flat_map(|(_, value)| value["matchExpressions"].as_array().into_iter().flatten())
        .flat_map(|term| term["values"].as_array().into_iter().flatten())
        .filter_map(Value::as_str)
        .collect();
    let lists = [
        ("users", lists.users.join(", ")),
        ("groups", lists.groups.join(", ")),
        ("components (proxies only)", lists.components.join(", ")),
        ("namespaces", namespaces.join(", ")),
    ];
    let shown: Vec<String> = lists
        .iter()
        .filter(|(_, names)| !names.is_empty())
        .map(|(what, names)| format!("{what} {names}"))
        .collect();
    if shown.is_empty() {
        return None;
    }
    let message = "the policy has exemptions".to_owned();
    let help = "see that each is meant; `weir sessions coverage` lists every use";
    Some(Finding::new(codes::EXEMPT, Severity::Info, message, help).witnessed_by(shown.join("; ")))
}

/// The names that stand in the installed policy.
fn lists_of(spec: &Value) -> Lists {
    let list = |name: &str| -> Vec<String> {
        let variables = spec["variables"].as_array().into_iter().flatten();
        let mut found = variables.filter(|variable| variable["name"] == name);
        let expression = found.next().and_then(|variable| variable["expression"].as_str());
        expression.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    };
    Lists {
        users: list("breakGlassUsers"),
        groups: list("breakGlassGroups"),
        components: list("components"),
    }
}
