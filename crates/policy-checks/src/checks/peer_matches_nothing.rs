//! Check: `peer-matches-nothing`
//!
//! A peer of a rule selects no pod, so the rule admits nothing by it.
//!
//! **Why it matters.** A slip in a label denies a connection that somebody thought they had allowed. It is
//! found when the application fails, and looks like a fault of the network.
//!
//! **How to fix.** Compare the peer's selectors with the labels of the pods that should match. Where one
//! label is a slip away, the finding names it and the fix corrects it. A peer for a workload that is yet to
//! come is fine, which is why a finding without a near miss is only `info`.
//!
//! Blocks of addresses are never reported here: that a block contains no pod is what a block is for. The
//! check is silent about namespaces of which the input has no pods.
//!
//! ```yaml
//! from:
//! - namespaceSelector:
//!     matchLabels:
//!       kubernetes.io/metadata.name: monitoring
//!   podSelector:
//!     matchLabels:
//!       app: promethues   # the pods carry app=prometheus
//! ```

use crate::near::{NearMiss, near_miss};
use crate::registry::Check;
use crate::scopes::matching;
use crate::words::{also, placed};
use crate::world::{RuleAt, World};
use crate::yaml;
use finding_model::{Code, Finding, Fix, Severity, SourceSpan};
use policy_engine::PodId;
use policy_model::{LabelSelector, NamespaceScope, PeerMatch, Peers};
use std::collections::BTreeMap;

pub(crate) const CHECK: Check = Check {
    code: Code("peer-matches-nothing"),
    severity: Severity::Warning,
    summary: "a peer of a rule selects no pod",
    find,
};

type Selection<'p> = (&'p NamespaceScope, &'p LabelSelector);
type Place<'p> = (RuleAt<'p>, Option<SourceSpan>);

fn find(world: &World<'_>) -> Vec<Finding> {
    let mut empty: BTreeMap<Selection<'_>, Vec<Place<'_>>> = BTreeMap::new();
    for rule in world.rules() {
        let Peers::Listed(peers) = &rule.rule.peers else { continue };
        for peer in peers {
            if let PeerMatch::Pods { namespaces, pods } = &peer.matches
                && world.select(namespaces, pods).is_empty()
            {
                let span = peer.span.or(rule.span());
                empty.entry((namespaces, pods)).or_default().push((rule, span));
            }
        }
    }
    let peers = empty.into_iter().map(|(peer, mut places)| {
        places.sort_by_key(|(_, span)| *span);
        (peer, places)
    });
    peers.filter_map(|(peer, places)| judge(world, peer, &places)).collect()
}

/// The pods of the namespaces that the peer covers, and whether every one of these has pods.
fn in_scope(world: &World<'_>, scope: &NamespaceScope) -> (Vec<PodId>, bool) {
    let namespaces = match scope {
        NamespaceScope::Own(name) => vec![name.as_str()],
        NamespaceScope::Selected(selector) => matching(world, selector),
    };
    let known = namespaces.iter().all(|name| !world.pods_of(name).is_empty());
    (namespaces.into_iter().flat_map(|name| world.pods_of(name)).copied().collect(), known)
}

fn judge(
    world: &World<'_>,
    (scope, selector): Selection<'_>,
    places: &[Place<'_>],
) -> Option<Finding> {
    let ((rule, span), others) = places.split_first()?;
    let (pods, known) = in_scope(world, scope);
    if pods.is_empty() {
        return None;
    }
    let candidates = pods.iter().filter_map(|id| world.pod(*id));
    let near = near_miss(selector, candidates.map(|pod| (pod.to_string(), &pod.labels)));
    let likely = near.as_ref().filter(|near| near.is_likely());
    if likely.is_none() && !known {
        return None;
    }
    let message = format!("no pod {} has the labels `{selector}` of this peer", scope_name(scope));
    let severity = if likely.is_some() { Severity::Warning } else { Severity::Info };
    let help = match &near {
        Some(near) => format!("{}: make the two equal", near.text()),
        None => "correct the selector, or leave it if the workload is yet to come".to_owned(),
    };
    let finding = Finding::new(CHECK.code, severity, message, help)
        .about(rule.policy.id.to_string())
        .because(consequence(world, *rule));
    let finding = match likely {
        Some(near) => finding.fixed_by(correction(selector, near)),
        None => finding,
    };
    let others = others.iter().map(|(rule, span)| (*span, rule.full_name()));
    Some(placed(also(finding, others), *span))
}

fn consequence(world: &World<'_>, rule: RuleAt<'_>) -> String {
    let name = rule.name();
    let only_pods = match &rule.rule.peers {
        Peers::Any => false,
        Peers::Listed(peers) => {
            peers.iter().all(|peer| matches!(peer.matches, PeerMatch::Pods { .. }))
        }
    };
    if only_pods && world.peer_pods(rule.rule).is_empty() {
        format!("{name} has no other peer that matches, so it never applies")
    } else {
        format!("{name} applies to its other peers only")
    }
}

fn correction(selector: &LabelSelector, near: &NearMiss) -> Fix {
    Fix {
        summary: format!("select `{}={}`", near.key, near.value),
        patch: Some(yaml::selector("podSelector", &near.correct(selector), 0)),
    }
}

fn scope_name(scope: &NamespaceScope) -> String {
    match scope {
        NamespaceScope::Own(namespace) => format!("of namespace {namespace}"),
        NamespaceScope::Selected(selector) if selector.is_everything() => {
            "of any namespace".to_owned()
        }
        NamespaceScope::Selected(selector) => format!("of the namespaces with `{selector}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::CHECK;
    use crate::tests::check;
    use finding_model::Severity;

    const PROMETHEUS: &str = "namespace monitoring
        namespace delivery
        deployment monitoring/prometheus app=prometheus
        deployment delivery/tracking app=tracking :metrics=9090/tcp
        policy delivery/scrape
        ingress
        rule
        pods ns:kubernetes.io/metadata.name=monitoring app=promethues ## peer-matches-nothing
        port metrics/tcp";

    #[test]
    fn a_slip_in_a_peer_is_a_warning_with_a_correction() {
        let found = check(CHECK.code, PROMETHEUS);
        assert_eq!(found[0].severity, Severity::Warning);
        assert_eq!(
            found[0].why.as_deref(),
            Some("ingress[0] has no other peer that matches, so it never applies")
        );
        let patch = found[0].fix.as_ref().unwrap().patch.as_deref().unwrap();
        assert_eq!(patch, "podSelector:\n  matchLabels:\n    app: prometheus\n");
    }

    #[test]
    fn one_selector_in_several_rules_is_one_finding() {
        let found = check(
            CHECK.code,
            "deployment shop/web app=web
            policy shop/a
            ingress
            rule
            pods role=batch ## peer-matches-nothing
            policy shop/b
            ingress
            rule
            pods role=batch
            pods app=web",
        );
        assert_eq!((found[0].severity, found[0].related.len()), (Severity::Info, 1));
    }

    /// Popeye's false positive: an external block matches no pod, and should not.
    #[test]
    fn a_block_that_contains_no_pod_is_correct() {
        check(
            CHECK.code,
            "pod shop/web app=web @10.1.0.1
            policy shop/a
            egress
            rule
            block 203.0.113.0/24
            rule
            pods ns:kubernetes.io/metadata.name=kube-system k8s-app=kube-dns
            rule
            pods ns:team=x app=y",
        );
    }
}
