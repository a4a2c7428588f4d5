//! The gateway is killed at any moment, and starts again: nothing was run that is not in a recording, and no recording
//! is lost. `WEIR_GATEWAY_KILLS` says how often.

use crate::evidence;
use crate::world::{World, said};
use serde_json::Value;
use session_record::{Event, Stream};
use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

const KILLS: usize = 3;

#[test]
fn what_was_run_when_the_gateway_was_killed_is_recorded() {
    let world = World::up();
    // A rule keeps its lines from the pod until they are on disk.
    world.testbed().run_pod("default", "careful", 1).unwrap();
    assert!(world.gateway_limits().contains("Max core file size        0 "), "no core files");
    let kills = std::env::var("WEIR_GATEWAY_KILLS").map_or(KILLS, |text| text.parse().unwrap());
    for round in 0..kills {
        killed(&world, round);
    }
    let sessions = recovered(&world);
    assert!(!sessions.is_empty(), "no session was going on in any round");
    assert_eq!(evidence::all(&world), evidence::sealed(&world), "nothing is left open");
    for session in &sessions {
        let text = said(&world.weir(&[
            "sessions",
            "export",
            session,
            "-f",
            "text",
            "--identity",
            &world.key("shown.key"),
        ]));
        assert!(!text.starts_with("error"), "a recovered recording is read: {text}");
    }
    let ledger = world.folder().join("ledger").display().to_string();
    let verify = ["sessions", "verify", "--ledger", &ledger, "--ledger-key", world.ledger_key()];
    let keys = [&world.key("shown.key"), &world.key("typed.key")];
    let keys = keys.iter().flat_map(|key| ["--identity", key.as_str()]);
    let verify: Vec<&str> = verify.into_iter().chain(keys).collect();
    // What is acknowledged is in the ledger's files a moment later.
    world.until("all is sound", || world.weir(&verify).status.success());
    world.down();
}

/// A shell hears numbered lines until the gateway is killed. What it did is in its file, and must be in the recording.
fn killed(world: &World, round: usize) {
    let before = evidence::all(world);
    let script = format!("while read line; do echo $line >> /var/heard-{round}; done");
    let mut command = world.client("kubectl", "ann");
    command.args(["exec", "-i", "careful", "--", "sh", "-c", &script]);
    if round % 2 == 1 {
        command.env("KUBECTL_REMOTE_COMMAND_WEBSOCKETS", "false");
    }
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut kubectl = command.spawn().unwrap();
    let mut stdin = kubectl.stdin.take().unwrap();
    // Long enough for the session to begin in most rounds, and never the same.
    let until =
        Instant::now() + Duration::from_micros(150_000 + (round as u64 * 104_729) % 350_000);
    let mut sent = 0;
    while Instant::now() < until {
        // The pipe is full, or the client is gone: both are for later.
        if stdin.write_all(format!("line-{round}-{sent}\n").as_bytes()).is_err() {
            break;
        }
        sent += 1;
        std::thread::yield_now();
    }
    world.kill_gateway();
    drop(stdin);
    ends(&mut kubectl);
    world.start_gateway();
    let heard = world
        .client("kubectl", "ann")
        .args(["exec", "careful", "--", "cat", &format!("/var/heard-{round}")])
        .output();
    let heard = heard.unwrap();
    let mut recorded = Vec::new();
    for session in evidence::all(world).difference(&before) {
        evidence::each(world, *session, |event| {
            if let Event::Data { stream: Stream::Stdin, bytes } = event {
                recorded.extend_from_slice(&bytes);
            }
        });
    }
    let recorded = String::from_utf8_lossy(&recorded);
    let recorded: BTreeSet<&str> = recorded.lines().collect();
    let heard = String::from_utf8_lossy(&heard.stdout).into_owned();
    let unrecorded: Vec<&str> = heard.lines().filter(|line| !recorded.contains(line)).collect();
    assert!(unrecorded.is_empty(), "round {round}: {unrecorded:?} were run and are not recorded");
}

fn ends(kubectl: &mut Child) {
    let until = Instant::now() + Duration::from_secs(30);
    while kubectl.try_wait().unwrap().is_none() {
        assert!(Instant::now() < until, "kubectl does not notice that the gateway is gone");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Those that a later start found open, and sealed.
fn recovered(world: &World) -> Vec<String> {
    let listed = world.weir(&["sessions", "ls", "--state", "recovered", "-o", "json"]);
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    let items = listed["items"].as_array().unwrap().iter();
    items.map(|item| item["session"].as_str().unwrap().to_owned()).collect()
}
