//! What of a log could not be read.

use super::Place;
use std::fmt;

/// A place at which something may have been said that nobody can know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The line is no event.
    NoEvent { place: Place, why: String },
    /// The line is longer than the limit.
    TooLong { place: Place, limit: usize },
    /// The last line of a file has no end.
    CutOff { place: Place },
    /// Nothing after this line could be read.
    Rest { place: Place, why: String },
}

impl Fault {
    #[must_use]
    pub const fn place(&self) -> &Place {
        match self {
            Self::NoEvent { place, why: _ }
            | Self::TooLong { place, limit: _ }
            | Self::CutOff { place }
            | Self::Rest { place, why: _ } => place,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoEvent { place, why } => write!(formatter, "{place} is no audit event: {why}"),
            Self::TooLong { place, limit } => {
                write!(formatter, "{place} is longer than {limit} bytes")
            }
            Self::CutOff { place } => write!(formatter, "{place} is cut off"),
            Self::Rest { place, why } => {
                write!(formatter, "after {place} nothing could be read: {why}")
            }
        }
    }
}
