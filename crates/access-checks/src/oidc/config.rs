//! How tokens of an issuer are read. The fields and their defaults are those of the API server's `--oidc-…` flags,
//! so that a person has one name in both.

use jsonwebtoken::Algorithm;
use std::collections::BTreeMap;
use std::time::Duration;
use thiserror::Error;
use url::Url;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OidcConfig {
    /// Exactly as tokens have it in `iss`; `https`.
    pub issuer: String,
    /// A token is for the gateway if its `aud` has one of these.
    pub audiences: Vec<String>,
    /// Certificates (PEM) of the authorities that the issuer's server is trusted by; the system's if `None`.
    pub authority: Option<Vec<u8>>,
    pub algorithms: Vec<SigningAlgorithm>,
    pub username_claim: String,
    pub username_prefix: UsernamePrefix,
    pub groups_claim: Option<String>,
    pub groups_prefix: String,
    /// Each must be in the token as text with this value.
    pub required_claims: BTreeMap<String, String>,
    /// How far the issuer's clock may be from ours.
    pub leeway_s: u32,
    pub keys: KeyLimits,
}

/// Those with a public key only. A secret that is shared with the issuer could be mistaken for a public key, and
/// `none` for a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SigningAlgorithm {
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    EdDsa,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum UsernamePrefix {
    /// `ISSUER#`, but none where the claim is `email`.
    #[default]
    Standard,
    None,
    Text(String),
}

/// How long keys of an issuer are believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyLimits {
    /// Whatever tokens come, the issuer is not asked more often than this.
    pub ask_every: Duration,
    /// Older keys are asked for again.
    pub fresh_for: Duration,
    /// Where the issuer does not answer, keys are used until they are this old.
    pub usable_for: Duration,
    /// For one answer of the issuer.
    pub answer_within: Duration,
}

#[derive(Debug, Error)]
pub enum OidcConfigError {
    #[error("the issuer {issuer} is no https URL without query, fragment and password")]
    Issuer { issuer: String },
    #[error("the issuer {issuer} has no {what}")]
    Empty { issuer: String, what: &'static str },
    #[error("the issuer {issuer} has a leeway of {leeway_s} s; 300 is the most")]
    Leeway { issuer: String, leeway_s: u32 },
    #[error("the authority's certificates for the issuer {issuer} could not be used")]
    Authority {
        issuer: String,
        #[source]
        source: reqwest::Error,
    },
}

impl OidcConfig {
    /// With the API server's defaults.
    #[must_use]
    pub fn new(issuer: impl Into<String>, audience: impl Into<String>) -> Self {
        Self {
            issuer: issuer.into(),
            audiences: vec![audience.into()],
            authority: None,
            algorithms: vec![SigningAlgorithm::Rs256],
            username_claim: "sub".to_owned(),
            username_prefix: UsernamePrefix::Standard,
            groups_claim: None,
            groups_prefix: String::new(),
            required_claims: BTreeMap::new(),
            leeway_s: 10,
            keys: KeyLimits::default(),
        }
    }

    pub(super) fn check(&self) -> Result<(), OidcConfigError> {
        const MOST_LEEWAY_S: u32 = 300;
        let issuer = || self.issuer.clone();
        let is_issuer = Url::parse(&self.issuer).is_ok_and(|url| {
            url.scheme() == "https"
                && url.query().is_none()
                && url.fragment().is_none()
                && url.username().is_empty()
                && url.password().is_none()
        });
        if !is_issuer {
            return Err(OidcConfigError::Issuer { issuer: issuer() });
        }
        let empty = [
            (self.audiences.is_empty() || self.audiences.iter().any(String::is_empty), "audience"),
            (self.algorithms.is_empty(), "signing algorithm"),
            (self.username_claim.is_empty(), "claim for the user's name"),
        ];
        if let Some((_, what)) = empty.into_iter().find(|(empty, _)| *empty) {
            return Err(OidcConfigError::Empty { issuer: issuer(), what });
        }
        if self.leeway_s > MOST_LEEWAY_S {
            return Err(OidcConfigError::Leeway { issuer: issuer(), leeway_s: self.leeway_s });
        }
        Ok(())
    }

    /// What precedes each user's name.
    pub(super) fn prefix(&self) -> String {
        match &self.username_prefix {
            UsernamePrefix::Standard if self.username_claim == "email" => String::new(),
            UsernamePrefix::Standard => format!("{}#", self.issuer),
            UsernamePrefix::None => String::new(),
            UsernamePrefix::Text(text) => text.clone(),
        }
    }
}

impl Default for KeyLimits {
    fn default() -> Self {
        Self {
            ask_every: Duration::from_secs(10),
            fresh_for: Duration::from_secs(10 * 60),
            usable_for: Duration::from_secs(60 * 60),
            answer_within: Duration::from_secs(10),
        }
    }
}

impl SigningAlgorithm {
    pub const ALL: [Self; 9] = [
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Es256,
        Self::Es384,
        Self::EdDsa,
    ];

    /// As `alg` of a token's header and configurations have it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::EdDsa => "EdDSA",
        }
    }

    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.word() == word)
    }

    pub(super) const fn verified_by(self) -> Algorithm {
        match self {
            Self::Rs256 => Algorithm::RS256,
            Self::Rs384 => Algorithm::RS384,
            Self::Rs512 => Algorithm::RS512,
            Self::Ps256 => Algorithm::PS256,
            Self::Ps384 => Algorithm::PS384,
            Self::Ps512 => Algorithm::PS512,
            Self::Es256 => Algorithm::ES256,
            Self::Es384 => Algorithm::ES384,
            Self::EdDsa => Algorithm::EdDSA,
        }
    }
}
