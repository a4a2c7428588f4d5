//! What is rendered is read back as the same snapshot, without a finding.

use policy_model::{Entry, Namespace, Node, Peers, Pod, Policy, Ports, Rule, Service, Snapshot};
use policy_oracle::worlds::{Contents, snapshots};
use proptest::prelude::*;

/// Random snapshots have no spans, so that they are compared without.
fn without_spans(mut snapshot: Snapshot) -> Snapshot {
    let Snapshot { namespaces, nodes, pods, services, entries, policies, left_out: _ } =
        &mut snapshot;
    namespaces.values_mut().for_each(|Namespace { span, .. }| *span = None);
    nodes.values_mut().for_each(|Node { span, .. }| *span = None);
    pods.iter_mut().for_each(|Pod { span, .. }| *span = None);
    for Service { span, ports, .. } in services {
        *span = None;
        ports.iter_mut().for_each(|port| port.span = None);
    }
    for Entry { span, backends, .. } in entries {
        *span = None;
        backends.iter_mut().for_each(|backend| backend.span = None);
    }
    for Policy { span, ingress, egress, .. } in policies.values_mut() {
        *span = None;
        ingress.iter_mut().chain(egress).flatten().for_each(rule_without_spans);
    }
    snapshot
}

fn rule_without_spans(rule: &mut Rule) {
    rule.span = None;
    match &mut rule.peers {
        Peers::Any => {}
        Peers::Listed(peers) => peers.iter_mut().for_each(|peer| peer.span = None),
    }
    match &mut rule.ports {
        Ports::All => {}
        Ports::Listed(ports) => ports.iter_mut().for_each(|port| port.span = None),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn reading_gives_back_what_was_rendered(snapshot in snapshots(Contents::Manifest)) {
        let text = kube_render::manifest(&snapshot);
        let imported = kube_import::import_text("world.yaml", &text);
        prop_assert!(imported.findings.is_empty(), "{:?}\n{text}", imported.findings);
        prop_assert_eq!(without_spans(imported.snapshot), snapshot, "{}", text);
    }
}
