//! What an ID token proves, and what it does not.

use crate::world::{NOW, claims, config, told, with};
use access_checks::{Bearer, Oidc, OidcConfig, SigningAlgorithm, UsernamePrefix};
use access_model::{Identity, Proof};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use expect_test::expect;
use oidc_testbed::Provider;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

#[tokio::test]
async fn somebody_who_signs_in_is_who_the_provider_says() {
    let provider = Provider::start().await.unwrap();
    let token = provider.id_token("weir", "ada").await.unwrap();
    let bearer = Bearer::new(token.clone()).unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let now = i64::try_from(now).unwrap();
    let oidc = Oidc::new(config(&provider)).unwrap();
    let identity = oidc.verify(&bearer, now).await.unwrap();
    let expires_at = payload(&token)["exp"].as_i64();
    let expected = Identity {
        user: format!("{}#ada", provider.issuer()),
        uid: None,
        groups: vec!["ops".to_owned(), "oncall".to_owned()],
        extra: BTreeMap::new(),
        proof: Proof::OidcToken {
            issuer: provider.issuer().to_owned(),
            subject: "ada".to_owned(),
            digest: bearer.digest(),
        },
        expires_at,
    };
    assert_eq!(identity, expected);
    // Its end is the provider's, and not now.
    assert!(expires_at.is_some_and(|at| at > now + 500 && at <= now + 700));
    // What somebody got for another client of the same provider is not for the gateway.
    let other = Bearer::new(provider.id_token("other", "ada").await.unwrap()).unwrap();
    let refused = oidc.verify(&other, now).await.unwrap_err();
    assert_eq!(refused.to_string(), "the token is not for this gateway: its audience is another");
    assert!(!refused.is_unavailable());
}

fn payload(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

/// A line for each change of the claims of a good token.
async fn lines(provider: &Provider, config: OidcConfig, changes: &[Value]) -> String {
    let oidc = Oidc::new(config).unwrap();
    let mut lines = String::new();
    for change in changes {
        let claims = with(claims(provider), change);
        let token = provider.sign(&json!({}), &claims).await.unwrap();
        let told = told(&oidc, &token).await;
        lines += &format!("{change}: {told}\n").replace(provider.issuer(), "ISSUER");
    }
    lines
}

#[tokio::test]
async fn claims_are_all_compared() {
    let provider = Provider::start().await.unwrap();
    let issuer = provider.issuer();
    let changes = [
        json!({}),
        json!({ "aud": ["other", "weir"] }),
        json!({ "aud": "other" }),
        json!({ "aud": ["other"] }),
        json!({ "aud": null }),
        json!({ "aud": 7 }),
        json!({ "iss": "https://other.example" }),
        json!({ "iss": format!("{issuer}/") }),
        json!({ "iss": null }),
        json!({ "exp": NOW - 9 }),
        json!({ "exp": NOW - 10 }),
        json!({ "exp": null }),
        json!({ "exp": "never" }),
        json!({ "exp": 1e300 }),
        json!({ "nbf": NOW + 10 }),
        json!({ "nbf": NOW + 11 }),
        json!({ "sub": null }),
        json!({ "sub": "" }),
        json!({ "sub": ["ada"] }),
    ];
    let lines = lines(&provider, config(&provider), &changes).await;
    expect![[r#"
        {}: ISSUER#ada []
        {"aud":["other","weir"]}: ISSUER#ada []
        {"aud":"other"}: refused: the token is not for this gateway: its audience is another
        {"aud":["other"]}: refused: the token is not for this gateway: its audience is another
        {"aud":null}: refused: the token is not for this gateway: its audience is another
        {"aud":7}: refused: the token is not for this gateway: its audience is another
        {"iss":"https://other.example"}: refused: the token is of another issuer
        {"iss":"ISSUER/"}: refused: the token is of another issuer
        {"iss":null}: refused: the token has no iss that can be used
        {"exp":1799999991}: ISSUER#ada []
        {"exp":1799999990}: refused: the token ended at second 1799999990 since 1970
        {"exp":null}: refused: the token has no exp that can be used
        {"exp":"never"}: refused: the token has no exp that can be used
        {"exp":1e+300}: refused: the token has no exp that can be used
        {"nbf":1800000010}: ISSUER#ada []
        {"nbf":1800000011}: refused: the token begins at second 1800000011 since 1970
        {"sub":null}: refused: the token has no sub that can be used
        {"sub":""}: refused: the token has no sub that can be used
        {"sub":["ada"]}: refused: the token's signature is wrong
    "#]]
    .assert_eq(&lines);
}

#[tokio::test]
async fn names_come_from_claims_and_have_prefixes() {
    let provider = Provider::start().await.unwrap();
    let changes = [
        json!({ "email": "ada@example.org", "email_verified": true, "groups": ["ops", "oncall"] }),
        json!({ "email": "ada@example.org", "groups": "dev" }),
        json!({ "email": "ada@example.org", "email_verified": false }),
        json!({ "email": "ada@example.org", "email_verified": "true" }),
        json!({ "groups": ["ops"] }),
        json!({ "email": "ada@example.org", "groups": null }),
        json!({ "email": "ada@example.org", "groups": ["ops", 7] }),
        json!({ "email": "ada@example.org", "groups": [""] }),
        json!({ "email": "ada@example.org", "groups": { "ops": true } }),
        json!({ "email": "ada@example.org", "groups": ["system:masters"] }),
        json!({ "email": "system:admin" }),
        json!({ "email": "ada@example.org", "_claim_names": { "groups": "elsewhere" } }),
        json!({ "email": "ada@example.org", "_claim_names": { "email": "elsewhere" } }),
    ];
    let by_email = OidcConfig { username_claim: "email".to_owned(), ..config(&provider) };
    expect![[r#"
        {"email":"ada@example.org","email_verified":true,"groups":["ops","oncall"]}: ada@example.org ["ops", "oncall"]
        {"email":"ada@example.org","groups":"dev"}: ada@example.org ["dev"]
        {"email":"ada@example.org","email_verified":false}: refused: the token's email is not verified
        {"email":"ada@example.org","email_verified":"true"}: refused: the token's email is not verified
        {"groups":["ops"]}: refused: the token has no email that can be used
        {"email":"ada@example.org","groups":null}: ada@example.org []
        {"email":"ada@example.org","groups":["ops",7]}: refused: the token has no groups that can be used
        {"email":"ada@example.org","groups":[""]}: refused: the token has no groups that can be used
        {"email":"ada@example.org","groups":{"ops":true}}: refused: the token has no groups that can be used
        {"email":"ada@example.org","groups":["system:masters"]}: refused: the token's groups gives a name that begins with system:, which no provider may give
        {"email":"system:admin"}: refused: the token's email gives a name that begins with system:, which no provider may give
        {"_claim_names":{"groups":"elsewhere"},"email":"ada@example.org"}: refused: the token's groups is kept elsewhere, where it is not asked for
        {"_claim_names":{"email":"elsewhere"},"email":"ada@example.org"}: refused: the token's email is kept elsewhere, where it is not asked for
    "#]].assert_eq(&lines(&provider, by_email.clone(), &changes).await);
    let prefixed = OidcConfig {
        username_prefix: UsernamePrefix::Text("id:".to_owned()),
        groups_prefix: "id:".to_owned(),
        ..by_email
    };
    let changes = [
        json!({ "email": "ada@example.org", "groups": ["ops", "system:masters"] }),
        json!({ "email": "system:admin" }),
    ];
    expect![[r#"
        {"email":"ada@example.org","groups":["ops","system:masters"]}: id:ada@example.org ["id:ops", "id:system:masters"]
        {"email":"system:admin"}: id:system:admin []
    "#]].assert_eq(&lines(&provider, prefixed.clone(), &changes).await);
    // A prefix that is one of the cluster's own makes all names so.
    let system = OidcConfig {
        username_prefix: UsernamePrefix::Text("system:".to_owned()),
        groups_prefix: "system:".to_owned(),
        ..prefixed
    };
    expect![[r#"
        {"email":"ada@example.org","groups":["ops","system:masters"]}: refused: the token's email gives a name that begins with system:, which no provider may give
    "#]].assert_eq(&lines(&provider, system, &changes[..1]).await);
}

#[tokio::test]
async fn claims_can_be_required_and_groups_left_out() {
    let provider = Provider::start().await.unwrap();
    let config = OidcConfig {
        required_claims: BTreeMap::from([("tenant".to_owned(), "blue".to_owned())]),
        groups_claim: None,
        username_prefix: UsernamePrefix::None,
        ..config(&provider)
    };
    let changes = [
        json!({ "tenant": "blue", "groups": ["system:masters"] }),
        json!({ "tenant": "red" }),
        json!({ "tenant": ["blue"] }),
        json!({}),
    ];
    expect![[r#"
        {"groups":["system:masters"],"tenant":"blue"}: ada []
        {"tenant":"red"}: refused: the token's tenant is not the one that is required
        {"tenant":["blue"]}: refused: the token's tenant is not the one that is required
        {}: refused: the token's tenant is not the one that is required
    "#]]
    .assert_eq(&lines(&provider, config, &changes).await);
}

/// A token with any header and signature.
fn forged(header: &Value, claims: &Value, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let encoded = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let text = format!("{}.{}", encoded(header), encoded(claims));
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(sign(text.as_bytes())))
}

#[tokio::test]
async fn only_a_signature_of_the_issuer_counts() {
    let provider = Provider::start().await.unwrap();
    let all = OidcConfig { algorithms: SigningAlgorithm::ALL.to_vec(), ..config(&provider) };
    let oidc = Oidc::new(all).unwrap();
    let good = provider.sign(&json!({}), &claims(&provider)).await.unwrap();
    let keys = provider.client().get(format!("{}/jwks", provider.issuer())).send().await.unwrap();
    let keys: Value = keys.json().await.unwrap();
    let key = &keys["keys"][0];
    let secret = |bytes: &[u8]| hmac::Key::new(hmac::HMAC_SHA256, bytes);
    let modulus = URL_SAFE_NO_PAD.decode(key["n"].as_str().unwrap()).unwrap();
    let by = |key: hmac::Key| move |text: &[u8]| hmac::sign(&key, text).as_ref().to_vec();
    let claims = claims(&provider);
    let id = key["kid"].clone();
    let mut parts: Vec<&str> = good.split('.').collect();
    let eve = with(claims.clone(), &json!({ "sub": "eve" }));
    let eve = URL_SAFE_NO_PAD.encode(eve.to_string());
    parts[1] = &eve;
    let (nothing, as_json) = (|_: &[u8]| Vec::new(), key.to_string());
    let of = |alg: &str| json!({ "alg": alg, "kid": id });
    let critical = json!({ "crit": ["b64"], "b64": true });
    let tokens = [
        ("good", good.clone()),
        ("no signature", forged(&of("RS256"), &claims, nothing)),
        ("none", forged(&of("none"), &claims, nothing)),
        ("None", forged(&of("None"), &claims, nothing)),
        ("no algorithm", forged(&json!({ "kid": id }), &claims, nothing)),
        (
            "HS256 with the key as text",
            forged(&of("HS256"), &claims, by(secret(as_json.as_bytes()))),
        ),
        ("HS256 with the modulus", forged(&of("HS256"), &claims, by(secret(&modulus)))),
        ("RS256 with a secret", forged(&of("RS256"), &claims, by(secret(&modulus)))),
        ("another algorithm of the key", forged(&of("RS512"), &claims, nothing)),
        ("another kind of key", forged(&of("ES256"), &claims, nothing)),
        ("changed claims", parts.join(".")),
        ("made-up key", provider.sign(&json!({ "kid": "made-up" }), &claims).await.unwrap()),
        ("critical", provider.sign(&critical, &claims).await.unwrap()),
        ("cut", good.get(..good.len() - 4).unwrap().to_owned()),
        ("four parts", format!("{good}.x")),
        ("opaque", "x".to_owned()),
        ("padded", format!("{good}==")),
    ];
    let mut lines = String::new();
    for (name, token) in &tokens {
        lines += &format!("{name}: {}\n", told(&oidc, token).await);
    }
    expect![[r#"
        good: ISSUER#ada []
        no signature: refused: the token's signature is wrong
        none: refused: the token is signed in a way that is not allowed here
        None: refused: the token is signed in a way that is not allowed here
        no algorithm: refused: the token is no signed JSON web token
        HS256 with the key as text: refused: the token is signed in a way that is not allowed here
        HS256 with the modulus: refused: the token is signed in a way that is not allowed here
        RS256 with a secret: refused: the token's signature is wrong
        another algorithm of the key: refused: the token is signed with a key that its issuer does not name
        another kind of key: refused: the token is signed with a key that its issuer does not name
        changed claims: refused: the token's signature is wrong
        made-up key: refused: the token is signed with a key that its issuer does not name
        critical: refused: the token asks for extensions that are not known here
        cut: refused: the token's signature is wrong
        four parts: refused: the token is no signed JSON web token
        opaque: refused: the token is no signed JSON web token
        padded: refused: the token's signature is wrong
    "#]].assert_eq(&lines);
    // An algorithm that the configuration does not have is none, however good the signature is.
    let other = OidcConfig { algorithms: vec![SigningAlgorithm::Es256], ..config(&provider) };
    let told = told(&Oidc::new(other).unwrap(), &good).await;
    assert_eq!(told, "refused: the token is signed in a way that is not allowed here");
}
