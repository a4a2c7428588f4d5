//! Answers under several readings, for one packet or for all ports at once.

use crate::semantics::{Reason, Reasons};
use net_types::Traffic;

/// A set of allowed packets: `bool` for one packet, [`Traffic`] for all.
pub(crate) trait Allowed: Clone + PartialEq {
    fn everything() -> Self;
    fn meet(&self, other: &Self) -> Self;
    fn join(&self, other: &Self) -> Self;
}

impl Allowed for bool {
    fn everything() -> Self {
        true
    }

    fn meet(&self, other: &Self) -> Self {
        *self && *other
    }

    fn join(&self, other: &Self) -> Self {
        *self || *other
    }
}

impl Allowed for Traffic {
    fn everything() -> Self {
        Self::all()
    }

    fn meet(&self, other: &Self) -> Self {
        self.intersection(other)
    }

    fn join(&self, other: &Self) -> Self {
        self.union(other)
    }
}

/// What is allowed in every reading, and what in some.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Span<A> {
    pub(crate) must: A,
    /// At least `must`.
    pub(crate) may: A,
    /// Why they differ, if they do; may name more than what makes the difference in the end.
    pub(crate) reasons: Reasons,
}

impl<A: Allowed> Span<A> {
    pub(crate) fn everything() -> Self {
        Self { must: A::everything(), may: A::everything(), reasons: Reasons::NONE }
    }

    /// Both sides must allow; they fork independently.
    pub(crate) fn and(&self, other: &Self) -> Self {
        Self {
            must: self.must.meet(&other.must),
            may: self.may.meet(&other.may),
            reasons: self.reasons.union(other.reasons),
        }
    }

    fn or_instead(&self, other: &Self, reason: Reason) -> Self {
        let mut reasons = self.reasons.union(other.reasons);
        if self.must != other.must || self.may != other.may {
            reasons = reasons.with(reason);
        }
        Self { must: self.must.meet(&other.must), may: self.may.join(&other.may), reasons }
    }

    /// One answer for each reading of the same question; without any, nothing is allowed.
    pub(crate) fn fork(readings: impl IntoIterator<Item = Self>, reason: Reason) -> Option<Self> {
        readings.into_iter().reduce(|all, next| all.or_instead(&next, reason))
    }
}
