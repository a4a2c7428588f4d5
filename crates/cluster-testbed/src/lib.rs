//! A real Kubernetes in namespaces on one machine, for tests.
//!
//! ```text
//! parts (Go, built once into a cache) ─┐
//! images (tar files made of them) ─────┼─> Testbed::up
//!                                      │     apart: an init in namespaces of its own; fabric and nodes
//!                                      │     control_plane: etcd, API server, controllers
//!                                      └─>   node: containerd, kubelet, kube-proxy for each
//! ```
//!
//! `docs/design/testbed.md` argues it. **Invariants.** Every process of a testbed is in one process namespace,
//! whose first process ends when the pipe from its owner closes: however the owner ends, the kernel ends the rest,
//! and takes mounts and network namespaces along. No network of a testbed has a way out. What the kernel does not
//! take away, folders and control groups, is locked by its owner and removed by the next testbed once nobody holds
//! the lock. Deliberately absent: network policy, which is what others test on it.

mod apart;
mod certificates;
mod control_plane;
mod images;
mod leftovers;
mod manifests;
mod node;
mod parts;
mod spawned;
mod testbed;

pub use certificates::ClientCertificate;
pub use parts::{Part, build_all, cache_folder};
pub use testbed::{Options, Testbed};
