//! Plain use of the API goes through unchanged, as the caller, and as it comes.

use crate::client::{self, get, read};
use crate::world::{ALICE, World};
use bytes::Bytes;
use expect_test::expect;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Version};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

#[tokio::test]
async fn the_api_server_learns_who_the_caller_is() {
    let world = World::start().await;
    let alice = world.client(ALICE);
    let mut request = get("/api/v1/namespaces/shop/pods?limit=500&labelSelector=a%3Db");
    request.headers_mut().insert("x-forwarded-for", HeaderValue::from_static("10.0.0.1"));
    request.headers_mut().insert("kubectl-command", HeaderValue::from_static("kubectl get"));
    let answer = alice.send(request).await;
    assert_eq!(answer, (200, r#"{"kind":"Whatever"}"#.to_owned()));
    let asked = world.api.asked_once();
    assert_eq!(asked.target, "/base/api/v1/namespaces/shop/pods?limit=500&labelSelector=a%3Db");
    let mut headers: Vec<String> = asked
        .headers
        .iter()
        .filter(|(name, _)| *name != "host")
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
        .collect();
    headers.sort();
    expect![[r#"
        impersonate-group: developers
        impersonate-group: system:authenticated
        impersonate-user: alice
        kubectl-command: kubectl get"#]]
    .assert_eq(&headers.join("\n"));
}

#[tokio::test]
async fn connections_to_the_api_server_are_used_again() {
    let world = World::start().await;
    let alice = world.client(ALICE);
    for _ in 0..3 {
        assert_eq!(alice.send(get("/version")).await.0, 200);
    }
    assert_eq!(*world.api.notes.connections.lock().unwrap(), 1);
}

#[tokio::test]
async fn http2_is_served_too() {
    let world = World::start().await;
    let mut sender = world.client(ALICE).http2().await;
    let request = Request::get("https://gateway/clusters/fake/version").body(client::body(""));
    let response = sender.send_request(request.unwrap()).await.unwrap();
    assert_eq!(response.version(), Version::HTTP_2);
    assert_eq!(read(response).await, (200, r#"{"major":"1"}"#.to_owned()));
    assert_eq!(world.api.asked_once().target, "/base/version");
}

#[tokio::test]
async fn a_watch_arrives_line_by_line() {
    let world = World::start().await;
    let mut sender = world.client(ALICE).http1().await;
    let response = sender.send_request(get("/api/v1/pods?watch=true")).await.unwrap();
    let mut body = response.into_body();
    for line in ["{\"type\":\"ADDED\"}\n", "{\"type\":\"DELETED\"}\n"] {
        world.api.happen(line).await;
        let frame = body.frame().await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), line);
    }
}

#[tokio::test]
async fn a_hundred_megabytes_pass_in_both_directions() {
    let world = World::start().await;
    let alice = world.client(ALICE);
    let chunks = (0..1600).map(|_| Ok(Frame::data(Bytes::from_static(&[b'y'; 64 << 10]))));
    let body = BodyExt::boxed(StreamBody::new(futures_util::stream::iter(chunks)));
    let request = Request::post("/api/v1/namespaces/shop/configmaps").header("host", "gateway");
    assert_eq!(alice.send(request.body(body).unwrap()).await.0, 200);
    assert_eq!(world.api.asked_once().body_bytes, 100 << 20);
    let mut sender = alice.http1().await;
    let response = sender.send_request(get("/api/v1/configmaps")).await.unwrap();
    let mut body = response.into_body();
    let mut bytes = 0;
    while let Some(frame) = body.frame().await {
        bytes += frame.unwrap().into_data().unwrap().len();
    }
    assert_eq!(bytes, 100 << 20);
}

#[tokio::test]
async fn trailers_follow_a_body() {
    let world = World::start().await;
    let trailer = HeaderName::from_static("x-checksum");
    let mut trailers = HeaderMap::new();
    trailers.insert(trailer, HeaderValue::from_static("abc"));
    let frames = [Ok(Frame::data(Bytes::from_static(b"body"))), Ok(Frame::trailers(trailers))];
    let body = BodyExt::boxed(StreamBody::new(futures_util::stream::iter(frames)));
    let request = Request::post("/api/v1/namespaces/shop/configmaps")
        .header("host", "gateway")
        .header("trailer", "x-checksum");
    assert_eq!(world.client(ALICE).send(request.body(body).unwrap()).await.0, 200);
    let asked = world.api.asked_once();
    assert_eq!(
        (asked.body_bytes, asked.headers.get("x-checksum").unwrap().as_bytes()),
        (4, &b"abc"[..])
    );
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_not_followed() {
    let world = World::start().await;
    assert_eq!(world.client(ALICE).send(get("/api/v1/services")).await.0, 302);
    assert_eq!(world.api.asked().len(), 1);
}

#[tokio::test]
async fn whoever_proves_nothing_is_told_so() {
    let world = World::start().await;
    let answer = world.client_with(None).send(get("/version")).await;
    assert_eq!(answer.0, 401, "{answer:?}");
    assert_eq!(world.api.asked().len(), 0);
}

#[tokio::test]
async fn clients_may_not_impersonate() {
    let world = World::start().await;
    for name in
        ["impersonate-user", "impersonate-group", "impersonate-extra-scopes", "x-remote-user"]
    {
        let mut request = get("/version");
        request.headers_mut().insert(name, HeaderValue::from_static("admin"));
        let (code, text) = world.client(ALICE).send(request).await;
        assert_eq!(code, 403);
        assert!(text.contains(&format!("the header {name} claims an identity")), "{text}");
    }
    assert_eq!(world.api.asked().len(), 0);
}

/// What hyper would not send: two ways to say where a request ends, two hosts, and what follows an end.
#[tokio::test]
async fn requests_that_two_servers_may_read_differently_reach_nobody_or_as_one() {
    let world = World::start().await;
    let alice = world.client(ALICE);
    let cases: [(&str, &str, usize); 6] = [
        (
            "POST /api/v1/namespaces/shop/configmaps HTTP/1.1\r\nHost: gateway\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\n\r\nGET /version HTTP/1.1\r\nHost: gateway\r\n\r\n",
            "HTTP/1.1 200",
            1,
        ),
        (
            "POST /api/v1/namespaces/shop/configmaps HTTP/1.1\r\nHost: gateway\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
            "HTTP/1.1 400",
            0,
        ),
        (
            "POST /api/v1/namespaces/shop/configmaps HTTP/1.1\r\nHost: gateway\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
            "HTTP/1.1 400",
            0,
        ),
        (
            "GET /version HTTP/1.1\r\nHost: gateway\r\nHost: other\r\nConnection: close\r\n\r\n",
            "HTTP/1.1 400",
            0,
        ),
        (
            "GET https://other/version HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n",
            "HTTP/1.1 400",
            0,
        ),
        (
            "CONNECT kubernetes:443 HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n",
            "HTTP/1.1 400",
            0,
        ),
    ];
    for (request, answer, reached) in cases {
        world.api.notes.asked.lock().unwrap().clear();
        let mut stream = alice.tls(&["http/1.1"]).await;
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut first = [0; 12];
        stream.read_exact(&mut first).await.unwrap();
        assert_eq!(String::from_utf8_lossy(&first), answer, "{request}");
        let mut rest = Vec::new();
        drop(stream.read_to_end(&mut rest).await);
        assert_eq!(world.api.asked().len(), reached, "{request}");
    }
}
