//! Messages of WebSockets, as a client or an API server may send them: commands in every version, and forwarded ports.
//!
//! The first byte says role, version and encoding, the second which streams or how many ports were asked for. Then come
//! messages, each with a byte in front: its length, or what the gateway says in between.

use crate::wire::{Again, Cursor, Said, Step, Told, asked, joined, told, version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use session_proto::{Codec, Input, Role, Status};
use session_record::{Event, Stream};

const STDIN: u8 = 0;
const STDERR: u8 = 2;

pub fn websocket(bytes: &[u8]) {
    websocket_events(bytes);
}

/// How many events the peer's messages were; none where it broke the protocol.
pub fn websocket_events(bytes: &[u8]) -> Option<usize> {
    let mut cursor = Cursor(bytes);
    let (kind, wanted) = (cursor.byte(), cursor.byte());
    let is_base64 = kind & 2 != 0;
    let told = if kind & 0x40 != 0 {
        ports(is_base64, wanted, cursor)
    } else {
        let role = if kind & 1 == 0 { Role::Server } else { Role::Client };
        command(role, kind, asked(wanted), cursor)
    };
    told.violation.is_none().then(|| told.heard().len())
}

fn command(role: Role, kind: u8, asked: session_proto::Asked, cursor: Cursor<'_>) -> Told {
    let is_base64 = kind & 2 != 0;
    let codec = |role| Codec::command_channels(role, version((kind >> 2) & 7), is_base64, asked);
    let steps = nothing_after_end(steps(is_base64, |which| own_of_command(role, which), cursor));
    let whole = told(codec(role), &steps);
    let is_data = |channel: u8| match role {
        Role::Server => channel == STDIN,
        Role::Client => (1..=STDERR).contains(&channel),
    };
    whole.is_same_as(&told(codec(role), &in_halves(is_base64, is_data, &steps)));
    let other = match role {
        Role::Server => Role::Client,
        Role::Client => Role::Server,
    };
    let again = Again::say(codec(other), codec(role), &whole.said);
    assert_eq!(joined(again.events), whole.heard(), "said again, it is something else");
    whole
}

/// Towards a client only. What a client says of a port is its data, and nothing else.
fn ports(is_base64: bool, wanted: u8, cursor: Cursor<'_>) -> Told {
    let ports: Vec<u16> = (1..=u16::from(wanted % 40)).collect();
    let run = |steps: &[Step]| match Codec::forward_channels(is_base64, &ports) {
        Ok(codec) => told(codec, steps),
        Err(violation) => {
            assert!(ports.len() > 32, "{violation}");
            Told { violation: Some(violation), ..Told::default() }
        }
    };
    let steps = steps(is_base64, own_of_ports, cursor);
    let whole = run(&steps);
    let is_data = |channel: u8| channel.is_multiple_of(2);
    whole.is_same_as(&run(&in_halves(is_base64, is_data, &steps)));
    let said = whole.said.iter().filter_map(|said| said_to_port(is_base64, said));
    let again = run(&said.collect::<Vec<Step>>());
    assert_eq!(again.heard(), whole.heard(), "said again, it is something else");
    whole
}

fn said_to_port(is_base64: bool, said: &Said) -> Option<Step> {
    match said {
        Said::Peer(Event::Data { stream: Stream::ToPort { connection }, bytes }) => {
            let channel = u8::try_from(connection * 2).ok()?;
            Some(Step::Peer(message(is_base64, channel, bytes)))
        }
        Said::Own(event) => Some(Step::Own(event.clone())),
        Said::Peer(_) => None,
    }
}

fn steps(is_base64: bool, own: impl Fn(u8) -> Event, mut cursor: Cursor<'_>) -> Vec<Step> {
    let mut steps = Vec::new();
    while !cursor.is_empty() {
        let head = cursor.byte();
        steps.push(match (head >> 6, head & 0x3f) {
            (3, which) => Step::Own(own(which)),
            (2, length) => Step::Peer(Input::Text(piece(&mut cursor, length))),
            (_, length) => {
                let bytes = piece(&mut cursor, length);
                Step::Peer(match bytes.split_first() {
                    Some((channel, payload)) => message(is_base64, *channel, payload),
                    None => Input::Binary(bytes),
                })
            }
        });
    }
    steps
}

/// The gateway types nothing after it said the end.
fn nothing_after_end(mut steps: Vec<Step>) -> Vec<Step> {
    let mut is_over = false;
    steps.retain(|step| match step {
        Step::Own(Event::Data { stream: Stream::Stdin, .. }) => !is_over,
        Step::Own(Event::End { stream: Stream::Stdin }) => {
            is_over = true;
            true
        }
        Step::Own(_) | Step::Peer(_) => true,
    });
    steps
}

/// The longest of these lengths is all that is left.
fn piece(cursor: &mut Cursor<'_>, length: u8) -> Bytes {
    let length = if length == 0x3f { usize::MAX } else { usize::from(length) };
    Bytes::copy_from_slice(cursor.take(length))
}

fn message(is_base64: bool, channel: u8, payload: &[u8]) -> Input {
    if is_base64 {
        let mut message = vec![b'0'.wrapping_add(channel)];
        message.extend_from_slice(STANDARD.encode(payload).as_bytes());
        Input::Text(message.into())
    } else {
        Input::Binary([&[channel], payload].concat().into())
    }
}

/// The same with every message of data cut in two.
fn in_halves(is_base64: bool, is_data: impl Fn(u8) -> bool, steps: &[Step]) -> Vec<Step> {
    let mut halves = Vec::new();
    for step in steps {
        match step {
            Step::Peer(Input::Binary(bytes) | Input::Text(bytes)) => {
                match taken_apart(is_base64, bytes) {
                    Some((channel, payload)) if is_data(channel) && payload.len() > 1 => {
                        let (first, second) = payload.split_at(payload.len() / 2);
                        for part in [first, second] {
                            halves.push(Step::Peer(message(is_base64, channel, part)));
                        }
                    }
                    Some(_) | None => halves.push(step.clone()),
                }
            }
            Step::Peer(Input::Bytes(_)) | Step::Own(_) => halves.push(step.clone()),
        }
    }
    halves
}

fn taken_apart(is_base64: bool, message: &[u8]) -> Option<(u8, Vec<u8>)> {
    let (channel, payload) = message.split_first()?;
    if is_base64 {
        Some((channel.wrapping_sub(b'0'), STANDARD.decode(payload).ok()?))
    } else {
        Some((*channel, payload.to_vec()))
    }
}

fn own_of_command(role: Role, which: u8) -> Event {
    let bytes = Bytes::from_static(b"typed or shown");
    match (role, which % 6) {
        (Role::Client, 0) => Event::End { stream: Stream::Stdin },
        (Role::Client, 1) => Event::Resize { columns: 80, rows: 24 },
        (Role::Client, _) => Event::Data { stream: Stream::Stdin, bytes },
        (Role::Server, 0) => Event::Notice { text: "it ends\u{1b}".to_owned() },
        (Role::Server, 1) => Event::Data { stream: Stream::Stdout, bytes },
        (Role::Server, 2) => Event::Data { stream: Stream::Stderr, bytes },
        (Role::Server, 3) => Event::Status { text: Status::Success.to_json().into() },
        (Role::Server, 4) => Event::End { stream: Stream::Stdout },
        (Role::Server, _) => Event::End { stream: Stream::Stderr },
    }
}

fn own_of_ports(which: u8) -> Event {
    let connection = u32::from(which / 5);
    let bytes = Bytes::from_static(b"answered");
    match which % 5 {
        0 => Event::Notice { text: "it ends\u{1b}".to_owned() },
        1 => Event::Data { stream: Stream::FromPort { connection }, bytes },
        2 => Event::ConnectionError { connection, text: bytes },
        3 => Event::Disconnected { connection },
        _ => Event::End { stream: Stream::FromPort { connection } },
    }
}
