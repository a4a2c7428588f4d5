//! Check: `duplicate-rule`
//!
//! A rule of a NetworkPolicy allows nothing that other rules of the same policy do not allow.
//!
//! **Why it matters.** Rules of a NetworkPolicy add up. Whoever narrows one of the two believes that the
//! connection is closed, and it is not.
//!
//! **How to fix.** Remove the rule, or narrow the broader one if the narrow one was meant.
//!
//! This follows from the text alone (labels, blocks and ports contain each other), so it is true whatever
//! pods there are. For the ordered tiers see `shadowed-rule`.

use crate::contain::rule_within;
use crate::points::example;
use crate::registry::Check;
use crate::words::{list, placed, witness};
use crate::world::{RuleAt, World, rules_of};
use finding_model::{Code, Finding, Severity};
use policy_model::{Direction, Policy, Tier};

pub(crate) const CHECK: Check = Check {
    code: Code("duplicate-rule"),
    severity: Severity::Warning,
    summary: "other rules of the policy allow all that a rule allows",
    find,
};

fn find(world: &World<'_>) -> Vec<Finding> {
    let policies = world.program.policies().filter(|p| p.tier == Tier::NetworkPolicy);
    let each = policies.flat_map(|policy| Direction::BOTH.map(|direction| (policy, direction)));
    each.flat_map(|(policy, direction)| judge(world, policy, direction)).collect()
}

fn judge(world: &World<'_>, policy: &Policy, direction: Direction) -> Vec<Finding> {
    let mut kept: Vec<RuleAt<'_>> =
        rules_of(policy).filter(|rule| rule.direction == direction).collect();
    let mut findings = Vec::new();
    // From the end, so that of two equal rules the first stays.
    for position in (0..kept.len()).rev() {
        let others: Vec<RuleAt<'_>> = kept
            .iter()
            .enumerate()
            .filter(|(other, _)| *other != position)
            .map(|(_, rule)| *rule)
            .collect();
        let Some(rule) = kept.get(position).copied() else { continue };
        if rule_within(world, rule, &others) {
            findings.push(report(world, rule, &others));
            kept.remove(position);
        }
    }
    findings
}

fn report(world: &World<'_>, rule: RuleAt<'_>, others: &[RuleAt<'_>]) -> Finding {
    let alone = others.iter().find(|o| rule_within(world, rule, std::slice::from_ref(*o)));
    let (message, span) = match alone {
        Some(other) => (
            format!("{} allows nothing that {} does not allow", rule.name(), other.name()),
            other.span(),
        ),
        None => {
            let names: Vec<String> = others.iter().map(RuleAt::name).collect();
            (format!("{} allows nothing beside {}", rule.name(), list(&names)), None)
        }
    };
    let mut finding = Finding::new(
        CHECK.code,
        CHECK.severity,
        message,
        "remove the rule, or narrow the broader one if the narrow one was meant",
    )
    .about(rule.policy.id.to_string())
    .because("rules of a NetworkPolicy add up, so this one changes no verdict");
    let shown = example(world, rule);
    finding.witness = shown.map(|(from, to, point)| witness(world, (&from, &to), point).1);
    if let Some(other) = alone {
        finding = finding.related_to(span, format!("{} allows it all", other.name()));
    }
    placed(finding, rule.span())
}

#[cfg(test)]
mod tests {
    use super::CHECK;
    use crate::tests::check;

    #[test]
    fn of_two_equal_rules_the_second_is_found_and_a_narrow_one_wherever_it_stands() {
        let found = check(
            CHECK.code,
            "deployment shop/web app=web :80/tcp
            policy shop/x app=web
            ingress
            rule
            pods app=api
            port 80/tcp
            rule ## duplicate-rule
            pods app=api
            port 80/tcp
            egress
            rule ## duplicate-rule
            block 10.1.0.0/16
            port 443/tcp
            rule
            block 10.0.0.0/8
            port 400-500/tcp",
        );
        assert_eq!(found[0].message, "ingress[1] allows nothing that ingress[0] does not allow");
    }

    #[test]
    fn rules_that_only_happen_to_select_the_same_pods_are_fine() {
        check(
            CHECK.code,
            "deployment shop/web app=web tier=front :http=80/tcp
            policy shop/x
            ingress
            rule
            pods app=web
            rule
            pods tier=front
            rule
            block 10.0.0.0/8 -10.1.0.0/16
            rule
            block 10.1.0.0/24
            egress
            rule
            pods app=web
            port 80/tcp
            rule
            pods app=web
            port http/tcp",
        );
    }
}
