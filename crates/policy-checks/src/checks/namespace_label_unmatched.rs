//! Check: `namespace-label-unmatched`
//!
//! A `namespaceSelector` asks for labels that no namespace of the input carries.
//!
//! **Why it matters.** The rule or policy applies to no namespace. The usual cause is
//! `name: monitoring`: Kubernetes does not set a label `name`, it sets `kubernetes.io/metadata.name`.
//!
//! **How to fix.** Use a label that the namespace has; where one is near, the finding names it. Where the
//! input does not declare a namespace (no `kind: Namespace` for it), its other labels are unknown and the
//! finding is only `info`.
//!
//! ```yaml
//! namespaceSelector:
//!   matchLabels:
//!     name: monitoring   # kubernetes.io/metadata.name: monitoring
//! ```

use crate::near::near_miss;
use crate::registry::Check;
use crate::scopes::{ScopeUse, matching, scope_uses};
use crate::words::{also, placed};
use crate::world::World;
use crate::yaml;
use finding_model::{Code, Finding, Fix, Severity};
use policy_model::{LabelSelector, NAMESPACE_NAME_LABEL};
use std::collections::BTreeMap;

pub(crate) const CHECK: Check = Check {
    code: Code("namespace-label-unmatched"),
    severity: Severity::Warning,
    summary: "a namespaceSelector matches no namespace",
    find,
};

fn find(world: &World<'_>) -> Vec<Finding> {
    let mut unmatched: BTreeMap<&LabelSelector, Vec<ScopeUse<'_>>> = BTreeMap::new();
    for scope in scope_uses(world) {
        let by_name = scope.namespaces.requirements().any(|r| r.key == NAMESPACE_NAME_LABEL);
        if !by_name && matching(world, scope.namespaces).is_empty() {
            unmatched.entry(scope.namespaces).or_default().push(scope);
        }
    }
    unmatched.into_iter().filter_map(|(selector, uses)| judge(world, selector, &uses)).collect()
}

fn judge(world: &World<'_>, selector: &LabelSelector, uses: &[ScopeUse<'_>]) -> Option<Finding> {
    let (first, others) = uses.split_first()?;
    let candidates = world.program.namespaces();
    let near =
        near_miss(selector, candidates.map(|ns| (format!("namespace {}", ns.name), &ns.labels)));
    let likely = near.as_ref().filter(|near| near.is_likely());
    let all_known = world.declares_all_namespaces();
    if likely.is_none() && world.program.namespaces().all(|ns| ns.span.is_none()) {
        return None;
    }
    let severity = if likely.is_some() || all_known { Severity::Warning } else { Severity::Info };
    let message = format!("{}: no namespace has the labels `{selector}`", first.part);
    let help = match &near {
        Some(near) => near.text(),
        None => "use labels that the namespace has, such as kubernetes.io/metadata.name".to_owned(),
    };
    let why = if all_known {
        "the selector matches nothing".to_owned()
    } else {
        "the selector matches nothing, unless a namespace that the input does not declare has the labels".to_owned()
    };
    let mut finding = Finding::new(CHECK.code, severity, message, help)
        .about(first.policy.id.to_string())
        .because(why);
    if let Some(near) = likely {
        finding = finding.fixed_by(Fix {
            summary: format!("select `{}={}`", near.key, near.value),
            patch: Some(yaml::selector("namespaceSelector", &near.correct(selector), 0)),
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
    fn the_label_name_is_corrected() {
        let found = check(
            CHECK.code,
            "namespace monitoring team=sre
            namespace shop team=shop
            deployment shop/web app=web
            policy shop/a
            ingress
            rule
            pods ns:name=monitoring ## namespace-label-unmatched
            pods ns:team=sre
            rule
            pods ns:name=monitoring app=x",
        );
        assert_eq!(
            found[0].help,
            "namespace monitoring has `kubernetes.io/metadata.name=monitoring`, and the selector wants `name=monitoring`"
        );
        assert_eq!(found[0].related.len(), 1);
    }

    #[test]
    fn labels_of_undeclared_namespaces_are_not_known() {
        let found = check(
            CHECK.code,
            "namespace shop
            deployment shop/web app=web
            deployment pay/db app=db
            policy shop/a
            ingress
            rule
            pods ns:zone=red ## namespace-label-unmatched",
        );
        assert_eq!(found[0].severity, Severity::Info);
        check(
            CHECK.code,
            "deployment shop/web app=web\npolicy shop/a\ningress\nrule\npods ns:zone=red",
        );
    }
}
