//! Flows: what the data plane saw of a connection, and which rule decided.
//!
//! A [`Sighting`] is what a kernel can say: numbers. A [`Flow`] is the same with names, as they were
//! when it was seen. `docs/design/flow-record.md` explains the fields.
//!
//! **Invariants.** `source` opened the connection. A flow that was denied by a rule names it. Nothing
//! here resolves names later, reads a clock or serialises.

mod cause;
mod end;
mod flow;
mod passage;
mod sighting;
mod trace;

pub use cause::Cause;
pub use end::{End, Identity, PodIdentity};
pub use flow::{Counters, Flow, Observer, Report, ServiceHop, Timestamp};
pub use passage::WouldDeny;
pub use sighting::{PodWord, SightedVerdicts, Sighting};
pub use trace::{Decider, FlowVerdict, Place, PolicyMention, RuleMention, TableBit, Trace};
