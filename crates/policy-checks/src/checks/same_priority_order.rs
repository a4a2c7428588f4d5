//! Check: `same-priority-order`
//!
//! Two policies of one tier have the same priority and disagree about a connection.
//!
//! **Why it matters.** The API lets an implementation apply either of them. The connection may be allowed in
//! one cluster and denied in the next, or change with an upgrade; its verdict is `undefined`.
//!
//! **How to fix.** Give the two policies different priorities.
//!
//! Policies of one priority that never disagree about the same connection are fine and not reported. Where it
//! would take too many questions to know, that is said (`search-stopped`).

use crate::points::{Cuts, oriented, peer_ends};
use crate::registry::Check;
use crate::words::{placed, witness};
use crate::world::{RuleAt, Stopped, World, rules_of};
use finding_model::{Code, Finding, Severity};
use policy_engine::{End, PodId, Reason};
use policy_model::{Policy, Tier};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) const CHECK: Check = Check {
    code: Code("same-priority-order"),
    severity: Severity::Warning,
    summary: "policies of the same priority disagree",
    find,
};

/// Questions about one pair of policies before the search gives up.
const LIMIT: usize = 500_000;

fn find(world: &World<'_>) -> Vec<Finding> {
    find_within(world, LIMIT)
}

pub(super) fn find_within(world: &World<'_>, limit: usize) -> Vec<Finding> {
    let mut groups: BTreeMap<(Tier, u16), Vec<&Policy>> = BTreeMap::new();
    for policy in world.program.policies().filter(|p| p.tier != Tier::NetworkPolicy) {
        groups.entry((policy.tier, policy.priority)).or_default().push(policy);
    }
    groups.retain(|_, policies| policies.len() > 1);
    if groups.is_empty() {
        return Vec::new();
    }
    let cuts = Cuts::of(world);
    let mut findings = Vec::new();
    for policies in groups.values() {
        for (index, a) in policies.iter().enumerate() {
            let later = policies.iter().skip(index + 1);
            findings.extend(later.filter_map(|b| judge(world, (&cuts, limit), a, b)));
        }
    }
    findings
}

fn judge<'p>(
    world: &World<'p>,
    (cuts, limit): (&Cuts, usize),
    a: &'p Policy,
    b: &'p Policy,
) -> Option<Finding> {
    let of_b: BTreeSet<PodId> = world.subjects(b).iter().copied().collect();
    let both: Vec<PodId> =
        world.subjects(a).iter().copied().filter(|pod| of_b.contains(pod)).collect();
    let both = world.one_of_each(&both);
    let mut asked = 0;
    for rule_a in rules_of(a) {
        for rule_b in rules_of(b).filter(|other| {
            other.direction == rule_a.direction && other.rule.action != rule_a.rule.action
        }) {
            let shown = disagree(world, cuts, (rule_a, rule_b), &both, (&mut asked, limit));
            if let Some(shown) = shown {
                return Some(report((rule_a, rule_b), shown));
            }
            if asked > limit {
                let question = format!("whether {} disagrees", b.id);
                world.stop(Stopped { check: CHECK.code, rule: rule_a, question, n_asked: limit });
                return None;
            }
        }
    }
    None
}

fn disagree(
    world: &World<'_>,
    cuts: &Cuts,
    (a, b): (RuleAt<'_>, RuleAt<'_>),
    subjects: &[PodId],
    (asked, limit): (&mut usize, usize),
) -> Option<String> {
    let of_b: BTreeSet<End> = peer_ends(world, cuts, b)?.into_iter().collect();
    let shared: Vec<End> =
        peer_ends(world, cuts, a)?.into_iter().filter(|end| of_b.contains(end)).collect();
    for subject in subjects {
        for end in &shared {
            let (from, to) = oriented(a.direction, *subject, end);
            let destination = match &to {
                End::Pod(id) => world.pod(*id),
                End::Address(_) | End::Name(_) => None,
            };
            let ports = cuts.ports_in(b.rule, destination);
            let shared_ports = cuts.ports_in(a.rule, destination).into_iter();
            for point in shared_ports.filter(|point| ports.contains(point)) {
                *asked += 1;
                if *asked > limit {
                    return None;
                }
                let (decision, text) = witness(world, (&from, &to), point);
                if decision.side(a.direction).reasons.contains(Reason::SamePriority) {
                    return Some(text);
                }
            }
        }
    }
    None
}

fn report((a, b): (RuleAt<'_>, RuleAt<'_>), shown: String) -> Finding {
    let message = format!(
        "{} ({}) and {} {} ({}) have priority {} and disagree",
        a.name(),
        a.rule.action,
        b.policy.id,
        b.name(),
        b.rule.action,
        a.policy.priority
    );
    let finding = Finding::new(
        CHECK.code,
        CHECK.severity,
        message,
        "give the two policies different priorities: the lower number decides first",
    )
    .about(a.policy.id.to_string())
    .because("the API lets an implementation apply either policy first")
    .witnessed_by(shown)
    .related_to(b.span(), format!("{} {} ({})", b.policy.id, b.name(), b.rule.action));
    placed(finding, a.span())
}

#[cfg(test)]
mod tests {
    use super::CHECK;
    use crate::tests::check;

    const WORLD: &str = "namespace shop
        deployment shop/web app=web :80/tcp
        deployment shop/api app=api
        ";

    #[test]
    fn a_connection_that_both_decide_differently_is_shown() {
        let found = check(
            CHECK.code,
            &format!(
                "{WORLD}admin a 5 ns:*
                ingress
                rule accept ## same-priority-order
                pods ns:*
                port 1-80/tcp
                admin b 5 ns:* app=web
                ingress
                rule deny
                pods ns:* app=api
                port 80-90/tcp"
            ),
        );
        assert_eq!(found[0].witness.as_deref(), Some("shop/api → shop/web 80/tcp (undefined)"));
    }

    #[test]
    fn policies_that_never_meet_or_agree_are_fine() {
        for other in [
            "admin b 5 ns:*\ningress\nrule deny\npods ns:*\nport 81/tcp",
            "admin b 6 ns:*\ningress\nrule deny\npods ns:*",
            "admin b 5 ns:* app=none\ningress\nrule deny\npods ns:*",
            "admin b 5 ns:*\ningress\nrule accept\npods ns:*",
            "baseline b 5 ns:*\ningress\nrule deny\npods ns:*",
        ] {
            let text = format!(
                "{WORLD}admin a 5 ns:*\ningress\nrule accept\npods ns:*\nport 1-80/tcp\n{other}"
            );
            check(CHECK.code, &text);
        }
    }
}
