//! Keys of ledgers and witnesses, written as C2SP's signed notes write them.
//!
//! The text of a key has a byte for its algorithm, and so has what its id is computed from: a key of another
//! algorithm is another key, and one that this version does not know is refused by name instead of being
//! taken for something else.

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use signed_note::{Signature, Verifier, key_id};
use std::fmt;
use std::str::FromStr;

/// What a key signs with, and what it says by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Algorithm {
    /// A ledger's own signature.
    Ed25519,
    /// A witness's signature, which has the time in it.
    Ed25519Cosignature,
}

/// The public half of a key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VerifierKey {
    name: String,
    algorithm: Algorithm,
    public: [u8; 32],
    id: u32,
}

/// The secret half of a key. Its `Debug` shows the public one.
pub struct SignerKey {
    pair: Ed25519KeyPair,
    seed: [u8; 32],
    public: VerifierKey,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("a key is written as NAME+ID+KEY, as `weir ledger key` prints it")]
    PublicShape,
    #[error("a secret key is written as PRIVATE+KEY+NAME+ID+KEY, as `weir ledger key` writes it")]
    SecretShape,
    #[error("this is a secret key, where a public one is asked for")]
    SecretForPublic,
    #[error("the name of a key has neither spaces nor `+`, and is not empty")]
    Name,
    #[error(
        "the key is of algorithm 0x{0:02x}; this version knows 0x01 (Ed25519) and 0x04 (Ed25519 of witnesses)"
    )]
    Algorithm(u8),
    #[error("the key's id does not belong to its name and bytes: a character of it was changed")]
    Id,
}

impl Algorithm {
    fn byte(self) -> u8 {
        match self {
            Self::Ed25519 => 1,
            Self::Ed25519Cosignature => 4,
        }
    }

    fn of_byte(byte: u8) -> Result<Self, KeyError> {
        match byte {
            1 => Ok(Self::Ed25519),
            4 => Ok(Self::Ed25519Cosignature),
            other => Err(KeyError::Algorithm(other)),
        }
    }
}

impl VerifierKey {
    fn new(name: &str, algorithm: Algorithm, public: [u8; 32]) -> Result<Self, KeyError> {
        if !signed_note::is_key_name_valid(name) || name.chars().any(char::is_control) {
            return Err(KeyError::Name);
        }
        let id = key_id(name, &with_byte(algorithm, &public));
        Ok(Self { name: name.to_owned(), algorithm, public, id })
    }

    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    #[must_use]
    pub fn id(&self) -> u32 {
        self.id
    }

    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Name and id, which is how a signature names its key.
    #[must_use]
    pub fn short(&self) -> String {
        format!("{}+{:08x}", self.name, self.id)
    }

    /// Whether this key made `signature` of `text`.
    #[must_use]
    pub fn verifies(&self, text: &[u8], signature: &[u8]) -> bool {
        match self.algorithm {
            Algorithm::Ed25519 => self.verifies_bytes(text, signature),
            Algorithm::Ed25519Cosignature => match signature.split_first_chunk::<8>() {
                Some((seconds, rest)) => {
                    let message = cosigned_message(u64::from_be_bytes(*seconds), text);
                    self.verifies_bytes(&message, rest)
                }
                None => false,
            },
        }
    }

    fn verifies_bytes(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.public).verify(message, signature).is_ok()
    }
}

impl Verifier for VerifierKey {
    fn name(&self) -> &str {
        &self.name
    }

    fn key_id(&self) -> u32 {
        self.id
    }

    fn verify(&self, msg: &[u8], sig: &[u8]) -> bool {
        self.verifies(msg, sig)
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = STANDARD.encode(with_byte(self.algorithm, &self.public));
        write!(out, "{}+{:08x}+{key}", self.name, self.id)
    }
}

impl FromStr for VerifierKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        if text.starts_with("PRIVATE+KEY+") {
            return Err(KeyError::SecretForPublic);
        }
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(KeyError::PublicShape);
        };
        let (algorithm, public) =
            of_text(key).map_err(|why| why.unwrap_or(KeyError::PublicShape))?;
        let read = Self::new(name, algorithm, public)?;
        if id == format!("{:08x}", read.id) { Ok(read) } else { Err(KeyError::Id) }
    }
}

impl SignerKey {
    /// A key from 32 random bytes, which are all of its secret.
    ///
    /// # Errors
    /// When the name cannot be that of a key.
    pub fn from_seed(name: &str, algorithm: Algorithm, seed: [u8; 32]) -> Result<Self, KeyError> {
        // Every 32 bytes are a seed.
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed)
            .map_err(|_rejected| KeyError::SecretShape)?;
        let public: [u8; 32] =
            pair.public_key().as_ref().try_into().map_err(|_length| KeyError::SecretShape)?;
        Ok(Self { public: VerifierKey::new(name, algorithm, public)?, pair, seed })
    }

    #[must_use]
    pub fn public(&self) -> &VerifierKey {
        &self.public
    }

    /// The text that is kept in a file that nobody else reads.
    #[must_use]
    pub fn secret_text(&self) -> String {
        let key = STANDARD.encode(with_byte(self.public.algorithm, &self.seed));
        format!("PRIVATE+KEY+{}+{:08x}+{key}", self.public.name, self.public.id)
    }

    /// The signature of `text` as a line of a note. The seconds since 1970 are part of a witness's signature
    /// and not of a ledger's.
    #[must_use]
    pub fn sign(&self, text: &[u8], seconds: u64) -> Signature {
        let bytes = match self.public.algorithm {
            Algorithm::Ed25519 => self.pair.sign(text).as_ref().to_vec(),
            Algorithm::Ed25519Cosignature => {
                let signature = self.pair.sign(&cosigned_message(seconds, text));
                [seconds.to_be_bytes().as_slice(), signature.as_ref()].concat()
            }
        };
        #[expect(clippy::expect_used, reason = "the name was checked when the key was made")]
        Signature::new(self.public.name.clone(), self.public.id, bytes).expect("a valid name")
    }
}

impl FromStr for SignerKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let rest = text.strip_prefix("PRIVATE+KEY+").ok_or(KeyError::SecretShape)?;
        let mut parts = rest.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(KeyError::SecretShape);
        };
        let (algorithm, seed) = of_text(key).map_err(|why| why.unwrap_or(KeyError::SecretShape))?;
        let read = Self::from_seed(name, algorithm, seed)?;
        if id == format!("{:08x}", read.public.id) { Ok(read) } else { Err(KeyError::Id) }
    }
}

impl fmt::Debug for SignerKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("SignerKey").field("public", &self.public).finish_non_exhaustive()
    }
}

/// What a witness signs, by c2sp.org/tlog-cosignature.
fn cosigned_message(seconds: u64, text: &[u8]) -> Vec<u8> {
    [format!("cosignature/v1\ntime {seconds}\n").as_bytes(), text].concat()
}

fn with_byte(algorithm: Algorithm, key: &[u8; 32]) -> Vec<u8> {
    [&[algorithm.byte()], key.as_slice()].concat()
}

/// The algorithm and the bytes of a key; nothing when they are not written as a key is.
fn of_text(key: &str) -> Result<(Algorithm, [u8; 32]), Option<KeyError>> {
    let bytes = STANDARD.decode(key).map_err(|_undecodable| None)?;
    let (&byte, rest) = bytes.split_first().ok_or(None)?;
    let algorithm = Algorithm::of_byte(byte).map_err(Some)?;
    let key: [u8; 32] = rest.try_into().map_err(|_length| None)?;
    Ok((algorithm, key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use signed_note::{StandardSigner, StandardVerifier};

    fn key(algorithm: Algorithm) -> SignerKey {
        SignerKey::from_seed("ledger.example/a", algorithm, [7; 32]).unwrap()
    }

    #[test]
    fn keys_are_read_back_as_they_were_written() {
        for algorithm in [Algorithm::Ed25519, Algorithm::Ed25519Cosignature] {
            let secret = key(algorithm);
            let again: SignerKey = secret.secret_text().parse().unwrap();
            assert_eq!(again.public(), secret.public());
            assert_eq!(
                &secret.public().to_string().parse::<VerifierKey>().unwrap(),
                secret.public()
            );
        }
    }

    #[test]
    fn another_implementation_reads_our_keys_and_signatures() {
        let secret = key(Algorithm::Ed25519);
        let theirs = StandardVerifier::new(&secret.public().to_string()).unwrap();
        let signature = secret.sign(b"text\n", 0);
        assert!(theirs.verify(b"text\n", signature.signature()));
        assert!(!theirs.verify(b"Text\n", signature.signature()));
        let signer = StandardSigner::new(&secret.secret_text()).unwrap();
        let signed = signed_note::Signer::sign(&signer, b"text\n").unwrap();
        assert_eq!(signed, signature.signature());
    }

    #[test]
    fn a_witness_signs_the_time_too() {
        let secret = key(Algorithm::Ed25519Cosignature);
        let signature = secret.sign(b"text\n", 1_679_315_147);
        let mut bytes = signature.signature().to_vec();
        assert!(secret.public().verifies(b"text\n", &bytes));
        bytes[7] ^= 1;
        assert!(!secret.public().verifies(b"text\n", &bytes));
        assert!(!secret.public().verifies(b"text\n", &bytes[..7]));
    }

    #[test]
    fn what_is_not_a_key_is_refused_by_name() {
        let error = |text: &str| text.parse::<VerifierKey>().unwrap_err();
        let good = key(Algorithm::Ed25519).public().to_string();
        assert_eq!(error("a+b"), KeyError::PublicShape);
        assert_eq!(error(&key(Algorithm::Ed25519).secret_text()), KeyError::SecretForPublic);
        assert_eq!(error(&good.replacen("ledger", "lodger", 1)), KeyError::Id);
        let dsa = format!("a+00000000+{}", STANDARD.encode([6; 1313]));
        assert_eq!(error(&dsa), KeyError::Algorithm(6));
    }

    #[test]
    fn a_secret_is_not_shown() {
        let secret = key(Algorithm::Ed25519);
        let shown = format!("{secret:?}");
        assert!(!shown.contains("7, 7, 7") && shown.contains("ledger.example/a"), "{shown}");
    }
}
