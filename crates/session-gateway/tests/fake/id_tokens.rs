//! ID tokens of a real provider: who is let in by them, as whom, and what is left of them.

use crate::client::{Client, get};
use crate::person::{SPDY, V5, success};
use crate::world::{Wish, World};
use oidc_testbed::Provider;
use session_record::Stream;

const RULES: &str = "\
rules:
  - name: operators
    groups: [\"oidc:ops\"]
    effect: allow
";

async fn world(provider: &Provider) -> World {
    let clients = format!(
        "  oidc:
  - issuer: {}
    audiences: [weir]
    authority: issuer.pem
    usernameClaim: email
    groupsClaim: groups
    groupsPrefix: \"oidc:\"
",
        provider.issuer()
    );
    World::with(Wish {
        rules: RULES.to_owned(),
        clients,
        files: vec![("issuer.pem", provider.authority().to_owned())],
        ..Wish::default()
    })
    .await
}

fn bearer(world: &World, token: &str) -> Client {
    world.client_with(None).with_token(token)
}

#[tokio::test]
async fn an_id_token_opens_a_session_as_whom_it_names() {
    let provider = Provider::start().await.unwrap();
    let world = world(&provider).await;
    let token = provider.id_token("weir", "ada").await.unwrap();
    let ada = bearer(&world, &token);
    for protocol in [V5, SPDY] {
        let outcome = ada.exec(protocol, "stdout stderr", &["echo", "hello"]).await.wait().await;
        assert_eq!((outcome.stdout.as_str(), outcome.status), ("hello\n", success()));
    }
    for asked in world.api.asked() {
        let all = |name: &str| {
            let values = asked.headers.get_all(name).iter();
            values.map(|value| value.to_str().unwrap().to_owned()).collect::<Vec<String>>()
        };
        assert_eq!(all("impersonate-user"), ["ada@example.org"]);
        let groups = ["oidc:ops", "oidc:oncall", "system:authenticated"];
        assert_eq!(all("impersonate-group"), groups);
        // It is the gateway's own connection, and a token is its owner's alone.
        assert!(all("authorization").is_empty(), "{:?}", asked.headers);
        assert!(!format!("{asked:?}").contains(&token));
    }
    world.gateway.stop().await;
    let sessions = world.evidence.sessions();
    assert_eq!(sessions.len(), 2);
    for session in sessions {
        let user = &session.opening.user;
        assert_eq!(user.name, "ada@example.org");
        let proof = format!("OIDC {} subject ada token sha256:", provider.issuer());
        assert!(user.proof.starts_with(&proof), "{}", user.proof);
        assert!(!format!("{session:?}").contains(&token));
        assert_eq!(session.stream(Stream::Stdout), b"hello\n");
    }
}

#[tokio::test]
async fn other_tokens_open_nothing() {
    let mut provider = Provider::start().await.unwrap();
    let world = world(&provider).await;
    let mut told = Vec::new();
    let tokens = [
        provider.id_token("other", "ada").await.unwrap(),
        provider.id_token("weir", "bob").await.unwrap(),
        provider.id_token("weir", "eve").await.unwrap(),
        "opaque".to_owned(),
    ];
    // Logs need no rule; this does.
    let path = "/api/v1/namespaces/shop/services/web/proxy/orders";
    for token in &tokens {
        told.push(answer(&bearer(&world, token), path).await);
    }
    told.push(answer(&world.client_with(None), path).await);
    // A provider that is away says of nobody who it is, and the caller is not at fault.
    let token = provider.id_token("weir", "ada").await.unwrap();
    provider.rotate().await.unwrap();
    let unknown = provider.id_token("weir", "ada").await.unwrap();
    provider.stop().await.unwrap();
    told.push(answer(&bearer(&world, &unknown), path).await);
    assert_eq!(answer(&bearer(&world, &token), path).await.0, 200);
    expect_test::expect![[r#"
        [
            (
                401,
                "the token is not for this gateway: its audience is another",
            ),
            (
                401,
                "the token's email is not verified",
            ),
            (
                403,
                "no rule of the gateway allows this; ask its operator for one",
            ),
            (
                401,
                "the token is of an issuer that the gateway does not know",
            ),
            (
                401,
                "the gateway needs a proof of who you are: a client certificate or a token",
            ),
            (
                401,
                "the token is signed with a key that its issuer does not name",
            ),
        ]
    "#]]
    .assert_debug_eq(&told);
    let targets: Vec<String> = world.api.asked().into_iter().map(|asked| asked.target).collect();
    assert_eq!(targets, [format!("/base{path}")], "only ada's request went on");
}

/// The code and the sentence.
async fn answer(client: &Client, path: &str) -> (u16, String) {
    let (code, text) = client.send(get(path)).await;
    let status: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    (code, status["message"].as_str().unwrap_or_default().to_owned())
}
