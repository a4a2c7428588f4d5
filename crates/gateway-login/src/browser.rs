//! Signing in with a browser: authorization code with PKCE, back to a listener on loopback.

use crate::Tokens;
use crate::callback::Listener;
use crate::provider::{LoginError, Provider};
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::time::Duration;
use url::Url;
use zeroize::Zeroizing;

const MINUTES: u64 = 5;

impl Provider {
    /// Has the person sign in at the provider's own pages: `open` gets their address, and may show it or start a browser.
    ///
    /// # Errors
    /// The provider refused, nobody came back in time, or what came back is not for this sign-in.
    pub async fn with_browser(&self, open: impl FnOnce(&str)) -> Result<Tokens, LoginError> {
        let place = self.places.authorization_endpoint.as_deref();
        let what = "authorization endpoint";
        let place = place.ok_or(LoginError::NoPlace { what, instead: "with --device" })?;
        let mut url = Url::parse(place).or(Err(LoginError::Place { what }))?;
        let listener = Listener::open().await.map_err(LoginError::Listen)?;
        let (verifier, state, nonce) = (random()?, random()?, random()?);
        let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()));
        url.query_pairs_mut().extend_pairs([
            ("response_type", "code"),
            ("client_id", &self.sign_in.client_id),
            ("redirect_uri", listener.redirect()),
            ("scope", &self.sign_in.scope()),
            ("state", &state),
            ("nonce", &nonce),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ]);
        if self.sign_in.wants_refresh() {
            // Without it providers leave offline access out (OpenID Connect Core 1.0, 11).
            url.query_pairs_mut().append_pair("prompt", "consent");
        }
        open(url.as_str());
        let code = listener.code(&state, &self.sign_in.issuer);
        let code = tokio::time::timeout(Duration::from_secs(MINUTES * 60), code).await;
        let code = code.or(Err(LoginError::TooLate { minutes: MINUTES }))??;
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code.as_str()),
            ("redirect_uri", listener.redirect()),
            ("code_verifier", verifier.as_str()),
        ];
        self.tokens(&form, Some(&nonce)).await
    }
}

/// 256 bits as text that needs no encoding.
fn random() -> Result<Zeroizing<String>, LoginError> {
    let mut bytes = Zeroizing::new([0_u8; 32]);
    aws_lc_rs::rand::fill(bytes.as_mut()).or(Err(LoginError::Randomness))?;
    Ok(Zeroizing::new(URL_SAFE_NO_PAD.encode(bytes.as_ref())))
}
