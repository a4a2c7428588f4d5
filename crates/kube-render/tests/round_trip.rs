//! What is rendered is read back as the same snapshot, without a finding; and what a change would make
//! of a snapshot is what the changed snapshot is.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use kube_import::{Input, ObjectName, Options, WhatIf, import_what_if};
use policy_model::{
    Entry, Namespace, Node, Peers, Pod, PodOrigin, Policy, Ports, Rule, Service, Snapshot,
};
use policy_oracle::worlds::{Change, Contents, PodKey, changes, snapshots};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use std::thread;

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

/// A change of a workload's template also rolls its pods out, which is more than one object.
fn is_one_object(change: &Change) -> bool {
    match change {
        Change::PutPod(pod) => pod.origin == PodOrigin::Live,
        Change::RemovePod(PodKey { origin, .. }) => *origin == PodOrigin::Live,
        Change::PutNamespace(_)
        | Change::PutNode(_)
        | Change::RemoveNode(_)
        | Change::PutPolicy(_)
        | Change::RemovePolicy(_) => true,
        // One that others name stays, as one that nobody declared.
        Change::RemoveNamespace(_) => false,
    }
}

fn is_live(pod: &&Pod) -> bool {
    pod.origin == PodOrigin::Live
}

/// The objects that are new or another in the new one.
fn put(old: &Snapshot, new: &Snapshot) -> Snapshot {
    let mut put = Snapshot::default();
    let namespaces =
        new.namespaces.iter().filter(|(name, is)| old.namespaces.get(*name) != Some(is));
    put.namespaces.extend(namespaces.map(|(name, is)| (name.clone(), is.clone())));
    let nodes = new.nodes.iter().filter(|(name, is)| old.nodes.get(*name) != Some(is));
    put.nodes.extend(nodes.map(|(name, is)| (name.clone(), is.clone())));
    let policies = new.policies.iter().filter(|(id, is)| old.policies.get(*id) != Some(is));
    put.policies.extend(policies.map(|(id, is)| (id.clone(), is.clone())));
    put.pods =
        new.pods.iter().filter(is_live).filter(|pod| !old.pods.contains(pod)).cloned().collect();
    put
}

/// The objects that are in the old one alone.
fn removed(old: &Snapshot, new: &Snapshot) -> Vec<ObjectName> {
    let nodes = old.nodes.keys().filter(|name| !new.nodes.contains_key(*name));
    let policies = old.policies.keys().filter(|id| !new.policies.contains_key(id));
    let is_kept = |pod: &Pod| new.pods.iter().any(|kept| PodKey::of(kept) == PodKey::of(pod));
    let pods = old.pods.iter().filter(is_live).filter(|pod| !is_kept(pod));
    let names = (nodes.map(|name| format!("Node/{name}")))
        .chain(policies.map(|id| format!("{}/{}", id.kind, id.path())))
        .chain(pods.map(|pod| format!("Pod/{}/{}", pod.namespace, pod.name)));
    names.map(|name| name.parse().unwrap()).collect()
}

fn try_change(old: Snapshot, changes: Vec<Change>) -> Result<(), TestCaseError> {
    let mut new = old.clone();
    changes.into_iter().filter(is_one_object).for_each(|change| change.apply(&mut new));
    let input = |snapshot: &Snapshot, name: &str| {
        [Input::Text { name: name.to_owned(), text: kube_render::manifest(snapshot) }]
    };
    let (base, change) = (input(&old, "old.yaml"), input(&put(&old, &new), "change.yaml"));
    let removed = removed(&old, &new);
    let WhatIf { before, after, not_found } =
        import_what_if(&base, &change, &removed, &Options::default()).unwrap();
    prop_assert_eq!(not_found, []);
    prop_assert!(after.findings.is_empty(), "{:?}", after.findings);
    prop_assert_eq!(without_spans(before.snapshot), old);
    prop_assert_eq!(without_spans(after.snapshot), new, "{:?} {:?}", change, removed);
    Ok(())
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

/// Making both a world and its changes takes more stack than threads of tests have, unless optimised.
#[test]
fn a_change_that_is_tried_gives_the_changed_snapshot() {
    let property = || {
        let worlds = (snapshots(Contents::Manifest), changes(Contents::Manifest));
        let mut runner = TestRunner::new(ProptestConfig::with_cases(400));
        runner.run(&worlds, |(old, changes)| try_change(old, changes)).map_err(Box::new)
    };
    let thread = thread::Builder::new().stack_size(16 << 20).spawn(property).unwrap();
    assert_eq!(thread.join().unwrap(), Ok(()));
}
