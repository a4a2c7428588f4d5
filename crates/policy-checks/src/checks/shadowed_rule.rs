//! Check: `shadowed-rule`
//!
//! A rule never decides, because a rule that comes first always does: one of a lower priority number, one
//! further up in the same policy, or one of the Admin tier.
//!
//! **Why it matters.** A Deny that never decides protects nothing; an Accept that never decides allows
//! nothing. A NetworkPolicy cannot open what an Admin policy closes.
//!
//! **How to fix.** Give the policy a lower priority number, move the rule up, narrow the rule that decides,
//! or remove this one. `info` where the deciding rules have the same action, so that only clutter is lost.
//!
//! The search is exact: every class of pods, every piece of the address space and every interval of ports
//! that the rule can match is asked about. Where that is too many questions it says so (`search-stopped`).
//! Rules of one NetworkPolicy add up and do not hide each other (see `duplicate-rule`). That NetworkPolicies
//! take precedence over the Baseline tier is what a baseline is for, and is not reported; nor are rules of
//! NetworkPolicies that select host-network pods, which the other kinds never do.

use crate::contain::{rule_within, subject_within};
use crate::forks::blocks;
use crate::points::{Cuts, example, oriented, peer_ends, peers};
use crate::registry::Check;
use crate::words::{list, placed, witness};
use crate::world::{RuleAt, Stopped, World};
use finding_model::{Code, Finding, Severity};
use net_types::Protocol;
use policy_engine::{Cause, End, PodId, Verdict};
use policy_model::{Action, PeerMatch, Peers, RuleRef, Tier};

pub(crate) const CHECK: Check = Check {
    code: Code("shadowed-rule"),
    severity: Severity::Warning,
    summary: "an earlier rule always decides first",
    find,
};

/// Questions about one rule before the search gives up.
const LIMIT: usize = 200_000;

/// What decides instead of a rule.
struct Shadow<'p> {
    deciders: Vec<RuleAt<'p>>,
    witness: Option<String>,
    /// It follows from the text, whatever pods there are.
    always: bool,
}

fn find(world: &World<'_>) -> Vec<Finding> {
    find_within(world, LIMIT)
}

pub(super) fn find_within(world: &World<'_>, limit: usize) -> Vec<Finding> {
    let ordered: Vec<RuleAt<'_>> =
        world.rules().filter(|rule| rule.policy.tier != Tier::NetworkPolicy).collect();
    if ordered.is_empty() {
        return Vec::new();
    }
    let cuts = Cuts::of(world);
    world.rules().filter_map(|rule| judge(world, (&cuts, limit), rule, &ordered)).collect()
}

fn judge<'p>(
    world: &World<'p>,
    (cuts, limit): (&Cuts, usize),
    rule: RuleAt<'p>,
    ordered: &[RuleAt<'p>],
) -> Option<Finding> {
    let earlier: Vec<RuleAt<'p>> =
        ordered.iter().copied().filter(|other| precedes(*other, rule)).collect();
    if earlier.is_empty() || concerns_host_pods(world, rule) {
        return None;
    }
    let shadow = by_text(world, rule, &earlier)
        .or_else(|| by_questions(world, cuts, rule, (&earlier, limit)))?;
    Some(report(rule, &shadow))
}

/// A NetworkPolicy may select host-network pods, which no rule of the other kinds does: there it may decide.
fn concerns_host_pods(world: &World<'_>, rule: RuleAt<'_>) -> bool {
    let on_host = |pods: &[PodId]| pods.iter().any(|pod| world.is_on_host(*pod));
    rule.policy.tier == Tier::NetworkPolicy
        && (on_host(&world.subjects(rule.policy)) || on_host(&world.peer_pods(rule.rule)))
}

/// Whether a rule surely decides before another where both match. A Pass of another tier does not.
fn precedes(first: RuleAt<'_>, second: RuleAt<'_>) -> bool {
    if first.direction != second.direction {
        return false;
    }
    if first.policy.id == second.policy.id {
        return first.index < second.index;
    }
    let (a, b) = (first.policy, second.policy);
    (a.tier < b.tier && first.rule.action != Action::Pass)
        || (a.tier == b.tier && a.priority < b.priority)
}

fn by_text<'p>(world: &World<'p>, rule: RuleAt<'p>, earlier: &[RuleAt<'p>]) -> Option<Shadow<'p>> {
    let covering: Vec<RuleAt<'_>> = earlier
        .iter()
        .copied()
        .filter(|other| {
            subject_within(world, &rule.policy.subject, &other.policy.subject)
                && peers(other.rule).all(|peer| !matches!(peer, PeerMatch::Unknown))
                && !is_passed_over(world, *other, rule)
        })
        .collect();
    if !rule_within(world, rule, &covering) {
        return None;
    }
    let shown = example(world, rule);
    let witness = shown.map(|(from, to, point)| witness(world, (&from, &to), point).1);
    let needed = |other: &RuleAt<'_>| rule_within(world, rule, std::slice::from_ref(other));
    let deciders = match covering.iter().find(|other| needed(other)) {
        Some(alone) => vec![*alone],
        None => covering,
    };
    Some(Shadow { deciders, witness, always: true })
}

/// Whether a Pass may skip `first` and leave the connection to the tier of `second`.
fn is_passed_over(world: &World<'_>, first: RuleAt<'_>, second: RuleAt<'_>) -> bool {
    first.policy.tier != second.policy.tier
        && world.rules().any(|other| {
            other.policy.tier == first.policy.tier
                && other.direction == first.direction
                && other.rule.action == Action::Pass
                && !precedes(first, other)
        })
}

fn by_questions<'p>(
    world: &World<'p>,
    cuts: &Cuts,
    rule: RuleAt<'p>,
    (earlier, limit): (&[RuleAt<'p>], usize),
) -> Option<Shadow<'p>> {
    let subjects = world.subjects(rule.policy);
    let subjects = world.one_of_each(&subjects).into_iter().filter(|id| !world.is_on_host(*id));
    let subjects: Vec<PodId> = subjects.collect();
    let ends = peer_ends(world, cuts, rule)?;
    let mut shadow = Shadow { deciders: Vec::new(), witness: None, always: false };
    let mut asked = 0;
    for subject in subjects {
        for end in &ends {
            let (from, to) = oriented(rule.direction, subject, end);
            let destination = match &to {
                End::Pod(id) => world.pod(*id),
                End::Address(_) | End::Name(_) => None,
            };
            for point in cuts.ports_in(rule.rule, destination) {
                asked += 1;
                if asked > limit {
                    let question = "whether another rule always decides first".to_owned();
                    world.stop(Stopped { check: CHECK.code, rule, question, n_asked: limit });
                    return None;
                }
                match decider(world, rule, (&from, &to), point)? {
                    Decider::Elsewhere => {}
                    Decider::Rule(found) => {
                        let other = earlier.iter().find(|other| is_rule(**other, &found))?;
                        if !surely_matches(world, *other, end) {
                            return None;
                        }
                        if !shadow.deciders.iter().any(|known| is_rule(*known, &found)) {
                            shadow.deciders.push(*other);
                        }
                        let shown = || witness(world, (&from, &to), point).1;
                        shadow.witness.get_or_insert_with(shown);
                    }
                }
            }
        }
    }
    (!shadow.deciders.is_empty()).then_some(shadow)
}

/// Whether a rule that was found to decide matches the end in every reading of what is not known: of names,
/// of addresses, and of host-network pods.
fn surely_matches(world: &World<'_>, rule: RuleAt<'_>, end: &End) -> bool {
    if rule.rule.peers == Peers::Any {
        return true;
    }
    match end {
        End::Pod(id) => {
            let Some(pod) = world.pod(*id).filter(|pod| !pod.host_network) else { return false };
            pod.addresses.len() == 1 || world.peer_pods(rule.rule).binary_search(id).is_ok()
        }
        End::Address(address) => {
            let by_name = peers(rule.rule).any(|peer| matches!(peer, PeerMatch::DomainNames(_)));
            !by_name || blocks(rule.rule).contains(*address)
        }
        End::Name(_) => false,
    }
}

enum Decider {
    Rule(RuleRef),
    /// The rule does not match this connection, or no rule speaks of it.
    Elsewhere,
}

/// `None`: the rule itself decides, or may.
fn decider(
    world: &World<'_>,
    rule: RuleAt<'_>,
    (from, to): (&End, &End),
    (protocol, port): (Protocol, u16),
) -> Option<Decider> {
    let decision = world.program.decide(from, to, protocol, port);
    let side = decision.side(rule.direction);
    let found = match side.cause {
        Cause::Rule(id) => Some(world.program.rule_ref(id)?),
        Cause::SelfTraffic => return Some(Decider::Elsewhere),
        Cause::OwnNode | Cause::Isolation(_) | Cause::NoPolicy | Cause::NotAPod => None,
    };
    if found.as_ref().is_some_and(|found| is_rule(rule, found)) {
        return None;
    }
    // The cause is that of the first reading; the rule may match in another one.
    let matching = world.program.matching_rules(rule.direction, (from, to), protocol, port);
    let refs: Vec<RuleRef> =
        matching.into_iter().filter_map(|id| world.program.rule_ref(id)).collect();
    if !refs.iter().any(|found| is_rule(rule, found)) {
        return Some(Decider::Elsewhere);
    }
    let found = found.filter(|_| side.verdict != Verdict::Undefined)?;
    let rivals = refs.iter().any(|other| is_rival(world, &found, other));
    (!rivals).then_some(Decider::Rule(found))
}

/// Another policy of the same priority, which may be applied instead.
fn is_rival(world: &World<'_>, found: &RuleRef, other: &RuleRef) -> bool {
    let place = |found: &RuleRef| {
        world.program.policy(&found.policy).map(|policy| (policy.tier, policy.priority))
    };
    found.policy != other.policy && place(found) == place(other)
}

fn is_rule(rule: RuleAt<'_>, found: &RuleRef) -> bool {
    found.policy == rule.policy.id && found.direction == rule.direction && found.rule == rule.index
}

fn report(rule: RuleAt<'_>, shadow: &Shadow<'_>) -> Finding {
    let names: Vec<String> = shadow
        .deciders
        .iter()
        .map(|other| format!("{} {}", other.policy.id.path(), other.name()))
        .collect();
    let message = format!(
        "{} ({}) never decides: {} always {} first",
        rule.name(),
        rule.rule.action,
        list(&names),
        if names.len() == 1 { "does" } else { "do" },
    );
    let same = shadow.deciders.iter().all(|other| other.rule.action == rule.rule.action);
    let severity = if same { Severity::Info } else { CHECK.severity };
    let why = if shadow.always {
        "whatever pods the cluster has, everything that the rule matches is decided before it"
    } else {
        "for the pods and nodes of the input, everything that the rule matches is decided before it"
    };
    let help = if same {
        "remove the rule, or leave it where the deciding one may go"
    } else {
        "give its policy a lower priority number, move the rule up, or narrow the one that decides"
    };
    let mut finding = Finding::new(CHECK.code, severity, message, help)
        .about(rule.policy.id.to_string())
        .because(why);
    finding.witness.clone_from(&shadow.witness);
    for other in shadow.deciders.iter().take(3) {
        let text = format!("{} {} ({}) decides", other.policy.id, other.name(), other.rule.action);
        finding = finding.related_to(other.span(), text);
    }
    placed(finding, rule.span())
}

#[cfg(test)]
mod tests {
    use super::CHECK;
    use crate::tests::check;
    use finding_model::Severity;

    #[test]
    fn a_deny_behind_an_accept_of_everything_is_found() {
        let found = check(
            CHECK.code,
            "namespace shop
            deployment shop/web app=web :80/tcp
            deployment shop/db app=db
            admin open 1 ns:*
            ingress
            rule accept
            pods ns:*
            admin guard 2 ns:*
            ingress
            rule deny ## shadowed-rule
            pods ns:* app=db
            port 80/tcp",
        );
        assert_eq!(
            found[0].message,
            "ingress[0] (Deny) never decides: open ingress[0] always does first"
        );
        assert_eq!(found[0].witness.as_deref(), Some("shop/db → shop/web 80/tcp (allow)"));
        assert_eq!(found[0].severity, Severity::Warning);
    }

    #[test]
    fn only_the_union_of_several_rules_may_hide_one() {
        let world = |second: &str| {
            format!(
                "namespace shop
                deployment shop/web app=web
                admin a 1 ns:*
                egress
                rule accept
                block 10.0.0.0/8
                port 1-100/tcp
                rule deny
                {second}
                rule deny
                block 10.1.0.0/16
                port 50-200/tcp"
            )
        };
        let hidden = world("block 10.0.0.0/8\nport 90-300/tcp").replacen(
            "rule deny\n                block 10.1",
            "rule deny ## shadowed-rule\n                block 10.1",
            1,
        );
        check(CHECK.code, &hidden);
        check(CHECK.code, &world("block 10.0.0.0/8\nport 102-300/tcp"));
        check(CHECK.code, &world("block 10.1.0.0/17\nport 90-300/tcp"));
    }

    /// By the pods of the input: each of the two classes is decided by another rule.
    #[test]
    fn pods_of_the_input_count_where_the_text_alone_does_not_say() {
        let world = "namespace shop
            deployment shop/a app=a
            deployment shop/b app=b
            policy shop/x
            ingress
            rule ## shadowed-rule
            pods ns:*
            admin a 1 ns:*
            ingress
            rule deny
            pods ns:* app=a
            rule deny
            pods ns:* app=b";
        let found = check(CHECK.code, world);
        assert!(found[0].why.as_deref().unwrap().starts_with("for the pods and nodes"));
        check(
            CHECK.code,
            &format!("{}\ndeployment shop/c app=c", world.replace("## shadowed-rule", "")),
        );
    }

    /// A guard that passes what teams may decide, and denies the rest.
    #[test]
    fn a_pass_before_a_deny_of_everything_leaves_the_rest_to_network_policies() {
        let world = |peer: &str| {
            format!(
                "namespace shop
                namespace pci
                namespace other
                deployment shop/web app=web
                deployment other/x app=x
                deployment pci/db app=db
                admin boundary 1 ns:kubernetes.io/metadata.name=pci
                ingress
                rule pass
                pods ns:kubernetes.io/metadata.name=shop
                rule deny
                pods ns:*
                policy pci/db
                ingress
                rule{peer}"
            )
        };
        check(CHECK.code, &world("\npods ns:kubernetes.io/metadata.name=shop app=web"));
        check(CHECK.code, &world(" ## shadowed-rule\npods ns:kubernetes.io/metadata.name=other"));
    }

    #[test]
    fn same_priority_other_directions_and_overridden_baselines_are_no_shadows() {
        check(
            CHECK.code,
            "namespace shop
            deployment shop/a app=a
            policy shop/x
            ingress
            egress
            admin a 5 ns:*
            egress
            rule pass
            pods ns:*
            admin b 5 ns:*
            egress
            rule deny
            pods ns:*
            baseline c 1 ns:*
            ingress
            rule deny
            pods ns:*",
        );
    }
}
