//! One small session in every format.
#![expect(clippy::unwrap_used, reason = "a test")]

use bytes::Bytes;
use expect_test::expect;
use session_formats::{Export, Extraction, Format, Input};
use session_record::{
    Access, Client, Durability, Event, Opening, Record, SessionId, Step, Stream, User,
};
use session_replay::{FileList, Screen};
use std::process::{Command, Stdio};
use test_folder::TestFolder;

fn opening(terminal: bool) -> Opening {
    Opening {
        session: SessionId(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef),
        at_ms: 1_795_000_000_123,
        gateway: "edge".to_owned(),
        cluster: "prod".to_owned(),
        user: User {
            name: "ann\u{202e}".to_owned(),
            uid: None,
            groups: vec!["ops".to_owned()],
            proof: "client certificate".to_owned(),
        },
        client: Client {
            address: "10.1.2.3:4567".to_owned(),
            user_agent: None,
            kubectl_session: None,
            kubectl_command: None,
            protocol: "v5.channel.k8s.io".to_owned(),
        },
        access: Access {
            verb: "exec".to_owned(),
            namespace: Some("shop".to_owned()),
            name: Some("web-1".to_owned()),
            uid: None,
            container: Some("web".to_owned()),
            command: vec!["sh".to_owned()],
            terminal,
        },
        reason: Some("a ticket".to_owned()),
        rule: "ops".to_owned(),
        durability: Durability::Intent,
    }
}

fn at(at_us: u64, event: Event) -> Step {
    Step::Known(Record { at_us, event })
}

fn data(at_us: u64, stream: Stream, bytes: &'static [u8]) -> Step {
    at(at_us, Event::Data { stream, bytes: Bytes::from_static(bytes) })
}

fn shell() -> Vec<Step> {
    vec![
        at(10, Event::Resize { columns: 100, rows: 30 }),
        data(1_000, Stream::Stdout, b"$ "),
        data(500_000, Stream::Stdin, b"id\r"),
        data(501_000, Stream::Stdout, b"id\r\nuid=0 \xc3"),
        data(502_000, Stream::Stdout, b"\xa4\x1b]52;c;eA==\x07\r\n"),
        Step::Withheld { at_us: 600_000, stream: Stream::Stdin, length: 3 },
        at(700_000, Event::Resize { columns: 80, rows: 24 }),
        at(2_000_000, Event::Marker { by: "bob".to_owned(), text: "here".to_owned() }),
        at(2_500_000, Event::Status { text: Bytes::from_static(b"{\"status\":\"Success\"}") }),
    ]
}

fn exported(format: Format, input: Input, terminal: bool, steps: &[Step]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut export = Export::begin(format, input, &opening(terminal), &mut out).unwrap();
    for step in steps {
        export.step(step, &mut out).unwrap();
    }
    export.end(&mut out).unwrap();
    out
}

fn text(format: Format, input: Input) -> String {
    String::from_utf8(exported(format, input, true, &shell())).unwrap()
}

#[test]
fn asciicast_3() {
    expect![[r#"
        {"command":"sh","term":{"cols":100,"rows":30},"timestamp":1795000000,"title":"session 01234567-89ab-cdef-0123-456789abcdef","version":3}
        [0.001000, "o", "$ "]
        [0.500000, "o", "id\r\nuid=0 "]
        [0.001000, "o", "ä\r\n"]
        [0.198000, "r", "80x24"]
        [1.300000, "m", "here"]
        [0.500000, "x", "0"]
    "#]].assert_eq(&text(Format::Asciicast, Input::LeftOut));
}

#[test]
fn asciicast_2_with_what_was_typed() {
    expect![[r#"
        {"command":"sh","height":30,"timestamp":1795000000,"title":"session 01234567-89ab-cdef-0123-456789abcdef","version":2,"width":100}
        [0.001000, "o", "$ "]
        [0.500000, "i", "id\r"]
        [0.501000, "o", "id\r\nuid=0 "]
        [0.502000, "o", "ä\r\n"]
        [0.700000, "r", "80x24"]
        [2.000000, "m", "here"]
    "#]].assert_eq(&text(Format::Asciicast2, Input::Written));
}

#[test]
fn lines_for_people() {
    expect![[r#"
        $ id
        uid=0 ä
    "#]]
    .assert_eq(&text(Format::Text, Input::LeftOut));
    expect![[r#"
        0.000010 resize  100x30
        0.001000 stdout  $\s
        0.500000 stdin   (3 bytes, left out)
        0.501000 stdout  id\r\n
        0.501000 stdout  uid=0\s
        0.502000 stdout  ä\u{1b}]52;c;eA==\u{7}\r\n
        0.600000 stdin   (3 bytes, withheld)
        0.700000 resize  80x24
        2.000000 marker  here (bob)
        2.500000 status  {"status":"Success"}
    "#]]
    .assert_eq(&text(Format::RawText, Input::LeftOut));
}

#[test]
fn json_lines() {
    expect![[r#"
        {"apiVersion":"weir.dev/v1alpha1","client":{"address":"10.1.2.3:4567","kubectlCommand":null,"kubectlSession":null,"protocol":"v5.channel.k8s.io","userAgent":null},"cluster":"prod","command":["sh"],"container":"web","durability":"intent","gateway":"edge","kind":"SessionExport","name":"web-1","namespace":"shop","reason":"a ticket","rule":"ops","session":"01234567-89ab-cdef-0123-456789abcdef","startedAt":"2026-11-18T11:06:40.123Z","terminal":true,"uid":null,"user":{"groups":["ops"],"name":"ann\u202e","proof":"client certificate","uid":null},"verb":"exec"}
        {"atUs":10,"columns":100,"event":"resize","rows":30}
        {"atUs":1000,"bytes":"JCA=","event":"data","stream":"stdout"}
        {"atUs":500000,"event":"data","stream":"stdin","withheldBytes":3}
        {"atUs":501000,"bytes":"aWQNCnVpZD0wIMM=","event":"data","stream":"stdout"}
        {"atUs":502000,"bytes":"pBtdNTI7YztlQT09Bw0K","event":"data","stream":"stdout"}
        {"atUs":600000,"event":"data","stream":"stdin","withheldBytes":3}
        {"atUs":700000,"columns":80,"event":"resize","rows":24}
        {"atUs":2000000,"by":"bob","event":"marker","text":"here"}
        {"atUs":2500000,"event":"status","text":"{\"status\":\"Success\"}"}
    "#]].assert_eq(&text(Format::Json, Input::LeftOut));
}

/// tcpdump puts the streams together from what is written, and finds no wrong sum.
#[test]
fn packets_are_read_by_tcpdump() {
    let steps = [
        at(0, Event::Connected { connection: 0, port: 8080 }),
        data(10, Stream::ToPort { connection: 0 }, b"GET / HTTP/1.0\r\n\r\n"),
        data(20, Stream::FromPort { connection: 0 }, &[b'x'; 3000]),
        at(30, Event::End { stream: Stream::ToPort { connection: 0 } }),
        at(40, Event::End { stream: Stream::FromPort { connection: 0 } }),
        at(50, Event::Disconnected { connection: 0 }),
    ];
    let file = exported(Format::Pcapng, Input::Written, false, &steps);
    let mut tcpdump = Command::new("tcpdump");
    tcpdump
        .args(["-r", "-", "-n", "-tt", "-v", "-S"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut child =
        tcpdump.spawn().expect("tcpdump is missing: make testbed-toolchain installs it");
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), &file).unwrap();
    let said = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    assert!(!said.contains("incorrect") && !said.contains("bad"), "{said}");
    let lines: Vec<String> = said
        .lines()
        .filter_map(|line| line.trim().split_once("Flags "))
        .map(|(_, rest)| rest.split(", win").next().unwrap().replace(" (correct)", ""))
        .collect();
    expect![[r#"
        [S], cksum 0xe00f, seq 0
        [S.], cksum 0xdffe, seq 0, ack 1
        [.], cksum 0xdfff, ack 1
        [P.], cksum 0x0146, seq 1:19, ack 1
        [P.], cksum 0x7104, seq 1:1401, ack 19
        [P.], cksum 0x6b8c, seq 1401:2801, ack 19
        [P.], cksum 0xc51e, seq 2801:3001, ack 19
        [F.], cksum 0xd434, seq 19, ack 3001
        [F.], cksum 0xd433, seq 3001, ack 20"#]]
    .assert_eq(&lines.join("\n"));
}

/// Whoever plays a cast gets what shows, and nothing that does.
#[test]
fn a_cast_has_nothing_that_a_terminal_would_act_on() {
    let hostile = "\x1b]52;c;eA==\x07\x1b]0;t\x07\x1b]8;;http://x\x07link\x1b]8;;\x07\x1bPq\x1b\\\x1b[6n\x1b[8;9;9t\x1b[?1000h\x1b_a\x1b\\\u{9b}c\u{202e}\n";
    let steps = [data(1, Stream::Stdout, hostile.as_bytes()), data(2, Stream::Stderr, b"e\n")];
    for (format, terminal) in [(Format::Asciicast, true), (Format::Asciicast2, false)] {
        let cast = String::from_utf8(exported(format, Input::LeftOut, terminal, &steps)).unwrap();
        let end = if terminal { "\\n" } else { "\\r\\n" };
        assert!(cast.contains(&format!("\"link\u{fffd}{end}\"]")), "{cast}");
        assert!(!cast.contains("u001b") && !cast.contains('\x1b'), "{cast}");
    }
}

#[test]
fn a_cast_shows_what_the_screen_showed() {
    let cast = exported(Format::Asciicast, Input::LeftOut, true, &shell());
    let (mut one, mut other) = (Screen::of(&opening(true)), Screen::of(&opening(true)));
    for line in String::from_utf8(cast).unwrap().lines().skip(1) {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        if event[1] == "o" {
            one.feed(event[2].as_str().unwrap().as_bytes());
        }
    }
    for step in shell() {
        if let Step::Known(Record {
            event: Event::Data { stream: Stream::Stdout, bytes }, ..
        }) = step
        {
            other.feed(&bytes);
        }
    }
    assert_eq!(one.text(), other.text());
}

#[test]
fn files_are_called_after_what_is_in_them() {
    let place = TestFolder::new();
    let folder = place.join("extracted");
    let mut builder = tar::Builder::new(Vec::new());
    for (path, content) in
        [("../../etc/passwd", &b"x"[..]), ("/abs", b"y"), ("a", b"x"), ("empty", b"")]
    {
        let mut header = tar::Header::new_gnu();
        header.as_gnu_mut().unwrap().name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_mode(0o4755);
        header.set_size(content.len() as u64);
        header.set_cksum();
        builder.append(&header, content).unwrap();
    }
    let mut opening = opening(false);
    opening.access.command = ["tar", "xf", "-"].map(str::to_owned).to_vec();
    let stdin = Event::Data { stream: Stream::Stdin, bytes: builder.into_inner().unwrap().into() };
    let mut list = FileList::new(&opening);
    let mut extraction = Extraction::begin(&folder, 1000).unwrap();
    list.step_into(&at(7, stdin.clone()), &mut |part| extraction.part(&part));
    extraction.end(&opening, &list).unwrap();
    let mut names: Vec<String> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    expect![[r#"
        files.json
        sha256-2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881
        sha256-a1fce4363854ff888cff4b8e7875d600c2682390412a8cf79b37d0b11148b0fa
        sha256-e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"#]]
    .assert_eq(&names.join("\n"));
    let found = std::fs::read_to_string(folder.join("files.json")).unwrap();
    let found: serde_json::Value = serde_json::from_str(&found).unwrap();
    let paths: Vec<&str> = found["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["path"].as_str().unwrap())
        .collect();
    assert_eq!(paths, ["../../etc/passwd", "/abs", "a", "empty"]);
    assert!(Extraction::begin(&folder, 1).is_err(), "the folder must be a new one");
    std::fs::remove_dir_all(&folder).unwrap();
    let mut small = Extraction::begin(&folder, 1).unwrap();
    FileList::new(&opening).step_into(&at(7, stdin), &mut |part| small.part(&part));
    assert!(small.end(&opening, &list).is_err());
    std::fs::remove_dir_all(&folder).unwrap();
}
