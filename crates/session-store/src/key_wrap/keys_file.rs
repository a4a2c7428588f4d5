//! The file beside a recording that has its keys, wrapped.
//!
//! It is apart from the recording so that it can go while the recording stays: where the recording is in storage that
//! deletes nothing for years, without this file it is noise. The recording commits to its keys, so a file with other
//! keys opens nothing. Somebody who has a key can wrap it for another auditor without touching the recording.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use session_record::{Compartment, SessionId};
use thiserror::Error;

/// Longest file that is read. Ten thousand recipients fit.
pub(crate) const MAX_BYTES: u64 = 4 << 20;
const VERSION: u32 = 1;

/// All wrapped keys of one recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeysFile {
    pub session: SessionId,
    pub wrapped: Vec<Wrapped>,
}

/// One key, wrapped for everybody in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrapped {
    pub compartment: Compartment,
    pub scheme: String,
    pub recipients: Vec<String>,
    pub bytes: Vec<u8>,
}

/// A file of keys cannot be read.
#[derive(Debug, Error)]
pub enum KeysFileError {
    #[error("the file of wrapped keys is not as its format says")]
    Json(#[source] serde_json::Error),
    #[error(
        "the file of wrapped keys has version {found} of its format; this program reads version {VERSION}"
    )]
    Version { found: u32 },
    #[error("`{text}` in the file of wrapped keys is no session's id")]
    Session { text: String },
    #[error("a wrapped key is not written in base64")]
    Base64(#[source] base64::DecodeError),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    version: u32,
    session: String,
    keys: Vec<WrittenKey>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenKey {
    compartment: WrittenCompartment,
    scheme: String,
    recipients: Vec<String>,
    wrapped: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum WrittenCompartment {
    Output,
    Input,
}

impl KeysFile {
    pub fn to_json(&self) -> Result<Vec<u8>, KeysFileError> {
        let key = |Wrapped { compartment, scheme, recipients, bytes }: &Wrapped| WrittenKey {
            compartment: match compartment {
                Compartment::Output => WrittenCompartment::Output,
                Compartment::Input => WrittenCompartment::Input,
            },
            scheme: scheme.clone(),
            recipients: recipients.clone(),
            wrapped: STANDARD.encode(bytes),
        };
        let keys = self.wrapped.iter().map(key).collect();
        let written = Written { version: VERSION, session: self.session.to_string(), keys };
        let mut json = serde_json::to_vec_pretty(&written).map_err(KeysFileError::Json)?;
        json.push(b'\n');
        Ok(json)
    }

    pub fn parse(json: &[u8]) -> Result<Self, KeysFileError> {
        let Written { version, session, keys } =
            serde_json::from_slice(json).map_err(KeysFileError::Json)?;
        if version != VERSION {
            return Err(KeysFileError::Version { found: version });
        }
        let Ok(session) = session.parse() else {
            return Err(KeysFileError::Session { text: session });
        };
        let key = |WrittenKey { compartment, scheme, recipients, wrapped }| {
            Ok(Wrapped {
                compartment: match compartment {
                    WrittenCompartment::Output => Compartment::Output,
                    WrittenCompartment::Input => Compartment::Input,
                },
                scheme,
                recipients,
                bytes: STANDARD.decode(wrapped).map_err(KeysFileError::Base64)?,
            })
        };
        Ok(Self { session, wrapped: keys.into_iter().map(key).collect::<Result<_, _>>()? })
    }
}
