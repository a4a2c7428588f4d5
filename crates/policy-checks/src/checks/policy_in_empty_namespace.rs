//! Check: `policy-in-empty-namespace`
//!
//! NetworkPolicies stand in a namespace of which the input has no pods.
//!
//! **Why it matters.** A NetworkPolicy applies to its own namespace only. If the namespace is misspelt,
//! the pods that it was written for are open. If the workloads are simply not part of the input, nothing
//! is wrong, and verdicts about them cannot be given.
//!
//! **How to fix.** Correct `metadata.namespace`, or give the workloads of the namespace as input as well.

use crate::near::is_near;
use crate::registry::Check;
use crate::words::{also, count, placed};
use crate::world::World;
use finding_model::{Code, Finding, Severity};
use policy_model::Policy;
use std::collections::BTreeMap;

pub(crate) const CHECK: Check = Check {
    code: Code("policy-in-empty-namespace"),
    severity: Severity::Warning,
    summary: "a NetworkPolicy stands in a namespace without pods",
    find,
};

fn find(world: &World<'_>) -> Vec<Finding> {
    if !world.has_pods() {
        return Vec::new();
    }
    let mut by_namespace: BTreeMap<&str, Vec<&Policy>> = BTreeMap::new();
    for policy in world.program.policies() {
        let namespace = policy.id.namespace.as_deref();
        if let Some(namespace) = namespace.filter(|name| world.pods_of(name).is_empty()) {
            by_namespace.entry(namespace).or_default().push(policy);
        }
    }
    by_namespace.into_iter().filter_map(|(name, list)| judge(world, name, &list)).collect()
}

fn judge(world: &World<'_>, namespace: &str, policies: &[&Policy]) -> Option<Finding> {
    let (first, others) = policies.split_first()?;
    let declared = world.program.namespace(namespace).is_some_and(|ns| ns.span.is_some());
    let inhabited = world.program.namespaces().map(|ns| ns.name.as_str());
    let near = inhabited
        .filter(|name| !declared && is_near(namespace, name) && !world.pods_of(name).is_empty())
        .min();
    let message = format!(
        "namespace {namespace} has {} and no pod in the input",
        count(policies.len(), "policy")
    );
    let (severity, help) = match near {
        Some(near) => (Severity::Warning, format!("is namespace {near} meant, which has pods?")),
        None => (
            Severity::Info,
            "correct the namespace, or give the workloads of the namespace as input too".to_owned(),
        ),
    };
    let finding = Finding::new(CHECK.code, severity, message, help)
        .about(first.id.to_string())
        .because("a NetworkPolicy applies to pods of its own namespace only");
    let others = others.iter().map(|policy| (policy.span, policy.id.to_string()));
    Some(placed(also(finding, others), first.span))
}

#[cfg(test)]
mod tests {
    use super::CHECK;
    use crate::tests::check;
    use finding_model::Severity;

    #[test]
    fn policies_of_one_namespace_are_one_finding() {
        let found = check(
            CHECK.code,
            "namespace empty
            namespace shop
            deployment shop/web app=web
            policy empty/a ## policy-in-empty-namespace
            ingress
            policy empty/b
            egress
            policy shop/a
            ingress",
        );
        assert_eq!(found[0].message, "namespace empty has 2 policies and no pod in the input");
        assert_eq!(found[0].severity, Severity::Info);
        assert_eq!(found[0].related.len(), 1);
    }

    #[test]
    fn a_misspelt_namespace_is_a_warning_and_no_pods_at_all_are_no_finding() {
        let found = check(
            CHECK.code,
            "deployment shop/web app=web
            policy shopp/a ## policy-in-empty-namespace
            ingress",
        );
        assert_eq!(found[0].severity, Severity::Warning);
        check(CHECK.code, "policy shop/a\ningress");
    }
}
