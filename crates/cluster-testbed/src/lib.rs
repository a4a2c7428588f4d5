//! A real Kubernetes in namespaces on one machine, for tests.
//!
//! ```text
//! parts (Go, built once into a cache) ─┐
//! images (tar files made of them) ─────┼─> Testbed::up, attach_or_up
//!                                      │     folder: who holds the testbed, and is it alive?
//!                                      │     apart: a first process in namespaces; fabric and nodes
//!                                      │     control_plane: etcd, API server, controllers
//!                                      └─>   node: containerd, kubelet, kube-proxy for each
//! ```
//!
//! `docs/design/testbed.md` argues it. **Invariants.** Every process of a testbed is in one process namespace,
//! whose first process ends when nobody holds the testbed's lock: however its users end, the kernel ends the rest,
//! and takes mounts and network namespaces along. No network of a testbed has a way out, and nothing in it sets
//! or writes anything of the machine outside of its folder and its control groups. Those two are removed by a
//! supervisor that outlives the first process; should somebody kill it, by whoever comes next. Deliberately
//! absent: network policy, which is what others test on it.

mod apart;
mod certificates;
mod cgroups;
mod clients;
mod control_plane;
mod folder;
mod images;
mod manifests;
mod node;
mod parts;
mod process;
mod python;
mod spawned;
mod testbed;

pub use certificates::ClientCertificate;
pub use parts::{Part, build_all, cache_folder};
pub use process::Process;
pub use python::python_client;
pub use testbed::{Found, Options, Testbed};
