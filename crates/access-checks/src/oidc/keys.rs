//! The keys with which an issuer signs: asked for when needed, kept for a while, and not asked for because somebody
//! sends tokens with made-up key ids.

use super::config::{KeyLimits, SigningAlgorithm};
use crate::http::{self, BodyError};
use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::{Jwk, PublicKeyUse};
use reqwest::{Client, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;
use thiserror::Error;
use tokio::sync::Mutex;

const LONGEST_ANSWER: usize = 256 << 10;
const MOST_KEYS: usize = 64;

/// Why an issuer's keys are not known. All of these are about the issuer, none about a caller.
#[derive(Debug, Error)]
pub enum KeysError {
    #[error("the issuer's {what} could not be asked for")]
    Ask {
        what: &'static str,
        #[source]
        source: reqwest::Error,
    },
    #[error("the issuer answered {status} when it was asked for its {what}")]
    Status { what: &'static str, status: StatusCode },
    #[error("the issuer's {what} is longer than {LONGEST_ANSWER} bytes")]
    TooLong { what: &'static str },
    #[error("the issuer's {what} could not be read")]
    Unreadable {
        what: &'static str,
        #[source]
        source: serde_json::Error,
    },
    #[error("the server at the issuer's address says that it is {found}")]
    OtherIssuer { found: String },
    #[error("the issuer's keys are at {url}, which is no https URL")]
    KeysAddress { url: String },
    #[error("the issuer did not answer a moment ago, and is not asked again yet")]
    AskedJustNow,
}

pub(super) struct Keys {
    issuer: String,
    client: Client,
    limits: KeyLimits,
    known: RwLock<Option<Known>>,
    /// When the issuer was last asked; held while it is being asked, so that many callers ask once.
    asked: Mutex<Option<Instant>>,
}

#[derive(Clone)]
struct Known {
    keys: Arc<Vec<Key>>,
    since: Instant,
}

pub(super) struct Key {
    id: Option<String>,
    /// What the issuer says that it is for, where it says so.
    algorithm: Option<String>,
    pub(super) verifying: DecodingKey,
}

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<Value>,
}

impl Keys {
    pub(super) fn new(issuer: String, client: Client, limits: KeyLimits) -> Self {
        Self { issuer, client, limits, known: RwLock::new(None), asked: Mutex::new(None) }
    }

    /// All keys of the issuer, asked for anew if they are old or if none is `wanted`.
    pub(super) async fn with(
        &self,
        wanted: impl Fn(&Key) -> bool,
    ) -> Result<Arc<Vec<Key>>, KeysError> {
        let has_wanted = |known: &Known| known.keys.iter().any(&wanted);
        let is_fresh = |known: &Known| known.since.elapsed() < self.limits.fresh_for;
        if let Some(known) = self.known()
            && is_fresh(&known)
            && has_wanted(&known)
        {
            return Ok(known.keys);
        }
        let mut asked = self.asked.lock().await;
        // Somebody else may have asked while this waited.
        if let Some(known) = self.known()
            && is_fresh(&known)
            && has_wanted(&known)
        {
            return Ok(known.keys);
        }
        let error = if asked.is_some_and(|asked| asked.elapsed() < self.limits.ask_every) {
            KeysError::AskedJustNow
        } else {
            *asked = Some(Instant::now());
            match self.ask().await {
                Ok(keys) => {
                    let keys = Arc::new(keys);
                    let known = Known { keys: Arc::clone(&keys), since: Instant::now() };
                    *self.known.write().unwrap_or_else(PoisonError::into_inner) = Some(known);
                    return Ok(keys);
                }
                Err(error) => error,
            }
        };
        match self.known() {
            Some(known) if known.since.elapsed() < self.limits.usable_for => Ok(known.keys),
            Some(_) | None => Err(error),
        }
    }

    fn known(&self) -> Option<Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn ask(&self) -> Result<Vec<Key>, KeysError> {
        let place = self.issuer.trim_end_matches('/');
        let discovery = format!("{place}/.well-known/openid-configuration");
        let discovery: Discovery = self.answer("description", &discovery).await?;
        if discovery.issuer != self.issuer {
            return Err(KeysError::OtherIssuer { found: discovery.issuer });
        }
        if !discovery.jwks_uri.starts_with("https://") {
            return Err(KeysError::KeysAddress { url: discovery.jwks_uri });
        }
        let set: KeySet = self.answer("key set", &discovery.jwks_uri).await?;
        Ok(set.keys.into_iter().take(MOST_KEYS).filter_map(Key::read).collect())
    }

    async fn answer<T: DeserializeOwned>(
        &self,
        what: &'static str,
        url: &str,
    ) -> Result<T, KeysError> {
        let ask = |source: reqwest::Error| KeysError::Ask { what, source: source.without_url() };
        let response = self.client.get(url).send().await.map_err(ask)?;
        if response.status() != StatusCode::OK {
            return Err(KeysError::Status { what, status: response.status() });
        }
        let body = http::body(response, LONGEST_ANSWER).await.map_err(|error| match error {
            BodyError::Read(source) => KeysError::Ask { what, source },
            BodyError::TooLong => KeysError::TooLong { what },
        })?;
        serde_json::from_slice(&body).map_err(|source| KeysError::Unreadable { what, source })
    }
}

impl Key {
    /// Keys of kinds that are not known, and keys for encryption, are no keys for us.
    fn read(key: Value) -> Option<Self> {
        let algorithm = key.get("alg").and_then(Value::as_str).map(str::to_owned);
        let key: Jwk = serde_json::from_value(key).ok()?;
        match key.common.public_key_use {
            None | Some(PublicKeyUse::Signature) => {}
            Some(PublicKeyUse::Encryption | PublicKeyUse::Other(_)) => return None,
        }
        let verifying = DecodingKey::from_jwk(&key).ok()?;
        Some(Self { id: key.common.key_id, algorithm, verifying })
    }

    /// Whether the key may verify a token with this header.
    pub(super) fn fits(&self, id: Option<&str>, algorithm: SigningAlgorithm) -> bool {
        let family = algorithm.verified_by().family();
        (id.is_none() || self.id.as_deref() == id)
            && self.algorithm.as_deref().is_none_or(|word| word == algorithm.word())
            && self.verifying.family() == family
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}
