//! The tables that the kernel decides by: a [`Program`](policy_engine::Program), written down for the
//! pods of one node.
//!
//! ```text
//! Program ──build──> groups: local pods with the same rules · modes of policies
//!                    features (what these rules can tell of a peer) → classes of addresses
//!                    ranges of ports (that these rules name)        → classes of ports
//!                    rule sets → profiles: masks, and a row of bits for each class
//! packet ──evaluate──> (row of the peer's class | any) & (row of the port's class | all)
//!                      the first bit of the mode decides
//! ```
//!
//! `docs/design/data-plane.md` says what the tables mean and how they reach the kernel.
//!
//! **Invariants.** [`Tables::evaluate`] answers as the kernel must; every answer is one of the
//! engine's readings, and the engine's answer where it has one. A row is a function of what its
//! profile and its class mean, and the same meaning keeps its number when tables are built with the
//! previous ones, so a row that both have is the same. Nothing is truncated: what does not fit is a
//! [`Problem`], and the pods that needed it deny everything in that direction. Only rules of local
//! pods split classes.
//!
//! Deliberately absent: the kernel, maps and their layout (see `dataplane`), columns and generations,
//! connections, traffic of the node itself, which no profile is asked about, and what a Service's
//! address is translated to.

mod address_classes;
mod build;
mod evaluate;
mod features;
mod groups;
mod modes;
mod networks;
mod numbers;
mod port_classes;
mod problem;
mod profile;
mod rule_set;
mod sketch;
mod tables;

pub use evaluate::{Evaluated, Outcome};
pub use modes::{Mode, Modes};
pub use numbers::{AddressClass, PortClass, ProfileId};
pub use problem::{DeniedSide, Problem};
pub use profile::{MAX_RULES, ProfileTable, Row, RuleOrigin, RuleWord};
pub use tables::{LocalPod, PodTables, PortTable, Tables};
