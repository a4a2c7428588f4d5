//! ID tokens of an OpenID Connect provider, read as the API server reads them.

mod claims;
mod config;
mod keys;

pub use config::{KeyLimits, OidcConfig, OidcConfigError, SigningAlgorithm, UsernamePrefix};
pub use keys::KeysError;

use crate::{Bearer, http};
use access_model::Identity;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Validation;
use keys::Keys;
use serde::Deserialize;
use serde_json::{Map, Value};
use thiserror::Error;

/// An issuer, and its keys as they are known.
#[derive(Debug)]
pub struct Oidc {
    config: OidcConfig,
    keys: Keys,
}

/// Why a token proves nothing. No text has anything of the token but names of its claims.
#[derive(Debug, Error)]
pub enum OidcError {
    #[error("the token is no signed JSON web token")]
    NoToken,
    #[error("the token is signed in a way that is not allowed here")]
    Algorithm,
    #[error("the token asks for extensions that are not known here")]
    Critical,
    #[error("the token is signed with a key that its issuer does not name")]
    UnknownKey,
    #[error("the token's signature is wrong")]
    Signature,
    #[error("the token is of another issuer")]
    Issuer,
    #[error("the token is not for this gateway: its audience is another")]
    Audience,
    #[error("the token ended at second {at} since 1970")]
    Expired { at: i64 },
    #[error("the token begins at second {at} since 1970")]
    NotYet { at: i64 },
    #[error("the token has no {claim} that can be used")]
    Claim { claim: String },
    #[error("the token's email is not verified")]
    EmailNotVerified,
    #[error("the token's {claim} is not the one that is required")]
    RequiredClaim { claim: String },
    #[error("the token's {claim} is kept elsewhere, where it is not asked for")]
    Distributed { claim: String },
    #[error(
        "the token's {claim} gives a name that begins with system:, which no provider may give"
    )]
    SystemName { claim: String },
    #[error(transparent)]
    Keys(#[from] KeysError),
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    crit: Option<Value>,
    b64: Option<Value>,
}

impl OidcError {
    /// Whether another try may succeed with the same token: the caller is not at fault.
    #[must_use]
    pub const fn is_unavailable(&self) -> bool {
        matches!(self, Self::Keys(_))
    }
}

impl Oidc {
    /// # Errors
    /// A configuration that is not possible. The issuer is asked at the first token.
    pub fn new(config: OidcConfig) -> Result<Self, OidcConfigError> {
        config.check()?;
        let authority =
            |source| OidcConfigError::Authority { issuer: config.issuer.clone(), source };
        let client = http::builder(config.authority.as_deref(), config.keys.answer_within)
            .and_then(reqwest::ClientBuilder::build)
            .map_err(authority)?;
        let keys = Keys::new(config.issuer.clone(), client, config.keys);
        Ok(Self { config, keys })
    }

    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.config.issuer
    }

    /// Who the token names. `now` is in seconds since 1970 (UTC).
    ///
    /// # Errors
    /// A token that proves nothing, or an issuer whose keys are not known.
    pub async fn verify(&self, bearer: &Bearer, now: i64) -> Result<Identity, OidcError> {
        let header = header(bearer)?;
        let algorithm = SigningAlgorithm::of_word(&header.alg)
            .filter(|algorithm| self.config.algorithms.contains(algorithm))
            .ok_or(OidcError::Algorithm)?;
        let id = header.kid.as_deref();
        let keys = self.keys.with(|key| key.fits(id, algorithm)).await?;
        let mut fitting = keys.iter().filter(|key| key.fits(id, algorithm)).peekable();
        if fitting.peek().is_none() {
            return Err(OidcError::UnknownKey);
        }
        let validation = signature_only(algorithm);
        let claims: Map<String, Value> = fitting
            .find_map(|key| jsonwebtoken::decode(bearer.reveal(), &key.verifying, &validation).ok())
            .map(|verified| verified.claims)
            .ok_or(OidcError::Signature)?;
        claims::identity(&self.config, &claims, bearer, now)
    }
}

fn header(bearer: &Bearer) -> Result<Header, OidcError> {
    let mut parts = bearer.reveal().split('.');
    let (Some(header), Some(_), Some(_), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(OidcError::NoToken);
    };
    let header = URL_SAFE_NO_PAD.decode(header).map_err(|_invalid| OidcError::NoToken)?;
    let header: Header = serde_json::from_slice(&header).map_err(|_invalid| OidcError::NoToken)?;
    if header.crit.is_some() || header.b64.is_some() {
        return Err(OidcError::Critical);
    }
    Ok(header)
}

/// The library verifies the signature. Claims are compared by us, with the time that is passed in.
fn signature_only(algorithm: SigningAlgorithm) -> Validation {
    let mut validation = Validation::new(algorithm.verified_by());
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation
}
