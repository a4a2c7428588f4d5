//! A network inside the kernel: namespaces, links, addresses, routes, rules and mounts.
//!
//! ```text
//! Namespace::create ──> a descriptor that alone keeps the namespace
//!     Changes::… .apply(&namespace)    links, addresses, routes in one request (netlink)
//!     rules::load(&namespace, script)  packet filter (the `nft` program)
//!     namespace.enter(|| …)            anything else, in a thread that lives there
//! ```
//!
//! **Invariants.** A namespace has no name and no file: it goes when its last descriptor, process and
//! socket go, so nothing is left behind by a crash. The calling thread never changes its namespaces;
//! what has to be inside runs in a thread of its own, which ends. Every error says what was being done
//! to what. Deliberately absent: what a pod, a node or a Service is.

mod apart;
mod changes;
mod descriptors;
mod error;
mod mounts;
mod namespace;
mod privileges;
pub mod rules;
mod running;
mod sysctl;

pub use apart::{spawn_apart, spawn_with_files};
pub use changes::{Changes, HardwareAddress, LinkEnd, NewAddress, Route};
pub use descriptors::close_inherited;
pub use error::FabricError;
pub use mounts::{become_private, mount_bpf};
pub use namespace::Namespace;
pub use privileges::{Lack, become_root_of_user_namespace, lack, missing_privileges};
pub use sysctl::set as set_sysctl;
