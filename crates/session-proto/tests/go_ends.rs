//! Both ends of Kubernetes itself, as `testbed/spdy-interop record` noted them: client-go on one side, the kubelet's
//! streaming server on the other. `check` there says to that server what `ours` below writes.
#![expect(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "a test")]

use bytes::Bytes;
use expect_test::{Expect, expect, expect_file};
use session_proto::{Asked, Codec, Input, Output, Role, Version};
use session_record::{Event, Stream};
use std::fmt::Write as _;

const ALL: Asked = Asked { stdin: true, stdout: true, stderr: true, terminal: false };

/// What each end said, in the order of the notes.
fn notes(hex: &str) -> Vec<(Role, Bytes)> {
    let lines = hex.lines().map(|line| {
        let (direction, digits) = line.split_once(' ').unwrap();
        let speaker = if direction == ">" { Role::Client } else { Role::Server };
        let bytes = digits
            .as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap());
        (speaker, bytes.collect())
    });
    lines.collect()
}

/// What a codec in a role makes of what the other end said, with whatever cut.
fn heard(mut codec: Codec, speaker: Role, hex: &str, longest: usize) -> Vec<Event> {
    let mut events = Vec::new();
    for (_, bytes) in notes(hex).into_iter().filter(|(from, _)| *from == speaker) {
        for piece in bytes.chunks(longest) {
            codec.receive(Input::Bytes(Bytes::copy_from_slice(piece))).unwrap();
            events.extend(std::iter::from_fn(|| codec.next_event()));
        }
    }
    assert!(codec.is_ready());
    events
}

fn check(codec: impl Fn(Role) -> Codec, hex: &str, of_client: &Expect, of_server: &Expect) {
    let text_of = |role, speaker, longest| text(&heard(codec(role), speaker, hex, longest));
    let client = text_of(Role::Server, Role::Client, usize::MAX);
    let server = text_of(Role::Client, Role::Server, usize::MAX);
    for longest in [1, 7] {
        assert_eq!(text_of(Role::Server, Role::Client, longest), client);
        assert_eq!(text_of(Role::Client, Role::Server, longest), server);
    }
    of_client.assert_eq(&client);
    of_server.assert_eq(&server);
}

/// One event a line; pieces of data that follow each other are one.
fn text(events: &[Event]) -> String {
    let mut lines = String::new();
    let mut data: Option<(Stream, Vec<u8>)> = None;
    let flush = |data: &mut Option<(Stream, Vec<u8>)>, lines: &mut String| {
        if let Some((stream, bytes)) = data.take() {
            writeln!(lines, "{stream:?} {:?}", String::from_utf8_lossy(&bytes)).unwrap();
        }
    };
    for event in events {
        match event {
            Event::Data { stream, bytes } => match &mut data {
                Some((last, all)) if last == stream => all.extend_from_slice(bytes),
                Some(_) | None => {
                    flush(&mut data, &mut lines);
                    data = Some((*stream, bytes.to_vec()));
                }
            },
            other => {
                flush(&mut data, &mut lines);
                writeln!(lines, "{other:?}").unwrap();
            }
        }
    }
    flush(&mut data, &mut lines);
    lines
}

fn command(version: Version, asked: Asked) -> impl Fn(Role) -> Codec {
    move |role| Codec::command_streams(role, version, asked)
}

#[test]
fn a_command() {
    check(
        command(Version::V4, ALL),
        include_str!("fixtures/exec-v4.hex"),
        &expect![[r#"
            Stdin "hello\n"
            End { stream: Stdin }
        "#]],
        &expect![[r#"
            Stdout "hello\n"
            Stderr "oops\n"
            End { stream: Stdout }
            End { stream: Stderr }
            Status { text: b"{\"status\":\"Failure\",\"message\":\"command terminated with non-zero exit code: exit status 7\",\"reason\":\"NonZeroExitCode\",\"details\":{\"causes\":[{\"reason\":\"ExitCode\",\"message\":\"7\"}]}}" }
        "#]],
    );
}

#[test]
fn a_terminal() {
    let asked = Asked { stderr: false, terminal: true, ..ALL };
    check(
        command(Version::V4, asked),
        include_str!("fixtures/exec-v4-terminal.hex"),
        &expect![[r#"
            Resize { columns: 100, rows: 30 }
            Stdin "hello\n"
            End { stream: Stdin }
        "#]],
        &expect![[r#"
            Stdout "100x30\r\n"
            Status { text: b"{\"status\":\"Success\"}" }
            End { stream: Stdout }
        "#]],
    );
}

#[test]
fn text_instead_of_a_status() {
    check(
        command(Version::V2, ALL),
        include_str!("fixtures/exec-v2.hex"),
        &expect![[r#"
            Stdin "hello\n"
            End { stream: Stdin }
        "#]],
        &expect![[r#"
            Stdout "hello\n"
            Stderr "oops\n"
            End { stream: Stdout }
            End { stream: Stderr }
            Status { text: b"{\"code\":500,\"message\":\"command terminated with non-zero exit code: exit status 7\",\"metadata\":{},\"reason\":\"InternalError\",\"status\":\"Failure\"}" }
        "#]],
    );
}

#[test]
fn the_first_version_resets_errors_at_the_beginning() {
    let asked = Asked { stdin: false, ..ALL };
    check(
        command(Version::V1, asked),
        include_str!("fixtures/exec-v1.hex"),
        &expect![""],
        &expect![[r#"
            Stdout "no input\n"
            Stderr "oops\n"
            End { stream: Stdout }
            End { stream: Stderr }
            Status { text: b"{\"metadata\":{},\"status\":\"Success\"}" }
        "#]],
    );
}

#[test]
fn forwarded_ports() {
    // The client's end numbers its streams as client-go did.
    let codec = |role| {
        let mut codec = Codec::forward_streams(role, false);
        if role == Role::Client {
            for (connection, port) in [(0, 80), (1, 81)] {
                codec.send(&Event::Connected { connection, port }).unwrap();
            }
        }
        codec
    };
    check(
        codec,
        include_str!("fixtures/forward.hex"),
        &expect![[r#"
        Connected { connection: 0, port: 80 }
        ToPort { connection: 0 } "ping"
        End { stream: ToPort { connection: 0 } }
        Connected { connection: 1, port: 81 }
        ToPort { connection: 1 } "ping"
        End { stream: ToPort { connection: 1 } }
    "#]],
        &expect![[r#"
        FromPort { connection: 0 } "ping"
        End { stream: FromPort { connection: 0 } }
        Disconnected { connection: 0 }
        ConnectionError { connection: 1, text: b"error forwarding port 81 to pod pod, uid : connection refused" }
        End { stream: FromPort { connection: 1 } }
        Disconnected { connection: 1 }
    "#]],
    );
}

fn data(stream: Stream, bytes: &'static [u8]) -> Event {
    Event::Data { stream, bytes: Bytes::from_static(bytes) }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Last {
    Ends,
    Waits,
}

/// All that a codec says, in lines of 32 bytes.
fn said(mut codec: Codec, events: &[Event], last: Last) -> String {
    let mut lines = String::new();
    for event in events {
        codec.send(event).unwrap();
    }
    if last == Last::Ends {
        codec.end();
    }
    let mut bytes = Vec::new();
    while let Some(output) = codec.next_output() {
        let Output::Bytes(more) = output else { unreachable!("a stream") };
        bytes.extend_from_slice(&more);
    }
    for line in bytes.chunks(32) {
        line.iter().for_each(|byte| write!(lines, "{byte:02x}").unwrap());
        lines.push('\n');
    }
    lines
}

#[test]
fn ours() {
    let stdin = [data(Stream::Stdin, b"hello\n"), Event::End { stream: Stream::Stdin }];
    let client = Codec::command_streams(Role::Client, Version::V4, ALL);
    expect_file!["fixtures/ours-exec-client.hex"].assert_eq(&said(client, &stdin, Last::Waits));

    let mut server = Codec::command_streams(Role::Server, Version::V4, ALL);
    for (_, bytes) in notes(include_str!("fixtures/exec-v4.hex"))
        .into_iter()
        .filter(|(from, _)| *from == Role::Client)
        .take(10)
    {
        server.receive(Input::Bytes(bytes)).unwrap();
    }
    let shown = [
        data(Stream::Stdout, b"hello\n"),
        data(Stream::Stderr, b"oops\n"),
        Event::Status { text: Bytes::from_static(b"{}") },
    ];
    expect_file!["fixtures/ours-exec-server.hex"].assert_eq(&said(server, &shown, Last::Ends));

    let to_port = |connection| Stream::ToPort { connection };
    let asked = [
        Event::Connected { connection: 0, port: 80 },
        Event::Connected { connection: 1, port: 81 },
        data(to_port(0), b"ping"),
        Event::End { stream: to_port(0) },
        Event::End { stream: to_port(1) },
    ];
    let client = Codec::forward_streams(Role::Client, false);
    expect_file!["fixtures/ours-forward-client.hex"].assert_eq(&said(client, &asked, Last::Waits));

    let mut server = Codec::forward_streams(Role::Server, false);
    for (_, bytes) in notes(include_str!("fixtures/forward.hex"))
        .into_iter()
        .filter(|(from, _)| *from == Role::Client)
        .take(2)
    {
        server.receive(Input::Bytes(bytes)).unwrap();
    }
    let from_port = Stream::FromPort { connection: 0 };
    let answered = [
        data(from_port, b"ping"),
        Event::ConnectionError { connection: 0, text: Bytes::from_static(b"it broke") },
        Event::End { stream: from_port },
        Event::Disconnected { connection: 0 },
    ];
    expect_file!["fixtures/ours-forward-server.hex"].assert_eq(&said(
        server,
        &answered,
        Last::Ends,
    ));
}
