//! Keys of the issuer: they change, and its server goes away.

use crate::world::{NOW, claims, config, told};
use access_checks::{Bearer, KeyLimits, Oidc, OidcConfig};
use oidc_testbed::Provider;
use serde_json::json;
use std::time::Duration;

const ADA: &str = "ISSUER#ada []";
const UNKNOWN: &str = "refused: the token is signed with a key that its issuer does not name";

#[tokio::test]
async fn a_new_key_is_asked_for_and_an_old_one_is_forgotten() {
    let provider = Provider::start().await.unwrap();
    let oidc = Oidc::new(config(&provider)).unwrap();
    let before = provider.sign(&json!({}), &claims(&provider)).await.unwrap();
    assert_eq!(told(&oidc, &before).await, ADA);
    provider.rotate().await.unwrap();
    let after = provider.sign(&json!({}), &claims(&provider)).await.unwrap();
    assert_eq!(told(&oidc, &after).await, ADA);
    assert_eq!(told(&oidc, &before).await, UNKNOWN);
}

#[tokio::test]
async fn made_up_keys_do_not_make_the_gateway_ask_without_bound() {
    let provider = Provider::start().await.unwrap();
    let keys = KeyLimits { ask_every: Duration::from_secs(3600), ..KeyLimits::default() };
    let oidc = Oidc::new(OidcConfig { keys, ..config(&provider) }).unwrap();
    let good = provider.sign(&json!({}), &claims(&provider)).await.unwrap();
    for n in 0..20 {
        let header = json!({ "kid": format!("made-up-{n}") });
        let token = provider.sign(&header, &claims(&provider)).await.unwrap();
        assert_eq!(told(&oidc, &token).await, UNKNOWN);
        assert_eq!(told(&oidc, &good).await, ADA);
    }
    assert_eq!(provider.requests("/jwks").await.unwrap(), 1);
}

#[tokio::test]
async fn many_callers_at_once_ask_once() {
    let provider = Provider::start().await.unwrap();
    let keys = KeyLimits { ask_every: Duration::from_secs(3600), ..KeyLimits::default() };
    let oidc = Oidc::new(OidcConfig { keys, ..config(&provider) }).unwrap();
    let good = provider.sign(&json!({}), &claims(&provider)).await.unwrap();
    let told = tokio::join!(told(&oidc, &good), told(&oidc, &good), told(&oidc, &good));
    assert_eq!(told, (ADA.to_owned(), ADA.to_owned(), ADA.to_owned()));
    assert_eq!(provider.requests("/jwks").await.unwrap(), 1);
}

/// Whoever is known goes on; nobody gets in because the provider is away.
#[tokio::test]
async fn without_its_provider_known_keys_go_on_and_others_are_refused() {
    let mut provider = Provider::start().await.unwrap();
    let oidc = Oidc::new(config(&provider)).unwrap();
    let good = provider.sign(&json!({}), &claims(&provider)).await.unwrap();
    let made_up = provider.sign(&json!({ "kid": "made-up" }), &claims(&provider)).await.unwrap();
    assert_eq!(told(&oidc, &good).await, ADA);
    // Keys that are old at once, and usable for a while or not at all.
    let old = |usable_for| KeyLimits {
        fresh_for: Duration::ZERO,
        usable_for,
        ask_every: Duration::ZERO,
        ..KeyLimits::default()
    };
    let usable =
        Oidc::new(OidcConfig { keys: old(Duration::from_secs(3600)), ..config(&provider) });
    let not_usable = Oidc::new(OidcConfig { keys: old(Duration::ZERO), ..config(&provider) });
    let (usable, not_usable) = (usable.unwrap(), not_usable.unwrap());
    assert_eq!(told(&usable, &good).await, ADA);
    assert_eq!(told(&not_usable, &good).await, ADA);
    let never_asked = Oidc::new(config(&provider)).unwrap();

    provider.stop().await.unwrap();
    assert_eq!(told(&oidc, &good).await, ADA);
    assert_eq!(told(&oidc, &made_up).await, UNKNOWN);
    assert_eq!(told(&usable, &good).await, ADA);
    let away = "refused: the issuer's description could not be asked for";
    assert_eq!(told(&not_usable, &good).await, away);
    assert_eq!(told(&never_asked, &good).await, away);
    let error = never_asked.verify(&Bearer::new(good).unwrap(), NOW).await.unwrap_err();
    assert!(error.is_unavailable(), "the caller may try again");
}

#[tokio::test]
async fn a_server_that_says_to_be_another_issuer_has_no_keys() {
    let provider = Provider::start().await.unwrap();
    let issuer = format!("{}/", provider.issuer());
    let oidc = Oidc::new(OidcConfig { issuer, ..config(&provider) }).unwrap();
    let token = provider.sign(&json!({}), &claims(&provider)).await.unwrap();
    let expected = format!(
        "refused: the server at the issuer's address says that it is {}",
        provider.issuer()
    );
    assert_eq!(told(&oidc, &token).await, expected);
    // And a server that nobody vouches for is not believed at all.
    let other = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let authority = Some(other.cert.pem().into_bytes());
    let oidc = Oidc::new(OidcConfig { authority, ..config(&provider) }).unwrap();
    let away = "refused: the issuer's description could not be asked for";
    assert_eq!(told(&oidc, &token).await, away);
}
