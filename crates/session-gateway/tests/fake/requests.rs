//! Privileged requests without streams, and what is recorded of plain ones.

use crate::client::{body, get};
use crate::world::{ALICE, RULES, Wish, World};
use http::Request;
use http_body_util::BodyExt as _;
use session_record::{Event, Stream};

fn send(method: &str, path: &str, text: &'static str) -> crate::client::Sent {
    let request = Request::builder().method(method).uri(path).header("host", "gateway");
    request.header("content-type", "application/json").body(body(text)).unwrap()
}

/// The members of calls that do not depend on who runs the test.
fn calls(events: &[Event]) -> Vec<String> {
    let calls = events.iter().filter_map(|event| match event {
        Event::Call { json } => Some(serde_json::from_slice::<serde_json::Value>(json).unwrap()),
        _ => None,
    });
    let shown = calls.map(|call| {
        let text = |name: &str| call[name].as_str().unwrap_or_default().to_owned();
        match call["status"].as_u64() {
            Some(status) => format!("{} {status}", text("at")),
            None => [
                text("at"),
                text("user"),
                text("method"),
                text("target"),
                text("body"),
                text("bodyLeftOut"),
            ]
            .join(" ")
            .trim_end()
            .to_owned(),
        }
    });
    shown.collect()
}

#[tokio::test]
async fn logs_are_recorded_as_they_are_shown() {
    let world = World::start().await;
    let answer =
        world.client(ALICE).send(get("/api/v1/namespaces/shop/pods/web/log?container=main")).await;
    assert_eq!(answer, (200, "first line\nsecond line\n".to_owned()));
    world.gateway.stop().await;
    let session = world.evidence.only_session();
    assert_eq!(session.opening.access.verb, "logs");
    assert_eq!(session.stream(Stream::Stdout), b"first line\nsecond line\n");
    assert_eq!(
        calls(&session.events),
        ["request alice GET /api/v1/namespaces/shop/pods/web/log?container=main", "answer 200",]
    );
    assert_eq!(session.ending(), "sealed Finished { exit_code: None }");
}

#[tokio::test]
async fn logs_that_are_followed_arrive_line_by_line() {
    let world = World::start().await;
    let mut sender = world.client(ALICE).http1().await;
    let request = get("/api/v1/namespaces/shop/pods/web/log?follow=true");
    let response = sender.send_request(request).await.unwrap();
    let mut body = response.into_body();
    for line in ["one\n", "two\n"] {
        world.api.happen(line).await;
        let frame = body.frame().await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), line);
    }
    assert_eq!(world.gateway.sessions().len(), 1);
    drop((body, sender));
    world.gateway.stop().await;
    let session = world.evidence.only_session();
    assert_eq!(session.stream(Stream::Stdout), b"one\ntwo\n");
    assert!(["sealed ClientLeft", "sealed GatewayStopped"].contains(&session.ending().as_str()));
}

#[tokio::test]
async fn what_is_proxied_is_recorded_in_both_directions() {
    let world = World::start().await;
    let path = "/api/v1/namespaces/shop/services/http:web:80/proxy/orders";
    let answer = world.client(ALICE).send(send("POST", path, "an order")).await;
    assert_eq!(answer.0, 200, "{answer:?}");
    assert_eq!(world.api.asked_once().body_bytes, 8);
    world.gateway.stop().await;
    let session = world.evidence.only_session();
    assert_eq!(session.opening.access.verb, "proxy");
    assert_eq!(session.stream(Stream::Stdin), b"an order");
    assert_eq!(session.stream(Stream::Stdout), br#"{"kind":"Whatever"}"#);
}

#[tokio::test]
async fn tokens_are_asked_for_on_the_record_and_never_in_it() {
    let world = World::start().await;
    let path = "/api/v1/namespaces/shop/serviceaccounts/web/token";
    let answer = world.client(ALICE).send(send("POST", path, r#"{"spec":{}}"#)).await;
    assert_eq!(answer.0, 200);
    world.gateway.stop().await;
    let session = world.evidence.only_session();
    assert_eq!(session.opening.access.verb, "token-request");
    assert_eq!(session.stream(Stream::Stdout), b"");
    assert_eq!(
        calls(&session.events),
        ["request alice POST /api/v1/namespaces/shop/serviceaccounts/web/token", "answer 200",]
    );
}

#[tokio::test]
async fn an_ephemeral_container_is_recorded_with_what_it_is() {
    let world = World::start().await;
    let path = "/api/v1/namespaces/shop/pods/web/ephemeralcontainers";
    let text = r#"{"spec":{"ephemeralContainers":[{"name":"debugger","image":"busybox"}]}}"#;
    assert_eq!(world.client(ALICE).send(send("PATCH", path, text)).await.0, 200);
    world.gateway.stop().await;
    let session = world.evidence.only_session();
    assert_eq!(session.opening.access.verb, "debug");
    assert_eq!(
        calls(&session.events),
        [format!("request alice PATCH {path} {text}"), "answer 200".to_owned()]
    );
    let headers = &world.api.asked_once().headers;
    assert_eq!(
        headers["impersonate-extra-weir.dev%2fsession"],
        session.opening.session.to_string()
    );
}

#[tokio::test]
async fn a_pod_that_reaches_beyond_itself_is_a_session_and_can_be_refused() {
    let rules = format!("{RULES}  - name: no-host\n    privileges: [host-pid]\n    effect: deny\n");
    let world = World::with(Wish { rules, ..Wish::default() }).await;
    let alice = world.client(ALICE);
    let path = "/api/v1/namespaces/shop/pods";
    let on_node = r#"{"kind":"Pod","spec":{"nodeName":"node-1","containers":[]}}"#;
    assert_eq!(alice.send(send("POST", path, on_node)).await.0, 200);
    let in_host = r#"{"kind":"Pod","spec":{"hostPID":true,"containers":[]}}"#;
    let (code, text) = alice.send(send("POST", path, in_host)).await;
    assert_eq!(code, 403, "{text}");
    assert!(text.contains("no-host"), "{text}");
    let plain = r#"{"kind":"Pod","spec":{"containers":[]}}"#;
    assert_eq!(alice.send(send("POST", path, plain)).await.0, 200);
    assert_eq!(world.api.asked().len(), 2);
    world.gateway.stop().await;
    let recorded = world.evidence.all();
    let mut shown: Vec<Vec<String>> = recorded.iter().map(|read| calls(&read.events)).collect();
    shown.sort();
    assert_eq!(
        shown,
        [
            vec![format!("request alice POST {path}"), "answer 200".to_owned()],
            vec![format!("request alice POST {path} {on_node}"), "answer 200".to_owned()],
        ]
    );
}

#[tokio::test]
async fn calls_that_change_something_are_recorded_and_secrets_are_not() {
    let rules = RULES.replace("effect: allow\n", "effect: allow\n    bodies: mutations\n");
    let world = World::with(Wish { rules, ..Wish::default() }).await;
    let alice = world.client(ALICE);
    assert_eq!(alice.send(get("/api/v1/namespaces/shop/configmaps/a")).await.0, 200);
    for path in ["/api/v1/namespaces/shop/configmaps", "/api/v1/namespaces/shop/secrets"] {
        assert_eq!(alice.send(send("POST", path, r#"{"data":{"a":"b"}}"#)).await.0, 200);
    }
    assert_eq!(alice.send(send("DELETE", "/api/v1/namespaces/shop/configmaps/a", "")).await.0, 200);
    world.gateway.stop().await;
    let recorded = world.evidence.all();
    assert_eq!(recorded.len(), 1);
    assert_eq!(
        calls(&recorded[0].events),
        [
            r#"request alice POST /api/v1/namespaces/shop/configmaps {"data":{"a":"b"}}"#,
            "answer 200",
            "request alice POST /api/v1/namespaces/shop/secrets  it holds secrets",
            "answer 200",
            "request alice DELETE /api/v1/namespaces/shop/configmaps/a",
            "answer 200",
        ]
    );
}
