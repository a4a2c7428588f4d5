//! What the configuration says of callers' proofs.

use super::lower::Reader;
use super::raw::{RawClients, RawOidc, Text};
use super::{Clients, Issuer};
use access_checks::{OidcConfig, SigningAlgorithm, UsernamePrefix};
use std::time::Duration;

impl Reader<'_> {
    pub(super) fn clients(&mut self, raw: &RawClients) -> Option<Clients> {
        let RawClients {
            certificates,
            oidc,
            service_accounts,
            service_account_audiences: audiences,
        } = raw;
        let issuers: Vec<Option<Issuer>> = oidc.iter().map(|raw| self.issuer(raw)).collect();
        Some(Clients {
            certificate_authority: certificates.as_ref().map(|raw| self.path(&raw.authority)),
            oidc: issuers.into_iter().collect::<Option<_>>()?,
            service_accounts: service_accounts.then(|| audiences.clone()),
        })
    }

    fn issuer(&mut self, raw: &RawOidc) -> Option<Issuer> {
        let algorithms = self.algorithms(&raw.algorithms);
        let leeway = self.duration(raw.leeway.as_ref(), Duration::from_secs(10));
        let standard = OidcConfig::new(raw.issuer.value.clone(), "");
        let oidc = OidcConfig {
            audiences: raw.audiences.clone(),
            algorithms: algorithms?,
            username_claim: raw.username_claim.clone().unwrap_or(standard.username_claim),
            username_prefix: match raw.username_prefix.as_deref() {
                None => UsernamePrefix::Standard,
                // As the API server's flag has it.
                Some("-") => UsernamePrefix::None,
                Some(text) => UsernamePrefix::Text(text.to_owned()),
            },
            groups_claim: raw.groups_claim.clone(),
            groups_prefix: raw.groups_prefix.clone().unwrap_or_default(),
            required_claims: raw.required_claims.clone(),
            leeway_s: u32::try_from(leeway?.as_secs()).unwrap_or(u32::MAX),
            ..standard
        };
        Some(Issuer { oidc, authority: raw.authority.as_ref().map(|text| self.path(text)) })
    }

    fn algorithms(&mut self, raw: &[Text]) -> Option<Vec<SigningAlgorithm>> {
        if raw.is_empty() {
            return Some(vec![SigningAlgorithm::Rs256]);
        }
        let mut found = Vec::new();
        let mut all = true;
        for text in raw {
            if let Some(algorithm) = SigningAlgorithm::of_word(&text.value) {
                found.push(algorithm);
            } else {
                let words = SigningAlgorithm::ALL.map(SigningAlgorithm::word).join(", ");
                let message = format!("`{}` is no algorithm with a public key", text.value);
                self.wrong_text(text, message, &format!("write one of {words}"));
                all = false;
            }
        }
        all.then_some(found)
    }
}
