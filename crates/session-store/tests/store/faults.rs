//! Whatever the disk does: what was said to be durable is in the recording, and the recording can be listed and read.

use crate::faulty::{After, Fault, FaultyDisk};
use crate::fixture::{People, config, data, events, opening, start_on};
use session_record::{
    Anchors, CHUNK_BYTES, Durability, Ending, Event, SessionId, State, Stream, Verdict,
};
use session_store::{
    Condition, Failure, Found, Position, RealDisk, RecordError, Recorder, RecorderConfig,
    Recordings, SystemClock,
};
use std::sync::Arc;
use std::time::Duration;
use test_folder::TestFolder;
use tokio::time::{sleep, timeout};

const SESSION: SessionId = SessionId(7);

/// What came of a session on a faulty disk.
#[derive(Debug)]
struct Outcome {
    /// Events that were accepted, in their order, and how many of them were said to be durable.
    accepted: Vec<Event>,
    n_durable: usize,
    failure: Option<Failure>,
    /// The state in which the recorder sealed it, if it did.
    sealed: Option<State>,
}

/// Types lines until the disk fails, waits for each third event, and seals.
async fn session(
    recorder: &Recorder,
    disk: &FaultyDisk,
    n_events: usize,
    each_bytes: usize,
) -> Outcome {
    let recording =
        recorder.open(opening(SESSION.0, Durability::Group)).await.expect("a recording");
    disk.arm();
    let (mut accepted, mut n_durable) = (Vec::new(), 0);
    for n in 0..n_events {
        let stream = if n % 2 == 0 { Stream::Stdin } else { Stream::Stdout };
        let event = data(stream, &vec![u8::try_from(n % 251).unwrap_or_default(); each_bytes]);
        let Ok(position) = recording.record(event.clone()).await else { break };
        accepted.push(event);
        if n % 3 == 0 {
            match recording.durable(position).await {
                Ok(()) => n_durable = accepted.len(),
                Err(_) => break,
            }
        }
    }
    let ended = recording.record(Event::Notice { text: "the end".to_owned() }).await;
    let failure = match ended {
        Ok(position) => failure_of(recording.durable(position).await),
        Err(error) => failure_of(Err(error)),
    };
    let why = failure.as_ref().map_or_else(String::new, ToString::to_string);
    let sealed = recording.seal(Ending::RecordingFailed { why }).await;
    Outcome { accepted, n_durable, failure, sealed: sealed.ok().map(|sealed| sealed.seal.state) }
}

fn failure_of(result: Result<(), RecordError>) -> Option<Failure> {
    match result {
        Err(RecordError::Failed(failure)) => Some(failure),
        Ok(()) | Err(RecordError::Ended | RecordError::TooLong { .. }) => None,
    }
}

/// The recording is there with everything that was durable, in the order in which it was accepted.
async fn is_kept(folder: &TestFolder, people: &People, outcome: &Outcome) {
    let (_recorder, recovered) = crate::fixture::start(config(folder, people)).await;
    let [found] = recovered.as_slice() else { unreachable!("{recovered:?}") };
    let Found::Sealed { seal, .. } = &found.found else { unreachable!("{found:?}") };
    assert!(outcome.sealed.is_none_or(|state| state == seal.state), "{outcome:?}, then {seal:?}");
    let recordings = Recordings::new(folder.path());
    let keys = people.all_keys(&recordings, SESSION);
    let report = recordings.verify(SESSION, &keys, &Anchors::default()).expect("a recording");
    assert_eq!(report.verdict(), Verdict::Sound, "{:?} of {outcome:?}", report.faults);
    let reader = recordings.reader(SESSION, &keys).expect("a reader");
    let kept = joined(events(reader.map(|step| step.expect("a step"))));
    let durable = joined(outcome.accepted.iter().take(outcome.n_durable).cloned());
    let accepted = joined(outcome.accepted.iter().cloned());
    assert!(kept.starts_with(&durable), "something durable is missing: {outcome:?}");
    assert!(accepted.starts_with(&kept), "something was recorded that never happened: {outcome:?}");
}

/// Data as bytes, whatever the pieces.
fn joined(events: impl IntoIterator<Item = Event>) -> Vec<(Stream, u8)> {
    let mut joined = Vec::new();
    for event in events {
        if let Event::Data { stream, bytes } = event {
            joined.extend(bytes.iter().map(|byte| (stream, *byte)));
        }
    }
    joined
}

async fn fails_well(fault: Fault, each_bytes: usize) -> Outcome {
    let (outcome, _) = fails_well_in(fault, each_bytes).await;
    outcome
}

/// And in how many writes.
async fn fails_well_in(fault: Fault, each_bytes: usize) -> (Outcome, u32) {
    let (folder, people) = (TestFolder::new(), People::new());
    let disk = FaultyDisk::new(fault);
    // Nothing is made durable but what the session waits for, however slow the machine is.
    let config =
        RecorderConfig { commit_interval: Duration::from_secs(3600), ..config(&folder, &people) };
    let (recorder, _) = start_on(config, Arc::new(disk.clone())).await;
    let outcome = session(&recorder, &disk, 30, each_bytes).await;
    drop(recorder);
    is_kept(&folder, &people, &outcome).await;
    let (_, n_writes) = disk.written();
    (outcome, n_writes)
}

/// A fault in each write of a session: before anything of it is taken, after a byte, and after some. How many of
/// these sessions failed.
async fn in_every_write(
    fault: fn(After) -> Fault,
    each_bytes: usize,
    is_well: impl Fn(&Outcome) -> bool,
) -> usize {
    let mut n_failed = 0;
    for nth in 1.. {
        for takes in [0, 1, 100] {
            let fault = fault(After::Write { nth, takes });
            let (outcome, n_writes) = fails_well_in(fault, each_bytes).await;
            assert!(is_well(&outcome), "{fault:?} of {n_writes} writes: {outcome:?}");
            if n_writes < nth {
                assert_eq!((outcome.failure, outcome.sealed), (None, Some(State::Sealed)));
                // Ten commits or more, the end, and what is packed.
                assert!(n_writes > 12, "{n_writes} writes are no session");
                return n_failed;
            }
            n_failed += usize::from(outcome.failure.is_some());
        }
    }
    n_failed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_is_full_at_any_byte() {
    for bytes in (0..3500).step_by(37) {
        let outcome = fails_well(Fault::Full(After::Bytes(bytes)), 40).await;
        // What a session has reserved takes a short one to its end.
        assert!(outcome.sealed == Some(State::Sealed), "after {bytes}: {outcome:?}");
    }
    for kib in [0, 1, 63, 64, 65, 100, 256, 300, 520] {
        let outcome = fails_well(Fault::Full(After::Bytes(kib << 10)), 60_000).await;
        assert_eq!(outcome.failure, Some(Failure::DiskFull), "after {kib} KiB");
        assert!(outcome.sealed.is_some(), "after {kib} KiB: {outcome:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_promised_room_and_has_none() {
    for bytes in (0..3500).step_by(41) {
        let outcome = fails_well(Fault::LyingFull(After::Bytes(bytes)), 40).await;
        // The ballast makes room for the end.
        assert!(outcome.sealed.is_some(), "after {bytes}: {outcome:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_fails_at_any_byte() {
    for bytes in (0..3500).step_by(43) {
        let outcome = fails_well(Fault::WriteError(After::Bytes(bytes)), 40).await;
        let why = "input/output error".to_owned();
        let expected = Failure::Disk { what: "be written", why };
        assert!(outcome.failure.is_none_or(|failure| failure == expected), "after {bytes}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_is_full_at_any_boundary_of_chunks() {
    let is_sealed = |outcome: &Outcome| outcome.sealed == Some(State::Sealed);
    assert_eq!(in_every_write(Fault::Full, 40, is_sealed).await, 0);
    let says_why = |outcome: &Outcome| {
        let failure = outcome.failure.as_ref();
        failure.is_none_or(|failure| *failure == Failure::DiskFull) && outcome.sealed.is_some()
    };
    for (what, fault, each_bytes) in [
        ("full, long", Fault::Full as fn(After) -> Fault, 60_000),
        ("lying", Fault::LyingFull, 40),
        ("lying, long", Fault::LyingFull, 60_000),
    ] {
        let n_failed = in_every_write(fault, each_bytes, says_why).await;
        assert!(n_failed > 20, "{what}: only {n_failed} sessions failed");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_fails_at_any_boundary_of_chunks() {
    let says_why = |outcome: &Outcome| {
        let why = "input/output error".to_owned();
        let expected = Failure::Disk { what: "be written", why };
        outcome.failure.as_ref().is_none_or(|failure| *failure == expected)
    };
    for each_bytes in [40, 60_000] {
        let n_failed = in_every_write(Fault::WriteError, each_bytes, says_why).await;
        assert!(n_failed > 20, "{each_bytes} bytes each: only {n_failed} sessions failed");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_disk_is_waited_for_and_no_more_waits_than_there_is_room_for() {
    const QUEUE_BYTES: usize = 100_000;
    const EACH_BYTES: usize = 20_000;
    let (folder, people) = (TestFolder::new(), People::new());
    let disk = FaultyDisk::new(Fault::Slow(Duration::from_millis(5)));
    let config = RecorderConfig { queue_bytes: QUEUE_BYTES, ..config(&folder, &people) };
    let (recorder, _) = start_on(config, Arc::new(disk.clone())).await;
    let recording =
        recorder.open(opening(SESSION.0, Durability::Group)).await.expect("a recording");
    disk.arm();
    let accepted: Vec<Event> = (0..60).map(|_| data(Stream::Stdout, &[b'x'; EACH_BYTES])).collect();
    for (n, event) in accepted.iter().enumerate() {
        recording.record(event.clone()).await.expect("queued");
        let (written, _) = disk.written();
        let waiting = ((n + 1) * EACH_BYTES) as u64 - written.min(((n + 1) * EACH_BYTES) as u64);
        // One more chunk is being written.
        let most = (QUEUE_BYTES + CHUNK_BYTES + EACH_BYTES) as u64;
        assert!(waiting <= most, "{waiting} bytes wait at event {n}");
    }
    let sealed = recording.seal(Ending::ClientLeft).await.expect("sealed");
    assert_eq!((sealed.seal.state, sealed.seal.records), (State::Sealed, 60));
    drop((recording, recorder));
    let sealed = Some(State::Sealed);
    is_kept(&folder, &people, &Outcome { accepted, n_durable: 60, failure: None, sealed }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sync_that_fails_is_not_tried_again() {
    // Ten commits, the one of the last event, and the end.
    for nth in 1..=12 {
        let outcome = fails_well(Fault::SyncErrorFrom(nth), 40).await;
        // The end cannot be made durable either: the next start seals.
        assert_eq!(outcome.sealed, None, "{nth}: {outcome:?}");
        let outcome = fails_well(Fault::SyncErrorAt(nth), 40).await;
        // It can elsewhere. What is known of the first file ends with the sync before.
        assert_eq!(outcome.sealed, Some(State::Damaged), "{nth}: {outcome:?}");
    }
    // The raw recording is whole when packing it fails.
    let outcome = fails_well(Fault::SyncErrorFrom(13), 40).await;
    assert_eq!((outcome.failure, outcome.sealed), (None, Some(State::Sealed)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sync_that_fails_while_nobody_waits_for_it() {
    let (folder, people) = (TestFolder::new(), People::new());
    let disk = FaultyDisk::new(Fault::SyncErrorAt(1));
    let config =
        RecorderConfig { commit_interval: Duration::from_millis(1), ..config(&folder, &people) };
    let (recorder, _) = start_on(config, Arc::new(disk.clone())).await;
    let recording =
        recorder.open(opening(SESSION.0, Durability::Group)).await.expect("a recording");
    disk.arm();
    let accepted = vec![data(Stream::Stdout, b"shown"), data(Stream::Stdout, b"and more")];
    for event in accepted.clone() {
        recording.record(event).await.expect("queued");
    }
    let failure = recording.failed().await;
    let why = "input/output error".to_owned();
    assert_eq!(failure, Failure::Disk { what: "be made durable", why });
    let sealed =
        recording.seal(Ending::RecordingFailed { why: failure.to_string() }).await.expect("sealed");
    assert_eq!((sealed.seal.state, sealed.seal.records), (State::Damaged, 2));
    drop((recording, recorder));
    let sealed = Some(State::Damaged);
    is_kept(&folder, &people, &Outcome { accepted, n_durable: 2, failure: Some(failure), sealed })
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn short_writes_are_no_failure() {
    let outcome = fails_well(Fault::ShortWrites(7), 900).await;
    assert_eq!(
        (outcome.n_durable, outcome.failure, outcome.sealed),
        (28, None, Some(State::Sealed))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_hangs_ends_the_session_in_time() {
    let (folder, people) = (TestFolder::new(), People::new());
    let disk = FaultyDisk::new(Fault::Hang);
    let config = RecorderConfig { stall: Duration::from_secs(3), ..config(&folder, &people) };
    let (recorder, _) = start_on(config.clone(), Arc::new(disk.clone())).await;
    let recording =
        recorder.open(opening(SESSION.0, Durability::Intent)).await.expect("a recording");
    disk.arm();
    let position: Position =
        recording.record(data(Stream::Stdin, b"rm -rf /\r")).await.expect("queued");
    let stalled = Failure::Stalled { stall_ms: 3_000 };
    assert_eq!(failure_of(recording.durable(position).await), Some(stalled.clone()));
    assert_eq!(recording.failed().await, stalled);
    let refused = recording.seal(Ending::RecordingFailed { why: stalled.to_string() }).await;
    assert!(refused.is_err(), "{refused:?}");
    // New sessions go to the other thread, as long as its disk answers.
    disk.release();
    // A thread that is still stuck would be left behind, and go on beside the next recorder.
    let recordings = Recordings::new(folder.path());
    let is_sealed = |condition| matches!(condition, Condition::Sealed { .. });
    let goes_on = async {
        while !is_sealed(recordings.look(SESSION).expect("it is there").condition) {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(60), goes_on).await.expect("what hung goes on");
    drop((recording, recorder));
    let (_recorder, recovered) = crate::fixture::start(config).await;
    let [found] = recovered.as_slice() else { unreachable!("{recovered:?}") };
    let Found::Sealed { seal, .. } = &found.found else { unreachable!("{found:?}") };
    assert_eq!(seal.ending, Ending::RecordingFailed { why: stalled.to_string() });
}

#[tokio::test]
async fn a_recording_that_cannot_begin_leaves_nothing() {
    let (folder, people) = (TestFolder::new(), People::new());
    let disk = FaultyDisk::new(Fault::WriteError(After::Bytes(30)));
    let (recorder, _) = start_on(config(&folder, &people), Arc::new(disk.clone())).await;
    disk.arm();
    assert!(recorder.open(opening(SESSION.0, Durability::Group)).await.is_err());
    drop(recorder);
    let clock = Arc::new(SystemClock::start());
    let (_, recovered) = Recorder::start(config(&folder, &people), Arc::new(RealDisk), clock)
        .await
        .expect("a start");
    assert!(recovered.is_empty(), "{recovered:?}");
}
