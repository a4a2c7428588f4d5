//! Check: `missing-dns-egress`
//!
//! Pods whose egress is limited may open connections to others, and may not ask the cluster's DNS.
//!
//! **Why it matters.** Applications connect to names. The first thing that such a pod does is to ask port 53
//! of the DNS pods, and that is denied, so nothing that its rules allow works. It looks like a failing
//! application: `temporary failure in name resolution`.
//!
//! **How to fix.** Allow UDP and TCP to port 53 of the DNS pods, in a policy for all pods of the namespace.
//!
//! The DNS pods are those behind the Service `kube-system/kube-dns`, or labelled `k8s-app: kube-dns`, or
//! called CoreDNS. Policies see the port after the Service, which is not 53 everywhere. If the input has no
//! DNS pods, pods are reported only if no rule of theirs speaks of port 53 at all. Pods that may open
//! nothing need no names and are not reported; pods that may only reach address blocks are `info`; pods
//! that may ask a resolver outside are fine.
//!
//! ```yaml
//! egress:
//! - to:
//!   - namespaceSelector:
//!       matchLabels:
//!         kubernetes.io/metadata.name: kube-system
//!     podSelector:
//!       matchLabels:
//!         k8s-app: kube-dns
//!   ports:
//!   - {protocol: UDP, port: 53}
//!   - {protocol: TCP, port: 53}
//! ```

use crate::dns::{Egress, Refused, egress, refused};
use crate::known::{DnsPod, dns_pods};
use crate::registry::Check;
use crate::words::{count, list, placed, workloads};
use crate::world::World;
use finding_model::{Code, Finding, Fix, Severity};
use net_types::Protocol;
use policy_engine::PodId;
use std::collections::BTreeMap;

pub(crate) const CHECK: Check = Check {
    code: Code("missing-dns-egress"),
    severity: Severity::Warning,
    summary: "pods with limited egress cannot ask the cluster's DNS",
    find,
};

#[derive(Default)]
struct Affected<'p> {
    pods: Vec<PodId>,
    first: Option<Refused<'p>>,
    named: bool,
}

fn find(world: &World<'_>) -> Vec<Finding> {
    let dns = dns_pods(world);
    let mut by_namespace: BTreeMap<&str, Affected<'_>> = BTreeMap::new();
    for (id, pod) in world.program.pods() {
        let Some(refusal) = refused(world, &dns, id, Protocol::Udp) else { continue };
        let reach = egress(world, id);
        if reach == Egress::Nothing {
            continue;
        }
        let affected = by_namespace.entry(&pod.namespace).or_default();
        affected.pods.push(id);
        let first_named = reach == Egress::Named && !affected.named;
        if first_named || affected.first.is_none() {
            affected.first = Some(refusal);
        }
        affected.named |= reach == Egress::Named;
    }
    by_namespace.into_iter().map(|(ns, affected)| report(world, &dns, ns, affected)).collect()
}

fn report(world: &World<'_>, dns: &[DnsPod], namespace: &str, affected: Affected<'_>) -> Finding {
    let Affected { pods, first, named } = affected;
    let names = workloads(world, pods);
    let message = format!(
        "{} of namespace {namespace} cannot ask DNS, though egress to others is allowed: {}",
        count(names.len(), "workload"),
        list(&names)
    );
    let severity = if named { Severity::Warning } else { Severity::Info };
    let mut finding = Finding::new(
        CHECK.code,
        severity,
        message,
        "allow UDP and TCP to the port of the DNS pods, for all pods of the namespace",
    )
    .because("names of Services do not resolve, so connections that the rules allow fail")
    .fixed_by(allow_dns(dns, namespace));
    if let Some(Refused { policy, witness }) = first {
        finding.witness = witness;
        if let Some(policy) = policy {
            finding = placed(finding.about(policy.id.to_string()), policy.span);
        }
    }
    finding
}

fn allow_dns(dns: &[DnsPod], namespace: &str) -> Fix {
    let (udp, tcp) = dns.first().map_or((53, 53), |server| (server.udp, server.tcp));
    let patch = format!(
        "apiVersion: networking.k8s.io/v1\n\
         kind: NetworkPolicy\n\
         metadata:\n  name: allow-dns\n  namespace: {namespace}\n\
         spec:\n  podSelector: {{}}\n  policyTypes: [Egress]\n  egress:\n  - to:\n    \
         - namespaceSelector:\n        matchLabels:\n          kubernetes.io/metadata.name: kube-system\n      \
         podSelector:\n        matchLabels:\n          k8s-app: kube-dns\n    ports:\n    \
         - {{protocol: UDP, port: {udp}}}\n    - {{protocol: TCP, port: {tcp}}}\n"
    );
    Fix { summary: "allow DNS for the namespace".to_owned(), patch: Some(patch) }
}

#[cfg(test)]
mod tests {
    use super::CHECK;
    use crate::tests::check;
    use finding_model::Severity;

    const DNS: &str = "deployment kube-system/coredns k8s-app=kube-dns :dns=53/udp :dns-tcp=53/tcp
        deployment shop/web app=web
        deployment shop/db app=db
        ";

    #[test]
    fn a_pod_that_may_reach_others_but_not_dns_is_found() {
        let text = format!(
            "{DNS}policy shop/web app=web ## missing-dns-egress
            egress
            rule
            pods app=db"
        );
        let found = check(CHECK.code, &text);
        assert_eq!(
            found[0].witness.as_deref(),
            Some("shop/web → kube-system/coredns 53/udp (deny)")
        );
        assert_eq!(found[0].severity, Severity::Warning);
    }

    #[test]
    fn sealed_pods_and_pods_with_dns_are_fine() {
        let open = ["pods ns:*\nport 53/udp", "port 53/udp", "block 0.0.0.0/0\nport 53/udp"];
        for dns in open {
            let text = format!(
                "{DNS}policy shop/web app=web
                egress
                rule
                pods app=db
                rule
                {dns}
                policy shop/db app=db
                egress"
            );
            check(CHECK.code, &text);
        }
    }

    /// `dns` behind a Service that sends 53 to 5353: a rule for 53 does not let it through.
    #[test]
    fn policies_see_the_port_after_the_service() {
        let cluster = "deployment kube-system/dns app=dns :dns=5353/udp
            service kube-system/kube-dns app=dns :53->5353/udp
            deployment shop/web app=web
            deployment shop/db app=db
            policy shop/web app=web";
        let rules = "egress\nrule\npods app=db\nrule\npods ns:*";
        check(CHECK.code, &format!("{cluster} ## missing-dns-egress\n{rules}\nport 53/udp"));
        check(CHECK.code, &format!("{cluster}\n{rules}\nport 5353/udp"));
    }

    #[test]
    fn without_dns_pods_any_rule_for_the_port_counts() {
        let world =
            "deployment shop/web app=web\ndeployment shop/db app=db\npolicy shop/web app=web";
        let found = check(
            CHECK.code,
            &format!(
                "{world} ## missing-dns-egress\negress\nrule\nblock 192.0.2.0/24\nport 443/tcp"
            ),
        );
        assert_eq!((found[0].severity, found[0].witness.clone()), (Severity::Info, None));
        for dns in ["pods ns:k=kube-system\nport 53/udp", "pods ns:*\nport dns/udp", "port 53/udp"]
        {
            check(CHECK.code, &format!("{world}\negress\nrule\npods app=db\nrule\n{dns}"));
        }
    }
}
