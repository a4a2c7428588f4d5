//! What the configuration says of identity providers.

use super::OidcProvider;
use super::lower::Reader;
use super::raw::RawOidc;
use access_checks::UsernamePrefix;

impl Reader<'_> {
    pub(super) fn oidc(&self, raw: &RawOidc) -> OidcProvider {
        OidcProvider {
            issuer: raw.issuer.value.clone(),
            audiences: raw.audiences.clone(),
            authority: raw.authority.as_ref().map(|path| self.path(path)),
            username_claim: raw.username_claim.clone().unwrap_or_else(|| "sub".to_owned()),
            username_prefix: match raw.username_prefix.as_deref() {
                None => UsernamePrefix::Standard,
                Some("-") => UsernamePrefix::None,
                Some(prefix) => UsernamePrefix::Text(prefix.to_owned()),
            },
            groups_claim: raw.groups_claim.clone(),
            groups_prefix: raw.groups_prefix.clone().unwrap_or_default(),
            required_claims: raw.required_claims.clone(),
        }
    }
}
