//! How much the gateway takes at once, and that what ends gives its place back.

use crate::client::get;
use crate::person::V5;
use crate::world::{ALICE, Wish, World};
use http_body_util::BodyExt as _;
use std::time::Duration;
use tokio::time::timeout;

const MOMENT: Duration = Duration::from_millis(300);
/// For what ends, and gives its place back.
const PATIENCE: Duration = Duration::from_secs(20);

async fn limited(limits: &str) -> World {
    World::with(Wish { more: format!("limits: {limits}\n"), ..Wish::default() }).await
}

#[tokio::test]
async fn sessions_beyond_the_limit_are_refused() {
    let world = limited("{sessions: 1}").await;
    let mut person = world.client(ALICE).exec(V5, "stdin stdout tty", &["shell"]).await;
    person.until("$ ").await;
    let outcome = world.client(ALICE).exec(V5, "stdout", &["echo", "a"]).await.wait().await;
    assert!(outcome.status.contains("has 1 sessions open"), "{outcome:?}");
    person.type_in("\u{4}").await;
    person.wait().await;
    // The recording of the first may still be sealed.
    let echo = async || world.client(ALICE).exec(V5, "stdout", &["echo", "a"]).await.wait().await;
    let let_in = async {
        loop {
            let outcome = echo().await;
            if !outcome.status.contains("has 1 sessions open") {
                return outcome;
            }
        }
    };
    let outcome = timeout(PATIENCE, let_in).await.expect("a place becomes free");
    assert_eq!(outcome.stdout, "a\n", "{outcome:?}");
}

/// Many ask at once: that the last place is free is not for all of them to see.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn as_many_sessions_as_there_are_places_begin() {
    let world = limited("{sessions: 3}").await;
    let client = world.client(ALICE);
    let people = (0..12).map(|_| client.exec(V5, "stdin stdout tty", &["shell"]));
    let people = futures_util::future::join_all(people).await;
    let mut refused = 0;
    let mut open = Vec::new();
    for mut person in people {
        while person.stdout.is_empty() && person.step().await {}
        if person.stdout.starts_with(b"$ ") {
            open.push(person);
        } else {
            refused += usize::from(person.wait().await.status.contains("has 3 sessions open"));
        }
    }
    assert_eq!((open.len(), refused), (3, 9));
}

#[tokio::test]
async fn a_session_keeps_the_place_of_its_connection() {
    let world = limited("{connections: 2}").await;
    let mut first = world.client(ALICE).exec(V5, "stdin stdout tty", &["shell"]).await;
    first.until("$ ").await;
    let mut second = world.client(ALICE).exec(V5, "stdin stdout tty", &["shell"]).await;
    second.until("$ ").await;
    let third = world.client(ALICE);
    let mut asking = Box::pin(third.send(get("/version")));
    assert!(timeout(MOMENT, asking.as_mut()).await.is_err(), "there was a place for a third");
    first.type_in("\u{4}").await;
    first.wait().await;
    assert_eq!(timeout(PATIENCE, asking).await.expect("a place becomes free").0, 200);
}

#[tokio::test]
async fn a_request_keeps_its_place_until_its_answer_was_read() {
    let world = limited("{requests: 1}").await;
    let mut watching = world.client(ALICE).http1().await;
    let watch = watching.send_request(get("/api/v1/pods?watch=true")).await.unwrap();
    let mut body = watch.into_body();
    world.api.happen("{}\n").await;
    body.frame().await.unwrap().unwrap();
    let (status, text) = world.client(ALICE).send(get("/version")).await;
    assert!(status == 503 && text.contains("has 1 requests to answer"), "{status} {text}");
    drop((body, watching));
    let answered = async { while world.client(ALICE).send(get("/version")).await.0 != 200 {} };
    timeout(PATIENCE, answered).await.expect("a place becomes free");
}
