//! The gateway is killed at any moment, and starts again: nothing was run that is not in a recording, and no recording
//! is lost. `WEIR_GATEWAY_KILLS` says how often.

use crate::world::{World, said};
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

const KILLS: usize = 3;

#[test]
fn what_was_run_when_the_gateway_was_killed_is_recorded() {
    let world = World::up();
    let kills = std::env::var("WEIR_GATEWAY_KILLS").map_or(KILLS, |text| text.parse().unwrap());
    for round in 0..kills {
        killed(&world, round);
    }
    let sessions = listed(&world, "recovered");
    assert!(sessions.len() >= kills, "{} of {kills} were recovered", sessions.len());
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
    let verified = world.weir(&verify.into_iter().chain(keys).collect::<Vec<_>>());
    assert!(verified.status.success(), "{}", said(&verified));
    world.down();
}

/// A shell hears numbered lines until the gateway is killed. What it did is in its file, and must be in the recording.
fn killed(world: &World, round: usize) {
    let before: BTreeSet<String> = all(world).into_iter().collect();
    let script = format!("while read line; do echo $line >> /var/heard-{round}; done");
    let mut command = world.client("kubectl", "ann");
    command.args(["exec", "-i", "shell", "--", "sh", "-c", &script]);
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
        .args(["exec", "shell", "--", "cat", &format!("/var/heard-{round}")])
        .output();
    let heard = heard.unwrap();
    let new: Vec<String> =
        all(world).into_iter().filter(|session| !before.contains(session)).collect();
    let mut recorded = String::new();
    for session in &new {
        let keys = [world.key("shown.key"), world.key("typed.key")];
        let export = [
            "sessions",
            "export",
            session,
            "-f",
            "raw-text",
            "--with-input",
            "--identity",
            &keys[0],
            "--identity",
            &keys[1],
        ];
        recorded += &said(&world.weir(&export));
    }
    let heard = String::from_utf8_lossy(&heard.stdout).into_owned();
    // The shell may have been ended in the middle of a line of its own.
    let whole = heard.lines().filter(|_| heard.ends_with('\n'));
    for line in whole {
        assert!(
            recorded.contains(&format!("{line}\\n")),
            "round {round}: {line} was run and is not in {new:?}"
        );
    }
}

fn ends(kubectl: &mut Child) {
    let until = Instant::now() + Duration::from_secs(30);
    while kubectl.try_wait().unwrap().is_none() {
        assert!(Instant::now() < until, "kubectl does not notice that the gateway is gone");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn all(world: &World) -> Vec<String> {
    list(world, &[])
}

fn listed(world: &World, state: &str) -> Vec<String> {
    list(world, &["--state", state])
}

fn list(world: &World, filter: &[&str]) -> Vec<String> {
    let listed = world.weir(&[&["sessions", "ls", "-o", "json"], filter].concat());
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    let items = listed["items"].as_array().unwrap().iter();
    items.map(|item| item["session"].as_str().unwrap().to_owned()).collect()
}
