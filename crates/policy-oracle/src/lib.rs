//! A naive evaluator of point questions, written from `docs/design/semantics.md` and the Kubernetes
//! API text alone. It is what the policy engine is checked against.
//!
//! **Shape.** Whatever the input or the API leaves open is a fork. One pass of the evaluator runs in
//! one possible world: wherever it meets a fork it takes one branch. The passes are repeated until
//! every branch of every fork was taken, literally. A question is allowed if it is allowed in every
//! world, denied if it is denied in every world, and undefined otherwise.
//!
//! **Invariants.** Nothing is shared with the engine but the model types: no index, no compiled form,
//! no cache. As slow as it likes, as obvious as possible.
//!
//! [`worlds`] makes random snapshots and questions, for properties of everything that reads a
//! snapshot. Deliberately absent: explanations, sets of ports.

mod forks;
mod places;
mod question;
mod rules;
mod services;
mod side;
pub mod worlds;

pub use question::{Assumptions, End, Profile, Question, Verdict, evaluate, evaluate_side};
pub use services::{EndpointVerdict, ServiceQuestion, evaluate_service, verdict_of_endpoints};
