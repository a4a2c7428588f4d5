//! Lists, pages of them, and searches.

use crate::world::{Keys, START_MS, World, id, opening, shell, shown, size};
use expect_test::expect;
use serde_json::{Value, json};

fn ends(list: &Value) -> Vec<String> {
    let items = list["items"].as_array().unwrap();
    let end = |item: &Value| {
        item["session"]
            .as_str()
            .unwrap()
            .rsplit_once('-')
            .unwrap()
            .1
            .trim_start_matches('0')
            .to_owned()
    };
    items.iter().map(end).collect()
}

#[tokio::test]
async fn sessions_come_newest_first_page_by_page() {
    let world = World::new().await;
    for session in 1..=5 {
        let mut opening = opening(session, &["cat", "/etc/passwd"]);
        if session == 2 {
            opening.user.name = "bob".to_owned();
            opening.access.namespace = Some("pay".to_owned());
            opening.access.command = vec!["ls".to_owned()];
        }
        world.record(opening, vec![shown("x\r\n")]).await;
    }
    let first = world.get("listers", "/api/v1/sessions?limit=2").await.json();
    let cursor = first["next"].as_str().unwrap();
    let second =
        world.get("listers", &format!("/api/v1/sessions?limit=2&cursor={cursor}")).await.json();
    let cursor = second["next"].as_str().unwrap();
    let third =
        world.get("listers", &format!("/api/v1/sessions?limit=2&cursor={cursor}")).await.json();
    assert_eq!(
        [ends(&first), ends(&second), ends(&third)],
        [vec!["5", "4"], vec!["3", "2"], vec!["1"]]
    );
    assert_eq!(third.get("next"), None);
    let from = "2026-11-18T11%3A06%3A43Z";
    assert_eq!(START_MS + 3000, 1_795_000_003_000);
    let mut told = String::new();
    for query in [
        "user=bob",
        "namespace=shop",
        "namespace=pay&user=ann",
        "command=passwd",
        "state=sealed&verb=exec&name=web-0&cluster=prod",
        "state=open",
        &format!("from={from}"),
        &format!("to={from}"),
        "limit=501",
        "limit=0",
        "cursor=1",
        "from=yesterday",
        "usr=bob",
        "text=x",
    ] {
        let said = world.get("listers", &format!("/api/v1/sessions?{query}")).await;
        let found = if said.status == 200 { ends(&said.json()).join(" ") } else { said.short() };
        told.push_str(format!("{query}: {found}").trim_end());
        told.push('\n');
    }
    expect![[r#"
        user=bob: 2
        namespace=shop: 5 4 3 1
        namespace=pay&user=ann:
        command=passwd: 5 4 3 1
        state=sealed&verb=exec&name=web-0&cluster=prod: 5 4 3 2 1
        state=open:
        from=2026-11-18T11%3A06%3A43Z: 5 4 3
        to=2026-11-18T11%3A06%3A43Z: 2 1
        limit=501: 400 bad-request
        limit=0: 400 bad-request
        cursor=1: 400 bad-request
        from=yesterday: 400 bad-request
        usr=bob: 400 bad-request
        text=x: 400 bad-request
    "#]]
    .assert_eq(&told);
    assert_eq!(world.entries().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_session_without_a_recording_is_missing_and_a_broken_one_is_unreadable() {
    let world = World::new().await;
    for session in [1, 2, 3] {
        world.record(opening(session, &["sh"]), shell()).await;
    }
    let day = world.folder.path().join("recordings/sealed/2026-11-18");
    let file = |session| {
        let packed = day.join(format!("{}.rec", id(session)));
        if packed.exists() { packed } else { day.join(format!("{}.raw", id(session))) }
    };
    std::fs::remove_file(file(1)).unwrap();
    std::fs::write(file(2), b"nothing that was recorded").unwrap();
    world.ledger.flush().await.unwrap();
    let list = world.get("listers", "/api/v1/sessions").await.json();
    let states: Vec<(String, String)> = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| (item["state"].to_string(), item["user"].to_string()))
        .collect();
    let ann = "\"ann\"".to_owned();
    // What only the ledger dates has the time of its entry.
    let expected = ["\"unreadable\"", "\"missing\"", "\"sealed\""];
    assert_eq!(states, expected.map(|state| (state.to_owned(), ann.clone())));
    // What cannot be read can be asked about all the same.
    for session in [1, 2] {
        let of = format!("/api/v1/sessions/{}", id(session));
        let proof = world.get("listers", &format!("{of}/proof")).await.json();
        assert_eq!(proof["verdict"], "altered");
        let detail = world.get("viewers", &of).await;
        assert_eq!((detail.status, &detail.json()["readable"]), (200, &json!(false)));
    }
}

#[tokio::test]
async fn a_text_is_found_on_screens_in_command_lines_and_in_paths() {
    let world = World::new().await;
    world.record(opening(1, &["cat", "/etc/Passwd"]), vec![shown("nothing\r\n")]).await;
    let covered = "user pass\u{200b}wd here\r\n\u{1b}]0;passwd in a title\u{7}";
    world.record(opening(2, &["sh"]), vec![size(80, 24), shown(covered)]).await;
    world.record(opening(3, &["sh"]), shell()).await;
    let mut found = world.get("viewers", "/api/v1/search?text=PASSWD").await.json();
    for item in found["items"].as_array_mut().unwrap() {
        assert!(item["atUs"].as_u64().is_some());
        item["atUs"] = json!(0);
    }
    let hit = |session, place: &str, text: &str| json!({ "session": id(session), "atUs": 0, "where": place, "text": text });
    let expected = json!({
        "items": [hit(2, "screen", "user pass\u{200b}wd here"), hit(1, "argv", "cat /etc/Passwd")],
        "searched": 3, "unread": 0, "cutShort": 0, "next": null,
    });
    assert_eq!(found, expected);
    assert_eq!(world.entries().await, ["viewer search 3", "viewer search 2", "viewer search 1"]);
    // What was typed and not shown is not found.
    let typed = world.get("investigators", "/api/v1/search?text=secret").await.json();
    assert_eq!(typed["items"].as_array().unwrap().len(), 1);
    let world = &world;
    let short = |query: &'static str| async move {
        let long = "x".repeat(300);
        let path = format!("/api/v1/search?{query}").replace("LONG", &long);
        world.get("viewers", &path).await.short()
    };
    for query in ["", "text=", "text=%20", "text=LONG", "text=x&limit=0"] {
        assert_eq!(short(query).await, "400 bad-request", "{query}");
    }
}

#[tokio::test]
async fn without_a_key_command_lines_are_searched_and_the_rest_is_counted() {
    let world = World::with(Keys::None).await;
    world.record(opening(1, &["cat", "hunter2"]), shell()).await;
    let found = world.get("viewers", "/api/v1/search?text=hunter2").await.json();
    let expected = json!({
        "items": [{ "session": id(1), "atUs": 0, "where": "argv", "text": "cat hunter2" }],
        "searched": 0, "unread": 1, "cutShort": 0, "next": null,
    });
    assert_eq!(found, expected);
    assert_eq!(world.entries().await, Vec::<String>::new());
}
