//! Who may what: every call by somebody of every group, and what the ledger has of it.

use crate::world::{Keys, World, id, opening, shell, unproven};
use axum::http::Request;
use expect_test::expect;

const GROUPS: [&str; 8] = [
    "strangers",
    "ann",
    "listers",
    "viewers",
    "shop-viewers",
    "investigators",
    "operators",
    "archivists",
];

/// Every call about one session.
fn calls(session: u128) -> Vec<(&'static str, String, &'static str)> {
    let of = |rest: &str| format!("/api/v1/sessions/{}{rest}", id(session));
    vec![
        ("GET", of(""), ""),
        ("GET", of("/proof"), ""),
        ("GET", of("/cast"), ""),
        ("GET", of("/events"), ""),
        ("GET", of("/events?input=true"), ""),
        ("GET", of("/live"), ""),
        ("POST", of("/notes"), r#"{"atUs": 7, "text": "look here"}"#),
        ("POST", of("/hold"), r#"{"why": "a case"}"#),
        ("DELETE", of("/hold"), ""),
        ("POST", of("/freeze"), "{}"),
        ("POST", of("/thaw"), "{}"),
        ("POST", of("/kill"), r#"{"why": "enough"}"#),
    ]
}

#[tokio::test]
async fn every_call_asks_for_its_permission_and_is_put_on_record() {
    let world = World::with(Keys::Both).await;
    world.record(opening(0xa, &["sh"]), shell()).await;
    let mut table = vec![GROUPS.join(" ")];
    for (method, path, body) in calls(0xa) {
        let call = path.rsplit_once(&id(0xa)).unwrap().1;
        let mut row = format!("{method:<6} {call:<19}");
        for group in GROUPS {
            let status = world.call(group, method, &path, body).await.status.to_string();
            row.push(' ');
            row.push_str(&status);
        }
        table.push(row);
    }
    table.extend(world.entries().await);
    expect![[r#"
        strangers ann listers viewers shop-viewers investigators operators archivists
        GET                        404 200 200 200 200 200 200 200
        GET    /proof              404 200 200 200 200 200 200 200
        GET    /cast               404 403 403 200 200 200 403 403
        GET    /events             404 403 403 200 200 200 403 403
        GET    /events?input=true  404 403 403 403 403 200 403 403
        GET    /live               404 403 403 409 409 409 403 403
        POST   /notes              404 403 403 403 403 403 403 204
        POST   /hold               404 403 403 403 403 403 403 204
        DELETE /hold               404 403 403 403 403 403 403 204
        POST   /freeze             404 403 403 403 403 403 409 403
        POST   /thaw               404 403 403 403 403 403 409 403
        POST   /kill               404 403 403 403 403 403 409 403
        viewer show a
        shop-viewer show a
        investigator show a
        viewer play a
        shop-viewer play a
        investigator play a
        viewer export a
        shop-viewer export a
        investigator export a
        investigator export-with-input a
        archivist noted a at 7
        archivist holds a: a case
        archivist lifts a: "#]]
    .assert_eq(&table.join("\n"));
}

#[tokio::test]
async fn who_is_not_proven_gets_the_page_and_nothing_else() {
    let world = World::new().await;
    world.record(opening(0xa, &["sh"]), shell()).await;
    let mut told = Vec::new();
    let mut paths = vec!["/api/v1/whoami".to_owned(), "/api/v1/sessions".to_owned()];
    paths.push("/api/v1/search?text=word".to_owned());
    paths.extend(calls(0xa).into_iter().map(|(_, path, _)| path).take(6));
    for path in paths {
        let (parts, ()) = Request::get(&path).body(()).unwrap().into_parts();
        told.push(world.send(parts, "", unproven()).await.said().await.short());
    }
    told.dedup();
    assert_eq!(told, ["401 not-authenticated"]);
    assert_eq!(world.entries().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_session_that_is_not_listed_does_not_exist() {
    let world = World::new().await;
    let mut elsewhere = opening(0xb, &["sh"]);
    elsewhere.access.namespace = Some("pay".to_owned());
    world.record(elsewhere, shell()).await;
    let not_there = world.get("shop-viewers", &format!("/api/v1/sessions/{}", id(0xc))).await;
    for (method, path, body) in calls(0xb) {
        let said = world.call("shop-viewers", method, &path, body).await;
        assert_eq!((said.status, &said.text), (404, &not_there.text), "{method} {path}");
    }
    assert_eq!(
        world.get("shop-viewers", "/api/v1/sessions").await.json()["items"],
        serde_json::json!([])
    );
    let found = world.get("shop-viewers", "/api/v1/search?text=hunter2").await.json();
    assert_eq!(
        (&found["items"], &found["searched"]),
        (&serde_json::json!([]), &serde_json::json!(0))
    );
    assert_eq!(world.entries().await, Vec::<String>::new());
}

/// Nothing is shown or changed of which the ledger takes no entry.
#[tokio::test]
async fn without_the_ledger_there_is_no_answer() {
    let world = World::with(Keys::Both).await;
    world.record(opening(0xa, &["sh"]), shell()).await;
    let recording = world.begin(opening(0xb, &["sh"])).await;
    world.ledger.clone().close().await.unwrap();
    let mut told = Vec::new();
    for session in [0xa, 0xb] {
        for (method, path, body) in calls(session) {
            let whose = match path.rsplit('/').next().unwrap() {
                "notes" | "hold" => "archivists",
                "freeze" | "thaw" | "kill" => continue,
                _ => "investigators",
            };
            let said = world.call(whose, method, &path, body).await;
            assert!(!said.text.contains("hunter2"), "{path}");
            let call = path.rsplit_once(&id(session)).unwrap().1;
            told.push(format!("{session:x} {method} {call} {}", said.short()));
        }
    }
    told.push(world.get("investigators", "/api/v1/search?text=hunter2").await.short());
    told.push(world.get("investigators", "/api/v1/sessions").await.short());
    expect![[r#"
        a GET  500 failed
        a GET /proof 200
        a GET /cast 500 failed
        a GET /events 500 failed
        a GET /events?input=true 500 failed
        a GET /live 409 not-live
        a POST /notes 500 failed
        a POST /hold 500 failed
        a DELETE /hold 500 failed
        b GET  500 failed
        b GET /proof 200
        b GET /cast 500 failed
        b GET /events 500 failed
        b GET /events?input=true 500 failed
        b GET /live 500 failed
        b POST /notes 500 failed
        b POST /hold 500 failed
        b DELETE /hold 500 failed
        500 failed
        200"#]]
    .assert_eq(&told.join("\n"));
    drop(recording);
}
