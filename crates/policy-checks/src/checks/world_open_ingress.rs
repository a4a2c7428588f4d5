//! Check: `world-open-ingress`
//!
//! An ingress rule admits every source, also from outside the cluster, to pods that nothing exposes.
//!
//! **Why it matters.** A rule with `from` left out, or `0.0.0.0/0`, means everybody: other namespaces, nodes,
//! and whatever is routed to the pods. Often "any pod of the cluster" was meant, which is
//! `namespaceSelector: {}`.
//!
//! **How to fix.** Name the sources. Pods behind an Ingress, a route or an external Service, the controllers
//! themselves and DNS are meant to be reached and are not reported. `info` where `from` is left out and the
//! rule names ports: webhooks must be written like that.
//!
//! ```yaml
//! ingress:
//! - from:
//!   - namespaceSelector: {}   # any pod, nothing from outside
//!   ports:
//!   - port: 8080
//! ```

use super::internet_egress::public_addresses;
use crate::known::public_pods;
use crate::points::traffic_at;
use crate::registry::Check;
use crate::words::{list, placed, sample, witness, workloads};
use crate::world::{RuleAt, World};
use finding_model::{Code, Finding, Fix, Severity};
use net_types::AddressSet;
use policy_engine::{End, PodId, Verdict};
use policy_model::{Direction, Peers, Ports};
use std::collections::BTreeSet;
use std::net::IpAddr;

pub(crate) const CHECK: Check = Check {
    code: Code("world-open-ingress"),
    severity: Severity::Warning,
    summary: "an ingress rule admits every source to pods that nothing exposes",
    find,
};

fn find(world: &World<'_>) -> Vec<Finding> {
    let public = public_pods(world);
    let rules = world.rules().filter(|rule| rule.direction == Direction::Ingress);
    rules.filter_map(|rule| judge(world, &public, rule)).collect()
}

fn judge(world: &World<'_>, public: &BTreeSet<PodId>, rule: RuleAt<'_>) -> Option<Finding> {
    let sources = public_addresses(rule.rule)?;
    let subjects = world.subjects(rule.policy);
    let hidden: Vec<PodId> = subjects
        .iter()
        .copied()
        .filter(|pod| !public.contains(pod) && !world.is_on_host(*pod))
        .collect();
    let (shown, ports) = hidden.iter().find_map(|pod| show(world, rule, *pod, &sources))?;
    let names = workloads(world, hidden);
    let message = format!(
        "{} admits everybody, also from outside the cluster, to {} on {}",
        rule.name(),
        list(&names),
        ports
    );
    let severity = match (&rule.rule.peers, &rule.rule.ports) {
        (Peers::Any, Ports::Listed(_)) => Severity::Info,
        (Peers::Any, Ports::All) | (Peers::Listed(_), _) => CHECK.severity,
    };
    let finding = Finding::new(
        CHECK.code,
        severity,
        message,
        "name the sources; any pod of the cluster is `namespaceSelector: {}`",
    )
    .about(rule.policy.id.to_string())
    .because("no Ingress, route or external Service of the input leads to these pods")
    .witnessed_by(shown)
    .fixed_by(Fix {
        summary: "admit pods of the cluster only".to_owned(),
        patch: Some("from:\n- namespaceSelector: {}\n".to_owned()),
    });
    Some(placed(finding, rule.span()))
}

fn show(
    world: &World<'_>,
    rule: RuleAt<'_>,
    pod: PodId,
    sources: &AddressSet,
) -> Option<(String, String)> {
    let traffic = traffic_at(&rule.rule.ports, world.pod(pod));
    let outside: Option<IpAddr> = ["8.8.8.8", "2001:4860:4860::8888"]
        .into_iter()
        .filter_map(|address| address.parse().ok())
        .find(|address| sources.contains(*address));
    let (from, to) = (End::Address(outside?), End::Pod(pod));
    let (decision, text) = witness(world, (&from, &to), sample(world, &to, &traffic)?);
    let ports = crate::words::ports(&traffic);
    (decision.verdict == Verdict::Allow).then_some((text, ports))
}

#[cfg(test)]
mod tests {
    use super::CHECK;
    use crate::tests::check;
    use finding_model::Severity;

    #[test]
    fn pods_behind_an_entry_or_an_external_service_are_meant_to_be_open() {
        let found = check(
            CHECK.code,
            "deployment shop/web app=web :8080/tcp
            deployment shop/front app=front
            deployment shop/db app=db :5432/tcp
            service shop/web app=web :80->8080/tcp
            service shop/front app=front :80->8080/tcp !external
            ingress-entry shop/web backend=web:80
            policy shop/web app=web
            ingress
            rule
            policy shop/front app=front
            ingress
            rule
            policy shop/db app=db
            ingress
            rule ## world-open-ingress
            block 0.0.0.0/0
            port 5432/tcp
            rule
            pods ns:*
            rule
            block 10.0.0.0/8",
        );
        assert_eq!(found[0].witness.as_deref(), Some("8.8.8.8 → shop/db 5432/tcp (allow)"));
        assert_eq!(found[0].severity, Severity::Warning);
    }

    /// The API server calls webhooks from an address that nobody can name.
    #[test]
    fn a_webhook_port_for_everybody_is_a_remark() {
        let found = check(
            CHECK.code,
            "deployment ops/webhook app=webhook :webhook=9443/tcp
            policy ops/webhook
            ingress
            rule ## world-open-ingress
            port webhook/tcp",
        );
        assert_eq!(found[0].severity, Severity::Info);
        assert_eq!(
            found[0].message,
            "ingress[0] admits everybody, also from outside the cluster, to ops/webhook on 9443/tcp"
        );
    }
}
