//! Signing in where there is no browser: the person enters a code on another machine (RFC 8628).

use crate::Tokens;
use crate::provider::{LoginError, Provider};
use crate::settings::is_https;
use serde::Deserialize;
use std::time::Duration;
use tokio::time::Instant;
use zeroize::Zeroizing;

const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
const LONGEST_MINUTES: u64 = 15;
/// What there is where the provider does not say it, and what is added where it says that it is asked too often.
const FIVE_SECONDS: u64 = 5;
const LONGEST_INTERVAL_S: u64 = 60;

/// What the person has to do on another machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DevicePrompt {
    pub url: String,
    pub code: String,
    /// The same with the code in it, where the provider has such an address.
    pub url_with_code: Option<String>,
}

#[derive(Deserialize)]
struct Begun {
    device_code: String,
    user_code: String,
    verification_uri: String,
    verification_uri_complete: Option<String>,
    expires_in: u64,
    interval: Option<u64>,
}

impl Provider {
    /// Has the person sign in on another machine: `tell` gets what to do there.
    ///
    /// # Errors
    /// The provider or the person refused, or nobody did it in time.
    pub async fn with_device(
        &self,
        tell: impl FnOnce(&DevicePrompt),
    ) -> Result<Tokens, LoginError> {
        let what = "endpoint for devices";
        let place = self.places.device_authorization_endpoint.as_deref();
        let place = place.ok_or(LoginError::NoPlace { what, instead: "with a browser" })?;
        let scope = self.sign_in.scope();
        let begun: Begun =
            self.ask("a code for a device", place, &[("scope", scope.as_str())]).await?;
        let Begun { device_code, user_code, verification_uri, verification_uri_complete, .. } =
            begun;
        let device_code = Zeroizing::new(device_code);
        // A person is not sent to what is no page of a provider.
        if !is_https(&verification_uri) {
            return Err(LoginError::Place { what: "page for devices" });
        }
        tell(&DevicePrompt {
            url: verification_uri,
            code: user_code,
            url_with_code: verification_uri_complete.filter(|url| is_https(url)),
        });
        let lasts = Duration::from_secs(begun.expires_in.min(LONGEST_MINUTES * 60));
        let until = Instant::now() + lasts;
        let mut interval = begun.interval.unwrap_or(FIVE_SECONDS).clamp(1, LONGEST_INTERVAL_S);
        let form = [("grant_type", GRANT), ("device_code", device_code.as_str())];
        loop {
            let next = Instant::now() + Duration::from_secs(interval);
            if next >= until {
                return Err(LoginError::TooLate { minutes: lasts.as_secs().div_ceil(60) });
            }
            tokio::time::sleep_until(next).await;
            match self.tokens(&form, None).await {
                Err(LoginError::Refused { error, .. }) if error == "authorization_pending" => {}
                Err(LoginError::Refused { error, .. }) if error == "slow_down" => {
                    interval = (interval + FIVE_SECONDS).min(LONGEST_INTERVAL_S);
                }
                other => return other,
            }
        }
    }
}
