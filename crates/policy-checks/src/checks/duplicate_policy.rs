//! Check: `duplicate-policy`
//!
//! Two policies select the same pods by the same selector and say the same; or one of two NetworkPolicies
//! says only what the other one says as well.
//!
//! **Why it matters.** Whoever changes or removes one of the two wonders why nothing happens.
//!
//! **How to fix.** Keep one. `info` where one contains the other without being equal to it, as a
//! default-deny for ingress beside one for both directions.

use crate::contain::{WrittenPorts, rule_within};
use crate::registry::Check;
use crate::words::placed;
use crate::world::{RuleAt, World, rules_of};
use finding_model::{Code, Finding, Severity};
use policy_model::{Action, Direction, PeerMatch, Peers, Policy, Rule, Subject, Tier};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) const CHECK: Check = Check {
    code: Code("duplicate-policy"),
    severity: Severity::Warning,
    summary: "another policy says the same of the same pods",
    find,
};

type Place<'p> = (Option<&'p str>, Tier, u16, &'p Subject);

fn find(world: &World<'_>) -> Vec<Finding> {
    let mut places: BTreeMap<Place<'_>, Vec<&Policy>> = BTreeMap::new();
    for policy in world.program.policies() {
        let place = (policy.id.namespace.as_deref(), policy.tier, policy.priority, &policy.subject);
        places.entry(place).or_default().push(policy);
    }
    places.into_values().flat_map(|policies| judge(world, policies)).collect()
}

fn judge(world: &World<'_>, policies: Vec<&Policy>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut kept: Vec<&Policy> = Vec::new();
    for policy in policies {
        match kept.iter().find(|other| says(other) == says(policy)) {
            Some(other) => findings.push(report(policy, other, true)),
            None => kept.push(policy),
        }
    }
    for policy in &kept {
        let mut others = kept.iter().filter(|other| other.id != policy.id);
        if let Some(other) = others.find(|other| is_within(world, policy, other)) {
            findings.push(report(policy, other, false));
        }
    }
    findings
}

/// One rule without its place; `None` for any peer.
type Said<'p> = (Action, Option<BTreeSet<&'p PeerMatch>>, WrittenPorts);

fn said(rule: &Rule) -> Said<'_> {
    let peers = match &rule.peers {
        Peers::Any => None,
        Peers::Listed(peers) => Some(peers.iter().map(|peer| &peer.matches).collect()),
    };
    (rule.action, peers, WrittenPorts::of(&rule.ports))
}

/// Rules in the order in which they matter; in a NetworkPolicy none does.
fn says(policy: &Policy) -> [Option<Vec<Said<'_>>>; 2] {
    Direction::BOTH.map(|direction| {
        let mut rules: Vec<Said<'_>> = policy.rules(direction)?.iter().map(said).collect();
        if policy.tier == Tier::NetworkPolicy {
            rules.sort();
            rules.dedup();
        }
        Some(rules)
    })
}

fn is_within(world: &World<'_>, inner: &Policy, outer: &Policy) -> bool {
    let covers = |direction| outer.rules(direction).is_some() || inner.rules(direction).is_none();
    inner.tier == Tier::NetworkPolicy
        && Direction::BOTH.into_iter().all(covers)
        && rules_of(inner).all(|rule| {
            let same = rules_of(outer).filter(|other| other.direction == rule.direction);
            rule_within(world, rule, &same.collect::<Vec<RuleAt<'_>>>())
        })
}

fn report(policy: &Policy, other: &Policy, equal: bool) -> Finding {
    let (message, severity) = if equal {
        (format!("says the same as {} of the same pods", other.id), CHECK.severity)
    } else {
        (format!("says nothing that {} does not say of the same pods", other.id), Severity::Info)
    };
    let finding = Finding::new(CHECK.code, severity, message, "remove one of the two")
        .about(policy.id.to_string())
        .because("removing this policy alone changes no verdict")
        .related_to(other.span, format!("{} is here", other.id));
    placed(finding, policy.span)
}

#[cfg(test)]
mod tests {
    use super::CHECK;
    use crate::tests::check;
    use finding_model::Severity;

    #[test]
    fn equal_policies_and_one_within_another_are_found() {
        let found = check(
            CHECK.code,
            "deployment shop/web app=web
            policy shop/a
            ingress
            egress
            policy shop/b ## duplicate-policy
            ingress
            egress
            policy shop/c ## duplicate-policy
            ingress
            policy shop/d app=web
            ingress",
        );
        assert_eq!([found[0].severity, found[1].severity], [Severity::Warning, Severity::Info]);
    }

    #[test]
    fn a_rule_that_the_other_lacks_makes_a_difference() {
        check(
            CHECK.code,
            "deployment shop/web app=web
            policy shop/a
            ingress
            rule
            pods app=api
            policy shop/b
            ingress
            rule
            pods app=job
            policy shop/c
            egress",
        );
    }
}
