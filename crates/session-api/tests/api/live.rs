//! Sessions that are watched while they go on.

use crate::world::{Keys, World, id, member, opening, shown, size};
use axum::http::Request;
use http_body_util::BodyExt as _;
use session_api::Caller;
use session_record::Ending;

async fn watch(world: &World, session: u128) -> crate::world::Answered {
    let path = format!("/api/v1/sessions/{}/live", id(session));
    let (parts, ()) = Request::get(&path).body(()).unwrap().into_parts();
    world.send(parts, "", Caller(Ok(member("viewers")))).await
}

/// Reads until a text came.
async fn until(body: &mut axum::body::Body, so_far: &mut String, wanted: &str) {
    while !so_far.contains(wanted) {
        let frame = body.frame().await.unwrap().unwrap();
        so_far.push_str(std::str::from_utf8(&frame.into_data().unwrap()).unwrap());
    }
}

fn without_times(text: &str) -> String {
    let mut shown = String::new();
    for line in text.lines() {
        match (line.strip_prefix("data: ["), line.split_once("\"time\":")) {
            (Some(event), _) => {
                shown.push_str("data: [T,");
                shown.push_str(event.split_once(',').unwrap().1);
            }
            (None, Some(_)) => shown.push_str("data: HEADER"),
            (None, None) => shown.push_str(line),
        }
        shown.push('\n');
    }
    shown
}

/// No key is needed: the recorder has those of what it writes.
#[tokio::test]
async fn whoever_watches_sees_all_from_the_beginning_and_the_end() {
    let world = World::with(Keys::None).await;
    let recording = world.begin(opening(1, &["sh"])).await;
    for event in [size(100, 30), shown("$ "), crate::world::typed("secret\r")] {
        recording.record(event).await.unwrap();
    }
    let answered = watch(&world, 1).await;
    assert_eq!(
        (answered.status, &answered.headers["content-type"]),
        (axum::http::StatusCode::OK, &"text/event-stream".parse().unwrap())
    );
    assert_eq!(world.entries().await, ["viewer live 1"]);
    let mut body = answered.body;
    let mut text = String::new();
    until(&mut body, &mut text, "\"$ \"").await;
    assert!(text.contains("\"width\":100") && text.contains("\"height\":30"), "{text}");
    recording.record(shown("later\u{1b}]0;title\u{7}\r\n")).await.unwrap();
    until(&mut body, &mut text, "later").await;
    world.end(recording, Ending::ClientLeft).await;
    until(&mut body, &mut text, "event: done").await;
    assert!(body.frame().await.is_none());
    let expected = "retry: 1000\n\ndata: HEADER\n\ndata: [T, \"o\", \"$ \"]\n\ndata: [T, \"o\", \"later\\r\\n\"]\n\nevent: done\ndata: {}\n\n";
    assert_eq!(without_times(&text), expected);
}

#[tokio::test]
async fn a_session_that_never_shows_anything_has_a_header_all_the_same() {
    let world = World::new().await;
    let recording = world.begin(opening(1, &["sh"])).await;
    let mut body = watch(&world, 1).await.body;
    recording.record(size(10, 10)).await.unwrap();
    world.end(recording, Ending::ClientLeft).await;
    let mut text = String::new();
    until(&mut body, &mut text, "event: done").await;
    assert_eq!(without_times(&text), "retry: 1000\n\ndata: HEADER\n\nevent: done\ndata: {}\n\n");
}

/// The patience of tests is short.
#[tokio::test]
async fn a_viewer_that_takes_nothing_is_told_of_the_gap_and_slows_nobody() {
    let world = World::new().await;
    let recording = world.begin(opening(1, &["sh"])).await;
    let mut body = watch(&world, 1).await.body;
    // One after the other is on disk, so that each is a message of its own and the queue is full.
    for n in 0..100 {
        let position = recording.record(shown(&format!("line {n}\r\n"))).await.unwrap();
        recording.durable(position).await.unwrap();
    }
    world.end(recording, Ending::ClientLeft).await;
    let mut text = String::new();
    while let Some(frame) = body.frame().await {
        text.push_str(std::str::from_utf8(&frame.unwrap().into_data().unwrap()).unwrap());
    }
    assert!(text.ends_with("event: gap\ndata: {}\n\n"), "{text}");
    assert!(text.contains("line 0") && !text.contains("line 99"), "{text}");
}

#[tokio::test]
async fn what_is_over_is_not_live() {
    let world = World::new().await;
    world.record(opening(1, &["sh"]), vec![shown("x")]).await;
    let said = watch(&world, 1).await.said().await;
    assert_eq!(said.short(), "409 not-live");
    assert_eq!(world.entries().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_view_ends_with_the_proof_of_who_watches() {
    let world = World::new().await;
    let recording = world.begin(opening(1, &["sh"])).await;
    let mut caller = member("viewers");
    caller.expires_at = Some(1);
    let path = format!("/api/v1/sessions/{}/live", id(1));
    let (parts, ()) = Request::get(&path).body(()).unwrap().into_parts();
    let said = world.send(parts, "", Caller(Ok(caller))).await.said().await;
    assert!(said.text.ends_with("event: gap\ndata: {}\n\n"), "{}", said.text);
    world.end(recording, Ending::ClientLeft).await;
}

#[tokio::test]
async fn nobody_watches_more_than_so_much_at_the_same_time() {
    let world = World::new().await;
    let recording = world.begin(opening(1, &["sh"])).await;
    let mut watching = Vec::new();
    for _ in 0..20 {
        let answered = watch(&world, 1).await;
        assert_eq!(answered.status, 200);
        watching.push(answered.body);
    }
    assert_eq!(watch(&world, 1).await.said().await.short(), "503 busy");
    drop(watching);
    while watch(&world, 1).await.status != 200 {
        tokio::task::yield_now().await;
    }
    world.end(recording, Ending::ClientLeft).await;
}

#[tokio::test]
async fn what_was_shown_before_comes_whole_in_small_messages() {
    let world = World::new().await;
    let recording = world.begin(opening(1, &["sh"])).await;
    let text = "x".repeat(48 << 10);
    for _ in 0..64 {
        recording.record(shown(&text)).await.unwrap();
    }
    let mut body = watch(&world, 1).await.body;
    let (mut count, mut largest) = (0, 0);
    while count < 64 * text.len() {
        let bytes = body.frame().await.unwrap().unwrap().into_data().unwrap();
        largest = largest.max(bytes.len());
        count += bytes.iter().filter(|byte| **byte == b'x').count();
    }
    assert_eq!(count, 64 * text.len());
    assert!(largest < 128 << 10, "{largest}");
    world.end(recording, Ending::ClientLeft).await;
}
