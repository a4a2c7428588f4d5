//! How a recording's keys are handed to those who may read it: wrapped, for each compartment.
//!
//! A key is wrapped by everybody in a compartment's list, and any one of them unwraps it. Auditors are age recipients;
//! where keys have to stay in a key management service, a program talks to it ([`CommandKms`]).

mod age_keys;
mod command_kms;
mod keys_file;

pub use age_keys::{AgeIdentities, AgeRecipients};
pub use command_kms::CommandKms;
pub(crate) use keys_file::MAX_BYTES as KEYS_FILE_MAX_BYTES;
pub use keys_file::{KeysFile, KeysFileError, Wrapped};

use session_record::{Compartment, ContentKey, KeyPair, Keys, SessionId};
use std::fmt::Debug;
use std::sync::Arc;
use thiserror::Error;

/// What a key is the key of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyOf {
    pub session: SessionId,
    pub compartment: Compartment,
}

/// Wraps keys for somebody.
pub trait WrapKey: Debug + Send + Sync {
    /// The word by which whoever unwraps finds what is meant for it.
    fn scheme(&self) -> &str;

    /// Who can unwrap, in public words.
    fn recipients(&self) -> Vec<String>;

    fn wrap(&self, of: KeyOf, key: &ContentKey) -> Result<Vec<u8>, WrapError>;
}

/// Unwraps keys that were wrapped for it.
pub trait UnwrapKey: Debug + Send + Sync {
    /// None where this is not wrapped for whoever asks.
    fn unwrap_key(&self, of: KeyOf, wrapped: &Wrapped) -> Result<Option<ContentKey>, WrapError>;
}

/// A key could not be wrapped or unwrapped.
#[derive(Debug, Error)]
#[error("cannot {what}")]
pub struct WrapError {
    pub what: String,
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// Who can read what is recorded.
#[derive(Debug, Clone)]
pub struct Readers {
    pub output: Vec<Arc<dyn WrapKey>>,
    pub input: Vec<Arc<dyn WrapKey>>,
}

impl WrapError {
    pub(crate) fn new(
        what: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self { what: what.into(), source: Some(source.into()) }
    }

    pub(crate) fn plain(what: impl Into<String>) -> Self {
        Self { what: what.into(), source: None }
    }
}

impl Readers {
    /// A compartment that nobody could ever read would be no recording.
    pub(crate) fn lacking(&self) -> Option<Compartment> {
        let Self { output, input } = self;
        match (output.is_empty(), input.is_empty()) {
            (true, _) => Some(Compartment::Output),
            (false, true) => Some(Compartment::Input),
            (false, false) => None,
        }
    }

    pub(crate) fn wrap(&self, session: SessionId, keys: &KeyPair) -> Result<KeysFile, WrapError> {
        let mut wrapped = Vec::new();
        let compartments = [
            (Compartment::Output, &self.output, &keys.output),
            (Compartment::Input, &self.input, &keys.input),
        ];
        for (compartment, wrappers, key) in compartments {
            for wrapper in wrappers {
                wrapped.push(Wrapped {
                    compartment,
                    scheme: wrapper.scheme().to_owned(),
                    recipients: wrapper.recipients(),
                    bytes: wrapper.wrap(KeyOf { session, compartment }, key)?,
                });
            }
        }
        Ok(KeysFile { session, wrapped })
    }
}

/// All keys of a file that somebody in the list can unwrap.
pub fn unwrap_keys(file: &KeysFile, by: &[Arc<dyn UnwrapKey>]) -> Result<Keys, WrapError> {
    let mut keys = Keys::none();
    for wrapped in &file.wrapped {
        let compartment = wrapped.compartment;
        let place = match compartment {
            Compartment::Output => &mut keys.output,
            Compartment::Input => &mut keys.input,
        };
        for unwrapper in by {
            if place.is_none() {
                *place =
                    unwrapper.unwrap_key(KeyOf { session: file.session, compartment }, wrapped)?;
            }
        }
    }
    Ok(keys)
}
