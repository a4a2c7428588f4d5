//! Check: `block-covers-pods`
//!
//! A block contains addresses that pods of the cluster have now, though no verdict depends on it today.
//!
//! **Why it matters.** Pods get other addresses whenever they restart, so a rule by address says something
//! about whichever pod is there. Some network plugins do not let blocks match pods at all.
//!
//! **How to fix.** Select pods by labels, or leave the pods' network out with `except`.
//!
//! Blocks that contain no pod are what blocks are for and are not reported; nor are blocks of all addresses.
//! Where a verdict does depend on it, see `profile-dependent`.

use crate::forks::{Addressed, blocks};
use crate::points::peers;
use crate::registry::Check;
use crate::words::{also, count, list, placed, workloads};
use crate::world::{RuleAt, World};
use finding_model::{Code, Finding, Severity};
use net_types::AddressSet;
use policy_model::{Direction, PeerMatch};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) const CHECK: Check = Check {
    code: Code("block-covers-pods"),
    severity: Severity::Info,
    summary: "a block contains addresses of pods",
    find,
};

fn find(world: &World<'_>) -> Vec<Finding> {
    let addressed = Addressed::of(world);
    let mut groups: BTreeMap<(Direction, AddressSet), Vec<RuleAt<'_>>> = BTreeMap::new();
    for rule in world.rules() {
        let set = blocks(rule.rule);
        if !set.is_empty() && !has_whole_block(rule) && !addressed.within(&set).is_empty() {
            groups.entry((rule.direction, set)).or_default().push(rule);
        }
    }
    if groups.is_empty() {
        return Vec::new();
    }
    let forked: BTreeSet<(Direction, AddressSet)> =
        world.forks().iter().map(|fork| (fork.rule.direction, blocks(fork.rule.rule))).collect();
    groups
        .into_iter()
        .filter(|(key, _)| !forked.contains(key))
        .filter_map(|((_, set), rules)| report(world, &addressed, &set, &rules))
        .collect()
}

fn has_whole_block(rule: RuleAt<'_>) -> bool {
    peers(rule.rule).any(|peer| match peer {
        PeerMatch::Networks(networks) => networks.iter().any(|n| n.block.prefix_len() == 0),
        PeerMatch::Pods { .. }
        | PeerMatch::Nodes(_)
        | PeerMatch::DomainNames(_)
        | PeerMatch::Unknown => false,
    })
}

fn report(
    world: &World<'_>,
    addressed: &Addressed,
    set: &AddressSet,
    rules: &[RuleAt<'_>],
) -> Option<Finding> {
    let (first, others) = rules.split_first()?;
    let pods = addressed.within(set);
    let names = workloads(world, pods.iter().copied());
    let message = format!(
        "{} names addresses that {} of the cluster: {}",
        first.name(),
        if pods.len() == 1 {
            "belong to 1 pod".to_owned()
        } else {
            format!("belong to {}", count(pods.len(), "pod"))
        },
        list(&names)
    );
    let finding = Finding::new(
        CHECK.code,
        CHECK.severity,
        message,
        "select pods by labels, or leave their network out of the block with `except`",
    )
    .about(first.policy.id.to_string())
    .because("a pod has another address after its next restart");
    let others = others.iter().map(|rule| (rule.span(), rule.full_name()));
    Some(placed(also(finding, others), first.span()))
}

#[cfg(test)]
mod tests {
    use super::CHECK;
    use crate::tests::check;

    #[test]
    fn addresses_of_pods_are_found_and_external_blocks_are_fine() {
        let found = check(
            CHECK.code,
            "pod shop/web app=web @10.1.0.1
            pod shop/db app=db @10.1.0.2
            policy shop/web app=web
            egress
            rule ## block-covers-pods
            block 10.1.0.0/24
            rule
            block 198.51.100.0/24
            rule
            pods app=db",
        );
        assert_eq!(
            found[0].message,
            "egress[0] names addresses that belong to 2 pods of the cluster: shop/db and shop/web"
        );
    }
}
