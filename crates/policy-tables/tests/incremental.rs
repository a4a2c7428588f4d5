//! Tables that were built with the previous ones mean what fresh ones mean, and what both have keeps
//! its number and its content.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a table without what it names is a broken test"
)]

mod support;

use policy_engine::{Assumptions, Change, Program, Semantics};
use policy_model::{Direction, Snapshot};
use policy_oracle::worlds::{self, Contents, changes, snapshots};
use policy_tables::{Mode, Modes, Outcome, ProfileId, Tables};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use support::{PORTS, PROTOCOLS, locals, peers, with_addresses};

/// The three outcomes with the rules that decide, and the rules that match, all by name.
type Meaning = BTreeMap<(String, Direction, IpAddr, String), (Vec<(bool, String)>, Vec<String>)>;

fn meaning(program: &Program, tables: &Tables) -> Meaning {
    let mut all = Meaning::new();
    for (pod, ids) in tables.pods() {
        let object = program.pod(*pod).unwrap();
        let name = format!("{object} {:?} {}", object.origin, object.workload.kind);
        for (direction, id) in [(Direction::Ingress, ids.ingress), (Direction::Egress, ids.egress)]
        {
            let rules = tables.profiles()[&id].rules();
            for peer in peers(program) {
                for protocol in PROTOCOLS {
                    for port in PORTS {
                        let found = tables.evaluate(id, peer, protocol, port).unwrap();
                        let rule = |outcome: Outcome| {
                            let rule = outcome.rule.map(|bit| rules[bit].to_string());
                            (outcome.allow, rule.unwrap_or_default())
                        };
                        let outcomes = [found.enforced, found.observed, found.staged];
                        let matching = found.matching().map(|bit| rules[bit].to_string());
                        let packet = (name.clone(), direction, peer, format!("{port}/{protocol}"));
                        all.insert(packet, (outcomes.map(rule).into(), matching.collect()));
                    }
                }
            }
        }
    }
    all
}

/// What both have under one number is the same.
fn check_stable(old: &Tables, new: &Tables) -> Result<(), TestCaseError> {
    for (id, table) in new.profiles() {
        let Some(before) = old.profiles().get(id) else { continue };
        prop_assert_eq!(table.words(), before.words(), "{}", id);
        prop_assert_eq!(table.rules(), before.rules(), "{}", id);
        let tiers =
            |table: &policy_tables::ProfileTable| (table.admin_end(), table.baseline_start());
        prop_assert_eq!(tiers(table), tiers(before), "{}", id);
        for (class, row) in &table.peer_rows {
            prop_assert_eq!(before.peer_rows.get(class).unwrap_or(row), row, "{} {:?}", id, class);
        }
        for (class, row) in &table.port_rows {
            prop_assert_eq!(before.port_rows.get(class).unwrap_or(row), row, "{} {:?}", id, class);
        }
    }
    // A class that both use has a row in both or in neither, for each profile that both have.
    let used = |tables: &Tables| -> Vec<_> {
        let classes = tables.addresses().values().chain(tables.networks().values());
        classes.copied().collect()
    };
    let (of_old, of_new) = (used(old), used(new));
    for class in of_new.iter().filter(|class| of_old.contains(class)) {
        for (id, table) in new.profiles() {
            let Some(before) = old.profiles().get(id) else { continue };
            let rows = (table.peer_rows.get(class), before.peer_rows.get(class));
            prop_assert_eq!(rows.0, rows.1, "{} {:?}", id, class);
        }
    }
    Ok(())
}

fn compile(snapshot: &Snapshot) -> Program {
    Program::compile(snapshot.clone(), Assumptions::new(Semantics::Upstream))
}

/// The engine's changes of what policies and namespaces differ; `None` if pods or nodes do.
fn engine_changes(old: &Snapshot, new: &Snapshot) -> Option<Vec<Change>> {
    if old.pods != new.pods || old.nodes != new.nodes {
        return None;
    }
    let gone = old.policies.keys().filter(|id| !new.policies.contains_key(id));
    let mut changes: Vec<Change> = gone.cloned().map(Change::RemovePolicy).collect();
    for (id, policy) in &new.policies {
        if old.policies.get(id) != Some(policy) {
            changes.push(Change::SetPolicy(Box::new(policy.clone())));
        }
    }
    for (name, namespace) in &new.namespaces {
        if old.namespaces.get(name) != Some(namespace) {
            changes.push(Change::SetNamespace(namespace.clone()));
        }
    }
    Some(changes)
}

/// Modes that change from step to step.
fn modes_at(step: usize, snapshot: &Snapshot) -> Modes {
    let modes = snapshot.policies.keys().enumerate().map(|(index, id)| {
        let mode = match (index + step / 2) % 5 {
            0 => Mode::Staged,
            1 => Mode::Observe,
            _ => Mode::Enforce,
        };
        (id.clone(), mode)
    });
    modes.collect()
}

fn check(start: Snapshot, changes: Vec<worlds::Change>) -> Result<(), TestCaseError> {
    let mut snapshot = with_addresses(start);
    let mut program = compile(&snapshot);
    let mut tables = Tables::build(&program, &locals(&program), &modes_at(0, &snapshot), None);
    for (step, change) in changes.into_iter().enumerate() {
        let mut next = snapshot.clone();
        change.apply(&mut next);
        let next = with_addresses(next);
        match engine_changes(&snapshot, &next) {
            Some(changes) => changes.into_iter().for_each(|change| {
                program.apply(change);
            }),
            None => program = compile(&next),
        }
        let modes = modes_at(step, &next);
        let built = Tables::build(&program, &locals(&program), &modes, Some(&tables));
        let fresh_program = compile(&next);
        let fresh = Tables::build(&fresh_program, &locals(&fresh_program), &modes, None);
        prop_assert_eq!(meaning(&program, &built), meaning(&fresh_program, &fresh));
        check_stable(&tables, &built)?;
        let again = Tables::build(&program, &locals(&program), &modes, Some(&built));
        prop_assert_eq!(again.addresses(), built.addresses());
        prop_assert_eq!(again.networks(), built.networks());
        prop_assert_eq!(again.port_classes(), built.port_classes());
        prop_assert_eq!(again.pods(), built.pods());
        for (id, table) in again.profiles() {
            prop_assert!(Arc::ptr_eq(table, &built.profiles()[id]), "{} was written again", id);
        }
        prop_assert_eq!(again.profiles().len(), built.profiles().len());
        (snapshot, tables) = (next, built);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..Default::default() })]

    #[test]
    fn one_by_one_means_the_same_as_anew(
        start in snapshots(Contents::Everything),
        changes in changes(Contents::Everything),
    ) {
        check(start, changes)?;
    }
}

#[test]
fn a_pod_whose_rules_change_takes_a_profile_that_no_pod_had() {
    let mut n_new = 0;
    for seed in 0..20 {
        let snapshot = with_addresses(worlds::random(seed).snapshot);
        let mut program = compile(&snapshot);
        let mut tables = Tables::build(&program, &locals(&program), &Modes::default(), None);
        for id in snapshot.policies.keys() {
            program.apply(Change::RemovePolicy(id.clone()));
            let built =
                Tables::build(&program, &locals(&program), &Modes::default(), Some(&tables));
            let is_new = |id: &ProfileId| !tables.profiles().contains_key(id);
            n_new += built.profiles().keys().filter(|id| is_new(id)).count();
            tables = built;
        }
        let open = tables.pods().values().all(|pod| pod.ingress == pod.egress);
        assert!(open, "without policies all pods have one profile");
        assert!(tables.profiles().len() <= 2, "and the others are gone");
    }
    assert!(n_new > 20, "{n_new}");
}
