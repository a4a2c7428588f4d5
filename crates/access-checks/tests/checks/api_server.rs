//! What a caller may do, and what a pod is, as an API server says it, or fails to.

use crate::server::{Answer, Asked, Server};
use crate::world::NOW;
use access_checks::{ApiServer, Bearer, Permission};
use access_model::{Identity, PodFacts, Proof, Resource, Review};
use expect_test::expect;
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn ada() -> Identity {
    Identity {
        user: "ada".to_owned(),
        uid: Some("u-7".to_owned()),
        groups: vec!["ops".to_owned(), "system:authenticated".to_owned()],
        extra: BTreeMap::from([("tenant".to_owned(), vec!["blue".to_owned()])]),
        proof: Proof::ClientCertificate { fingerprint: "00".to_owned() },
        expires_at: None,
    }
}

fn exec() -> Resource {
    Resource {
        version: "v1".to_owned(),
        namespace: Some("shop".to_owned()),
        resource: "pods".to_owned(),
        name: Some("web-0".to_owned()),
        subresource: Some("exec".to_owned()),
        ..Resource::default()
    }
}

async fn permission(api: &ApiServer) -> Result<Permission, access_checks::ApiServerError> {
    api.permission(&ada(), Review::Resource { action: "create", resource: &exec() }).await
}

fn reviewed(status: &Value) -> Answer {
    Answer::Json(201, json!({ "status": status }))
}

#[tokio::test]
async fn the_cluster_is_asked_about_the_caller_and_not_about_the_gateway() {
    let server = Server::start(reviewed(&json!({ "allowed": true }))).await;
    let api = server.client(&[]);
    assert_eq!(permission(&api).await.unwrap(), Permission::Granted);
    let review = Review::Path { action: "get", path: "/logs" };
    assert_eq!(api.permission(&ada(), review).await.unwrap(), Permission::Granted);
    let asked = |attributes: &str, value: Value| Asked {
        line: "POST /base/apis/authorization.k8s.io/v1/subjectaccessreviews".to_owned(),
        authorization: Some("Bearer own-token".to_owned()),
        body: json!({
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {
                "user": "ada",
                "uid": "u-7",
                "groups": ["ops", "system:authenticated"],
                "extra": { "tenant": ["blue"] },
                attributes: value,
            },
        }),
    };
    let resource = json!({
        "verb": "create", "group": "", "version": "v1", "namespace": "shop",
        "resource": "pods", "subresource": "exec", "name": "web-0",
    });
    let expected = [
        asked("resourceAttributes", resource),
        asked("nonResourceAttributes", json!({ "verb": "get", "path": "/logs" })),
    ];
    assert_eq!(server.asked(), expected);
}

#[tokio::test]
async fn only_a_clear_yes_is_a_permission() {
    let server = Server::start(Answer::Hang).await;
    let api = server.client(&[]);
    let mut lines = String::new();
    for status in [
        json!({ "allowed": true }),
        json!({ "allowed": false, "reason": "no rule" }),
        json!({ "allowed": false, "evaluationError": "role not found" }),
        json!({ "allowed": true, "denied": true, "reason": "a webhook" }),
        json!({ "allowed": "true" }),
        json!({ "allowed": null }),
        json!({}),
        Value::Null,
    ] {
        server.answers(reviewed(&status));
        let told = match permission(&api).await {
            Ok(permission) => format!("{permission:?}"),
            Err(error) => format!("error: {error}"),
        };
        lines += &format!("{status}: {told}\n");
    }
    expect![[r#"
        {"allowed":true}: Granted
        {"allowed":false,"reason":"no rule"}: Refused { reason: "no rule" }
        {"allowed":false,"evaluationError":"role not found"}: Refused { reason: "role not found" }
        {"allowed":true,"denied":true,"reason":"a webhook"}: Refused { reason: "a webhook" }
        {"allowed":"true"}: error: the API server's answer about a review of an access could not be read
        {"allowed":null}: error: the API server's answer about a review of an access could not be read
        {}: Refused { reason: "" }
        null: error: the API server's answer about a review of an access has no status
    "#]].assert_eq(&lines);
}

fn pod() -> Value {
    json!({
        "metadata": { "name": "web-0", "namespace": "shop", "uid": "u-2", "labels": { "app": "web" } },
        "spec": {
            "nodeName": "n1", "serviceAccountName": "robot",
            "containers": [{ "name": "app" }, { "name": "sidecar" }],
            "initContainers": [{ "name": "init" }],
            "ephemeralContainers": [{ "name": "debugger" }],
        },
    })
}

#[tokio::test]
async fn a_pod_is_what_the_api_server_says() {
    let server = Server::start(Answer::Json(200, pod())).await;
    let api = server.client(&[]);
    let expected = PodFacts {
        namespace: "shop".to_owned(),
        name: "web-0".to_owned(),
        uid: "u-2".to_owned(),
        node: Some("n1".to_owned()),
        service_account: Some("robot".to_owned()),
        labels: BTreeMap::from([("app".to_owned(), "web".to_owned())]),
        containers: vec!["app".to_owned(), "sidecar".to_owned()],
        init_containers: vec!["init".to_owned()],
        ephemeral_containers: vec!["debugger".to_owned()],
    };
    assert_eq!(api.pod("shop", "web-0").await.unwrap(), Some(expected));
    let asked = server.asked().remove(0);
    assert_eq!(asked.line, "GET /base/api/v1/namespaces/shop/pods/web-0");
    server.answers(Answer::Json(404, json!({ "kind": "Status" })));
    assert_eq!(api.pod("shop", "web-0").await.unwrap(), None);
    server.asked();
    // Another pod than the one that was asked for, and one without its identity.
    for (part, value) in [("name", "web-1"), ("namespace", "pay"), ("uid", "")] {
        let mut other = pod();
        other["metadata"][part] = json!(value);
        server.answers(Answer::Json(200, other));
        let error = api.pod("shop", "web-0").await.unwrap_err().to_string();
        assert_eq!(error, "the API server's answer about a pod has no matching metadata");
    }
    server.asked();
    // Names that would be other paths are not asked for.
    for name in ["..", "a/b", "a%2fb", "", "A", "a?b", ".a"] {
        assert!(api.pod("shop", name).await.is_err(), "{name}");
        assert!(api.pod(name, "web-0").await.is_err(), "{name}");
    }
    assert_eq!(server.asked(), []);
}

/// Each question meets each failure; none is an answer.
#[tokio::test]
async fn an_api_server_that_fails_gives_no_answer() {
    let server = Server::start(Answer::Hang).await;
    let api = server.client(&[]);
    let token = Bearer::new("opaque").unwrap();
    let failures = [
        ("500", Answer::Text(500, "it broke".to_owned())),
        ("200 with garbage", Answer::Text(200, "\u{0}\u{1}<html>".to_owned())),
        ("200 with nothing", Answer::Text(200, String::new())),
        ("403", Answer::Json(403, json!({ "status": { "allowed": true, "authenticated": true } }))),
        ("202", Answer::Json(202, json!({ "status": { "allowed": true, "authenticated": true } }))),
        ("an answer that is too long", Answer::Text(200, " ".repeat((4 << 20) + 1))),
        ("a redirect", Answer::Redirect),
        ("no answer", Answer::Hang),
    ];
    let mut lines = String::new();
    for (name, answer) in failures {
        server.answers(answer);
        let token = api.service_account(&token, NOW).await.unwrap_err();
        assert!(token.is_unavailable(), "the caller is not at fault: {token}");
        let permission = permission(&api).await.unwrap_err();
        let pod = api.pod("shop", "web-0").await.unwrap_err();
        lines += &format!("{name}\n  {token}\n  {permission}\n  {pod}\n");
        let asked: Vec<String> = server.asked().into_iter().map(|asked| asked.line).collect();
        assert!(asked.iter().all(|line| !line.contains("elsewhere")), "{asked:?}");
    }
    expect![[r#"
        500
          the API server of cluster prod answered 500 Internal Server Error when it was asked for a review of a token
          the API server of cluster prod answered 500 Internal Server Error when it was asked for a review of an access
          the API server of cluster prod answered 500 Internal Server Error when it was asked for a pod
        200 with garbage
          the API server's answer about a review of a token could not be read
          the API server's answer about a review of an access could not be read
          the API server's answer about a pod could not be read
        200 with nothing
          the API server's answer about a review of a token could not be read
          the API server's answer about a review of an access could not be read
          the API server's answer about a pod could not be read
        403
          the API server of cluster prod answered 403 Forbidden when it was asked for a review of a token
          the API server of cluster prod answered 403 Forbidden when it was asked for a review of an access
          the API server of cluster prod answered 403 Forbidden when it was asked for a pod
        202
          the API server of cluster prod answered 202 Accepted when it was asked for a review of a token
          the API server of cluster prod answered 202 Accepted when it was asked for a review of an access
          the API server of cluster prod answered 202 Accepted when it was asked for a pod
        an answer that is too long
          the API server's answer about a review of a token is longer than 4194304 bytes
          the API server's answer about a review of an access is longer than 4194304 bytes
          the API server's answer about a pod is longer than 4194304 bytes
        a redirect
          the API server of cluster prod answered 307 Temporary Redirect when it was asked for a review of a token
          the API server of cluster prod answered 307 Temporary Redirect when it was asked for a review of an access
          the API server of cluster prod answered 307 Temporary Redirect when it was asked for a pod
        no answer
          the API server of cluster prod could not be asked for a review of a token
          the API server of cluster prod could not be asked for a review of an access
          the API server of cluster prod could not be asked for a pod
    "#]].assert_eq(&lines);
}

#[tokio::test]
async fn nobody_but_the_named_authority_vouches_for_the_api_server() {
    let server = Server::start(reviewed(&json!({ "allowed": true }))).await;
    let other = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let api = server.client_that_trusts(&other.cert.pem(), &[]);
    assert!(permission(&api).await.is_err());
    assert_eq!(server.asked(), [], "not even the token was sent");
}

/// Whoever replaces the token's file is believed at the next question.
#[tokio::test]
async fn the_gateways_own_token_is_read_each_time() {
    let server = Server::start(reviewed(&json!({ "allowed": true }))).await;
    let api = server.client(&[]);
    permission(&api).await.unwrap();
    let path = server.token_file("another");
    permission(&api).await.unwrap();
    let sent: Vec<String> =
        server.asked().into_iter().filter_map(|asked| asked.authorization).collect();
    assert_eq!(sent, ["Bearer own-token", "Bearer another"]);
    for wrong in ["", "\n", "two\nlines", &"x".repeat((64 << 10) + 1)] {
        server.token_file(wrong);
        assert!(permission(&api).await.is_err());
    }
    std::fs::remove_file(path).unwrap();
    assert!(permission(&api).await.is_err());
    assert_eq!(server.asked(), []);
}
