//! Runs a scenario in a lab that is up: its steps one after the other, its traffic beside them.
//!
//! What the lab refuses breaks a step, and no step behind it is run; an expectation that does not hold
//! fails one, and the rest is run. Deliberately absent: making the lab, and reading files.

mod deciders;
mod step;
mod traffic;

use crate::client::Client;
use crate::control::traffic_in;
use crate::error::LabError;
use crate::state::{Setup, State};
use crate::world::World;
use finding_model::SourceSpan;
use lab_scenario::{Scenario, ScenarioResult, Step, StepOutcome, StepResult, Traffic};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Instant;

/// Names and texts of the files that a scenario's steps name, by the path as it is written there.
pub type Materials = BTreeMap<String, Vec<(String, String)>>;

pub fn run(
    scenario: &Scenario,
    materials: &Materials,
    client: &Client,
) -> Result<ScenarioResult, LabError> {
    let notes = client.status()?.notes;
    let is_over = AtomicBool::new(false);
    let (steps, traffic) = thread::scope(|scope| {
        let (begun, all_begun) = channel();
        let is_over = &is_over;
        let threads: Vec<_> = scenario
            .traffic
            .iter()
            .map(|of| {
                let begun = begun.clone();
                scope.spawn(move || traffic::run(client, of, is_over, &begun))
            })
            .collect();
        drop(begun);
        // Each has begun, or has ended.
        let n_begun = all_begun.iter().take(threads.len()).count();
        debug_assert!(n_begun <= threads.len());
        let steps = run_steps(scenario, materials, client);
        is_over.store(true, std::sync::atomic::Ordering::Relaxed);
        let mut results = Vec::new();
        for thread in threads {
            match thread.join() {
                Ok(result) => results.push(result),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        (steps, results)
    });
    Ok(ScenarioResult { name: scenario.name.clone(), span: scenario.span, notes, steps, traffic })
}

/// What the scenario's traffic asks for and its lab would refuse, before there is one.
pub fn refused_traffic(
    scenario: &Scenario,
    setup: &Setup,
) -> Result<Vec<(SourceSpan, String)>, LabError> {
    if scenario.traffic.is_empty() {
        return Ok(Vec::new());
    }
    let world = World::new(&State::new(setup.clone()))?;
    let refused = |traffic: &Traffic| {
        let found = traffic_in(&world, &BTreeSet::new(), &traffic::request(traffic));
        found.err().map(|why| (traffic.span, format!("{}: {why}", traffic.title())))
    };
    Ok(scenario.traffic.iter().filter_map(refused).collect())
}

fn run_steps(scenario: &Scenario, materials: &Materials, client: &Client) -> Vec<StepResult> {
    let mut is_broken = false;
    let mut results = Vec::new();
    for of in &scenario.steps {
        let begin = Instant::now();
        let mut notes = Vec::new();
        let outcome = if is_broken {
            StepOutcome::NotRun
        } else {
            step::run(of, (client, materials), &mut notes)
        };
        is_broken |= matches!(outcome, StepOutcome::Broken(_));
        let took_ms = u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX);
        let Step { name: _, action: _, span } = of;
        results.push(StepResult { title: of.title(), span: *span, outcome, notes, took_ms });
    }
    results
}
