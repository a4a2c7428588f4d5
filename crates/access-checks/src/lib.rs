//! What identity providers and an API server say of a caller.
//!
//! Who is it: [`identity_of_certificate`] reads a client certificate that rustls has verified, [`Oidc`] verifies ID
//! tokens with the keys of their issuer, [`ApiServer::service_account`] asks the API server about tokens of service
//! accounts. May it: [`ApiServer::permission`] asks the cluster's own authorisation. About what: [`ApiServer::pod`]
//! and [`privileges`]. `docs/design/access.md` argues it.
//!
//! **Invariants.** Everything fails closed: an answer that does not come, cannot be read or is not clear is an error
//! that names what was asked of whom. No token is in an error, in `Debug` output, or in a URL; what logs may hold is
//! its digest. Each answer is bounded in time and length, and nobody can make the gateway ask without bound.
//! Redirects are not followed, proxies of the environment are not used.
//!
//! Deliberately absent: the gateway's own rules (`access-model`), impersonation, and retries: the caller asks again.

mod api_server;
mod bearer;
mod certificate;
mod digest;
mod http;
mod oidc;
mod pod_body;

pub use api_server::{
    ApiServer, ApiServerConfig, ApiServerConfigError, ApiServerError, Credential, Permission,
    TokenError,
};
pub use bearer::{Bearer, BearerError};
pub use certificate::{CertificateError, identity_of_certificate};
pub use oidc::{
    KeyLimits, KeysError, Oidc, OidcConfig, OidcConfigError, OidcError, SigningAlgorithm,
    UsernamePrefix,
};
pub use pod_body::privileges;
