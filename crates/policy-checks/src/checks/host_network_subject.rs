//! Check: `host-network-subject`
//!
//! NetworkPolicies select a pod that uses its node's network.
//!
//! **Why it matters.** The API leaves open what a NetworkPolicy means for such a pod. Most network plugins
//! treat it as its node and do not enforce the policy, so the pod is open, and rules that name it as a peer
//! do not match it. Verdicts about it are `undefined` where the two readings differ.
//!
//! **How to fix.** Take the pod off the host network (`hostNetwork: false`), or protect the node by other
//! means and do not rely on the policy. `info` where only policies for all pods of the namespace select it.

use crate::registry::Check;
use crate::words::{list, placed};
use crate::world::World;
use finding_model::{Code, Finding, Severity};
use policy_engine::PodId;
use policy_model::{Direction, Pod, Policy, Tier, WorkloadRef};
use std::collections::BTreeMap;

pub(crate) const CHECK: Check = Check {
    code: Code("host-network-subject"),
    severity: Severity::Warning,
    summary: "NetworkPolicies select a host-network pod",
    find,
};

fn find(world: &World<'_>) -> Vec<Finding> {
    let mut workloads: BTreeMap<&WorkloadRef, (PodId, &Pod)> = BTreeMap::new();
    for (id, pod) in world.program.pods().filter(|(_, pod)| pod.host_network) {
        workloads.entry(&pod.workload).or_insert((id, pod));
    }
    workloads.into_values().filter_map(|(id, pod)| judge(world, id, pod)).collect()
}

fn judge(world: &World<'_>, id: PodId, pod: &Pod) -> Option<Finding> {
    let mut policies: Vec<&Policy> = Direction::BOTH
        .into_iter()
        .flat_map(|direction| world.applied(id, direction))
        .filter(|policy| policy.tier == Tier::NetworkPolicy)
        .collect();
    policies.sort_by_key(|policy| &policy.id);
    policies.dedup_by_key(|policy| &policy.id);
    let named = policies.iter().any(|policy| !policy.subject.pods.is_everything());
    let names: Vec<&str> = policies.iter().map(|policy| policy.id.name.as_str()).collect();
    if names.is_empty() {
        return None;
    }
    let message = format!(
        "{} uses its node's network, and is selected by {}, which most clusters do not enforce on it",
        pod.workload,
        list(&names)
    );
    let mut finding = Finding::new(
        CHECK.code,
        if named { CHECK.severity } else { Severity::Info },
        message,
        "take the pod off the host network, or do not rely on the policy",
    )
    .about(format!("{} {}", pod.workload.kind, pod.workload))
    .because("the API does not say how NetworkPolicy treats host-network pods");
    for policy in policies.iter().take(3) {
        finding = finding.related_to(policy.span, format!("{} selects it", policy.id));
    }
    Some(placed(finding, pod.span))
}

#[cfg(test)]
mod tests {
    use super::CHECK;
    use crate::tests::check;
    use finding_model::Severity;

    #[test]
    fn only_host_network_pods_are_found() {
        let found = check(
            CHECK.code,
            "pod mon/exporter app=exporter @172.16.0.1 !host ## host-network-subject
            pod mon/web app=web @10.0.0.1
            pod kube-system/proxy app=proxy @172.16.0.1 !host
            policy mon/exporter app=exporter
            ingress
            egress
            policy mon/deny
            ingress",
        );
        assert_eq!(found[0].severity, Severity::Warning);
        assert_eq!(found[0].related.len(), 2);
    }

    #[test]
    fn a_default_deny_of_the_namespace_is_a_remark() {
        let found = check(
            CHECK.code,
            "pod mon/exporter app=exporter @172.16.0.1 !host ## host-network-subject
            policy mon/deny
            ingress",
        );
        assert_eq!(found[0].severity, Severity::Info);
    }
}
