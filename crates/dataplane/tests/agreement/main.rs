//! The kernel, the tables, the engine and the naive oracle agree on random worlds while policies change.
//!
//! Each step of a world is written to a real data plane, and everything that a few addresses and ports can ask
//! of its pods is asked: the rules that match and those that decide in each mode, as the tables say; the
//! verdict, as the engine and the oracle say. Some questions are packets on the way to or from the pod. Needs
//! root. `WEIR_VERDICTS` says how many.
#![cfg(test)]

mod engine;
mod packets;
mod plane;
#[path = "../support/mod.rs"]
mod support;
mod world;

use plane::Plane;
use policy_model::Snapshot;
use policy_oracle::worlds::{Change, Contents, changes, snapshots};
use policy_tables::{Mode, Tables};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};
use std::cell::RefCell;
use std::time::Instant;
use support::apart;
use world::Step;

/// What one run has compared.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    worlds: u64,
    steps: u64,
    by_tables: u64,
    by_engine: u64,
    by_oracle: u64,
    packets: u64,
}

#[derive(Clone, Debug)]
struct Case {
    snapshot: Snapshot,
    changes: Vec<Change>,
    /// Of the policies, in order, and then again from the first.
    modes: Vec<Mode>,
    /// How many rules that match nothing stand before theirs, so that profiles are long.
    fill: Vec<usize>,
}

fn cases() -> impl Strategy<Value = Case> {
    let mode = prop_oneof![
        3 => Just(Mode::Enforce),
        1 => Just(Mode::Observe),
        1 => Just(Mode::Staged)
    ];
    let modes = proptest::collection::vec(mode, 1..=9);
    let fill = proptest::collection::vec(prop_oneof![2 => Just(0), 1 => 1..100_usize], 1..=4);
    (snapshots(Contents::Everything), changes(Contents::Everything), modes, fill)
        .prop_map(|(snapshot, changes, modes, fill)| Case { snapshot, changes, modes, fill })
}

fn check(plane: &mut Plane, counts: &mut Counts, case: &Case) -> Result<(), TestCaseError> {
    plane.begin();
    let mut tables: Option<Tables> = None;
    let mut snapshot = case.snapshot.clone();
    let mut changes = case.changes.iter();
    for number in 0.. {
        let step = Step::new(&snapshot, case, number);
        let built = step.tables(tables.as_ref());
        plane.write(&step, &built);
        plane.compare(&step, &built, counts)?;
        counts.steps += 1;
        tables = Some(built);
        let Some(change) = changes.next() else { break };
        change.clone().apply(&mut snapshot);
    }
    counts.worlds += 1;
    Ok(())
}

fn runner(seed: u64) -> TestRunner {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config {
        failure_persistence: None,
        max_shrink_iters: u32::MAX,
        // Milliseconds. What is tried loads all programs again if it fails.
        max_shrink_time: 60_000,
        ..Config::default()
    };
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
}

fn wanted() -> u64 {
    let wanted = std::env::var("WEIR_VERDICTS").ok();
    wanted.map_or(1_000_000, |text| text.parse().expect("WEIR_VERDICTS is a number"))
}

#[test]
fn the_kernel_decides_as_the_tables_the_engine_and_the_oracle() {
    apart(|root| {
        let counts = RefCell::new(Counts::default());
        let plane = RefCell::new(Plane::open(root));
        let start = Instant::now();
        for seed in 0.. {
            if counts.borrow().by_tables >= wanted() {
                break;
            }
            let mut runner = runner(seed);
            let tree = cases().new_tree(&mut runner).unwrap();
            let checked = runner.run_one(tree, |case| {
                let result = check(&mut plane.borrow_mut(), &mut counts.borrow_mut(), &case);
                // What failed is tried again on tables that hold nothing else.
                result.inspect_err(|_| plane.borrow_mut().renew())
            });
            match checked {
                Ok(_) => {}
                Err(TestError::Fail(reason, case)) => panic!(
                    "world {seed}: {reason}\n{}\nmodes {:?}, filled {:?}, then {:#?}",
                    kube_render::manifest(&case.snapshot),
                    case.modes,
                    case.fill,
                    case.changes
                ),
                Err(TestError::Abort(reason)) => panic!("world {seed}: {reason}"),
            }
        }
        report(&counts.borrow(), start.elapsed().as_secs_f64());
        plane.into_inner().close();
    });
}

#[expect(clippy::print_stdout, reason = "the bench shows what was compared")]
fn report(counts: &Counts, seconds: f64) {
    let Counts { worlds, steps, by_tables, by_engine, by_oracle, packets } = *counts;
    println!(
        "{by_tables} verdicts of the kernel in {steps} states of {worlds} worlds, as the tables say; \
         {by_engine} also as the engine, {by_oracle} as the oracle, {packets} of them on packets; \
         {seconds:.1} s"
    );
    assert!(by_engine > by_tables / 4, "most of them have one answer");
    assert!(by_oracle > by_tables / 200 && packets > by_tables / 200, "{counts:?}");
}
