//! A provider, and what is made of its tokens.

use access_checks::{Bearer, KeyLimits, Oidc, OidcConfig};
use access_model::Identity;
use oidc_testbed::Provider;
use serde_json::{Value, json};
use std::time::Duration;

/// The moment at which tokens of these tests are looked at, in seconds since 1970.
pub(crate) const NOW: i64 = 1_800_000_000;

/// A gateway that `weir` is the audience of; it trusts the provider's own authority.
pub(crate) fn config(provider: &Provider) -> OidcConfig {
    OidcConfig {
        authority: Some(provider.authority().as_bytes().to_vec()),
        groups_claim: Some("groups".to_owned()),
        // Each test decides by itself when the provider is asked again.
        keys: KeyLimits { ask_every: Duration::ZERO, ..KeyLimits::default() },
        ..OidcConfig::new(provider.issuer(), "weir")
    }
}

/// What a good token says.
pub(crate) fn claims(provider: &Provider) -> Value {
    json!({ "iss": provider.issuer(), "aud": "weir", "sub": "ada", "exp": NOW + 600 })
}

/// The same with other claims; those that are null are taken out.
pub(crate) fn with(mut claims: Value, changes: &Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    claims
}

pub(crate) async fn verified(oidc: &Oidc, token: &str) -> Result<Identity, String> {
    let verified = oidc.verify(&Bearer::new(token).unwrap(), NOW).await;
    verified.map_err(|error| error.to_string())
}

/// Who it is, or why it is nobody, in one line.
pub(crate) async fn told(oidc: &Oidc, token: &str) -> String {
    match verified(oidc, token).await {
        Ok(identity) => {
            let name = identity.user.replace(oidc.issuer(), "ISSUER");
            format!("{name} {:?}", identity.groups)
        }
        Err(error) => format!("refused: {error}"),
    }
}
