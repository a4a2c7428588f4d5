//! Clusters, policies and agreed verdicts of the community's test suites, for tests.
//!
//! The corpora are not part of the project. They lie in the folder that the environment variable
//! `WEIR_CORPORA` names, else in `../shared/corpora` beside the project. A test that needs one takes it
//! through [`or_not_run`], which says so where it is missing, and fails with `CI=true`.
//!
//! **Shape.** Each state of a corpus is written as a manifest and read by `kube-import`, so that the
//! corpora check the real reader as well. Deliberately absent: anything that evaluates.

mod cluster_policies;
mod cyclonus;
mod folder;
mod state;

pub use cluster_policies::cluster_policies;
pub use cyclonus::cyclonus;
pub use folder::or_not_run;

use net_types::{Protocol, UnknownProtocol};
use policy_model::{Pod, Snapshot};
use serde_json::Value;
use std::path::PathBuf;

/// One state of a cluster, and what is known of it.
#[derive(Debug)]
pub struct Case {
    pub name: String,
    /// What `snapshot` was read from: namespaces, nodes, pods and policies.
    pub objects: Vec<Value>,
    pub snapshot: Snapshot,
    pub checks: Vec<Check>,
}

/// A connection from one pod to another, by `namespace/name`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    pub from: String,
    pub to: String,
    pub protocol: Protocol,
    pub port: u16,
    pub expected: Expected,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Whether each side allows it.
    Sides { egress: bool, ingress: bool },
    /// Whether both sides together allow it.
    Connection(bool),
}

impl Case {
    /// By `namespace/name`.
    pub fn pod(&self, path: &str) -> Option<&Pod> {
        self.snapshot.pods.iter().find(|pod| pod.to_string() == path)
    }
}

/// A corpus could not be read.
#[derive(Debug, thiserror::Error)]
pub enum CorpusError {
    #[error("reading {path}")]
    Read {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("decoding {path}")]
    Decode {
        path: PathBuf,
        #[source]
        source: serde_json::Error,
    },
    #[error("reading the probes of case `{case}`")]
    Protocol {
        case: String,
        #[source]
        source: UnknownProtocol,
    },
    #[error("case `{case}` has objects that were not read: {findings}")]
    Refused { case: String, findings: String },
}
