//! What runs on a node: makes its kernel enforce what is wanted, and says what the kernel saw.
//!
//! ```text
//! Wanted ──> Agent::apply ──> policy-tables ──> dataplane (maps, links, pinned)
//!                                  │                 │ sightings
//!                                  └──> flow-attribution ──> Agent::flows ──> Flow
//! ```
//!
//! **Invariants.** The kernel goes on without this process, and the next one finds what is there: nothing
//! is enforced because an agent runs, and nothing ends because it stops. What cannot be written denies,
//! is told, and is tried again. Deliberately absent: where policies come from, who wants them enforced,
//! and how flows are written.

mod agent;
mod wanted;

pub use agent::{Agent, AgentError, Applied, Turn};
pub use wanted::{Wanted, WantedPod};
