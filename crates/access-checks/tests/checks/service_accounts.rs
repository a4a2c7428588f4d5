//! Tokens of service accounts, as the API server judges them.

use crate::server::{Answer, Asked, Server};
use crate::world::NOW;
use access_checks::Bearer;
use access_model::{Identity, Proof};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use expect_test::expect;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const ROBOT: &str = "system:serviceaccount:shop:robot";

fn token(expires_at: i64) -> Bearer {
    let claims = json!({ "exp": expires_at }).to_string();
    Bearer::new(format!("e30.{}.x", URL_SAFE_NO_PAD.encode(claims))).unwrap()
}

fn reviewed(status: &Value) -> Answer {
    Answer::Json(201, json!({ "kind": "TokenReview", "status": status }))
}

fn robot() -> Value {
    let pod = json!({ "authentication.kubernetes.io/pod-name": ["web-0"] });
    json!({
        "authenticated": true,
        "audiences": ["weir"],
        "user": {
            "username": ROBOT,
            "uid": "u-1",
            "groups": ["system:serviceaccounts", "system:serviceaccounts:shop"],
            "extra": pod,
        },
    })
}

#[tokio::test]
async fn a_service_account_is_who_the_api_server_says() {
    let server = Server::start(reviewed(&robot())).await;
    let api = server.client(&["weir"]);
    let token = token(NOW + 600);
    let identity = api.service_account(&token, NOW).await.unwrap();
    let pod_name = "authentication.kubernetes.io/pod-name".to_owned();
    let expected = Identity {
        user: ROBOT.to_owned(),
        uid: Some("u-1".to_owned()),
        groups: ["system:serviceaccounts", "system:serviceaccounts:shop"]
            .map(str::to_owned)
            .to_vec(),
        extra: BTreeMap::from([(pod_name, vec!["web-0".to_owned()])]),
        proof: Proof::ServiceAccountToken { digest: token.digest() },
        expires_at: Some(NOW + 600),
    };
    assert_eq!(identity, expected);
    let asked = Asked {
        line: "POST /base/apis/authentication.k8s.io/v1/tokenreviews".to_owned(),
        authorization: Some("Bearer own-token".to_owned()),
        body: json!({
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "spec": { "token": token.reveal(), "audiences": ["weir"] },
        }),
    };
    assert_eq!(server.asked(), [asked]);
    // Once more at once is not asked again, but never lasts longer than the token.
    assert_eq!(api.service_account(&token, NOW + 599).await.unwrap(), expected);
    let ended = api.service_account(&token, NOW + 600).await.unwrap_err();
    assert_eq!(ended.to_string(), format!("the token ended at second {} since 1970", NOW + 600));
    assert_eq!(server.asked(), []);
}

#[tokio::test]
async fn where_no_audience_is_wanted_the_api_server_is_asked_for_its_own() {
    let server = Server::start(reviewed(&robot())).await;
    server.client(&[]).service_account(&token(NOW + 600), NOW).await.unwrap();
    let spec = server.asked().remove(0).body["spec"].take();
    assert_eq!(spec, json!({ "token": token(NOW + 600).reveal() }));
}

#[tokio::test]
async fn whatever_is_not_clearly_a_service_account_is_refused() {
    let server = Server::start(Answer::Hang).await;
    let with = |name: &str, value: Value| {
        let mut status = robot();
        status[name] = value;
        status
    };
    let statuses = [
        json!({}),
        json!({ "authenticated": false, "user": { "username": ROBOT } }),
        json!({ "user": { "username": ROBOT }, "audiences": ["weir"] }),
        with("authenticated", json!("true")),
        with("audiences", json!(["other"])),
        with("audiences", Value::Null),
        with("user", Value::Null),
        with("user", json!({})),
        with("user", json!({ "username": "ada" })),
        with("user", json!({ "username": "system:admin" })),
        with("user", json!({ "username": "system:serviceaccounts" })),
        Value::Null,
    ];
    let mut lines = String::new();
    for (n, status) in (0..).zip(&statuses) {
        server.answers(reviewed(status));
        let told = server.client(&["weir"]).service_account(&token(NOW + n), NOW - 1).await;
        let error = told.unwrap_err();
        let kind = if error.is_unavailable() { "unavailable" } else { "refused" };
        lines += &format!("{status}\n  {kind}: {error}\n");
    }
    expect![[r#"
        {}
          refused: the API server does not know the token
        {"authenticated":false,"user":{"username":"system:serviceaccount:shop:robot"}}
          refused: the API server does not know the token
        {"audiences":["weir"],"user":{"username":"system:serviceaccount:shop:robot"}}
          refused: the API server does not know the token
        {"audiences":["weir"],"authenticated":"true","user":{"extra":{"authentication.kubernetes.io/pod-name":["web-0"]},"groups":["system:serviceaccounts","system:serviceaccounts:shop"],"uid":"u-1","username":"system:serviceaccount:shop:robot"}}
          unavailable: the API server's answer about a review of a token could not be read
        {"audiences":["other"],"authenticated":true,"user":{"extra":{"authentication.kubernetes.io/pod-name":["web-0"]},"groups":["system:serviceaccounts","system:serviceaccounts:shop"],"uid":"u-1","username":"system:serviceaccount:shop:robot"}}
          refused: the token is not for this gateway: its audience is another
        {"audiences":null,"authenticated":true,"user":{"extra":{"authentication.kubernetes.io/pod-name":["web-0"]},"groups":["system:serviceaccounts","system:serviceaccounts:shop"],"uid":"u-1","username":"system:serviceaccount:shop:robot"}}
          refused: the token is not for this gateway: its audience is another
        {"audiences":["weir"],"authenticated":true,"user":null}
          unavailable: the API server's answer about a review of a token has no user
        {"audiences":["weir"],"authenticated":true,"user":{}}
          unavailable: the API server's answer about a review of a token could not be read
        {"audiences":["weir"],"authenticated":true,"user":{"username":"ada"}}
          refused: the token is not one of a service account: it is ada's
        {"audiences":["weir"],"authenticated":true,"user":{"username":"system:admin"}}
          refused: the token is not one of a service account: it is system:admin's
        {"audiences":["weir"],"authenticated":true,"user":{"username":"system:serviceaccounts"}}
          refused: the token is not one of a service account: it is system:serviceaccounts's
        null
          unavailable: the API server's answer about a review of a token has no status
    "#]].assert_eq(&lines);
}

/// A refusal is not remembered: the token may be known a moment later.
#[tokio::test]
async fn a_token_that_was_refused_is_asked_about_again() {
    let server = Server::start(reviewed(&json!({ "authenticated": false }))).await;
    let api = server.client(&["weir"]);
    let token = token(NOW + 600);
    assert!(api.service_account(&token, NOW).await.is_err());
    server.answers(reviewed(&robot()));
    assert!(api.service_account(&token, NOW).await.is_ok());
}
