//! A recorder that is killed at any moment: what it said to be on disk is in the recording, and nothing else.
//!
//! The recorder runs in a process of its own, which is this test's program again. Its standard output is the fake
//! upstream: what is written there was executed. `WEIR_KILLS` says how often it is killed; docs/benchmarks.md has ten
//! thousand.

use crate::fixture::{People, data, events, opening, start};
use crate::random::{Random, count};
use session_record::{Anchors, Durability, Event, SessionId, Stream, Verdict};
use session_store::{Found, Recordings, Recovered};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use test_folder::TestFolder;

const FOLDER: &str = "WEIR_TEST_KILL_FOLDER";
const SEED: &str = "WEIR_TEST_KILL_SEED";
const N_SESSIONS: u64 = 3;

/// What session `session` does as its `n`th event. Lengths differ so that chunks end anywhere.
fn nth_event(session: u64, n: u64) -> Event {
    let mut random = Random(session << 32 | n);
    let stream = if random.below(2) == 0 { Stream::Stdin } else { Stream::Stdout };
    let length = if random.below(40) == 0 { 100_000 } else { 1 + random.below(60) };
    let mut bytes: Vec<u8> = (0..length)
        .map(|at| u8::try_from(u64::from(b'a') + (at + n) % 26).unwrap_or(b'?'))
        .collect();
    bytes.push(b'\r');
    data(stream, &bytes)
}

/// In the child: records until it is killed. Does nothing in a run of the tests.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_that_records() {
    let (Ok(folder), Ok(seed)) = (std::env::var(FOLDER), std::env::var(SEED)) else { return };
    let seed: u64 = seed.parse().expect("a number");
    let people =
        People::parse(&std::fs::read_to_string(Path::new(&folder).join("people")).expect("people"));
    let (recorder, recovered) = start(people.config(Path::new(&folder))).await;
    say(&format!("recovered {}", recovered.len()));
    let sessions = (0..N_SESSIONS).map(|n| seed * N_SESSIONS + n + 1);
    let tasks = sessions.map(|session| {
        let recorder = recorder.clone();
        tokio::spawn(async move {
            let recording = recorder
                .open(opening(session.into(), Durability::Intent))
                .await
                .expect("a recording");
            say(&format!("opened {session}"));
            for n in 0.. {
                recording.admit(nth_event(session, n)).await.expect("recorded");
                // What was typed is executed now; what was shown may be ahead of the disk.
                if matches!(nth_event(session, n), Event::Data { stream: Stream::Stdin, .. }) {
                    say(&format!("executed {session} {n}"));
                }
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.expect("it runs until it is killed");
    }
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("@{line}\n").as_bytes()).and_then(|()| out.flush()).expect("a pipe");
}

fn child(folder: &TestFolder, seed: u64) -> Child {
    Command::new(std::env::current_exe().expect("a program"))
        .args(["--exact", "kill::a_child_that_records", "--nocapture", "--test-threads=1"])
        .env(FOLDER, folder.path())
        .env(SEED, seed.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("a child")
}

/// What a killed child had said: for each session that was opened, the last event that was executed.
fn run_and_kill(folder: &TestFolder, seed: u64, random: &mut Random) -> BTreeMap<u64, Option<u64>> {
    let mut child = child(folder, seed);
    let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let (mut left, mut said) = (random.below(150), BTreeMap::new());
    for line in lines {
        if left == 0 {
            child.kill().expect("it is killed");
        }
        // What was in the pipe already is read to its end.
        left = left.saturating_sub(1);
        let line = line.expect("text");
        let mut words = line.split_once('@').map_or("", |(_, words)| words).split(' ');
        match (words.next(), words.next().map(str::parse), words.next().map(str::parse)) {
            (Some("opened"), Some(Ok(session)), None) => {
                said.insert(session, None);
            }
            (Some("executed"), Some(Ok(session)), Some(Ok(n))) => {
                said.insert(session, Some(n));
            }
            _ => {}
        }
    }
    child.wait().expect("it ended");
    said
}

#[tokio::test]
async fn what_was_executed_is_in_the_recording_whenever_it_is_killed() {
    let (folder, people) = (TestFolder::new(), People::new());
    std::fs::write(folder.path().join("people"), people.text()).expect("people");
    let (n_kills, mut n_executed) = (count("WEIR_KILLS", 200), 0);
    for seed in 0..n_kills {
        let mut random = Random(seed);
        let said = run_and_kill(&folder, seed, &mut random);
        let (recorder, recovered) = start(people.config(folder.path())).await;
        let found: BTreeMap<SessionId, &Recovered> =
            recovered.iter().map(|recovered| (recovered.session, recovered)).collect();
        for (session, executed) in said {
            let recovered =
                found.get(&SessionId(session.into())).expect("an opened session is found");
            assert!(matches!(recovered.found, Found::Sealed { .. }), "seed {seed}: {recovered:?}");
            is_recorded(&folder, &people, session, executed);
            n_executed += executed.map_or(0, |n| n + 1);
        }
        drop(recorder);
        // So that the folder does not grow with the number of kills.
        for recovered in recovered {
            remove(&folder, recovered.session);
        }
    }
    assert!(n_executed > n_kills * 10, "only {n_executed} events were executed in {n_kills} runs");
}

fn is_recorded(folder: &TestFolder, people: &People, session: u64, executed: Option<u64>) {
    let recordings = Recordings::new(folder.path());
    let id = SessionId(session.into());
    let keys = people.all_keys(&recordings, id);
    let report = recordings.verify(id, &keys, &Anchors::default()).expect("a recording");
    assert_eq!(report.verdict(), Verdict::Sound, "session {session}: {:?}", report.faults);
    let reader = recordings.reader(id, &keys).expect("a reader");
    let recorded = events(reader.map(|step| step.expect("a step")));
    let expected: Vec<Event> = (0..recorded.len() as u64).map(|n| nth_event(session, n)).collect();
    assert!(recorded == expected, "session {session}: something else was recorded");
    let n_recorded = recorded.len() as u64;
    assert!(
        executed.is_none_or(|n| n < n_recorded),
        "session {session}: {executed:?} of {n_recorded} is missing"
    );
}

fn remove(folder: &TestFolder, session: SessionId) {
    for entry in std::fs::read_dir(folder.path().join("open")).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.to_string_lossy().contains(&session.to_string()) {
            std::fs::remove_file(path).expect("it goes");
        }
    }
}
