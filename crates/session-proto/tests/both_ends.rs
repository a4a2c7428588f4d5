//! A codec that is a client and one that is a server understand each other, however the bytes between them are cut.
#![expect(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::cast_possible_truncation,
    reason = "a test"
)]

use bytes::Bytes;
use proptest::prelude::*;
use session_proto::{Asked, Codec, Input, Output, Role, Status, Version};
use session_record::{Event, Stream};
use std::collections::BTreeSet;

const ALL: Asked = Asked { stdin: true, stdout: true, stderr: true, terminal: false };

/// Carries all that one side has to say to the other, cut as `cuts` says.
fn carry(from: &mut Codec, to: &mut Codec, cuts: &mut impl Iterator<Item = usize>) -> Vec<Event> {
    let mut stream = Vec::new();
    let mut events = Vec::new();
    while let Some(output) = from.next_output() {
        match output {
            Output::Binary(bytes) => to.receive(Input::Binary(bytes)).unwrap(),
            Output::Text(text) => to.receive(Input::Text(text.into())).unwrap(),
            Output::Bytes(bytes) => stream.extend_from_slice(&bytes),
        }
    }
    let mut rest = Bytes::from(stream);
    while !rest.is_empty() {
        let next = rest.split_to(cuts.next().unwrap_or(7).clamp(1, rest.len()));
        to.receive(Input::Bytes(next)).unwrap();
        while let Some(event) = to.next_event() {
            events.push(event);
        }
    }
    while let Some(event) = to.next_event() {
        events.push(event);
    }
    events
}

/// Pieces of one stream put together: how they were cut is no part of what was said.
fn joined(events: Vec<Event>) -> Vec<Event> {
    let mut whole: Vec<Event> = Vec::new();
    for event in events {
        match (whole.last_mut(), event) {
            (Some(Event::Data { stream, bytes }), Event::Data { stream: next, bytes: more })
                if *stream == next =>
            {
                *bytes = [bytes.as_ref(), more.as_ref()].concat().into();
            }
            (_, event) => whole.push(event),
        }
    }
    whole
}

fn bytes() -> impl Strategy<Value = Bytes> {
    prop_oneof![
        8 => prop::collection::vec(any::<u8>(), 1..200),
        1 => prop::collection::vec(any::<u8>(), 60_000..140_000),
    ]
    .prop_map(Bytes::from)
}

fn data(stream: Stream) -> impl Strategy<Value = Event> {
    bytes().prop_map(move |bytes| Event::Data { stream, bytes })
}

fn from_person() -> impl Strategy<Value = Vec<Event>> {
    let one = prop_oneof![
        data(Stream::Stdin),
        (1_u16..500, 1_u16..500).prop_map(|(columns, rows)| Event::Resize { columns, rows })
    ];
    prop::collection::vec(one, 0..8)
}

fn from_runtime() -> impl Strategy<Value = Vec<Event>> {
    prop::collection::vec(prop_oneof![data(Stream::Stdout), data(Stream::Stderr)], 0..8)
}

fn status() -> Event {
    Event::Status { text: Bytes::from(Status::Exited { code: 7 }.to_json()) }
}

/// What is left of [`status`] where a protocol has text.
fn status_of_text() -> Event {
    let message = "command terminated with non-zero exit code: exit status 7".to_owned();
    let status = Status::Failed { reason: "InternalError", message, code: 500 };
    Event::Status { text: Bytes::from(status.to_json()) }
}

fn pairs() -> Vec<(&'static str, Codec, Codec, Asked)> {
    let terminal = Asked { stderr: false, terminal: true, ..ALL };
    let mut pairs = Vec::new();
    for asked in [ALL, terminal] {
        for (name, version, is_base64) in [
            ("v5", Version::V5, false),
            ("v4", Version::V4, false),
            ("v4 base64", Version::V4, true),
            ("v1", Version::V1, false),
            ("v1 base64", Version::V1, true),
        ] {
            let codec = |role| Codec::command_channels(role, version, is_base64, asked);
            pairs.push((name, codec(Role::Client), codec(Role::Server), asked));
        }
        let codec = |role| Codec::command_streams(role, Version::V4, asked);
        pairs.push(("SPDY", codec(Role::Client), codec(Role::Server), asked));
    }
    pairs
}

/// A runtime of the first version breaks off its output before the gateway knows the status; the client of the first
/// version takes the end of output for success.
#[test]
fn a_failure_that_comes_after_the_output_is_one_in_the_first_version() {
    let asked = Asked { stdin: false, ..ALL };
    let codec = |role| Codec::command_streams(role, Version::V1, asked);
    let (mut client, mut server) = (codec(Role::Client), codec(Role::Server));
    let mut cuts = std::iter::repeat(1);
    carry(&mut client, &mut server, &mut cuts);
    for stream in [Stream::Stdout, Stream::Stderr] {
        server.send(&Event::End { stream }).unwrap();
    }
    server.send(&status()).unwrap();
    server.end();
    let ends = [Stream::Stdout, Stream::Stderr].map(|stream| Event::End { stream });
    let expected: Vec<Event> = [status_of_text()].into_iter().chain(ends).collect();
    assert_eq!(carry(&mut server, &mut client, &mut cuts), expected);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn commands(
        mut typed in from_person(),
        mut shown in from_runtime(),
        cuts in prop::collection::vec(1_usize..70_000, 1..40),
    ) {
        typed.push(Event::End { stream: Stream::Stdin });
        shown.push(status());
        for (name, mut client, mut server, asked) in pairs() {
            let mut cuts = cuts.iter().copied().cycle();
            let has = |event: &&Event| match event {
                Event::Resize { .. } => asked.terminal,
                Event::Data { stream: Stream::Stderr, .. } => !asked.terminal,
                Event::End { .. } => name == "v5" || name == "SPDY",
                _ => true,
            };
            prop_assert_eq!(carry(&mut client, &mut server, &mut cuts), vec![]);
            prop_assert_eq!(carry(&mut server, &mut client, &mut cuts), vec![]);
            prop_assert!(client.is_ready() && server.is_ready(), "{}", name);
            for event in typed.iter().filter(has) {
                client.send(event).unwrap();
            }
            let expected: Vec<Event> = typed.iter().filter(has).cloned().collect();
            prop_assert_eq!(joined(carry(&mut client, &mut server, &mut cuts)), joined(expected), "{}", name);
            for event in shown.iter().filter(has) {
                server.send(event).unwrap();
            }
            server.end();
            let mut expected: Vec<Event> = shown.iter().filter(has).cloned().collect();
            if name == "SPDY" {
                let ends = [Some(Stream::Stdout), (!asked.terminal).then_some(Stream::Stderr)];
                expected.extend(ends.into_iter().flatten().map(|stream| Event::End { stream }));
            }
            if name.starts_with("v1") {
                expected.pop();
                expected.push(status_of_text());
            }
            prop_assert_eq!(joined(carry(&mut server, &mut client, &mut cuts)), joined(expected), "{}", name);
        }
    }

    #[test]
    fn forwarded_ports(
        sent in prop::collection::vec((0_u32..3, bytes()), 0..8),
        answered in prop::collection::vec((0_u32..3, bytes()), 0..8),
        cuts in prop::collection::vec(1_usize..70_000, 1..40),
        is_tunnelled in any::<bool>(),
    ) {
        let mut cuts = cuts.into_iter().cycle();
        let mut client = Codec::forward_streams(Role::Client, is_tunnelled);
        let mut server = Codec::forward_streams(Role::Server, is_tunnelled);
        let mut said: Vec<Event> =
            (0..3).map(|connection| Event::Connected { connection, port: 8000 + connection as u16 }).collect();
        said.extend(sent.into_iter().map(|(connection, bytes)| Event::Data { stream: Stream::ToPort { connection }, bytes }));
        said.extend((0..3).map(|connection| Event::End { stream: Stream::ToPort { connection } }));
        for event in &said {
            client.send(event).unwrap();
        }
        prop_assert_eq!(joined(carry(&mut client, &mut server, &mut cuts)), joined(said));
        let mut said: Vec<Event> =
            answered.into_iter().map(|(connection, bytes)| Event::Data { stream: Stream::FromPort { connection }, bytes }).collect();
        said.push(Event::ConnectionError { connection: 1, text: Bytes::from_static(b"it broke") });
        said.extend((0..3).map(|connection| Event::End { stream: Stream::FromPort { connection } }));
        for event in &said {
            server.send(event).unwrap();
        }
        // Said by the other codec of the gateway, which heard it of the runtime.
        let over: Vec<Event> = (0..3).map(|connection| Event::Disconnected { connection }).collect();
        for event in &over {
            server.send(event).unwrap();
        }
        let came = carry(&mut server, &mut client, &mut cuts);
        let (ended, came): (Vec<Event>, Vec<Event>) =
            came.into_iter().partition(|event| matches!(event, Event::Disconnected { .. }));
        let number = |event: &Event| match event {
            Event::Disconnected { connection } => Some(*connection),
            _ => None,
        };
        let ended: BTreeSet<_> = ended.iter().map(number).collect();
        prop_assert_eq!(ended, over.iter().map(number).collect());
        prop_assert_eq!(joined(came), joined(said));
        prop_assert_eq!(carry(&mut client, &mut server, &mut cuts), vec![]);
    }

    /// Whatever comes, a codec says that it is wrong or goes on.
    #[test]
    fn noise(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..20), frames in any::<bool>()) {
        for role in [Role::Server, Role::Client] {
            let mut codecs = [
                Codec::command_channels(role, Version::V5, false, ALL),
                Codec::command_channels(role, Version::V4, true, ALL),
                Codec::command_streams(role, Version::V4, ALL),
                Codec::forward_streams(role, false),
                Codec::forward_streams(role, true),
                Codec::forward_channels(false, &[80]).unwrap(),
            ];
            for codec in &mut codecs {
                for piece in &pieces {
                    let mut bytes = piece.clone();
                    if frames && bytes.len() > 8 {
                        bytes[..2].copy_from_slice(&[0x80, 3]);
                        bytes[2] = 0;
                        bytes[3] %= 12;
                        let length = bytes.len() - 8;
                        bytes[5..8].copy_from_slice(&(length as u32).to_be_bytes()[1..]);
                    }
                    let bytes = Bytes::from(bytes);
                    let over = [Input::Binary(bytes.clone()), Input::Text(bytes.clone()), Input::Bytes(bytes)]
                        .map(|input| codec.receive(input).is_err());
                    let is_bounded = std::iter::from_fn(|| codec.next_event()).all(|event| match event {
                        Event::Data { bytes, .. } => !bytes.is_empty() && bytes.len() <= 64 << 10,
                        _ => true,
                    });
                    prop_assert!(is_bounded);
                    while codec.next_output().is_some() {}
                    if over == [true; 3] {
                        break;
                    }
                }
            }
        }
    }
}
