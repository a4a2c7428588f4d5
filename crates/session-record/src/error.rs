//! What can be wrong with a recording that is read.

use crate::event::Compartment;
use crate::header::{FORMAT_VERSION, WrongKey};
use crate::keys::CipherRefused;
use crate::source::SourceError;
use crate::wire::Malformed;
use std::fmt;
use thiserror::Error;

#[derive(Debug, Error)]
pub enum ReadError {
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error("this is no recording")]
    NotARecording,
    #[error(
        "the recording has version {found} of the format; this program reads version {FORMAT_VERSION}"
    )]
    Version { found: u16 },
    #[error("the recording's header is not whole or was changed")]
    Header,
    /// A compressed recording is made whole.
    #[error("the recording has no seal, so it was cut off")]
    NoSeal,
    #[error("the recording's index is not the one that its seal commits to")]
    Index,
    #[error("the second file does not continue this recording")]
    NotContinued,
    #[error("the recording cannot be read at byte {offset}")]
    Malformed {
        offset: u64,
        #[source]
        source: Malformed,
    },
    /// Chunks of a raw recording and blocks of a compressed one are counted from 0.
    #[error("chunk {chunk} of the recording, at byte {offset}, {what}")]
    Broken { chunk: u64, offset: u64, what: Break },
    #[error(transparent)]
    WrongKey(#[from] WrongKey),
    #[error("the key of the {} compartment is needed", .0.word())]
    NoKey(Compartment),
    #[error(transparent)]
    Cipher(#[from] CipherRefused),
}

/// How a chunk is not the one that was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Break {
    /// Its number, its records or its times do not continue the chunk before.
    Order,
    /// Its digest does not continue the chain.
    Chain,
    /// It was not written with the recording's key, or was changed.
    Authenticity(Compartment),
    /// Its records are not as many or not as long as its header says.
    Records,
}

impl fmt::Display for Break {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Order => formatter.write_str("does not follow the one before"),
            Self::Chain => formatter.write_str("does not continue the chain"),
            Self::Authenticity(compartment) => {
                write!(
                    formatter,
                    "was not written with the key of the {} compartment",
                    compartment.word()
                )
            }
            Self::Records => formatter.write_str("does not hold what its header says"),
        }
    }
}
