//! Check: `unselected-policy`
//!
//! A policy's selector selects no pod, so the policy protects nothing and isolates nothing.
//!
//! **Why it matters.** People believe that the pods are protected. A label that was renamed in a
//! Deployment and not in its policy opens the workload silently: no error, no event.
//!
//! **How to fix.** Compare the policy's selector with the labels of the pod template (not of the
//! Deployment itself). Where one label is a slip away from one that exists, the finding names it. If the
//! workload is yet to come, there is nothing to fix.
//!
//! Silent where the input has no pods in the policy's namespaces: it then says nothing about labels.
//!
//! ```yaml
//! spec:
//!   podSelector:
//!     matchLabels:
//!       app: chekout   # the pods carry app=checkout
//! ```

use crate::near::{NearMiss, near_miss};
use crate::registry::Check;
use crate::scopes::matching;
use crate::words::{count, placed};
use crate::world::World;
use crate::yaml;
use finding_model::{Code, Finding, Fix, Severity};
use policy_engine::PodId;
use policy_model::{NamespaceScope, Policy};

pub(crate) const CHECK: Check = Check {
    code: Code("unselected-policy"),
    severity: Severity::Warning,
    summary: "a policy selects no pod",
    find,
};

fn find(world: &World<'_>) -> Vec<Finding> {
    let policies = world.program.policies().filter(|p| world.subjects(p).is_empty());
    policies.filter_map(|policy| judge(world, policy)).collect()
}

fn judge(world: &World<'_>, policy: &Policy) -> Option<Finding> {
    let in_scope = pods_in_scope(world, &policy.subject.namespaces);
    if in_scope.is_empty() {
        return None;
    }
    let on_host = world.select(&policy.subject.namespaces, &policy.subject.pods);
    if !on_host.is_empty() {
        return Some(only_on_host(policy, on_host.len()));
    }
    let pods = in_scope.iter().filter_map(|id| world.pod(*id));
    let near = near_miss(&policy.subject.pods, pods.map(|pod| (pod.to_string(), &pod.labels)));
    let message = format!(
        "selects no pod: none of the {} in {} has the labels `{}`",
        count(in_scope.len(), "pod"),
        scope_name(&policy.subject.namespaces),
        policy.subject.pods
    );
    let severity = match (&policy.subject.namespaces, &near) {
        (_, Some(near)) if near.is_likely() => Severity::Warning,
        (NamespaceScope::Own(_), _) => Severity::Warning,
        (NamespaceScope::Selected(_), _) => Severity::Info,
    };
    let help = match &near {
        Some(near) => format!("{}: make the two equal", near.text()),
        None => "compare the selector with the labels of the pod template".to_owned(),
    };
    let finding = Finding::new(CHECK.code, severity, message, help)
        .about(policy.id.to_string())
        .because("no pod is isolated or allowed anything by this policy");
    let finding = match near.filter(NearMiss::is_likely) {
        Some(near) => finding.fixed_by(correction(policy, &near)),
        None => finding,
    };
    Some(placed(finding, policy.span))
}

fn correction(policy: &Policy, near: &NearMiss) -> Fix {
    Fix {
        summary: format!("select `{}={}`", near.key, near.value),
        patch: Some(yaml::selector("podSelector", &near.correct(&policy.subject.pods), 0)),
    }
}

fn only_on_host(policy: &Policy, n_pods: usize) -> Finding {
    let message = format!(
        "selects only host-network pods ({n_pods}), to which a {} never applies",
        policy.id.kind
    );
    let finding = Finding::new(
        CHECK.code,
        Severity::Warning,
        message,
        "protect host-network pods by the host's firewall, or take them off the host network",
    )
    .about(policy.id.to_string())
    .because("cluster-scoped policies do not select pods that use their node's network");
    placed(finding, policy.span)
}

fn pods_in_scope(world: &World<'_>, scope: &NamespaceScope) -> Vec<PodId> {
    match scope {
        NamespaceScope::Own(namespace) => world.pods_of(namespace).to_vec(),
        NamespaceScope::Selected(selector) => {
            let names = matching(world, selector).into_iter();
            names.flat_map(|name| world.pods_of(name)).copied().collect()
        }
    }
}

fn scope_name(scope: &NamespaceScope) -> String {
    match scope {
        NamespaceScope::Own(namespace) => format!("namespace {namespace}"),
        NamespaceScope::Selected(selector) if selector.is_everything() => {
            "all namespaces".to_owned()
        }
        NamespaceScope::Selected(selector) => format!("namespaces with `{selector}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::CHECK;
    use crate::tests::check;

    #[test]
    fn a_slip_in_a_label_is_named() {
        let found = check(
            CHECK.code,
            "deployment shop/web app=web
            policy shop/web app=wbe ## unselected-policy
            ingress",
        );
        assert_eq!(
            found[0].message,
            "selects no pod: none of the 1 pod in namespace shop has the labels `app=wbe`"
        );
        assert_eq!(
            found[0].help,
            "shop/web has `app=web`, and the selector wants `app=wbe`: make the two equal"
        );
        let patch = found[0].fix.as_ref().unwrap().patch.as_deref().unwrap();
        assert_eq!(patch, "podSelector:\n  matchLabels:\n    app: web\n");
    }

    #[test]
    fn policies_that_select_pods_or_precede_them_are_fine() {
        check(
            CHECK.code,
            "deployment shop/web app=web
            policy shop/web app=web
            ingress
            policy shop/all
            ingress
            policy empty/all
            ingress
            policy shop/jobs app=job ## unselected-policy
            egress",
        );
    }

    #[test]
    fn a_cluster_policy_for_host_network_pods_alone_selects_nothing() {
        let found = check(
            CHECK.code,
            "namespace mon
            pod mon/exporter app=exporter @10.0.0.1 !host
            admin guard 1 ns:* app=exporter ## unselected-policy
            ingress
            rule deny
            pods ns:*",
        );
        assert!(found[0].message.starts_with("selects only host-network pods (1)"));
    }
}
