//! What is written for a person or a runtime, protocol by protocol: refusals, ends, and ordinary data.
#![expect(clippy::unwrap_used, reason = "a test")]

use bytes::Bytes;
use expect_test::expect;
use session_proto::{Asked, Codec, Input, Output, Role, Status, Version, Violation};
use session_record::{Event, Stream};
use std::fmt::Write as _;

const ALL: Asked = Asked { stdin: true, stdout: true, stderr: true, terminal: false };
const TERMINAL: Asked = Asked { stderr: false, terminal: true, ..ALL };

fn outputs(codec: &mut Codec) -> String {
    let mut lines = String::new();
    while let Some(output) = codec.next_output() {
        match output {
            Output::Binary(bytes) => writeln!(lines, "binary {}", bytes.escape_ascii()).unwrap(),
            Output::Text(text) => writeln!(lines, "text {text}").unwrap(),
            Output::Bytes(bytes) => writeln!(lines, "bytes {}", bytes.escape_ascii()).unwrap(),
        }
    }
    lines
}

fn all_channels(role: Role, asked: Asked, events: &[Event]) -> String {
    let mut lines = String::new();
    for (name, version, is_base64) in [
        ("v5", Version::V5, false),
        ("v4", Version::V4, false),
        ("v3", Version::V3, false),
        ("v4.base64", Version::V4, true),
        ("base64", Version::V1, true),
    ] {
        let mut codec = Codec::command_channels(role, version, is_base64, asked);
        for event in events {
            codec.send(event).unwrap();
        }
        codec.end();
        write!(lines, "{name}:\n{}", outputs(&mut codec)).unwrap();
    }
    lines
}

fn status(status: &Status) -> Event {
    Event::Status { text: Bytes::from(status.to_json()) }
}

fn refusal() -> Event {
    let message = "weir: no rule allows ada to exec in shop".to_owned();
    status(&Status::Failed { reason: "Forbidden", message, code: 403 })
}

fn ending() -> [Event; 2] {
    let text = "bob ended the session: lunch".to_owned();
    [Event::Notice { text }, status(&Status::Exited { code: 125 })]
}

#[test]
fn a_refusal_over_channels() {
    expect![[r#"
        v5:
        binary \x01
        binary \x03{\"code\":403,\"message\":\"weir: no rule allows ada to exec in shop\",\"metadata\":{},\"reason\":\"Forbidden\",\"status\":\"Failure\"}
        v4:
        binary \x01
        binary \x03{\"code\":403,\"message\":\"weir: no rule allows ada to exec in shop\",\"metadata\":{},\"reason\":\"Forbidden\",\"status\":\"Failure\"}
        v3:
        binary \x01
        binary \x03weir: no rule allows ada to exec in shop
        v4.base64:
        text 1
        text 3eyJjb2RlIjo0MDMsIm1lc3NhZ2UiOiJ3ZWlyOiBubyBydWxlIGFsbG93cyBhZGEgdG8gZXhlYyBpbiBzaG9wIiwibWV0YWRhdGEiOnt9LCJyZWFzb24iOiJGb3JiaWRkZW4iLCJzdGF0dXMiOiJGYWlsdXJlIn0=
        base64:
        text 1
        text 3d2Vpcjogbm8gcnVsZSBhbGxvd3MgYWRhIHRvIGV4ZWMgaW4gc2hvcA==
    "#]].assert_eq(&all_channels(Role::Server, ALL, &[refusal()]));
}

#[test]
fn an_end_over_channels() {
    expect![[r#"
        v5:
        binary \x01
        binary \x02\r\nweir: bob ended the session: lunch\r\n
        binary \x03{\"details\":{\"causes\":[{\"message\":\"125\",\"reason\":\"ExitCode\"}]},\"message\":\"command terminated with non-zero exit code: exit status 125\",\"metadata\":{},\"reason\":\"NonZeroExitCode\",\"status\":\"Failure\"}
        v4:
        binary \x01
        binary \x02\r\nweir: bob ended the session: lunch\r\n
        binary \x03{\"details\":{\"causes\":[{\"message\":\"125\",\"reason\":\"ExitCode\"}]},\"message\":\"command terminated with non-zero exit code: exit status 125\",\"metadata\":{},\"reason\":\"NonZeroExitCode\",\"status\":\"Failure\"}
        v3:
        binary \x01
        binary \x02\r\nweir: bob ended the session: lunch\r\n
        binary \x03command terminated with non-zero exit code: exit status 125
        v4.base64:
        text 1
        text 2DQp3ZWlyOiBib2IgZW5kZWQgdGhlIHNlc3Npb246IGx1bmNoDQo=
        text 3eyJkZXRhaWxzIjp7ImNhdXNlcyI6W3sibWVzc2FnZSI6IjEyNSIsInJlYXNvbiI6IkV4aXRDb2RlIn1dfSwibWVzc2FnZSI6ImNvbW1hbmQgdGVybWluYXRlZCB3aXRoIG5vbi16ZXJvIGV4aXQgY29kZTogZXhpdCBzdGF0dXMgMTI1IiwibWV0YWRhdGEiOnt9LCJyZWFzb24iOiJOb25aZXJvRXhpdENvZGUiLCJzdGF0dXMiOiJGYWlsdXJlIn0=
        base64:
        text 1
        text 2DQp3ZWlyOiBib2IgZW5kZWQgdGhlIHNlc3Npb246IGx1bmNoDQo=
        text 3Y29tbWFuZCB0ZXJtaW5hdGVkIHdpdGggbm9uLXplcm8gZXhpdCBjb2RlOiBleGl0IHN0YXR1cyAxMjU=
    "#]].assert_eq(&all_channels(Role::Server, ALL, &ending()));
}

#[test]
fn an_end_on_a_terminal_and_where_nothing_is_shown() {
    let mut codec = Codec::command_channels(Role::Server, Version::V5, false, TERMINAL);
    codec.send(&ending()[0]).unwrap();
    expect![[r#"
        binary \x01
        binary \x01\r\nweir: bob ended the session: lunch\r\n
    "#]]
    .assert_eq(&outputs(&mut codec));
    let asked = Asked { stdout: false, stderr: false, ..ALL };
    let mut codec = Codec::command_channels(Role::Server, Version::V5, false, asked);
    codec.send(&ending()[0]).unwrap();
    expect![[r#"
        binary \x03
    "#]]
    .assert_eq(&outputs(&mut codec));
}

#[test]
fn what_a_person_does_over_channels() {
    let events = [
        Event::Data { stream: Stream::Stdin, bytes: Bytes::from_static(b"ls\n") },
        Event::Resize { columns: 100, rows: 30 },
        Event::End { stream: Stream::Stdin },
        Event::Marker { by: "bob".to_owned(), text: "not for the wire".to_owned() },
    ];
    expect![[r#"
        v5:
        binary \x00ls\n
        binary \x04{\"Width\":100,\"Height\":30}\n
        binary \xff\x00
        v4:
        binary \x00ls\n
        binary \x04{\"Width\":100,\"Height\":30}\n
        v3:
        binary \x00ls\n
        binary \x04{\"Width\":100,\"Height\":30}\n
        v4.base64:
        text 0bHMK
        text 4eyJXaWR0aCI6MTAwLCJIZWlnaHQiOjMwfQo=
        base64:
        text 0bHMK
        text 4eyJXaWR0aCI6MTAwLCJIZWlnaHQiOjMwfQo=
    "#]]
    .assert_eq(&all_channels(Role::Client, TERMINAL, &events));
}

/// A server whose client opened all streams of its own, and what it said until then.
fn spdy(version: Version, asked: Asked) -> Codec {
    let mut client = Codec::command_streams(Role::Client, version, asked);
    let mut server = Codec::command_streams(Role::Server, version, asked);
    while let Some(Output::Bytes(bytes)) = client.next_output() {
        server.receive(Input::Bytes(bytes)).unwrap();
    }
    assert!(server.is_ready());
    outputs(&mut server);
    server
}

#[test]
fn a_refusal_and_an_end_over_spdy() {
    let mut lines = String::new();
    for version in [Version::V4, Version::V1] {
        for events in [vec![refusal()], ending().to_vec()] {
            let mut server = spdy(version, ALL);
            for event in &events {
                server.send(event).unwrap();
            }
            server.end();
            writeln!(lines, "{version:?}: {}", outputs(&mut server)).unwrap();
        }
    }
    expect![[r#"
        V4: bytes \x00\x00\x00\x01\x00\x00\x00w{\"code\":403,\"message\":\"weir: no rule allows ada to exec in shop\",\"metadata\":{},\"reason\":\"Forbidden\",\"status\":\"Failure\"}\x00\x00\x00\x01\x01\x00\x00\x00\x00\x00\x00\x03\x01\x00\x00\x00\x00\x00\x00\x05\x01\x00\x00\x00\x00\x00\x00\x07\x01\x00\x00\x00\x80\x03\x00\x07\x00\x00\x00\x08\x00\x00\x00\x07\x00\x00\x00\x00

        V4: bytes \x00\x00\x00\x07\x00\x00\x00&\r\nweir: bob ended the session: lunch\r\n\x00\x00\x00\x01\x00\x00\x00\xc2{\"details\":{\"causes\":[{\"message\":\"125\",\"reason\":\"ExitCode\"}]},\"message\":\"command terminated with non-zero exit code: exit status 125\",\"metadata\":{},\"reason\":\"NonZeroExitCode\",\"status\":\"Failure\"}\x00\x00\x00\x01\x01\x00\x00\x00\x00\x00\x00\x03\x01\x00\x00\x00\x00\x00\x00\x05\x01\x00\x00\x00\x00\x00\x00\x07\x01\x00\x00\x00\x80\x03\x00\x07\x00\x00\x00\x08\x00\x00\x00\x07\x00\x00\x00\x00

        V1: bytes \x00\x00\x00\x01\x00\x00\x00(weir: no rule allows ada to exec in shop\x00\x00\x00\x01\x01\x00\x00\x00\x00\x00\x00\x03\x01\x00\x00\x00\x00\x00\x00\x05\x01\x00\x00\x00\x00\x00\x00\x07\x01\x00\x00\x00\x80\x03\x00\x07\x00\x00\x00\x08\x00\x00\x00\x07\x00\x00\x00\x00

        V1: bytes \x00\x00\x00\x07\x00\x00\x00&\r\nweir: bob ended the session: lunch\r\n\x00\x00\x00\x01\x00\x00\x00;command terminated with non-zero exit code: exit status 125\x00\x00\x00\x01\x01\x00\x00\x00\x00\x00\x00\x03\x01\x00\x00\x00\x00\x00\x00\x05\x01\x00\x00\x00\x00\x00\x00\x07\x01\x00\x00\x00\x80\x03\x00\x07\x00\x00\x00\x08\x00\x00\x00\x07\x00\x00\x00\x00

    "#]].assert_eq(&lines);
}

#[test]
fn an_end_on_forwarded_ports() {
    let mut client = Codec::forward_streams(Role::Client, true);
    client.send(&Event::Connected { connection: 0, port: 80 }).unwrap();
    let mut server = Codec::forward_streams(Role::Server, true);
    while let Some(Output::Binary(bytes)) = client.next_output() {
        server.receive(Input::Binary(bytes)).unwrap();
    }
    outputs(&mut server);
    for event in ending() {
        server.send(&event).unwrap();
    }
    server.end();
    expect![[r#"
        binary \x00\x00\x00\x01\x00\x00\x00\"weir: bob ended the session: lunch\x00\x00\x00\x01\x01\x00\x00\x00\x00\x00\x00\x03\x01\x00\x00\x00\x80\x03\x00\x07\x00\x00\x00\x08\x00\x00\x00\x03\x00\x00\x00\x00
    "#]].assert_eq(&outputs(&mut server));

    let mut server = Codec::forward_channels(false, &[80, 8080]).unwrap();
    server.send(&ending()[0]).unwrap();
    expect![[r#"
        binary \x00P\x00
        binary \x01P\x00
        binary \x02\x90\x1f
        binary \x03\x90\x1f
        binary \x01weir: bob ended the session: lunch
        binary \x03weir: bob ended the session: lunch
    "#]]
    .assert_eq(&outputs(&mut server));
}

#[test]
fn ports_as_channels() {
    let mut server = Codec::forward_channels(false, &[80, 8080]).unwrap();
    outputs(&mut server);
    let events =
        |server: &mut Codec| -> Vec<Event> { std::iter::from_fn(|| server.next_event()).collect() };
    assert_eq!(
        events(&mut server),
        [
            Event::Connected { connection: 0, port: 80 },
            Event::Connected { connection: 1, port: 8080 }
        ]
    );
    // Data, an error that nobody reads, and a channel that is none.
    for message in [&b"\x02ping"[..], b"\x03x", b"\x09x", b""] {
        server.receive(Input::Binary(Bytes::from_static(message))).unwrap();
    }
    let stream = Stream::ToPort { connection: 1 };
    assert_eq!(events(&mut server), [Event::Data { stream, bytes: Bytes::from_static(b"ping") }]);
    server.send(&Event::Disconnected { connection: 1 }).unwrap();
    server.receive(Input::Binary(Bytes::from_static(b"\x02late"))).unwrap();
    assert_eq!((events(&mut server), server.is_over()), (vec![], false));
    server.send(&Event::Disconnected { connection: 0 }).unwrap();
    assert!(server.is_over());
    let too_many = Violation::TooManyPorts { n_ports: 33, limit: 32 };
    assert_eq!(Codec::forward_channels(false, &[1; 33]).err(), Some(too_many));
}

#[test]
fn what_has_no_words_is_said() {
    let mut server = Codec::command_channels(Role::Server, Version::V5, false, ALL);
    let stdin = Event::Data { stream: Stream::Stdin, bytes: Bytes::from_static(b"x") };
    assert_eq!(server.send(&stdin), Err(Violation::NoWords { event: "data" }));
    let connected = Event::Connected { connection: 0, port: 80 };
    assert_eq!(server.send(&connected), Err(Violation::NoWords { event: "connected" }));
}
