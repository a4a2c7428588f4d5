//! Check: `and-or-peers`
//!
//! A list has an item with only a `namespaceSelector` beside an item with only a `podSelector`. Items are
//! alternatives: *all* pods of those namespaces, **or** the selected pods of the policy's own namespace.
//!
//! **Why it matters.** Usually one item with both selectors was meant: these pods of those namespaces. A
//! single dash opens the whole namespace.
//!
//! **How to fix.** Write both selectors in one item, without the second dash.
//!
//! Reported only where the combined item would select pods, and the list opens more. A warning where nothing
//! else explains the list: the policy's own namespace has no such pods, or the namespaceSelector already
//! covers it; else `info`.
//!
//! ```yaml
//! from:
//! - namespaceSelector:
//!     matchLabels: {kubernetes.io/metadata.name: shop}
//! - podSelector:             # remove the dash: `  podSelector:`
//!     matchLabels: {app: sales-report}
//! ```

use crate::points::{oriented, traffic_at};
use crate::registry::Check;
use crate::words::{count, list, placed, sample, witness, workloads};
use crate::world::{RuleAt, World};
use crate::yaml;
use finding_model::{Code, Finding, Fix, Severity, SourceSpan};
use policy_engine::{End, PodId, Verdict};
use policy_model::{LabelSelector, NamespaceScope, Peer, PeerMatch, Peers, Tier};
use std::collections::BTreeSet;

pub(crate) const CHECK: Check = Check {
    code: Code("and-or-peers"),
    severity: Severity::Warning,
    summary: "two list items open more than one item with both selectors would",
    find,
};

/// Pods of `opened` that are asked about for a witness.
const ASKED: usize = 200;

struct Pair<'p> {
    namespaces: &'p LabelSelector,
    own: &'p str,
    pods: &'p LabelSelector,
    span: Option<SourceSpan>,
}

fn find(world: &World<'_>) -> Vec<Finding> {
    let rules = world.rules().filter(|rule| rule.policy.tier == Tier::NetworkPolicy);
    rules
        .flat_map(|rule| pairs(rule).into_iter().filter_map(move |p| judge(world, rule, &p)))
        .collect()
}

/// Neighbours in the list, in either order.
fn pairs(rule: RuleAt<'_>) -> Vec<Pair<'_>> {
    let Peers::Listed(peers) = &rule.rule.peers else { return Vec::new() };
    let neighbours = peers.windows(2).filter_map(|two| match two {
        [a, b] => pair(a, b).or_else(|| pair(b, a)),
        _ => None,
    });
    neighbours.collect()
}

fn pair<'p>(whole: &'p Peer, named: &'p Peer) -> Option<Pair<'p>> {
    match (&whole.matches, &named.matches) {
        (
            PeerMatch::Pods { namespaces: NamespaceScope::Selected(namespaces), pods: all },
            PeerMatch::Pods { namespaces: NamespaceScope::Own(own), pods },
        ) if all.is_everything() && !pods.is_everything() => {
            Some(Pair { namespaces, own, pods, span: named.span })
        }
        (
            PeerMatch::Pods { .. }
            | PeerMatch::Networks(_)
            | PeerMatch::Nodes(_)
            | PeerMatch::DomainNames(_)
            | PeerMatch::Unknown,
            _,
        ) => None,
    }
}

fn judge(world: &World<'_>, rule: RuleAt<'_>, pair: &Pair<'_>) -> Option<Finding> {
    let scope = NamespaceScope::Selected(pair.namespaces.clone());
    let combined = world.select(&scope, pair.pods);
    let own = world.select(&NamespaceScope::Own(pair.own.to_owned()), pair.pods);
    let meant: BTreeSet<PodId> = combined.iter().copied().collect();
    let listed = world.select(&scope, &LabelSelector::EVERYTHING);
    let opened: Vec<PodId> =
        listed.iter().chain(own.iter()).copied().filter(|pod| !meant.contains(pod)).collect();
    if meant.is_empty() || opened.is_empty() {
        return None;
    }
    let own_labels = world.program.namespace(pair.own).map(|ns| &ns.labels);
    let covers_own = own_labels.is_some_and(|labels| pair.namespaces.matches(labels));
    let sure = own.is_empty() || covers_own;
    let alone = matches!(&rule.rule.peers, Peers::Listed(peers) if peers.len() == 2);
    if !sure && !alone {
        return None;
    }
    let shown = show(world, rule, &opened);
    let severity = if sure && shown.is_some() { CHECK.severity } else { Severity::Info };
    let names = workloads(world, opened.iter().copied());
    let message = format!(
        "{} has two items where one with both selectors may be meant; it opens to {} more: {}",
        rule.name(),
        count(names.len(), "workload"),
        list(&names)
    );
    let finding = Finding::new(
        CHECK.code,
        severity,
        message,
        "write podSelector into the item of namespaceSelector, without a dash of its own",
    )
    .about(rule.policy.id.to_string())
    .because(why(pair, own.is_empty(), covers_own))
    .fixed_by(combine(pair));
    let span = pair.span.or(rule.span());
    Some(placed(Finding { witness: shown, ..finding }, span))
}

fn why(pair: &Pair<'_>, none_of_its_own: bool, covers_own: bool) -> String {
    let meaning = format!(
        "the items say: all pods of namespaces with `{}`, or pods with `{}` of {}",
        pair.namespaces, pair.pods, pair.own
    );
    if covers_own {
        format!("{meaning}; the first already covers {}", pair.own)
    } else if none_of_its_own {
        format!("{meaning}, which has no such pods")
    } else {
        meaning
    }
}

/// A pod that the combined item would leave out, and that really gets through.
fn show(world: &World<'_>, rule: RuleAt<'_>, opened: &[PodId]) -> Option<String> {
    let subjects = world.subjects(rule.policy);
    for subject in world.one_of_each(&subjects).into_iter().take(5) {
        for pod in world.one_of_each(opened).into_iter().take(ASKED).filter(|pod| *pod != subject) {
            let (from, to) = oriented(rule.direction, subject, &End::Pod(pod));
            let destination = match &to {
                End::Pod(id) => world.pod(*id),
                End::Address(_) | End::Name(_) => None,
            };
            let traffic = traffic_at(&rule.rule.ports, destination);
            let Some(point) = sample(world, &to, &traffic) else { continue };
            let (decision, text) = witness(world, (&from, &to), point);
            if decision.verdict == Verdict::Allow {
                return Some(text);
            }
        }
    }
    None
}

fn combine(pair: &Pair<'_>) -> Fix {
    let mut patch = yaml::selector("namespaceSelector", pair.namespaces, 2);
    patch.push_str(&yaml::selector("podSelector", pair.pods, 2));
    patch.replace_range(0..1, "-");
    Fix { summary: "one item with both selectors".to_owned(), patch: Some(patch) }
}

#[cfg(test)]
mod tests {
    use super::CHECK;
    use crate::tests::check;
    use finding_model::Severity;

    const WORLD: &str = "namespace shop
        namespace pci
        deployment shop/web app=web
        deployment shop/report app=report
        deployment pci/db app=db :5432/tcp
        policy pci/db app=db
        ingress
        rule
        pods ns:kubernetes.io/metadata.name=shop
        pods app=report";

    #[test]
    fn a_dash_too_many_opens_the_namespace() {
        let found = check(CHECK.code, &format!("{WORLD} ## and-or-peers"));
        assert_eq!(found[0].witness.as_deref(), Some("shop/web → pci/db 5432/tcp (allow)"));
        assert_eq!(
            found[0].message,
            "ingress[0] has two items where one with both selectors may be meant; it opens to 1 workload more: shop/web"
        );
        assert_eq!(
            found[0].fix.as_ref().unwrap().patch.as_deref().unwrap(),
            "- namespaceSelector:\n    matchLabels:\n      kubernetes.io/metadata.name: shop\n  podSelector:\n    matchLabels:\n      app: report\n"
        );
    }

    /// Prometheus' namespace, or a neighbour: the list is what it says.
    #[test]
    fn alternatives_that_make_sense_apart_are_fine() {
        check(
            CHECK.code,
            &WORLD.replace("pods app=report", "pods app=other\ndeployment pci/o app=other"),
        );
        check(CHECK.code, &WORLD.replace("pods app=report", "pods ns:* app=report"));
    }

    #[test]
    fn pods_of_both_namespaces_leave_it_open() {
        let text = WORLD.replace("pods app=report", "pods app=report ## and-or-peers");
        let found = check(CHECK.code, &format!("{text}\ndeployment pci/report app=report"));
        assert_eq!(found[0].severity, Severity::Info);
    }
}
