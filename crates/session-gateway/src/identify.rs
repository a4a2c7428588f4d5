//! Who a request is from: the proof of its connection, or the token that it brings.
//!
//! A certificate counts before a token, as API servers have it: clients that have both send both.

use crate::caller::Connection;
use crate::chain::chain;
use crate::clock;
use crate::pem::PemError;
use crate::reply::Failure;
use access_checks::{
    ApiServer, Bearer, Oidc, OidcConfig, OidcConfigError, identity_of_certificate,
};
use access_model::{Identity, Proof};
use std::path::PathBuf;

/// Whoever the API server lets in is in it, and what is bound to it is everybody's.
const AUTHENTICATED: &str = "system:authenticated";
const SERVICE_ACCOUNT: &str = "system:serviceaccount:";
const SERVICE_ACCOUNTS: &str = "system:serviceaccounts";

#[derive(Debug)]
pub(crate) struct Identities {
    issuers: Vec<Oidc>,
    service_accounts: bool,
}

/// What keeps an issuer from being asked.
#[derive(Debug, thiserror::Error)]
pub enum IssuerError {
    #[error("could not read the authority of an issuer in {path}")]
    Read {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error(transparent)]
    Pem(#[from] PemError),
    #[error(transparent)]
    Config(#[from] OidcConfigError),
}

impl Identities {
    pub(crate) fn load(clients: &crate::config::Clients) -> Result<Self, IssuerError> {
        let mut issuers = Vec::new();
        for issuer in &clients.oidc {
            let authority = match &issuer.authority {
                None => None,
                Some(path) => {
                    let read = |source| IssuerError::Read { path: path.clone(), source };
                    Some(std::fs::read(path).map_err(read)?)
                }
            };
            issuers.push(Oidc::new(OidcConfig { authority, ..issuer.oidc.clone() })?);
        }
        Ok(Self { issuers, service_accounts: clients.service_accounts.is_some() })
    }

    /// The caller, with what every caller has that the API server lets in. `api` knows the service accounts.
    pub(crate) async fn identify(
        &self,
        connection: &Connection,
        headers: &[(&str, &[u8])],
        api: Option<&ApiServer>,
    ) -> Result<Identity, Failure> {
        let mut identity = self.proven(connection, headers, api).await?;
        of_nobody_else(&identity)?;
        if !identity.groups.iter().any(|group| group == AUTHENTICATED) {
            identity.groups.push(AUTHENTICATED.to_owned());
        }
        Ok(identity)
    }

    async fn proven(
        &self,
        connection: &Connection,
        headers: &[(&str, &[u8])],
        api: Option<&ApiServer>,
    ) -> Result<Identity, Failure> {
        let now = clock::now_s();
        if let Some(leaf) = connection.certificates.first() {
            return identity_of_certificate(leaf, now).map_err(|error| unproven(&error));
        }
        let bearer = Bearer::of_headers(headers).map_err(|error| unproven(&error))?;
        let Some(bearer) = bearer else {
            return Err(Failure::unauthenticated(
                "the gateway needs a proof of who you are: a client certificate or a token",
            ));
        };
        let issuer = bearer.claimed_issuer();
        if let Some(oidc) =
            self.issuers.iter().find(|oidc| Some(oidc.issuer()) == issuer.as_deref())
        {
            let verified = oidc.verify(&bearer, now).await;
            return verified.map_err(|error| judged(error.is_unavailable(), &error));
        }
        if self.service_accounts
            && let Some(api) = api
        {
            let known = api.service_account(&bearer, now).await;
            return known.map_err(|error| judged(error.is_unavailable(), &error));
        }
        Err(Failure::unauthenticated("the token is of an issuer that the gateway does not know"))
    }
}

/// Names that begin with `system:` are the cluster's own. Whoever may impersonate anybody would make everybody who
/// can get such a name signed into what it stands for.
fn of_nobody_else(identity: &Identity) -> Result<(), Failure> {
    let is_account = matches!(identity.proof, Proof::ServiceAccountToken { .. });
    let user = identity.user.starts_with("system:")
        && !(is_account && identity.user.starts_with(SERVICE_ACCOUNT));
    let own = |group: &String| {
        let of_accounts = is_account && group.starts_with(SERVICE_ACCOUNTS);
        group.starts_with("system:") && group != AUTHENTICATED && !of_accounts
    };
    let name =
        if user { Some(&identity.user) } else { identity.groups.iter().find(|group| own(group)) };
    match name {
        None => Ok(()),
        Some(name) => Err(Failure::forbidden(format!(
            "{name:?} is a name of the cluster itself, which nobody has through the gateway"
        ))),
    }
}

fn unproven(error: &dyn std::error::Error) -> Failure {
    Failure::unauthenticated(chain(error))
}

fn judged(unavailable: bool, error: &dyn std::error::Error) -> Failure {
    let why = chain(error);
    if unavailable {
        tracing::warn!(error = why, "a caller's proof could not be judged");
        return Failure::unavailable(format!(
            "your proof of who you are cannot be judged now: {why}"
        ));
    }
    Failure::unauthenticated(why)
}

/// How a proof is written in recordings.
pub(crate) fn shown(proof: &Proof) -> String {
    match proof {
        Proof::ClientCertificate { fingerprint } => {
            format!("client certificate sha256:{fingerprint}")
        }
        Proof::OidcToken { issuer, subject, digest } => {
            format!("OIDC {issuer} subject {subject} token sha256:{digest}")
        }
        Proof::ServiceAccountToken { digest } => format!("service account token sha256:{digest}"),
    }
}
