//! Check: `profile-dependent`
//!
//! A block (`ipBlock`, `networks`) covers addresses of pods or nodes of the cluster, and the verdict depends
//! on the network plugin: the API lets a block match them (profile `upstream`), Cilium never does
//! (profile `cilium`).
//!
//! **Why it matters.** The same manifests open or close a connection depending on where they are applied.
//!
//! **How to fix.** Select pods by labels, never by address. If only addresses outside the cluster are meant,
//! leave the cluster's networks out with `except`.
//!
//! One finding for each set of blocks. `info` where the input does not say the pods' addresses and the
//! verdict is therefore open, where only nodes are concerned (the API server is often named by address), and
//! for blocks of all addresses, which are written for the internet.
//!
//! ```yaml
//! egress:
//! - to:
//!   - ipBlock:
//!       cidr: 10.0.0.0/8
//!       except: [10.42.0.0/16]   # the cluster's pods
//! ```

use crate::forks::{Fork, blocks};
use crate::registry::Check;
use crate::words::{also, count, placed};
use crate::world::World;
use finding_model::{Code, Finding, Severity};
use net_types::AddressSet;
use policy_model::{Direction, PeerMatch, Peers};
use std::collections::BTreeMap;

pub(crate) const CHECK: Check = Check {
    code: Code("profile-dependent"),
    severity: Severity::Warning,
    summary: "verdicts that depend on whether a block matches pods of the cluster",
    find,
};

fn find(world: &World<'_>) -> Vec<Finding> {
    let mut groups: BTreeMap<(Direction, AddressSet), Vec<&Fork<'_>>> = BTreeMap::new();
    for fork in world.forks() {
        groups.entry((fork.rule.direction, blocks(fork.rule.rule))).or_default().push(fork);
    }
    groups.into_values().filter_map(|forks| report(&forks)).collect()
}

fn report(forks: &[&Fork<'_>]) -> Option<Finding> {
    let shown = forks.iter().find(|fork| fork.definite).or_else(|| forks.first())?;
    let rule = shown.rule;
    let written = written_blocks(&rule.rule.peers);
    let message = format!(
        "{}: whether {} covers {} of the cluster depends on the profile, and the verdict with it",
        rule.name(),
        written.join(", "),
        if shown.on_node { "nodes" } else { "pods" }
    );
    let whole = written.iter().any(|block| block.ends_with("/0"));
    let severity = if shown.definite && !whole { CHECK.severity } else { Severity::Info };
    let mut finding = Finding::new(
        CHECK.code,
        severity,
        message,
        "select pods by labels, and leave the cluster's networks out of the block with `except`",
    )
    .about(rule.policy.id.to_string())
    .because(format!("{} give another verdict under the other profile", count(forks.len(), "rule")))
    .witnessed_by(shown.witness.clone());
    if forks.len() == 1 {
        finding.why = Some("the rule gives another verdict under the other profile".to_owned());
    }
    let others = forks.iter().filter(|fork| fork.rule.span() != rule.span());
    let others = others.map(|fork| (fork.rule.span(), fork.rule.full_name()));
    Some(placed(also(finding, others), rule.span()))
}

fn written_blocks(peers: &Peers) -> Vec<String> {
    let Peers::Listed(peers) = peers else { return Vec::new() };
    let networks = peers.iter().filter_map(|peer| match &peer.matches {
        PeerMatch::Networks(networks) => Some(networks),
        PeerMatch::Pods { .. }
        | PeerMatch::Nodes(_)
        | PeerMatch::DomainNames(_)
        | PeerMatch::Unknown => None,
    });
    networks.flatten().map(|network| network.block.to_string()).collect()
}

#[cfg(test)]
mod tests {
    use super::CHECK;
    use crate::tests::check;
    use finding_model::Severity;

    #[test]
    fn a_block_with_a_pods_address_is_shown_with_both_verdicts() {
        let found = check(
            CHECK.code,
            "pod shop/web app=web @10.1.0.1
            pod shop/db app=db @10.1.0.2 :5432/tcp
            policy shop/web app=web
            egress
            rule ## profile-dependent
            block 10.0.0.0/8
            port 5432/tcp
            rule
            block 203.0.113.0/24",
        );
        assert_eq!(
            found[0].witness.as_deref(),
            Some("shop/web → shop/db 5432/tcp (upstream: allow, cilium: deny)")
        );
        assert_eq!(found[0].severity, Severity::Warning);
    }

    #[test]
    fn a_verdict_that_a_selector_gives_anyway_does_not_depend_on_it() {
        check(
            CHECK.code,
            "pod shop/web app=web @10.1.0.1
            pod shop/db app=db @10.1.0.2
            policy shop/web app=web
            egress
            rule
            block 10.0.0.0/8
            rule
            pods app=db",
        );
    }

    #[test]
    fn nodes_by_address_are_a_remark() {
        let found = check(
            CHECK.code,
            "node n1 172.16.0.1
            pod shop/web app=web @10.1.0.1
            policy shop/web app=web
            egress
            rule ## profile-dependent
            block 172.16.0.1/32
            port 6443/tcp",
        );
        assert_eq!(found[0].severity, Severity::Info);
        assert!(found[0].message.contains("covers nodes of the cluster"));
    }

    #[test]
    fn unknown_addresses_and_blocks_of_everything_are_remarks() {
        let found = check(
            CHECK.code,
            "deployment shop/web app=web
            deployment shop/db app=db
            policy shop/web app=web
            egress
            rule ## profile-dependent
            block 10.0.0.0/8
            port 5432/tcp
            rule ## profile-dependent
            block 0.0.0.0/0
            port 443/tcp
            rule
            block 0.0.0.0/0 -10.0.0.0/8 -172.16.0.0/12 -192.168.0.0/16 -100.64.0.0/10
            port 80/tcp",
        );
        assert!(found.iter().all(|finding| finding.severity == Severity::Info));
    }
}
