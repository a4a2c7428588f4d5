//! One policy changed in a world of 10,000 workloads: `Program::apply`, against all anew.

use crate::Setting;
use crate::spent::{self, Spent};
use crate::worlds::{self, Size};
use anyhow::{Context, Result, ensure};
use kube_import::import_text;
use net_types::{PortRange, Protocol};
use policy_engine::{Assumptions, Change, Granularity, Program, Semantics};
use policy_model::{Policy, PortMatch, PortSpec, Ports, Snapshot};
use std::hash::{DefaultHasher, Hash, Hasher};

/// Policies spread over the world; each is changed once.
const CHANGES: usize = 101;
const SIZE: Size = Size { workloads: 10_000, pods_per_workload: 0 };

pub(crate) fn measure(setting: &Setting) -> Result<()> {
    let snapshot = import_text("world", &worlds::text(setting, SIZE)?).snapshot;
    let assumptions = || Assumptions::new(Semantics::Upstream);
    let mut program = Program::compile(snapshot.clone(), assumptions());
    let mut all = Vec::new();
    let mut n_pairs = 0;
    let step = (snapshot.policies.len() / CHANGES).max(1);
    for policy in snapshot.policies.values().step_by(step).take(CHANGES) {
        let changed = Box::new(changed(policy));
        let (spent, delta) = spent::on(|| program.apply(Change::SetPolicy(changed)))?;
        n_pairs += delta.pairs.iter().map(|pair| pair.from.len() * pair.to.len()).sum::<usize>();
        all.push(spent);
    }
    let slowest = all.iter().map(|spent| spent.cpu_seconds).fold(0.0, f64::max);
    let one = Spent::median(&all);
    println!("one policy   {one}  (promised: under 50 ms), slowest {:.0} ms CPU", slowest * 1e3);
    println!(
        "             {} changes of {} policies changed {n_pairs} pairs",
        all.len(),
        snapshot.policies.len()
    );
    let now: Snapshot = program.snapshot();
    let mut anew = Vec::new();
    let mut rows = None;
    for _ in 0..setting.runs.max(1) {
        let (spent, fresh) = spent::on(|| rows_of(&Program::compile(now.clone(), assumptions())))?;
        anew.push(spent);
        rows = Some(fresh);
    }
    let anew = Spent::median(&anew);
    let ratio = anew.wall_seconds / one.wall_seconds.max(1e-7);
    println!("all anew     {anew}  compiled and mapped, {ratio:.0} times as long");
    let fresh = rows.context("nothing was mapped anew")?;
    ensure!(rows_of(&program) == fresh, "the changed program maps other rows than a fresh one");
    println!("the changed program maps the same {} rows as a fresh one", fresh.0);
    Ok(())
}

/// The policy with more ports in its first rule, or a rule less where that has all ports.
fn changed(policy: &Policy) -> Policy {
    let mut changed = policy.clone();
    let rules = match (&mut changed.ingress, &mut changed.egress) {
        (Some(rules), _) if !rules.is_empty() => rules,
        (_, Some(rules)) if !rules.is_empty() => rules,
        // A policy that isolates and allows nothing: it now isolates for one direction only.
        (_, egress) => {
            *egress = None;
            return changed;
        }
    };
    let Some(rule) = rules.first_mut() else { return changed };
    match &mut rule.ports {
        Ports::All => drop(rules.remove(0)),
        Ports::Listed(specs) => {
            let range = PortRange::new(8_000, 8_099).unwrap_or(PortRange::ALL);
            let matches = PortMatch::Numbers { protocol: Protocol::Tcp, range };
            specs.push(PortSpec { matches, span: None });
        }
    }
    changed
}

/// How many rows a map has, and a hash of all.
fn rows_of(program: &Program) -> (u64, u64) {
    let mut hasher = DefaultHasher::new();
    let mut n_rows = 0;
    program.map(Granularity::Workload).visit(|row| {
        (row.from, row.to, row.traffic).hash(&mut hasher);
        n_rows += 1;
        true
    });
    (n_rows, hasher.finish())
}
