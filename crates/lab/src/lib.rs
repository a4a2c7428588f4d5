//! A cluster of network namespaces on one machine: real packets, no Kubernetes.
//!
//! ```text
//! State (manifests' text, changes, what was given away) ──world──> plan, compiled policies: alike everywhere
//!    `weir lab up`                                                     │
//!        │ starts                                                      ▼
//!        └──> lab process: network ──> agents (a child on each node) ──> servers (echo, DNS) ──> control
//!                                        ▲ orders   │ flows                                      ▲ requests
//!    `weir lab exec`, `probe`, `flows`, `apply`, … ──client──────────────────────────────────────┘
//! ```
//!
//! `docs/design/lab.md` argues the shape. **Invariants.** Everything that a lab has is held by its one
//! process, which is the first of its process namespace: when it ends, however it ends, the kernel takes
//! the rest away. Only the lab's folder stays, and the next command removes it. The plan is pure, and
//! what is made is what the plan says. Deliberately absent: policy semantics, and how answers look.

mod agent;
mod agents;
mod change;
mod client;
mod control;
mod doctor;
mod effects;
mod enter;
mod error;
mod flow_log;
mod folder;
mod names;
mod network;
mod picture;
mod plan;
mod probe;
mod process;
mod roll;
mod running;
mod scenario;
mod servers;
mod start;
mod state;
mod traffic;
mod transition;
mod wire;
mod world;

pub use agent::{HookChoice, run as run_agent};
pub use client::{Bond, Client, Entry};
pub use doctor::{Check, CheckState, examine, examine_as_user, examine_inside};
pub use enter::{run_beside, run_inside};
pub use error::LabError;
pub use folder::{Folder, default_parent};
pub use network::{Host, Network};
pub use picture::Picture;
pub use plan::{
    Assigned, AssignedPod, DnsPlan, Endpoint, ExternalPlan, Listener, NodePlan, Plan, PlanOptions,
    PodKey, PodPlan, Rolled, ServicePlan, ServicePortPlan, Slot, workload_key,
};
pub use probe::{Cell, Expected, ExpectedVerdict, Observed, disagreement};
pub use process::run;
pub use scenario::{Materials, refused_traffic, run as run_scenario};
pub use start::{start, start_bound};
pub use state::{Change, PodChoice, PolicyMode, Profile, Relabelled, Setup};
pub use wire::{
    AgentStatus, Attempt, Changed, Effect, Effects, Enforcement, PlaneStatus, ProbeRequest, Status,
    TrafficRequest,
};
