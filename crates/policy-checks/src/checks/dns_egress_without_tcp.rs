//! Check: `dns-egress-without-tcp`
//!
//! Pods may ask the cluster's DNS over UDP and not over TCP.
//!
//! **Why it matters.** An answer that does not fit into a UDP packet (many endpoints, long names, DNSSEC)
//! is asked for again over TCP. Without it, a few names fail, and only sometimes.
//!
//! **How to fix.** Add TCP beside UDP wherever the rule names the port of DNS.

use crate::dns::{Egress, egress, refused};
use crate::known::dns_pods;
use crate::registry::Check;
use crate::words::{count, list, placed, workloads};
use crate::world::World;
use finding_model::{Code, Finding, Severity};
use net_types::Protocol;
use policy_engine::PodId;
use std::collections::BTreeMap;

pub(crate) const CHECK: Check = Check {
    code: Code("dns-egress-without-tcp"),
    severity: Severity::Info,
    summary: "pods may ask DNS over UDP and not over TCP",
    find,
};

fn find(world: &World<'_>) -> Vec<Finding> {
    let dns = dns_pods(world);
    // Without a DNS pod nothing shows that the rules for port 53 are meant for DNS.
    if dns.is_empty() {
        return Vec::new();
    }
    let mut by_namespace: BTreeMap<&str, (Vec<PodId>, Option<Finding>)> = BTreeMap::new();
    for (id, pod) in world.program.pods() {
        let Some(refusal) = refused(world, &dns, id, Protocol::Tcp) else { continue };
        let by_udp = refused(world, &dns, id, Protocol::Udp).is_none();
        if !by_udp || egress(world, id) == Egress::Nothing {
            continue;
        }
        let (pods, first) = by_namespace.entry(&pod.namespace).or_default();
        pods.push(id);
        first.get_or_insert_with(|| {
            let help = "add TCP beside UDP in the rule that allows DNS";
            let mut finding = Finding::new(CHECK.code, CHECK.severity, "", help)
                .because("answers that are too long for UDP are asked for again over TCP");
            finding.witness = refusal.witness;
            match refusal.policy {
                Some(policy) => placed(finding.about(policy.id.to_string()), policy.span),
                None => finding,
            }
        });
    }
    let named = by_namespace.into_iter().filter_map(|(namespace, (pods, first))| {
        let names = workloads(world, pods);
        let message = format!(
            "{} of namespace {namespace} may ask DNS over UDP but not over TCP: {}",
            count(names.len(), "workload"),
            list(&names)
        );
        Some(Finding { message, ..first? })
    });
    named.collect()
}

#[cfg(test)]
mod tests {
    use super::CHECK;
    use crate::tests::check;

    #[test]
    fn only_udp_is_a_remark() {
        let world = "deployment kube-system/coredns k8s-app=kube-dns :53/udp :53/tcp
            deployment shop/web app=web
            deployment shop/db app=db
            policy shop/web app=web";
        let rules = "egress\nrule\npods app=db\nrule\npods ns:*\nport 53/udp";
        let found = check(CHECK.code, &format!("{world} ## dns-egress-without-tcp\n{rules}"));
        let witness = found[0].witness.as_deref();
        assert_eq!(witness, Some("shop/web → kube-system/coredns 53/tcp (deny)"));
        check(CHECK.code, &format!("{world}\n{rules}\nport 53/tcp"));
    }
}
