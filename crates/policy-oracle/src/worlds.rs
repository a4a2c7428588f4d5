//! Random snapshots, questions about them and changes to them, for properties.
//!
//! The alphabets are small, so that labels, blocks, ports and addresses collide often. Everything is
//! made of vectors of small parts, so that a failing world shrinks by dropping parts. Every world is
//! one that the API would accept (see [`Contents`] for the one exception) and keeps the invariants of
//! `policy_model`. No part has a span.

mod alphabet;
mod changes;
mod cluster;
pub mod objects;
mod parts;
mod policies;
mod questions;
mod services;

pub use alphabet::{addresses, names};
pub use changes::{Change, changes, put_namespace, put_node, put_pod, put_policy};
pub use questions::{Asked, AskedEnd, PodKey};

use policy_model::Snapshot;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// What may be in a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contents {
    /// Only what a manifest can say.
    Manifest,
    /// Also peers of an unknown kind, as an API server of a later version may hold them, and templates
    /// of bare Pods.
    Everything,
}

#[derive(Clone, Debug, PartialEq)]
pub struct World {
    pub snapshot: Snapshot,
    pub questions: Vec<Asked>,
}

/// As many as [`random`] asks of one world.
const QUESTIONS_PER_WORLD: usize = 200;

/// The same world for the same seed, on every machine.
pub fn random(seed: u64) -> World {
    let shape = (snapshots(Contents::Everything), vec(questions::picked(), QUESTIONS_PER_WORLD));
    let (snapshot, picked) = generate(&shape, seed);
    let questions = picked.into_iter().map(|picked| picked.of(&snapshot)).collect();
    World { snapshot, questions }
}

/// The same changes for the same seed. They may remove what a snapshot does not have.
pub fn random_changes(seed: u64, n_changes: usize) -> Vec<Change> {
    generate(&vec(changes::change(Contents::Everything), n_changes), seed)
}

#[expect(clippy::expect_used, reason = "no strategy here rejects a value, so each gives one")]
fn generate<S: Strategy>(strategy: &S, seed: u64) -> S::Value {
    let mut bytes = [0; 32];
    for (target, source) in bytes.iter_mut().zip(seed.to_le_bytes()) {
        *target = source;
    }
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    strategy.new_tree(&mut runner).expect("the strategy gives a value").current()
}

/// Worlds for a property.
pub fn worlds() -> impl Strategy<Value = World> {
    (snapshots(Contents::Everything), vec(questions::picked(), 1..=8)).prop_map(
        |(snapshot, picked)| {
            let questions = picked.into_iter().map(|picked| picked.of(&snapshot)).collect();
            World { snapshot, questions }
        },
    )
}

/// Snapshots for a property.
pub fn snapshots(contents: Contents) -> impl Strategy<Value = Snapshot> {
    (
        vec(cluster::namespace(), 0..=3),
        vec(cluster::node(), 0..=3),
        vec(cluster::pod(contents), 1..=7),
        vec(policies::policy(contents), 0..=9),
        vec(services::service(), 0..=2),
        vec(services::entry(), 0..=1),
    )
        .prop_map(|(namespaces, nodes, pods, policies, services, entries)| {
            let mut snapshot = Snapshot::default();
            for namespace in namespaces {
                put_namespace(&mut snapshot, namespace);
            }
            for node in nodes {
                put_node(&mut snapshot, node);
            }
            for pod in pods {
                put_pod(&mut snapshot, pod);
            }
            for policy in policies {
                put_policy(&mut snapshot, policy);
            }
            services::put_all(&mut snapshot, services, entries);
            snapshot
        })
}
