//! Check: `half-open`
//!
//! One side of a connection is allowed by a rule that names exactly these pods, and the other side's
//! policies deny it.
//!
//! **Why it matters.** A connection needs both: the source's egress and the destination's ingress. Somebody
//! wrote a rule for it, and it does not work.
//!
//! **How to fix.** Add the missing rule on the other side, or remove this one if the connection is not
//! wanted.
//!
//! Only rules with a podSelector that selects something are looked at, and only peers none of whose pods get
//! through on any port of the rule. All rules that one policy of the other side stops are one finding, which
//! lists each of them with an example.

use crate::points::{oriented, traffic_at};
use crate::registry::Check;
use crate::words::{count, list, placed, sample, witness, workloads};
use crate::world::{RuleAt, World};
use finding_model::{Code, Finding, Severity, SourceSpan};
use net_types::Traffic;
use policy_engine::{End, PodId, Verdict};
use policy_model::{Direction, PeerMatch, Peers, PolicyId, Tier};
use std::collections::BTreeMap;

pub(crate) const CHECK: Check = Check {
    code: Code("half-open"),
    severity: Severity::Warning,
    summary: "one side allows by name what the other side denies",
    find,
};

/// Peers with more pairs of classes are not exactly named.
const PAIRS: usize = 400;

struct Half<'p> {
    rule: RuleAt<'p>,
    span: Option<SourceSpan>,
    others: Vec<PodId>,
    /// What denies on the other side.
    policy: PolicyId,
    witness: String,
}

fn find(world: &World<'_>) -> Vec<Finding> {
    let mut groups: BTreeMap<(Direction, PolicyId), Vec<Half<'_>>> = BTreeMap::new();
    for rule in world.rules().filter(|rule| rule.policy.tier == Tier::NetworkPolicy) {
        for half in halves(world, rule) {
            groups.entry((rule.direction, half.policy.clone())).or_default().push(half);
        }
    }
    groups.into_values().filter_map(|halves| report(world, halves)).collect()
}

fn halves<'p>(world: &World<'p>, rule: RuleAt<'p>) -> Vec<Half<'p>> {
    let Peers::Listed(peers) = &rule.rule.peers else { return Vec::new() };
    let subjects = world.subjects(rule.policy);
    let subjects = world.one_of_each(&subjects);
    let mut found: Vec<Half<'_>> = Vec::new();
    for peer in peers {
        let PeerMatch::Pods { namespaces, pods } = &peer.matches else { continue };
        let selected = world.select(namespaces, pods);
        if pods.is_everything() || found.iter().any(|half| *half.others == *selected) {
            continue;
        }
        let others = world.one_of_each(&selected);
        if others.len().saturating_mul(subjects.len()) > PAIRS {
            continue;
        }
        if let Some((policy, witness)) = denied(world, rule, &subjects, &others) {
            let span = peer.span.or(rule.span());
            found.push(Half { rule, span, others: selected.to_vec(), policy, witness });
        }
    }
    found
}

/// What denies, and a connection that shows it, if nothing at all gets through.
fn denied(
    world: &World<'_>,
    rule: RuleAt<'_>,
    subjects: &[PodId],
    others: &[PodId],
) -> Option<(PolicyId, String)> {
    let mut first = None;
    for subject in subjects.iter().filter(|id| !world.is_on_host(**id)) {
        for other in others.iter().filter(|id| !world.is_on_host(**id)) {
            let (from, to) = oriented(rule.direction, *subject, &End::Pod(*other));
            let destination = if rule.direction == Direction::Ingress { subject } else { other };
            let wanted = traffic_at(&rule.rule.ports, world.pod(*destination));
            let passing = world.program.traffic(&from, &to, &mut world.cache.borrow_mut());
            let passing = passing.allowed.union(&passing.undefined);
            let unserved = serves_nothing_of(world, *destination, &wanted);
            if subject == other || unserved || !passing.intersection(&wanted).has_no_ports() {
                return None;
            }
            let Some(point) = sample(world, &to, &wanted) else { continue };
            let (decision, text) = witness(world, (&from, &to), point);
            let (own, across) = match rule.direction {
                Direction::Ingress => (decision.ingress, decision.egress),
                Direction::Egress => (decision.egress, decision.ingress),
            };
            if own.verdict != Verdict::Allow || across.verdict != Verdict::Deny {
                return None;
            }
            if let Some(policy) = world.program.deciding_policy(across.cause) {
                first.get_or_insert_with(|| (policy.id.clone(), text));
            }
        }
    }
    first
}

/// The rule's ports are mistaken, which `port-unserved` says.
fn serves_nothing_of(world: &World<'_>, pod: PodId, wanted: &Traffic) -> bool {
    world.pod(pod).is_some_and(|pod| {
        let mut served = pod.ports.iter();
        !pod.ports.is_empty() && !served.any(|port| wanted.contains(port.protocol, port.port))
    })
}

fn report(world: &World<'_>, mut halves: Vec<Half<'_>>) -> Option<Finding> {
    halves.sort_by_key(|half| half.span);
    let (first, rest) = halves.split_first()?;
    let (verb, side, missing) = match first.rule.direction {
        Direction::Ingress => ("admits", "egress", "egress from it"),
        Direction::Egress => ("lets it reach", "ingress", "ingress there"),
    };
    let of_one = |half: &Half<'_>| list(&workloads(world, half.others.iter().copied()));
    let others = halves.iter().flat_map(|half| half.others.iter().copied());
    let names = list(&workloads(world, others));
    let more = match rest.len() {
        0 => String::new(),
        n => format!(" (and {} like it)", count(n, "rule")),
    };
    let rule = first.rule;
    let message = format!("{}{more} {verb} {names}, whose {side} does not allow it", rule.name());
    let denying = world.program.policy(&first.policy).and_then(|policy| policy.span);
    let finding = Finding::new(
        CHECK.code,
        CHECK.severity,
        message,
        format!("allow {missing} as well, or remove this rule if the connection is not wanted"),
    )
    .about(rule.policy.id.to_string())
    .because(format!("{} denies it", first.policy))
    .witnessed_by(first.witness.clone())
    .related_to(denying, format!("{} denies", first.policy));
    let finding = rest.iter().fold(finding, |finding, half| {
        let rule = half.rule.full_name();
        let text = format!("{rule} {verb} {}: {}", of_one(half), half.witness);
        finding.related_to(half.span, text)
    });
    Some(placed(finding, first.span))
}

#[cfg(test)]
mod tests {
    use super::CHECK;
    use crate::tests::check;

    const WORLD: &str = "deployment shop/web app=web
        deployment shop/db app=db :5432/tcp
        policy shop/db app=db
        ingress
        rule
        pods app=web";

    #[test]
    fn ingress_that_the_clients_egress_denies_is_found() {
        let found = check(
            CHECK.code,
            &format!(
                "{WORLD} ## half-open\nport 5432/tcp\npolicy shop/web app=web\negress\nrule\npods app=other"
            ),
        );
        assert_eq!(found[0].message, "ingress[0] admits shop/web, whose egress does not allow it");
        assert_eq!(found[0].witness.as_deref(), Some("shop/web → shop/db 5432/tcp (deny)"));
        assert_eq!(found[0].why.as_deref(), Some("NetworkPolicy shop/web denies it"));
    }

    #[test]
    fn open_other_sides_and_partly_open_ones_are_fine() {
        check(CHECK.code, WORLD);
        check(
            CHECK.code,
            &format!(
                "{WORLD}\nport 5000-6000/tcp\npolicy shop/web app=web\negress\nrule\nport 5999/tcp"
            ),
        );
    }

    #[test]
    fn rules_stopped_by_one_policy_are_one_finding() {
        let found = check(
            CHECK.code,
            "deployment mon/prom app=prom
            deployment shop/web app=web
            deployment pay/api app=api
            policy mon/prom
            egress
            policy pay/scrape
            ingress
            rule
            pods ns:* app=prom ## half-open
            policy shop/scrape
            ingress
            rule
            pods ns:* app=prom",
        );
        assert_eq!(
            found[0].message,
            "ingress[0] (and 1 rule like it) admits mon/prom, whose egress does not allow it"
        );
        let related: Vec<&str> = found[0].related.iter().map(|one| one.message.as_str()).collect();
        assert_eq!(
            related,
            [
                "NetworkPolicy mon/prom denies",
                "NetworkPolicy shop/scrape ingress[0] admits mon/prom: mon/prom → shop/web 443/tcp (deny)",
            ]
        );
    }
}
