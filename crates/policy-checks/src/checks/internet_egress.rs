//! Check: `internet-egress`
//!
//! An egress rule lets pods open connections to the whole internet.
//!
//! **Why it matters.** It is the way out for stolen data and the way in for a second stage. `egress: [{}]`,
//! a rule with `to` left out and `0.0.0.0/0` all say it.
//!
//! **How to fix.** Name the destinations: blocks of the services that are used, pods by label, or domain
//! names in a ClusterNetworkPolicy. At least name the ports. `info` where the rule names few ports.
//!
//! Rules of one namespace that open the same ports are one finding. A rule counts if its blocks together,
//! without `except`, cover all public addresses of IPv4 or IPv6, and a connection really passes.

use crate::contain::{WrittenPorts, addresses};
use crate::points::{internet, peers};
use crate::registry::Check;
use crate::words::{also, count, list, placed, sample, witness, workloads};
use crate::world::{RuleAt, World};
use finding_model::{Code, Finding, Severity};
use net_types::{AddressSet, Family, Traffic};
use policy_engine::{End, PodId, Verdict};
use policy_model::{Action, Direction, PeerMatch, Peers, Rule};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

pub(crate) const CHECK: Check = Check {
    code: Code("internet-egress"),
    severity: Severity::Warning,
    summary: "an egress rule opens the whole internet",
    find,
};

#[derive(Default)]
struct Open<'p> {
    /// With a connection each.
    rules: Vec<(RuleAt<'p>, String)>,
    pods: BTreeSet<PodId>,
}

fn find(world: &World<'_>) -> Vec<Finding> {
    let mut open: BTreeMap<(Option<&str>, Traffic), Open<'_>> = BTreeMap::new();
    for rule in world.rules().filter(|rule| rule.direction == Direction::Egress) {
        let Some(public) = public_addresses(rule.rule) else { continue };
        let ports = WrittenPorts::of(&rule.rule.ports).numbers;
        let subjects = world.subjects(rule.policy);
        let shown = subjects.iter().find_map(|pod| show(world, *pod, &public, &ports));
        let Some(text) = shown else { continue };
        let entry = open.entry((rule.policy.id.namespace.as_deref(), ports)).or_default();
        entry.rules.push((rule, text));
        entry.pods.extend(subjects.iter());
    }
    open.into_iter().filter_map(|((_, ports), open)| report(world, &ports, open)).collect()
}

/// The public addresses that an accepting rule covers, if it covers all of a family.
pub(crate) fn public_addresses(rule: &Rule) -> Option<AddressSet> {
    if rule.action != Action::Accept {
        return None;
    }
    if rule.peers == Peers::Any {
        return Some(internet(Family::V4));
    }
    let networks = peers(rule).filter_map(|peer| match peer {
        PeerMatch::Networks(networks) => Some(networks),
        PeerMatch::Pods { .. }
        | PeerMatch::Nodes(_)
        | PeerMatch::DomainNames(_)
        | PeerMatch::Unknown => None,
    });
    let covered = networks.fold(AddressSet::EMPTY, |all, more| all.union(&addresses(more)));
    let families = [Family::V4, Family::V6].map(internet).into_iter();
    let whole = families.filter(|public| public.difference(&covered).is_empty());
    whole.reduce(|a, b| a.union(&b))
}

fn show(world: &World<'_>, pod: PodId, public: &AddressSet, ports: &Traffic) -> Option<String> {
    if world.is_on_host(pod) {
        return None;
    }
    let from = End::Pod(pod);
    // Not the very first addresses: they read like mistakes.
    let preferred = ["8.8.8.8", "2001:4860:4860::8888"].into_iter();
    let known = preferred.filter_map(|a| a.parse::<IpAddr>().ok()).filter(|a| public.contains(*a));
    let to = End::Address(known.min()?);
    let (decision, text) = witness(world, (&from, &to), sample(world, &to, ports)?);
    (decision.egress.verdict == Verdict::Allow).then_some(text)
}

fn report(world: &World<'_>, ports: &Traffic, mut open: Open<'_>) -> Option<Finding> {
    open.rules.sort_by_key(|(rule, _)| rule.span());
    let ((first, shown), others) = open.rules.split_first()?;
    let names = workloads(world, open.pods);
    let message = format!(
        "{} may open {} to the whole internet: {}",
        count(names.len(), "workload"),
        crate::words::ports(ports),
        list(&names)
    );
    let severity = if ports.has_all_ports() { CHECK.severity } else { Severity::Info };
    let mut finding = Finding::new(
        CHECK.code,
        severity,
        message,
        "name the destinations that are needed, or at least their ports",
    )
    .about(first.policy.id.to_string());
    finding.why = Some(format!("{} admits every public address", first.name()));
    finding.witness = Some(shown.clone());
    let others = others.iter().map(|(rule, _)| (rule.span(), rule.full_name()));
    Some(placed(also(finding, others), first.span()))
}

#[cfg(test)]
mod tests {
    use super::CHECK;
    use crate::tests::check;
    use finding_model::Severity;

    #[test]
    fn rules_with_one_effect_are_one_finding() {
        let found = check(
            CHECK.code,
            "deployment shop/web app=web
            deployment shop/api app=api
            policy shop/web app=web
            egress
            rule ## internet-egress
            policy shop/api app=api
            egress
            rule
            block 0.0.0.0/0
            rule ## internet-egress
            block 0.0.0.0/1
            block 128.0.0.0/1
            port 443/tcp",
        );
        assert_eq!(
            found[0].message,
            "2 workloads may open every port to the whole internet: shop/api and shop/web"
        );
        assert_eq!(found[0].witness.as_deref(), Some("shop/web → 8.8.8.8 443/tcp (allow)"));
        assert_eq!([found[0].severity, found[1].severity], [Severity::Warning, Severity::Info]);
    }

    #[test]
    fn private_blocks_and_what_another_tier_denies_are_fine() {
        check(
            CHECK.code,
            "namespace shop
            deployment shop/web app=web
            policy shop/web
            egress
            rule
            block 10.0.0.0/8
            rule
            block 0.0.0.0/0
            port 25/tcp
            admin no-mail 1 ns:*
            egress
            rule deny
            block 0.0.0.0/0
            port 25/tcp",
        );
    }

    #[test]
    fn private_exceptions_do_not_make_it_smaller() {
        check(
            CHECK.code,
            "deployment shop/web app=web
            policy shop/web
            egress
            rule ## internet-egress
            block 0.0.0.0/0 -10.0.0.0/8 -192.168.0.0/16
            rule ## internet-egress
            block ::/0
            port 443/tcp",
        );
    }
}
