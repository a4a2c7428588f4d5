//! Check: `unknown-namespace`
//!
//! A selector names a namespace, by its label `kubernetes.io/metadata.name`, that the input does not have.
//!
//! **Why it matters.** Every namespace carries this label with its own name, so a selector that names one
//! which does not exist matches nothing.
//!
//! **How to fix.** Correct the name; the finding says which existing one is near. If the namespace exists in
//! the cluster and is only missing from the input, add its manifest to get answers about it. Namespaces that
//! every cluster has (`kube-system`, `default`) are not reported.

use crate::known::ALWAYS_THERE;
use crate::near::is_near;
use crate::registry::Check;
use crate::scopes::{ScopeUse, scope_uses};
use crate::words::{also, placed};
use crate::world::World;
use finding_model::{Code, Finding, Fix, Severity};
use policy_model::{NAMESPACE_NAME_LABEL, Operator};
use std::collections::BTreeMap;

pub(crate) const CHECK: Check = Check {
    code: Code("unknown-namespace"),
    severity: Severity::Warning,
    summary: "a selector names a namespace that is not in the input",
    find,
};

fn find(world: &World<'_>) -> Vec<Finding> {
    let mut unknown: BTreeMap<String, Vec<ScopeUse<'_>>> = BTreeMap::new();
    for scope in scope_uses(world) {
        for name in names(&scope) {
            if world.program.namespace(&name).is_none() && !ALWAYS_THERE.contains(&name.as_str()) {
                unknown.entry(name).or_default().push(scope.clone());
            }
        }
    }
    unknown.iter().filter_map(|(name, uses)| judge(world, name, uses)).collect()
}

/// The namespaces that a selector asks for by name.
fn names(scope: &ScopeUse<'_>) -> Vec<String> {
    let by_name = scope.namespaces.requirements().filter(|r| r.key == NAMESPACE_NAME_LABEL);
    let values = by_name.filter_map(|requirement| match &requirement.operator {
        Operator::In(values) => Some(values),
        Operator::NotIn(_) | Operator::Exists | Operator::DoesNotExist => None,
    });
    values.flatten().cloned().collect()
}

fn judge(world: &World<'_>, name: &str, uses: &[ScopeUse<'_>]) -> Option<Finding> {
    let (first, others) = uses.split_first()?;
    let near = world.program.namespaces().map(|ns| ns.name.as_str()).filter(|n| is_near(name, n));
    let near = near.min();
    let message =
        format!("{} selects namespace `{name}`, which the input does not have", first.part);
    let (severity, help) = match near {
        Some(near) => (Severity::Warning, format!("is `{near}` meant?")),
        None => (
            Severity::Info,
            "correct the name, or add the namespace's manifests to the input".to_owned(),
        ),
    };
    let mut finding = Finding::new(CHECK.code, severity, message, help)
        .about(first.policy.id.to_string())
        .because("the selector matches no namespace of the input by this name");
    if let Some(near) = near {
        finding = finding.fixed_by(Fix {
            summary: format!("select namespace `{near}`"),
            patch: Some(format!("{NAMESPACE_NAME_LABEL}: {near}\n")),
        });
    }
    let others = others.iter().map(|scope| (scope.span, scope.name()));
    Some(placed(also(finding, others), first.span))
}

#[cfg(test)]
mod tests {
    use super::CHECK;
    use crate::tests::check;
    use finding_model::Severity;

    #[test]
    fn a_near_name_is_a_warning_and_another_is_a_remark() {
        let found = check(
            CHECK.code,
            "namespace monitoring
            deployment shop/web app=web
            policy shop/a
            ingress
            rule
            pods ns:kubernetes.io/metadata.name=monitorng ## unknown-namespace
            pods ns:kubernetes.io/metadata.name=elsewhere ## unknown-namespace
            pods ns:kubernetes.io/metadata.name=kube-system
            pods ns:kubernetes.io/metadata.name=monitoring",
        );
        assert_eq!(found[0].help, "is `monitoring` meant?");
        assert_eq!([found[0].severity, found[1].severity], [Severity::Warning, Severity::Info]);
    }
}
