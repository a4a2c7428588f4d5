//! The policy engine: a [`Program`] compiled once, from which every answer comes.
//!
//! ```text
//! Snapshot ──compile──> Program: terms (interned selectors) · atoms (CIDRs cut into pieces)
//!                                classes (pods no rule can tell apart) · profiles (rules in order)
//!          question ──> ends.rs → facts.rs: which rules match the peer
//!                       ports.rs: which rules match the port
//!                       decide.rs: the first rule in both sets decides
//! ```
//!
//! **Invariants.** A verdict comes from `decide.rs` and nowhere else, for one packet and for all
//! pairs. Every verdict has a [`Cause`]. `docs/design/semantics.md` is the specification; the naive
//! evaluator of `policy-oracle` is written from the same page and must agree. Nothing here does I/O.

mod atoms;
mod bits;
mod change;
mod class_index;
mod classes;
mod decide;
mod delta;
mod diff;
mod encoding;
mod ends;
mod evaluate;
mod explain;
mod exposure;
mod facts;
mod fix;
mod fork;
mod ids;
mod lookup;
mod map;
mod near_miss;
mod node_labels;
mod objects;
mod packet;
mod plain;
mod policies;
mod ports;
mod profile;
mod program;
mod reach;
mod rows;
mod semantics;
mod services;
mod shape;
mod side;
mod terms;
mod traffic;
mod verdict;

pub use change::{Change, PodName};
pub use delta::{Delta, OutsideChange, PairChange};
pub use diff::{ConnectionDiff, DiffEnd, DiffPeer, DiffRow, Effect, Ground, Presence, Shift};
pub use encoding::{ListedRule, PodTerms, RuleList};
pub use ends::{AmbiguousAddress, End};
pub use explain::{
    Answer, AskedPort, Assumed, EndSet, Explanation, Fork, PolicyStep, Question, Reading, SideWalk,
    TierOutcome, TierStep,
};
pub use exposure::{
    Entrance, EntranceKind, Exposure, PossibleNamespace, PossiblePeer, SideExposure,
};
pub use fix::{Fix, NoFix, Opening, PolicyChange, SharedLabels, Wanted};
pub use ids::{ClassId, PodId, PolicyIx, ProfileId, TermId};
pub use map::{ConnectionMap, Granularity, MapPart, MapParts, MapPeer, MapRow};
pub use near_miss::{
    Difference, LabelDifference, LabelOwner, NearMiss, PortDifference, RulePart, ServicePortHint,
};
pub use objects::ObjectsVersion;
pub use program::Program;
pub use reach::PodGroup;
pub use rows::Rows;
pub use semantics::{Assumptions, Reason, Reasons, Semantics};
pub use services::{Endpoint, ServiceDecision, ServiceProblem};
pub use terms::Term;
pub use traffic::{PairTraffic, TrafficCache};
pub use verdict::{Cause, DecidingTier, Decision, RuleId, Side, Verdict};
