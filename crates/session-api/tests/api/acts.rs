//! Killing, freezing, thawing, noting and holding.

use crate::world::{World, id, member, opening, shell, shown};
use axum::http::Request;
use expect_test::expect;
use serde_json::json;
use session_api::Caller;
use session_record::Ending;

#[tokio::test]
async fn a_session_is_stopped_let_go_on_and_ended() {
    let world = World::new().await;
    let recording = world.begin(opening(1, &["sh"])).await;
    let of = format!("/api/v1/sessions/{}", id(1));
    let mut told = Vec::new();
    for (act, body) in [
        ("freeze", "{}"),
        ("freeze", ""),
        ("thaw", ""),
        ("kill", ""),
        ("kill", "{}"),
        ("kill", r#"{"why": "  "}"#),
        ("kill", r#"{"why": "enough", "how": "hard"}"#),
        ("kill", r#"{"why": "enough"}"#),
        ("kill", r#"{"why": "enough"}"#),
        ("freeze", ""),
    ] {
        let said = world.call("operators", "POST", &format!("{of}/{act}"), body).await;
        let list = world.get("operators", "/api/v1/sessions").await.json();
        let item = &list["items"][0];
        told.push(format!(
            "{act} {body}: {}, live {}, frozen {}",
            said.short(),
            item["live"],
            item["frozen"]
        ));
    }
    expect![[r#"
        freeze {}: 204, live true, frozen true
        freeze : 204, live true, frozen true
        thaw : 204, live true, frozen false
        kill : 400 bad-request, live true, frozen false
        kill {}: 400 bad-request, live true, frozen false
        kill {"why": "  "}: 400 bad-request, live true, frozen false
        kill {"why": "enough", "how": "hard"}: 400 bad-request, live true, frozen false
        kill {"why": "enough"}: 204, live false, frozen false
        kill {"why": "enough"}: 409 not-live, live false, frozen false
        freeze : 409 not-live, live false, frozen false"#]]
    .assert_eq(&told.join("\n"));
    let asked = world.going.asked.lock().unwrap().clone();
    let expected =
        ["operator freezes", "operator freezes", "operator thaws", "operator kills: enough"];
    assert_eq!(asked, expected);
    world.end(recording, Ending::GatewayStopped).await;
}

#[tokio::test]
async fn notes_stand_beside_the_recording_and_their_digests_in_the_ledger() {
    let world = World::new().await;
    world.record(opening(1, &["sh"]), shell()).await;
    let of = format!("/api/v1/sessions/{}", id(1));
    let notes = format!("{of}/notes");
    // At once: none of them is lost.
    let texts = ["first <b>\u{202e}", "second", "third"];
    let write = |text: &'static str| {
        let body = json!({ "atUs": 3, "text": text }).to_string();
        let (world, notes) = (&world, &notes);
        async move { world.call("archivists", "POST", notes, &body).await.status }
    };
    let (one, two, three) = tokio::join!(write(texts[0]), write(texts[1]), write(texts[2]));
    assert_eq!((one, two, three), (204, 204, 204));
    let detail = world.get("viewers", &of).await.json();
    let mut found: Vec<String> = detail["notes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|note| format!("{} {} {}", note["by"], note["atUs"], note["text"].as_str().unwrap()))
        .collect();
    found.sort();
    let expected = texts.map(|text| format!("\"archivist\" 3 {text}"));
    assert_eq!(found, expected);
    let long = json!({ "atUs": 0, "text": "x".repeat(9000) }).to_string();
    let huge = json!({ "atUs": 0, "text": "x".repeat(90_000) }).to_string();
    for body in [&long, &huge, r#"{"text": "x"}"#, r#"{"atUs": -1, "text": "x"}"#, "[]", "x"] {
        let said = world.call("archivists", "POST", &notes, body).await;
        assert_eq!(said.short(), "400 bad-request", "{}", said.text);
    }
    let noted = world.entries().await;
    assert_eq!(noted.iter().filter(|entry| entry.contains("noted 1 at 3")).count(), 3);
}

#[tokio::test]
async fn whoever_holds_lets_go() {
    let world = World::new().await;
    world.record(opening(1, &["sh"]), shell()).await;
    let of = format!("/api/v1/sessions/{}", id(1));
    let hold = format!("{of}/hold");
    let mut told = Vec::new();
    for (method, body) in [
        ("DELETE", ""),
        ("POST", "{}"),
        ("POST", r#"{"why": "a case"}"#),
        ("POST", r#"{"why": "another case"}"#),
        ("DELETE", r#"{"why": "closed"}"#),
        ("DELETE", ""),
    ] {
        let said = world.call("archivists", method, &hold, body).await;
        let detail = world.get("listers", &of).await.json();
        told.push(format!(
            "{method} {body}: {} {}",
            said.short(),
            detail["holds"].as_array().unwrap().len()
        ));
    }
    told.extend(world.entries().await);
    expect![[r#"
        DELETE : 409 not-held 0
        POST {}: 400 bad-request 0
        POST {"why": "a case"}: 204 1
        POST {"why": "another case"}: 204 1
        DELETE {"why": "closed"}: 204 0
        DELETE : 409 not-held 0
        archivist holds 1: a case
        archivist holds 1: another case
        archivist lifts 1: closed"#]]
    .assert_eq(&told.join("\n"));
}

/// What a form of another site can send says that it is no JSON.
#[tokio::test]
async fn another_sites_page_changes_and_sees_nothing() {
    let world = World::new().await;
    world.record(opening(1, &["sh"]), vec![shown("x")]).await;
    let of = format!("/api/v1/sessions/{}", id(1));
    let send =
        |method: &'static str, path: String, fields: &'static [(&'static str, &'static str)]| {
            let mut request = Request::builder().method(method).uri(path);
            for (name, value) in fields {
                request = request.header(*name, *value);
            }
            let (parts, ()) = request.body(()).unwrap().into_parts();
            let world = &world;
            async move {
                let body = r#"{"why": "a case"}"#;
                world.send(parts, body, Caller(Ok(member("archivists")))).await.said().await.short()
            }
        };
    let hold = format!("{of}/hold");
    let found = [
        send(
            "POST",
            hold.clone(),
            &[("content-type", "application/json"), ("sec-fetch-site", "cross-site")],
        )
        .await,
        send(
            "POST",
            hold.clone(),
            &[("content-type", "application/json"), ("sec-fetch-site", "same-site")],
        )
        .await,
        send(
            "POST",
            hold.clone(),
            &[
                ("content-type", "application/json"),
                ("origin", "https://evil.example"),
                ("host", "weir.example"),
            ],
        )
        .await,
        send("GET", of.clone(), &[("sec-fetch-site", "cross-site")]).await,
        send("POST", hold.clone(), &[("content-type", "text/plain")]).await,
        send("POST", hold.clone(), &[]).await,
        send(
            "POST",
            hold.clone(),
            &[("content-type", "application/json"), ("sec-fetch-site", "same-origin")],
        )
        .await,
        send("GET", "/console/".to_owned(), &[("sec-fetch-site", "cross-site")]).await,
    ];
    let expected = [
        "403 cross-site",
        "403 cross-site",
        "403 cross-site",
        "403 cross-site",
        "400 bad-request",
        "400 bad-request",
        "204",
        if web_assets::is_built_in() { "200" } else { "404" },
    ];
    assert_eq!(found, expected);
    assert_eq!(world.entries().await, ["archivist holds 1: a case"]);
}
