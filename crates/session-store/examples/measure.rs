//! Measures what recording costs: `cargo run --release -p session-store --example measure -- FOLDER [PART…]`.
//!
//! docs/benchmarks.md has what came out. Not a test: figures depend on the machine and its disk.
#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a bench that cannot go on has nothing to say"
)]

use bytes::Bytes;
use session_record::{
    Access, Anchors, Client, ContentKey, Durability, Ending, Event, Header, KeyPair, Keys, Opening,
    Packing, SessionId, SourceError, State, Stream, User, Verdict, Writer, pack, verify,
};
use session_store::{
    AgeRecipients, Readers, RealDisk, Recorder, RecorderConfig, Recording, SystemClock, Watermarks,
};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

const MIB: usize = 1 << 20;
/// As kubectl and the runtimes send it.
const FRAME_BYTES: usize = 32 << 10;
const BULK_BYTES: usize = 1 << 30;

fn opening(session: u128, durability: Durability) -> Opening {
    let text = str::to_owned;
    Opening {
        session: SessionId(session),
        at_ms: 1_790_000_000_000,
        gateway: text("gateway-0"),
        cluster: text("shop"),
        user: User {
            name: text("ada"),
            uid: None,
            groups: vec![text("ops")],
            proof: text("certificate"),
        },
        client: Client {
            address: text("192.0.2.1:40000"),
            user_agent: Some(text("kubectl/v1.36.0")),
            kubectl_session: None,
            kubectl_command: Some(text("kubectl exec")),
            protocol: text("v5.channel.k8s.io"),
        },
        access: Access {
            verb: text("exec"),
            namespace: Some(text("shop")),
            name: Some(text("web-0")),
            uid: None,
            container: None,
            command: vec![text("sh")],
            terminal: true,
        },
        reason: None,
        rule: text("ops"),
        durability,
    }
}

/// Text that compresses like logs do, and differs from frame to frame.
fn frames() -> Vec<Event> {
    let frame = |seed: u64| {
        let mut bytes = Vec::with_capacity(FRAME_BYTES + 128);
        let mut number = seed;
        while bytes.len() < FRAME_BYTES {
            number = number
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let line = format!(
                "2026-11-28T07:00:00Z shop/web-{} GET /cart/{number:016x} 200 {}us\n",
                number % 7,
                number % 977
            );
            bytes.extend_from_slice(line.as_bytes());
        }
        bytes.truncate(FRAME_BYTES);
        Event::Data { stream: Stream::Stdout, bytes: bytes.into() }
    };
    (0..64).map(frame).collect()
}

fn rate(what: &str, bytes: usize, took: Duration) {
    println!("{what}: {:.0} MiB/s", bytes as f64 / MIB as f64 / took.as_secs_f64());
}

fn percentiles(what: &str, mut took: Vec<Duration>) {
    took.sort();
    let at =
        |share: f64| took.get((took.len() as f64 * share) as usize).copied().unwrap_or_default();
    println!(
        "{what}: p50 {:?}, p99 {:?}, max {:?}",
        at(0.5),
        at(0.99),
        took.last().copied().unwrap_or_default()
    );
}

/// Time of this process in its own code, and in the kernel.
fn cpu() -> [f64; 2] {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("a process");
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
    let ticks = |n: usize| fields.get(n).and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
    [ticks(11), ticks(12)].map(|ticks| ticks as f64 / 100.0)
}

fn cpu_since(start: [f64; 2]) -> [f64; 2] {
    let ([own, kernel], [own_now, kernel_now]) = (start, cpu());
    [own_now - own, kernel_now - kernel]
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("a process");
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap_or("");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).unwrap_or(0)
}

/// Records, encryption and digests, on one core and without a disk; then packing and verifying.
fn format_alone() {
    let keys = KeyPair { output: ContentKey::new([1; 32]), input: ContentKey::new([2; 32]) };
    let header = Header::new(opening(1, Durability::Group), [3; 32], 100, &keys);
    let (mut writer, beginning) = Writer::begin(&header, &keys).expect("a header");
    let frames = frames();
    let mut raw = beginning.to_vec();
    raw.reserve(BULK_BYTES / 4 + MIB);
    let (start, mut spare, mut n_bytes) = (Instant::now(), Vec::new(), 0);
    while n_bytes < BULK_BYTES {
        for frame in &frames {
            writer.push(n_bytes as u64, frame).expect("short");
            n_bytes += FRAME_BYTES;
            if writer.pending_bytes() >= session_record::CHUNK_BYTES {
                spare = writer.cut(spare).expect("a chunk");
                if n_bytes <= BULK_BYTES / 4 {
                    raw.extend_from_slice(&spare);
                }
            }
        }
    }
    rate("records, AES-256-GCM and SHA-256, one core, no disk", n_bytes, start.elapsed());
    pack_and_verify(&frames, &keys);
}

fn pack_and_verify(frames: &[Event], keys: &KeyPair) {
    let header = Header::new(opening(1, Durability::Group), [4; 32], 100, keys);
    let (mut writer, beginning) = Writer::begin(&header, keys).expect("a header");
    let mut raw = beginning.to_vec();
    let n_bytes = BULK_BYTES / 4;
    for n in 0..n_bytes / FRAME_BYTES {
        writer.push(n as u64, frames.get(n % frames.len()).expect("a frame")).expect("short");
        if writer.pending_bytes() >= session_record::CHUNK_BYTES {
            raw.extend(writer.cut(Vec::new()).expect("a chunk"));
        }
    }
    let ended = writer.end(State::Sealed, Ending::ClientLeft, 0).expect("an end");
    raw.extend(ended.bytes);
    raw.extend(ended.seal.write());
    let raw = Bytes::from(raw);
    let mut packed = Vec::new();
    let packing = Packing { keys, salt: [5; 32], level: 3, heads: &[] };
    let start = Instant::now();
    let mut sink = |part: &[u8]| -> Result<(), SourceError> {
        packed.extend_from_slice(part);
        Ok(())
    };
    pack(raw.clone(), &packing, &mut sink).expect("packed");
    rate("packing, zstd level 3, one core", n_bytes, start.elapsed());
    println!("packed to {:.1} %", packed.len() as f64 * 100.0 / raw.len() as f64);
    let all: Keys = keys.clone().into();
    for (what, bytes, keys) in [
        ("verifying raw, no keys", raw.clone(), Keys::none()),
        ("verifying raw, keys", raw, all.clone()),
        ("verifying packed, keys", packed.into(), all),
    ] {
        let start = Instant::now();
        let report = verify(bytes, &keys, &Anchors::default()).expect("a recording");
        assert_eq!(report.verdict(), Verdict::Sound);
        rate(what, n_bytes, start.elapsed());
    }
}

async fn recorder(folder: &Path, pack_level: Option<i32>) -> Recorder {
    let recipient = age::x25519::Identity::generate().to_public().to_string();
    let recipients = Arc::new(AgeRecipients::parse([recipient.as_str()]).expect("a recipient"));
    let readers =
        Readers { output: vec![Arc::clone(&recipients) as _], input: vec![recipients as _] };
    let watermarks = Watermarks { admission_bytes: 3, drain_bytes: 2, critical_bytes: 1 };
    let config = RecorderConfig {
        watermarks,
        pack_level,
        ..RecorderConfig::new(folder.to_owned(), readers)
    };
    let started = Recorder::start(config, Arc::new(RealDisk), Arc::new(SystemClock::start())).await;
    started.expect("a recorder").0
}

async fn bulk(folder: &Path, n_sessions: usize) {
    let recorder = recorder(&folder.join(format!("bulk-{n_sessions}")), None).await;
    let frames = Arc::new(frames());
    let (start, cpu_start) = (Instant::now(), cpu());
    let each = BULK_BYTES / FRAME_BYTES / n_sessions;
    let tasks: Vec<_> = (0..n_sessions)
        .map(|n| {
            let (recorder, frames) = (recorder.clone(), Arc::clone(&frames));
            tokio::spawn(async move {
                let opening = opening(n as u128 + 1, Durability::Group);
                let recording = recorder.open(opening).await.expect("a recording");
                for frame in frames.iter().cycle().take(each) {
                    recording.admit(frame.clone()).await.expect("recorded");
                }
                recording.seal(Ending::ClientLeft).await.expect("sealed");
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("recorded");
    }
    rate(
        &format!("{n_sessions} sessions in bulk, group, to disk and sealed"),
        BULK_BYTES,
        start.elapsed(),
    );
    let [own, kernel] = cpu_since(cpu_start);
    println!(
        "  {own:.2} s + {kernel:.2} s in the kernel a GiB: {:.0} MiB/s a core",
        1024.0 / (own + kernel)
    );
}

async fn latencies(folder: &Path) {
    let recorder = recorder(&folder.join("latencies"), Some(3)).await;
    let mut opened = Vec::new();
    let mut recordings: Vec<Recording> = Vec::new();
    for n in 0..500_u128 {
        let start = Instant::now();
        recordings
            .push(recorder.open(opening(n + 1, Durability::Intent)).await.expect("a recording"));
        opened.push(start.elapsed());
    }
    percentiles("opening a recording", opened);
    let recording = recordings.pop().expect("one");
    let (mut shown, mut typed, mut entered) = (Vec::new(), Vec::new(), Vec::new());
    for n in 0..2000_u32 {
        for (stream, bytes, took) in [
            (Stream::Stdin, b"a".as_slice(), &mut typed),
            (Stream::Stdout, b"a".as_slice(), &mut shown),
            (Stream::Stdin, b"\r".as_slice(), &mut entered),
        ] {
            let start = Instant::now();
            recording
                .admit(Event::Data { stream, bytes: Bytes::from_static(bytes) })
                .await
                .expect("recorded");
            took.push(start.elapsed());
        }
        if n % 10 == 0 {
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    }
    percentiles("recording what is shown", shown);
    percentiles("recording a plain key (intent)", typed);
    percentiles("recording Enter, until it is on disk (intent)", entered);
}

async fn idle(folder: &Path) {
    const N_SESSIONS: u64 = 5000;
    let recorder = recorder(&folder.join("idle"), None).await;
    let before = resident_kib();
    let start = Instant::now();
    let mut recordings = Vec::new();
    for n in 0..N_SESSIONS {
        let recording = recorder
            .open(opening(u128::from(n) + 1, Durability::Intent))
            .await
            .expect("a recording");
        recording
            .admit(Event::Data { stream: Stream::Stdout, bytes: Bytes::from_static(b"$ ") })
            .await
            .expect("recorded");
        recordings.push(recording);
    }
    println!("opening {N_SESSIONS} one after the other: {:.1} s", start.elapsed().as_secs_f64());
    tokio::time::sleep(Duration::from_millis(500)).await;
    println!(
        "{:.1} KiB of memory an idle session",
        (resident_kib() - before) as f64 / N_SESSIONS as f64
    );
    let cpu_before = cpu();
    tokio::time::sleep(Duration::from_secs(5)).await;
    let [own, kernel] = cpu_since(cpu_before);
    println!(
        "{:.1} ms of processor time a second for {N_SESSIONS} idle sessions",
        (own + kernel) * 200.0
    );
}

fn main() {
    let folder = PathBuf::from(std::env::args_os().nth(1).expect("a folder to write into"));
    let wanted: Vec<String> = std::env::args().skip(2).collect();
    let wants = |part: &str| wanted.is_empty() || wanted.iter().any(|wanted| wanted == part);
    if wants("format") {
        format_alone();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        if wants("bulk") {
            bulk(&folder, 1).await;
            bulk(&folder, 8).await;
        }
        if wants("latencies") {
            latencies(&folder).await;
        }
        if wants("idle") {
            idle(&folder).await;
        }
    });
}
