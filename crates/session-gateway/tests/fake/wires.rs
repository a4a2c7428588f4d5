//! What a client may do on the wire that well-behaved libraries do not: frames in pieces, bytes before they are asked
//! for, extensions, and a second request where a session was refused.

use crate::person::{SPDY, SPDY_FORWARD, TUNNEL, V5, success};
use crate::world::{ALICE, World};
use bytes::Bytes;
use session_proto::{Asked, Codec, Output, Role, Version};
use session_record::{Event, Stream};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tungstenite::Message;
use tungstenite::protocol::frame::Frame;
use tungstenite::protocol::frame::coding::{Data, OpCode};

const EXEC: &str =
    "/api/v1/namespaces/shop/pods/web/exec?stdin=true&stdout=true&tty=true&command=shell";
const WEB_SOCKET: &str = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
     Sec-WebSocket-Protocol: v5.channel.k8s.io\r\n";

fn frame(opcode: Data, is_final: bool, bytes: &'static [u8]) -> Message {
    Message::Frame(Frame::message(Bytes::from_static(bytes), OpCode::Data(opcode), is_final))
}

/// A message of three frames with a ping inside is one line, and an empty one is nothing.
#[tokio::test]
async fn messages_in_pieces_are_recorded_as_one() {
    let world = World::start().await;
    let mut person = world.client(ALICE).exec(V5, "stdin stdout tty", &["shell"]).await;
    person.until("$ ").await;
    for message in [
        Message::binary(Vec::new()),
        frame(Data::Binary, false, b"\0l"),
        Message::Ping(Bytes::from_static(b"are you there")),
        frame(Data::Continue, false, b""),
        frame(Data::Continue, true, b"s\r"),
        // Runtimes read text as they read binary, and clients rely on it.
        Message::text("\0id\r"),
        Message::binary(vec![0]),
    ] {
        person.spoken.say_raw(message).await;
    }
    person.until("ran id").await;
    person.type_in("\u{4}").await;
    assert_eq!(person.wait().await.status, success());
    assert_eq!(world.api.lines(), ["ls", "id"]);
    world.gateway.stop().await;
    assert_eq!(world.evidence.only_session().stream(Stream::Stdin), b"ls\rid\r\x04");
}

/// A frame that continues nothing, one that is not final and is followed by another, and one that is too long to be a
/// ping: nothing after it is executed, and the recording says why it ended.
#[tokio::test]
async fn frames_against_the_rules_end_the_session() {
    let begun = frame(Data::Binary, false, b"\0a");
    for messages in [
        vec![frame(Data::Continue, true, b"\0ls\r")],
        vec![begun, frame(Data::Binary, true, b"\0ls\r")],
        vec![Message::Frame(Frame::ping(vec![b'x'; 126]))],
    ] {
        let world = World::start().await;
        let mut person = world.client(ALICE).exec(V5, "stdin stdout tty", &["shell"]).await;
        person.until("$ ").await;
        for message in messages {
            person.spoken.say_raw(message).await;
        }
        world.api.until(|executed| executed[0].over).await;
        drop(person);
        world.gateway.stop().await;
        assert_eq!(world.api.lines(), [""; 0]);
        let ending = world.evidence.only_session().ending();
        assert!(ending.starts_with("sealed Protocol"), "{ending}");
    }
}

/// The head of an answer.
async fn head(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap().to_ascii_lowercase()
}

/// Masked with zeros, which change nothing.
fn typed(text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len() + 1).unwrap();
    [&[0x82, 0x80 | length, 0, 0, 0, 0, 0], text.as_bytes()].concat()
}

#[tokio::test]
async fn what_comes_with_the_request_is_typed_and_recorded() {
    let world = World::start().await;
    let mut stream = world.client(ALICE).tls(&["http/1.1"]).await;
    // And in the letters that proxies like: they are the same words.
    let request = format!(
        "GET {EXEC} HTTP/1.1\r\nHost: gateway\r\nConnection: keep-alive, UPGRADE\r\nUpgrade: WebSocket\r\n{WEB_SOCKET}\r\n"
    );
    let all = [request.as_bytes(), &typed("ls\r"), &typed("\u{4}")].concat();
    stream.write_all(&all).await.unwrap();
    assert!(head(&mut stream).await.starts_with("http/1.1 101"));
    world.api.until(|executed| executed.first().is_some_and(|one| one.over)).await;
    drop(stream);
    assert_eq!(world.api.lines(), ["ls"]);
    world.gateway.stop().await;
    assert_eq!(world.evidence.only_session().stream(Stream::Stdin), b"ls\r\x04");
}

/// A terminal over SPDY, as its client speaks after this request.
fn spdy_client() -> Codec {
    let asked = Asked { stdin: true, stdout: true, stderr: false, terminal: true };
    Codec::command_streams(Role::Client, Version::V4, asked)
}

fn spdy_request() -> String {
    format!(
        "POST {EXEC} HTTP/1.1\r\nHost: gateway\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\
         X-Stream-Protocol-Version: v4.channel.k8s.io\r\n\r\n"
    )
}

/// Over SPDY as well, where a client opens its streams without waiting.
#[tokio::test]
async fn streams_that_come_with_the_request_are_opened_and_recorded() {
    let world = World::start().await;
    let mut stream = world.client(ALICE).tls(&["http/1.1"]).await;
    let mut codec = spdy_client();
    for bytes in ["ls\r", "\u{4}"] {
        let event = Event::Data { stream: Stream::Stdin, bytes: Bytes::from(bytes) };
        codec.send(&event).unwrap();
    }
    let Some(Output::Bytes(said)) = codec.next_output() else { panic!("SPDY is a stream") };
    stream.write_all(&[spdy_request().as_bytes(), &said].concat()).await.unwrap();
    assert!(head(&mut stream).await.starts_with("http/1.1 101"));
    world.api.until(|executed| executed.first().is_some_and(|one| one.over)).await;
    drop(stream);
    assert_eq!(world.api.lines(), ["ls"]);
    world.gateway.stop().await;
    assert_eq!(world.evidence.only_session().stream(Stream::Stdin), b"ls\r\x04");
}

/// Compressed messages would have to be inflated to be recorded.
#[tokio::test]
async fn extensions_are_not_granted() {
    let world = World::start().await;
    let mut stream = world.client(ALICE).tls(&["http/1.1"]).await;
    let request = format!(
        "GET {EXEC} HTTP/1.1\r\nHost: gateway\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n{WEB_SOCKET}\
         Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let answer = head(&mut stream).await;
    assert!(answer.starts_with("http/1.1 101"), "{answer}");
    assert!(!answer.contains("extensions"), "{answer}");
    let asked = world.api.until(|executed| !executed.is_empty()).await;
    assert_eq!(asked[0].command, ["shell"]);
    let headers = world.api.asked_once().headers;
    assert!(!headers.contains_key("sec-websocket-extensions"), "{headers:?}");
    // A frame that says to be compressed, without the extension.
    let mut compressed = typed("ls\r");
    compressed[0] |= 0x40;
    stream.write_all(&compressed).await.unwrap();
    world.api.until(|executed| executed[0].over).await;
    assert_eq!(world.api.lines(), [""; 0]);
}

/// Where an upgrade was refused, the connection to the API server is not the client's: what the client sends next is a
/// request like any other, and asked as the caller.
#[tokio::test]
async fn after_a_refused_upgrade_nothing_reaches_the_cluster_unasked() {
    let world = World::start().await;
    let mut stream = world.client(ALICE).tls(&["http/1.1"]).await;
    let upgrade = "POST /api/v1/namespaces/shop/pods/broken/portforward HTTP/1.1\r\nHost: gateway\r\nConnection: Upgrade\r\n\
                   Upgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: portforward.k8s.io\r\n\r\n";
    let smuggled = "GET /api/v1/secrets HTTP/1.1\r\nHost: gateway\r\nImpersonate-User: admin\r\n\r\n\
                    GET /api/v1/namespaces/shop/secrets HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n";
    stream.write_all(format!("{upgrade}{smuggled}").as_bytes()).await.unwrap();
    let mut answers = Vec::new();
    drop(stream.read_to_end(&mut answers).await);
    let answers = String::from_utf8_lossy(&answers).into_owned();
    let codes: Vec<&str> =
        answers.split("HTTP/1.1 ").skip(1).filter_map(|answer| answer.get(..3)).collect();
    assert!(["409"].as_slice() == codes || ["409", "403", "200"].as_slice() == codes, "{answers}");
    for asked in world.api.asked() {
        assert_eq!(asked.headers["impersonate-user"], "alice", "{asked:?}");
        assert!(!asked.target.ends_with("/v1/secrets"), "{asked:?}");
    }
}

/// Somebody in the place of the API server would send the gateway, with its identity, wherever it likes.
#[tokio::test]
async fn a_redirect_of_a_session_is_not_followed() {
    let world = World::start().await;
    let path = "/api/v1/namespaces/shop/pods/moved/exec?stdout=true&command=sh";
    for protocol in [V5, SPDY] {
        let outcome = world.client(ALICE).run(protocol, path).await.unwrap().wait().await;
        assert!(outcome.status.contains("\"Failure\""), "{outcome:?}");
        assert!(!outcome.status.contains("elsewhere"), "{outcome:?}");
    }
    let path = "/api/v1/namespaces/shop/pods/moved/portforward";
    for protocol in [TUNNEL, SPDY_FORWARD] {
        let Err((code, _)) = world.client(ALICE).run(protocol, path).await else {
            panic!("it was let in")
        };
        assert!(code >= 400, "{code}");
    }
    assert!(world.api.executed().is_empty());
}

#[tokio::test]
async fn whoever_attaches_is_recorded() {
    let world = World::start().await;
    let path = "/api/v1/namespaces/shop/pods/web/attach?stdin=true&stdout=true&tty=true&container=debugger";
    for protocol in [V5, SPDY] {
        let mut person = world.client(ALICE).run(protocol, path).await.unwrap();
        person.until("$ ").await;
        person.type_in("id\r").await;
        person.until("ran id").await;
        person.type_in("\u{4}").await;
        assert_eq!(person.wait().await.status, success());
    }
    world.gateway.stop().await;
    for session in world.evidence.sessions() {
        let access = &session.opening.access;
        assert_eq!(
            (access.verb.as_str(), access.container.as_deref()),
            ("attach", Some("debugger"))
        );
        assert_eq!(session.stream(Stream::Stdin), b"id\r\x04");
    }
}

/// What a client says of where it comes from is no proof, and the recording has the connection's other end.
#[tokio::test]
async fn a_client_does_not_choose_its_address() {
    let world = World::start().await;
    let mut stream = world.client(ALICE).tls(&["http/1.1"]).await;
    let long = "k".repeat(5000);
    let request = format!(
        "GET {EXEC} HTTP/1.1\r\nHost: gateway\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n{WEB_SOCKET}\
         X-Forwarded-For: 203.0.113.7\r\nForwarded: for=203.0.113.7\r\nX-Real-Ip: 203.0.113.7\r\nUser-Agent: {long}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    assert!(head(&mut stream).await.starts_with("http/1.1 101"));
    stream.write_all(&typed("\u{4}")).await.unwrap();
    world.api.until(|executed| executed.first().is_some_and(|one| one.over)).await;
    drop(stream);
    world.gateway.stop().await;
    let client = world.evidence.only_session().opening.client;
    assert!(client.address.starts_with("127.0.0.1:"), "{client:?}");
    assert!(client.user_agent.is_some_and(|agent| agent.len() < 1000));
    let headers = format!("{:?}", world.api.asked_once().headers);
    assert!(!headers.contains("203.0.113.7"), "{headers}");
}

/// Whoever pings and never reads is let go, before its answers fill the memory.
#[tokio::test]
async fn answers_that_nobody_reads_end_the_session() {
    let world = World::start().await;
    let mut stream = world.client(ALICE).tls(&["http/1.1"]).await;
    let mut codec = spdy_client();
    stream.write_all(spdy_request().as_bytes()).await.unwrap();
    assert!(head(&mut stream).await.starts_with("http/1.1 101"));
    let pings = async {
        loop {
            (0..1000).for_each(|_| codec.ping());
            while let Some(Output::Bytes(said)) = codec.next_output() {
                if stream.write_all(&said).await.is_err() {
                    return;
                }
            }
        }
    };
    tokio::select! {
        () = pings => {}
        _ = world.api.until(|executed| executed.first().is_some_and(|one| one.over)) => {}
    }
    drop(stream);
    world.gateway.stop().await;
    let ending = world.evidence.only_session().ending();
    assert!(ending.contains("reads none of them"), "{ending}");
}
