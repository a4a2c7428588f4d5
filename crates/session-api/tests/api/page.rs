//! The built page in a real browser, over sessions whose every text is hostile. What is looked at is in
//! `web/test/page.mjs`. `make web` makes what it needs: the page, its test's packages, and Chromium.

use crate::world::{Keys, World, member, opening, shown, size, typed};
use axum::Router;
use axum::extract::Request;
use axum::routing::post;
use bytes::Bytes;
use session_api::Caller;
use session_record::{Ending, Event, Stream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::process::Command;
use tokio::sync::Mutex;

const OSC: &str = "\u{1b}]0;<b>title</b>\u{7}\u{1b}]8;;javascript:pwned(`link`)\u{1b}\\a link\u{1b}]8;;\u{1b}\\ \
     \u{1b}]8;;https://evil.example/\u{7}another\u{1b}]8;;\u{7}\u{1b}]52;c;aGk=\u{7}\u{1b}[6n\u{1b}[8;65535;65535t";

fn hostile(whose: &str) -> String {
    format!(
        "<img src=x onerror=pwned(`{whose}`)>\u{202e}\u{200b}</script><script>pwned(1)</script>"
    )
}

/// A tar stream with one file, as `kubectl cp` has it.
fn tar(path: &str) -> Vec<u8> {
    let mut header = vec![0_u8; 512];
    header[..path.len()].copy_from_slice(path.as_bytes());
    header[100..108].copy_from_slice(b"0000644\0");
    header[124..136].copy_from_slice(b"00000000002\0");
    header[148..156].fill(b' ');
    header[156] = b'0';
    header[257..265].copy_from_slice(b"ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let mut stream = header;
    stream.extend_from_slice(b"hi");
    stream.resize(512 * 4, 0);
    stream
}

async fn ended(world: &World) {
    let mut opening = opening(1, &["sh", "-c", &hostile("argv")]);
    opening.access.name = Some(hostile("pod"));
    opening.access.container = Some(hostile("container"));
    opening.user.name = hostile("user");
    opening.user.groups = vec![hostile("group")];
    opening.client.user_agent = Some(hostile("agent"));
    opening.reason = Some(hostile("reason"));
    let recording = world.begin(opening).await;
    let events = [
        size(90, 25),
        shown("$ "),
        typed("cat /etc/motd\r"),
        shown("cat /etc/motd\r\n"),
        shown(OSC),
        shown(&format!("\r\n{}\r\n$ ", hostile("output"))),
        Event::Marker { by: "cass".to_owned(), text: "look <b>here</b>".to_owned() },
        typed("x\r"),
        shown(&format!("{}\r\n", hostile("screen"))),
        size(65535, 65535),
        size(100, 28),
        shown("$ "),
        typed("exit\r"),
        shown("exit\r\nthe last line\r\n"),
        // What a click shows is the screen at that moment: this one is after the last line on any machine.
        Event::Marker { by: "cass".to_owned(), text: "over".to_owned() },
    ];
    for event in events {
        recording.record(event).await.unwrap();
    }
    world.end(recording, Ending::Finished { exit_code: Some(0) }).await;
}

async fn long(world: &World) {
    let mut opening = opening(2, &["tar", "cf", "-", "/data"]);
    opening.access.terminal = false;
    let recording = world.begin(opening).await;
    let tar = Bytes::from(tar("<img src=x onerror=pwned(`path`)>"));
    recording.record(Event::Data { stream: Stream::Stdout, bytes: tar }).await.unwrap();
    for n in 0..6 {
        let text = Bytes::from(format!("tick {n}\r\n"));
        recording.record(Event::Data { stream: Stream::Stderr, bytes: text }).await.unwrap();
    }
    world.end(recording, Ending::Finished { exit_code: Some(0) }).await;
}

fn missing() -> Option<String> {
    let web = web();
    let needs = [
        (web_assets::is_built_in(), "the page is not built"),
        (web.join("node_modules/playwright-core").is_dir(), "web/node_modules is not there"),
        (chromium().is_some(), "there is no chromium"),
    ];
    let found = needs.into_iter().find(|(is_there, _)| !is_there);
    found.map(|(_, what)| format!("{what}: `make web` installs and builds what this test needs"))
}

fn web() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../web")
}

fn chromium() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).collect::<Vec<_>>();
    let names = ["chromium", "chromium-browser", "google-chrome"];
    names
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)))
        .find(|path| path.is_file())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_shows_sessions_and_runs_nothing_of_them() {
    assert_eq!(missing(), None);
    let world = Arc::new(World::with(Keys::Both).await);
    ended(&world).await;
    long(&world).await;
    let live = world.begin(opening(3, &["tail", "-f", "log"])).await;
    live.record(size(80, 20)).await.unwrap();
    live.record(shown("it begins\r\n")).await.unwrap();
    let live = Arc::new(Mutex::new(Some(live)));
    let show = {
        let live = Arc::clone(&live);
        async move || {
            let text = format!("{OSC}{}\r\nshown later\r\n", hostile("live"));
            if let Some(live) = live.lock().await.as_ref() {
                live.record(size(120, 30)).await.unwrap();
                live.record(shown(&text)).await.unwrap();
            }
        }
    };
    let end = {
        let (live, world) = (Arc::clone(&live), Arc::clone(&world));
        async move || {
            if let Some(live) = live.lock().await.take() {
                world.end(live, Ending::ClientLeft).await;
            }
        }
    };
    let api = world.api.clone();
    let served = Router::new()
        .route("/test/show", post(show))
        .route("/test/end", post(end))
        .fallback(move |request: Request| {
            let api = api.clone();
            async move {
                let (mut parts, body) = request.into_parts();
                parts.extensions.insert(Caller(Ok(member("everything"))));
                api.answer(parts, body).await
            }
        });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move { axum::serve(listener, served).await });
    let mut command = Command::new("node");
    command.arg("test/page.mjs").arg(format!("http://{address}")).current_dir(web());
    command.args(std::env::var_os("WEIR_SCREENSHOTS")).env("CHROMIUM", chromium().unwrap());
    let output = command.kill_on_drop(true).output().await.unwrap();
    serving.abort();
    let told =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert!(output.status.success(), "{told:?}");
}
