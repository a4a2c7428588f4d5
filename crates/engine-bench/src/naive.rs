//! The map as the naive oracle makes it: every pair of pods, at every port that the destination serves.
//!
//! It asks fewer ports than a full map needs, so its time is a lower bound.

use crate::compare::translate;
use anyhow::{Context, Result};
use kube_import::import_text;
use net_types::Protocol;
use policy_engine::{End, PodId, Program, Semantics, Verdict};
use policy_model::Snapshot;
use std::path::Path;

/// Pairs of pods by their index, and a port that the second serves.
type Probe = ((usize, usize), (Protocol, u16));

/// How many probes there were and how many were allowed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Probed {
    pub(crate) asked: u64,
    pub(crate) allowed: u64,
}

fn probes(snapshot: &Snapshot) -> impl Iterator<Item = Probe> {
    let n_pods = snapshot.pods.len();
    let pairs = (0..n_pods).flat_map(move |from| (0..n_pods).map(move |to| (from, to)));
    pairs.filter(|(from, to)| from != to).flat_map(|(from, to)| {
        let ports = snapshot.pods.get(to).map(|pod| pod.ports.as_slice()).unwrap_or_default();
        ports.iter().map(move |port| ((from, to), (port.protocol, port.port)))
    })
}

fn probed(snapshot: &Snapshot, mut ask: impl FnMut(Probe) -> Option<Verdict>) -> Probed {
    let mut probed = Probed::default();
    for probe in probes(snapshot) {
        probed.asked += 1;
        probed.allowed += u64::from(ask(probe) == Some(Verdict::Allow));
    }
    probed
}

pub(crate) fn by_oracle(snapshot: &Snapshot) -> Probed {
    let assumptions = policy_oracle::Assumptions::default();
    probed(snapshot, |((from, to), (protocol, port))| {
        let question = policy_oracle::Question {
            from: policy_oracle::End::Pod(snapshot.pods.get(from)?),
            to: policy_oracle::End::Pod(snapshot.pods.get(to)?),
            protocol,
            port,
        };
        Some(translate(policy_oracle::evaluate(snapshot, &assumptions, &question)))
    })
}

pub(crate) fn by_engine(snapshot: &Snapshot) -> Probed {
    let assumptions = policy_engine::Assumptions::new(Semantics::Upstream);
    let program = Program::compile(snapshot.clone(), assumptions);
    probed(snapshot, |((from, to), (protocol, port))| {
        let [from, to] = [from, to].map(|index| End::Pod(PodId::from_index(index)));
        Some(program.decide(&from, &to, protocol, port).verdict)
    })
}

pub(crate) fn print_map(world: &Path) -> Result<()> {
    let text =
        std::fs::read_to_string(world).with_context(|| format!("reading {}", world.display()))?;
    let Probed { asked, allowed } = by_oracle(&import_text("world", &text).snapshot);
    println!("{asked} asked, {allowed} allowed");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{by_engine, by_oracle};
    use policy_oracle::worlds::random;

    #[test]
    fn both_ways_to_a_map_agree() {
        let mut allowed = 0;
        for seed in 0..20 {
            let snapshot = random(seed).snapshot;
            let engine = by_engine(&snapshot);
            assert_eq!(engine, by_oracle(&snapshot), "seed {seed}");
            allowed += engine.allowed;
        }
        assert!(allowed > 0);
    }
}
