//! Arguments that several commands share, as types that mean something.

mod assumptions;
mod input;

pub use assumptions::{AssumptionArgs, ProfileArgument};
pub use input::{InputArgs, ReadingArgs, SeverityArgument};
pub use question_syntax::{
    KindArgument, PeerArgument, PeerArgumentError, PortArgument, PortArgumentError,
};
