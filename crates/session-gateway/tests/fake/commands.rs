//! Commands, in every protocol on either side: what the person sees, what was executed, and what was recorded.

use crate::person::{Outcome, Protocol, SPDY, V5, exited, success};
use crate::world::{ALICE, World};
use session_record::Stream;

const CLIENTS: [Protocol; 8] = [
    V5,
    Protocol::WebSocket("v4.channel.k8s.io"),
    Protocol::WebSocket("v4.base64.channel.k8s.io"),
    Protocol::WebSocket("channel.k8s.io"),
    Protocol::WebSocket(""),
    SPDY,
    Protocol::Spdy("v3.channel.k8s.io"),
    Protocol::Spdy("channel.k8s.io"),
];

/// Whether the protocol has a status object, and words for the end of stdin.
fn has(protocol: Protocol) -> (bool, bool) {
    match protocol {
        Protocol::WebSocket(name) => {
            (name.starts_with("v5") || name.starts_with("v4"), name.starts_with("v5"))
        }
        Protocol::Spdy(name) => (name.starts_with("v4"), true),
    }
}

#[tokio::test]
async fn a_command_says_the_same_in_every_protocol() {
    for web_sockets in [true, false] {
        let world = World::start().await;
        if !web_sockets {
            world.api.refuse_web_sockets();
        }
        for protocol in CLIENTS {
            let alice = world.client(ALICE);
            let person = alice.exec(protocol, "stdout stderr", &["echo", "hello"]).await;
            let outcome = person.wait().await;
            assert_eq!(outcome.stdout, "hello\n", "{protocol:?}");
            if has(protocol).0 {
                assert_eq!(outcome.status, success(), "{protocol:?}");
            }
            let person =
                alice.exec(protocol, "stdout stderr", &["fail", "no such file", "exit=7"]).await;
            let outcome = person.wait().await;
            assert_eq!(outcome.stderr, "no such file\n", "{protocol:?}");
            if has(protocol).0 {
                assert_eq!(outcome.status, exited(7), "{protocol:?}");
            } else {
                assert!(outcome.status.contains("exit status 7"), "{protocol:?} {outcome:?}");
            }
        }
        world.gateway.stop().await;
        let sessions = world.evidence.sessions();
        assert_eq!(sessions.len(), CLIENTS.len() * 2);
        for session in sessions {
            let (stdout, stderr, ending) = match session.opening.access.command[0].as_str() {
                "echo" => ("hello\n", "", "sealed Finished { exit_code: Some(0) }"),
                _ => ("", "no such file\n", "sealed Finished { exit_code: Some(7) }"),
            };
            assert_eq!(session.stream(Stream::Stdout), stdout.as_bytes());
            assert_eq!(session.stream(Stream::Stderr), stderr.as_bytes());
            assert_eq!(session.ending(), ending);
        }
    }
}

#[tokio::test]
async fn what_is_sent_arrives_and_is_recorded() {
    for web_sockets in [true, false] {
        let world = World::start().await;
        if !web_sockets {
            world.api.refuse_web_sockets();
        }
        let ends = CLIENTS.into_iter().filter(|protocol| has(*protocol).1);
        for (n, protocol) in ends.enumerate() {
            let alice = world.client(ALICE);
            let mut person = alice.exec(protocol, "stdin stdout stderr", &["cat"]).await;
            let sent: Vec<u8> = (0..100_000u32).flat_map(u32::to_le_bytes).collect();
            for piece in sent.chunks(30_000) {
                person.type_in(piece.to_vec()).await;
                while person.stdout.len() + 60_000 < sent.len() && person.stdout.is_empty() {
                    assert!(person.step().await);
                }
            }
            person.end_stdin().await;
            let executed = world
                .api
                .until(|executed| executed.get(n).is_some_and(|one| one.stdin_ended))
                .await;
            assert!(executed[n].stdin == sent, "{protocol:?}");
            while person.step().await {}
            assert!(person.stdout == sent, "{protocol:?}");
        }
        world.gateway.stop().await;
        for session in world.evidence.sessions() {
            assert_eq!(session.stream(Stream::Stdin).len(), 400_000);
            assert!(session.stream(Stream::Stdin) == session.stream(Stream::Stdout));
        }
    }
}

#[tokio::test]
async fn a_terminal_is_resized_and_typed_into() {
    let world = World::start().await;
    for protocol in [V5, SPDY] {
        let mut person = world.client(ALICE).exec(protocol, "stdin stdout tty", &["shell"]).await;
        person.until("$ ").await;
        person.resize(101, 33).await;
        for key in ["l", "s", "\r"] {
            person.type_in(key).await;
        }
        person.until("ran ls").await;
        person.type_in("\u{4}").await;
        let outcome = person.wait().await;
        let stdout = "$ ls\r\nran ls\r\n$ ".to_owned();
        let closed = (protocol == V5).then_some(1000);
        let expected = Outcome { stdout, stderr: String::new(), status: success(), closed };
        assert_eq!(outcome, expected, "{protocol:?}");
    }
    assert_eq!(world.api.lines(), ["ls", "ls"]);
    let executed = world.api.executed();
    assert_eq!(executed[0].resizes, [(101, 33)]);
    assert_eq!(executed[1].resizes, [(101, 33)]);
}
