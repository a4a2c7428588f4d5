//! What is shown of a session, and how: formats, headers, and content that is hostile.

use crate::world::{Keys, World, id, member, opening, shell, shown, size, typed, unproven};
use axum::http::Request;
use expect_test::expect;
use serde_json::{Value, json};
use session_api::Caller;

const HOSTILE: &str = "<img src=x onerror=alert(1)>\u{202e}txt\u{1b}[31m\u{7}</script>";

#[tokio::test]
async fn a_session_is_shown_as_far_as_one_may_see_it() {
    let world = World::with(Keys::Both).await;
    world.record(opening(1, &["sh"]), shell()).await;
    let of = format!("/api/v1/sessions/{}", id(1));
    let mut told = Vec::new();
    for group in ["listers", "viewers", "investigators"] {
        let mut detail = world.get(group, &of).await.json();
        let members = detail.as_object_mut().unwrap();
        // When it happened is the machine's.
        members.remove("durationUs");
        for list in ["commands", "moments", "views"] {
            for item in members.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
                let item = item.as_object_mut().unwrap();
                for time in ["atUs", "begunUs", "at"] {
                    item.remove(time);
                }
            }
        }
        told.push(format!("{group} {detail}"));
    }
    expect![[r#"
        listers {"client":"192.0.2.7:40000","cluster":"prod","command":["sh"],"container":"web","ending":"finished with exit code 0","frozen":false,"groups":["ops"],"holds":[],"live":false,"may":["list"],"name":"web-0","namespace":"shop","proof":"client certificate sha256:00","readable":false,"reason":"ticket 7","rule":"ops","session":"00000000-0000-0000-0000-000000000001","startedAt":"2026-11-18T11:06:41.000Z","state":"sealed","terminal":true,"user":"ann","userAgent":"kubectl/v1.36.0","verb":"exec"}
        viewers {"client":"192.0.2.7:40000","cluster":"prod","command":["sh"],"commands":[{"keysSay":"nothing","prompt":"","source":"argv","text":"sh"},{"keysSay":"nothing","prompt":"$ ","source":"screen","text":"cat secret"},{"keysSay":"nothing","prompt":"$ ","source":"screen","text":"exit"}],"container":"web","ending":"finished with exit code 0","files":[],"frozen":false,"groups":["ops"],"holds":[],"inputBytes":16,"live":false,"may":["list","view"],"moments":[{"kind":"resize","text":"80×24"}],"moreCommands":0,"moreFiles":0,"moreMoments":0,"moreViews":0,"name":"web-0","namespace":"shop","notes":[],"outputBytes":43,"ports":[],"proof":"client certificate sha256:00","readable":true,"reason":"ticket 7","rule":"ops","session":"00000000-0000-0000-0000-000000000001","startedAt":"2026-11-18T11:06:41.000Z","state":"sealed","status":null,"terminal":true,"user":"ann","userAgent":"kubectl/v1.36.0","verb":"exec","views":[{"by":"viewer","how":"show"}],"whole":true}
        investigators {"client":"192.0.2.7:40000","cluster":"prod","command":["sh"],"commands":[{"keysSay":"nothing","prompt":"","source":"argv","text":"sh"},{"keysSay":"same","prompt":"$ ","source":"screen","text":"cat secret"},{"keysSay":"same","prompt":"$ ","source":"screen","text":"exit"}],"container":"web","ending":"finished with exit code 0","files":[],"frozen":false,"groups":["ops"],"holds":[],"inputBytes":16,"live":false,"may":["list","view","input"],"moments":[{"kind":"resize","text":"80×24"}],"moreCommands":0,"moreFiles":0,"moreMoments":0,"moreViews":0,"name":"web-0","namespace":"shop","notes":[],"outputBytes":43,"ports":[],"proof":"client certificate sha256:00","readable":true,"reason":"ticket 7","rule":"ops","session":"00000000-0000-0000-0000-000000000001","startedAt":"2026-11-18T11:06:41.000Z","state":"sealed","status":null,"terminal":true,"user":"ann","userAgent":"kubectl/v1.36.0","verb":"exec","views":[{"by":"investigator","how":"show"},{"by":"viewer","how":"show"}],"whole":true}"#]].assert_eq(&told.join("\n"));
}

#[tokio::test]
async fn what_was_typed_is_exported_to_who_may_see_it() {
    let world = World::with(Keys::Both).await;
    world
        .record(opening(1, &["sh"]), vec![size(80, 24), typed("hunter2\r"), shown("ok\r\n")])
        .await;
    let of = |rest: &str| format!("/api/v1/sessions/{}{rest}", id(1));
    let typed_base64 = "aHVudGVyMg0=";
    let has_typed = |text: &str| text.contains(typed_base64) || text.contains("hunter2");
    let found = [
        has_typed(&world.get("viewers", &of("/cast")).await.text),
        has_typed(&world.get("viewers", &of("/events")).await.text),
        has_typed(&world.get("investigators", &of("/cast")).await.text),
        has_typed(&world.get("investigators", &of("/events")).await.text),
        has_typed(&world.get("investigators", &of("/events?input=true")).await.text),
        has_typed(&world.get("viewers", &of("/events?input=true")).await.text),
    ];
    assert_eq!(found, [false, false, false, false, true, false]);
    let cast = world.get("viewers", &of("/cast")).await;
    let header: Value = serde_json::from_str(cast.text.lines().next().unwrap()).unwrap();
    assert_eq!((&header["version"], &header["width"]), (&json!(2), &json!(80)));
    let world = World::with(Keys::Shown).await;
    world.record(opening(1, &["sh"]), shell()).await;
    let said = world.get("investigators", &of("/events?input=true")).await;
    assert_eq!(said.short(), "409 no-key");
    assert_eq!(world.entries().await, Vec::<String>::new());
}

/// A recording that is longer than what is held at once comes whole, part by part.
#[tokio::test]
async fn a_long_recording_comes_whole() {
    let world = World::new().await;
    let recording = world.begin(opening(1, &["sh"])).await;
    let line = "0123456789".repeat(100) + "\r\n";
    for _ in 0..2000 {
        recording.record(shown(&line)).await.unwrap();
    }
    world.end(recording, session_record::Ending::ClientLeft).await;
    let cast = world.get("viewers", &format!("/api/v1/sessions/{}/cast", id(1))).await;
    assert_eq!(cast.text.matches("0123456789").count(), 200_000);
    assert!(cast.text.lines().skip(1).all(|line| serde_json::from_str::<Value>(line).is_ok()));
}

#[tokio::test]
async fn hostile_text_is_text_in_every_answer() {
    let world = World::with(Keys::Both).await;
    let mut opening = opening(1, &["sh", "-c", HOSTILE]);
    opening.access.name = Some(HOSTILE.to_owned());
    opening.user.groups = vec![HOSTILE.to_owned()];
    opening.reason = Some(HOSTILE.to_owned());
    opening.client.user_agent = Some(HOSTILE.to_owned());
    let screen = "\u{1b}]0;<b>title\u{7}\u{1b}]8;;javascript:alert(1)\u{1b}\\link\u{1b}]8;;\u{1b}\\\u{1b}]52;c;aGk=\u{7}\u{1b}[6n";
    let events = vec![size(80, 24), shown(screen), shown(HOSTILE), typed(HOSTILE)];
    world.record(opening, events).await;
    let of = |rest: &str| format!("/api/v1/sessions/{}{rest}", id(1));
    let list = "/api/v1/sessions".to_owned();
    let search = "/api/v1/search?text=onerror".to_owned();
    for path in [list, search, of(""), of("/proof"), of("/cast"), of("/events?input=true")] {
        let said = world.get("investigators", &path).await;
        assert_eq!(said.status, 200, "{path}: {}", said.text);
        let hidden =
            said.text.chars().find(|letter| *letter != '\n' && safe_output::is_hidden(*letter));
        assert_eq!(hidden, None, "{path}");
        let kind = said.headers["content-type"].to_str().unwrap();
        assert!(!kind.contains("html") && !kind.contains("text/plain"), "{path} is {kind}");
    }
    let cast = world.get("viewers", &of("/cast")).await.text;
    for left_out in ["javascript:", "title\\u0007", "]52;", "[6n"] {
        assert!(!cast.contains(left_out), "{left_out} in {cast}");
    }
    let item = &world.get("listers", "/api/v1/sessions").await.json()["items"][0];
    assert_eq!(item["name"], HOSTILE, "escapes stand for what was there");
}

#[tokio::test]
async fn every_answer_has_the_headers() {
    let world = World::new().await;
    world.record(opening(1, &["sh"]), shell()).await;
    let of = |rest: &str| format!("/api/v1/sessions/{}{rest}", id(1));
    let paths = [
        "/".to_owned(),
        "/nothing".to_owned(),
        "/console/".to_owned(),
        "/console/sessions/x".to_owned(),
        "/console/assets/none.js".to_owned(),
        "/api/v1/whoami".to_owned(),
        "/api/v1/nothing".to_owned(),
        of("/cast"),
        of("/live"),
        of("/kill"),
    ];
    for path in paths {
        for caller in [Caller(Ok(member("viewers"))), unproven()] {
            let (parts, ()) = Request::get(&path).body(()).unwrap().into_parts();
            let said = world.send(parts, "", caller).await.said().await;
            let names = [
                "content-security-policy",
                "x-content-type-options",
                "x-frame-options",
                "referrer-policy",
                "cross-origin-opener-policy",
                "cross-origin-resource-policy",
                "permissions-policy",
                "strict-transport-security",
                "cache-control",
            ];
            for name in names {
                assert!(said.headers.contains_key(name), "{path} has no {name}");
            }
            let policy = said.headers["content-security-policy"].to_str().unwrap();
            assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe-inline"));
            if path.starts_with("/api/") {
                assert_eq!(said.headers["cache-control"], "no-store", "{path}");
            }
        }
    }
    let (parts, ()) = Request::put("/api/v1/sessions").body(()).unwrap().into_parts();
    let said = world.send(parts, "", Caller(Ok(member("viewers")))).await.said().await;
    assert_eq!(said.short(), "405 bad-request");
}

#[tokio::test]
async fn a_caller_learns_as_whom_it_is_known() {
    let world = World::new().await;
    let said = world.get("viewers", "/api/v1/whoami").await.json();
    assert_eq!(said, json!({ "user": "viewer", "groups": ["viewers", "system:authenticated"] }));
}
