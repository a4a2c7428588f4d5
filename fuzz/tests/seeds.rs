//! Every target still runs on its seeds, and the good seeds are still good: read without an error, so
//! that a fuzzer which starts from them starts deep inside the readers.
#![expect(clippy::unwrap_used, reason = "a seed that cannot be read is a broken test")]

use cli::Answered;
use expect_test::expect;
use finding_model::{Finding, Severity, SourceFiles};
use kube_import::{Limits, import_text, read_tests};
use std::fmt::Debug;
use std::fs;
use std::path::{Path, PathBuf};

fn files_of(folder: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(folder);
    let entries = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<(PathBuf, Vec<u8>)> =
        entries.map(|path| (path.clone(), fs::read(&path).unwrap())).collect();
    files.sort();
    assert!(!files.is_empty(), "{} has no seeds", folder.display());
    files
}

fn text_of(folder: &str, name: &str) -> String {
    let files = files_of(folder);
    let (_, bytes) = files.iter().find(|(path, _)| path.ends_with(name)).unwrap();
    String::from_utf8(bytes.clone()).unwrap()
}

fn errors(findings: &[Finding]) -> Vec<&Finding> {
    findings.iter().filter(|finding| finding.severity == Severity::Error).collect()
}

#[test]
fn targets_run_on_their_seeds() {
    let targets: [(&str, fuzz::Target); 10] = [
        ("batch", fuzz::batch),
        ("classifier", fuzz::classifier),
        ("flow", fuzz::flow),
        ("ledger", fuzz::ledger),
        ("manifest", fuzz::manifest),
        ("recording", fuzz::recording),
        ("replay", fuzz::replay),
        ("spdy", fuzz::spdy),
        ("test_file", fuzz::test_file),
        ("websocket", fuzz::websocket),
    ];
    for (folder, target) in targets {
        for (_, bytes) in files_of(folder) {
            target(&bytes);
            // Cut in the middle, as a fuzzer does first.
            target(bytes.get(..bytes.len() / 2).unwrap());
        }
    }
}

#[test]
fn good_ledger_files_are_read() {
    for (path, bytes) in files_of("ledger") {
        assert!(fuzz::ledger_read(&bytes), "{}", path.display());
    }
}

#[test]
fn good_recordings_are_read_whole() {
    let read = |(path, bytes): (PathBuf, Vec<u8>)| {
        (path.file_name().unwrap().to_string_lossy().into_owned(), fuzz::steps_read(&bytes))
    };
    let read: Vec<(String, Option<usize>)> = files_of("recording").into_iter().map(read).collect();
    let expected = [
        ("block", Some(1)),
        ("chunk", Some(2)),
        ("chunk-all", Some(12)),
        ("file-packed", Some(2)),
        ("file-raw", Some(2)),
        ("raw.bin", None),
    ];
    assert_eq!(read, expected.map(|(name, steps)| (name.to_owned(), steps)));
}

/// What a target makes of each of its seeds, a line each.
fn found<T: Debug>(folder: &str, read: impl Fn(&[u8]) -> Option<T>) -> String {
    let one = |(path, bytes): (PathBuf, Vec<u8>)| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        read(&bytes).map_or_else(|| format!("{name}\n"), |made| format!("{name} {made:?}\n"))
    };
    files_of(folder).into_iter().map(one).collect()
}

#[test]
fn requests_are_classified() {
    expect![[r#"
        attach "attach"
        exec "exec"
        log "logs"
        log-of-another-group "subresource-unknown"
        node-proxy "node-proxy"
        port-forward "port-forward"
        proxy "proxy"
        refused-claim "identity-claimed"
        refused-dots "path-not-canonical"
        refused-elsewhere "subresource-unknown"
        watch "api"
    "#]]
    .assert_eq(&found("classifier", fuzz::classified));
}

/// How many events they are, where the peer keeps to its protocol.
#[test]
fn sessions_are_decoded() {
    expect![[r#"
        after-end
        client-base64 2
        client-terminal 3
        client-v5 2
        ports 4
        ports-base64 2
        runtime-base64-text 3
        runtime-v5 3
    "#]]
    .assert_eq(&found("websocket", fuzz::websocket_events));
    expect![[r#"
        client-both-ended 7
        client-forward-script 7
        client-go-forward 6
        client-go-terminal 3
        client-go-tunnel 6
        client-go-v4 2
        client-reset-after-both-ended
        client-said-after-both-ended 7
        client-script 2
        runtime-forward-script 6
        runtime-go-v1 5
        runtime-go-v2 5
        runtime-go-v4 5
        runtime-script 5
        runtime-script-v1 5
        runtime-tunnel-refused
        wrong-twice
    "#]]
    .assert_eq(&found("spdy", fuzz::spdy_events));
}

#[test]
fn command_lines_of_good_sessions_are_found() {
    let found = |name: &str| {
        let files = files_of("replay");
        let (_, bytes) = files.iter().find(|(path, _)| path.ends_with(name)).unwrap();
        fuzz::commands_found(bytes)
    };
    assert_eq!(["bash", "busybox-withheld", "tmux"].map(found), [14, 5, 6]);
}

#[test]
fn good_manifests_are_read_whole() {
    for (name, n_objects) in [("policies.yaml", 4), ("workloads.yaml", 9)] {
        let imported = import_text(name, &text_of("manifest", name));
        assert!(errors(&imported.findings).is_empty(), "{:?}", imported.findings);
        assert_eq!(imported.n_objects, n_objects, "{name}");
    }
}

#[test]
fn the_good_test_file_is_read_whole() {
    let name = "all-claims.yaml";
    let file = SourceFiles::default().add(name.to_owned());
    let (tests, findings) = read_tests(file, &text_of("test_file", name), Limits::default());
    assert_eq!(findings, []);
    assert_eq!(tests.len(), 1);
}

#[test]
fn good_queries_have_verdicts() {
    let answered = fuzz::answered(text_of("batch", "good.jsonl").as_bytes());
    assert!(!answered.contains(&Answered::Error), "{answered:?}");
}

#[test]
fn good_flows_are_read() {
    let read = |name: &str| fuzz::flows_of(text_of("flow", name).as_bytes());
    let (ours, hubbles) = (read("ours.jsonl"), read("hubble.jsonl"));
    assert_eq!((ours.0.len(), ours.1.len()), (10, 0));
    assert_eq!((hubbles.0.len(), hubbles.1.len()), (0, 16));
}
