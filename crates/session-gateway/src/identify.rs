//! Who a request is from: the proof of its connection, or the token that it brings.

use crate::authorise::now;
use crate::caller::Connection;
use crate::chain::chain;
use crate::gateway::Gateway;
use crate::reply::Failure;
use access_checks::{Bearer, identity_of_certificate};
use access_model::Identity;
use http::HeaderMap;

/// A token says who it is, where there is one; then the connection's certificate does. Nobody is anonymous.
pub(crate) async fn identify(
    gateway: &Gateway,
    cluster: &str,
    connection: &Connection,
    headers: &HeaderMap,
) -> Result<Identity, Failure> {
    let lines: Vec<(&str, &[u8])> =
        headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    let bearer =
        Bearer::of_headers(&lines).map_err(|error| Failure::unauthenticated(error.to_string()))?;
    let proven = match (bearer, connection.certificates.first()) {
        (Some(bearer), _) => of_token(gateway, cluster, &bearer).await?,
        (None, Some(leaf)) => identity_of_certificate(leaf, now())
            .map_err(|error| Failure::unauthenticated(chain(&error)))?,
        (None, None) => return Err(Failure::unauthenticated("no proof of who you are was given")),
    };
    match proven.expires_at {
        Some(end) if end <= now() => {
            Err(Failure::unauthenticated("your proof of who you are has expired"))
        }
        Some(_) | None => Ok(proven),
    }
}

async fn of_token(gateway: &Gateway, cluster: &str, bearer: &Bearer) -> Result<Identity, Failure> {
    if let Some(issuer) = bearer.claimed_issuer()
        && let Some(oidc) = gateway.oidc.iter().find(|oidc| oidc.issuer() == issuer)
    {
        return oidc
            .verify(bearer, now())
            .await
            .map_err(|error| Failure::unauthenticated(chain(&error)));
    }
    let api = gateway.api_server(cluster).filter(|_| gateway.service_accounts);
    let api = api.ok_or_else(|| {
        Failure::unauthenticated("the token is of an issuer that the gateway does not know")
    })?;
    api.service_account(bearer, now())
        .await
        .map_err(|error| Failure::unauthenticated(chain(&error)))
}
