//! The signed size and root of a ledger (c2sp.org/tlog-checkpoint in c2sp.org/signed-note).

use crate::{Algorithm, MAX_SIZE, SignerKey, TreeHead, VerifierKey};
use signed_note::{Note, Signature};
use tlog_tiles::Hash;

/// What a checkpoint says, before anybody signs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The name of the ledger.
    pub origin: String,
    pub head: TreeHead,
}

/// A checkpoint with signatures, of which none has been believed yet.
#[derive(Debug, PartialEq)]
pub struct SignedCheckpoint {
    checkpoint: Checkpoint,
    note: Note,
    signatures: Vec<Signature>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    #[error("the checkpoint is not a signed note")]
    Note,
    #[error("the checkpoint does not have the lines that it must have: origin, size and root")]
    Lines,
    #[error("the checkpoint has lines beside origin, size and root, which nothing here can check")]
    Extension,
    #[error("the checkpoint is for {0} entries, which is more than a ledger can have")]
    Size(u64),
    #[error("the name of a ledger has no line breaks and no control characters, and is not empty")]
    Origin,
    #[error("the checkpoint is of `{found}` and not of `{expected}`")]
    OtherOrigin { found: String, expected: String },
    #[error("the checkpoint has no signature of {key}; it is signed by {found}")]
    NotSigned { key: String, found: String },
    #[error(
        "the signature of {0} is not one of this checkpoint: it was altered, or the key is another one"
    )]
    BadSignature(String),
}

impl Checkpoint {
    /// The lines that are signed.
    ///
    /// # Errors
    /// When the origin cannot be one.
    pub fn text(&self) -> Result<Vec<u8>, CheckpointError> {
        if self.origin.is_empty() || self.origin.chars().any(char::is_control) {
            return Err(CheckpointError::Origin);
        }
        let TreeHead { size, root } = self.head;
        let checkpoint = tlog_tiles::Checkpoint::new(&self.origin, size, Hash(root), "")
            .map_err(|_malformed| CheckpointError::Origin)?;
        Ok(checkpoint.to_bytes())
    }

    fn of_text(text: &[u8]) -> Result<Self, CheckpointError> {
        let read = tlog_tiles::Checkpoint::from_bytes(text)
            .map_err(|_malformed| CheckpointError::Lines)?;
        if !read.extension().is_empty() {
            return Err(CheckpointError::Extension);
        }
        if read.size() > MAX_SIZE {
            return Err(CheckpointError::Size(read.size()));
        }
        let head = TreeHead { size: read.size(), root: read.hash().0 };
        Ok(Self { origin: read.origin().to_owned(), head })
    }
}

impl SignedCheckpoint {
    /// Signs a checkpoint by a ledger's key.
    ///
    /// # Errors
    /// When the origin cannot be one.
    pub fn sign(checkpoint: Checkpoint, key: &SignerKey) -> Result<Self, CheckpointError> {
        let text = checkpoint.text()?;
        let signatures = vec![key.sign(&text, 0)];
        let note = Note::new(&text, &signatures).map_err(|_malformed| CheckpointError::Note)?;
        Ok(Self { checkpoint, note, signatures })
    }

    /// Reads a checkpoint. Signatures are looked at by [`Self::signed_by`] and not here.
    ///
    /// # Errors
    /// When it is not a checkpoint that this version understands.
    pub fn parse(bytes: &[u8]) -> Result<Self, CheckpointError> {
        let note = Note::from_bytes(bytes).map_err(|_malformed| CheckpointError::Note)?;
        let checkpoint = Checkpoint::of_text(note.text())?;
        // The library keeps the lines to itself; they stand behind the text and its empty line.
        let lines = bytes.get(note.text().len() + 1..).unwrap_or_default();
        let signatures = signature_lines(lines)?;
        let read = Self { checkpoint, note, signatures };
        // One text for one meaning: base64 and numbers have no second way to be written.
        if read.to_bytes() == bytes { Ok(read) } else { Err(CheckpointError::Note) }
    }

    #[must_use]
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    #[must_use]
    pub fn head(&self) -> TreeHead {
        self.checkpoint.head
    }

    #[must_use]
    pub fn signatures(&self) -> &[Signature] {
        &self.signatures
    }

    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.note.to_bytes()
    }

    /// Whether `key` signed this.
    ///
    /// # Errors
    /// When there is no signature by that key, or one that does not verify.
    pub fn signed_by(&self, key: &VerifierKey) -> Result<&Signature, CheckpointError> {
        let mut own = self
            .signatures
            .iter()
            .filter(|signature| signature.name() == key.name() && signature.id() == key.id());
        let signature = own.next().ok_or_else(|| CheckpointError::NotSigned {
            key: key.short(),
            found: self.signers(),
        })?;
        if own.next().is_none() && key.verifies(self.note.text(), signature.signature()) {
            Ok(signature)
        } else {
            Err(CheckpointError::BadSignature(key.short()))
        }
    }

    /// Which of `keys` signed this.
    ///
    /// # Errors
    /// When none of them did, or one is named that did not.
    pub fn signed_by_one<'a>(
        &self,
        keys: impl IntoIterator<Item = &'a VerifierKey>,
    ) -> Result<&'a VerifierKey, CheckpointError> {
        let mut names = Vec::new();
        for key in keys {
            match self.signed_by(key) {
                Ok(_signature) => return Ok(key),
                Err(CheckpointError::NotSigned { key, .. }) => names.push(key),
                Err(other) => return Err(other),
            }
        }
        let key =
            if names.is_empty() { "a key that is trusted".to_owned() } else { names.join(" or ") };
        Err(CheckpointError::NotSigned { key, found: self.signers() })
    }

    /// The same checkpoint with one more signature, in place of one by the same key.
    #[must_use]
    pub fn with_signature(&self, signature: Signature) -> Self {
        let other =
            |have: &&Signature| (have.name(), have.id()) != (signature.name(), signature.id());
        let mut signatures: Vec<Signature> =
            self.signatures.iter().filter(other).cloned().collect();
        signatures.push(signature);
        #[expect(clippy::expect_used, reason = "the text has been that of a note before")]
        let note = Note::new(self.note.text(), &signatures).expect("the text of a note");
        Self { checkpoint: self.checkpoint.clone(), note, signatures }
    }

    /// The text that signatures are of.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        self.note.text()
    }

    fn signers(&self) -> String {
        let names: Vec<String> = self
            .signatures
            .iter()
            .map(|signature| format!("{}+{:08x}", signature.name(), signature.id()))
            .collect();
        names.join(", ")
    }
}

/// When a witness signed, in seconds since 1970; nothing for keys that sign no time.
#[must_use]
pub fn cosigned_at(key: &VerifierKey, signature: &Signature) -> Option<u64> {
    match key.algorithm() {
        Algorithm::Ed25519 => None,
        Algorithm::Ed25519Cosignature => {
            signature.signature().first_chunk::<8>().map(|seconds| u64::from_be_bytes(*seconds))
        }
    }
}

fn signature_lines(lines: &[u8]) -> Result<Vec<Signature>, CheckpointError> {
    lines
        .split(|&byte| byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| Signature::from_bytes(line).map_err(|_malformed| CheckpointError::Note))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Frontier;
    use expect_test::expect;

    fn key(name: &str, algorithm: Algorithm) -> SignerKey {
        SignerKey::from_seed(name, algorithm, [7; 32]).unwrap()
    }

    fn signed() -> SignedCheckpoint {
        let checkpoint =
            Checkpoint { origin: "ledger.example/a".into(), head: Frontier::default().head() };
        SignedCheckpoint::sign(checkpoint, &key("ledger.example/a", Algorithm::Ed25519)).unwrap()
    }

    #[test]
    fn a_checkpoint_has_the_lines_of_the_format() {
        let bytes = signed().to_bytes();
        assert_eq!(SignedCheckpoint::parse(&bytes).unwrap(), signed());
        expect![[r#"
            ledger.example/a
            0
            47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=

            — ledger.example/a 9wO4MNJcF3RNVfpLg5ftoCugPyj0qWd9x5kpOgvgkpEE8ipGMn9KYqK+k9Vmi5ZUf5I32dwjI7LtFD9bvAMDEz6UYgY=
        "#]].assert_eq(&String::from_utf8(bytes).unwrap());
    }

    #[test]
    fn only_the_key_that_signed_is_believed() {
        let signed = signed();
        let own = key("ledger.example/a", Algorithm::Ed25519);
        let other = SignerKey::from_seed("ledger.example/a", Algorithm::Ed25519, [8; 32]).unwrap();
        assert!(signed.signed_by(own.public()).is_ok());
        let error = signed.signed_by(other.public()).unwrap_err().to_string();
        expect!["the checkpoint has no signature of ledger.example/a+6d977c1f; it is signed by ledger.example/a+f703b830"].assert_eq(&error);
    }

    #[test]
    fn witnesses_add_theirs() {
        let witness = key("witness.example/w", Algorithm::Ed25519Cosignature);
        let signed = signed();
        let both = signed.with_signature(witness.sign(signed.text(), 5));
        let again = both.with_signature(witness.sign(signed.text(), 6));
        let again = SignedCheckpoint::parse(&again.to_bytes()).unwrap();
        let signature = again.signed_by(witness.public()).unwrap();
        assert_eq!(cosigned_at(witness.public(), signature), Some(6));
        assert_eq!(again.signatures().len(), 2);
    }

    #[test]
    fn one_byte_more_or_other_is_seen() {
        let own = key("ledger.example/a", Algorithm::Ed25519);
        let bytes = signed().to_bytes();
        for at in 0..bytes.len() {
            let mut other = bytes.clone();
            other[at] ^= 1;
            let believed = SignedCheckpoint::parse(&other)
                .is_ok_and(|read| read.signed_by(own.public()).is_ok());
            assert!(!believed, "byte {at}");
        }
        let longer = [bytes.as_slice(), b"\n"].concat();
        assert_eq!(SignedCheckpoint::parse(&longer), Err(CheckpointError::Note));
    }
}
