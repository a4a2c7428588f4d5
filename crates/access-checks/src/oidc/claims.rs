//! What the claims of a verified token say.

use super::{OidcConfig, OidcError};
use crate::Bearer;
use access_model::{Identity, Proof};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

type Claims = Map<String, Value>;

pub(super) fn identity(
    config: &OidcConfig,
    claims: &Claims,
    bearer: &Bearer,
    now: i64,
) -> Result<Identity, OidcError> {
    if text(claims, "iss")? != config.issuer {
        return Err(OidcError::Issuer);
    }
    audience(config, claims)?;
    let expires_at = times(config, claims, now)?;
    for (claim, value) in &config.required_claims {
        if claims.get(claim).and_then(Value::as_str) != Some(value) {
            return Err(OidcError::RequiredClaim { claim: claim.clone() });
        }
    }
    Ok(Identity {
        user: user(config, claims)?,
        uid: None,
        groups: groups(config, claims)?,
        extra: BTreeMap::new(),
        proof: Proof::OidcToken {
            issuer: config.issuer.clone(),
            subject: text(claims, "sub").unwrap_or_default().to_owned(),
            digest: bearer.digest(),
        },
        expires_at: Some(expires_at),
    })
}

fn text<'claims>(claims: &'claims Claims, claim: &str) -> Result<&'claims str, OidcError> {
    let text = claims.get(claim).and_then(Value::as_str).filter(|text| !text.is_empty());
    text.ok_or_else(|| OidcError::Claim { claim: claim.to_owned() })
}

fn audience(config: &OidcConfig, claims: &Claims) -> Result<(), OidcError> {
    let is_ours = |value: &Value| {
        value.as_str().is_some_and(|text| config.audiences.iter().any(|own| own == text))
    };
    let fits = match claims.get("aud") {
        Some(Value::Array(audiences)) => audiences.iter().any(is_ours),
        Some(audience) => is_ours(audience),
        None => false,
    };
    if fits { Ok(()) } else { Err(OidcError::Audience) }
}

/// The second at which the token ends.
fn times(config: &OidcConfig, claims: &Claims, now: i64) -> Result<i64, OidcError> {
    let leeway = i64::from(config.leeway_s);
    let ends =
        seconds(claims, "exp")?.ok_or_else(|| OidcError::Claim { claim: "exp".to_owned() })?;
    if now >= ends.saturating_add(leeway) {
        return Err(OidcError::Expired { at: ends });
    }
    match seconds(claims, "nbf")? {
        Some(begins) if now < begins.saturating_sub(leeway) => {
            Err(OidcError::NotYet { at: begins })
        }
        Some(_) | None => Ok(ends),
    }
}

fn seconds(claims: &Claims, claim: &str) -> Result<Option<i64>, OidcError> {
    /// The year 9999; what is farther is a mistake.
    const LAST: f64 = 253_402_300_799.0;
    let Some(value) = claims.get(claim) else { return Ok(None) };
    if let Some(seconds) = value.as_i64() {
        return Ok(Some(seconds));
    }
    let fraction = value.as_f64().filter(|seconds| (0.0..=LAST).contains(seconds));
    #[expect(clippy::cast_possible_truncation, reason = "it is between 0 and LAST")]
    let whole = fraction.map(|seconds| seconds.floor() as i64);
    whole.map(Some).ok_or_else(|| OidcError::Claim { claim: claim.to_owned() })
}

fn user(config: &OidcConfig, claims: &Claims) -> Result<String, OidcError> {
    let claim = config.username_claim.as_str();
    is_here(claims, claim)?;
    let name = text(claims, claim)?;
    let is_unverified = claims.get("email_verified").is_some_and(|said| said != &Value::Bool(true));
    if claim == "email" && is_unverified {
        return Err(OidcError::EmailNotVerified);
    }
    named(claim, format!("{}{name}", config.prefix()))
}

/// One group as text, or several; none where the claim is absent.
fn groups(config: &OidcConfig, claims: &Claims) -> Result<Vec<String>, OidcError> {
    let Some(claim) = config.groups_claim.as_deref() else { return Ok(Vec::new()) };
    is_here(claims, claim)?;
    let wrong = || OidcError::Claim { claim: claim.to_owned() };
    let groups: Vec<&Value> = match claims.get(claim) {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(groups)) => groups.iter().collect(),
        Some(group) => vec![group],
    };
    groups
        .into_iter()
        .map(|group| {
            let group = group.as_str().filter(|group| !group.is_empty()).ok_or_else(wrong)?;
            named(claim, format!("{}{group}", config.groups_prefix))
        })
        .collect()
}

/// Providers with many groups leave a reference in their place. Groups that are not seen could be ones that a
/// rule denies.
fn is_here(claims: &Claims, claim: &str) -> Result<(), OidcError> {
    let elsewhere = claims.get("_claim_names").and_then(Value::as_object);
    if elsewhere.is_some_and(|names| names.contains_key(claim)) {
        return Err(OidcError::Distributed { claim: claim.to_owned() });
    }
    Ok(())
}

/// Names of the cluster itself are not given out by providers.
fn named(claim: &str, name: String) -> Result<String, OidcError> {
    if name.starts_with("system:") {
        return Err(OidcError::SystemName { claim: claim.to_owned() });
    }
    Ok(name)
}
