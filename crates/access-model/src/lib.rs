//! Who asks for which privileged access, and may they.
//!
//! A request's head goes through `classify` and becomes a [`Request`]: which verb, on which object, with which
//! command line and streams, and the path and query that are sent on. Then [`Rules::decide`] says whether the
//! gateway's own rules allow it, which rule said so, and on which terms. `docs/design/access.md` argues both.
//! [`SessionGrants`] say who may see, stop and end which recorded session.
//!
//! **Invariants.** `classify` is total and its result is a fixed point: the path and query that it writes are
//! classified as the same request again. No path that Kubernetes' own resolution takes for a privileged
//! sub-resource is [`Verb::Api`]. A decision always names what decided. What is not recognised is refused, and
//! what is not known never allows.
//!
//! Deliberately absent: I/O, clocks, serialisation (bodies are read by `access-checks`), the cluster's RBAC, and
//! what is done with a stream once it is open.

mod identity;
mod verb;

mod classify;
mod core_group;
mod head;
mod kubelet;
mod parameters;
mod place;
mod refusal;
mod request;
mod target;
mod upgrade;

mod copy;
mod decide;
mod matching;
mod pattern;
mod pod;
mod rule;
mod times;

mod permission;

pub use classify::classify;
pub use copy::{Direction, FileCopy};
pub use decide::{Ask, Decision, Denial, DeniedBecause, Grant, RuleRef};
pub use head::{Head, HttpVersion};
pub use identity::{Identity, Proof};
pub use pattern::{Names, Pattern};
pub use permission::{Permission, SessionGrant, SessionGrants, SessionPlace};
pub use pod::{ContainerShape, PodFacts, PodShape, Privilege, Privileges};
pub use refusal::Refusal;
pub use request::{
    Detail, Method, Object, ProxyTarget, Request, Resource, Review, Streams, Transport,
};
pub use rule::{
    Bodies, Conditions, DurabilityMode, Effect, LabelRequirement, LabelTest, Rule, Rules,
    RulesError, Terminals, Terms, Verbs, Who,
};
pub use times::{Times, Weekday, Window};
pub use upgrade::BEARER_PROTOCOL;
pub use verb::Verb;
