//! A cluster of network namespaces on one machine: real packets, no Kubernetes.
//!
//! ```text
//! manifests ──kube-import──> Snapshot ──plan──> Plan: pods, nodes, addresses, Services, listeners
//!    `weir lab up`                                │
//!        │ starts                                 ▼
//!        └──> lab process: network ──> servers (echo, DNS) ──> control (a Unix socket)
//!                                                                  ▲ requests
//!    `weir lab exec`, `probe`, … ──client───────────────────────────┘
//! ```
//!
//! `docs/design/lab.md` argues the shape. **Invariants.** Everything that a lab has is held by its one
//! process, which is the first of its process namespace: when it ends, however it ends, the kernel takes
//! the rest away. Only the lab's folder stays, and the next command removes it. The plan is pure, and
//! what is made is what the plan says. Deliberately absent: policy semantics, and how answers look.

mod client;
mod control;
mod enter;
mod error;
mod folder;
mod names;
mod network;
mod plan;
mod process;
mod servers;
mod start;
mod wire;

pub use client::{Client, Entry};
pub use enter::run_inside;
pub use error::LabError;
pub use folder::{Folder, default_parent};
pub use network::{Host, Network, NodeNetwork, PodLink};
pub use plan::{
    DnsPlan, Endpoint, ExternalPlan, Listener, NodePlan, Plan, PlanOptions, PodPlan, ServicePlan,
    ServicePortPlan,
};
pub use process::run;
pub use start::start;
pub use wire::{Setup, Status};
