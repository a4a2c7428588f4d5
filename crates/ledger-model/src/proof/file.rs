//! A proof as a file of its own: c2sp.org/tlog-proof.

use super::{Inclusion, MAX_PROOF_HASHES, ProofError};
use crate::text::{base64, digest_of, number_of, of_base64};
use crate::{CheckpointError, MAX_ENTRY_BYTES, SignedCheckpoint, VerifierKey, leaf_hash};

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";

/// A proof with the checkpoint that it leads to.
#[derive(Debug, PartialEq)]
pub struct ProofFile {
    /// The entry itself. The format has it as data that proves nothing; here it is what the proof is of.
    pub entry: Option<Vec<u8>>,
    pub inclusion: Inclusion,
    pub checkpoint: SignedCheckpoint,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofFileError {
    #[error("the file does not begin with `{FIRST_LINE}`")]
    FirstLine,
    #[error("line {0} of the proof is not what the format has there")]
    Line(usize),
    #[error("the proof has more hashes than a tree is high")]
    TooLong,
    #[error("the proof names no entry: give the entry's bytes")]
    NoEntry,
    #[error("the proof is of another entry than the one that was given")]
    OtherEntry,
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    #[error(transparent)]
    Proof(#[from] ProofError),
}

impl ProofFile {
    /// Reads a file.
    ///
    /// # Errors
    /// When it is not written as the format has it.
    pub fn parse(bytes: &[u8]) -> Result<Self, ProofFileError> {
        let text = std::str::from_utf8(bytes).map_err(|_binary| ProofFileError::FirstLine)?;
        let (head, checkpoint) = text.split_once("\n\n").ok_or(ProofFileError::FirstLine)?;
        let mut lines = head.split('\n').enumerate().map(|(at, line)| (at + 1, line)).peekable();
        if lines.next().map(|(_, line)| line) != Some(FIRST_LINE) {
            return Err(ProofFileError::FirstLine);
        }
        let extra = lines.next_if(|(_, line)| line.starts_with("extra "));
        let entry = match extra {
            None => None,
            Some((at, line)) => {
                let bytes = line.strip_prefix("extra ").and_then(of_base64);
                let fits = bytes.filter(|bytes| bytes.len() <= MAX_ENTRY_BYTES);
                Some(fits.ok_or(ProofFileError::Line(at))?)
            }
        };
        let (at, line) = lines.next().ok_or(ProofFileError::Line(2))?;
        let index = line.strip_prefix("index ").and_then(number_of);
        let index = index.ok_or(ProofFileError::Line(at))?;
        let mut path = Vec::new();
        for (at, line) in lines {
            if path.len() >= MAX_PROOF_HASHES {
                return Err(ProofFileError::TooLong);
            }
            path.push(digest_of(line).ok_or(ProofFileError::Line(at))?);
        }
        let checkpoint = SignedCheckpoint::parse(checkpoint.as_bytes())?;
        Ok(Self { entry, inclusion: Inclusion { index, path }, checkpoint })
    }

    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut lines = vec![FIRST_LINE.to_owned()];
        lines.extend(self.entry.as_ref().map(|entry| format!("extra {}", base64(entry))));
        lines.push(format!("index {}", self.inclusion.index));
        lines.extend(self.inclusion.path.iter().map(|digest| base64(digest)));
        let head = lines.join("\n");
        [head.as_bytes(), b"\n\n", &self.checkpoint.to_bytes()].concat()
    }

    /// Checks that an entry is in the ledger whose checkpoint one of these keys signed, and gives the entry:
    /// the one that is asked about, or the one in the file.
    ///
    /// # Errors
    /// When that is not shown.
    pub fn check<'a>(
        &'a self,
        entry: Option<&'a [u8]>,
        keys: &[VerifierKey],
    ) -> Result<&'a [u8], ProofFileError> {
        let own = self.entry.as_deref();
        let asked = entry.or(own).ok_or(ProofFileError::NoEntry)?;
        if own.is_some_and(|own| own != asked) {
            return Err(ProofFileError::OtherEntry);
        }
        self.checkpoint.signed_by_one(keys)?;
        self.inclusion.check(&leaf_hash(asked), self.checkpoint.head())?;
        Ok(asked)
    }
}
