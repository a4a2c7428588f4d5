//! What a verification found: what is proven, what is not, and what is wrong.

use crate::chunk::Head;
use crate::error::ReadError;
use crate::event::Compartment;
use crate::header::Digest;
use crate::opening::Opening;
use crate::seal::{Seal, State, Torn};
use std::fmt;

/// The result of `verify`.
#[derive(Debug)]
pub struct Report {
    pub opening: Opening,
    /// Of the raw recording's header.
    pub header: Digest,
    pub seal: Option<Seal>,
    /// As far as chunks continue the chain.
    pub head: Head,
    pub proven: Vec<Proven>,
    pub unproven: Vec<Unproven>,
    /// The first thing that is wrong in each respect; the recording is not to be relied on from there.
    pub faults: Vec<Fault>,
}

/// In short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Sealed, and nothing is wrong. [`Report::proven`] says in which respects that was looked at.
    Sound,
    /// Nothing is wrong, and it has no seal: it is being written, or its recorder is gone.
    Open,
    Broken,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proven {
    /// Every byte from the header to the seal is the one that the seal commits to, in this order and with none left out.
    Chain { chunks: u64 },
    /// Every byte up to here is the one that was written, as far as the file goes.
    ChainSoFar { chunks: u64 },
    /// The index is the one that the seal commits to.
    Index,
    /// The key is the one that the recorder drew for this session.
    Key(Compartment),
    /// Every chunk was written by whoever had the keys, and holds what its header says.
    Authentic { compartment: Compartment, chunks: u64 },
    /// The recorder itself wrote that this is all there was, and the sums agree.
    Complete,
    /// The raw recording was made again from the compressed one, and its chain is the one that the seal commits to.
    RawChain { chunks: u64 },
    /// The ledger has this header: the session was opened with it.
    LedgerHeader,
    /// The ledger has these values of the chain: what was before them was not changed later.
    LedgerHeads { heads: usize },
    /// The ledger has this seal.
    LedgerSeal,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unproven {
    /// That nothing follows: there is no seal.
    NothingFollows,
    /// That nothing followed: whoever sealed it did not have the keys, or could not write the end.
    RecordedToTheEnd { state: State },
    /// That the chunks were written by the recorder: the key is not at hand.
    Authentic(Compartment),
    /// That the compressed recording holds what the raw one held: the output's key is not at hand.
    RawChain,
    /// That it is this recording that the ledger speaks of: nothing from the ledger was given.
    InLedger,
    /// That a head of the ledger is in the recording: finding it takes the output's key.
    LedgerHead(Head),
}

#[derive(Debug)]
pub enum Fault {
    /// It cannot be read on from somewhere.
    Read(ReadError),
    /// The seal says something else than what is there.
    Seal(Contradiction),
    /// The end chunk says something else than what is there.
    End(Contradiction),
    /// It is sealed as ended by its recorder, and has no end.
    NoEnd,
    /// A compressed block does not hold the raw chunks that the seal commits to.
    RawChain { chunk: u64 },
    /// What is behind the recording in its file is not what was there when it was sealed.
    Torn,
    /// The ledger has another header for this session.
    LedgerHeader,
    /// The ledger has another value of the chain here, or the recording ends before.
    LedgerHead(Head),
    /// The ledger has another seal for this session.
    LedgerSeal,
}

/// What somebody says of a recording that it does not keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contradiction {
    Header,
    Chain,
    Length,
    Records,
    Times,
    Sums,
    Ending,
}

impl Report {
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        match (&self.seal, self.faults.is_empty()) {
            (_, false) => Verdict::Broken,
            (Some(_), true) => Verdict::Sound,
            (None, true) => Verdict::Open,
        }
    }

    /// Compares what is behind the recording in its raw file with what the seal says of it. Of a file that failed
    /// nobody knows what will be behind, so a damaged recording says nothing.
    pub fn check_torn(&mut self, found: Option<Torn>) {
        let Some(seal) = &self.seal else { return };
        if seal.state == State::Recovered && seal.torn != found {
            self.faults.push(Fault::Torn);
        }
    }
}

impl fmt::Display for Proven {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Chain { chunks } => write!(
                formatter,
                "all bytes are those that the seal commits to, in their order, none left out ({chunks} chunks)"
            ),
            Self::ChainSoFar { chunks } => {
                write!(formatter, "all bytes so far are those that were written ({chunks} chunks)")
            }
            Self::Index => formatter.write_str("the index is the one that the seal commits to"),
            Self::Key(compartment) => {
                write!(
                    formatter,
                    "the key of the {} compartment is this session's",
                    compartment.word()
                )
            }
            Self::Authentic { compartment, chunks } => write!(
                formatter,
                "whoever had the keys wrote the {} compartment ({chunks} chunks)",
                compartment.word()
            ),
            Self::Complete => {
                formatter.write_str("the recorder wrote that this is all, and its sums agree")
            }
            Self::RawChain { chunks } => {
                write!(
                    formatter,
                    "the raw recording was made again, and is the one that was sealed ({chunks} chunks)"
                )
            }
            Self::LedgerHeader => {
                formatter.write_str("the ledger opened the session with this header")
            }
            Self::LedgerHeads { heads } => {
                write!(
                    formatter,
                    "the recording has the chain at each head of the ledger ({heads} heads)"
                )
            }
            Self::LedgerSeal => formatter.write_str("the ledger has this seal"),
        }
    }
}

impl fmt::Display for Unproven {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NothingFollows => formatter.write_str("that nothing follows: the recording is not sealed"),
            Self::RecordedToTheEnd { state } => write!(
                formatter,
                "that nothing followed: the recording is {}, and only the ledger's heads show how far it was",
                state.word()
            ),
            Self::Authentic(compartment) => write!(
                formatter,
                "that the recorder wrote the {} compartment: its key is not at hand",
                compartment.word()
            ),
            Self::RawChain => formatter
                .write_str("that the compressed recording holds what the raw one held: the output's key is not at hand"),
            Self::InLedger => {
                formatter.write_str("that the ledger speaks of this recording: nothing from the ledger was given")
            }
            Self::LedgerHead(head) => write!(
                formatter,
                "that the ledger's head after chunk {} is in the recording: it takes the output's key to see",
                head.chunks
            ),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(error) => write!(formatter, "{error}"),
            Self::Seal(what) => {
                write!(formatter, "the seal says something else of {what} than what is there")
            }
            Self::End(what) => {
                write!(formatter, "the recorder wrote something else of {what} than what is there")
            }
            Self::NoEnd => formatter
                .write_str("the recording is sealed as ended by its recorder, and has no end"),
            Self::RawChain { chunk } => {
                write!(
                    formatter,
                    "chunk {chunk} of the compressed recording is not the one that was recorded"
                )
            }
            Self::Torn => formatter.write_str(
                "what is behind the recording in its file is not what was there when it was sealed",
            ),
            Self::LedgerHeader => {
                formatter.write_str("the ledger opened the session with another header")
            }
            Self::LedgerHead(head) => write!(
                formatter,
                "the ledger has another chain after chunk {}, or the recording ends before",
                head.chunks
            ),
            Self::LedgerSeal => formatter.write_str("the ledger has another seal for this session"),
        }
    }
}

impl fmt::Display for Contradiction {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Header => "the header",
            Self::Chain => "the chain",
            Self::Length => "the length",
            Self::Records => "the number of records",
            Self::Times => "the times",
            Self::Sums => "the sums",
            Self::Ending => "the ending",
        })
    }
}
