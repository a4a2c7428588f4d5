//! Which pods and which rule a kernel means by its numbers: a
//! [`Sighting`](flow_model::Sighting) becomes a [`Flow`](flow_model::Flow).
//!
//! ```text
//! Sighting ──time──────────────> epoch in force  ──> who has the addresses, which Service that is
//!         └─pod, generation, profile─> epoch whose word that is ──> bits → rules with their places, policies
//! ```
//!
//! **Invariants.** A rule is named only by the tables that decided; where it is not certain which those
//! are the decision is unknown, never a guess: the kernel uses its numbers again. As many epochs are kept as was said, so memory is bounded. The flow's source
//! opened the connection. Deliberately absent: where sightings come from, clocks, formats, and merging
//! what both ends of a connection report.

mod attribution;
mod deciding;
mod epoch;
mod names;

pub use attribution::Attribution;
pub use epoch::Epoch;
