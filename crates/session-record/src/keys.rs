//! A recording's keys: one for each compartment, and what is derived from them.
//!
//! Nothing is encrypted with a data key itself. Each file has ciphers of its own, derived from the data key and the
//! digest of the file's header, so a nonce, which is a chunk's number, meets a cipher once. The header commits to the
//! data keys: AES-GCM alone would let two keys open one chunk to different texts.

use crate::event::Compartment;
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::{constant_time, hmac};
use std::fmt;
use thiserror::Error;
use zeroize::Zeroizing;

/// Bytes that AES-GCM adds.
pub(crate) const TAG_BYTES: usize = 16;

/// The key of one compartment of one recording, drawn at random by whoever records.
#[derive(Clone)]
pub struct ContentKey(Zeroizing<[u8; 32]>);

/// Both keys of a recording.
#[derive(Debug, Clone)]
pub struct KeyPair {
    pub output: ContentKey,
    pub input: ContentKey,
}

/// The keys that a reader has.
#[derive(Debug, Clone, Default)]
pub struct Keys {
    pub output: Option<ContentKey>,
    pub input: Option<ContentKey>,
}

/// A cipher could not be used; only a length that no caller has brings that about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the cipher refused its input")]
pub struct CipherRefused;

/// What a cipher is for. Each has its own key, so that a number may be a nonce in each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Raw(Compartment),
    Packed(Compartment),
}

/// AES-256-GCM with a counter as nonce.
pub(crate) struct Cipher(LessSafeKey);

impl ContentKey {
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The key itself, to be wrapped for somebody.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// HKDF-SHA-256 (RFC 5869) with an output of one block.
    fn derive(&self, salt: &[u8], info: &str) -> Zeroizing<[u8; 32]> {
        let extract = hmac::Key::new(hmac::HMAC_SHA256, salt);
        let pseudorandom = hmac::sign(&extract, self.0.as_ref());
        let expand = hmac::Key::new(hmac::HMAC_SHA256, pseudorandom.as_ref());
        let mut context = hmac::Context::with_key(&expand);
        context.update(info.as_bytes());
        context.update(&[1]);
        let mut derived = Zeroizing::new([0; 32]);
        for (to, from) in derived.iter_mut().zip(context.sign().as_ref()) {
            *to = *from;
        }
        derived
    }

    /// What a header says of the key without saying the key: no other key has it.
    pub(crate) fn commitment(&self, salt: &[u8; 32], compartment: Compartment) -> [u8; 32] {
        *self.derive(
            salt,
            match compartment {
                Compartment::Output => "weir recording 1 commitment output",
                Compartment::Input => "weir recording 1 commitment input",
            },
        )
    }

    pub(crate) fn is_committed_by(
        &self,
        salt: &[u8; 32],
        compartment: Compartment,
        commitment: &[u8; 32],
    ) -> bool {
        constant_time::verify_slices_are_equal(&self.commitment(salt, compartment), commitment)
            .is_ok()
    }

    pub(crate) fn cipher(
        &self,
        header_digest: &[u8; 32],
        purpose: Purpose,
    ) -> Result<Cipher, CipherRefused> {
        let key = self.derive(
            header_digest,
            match purpose {
                Purpose::Raw(Compartment::Output) => "weir recording 1 raw output",
                Purpose::Raw(Compartment::Input) => "weir recording 1 raw input",
                Purpose::Packed(Compartment::Output) => "weir recording 1 packed output",
                Purpose::Packed(Compartment::Input) => "weir recording 1 packed input",
            },
        );
        let key = UnboundKey::new(&AES_256_GCM, key.as_ref()).or(Err(CipherRefused))?;
        Ok(Cipher(LessSafeKey::new(key)))
    }
}

impl fmt::Debug for ContentKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ContentKey")
    }
}

impl Keys {
    #[must_use]
    pub const fn none() -> Self {
        Self { output: None, input: None }
    }
}

impl From<KeyPair> for Keys {
    fn from(KeyPair { output, input }: KeyPair) -> Self {
        Self { output: Some(output), input: Some(input) }
    }
}

impl fmt::Debug for Cipher {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Cipher")
    }
}

impl Cipher {
    /// Encrypts in place and gives the tag. A number is used once for a cipher.
    pub(crate) fn seal(
        &self,
        number: u64,
        header: &[u8],
        text: &mut [u8],
    ) -> Result<[u8; TAG_BYTES], CipherRefused> {
        let tag = self
            .0
            .seal_in_place_separate_tag(nonce(number), Aad::from(header), text)
            .or(Err(CipherRefused))?;
        <[u8; TAG_BYTES]>::try_from(tag.as_ref()).or(Err(CipherRefused))
    }

    /// Decrypts text with its tag in place; none where one bit is not as it was.
    pub(crate) fn open(&self, number: u64, header: &[u8], mut text: Vec<u8>) -> Option<Vec<u8>> {
        let length = self.0.open_in_place(nonce(number), Aad::from(header), &mut text).ok()?.len();
        text.truncate(length);
        Some(text)
    }
}

fn nonce(number: u64) -> Nonce {
    let [a, b, c, d, e, f, g, h] = number.to_le_bytes();
    let nonce: [u8; NONCE_LEN] = [0, 0, 0, 0, a, b, c, d, e, f, g, h];
    Nonce::assume_unique_for_key(nonce)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_derived_key_is_hkdf() {
        use aws_lc_rs::hkdf;
        let key = ContentKey::new([7; 32]);
        let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, &[1, 2, 3]);
        let extracted = salt.extract(&[7; 32]);
        let mut expected = [0; 32];
        extracted
            .expand(&[b"words"], hkdf::HKDF_SHA256)
            .and_then(|okm| okm.fill(&mut expected))
            .expect("32 bytes");
        assert_eq!(*key.derive(&[1, 2, 3], "words"), expected);
    }

    #[test]
    fn a_key_is_not_shown() {
        assert_eq!(format!("{:?}", ContentKey::new([7; 32])), "ContentKey");
    }
}
