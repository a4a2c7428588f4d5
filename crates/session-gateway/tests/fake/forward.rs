//! Forwarded ports: SPDY on its own or in a WebSocket, on either side.

use crate::person::{SPDY_FORWARD, TUNNEL};
use crate::world::{ALICE, World};
use bytes::Bytes;
use session_record::{Event, Stream};

const PATH: &str = "/api/v1/namespaces/shop/pods/web/portforward";

#[tokio::test]
async fn what_goes_through_a_port_is_recorded_in_every_combination() {
    for web_sockets in [true, false] {
        let world = World::start().await;
        if !web_sockets {
            world.api.refuse_web_sockets();
        }
        for protocol in [TUNNEL, SPDY_FORWARD] {
            let mut person = world.client(ALICE).run(protocol, PATH).await.unwrap();
            let sent: Vec<u8> = (0..50_000u32).flat_map(u32::to_le_bytes).collect();
            person.spoken.say(&Event::Connected { connection: 0, port: 80 }).await.unwrap();
            let stream = Stream::ToPort { connection: 0 };
            for piece in sent.chunks(20_000) {
                let bytes = Bytes::copy_from_slice(piece);
                person.spoken.say(&Event::Data { stream, bytes }).await.unwrap();
            }
            while person.stdout.len() < sent.len() {
                assert!(person.step().await);
            }
            assert!(person.stdout == sent, "{protocol:?}");
            person.spoken.say(&Event::End { stream }).await.unwrap();
            while person.spoken.next().await
                != Some(Event::End { stream: Stream::FromPort { connection: 0 } })
            {}
            drop(person);
        }
        world
            .api
            .until(|executed| executed.len() == 2 && executed.iter().all(|one| one.over))
            .await;
        world.gateway.stop().await;
        for session in world.evidence.sessions() {
            assert_eq!(session.opening.access.verb, "port-forward");
            let there = session.stream(Stream::ToPort { connection: 0 });
            assert_eq!(there.len(), 200_000);
            assert!(there == session.stream(Stream::FromPort { connection: 0 }));
            assert!(session.events.contains(&Event::Connected { connection: 0, port: 80 }));
            assert_eq!(session.ending(), "sealed ClientLeft");
        }
    }
}

#[tokio::test]
async fn a_port_that_refuses_says_so_on_its_connection() {
    let world = World::start().await;
    let mut person = world.client(ALICE).run(TUNNEL, PATH).await.unwrap();
    person.spoken.say(&Event::Connected { connection: 0, port: 9 }).await.unwrap();
    loop {
        if let Event::ConnectionError { connection, text } = person.spoken.next().await.unwrap() {
            assert_eq!((connection, &text[..]), (0, &b"connection refused"[..]));
            break;
        }
    }
    drop(person);
    world.gateway.stop().await;
    let session = world.evidence.only_session();
    let text = Bytes::from_static(b"connection refused");
    assert!(session.events.contains(&Event::ConnectionError { connection: 0, text }));
}
