//! What a witness is asked and answers: `add-checkpoint` of c2sp.org/tlog-witness.
//!
//! A witness decides by what it signed last and by nothing else. The decision is a function here; that it is made
//! and kept as one step is for who calls it.

use crate::proof::MAX_PROOF_HASHES;
use crate::text::{base64, digest_of, number_of};
use crate::{CheckpointError, Digest, SignedCheckpoint, TreeHead, VerifierKey, check_consistency};

/// A request is not larger.
pub const MAX_REQUEST_BYTES: usize = 256 << 10;

/// A checkpoint, and the proof that it grew from the one of `old` entries.
#[derive(Debug, PartialEq)]
pub struct AddCheckpoint {
    pub old: u64,
    pub path: Vec<Digest>,
    pub checkpoint: SignedCheckpoint,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    #[error("the request is not `old SIZE`, hashes, an empty line and a checkpoint")]
    Shape,
    #[error("the proof has more hashes than a tree is high")]
    TooLong,
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}

/// Why a witness does not sign. Each is one status of the protocol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("this witness does not know the ledger `{0}`")]
    UnknownLedger(String),
    #[error("no key that this witness knows of the ledger signed the checkpoint")]
    NotSigned(#[source] CheckpointError),
    #[error("the checkpoint is smaller than what it is said to have grown from")]
    Shrunk,
    #[error("the latest checkpoint that was signed here is of {0} entries")]
    OtherSize(u64),
    #[error("another tree of {0} entries was signed here: the ledger has two histories")]
    Forked(u64),
    #[error("the proof does not show that the checkpoint grew from the one of {0} entries")]
    NotGrown(u64),
}

impl AddCheckpoint {
    /// Reads a request.
    ///
    /// # Errors
    /// When it is not written as the protocol has it.
    pub fn parse(bytes: &[u8]) -> Result<Self, RequestError> {
        let text = std::str::from_utf8(bytes).map_err(|_binary| RequestError::Shape)?;
        let (head, checkpoint) = text.split_once("\n\n").ok_or(RequestError::Shape)?;
        let mut lines = head.split('\n');
        let old = lines.next().and_then(|line| line.strip_prefix("old ")).and_then(number_of);
        let old = old.ok_or(RequestError::Shape)?;
        let mut path = Vec::new();
        for line in lines {
            if path.len() >= MAX_PROOF_HASHES {
                return Err(RequestError::TooLong);
            }
            path.push(digest_of(line).ok_or(RequestError::Shape)?);
        }
        let checkpoint = SignedCheckpoint::parse(checkpoint.as_bytes())?;
        Ok(Self { old, path, checkpoint })
    }

    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut text = format!("old {}\n", self.old);
        for digest in &self.path {
            text.push_str(&base64(digest));
            text.push('\n');
        }
        text.push('\n');
        [text.as_bytes(), &self.checkpoint.to_bytes()].concat()
    }

    /// Whether a witness that knows `ledgers` and signed `last` for this one signs it as well.
    ///
    /// # Errors
    /// When it does not.
    pub fn consider(
        &self,
        ledgers: &[VerifierKey],
        last: Option<TreeHead>,
    ) -> Result<TreeHead, Refusal> {
        let origin = &self.checkpoint.checkpoint().origin;
        let mut known = ledgers.iter().filter(|key| key.name() == origin).peekable();
        if known.peek().is_none() {
            return Err(Refusal::UnknownLedger(origin.clone()));
        }
        self.checkpoint.signed_by_one(known).map_err(Refusal::NotSigned)?;
        let new = self.checkpoint.head();
        if self.old > new.size {
            return Err(Refusal::Shrunk);
        }
        let last_size = last.map_or(0, |last| last.size);
        if self.old != last_size {
            return Err(Refusal::OtherSize(last_size));
        }
        match last {
            Some(last) if last.size == new.size && last.root != new.root => {
                Err(Refusal::Forked(last.size))
            }
            // The first checkpoint that a witness sees has nothing to have grown from.
            None if self.path.is_empty() => Ok(new),
            None => Err(Refusal::NotGrown(0)),
            Some(last) => check_consistency(last, new, &self.path)
                .map(|()| new)
                .map_err(|_wrong| Refusal::NotGrown(last.size)),
        }
    }
}

impl Refusal {
    /// The status of HTTP that the protocol has for it.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::UnknownLedger(_) => 404,
            Self::NotSigned(_) => 403,
            Self::Shrunk => 400,
            Self::OtherSize(_) | Self::Forked(_) => 409,
            Self::NotGrown(_) => 422,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Algorithm, Checkpoint, Frontier, SignerKey, leaf_hash};
    use expect_test::expect;

    fn key(seed: u8) -> SignerKey {
        SignerKey::from_seed("ledger.example", Algorithm::Ed25519, [seed; 32]).unwrap()
    }

    fn head(size: u8) -> TreeHead {
        let mut frontier = Frontier::default();
        (0..size).for_each(|entry| frontier.push(leaf_hash(&[entry])));
        frontier.head()
    }

    fn request(old: u64, path: Vec<Digest>, head: TreeHead) -> AddCheckpoint {
        let checkpoint = Checkpoint { origin: "ledger.example".into(), head };
        let checkpoint = SignedCheckpoint::sign(checkpoint, &key(1)).unwrap();
        AddCheckpoint { old, path, checkpoint }
    }

    fn ledgers() -> [VerifierKey; 1] {
        [key(1).public().clone()]
    }

    /// A tree of two entries grows from one of one by its second leaf.
    fn grown() -> AddCheckpoint {
        request(1, vec![leaf_hash(&[1])], head(2))
    }

    #[test]
    fn requests_are_read_back() {
        let bytes = grown().to_bytes();
        assert_eq!(AddCheckpoint::parse(&bytes).unwrap(), grown());
        expect![[r#"
            old 1
            tBP0fRPuL+bIRbLuFBr4HehY307FSaWLeXC7lmRbyNI=

            ledger.example
            2
            ogv5p8wtyKCPX0FacbGfasQnurVNJO7IaLXTEDRJlTo=

            — ledger.example ngBGYhYKF0koUrxVJEkrLxTffUVA7ClmTyAmc661mfM3FgUsoj+hn6fCsV5L1l29U00swy9Mg24VbmApX2tF/MA8bwA=
        "#]].assert_eq(&String::from_utf8(bytes).unwrap());
        assert_eq!(AddCheckpoint::parse(b"old 01\n\n"), Err(RequestError::Shape));
        let long = request(1, vec![[0; 32]; 64], head(2)).to_bytes();
        assert_eq!(AddCheckpoint::parse(&long), Err(RequestError::TooLong));
    }

    #[test]
    fn what_grew_is_signed() {
        let first = request(0, vec![], head(1));
        assert_eq!(first.consider(&ledgers(), None), Ok(head(1)));
        assert_eq!(grown().consider(&ledgers(), Some(head(1))), Ok(head(2)));
        let same = request(2, vec![], head(2));
        assert_eq!(same.consider(&ledgers(), Some(head(2))), Ok(head(2)));
        let from_empty = request(0, vec![], head(2));
        assert_eq!(from_empty.consider(&ledgers(), Some(head(0))), Ok(head(2)));
    }

    #[test]
    fn what_did_not_grow_is_refused_by_the_status_of_the_protocol() {
        let status = |request: AddCheckpoint, last| {
            let refusal = request.consider(&ledgers(), last).unwrap_err();
            (refusal.status(), refusal)
        };
        let forked = TreeHead { root: [3; 32], ..head(2) };
        assert_eq!(grown().consider(&[], None).unwrap_err().status(), 404);
        let other = [key(2).public().clone()];
        assert_eq!(grown().consider(&other, None).unwrap_err().status(), 403);
        assert_eq!(status(request(3, vec![], head(2)), None), (400, Refusal::Shrunk));
        assert_eq!(status(grown(), None), (409, Refusal::OtherSize(0)));
        assert_eq!(status(grown(), Some(head(3))), (409, Refusal::OtherSize(3)));
        let rolled_back = request(1, vec![], head(1));
        assert_eq!(status(rolled_back, Some(head(2))), (409, Refusal::OtherSize(2)));
        assert_eq!(status(request(2, vec![], forked), Some(head(2))), (409, Refusal::Forked(2)));
        let wrong = request(1, vec![[7; 32]], head(2));
        assert_eq!(status(wrong, Some(head(1))), (422, Refusal::NotGrown(1)));
        let needless = request(0, vec![[7; 32]], head(2));
        assert_eq!(status(needless, None), (422, Refusal::NotGrown(0)));
        let needless = request(2, vec![[7; 32]], head(2));
        assert_eq!(status(needless, Some(head(2))), (422, Refusal::NotGrown(2)));
    }
}
