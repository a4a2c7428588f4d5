//! Peers that break their protocol, each in one way.
#![expect(clippy::unwrap_used, reason = "a test")]

use bytes::{BufMut as _, Bytes};
use session_proto::{Asked, Codec, Input, Role, Version, Violation};
use session_record::{Event, Stream};

const ALL: Asked = Asked { stdin: true, stdout: true, stderr: true, terminal: false };
const TERMINAL: Asked = Asked { stderr: false, terminal: true, ..ALL };
const SYN_STREAM: u16 = 1;
const SYN_REPLY: u16 = 2;
const RST_STREAM: u16 = 3;
const SETTINGS: u16 = 4;
const PING: u16 = 6;
const GOAWAY: u16 = 7;
const HEADERS: u16 = 8;
const WINDOW_UPDATE: u16 = 9;

/// Events of these inputs, or how they broke the protocol.
fn told(codec: &mut Codec, inputs: Vec<Input>) -> Result<Vec<Event>, Violation> {
    for input in inputs {
        codec.receive(input)?;
    }
    Ok(std::iter::from_fn(|| codec.next_event()).collect())
}

fn messages(version: Version, asked: Asked, said: &[&[u8]]) -> Result<Vec<Event>, Violation> {
    let mut codec = Codec::command_channels(Role::Server, version, false, asked);
    told(&mut codec, said.iter().map(|said| Input::Binary(Bytes::copy_from_slice(said))).collect())
}

fn stdin(bytes: &'static [u8]) -> Event {
    Event::Data { stream: Stream::Stdin, bytes: Bytes::from_static(bytes) }
}

const END: Event = Event::End { stream: Stream::Stdin };

#[test]
fn channels() {
    use Version::{V4, V5};
    let nothing = Ok(Vec::new());
    assert_eq!(messages(V5, ALL, &[b"", b"\x00", b"\x01x", b"\x02x", b"\x03x", b"\x07x"]), nothing);
    assert_eq!(
        messages(V5, ALL, &[b"\x00ls\n", b"\xff\x00", b"\xff\x00", b"\x00"]),
        Ok(vec![stdin(b"ls\n"), END])
    );
    assert_eq!(messages(V5, ALL, &[b"\xff\x00", b"\x00x"]), Err(Violation::AfterEnd));
    assert_eq!(messages(V5, ALL, &[b"\xff"]), Err(Violation::CloseLength { bytes: 1 }));
    assert_eq!(messages(V5, ALL, &[b"\xff\x00\x00"]), Err(Violation::CloseLength { bytes: 3 }));
    assert_eq!(messages(V5, ALL, &[b"\xff\x01", b"\xff\x04"]), nothing);
    assert_eq!(messages(V5, ALL, &[b"\xff\x05"]), Err(Violation::NoChannel { channel: 5 }));
    // Before v5 it is a channel that nobody has.
    assert_eq!(messages(V4, ALL, &[b"\xff", b"\xff\x00"]), nothing);
    // A size means something on a terminal only.
    assert_eq!(messages(V5, ALL, &[b"\x04nonsense"]), nothing);
    assert_eq!(messages(V5, TERMINAL, &[b"\x04nonsense"]), Err(Violation::Resize));
    assert_eq!(messages(V5, Asked { stdin: false, ..ALL }, &[b"\x00x", b"\xff\x00"]), nothing);
}

#[test]
fn kinds_of_messages() {
    let mut codec = Codec::command_channels(Role::Server, Version::V4, false, ALL);
    // Python's client types in text.
    assert_eq!(
        told(&mut codec, vec![Input::Text(Bytes::from_static(b"\0ls\n"))]),
        Ok(vec![stdin(b"ls\n")])
    );
    let stream = Input::Bytes(Bytes::from_static(b"x"));
    assert!(matches!(told(&mut codec, vec![stream]), Err(Violation::InputKind { .. })));
    let mut codec = Codec::command_channels(Role::Server, Version::V4, true, ALL);
    let text = |text: &'static str| vec![Input::Text(Bytes::from_static(text.as_bytes()))];
    assert_eq!(told(&mut codec, text("0bHMK")), Ok(vec![stdin(b"ls\n")]));
    assert_eq!(told(&mut codec, text("/bHMK")), Ok(vec![]));
    assert_eq!(told(&mut codec, text("0bHM")), Err(Violation::Base64));
    let mut codec = Codec::forward_streams(Role::Server, true);
    assert!(matches!(told(&mut codec, text("x")), Err(Violation::InputKind { .. })));
}

#[test]
fn a_status_has_a_limit() {
    let mut codec = Codec::command_channels(Role::Client, Version::V4, false, ALL);
    let mut message = vec![3];
    message.resize(1 + (256 << 10) + 1, b' ');
    let too_long =
        Violation::TooLong { what: "a status", bytes: (256 << 10) + 1, limit: 256 << 10 };
    assert_eq!(told(&mut codec, vec![Input::Binary(message.into())]), Err(too_long));
}

fn control(kind: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    frame.put_u16(0x8003);
    frame.put_u16(kind);
    frame.put_u32(u32::try_from(payload.len()).unwrap());
    frame.put_slice(payload);
    frame
}

fn numbered(kind: u16, number: u32, rest: &[u8]) -> Vec<u8> {
    control(kind, &[&number.to_be_bytes(), rest].concat())
}

fn data(stream: u32, flags: u8, bytes: &[u8]) -> Vec<u8> {
    let mut frame = stream.to_be_bytes().to_vec();
    frame.put_u32(u32::try_from(bytes.len()).unwrap() | u32::from(flags) << 24);
    frame.put_slice(bytes);
    frame
}

/// A block of headers in stored blocks, the first of a connection or a later one.
fn block(is_first: bool, pairs: &[(&str, &str)]) -> Vec<u8> {
    let mut plain = Vec::new();
    plain.put_u32(u32::try_from(pairs.len()).unwrap());
    for part in pairs.iter().flat_map(|(name, value)| [name, value]) {
        plain.put_u32(u32::try_from(part.len()).unwrap());
        plain.put_slice(part.as_bytes());
    }
    let mut block = if is_first { b"\x78\xf9\xe3\xc6\xa7\xc2".to_vec() } else { Vec::new() };
    let length = u16::try_from(plain.len()).unwrap();
    block.put_u8(0);
    block.put_u16_le(length);
    block.put_u16_le(!length);
    block.put_slice(&plain);
    block.put_slice(&[0, 0, 0, 0xff, 0xff]);
    block
}

fn syn(stream: u32, pairs: &[(&str, &str)]) -> Vec<u8> {
    let rest = [vec![0; 6], block(stream == 1, pairs)].concat();
    numbered(SYN_STREAM, stream, &rest)
}

fn exec(frames: &[Vec<u8>]) -> Result<Vec<Event>, Violation> {
    let mut codec = Codec::command_streams(Role::Server, Version::V4, ALL);
    told(&mut codec, vec![Input::Bytes(frames.concat().into())])
}

fn forward(frames: &[Vec<u8>]) -> Result<Vec<Event>, Violation> {
    let mut codec = Codec::forward_streams(Role::Server, false);
    told(&mut codec, vec![Input::Bytes(frames.concat().into())])
}

fn kind(name: &str) -> [(&str, &str); 1] {
    [("streamtype", name)]
}

#[test]
fn streams_of_a_command() {
    let nothing = Ok(Vec::new());
    let error = syn(1, &kind("error"));
    let reused = numbered(SYN_STREAM, 1, &[vec![0; 6], block(false, &kind("stdin"))].concat());
    let input = syn(3, &kind("stdin"));
    assert_eq!(
        exec(&[error.clone(), input.clone(), data(3, 1, b"ls\n")]),
        Ok(vec![stdin(b"ls\n"), END])
    );
    assert_eq!(exec(&[data(1, 0, b"x")]), Err(Violation::NotOpen { stream: 1 }));
    assert_eq!(exec(&[error.clone(), data(129, 0, b"x")]), Err(Violation::NotOpen { stream: 129 }));
    assert_eq!(
        exec(&[error.clone(), input.clone(), data(3, 1, b""), data(3, 0, b"x")]),
        Err(Violation::NotOpen { stream: 3 })
    );
    assert_eq!(exec(&[error.clone(), reused]), Err(Violation::StreamNumber { stream: 1 }));
    assert_eq!(
        exec(&[error.clone(), syn(2, &kind("stdin"))]),
        Err(Violation::StreamNumber { stream: 2 })
    );
    let again = Violation::StreamType { stream: 3, kind: "error".to_owned() };
    assert_eq!(exec(&[error.clone(), syn(3, &kind("error"))]), Err(again));
    let resize = Violation::StreamType { stream: 3, kind: "resize".to_owned() };
    assert_eq!(exec(&[error.clone(), syn(3, &kind("resize"))]), Err(resize));
    assert_eq!(
        exec(&[error.clone(), numbered(HEADERS, 1, &block(false, &kind("stdin")))]),
        Err(Violation::HeadersAgain { stream: 1 })
    );
    assert_eq!(
        exec(&[error.clone(), numbered(SYN_REPLY, 2, &block(false, &[]))]),
        Err(Violation::NotOpen { stream: 2 })
    );
    // After a reset, what was on its way is nothing.
    assert_eq!(
        exec(&[
            error.clone(),
            input.clone(),
            numbered(RST_STREAM, 3, &[0, 0, 0, 5]),
            data(3, 0, b"x")
        ]),
        Ok(vec![END])
    );
    let all = [error, input, syn(5, &kind("stdout")), syn(7, &kind("stderr"))].concat();
    assert_eq!(exec(std::slice::from_ref(&all)), nothing);
    assert_eq!(exec(&[all, syn(9, &kind("stdin"))]), Err(Violation::NoMoreStreams { stream: 9 }));
}

/// Whoever sends a byte a frame does not make an event of each.
#[test]
fn frames_of_one_byte_are_one_event() {
    let mut frames = vec![syn(1, &kind("error")), syn(3, &kind("stdin"))];
    frames.extend((0..1000).map(|_| data(3, 0, b"y")));
    assert_eq!(exec(&frames), Ok(vec![stdin(&[b'y'; 1000])]));
}

#[test]
fn the_largest_number_of_a_stream_is_one() {
    let last = 0x7fff_ffff;
    let frames = [syn(1, &kind("error")), syn(last, &kind("stdin")), data(last, 0, b"x")];
    assert_eq!(exec(&frames), Ok(vec![stdin(b"x")]));
}

#[test]
fn frames() {
    let nothing = Ok(Vec::new());
    let flow_control = [
        control(SETTINGS, &[0, 0, 0, 1, 0, 0, 0, 7, 0, 1, 0, 0]),
        numbered(WINDOW_UPDATE, 0, &[0, 1, 0, 0]),
        numbered(WINDOW_UPDATE, 1, &[0, 1, 0, 0]),
        control(99, b"of a later draft"),
        control(GOAWAY, &[0; 8]),
    ];
    assert_eq!(exec(&flow_control), nothing);
    assert_eq!(exec(&[control(PING, &[0, 0, 1])]), Err(Violation::FrameLength { kind: PING }));
    assert_eq!(
        exec(&[control(SYN_STREAM, &[0, 0, 0, 1])]),
        Err(Violation::FrameLength { kind: SYN_STREAM })
    );
    assert_eq!(
        exec(&[control(RST_STREAM, &[0, 0, 0, 1])]),
        Err(Violation::FrameLength { kind: RST_STREAM })
    );
    assert_eq!(
        exec(&[b"\x80\x02\0\x01\0\0\0\0".to_vec()]),
        Err(Violation::SpdyVersion { version: 2 })
    );
    // Refused by its header, before its payload is there.
    let header = b"\x80\x03\0\x01\0\0\x40\x01".to_vec();
    let too_long = Violation::TooLong { what: "a control frame", bytes: 0x4001, limit: 0x4000 };
    assert_eq!(exec(&[header]), Err(too_long));
}

#[test]
fn pings_of_the_peer_come_back_and_answers_do_not() {
    let mut codec = Codec::command_streams(Role::Server, Version::V4, ALL);
    codec.ping();
    let pings = [numbered(PING, 7, &[]), numbered(PING, 2, &[])].concat();
    codec.receive(Input::Bytes(pings.into())).unwrap();
    let expected = [numbered(PING, 2, &[]), numbered(PING, 7, &[])].concat();
    assert_eq!(codec.next_output(), Some(session_proto::Output::Bytes(expected.into())));
}

#[test]
fn headers() {
    let twice = [("streamtype", "error"), ("streamtype", "stdin")];
    for pairs in
        [&twice[..], &[("streamType", "error")], &[("streamtype", "error\0stdin")], &[("", "x")]]
    {
        assert_eq!(exec(&[syn(1, pairs)]), Err(Violation::Headers), "{pairs:?}");
    }
    // Without the dictionary's number, with another one, cut off, and the end of the zlib stream.
    let whole = block(true, &kind("error"));
    let other = [b"\x78\xf9\0\0\0\x01", &whole[6..]].concat();
    let ended = [&whole[..6], &[1, 0, 0, 0xff, 0xff]].concat();
    for block in [b"\x78\xf9".to_vec(), other, whole[..whole.len() / 2].to_vec(), ended] {
        let frame = numbered(SYN_STREAM, 1, &[vec![0; 6], block.clone()].concat());
        assert_eq!(exec(&[frame]), Err(Violation::Headers), "{block:02x?}");
    }
}

#[test]
fn pairs_of_forwarded_ports() {
    let head = |port, id, kind| [("port", port), ("requestid", id), ("streamtype", kind)];
    let error = syn(1, &head("80", "0", "error"));
    let connected = Event::Connected { connection: 0, port: 80 };
    assert_eq!(
        forward(&[error.clone(), syn(3, &head("80", "0", "data"))]),
        Ok(vec![connected.clone()])
    );
    // Either can be first, and clients that are old give no id.
    assert_eq!(
        forward(&[syn(1, &head("80", "0", "data")), syn(3, &head("80", "0", "error"))]),
        Ok(vec![connected.clone()])
    );
    let no_id = |stream, kind| syn(stream, &[("port", "80"), ("streamtype", kind)]);
    assert_eq!(forward(&[no_id(1, "error"), no_id(3, "data")]), Ok(vec![connected.clone()]));
    assert_eq!(forward(&[no_id(1, "error"), no_id(5, "data")]), Ok(vec![]));
    assert_eq!(forward(&[error.clone(), syn(3, &head("81", "0", "data"))]), Err(Violation::Pair));
    assert_eq!(forward(&[error, syn(3, &head("80", "0", "error"))]), Err(Violation::Pair));
    assert_eq!(forward(&[no_id(1, "data"), data(1, 0, b"x")]), Err(Violation::Pair));
    for port in ["", "0", "65536", "-1", "+80", "http"] {
        let frames = [syn(1, &head(port, "0", "error"))];
        assert_eq!(forward(&frames), Err(Violation::Port { stream: 1 }), "{port}");
    }
    let other = Violation::StreamType { stream: 1, kind: "stdin".to_owned() };
    assert_eq!(forward(&[syn(1, &head("80", "0", "stdin"))]), Err(other));
    // The end of data before its error stream came.
    let stream = Stream::ToPort { connection: 0 };
    assert_eq!(
        forward(&[
            syn(1, &head("80", "0", "data")),
            data(1, 1, b""),
            syn(3, &head("80", "0", "error"))
        ]),
        Ok(vec![connected, Event::End { stream }])
    );
}

#[test]
fn streams_have_a_limit() {
    let many: Vec<Vec<u8>> =
        (0..1025).map(|n| syn(n * 2 + 1, &[("port", "80"), ("streamtype", "error")])).collect();
    assert_eq!(forward(&many[..1024]), Ok(vec![]));
    assert_eq!(forward(&many), Err(Violation::TooManyStreams { limit: 1024 }));
}

/// A codec that is the client of a runtime, with its streams open.
fn of_runtime(frames: &[Vec<u8>]) -> Result<Vec<Event>, Violation> {
    let mut codec = Codec::command_streams(Role::Client, Version::V4, ALL);
    told(&mut codec, vec![Input::Bytes(frames.concat().into())])
}

#[test]
fn runtimes() {
    let reply = |stream| numbered(SYN_REPLY, stream, &[]);
    assert_eq!(of_runtime(&[data(5, 0, b"x")]), Err(Violation::BeforeReply { stream: 5 }));
    assert_eq!(of_runtime(&[reply(5), reply(5)]), Err(Violation::HeadersAgain { stream: 5 }));
    assert_eq!(of_runtime(&[reply(9)]), Err(Violation::NotOpen { stream: 9 }));
    let opened = numbered(SYN_STREAM, 2, &[0; 6]);
    assert_eq!(of_runtime(&[opened]), Err(Violation::NoMoreStreams { stream: 2 }));
    let reset = |stream| numbered(RST_STREAM, stream, &[0, 0, 0, 5]);
    assert_eq!(of_runtime(&[reset(3)]), Err(Violation::Refused { stream: 3 }));
    // A status is one, however its stream ends.
    let text = Bytes::from_static(b"{}");
    let status = Event::Status { text };
    assert_eq!(of_runtime(&[reply(1), data(1, 1, b"{}"), reset(1)]), Ok(vec![status.clone()]));
    assert_eq!(of_runtime(&[reply(1), data(1, 0, b"{}"), reset(1)]), Ok(vec![status]));
    assert_eq!(of_runtime(&[reply(1), reset(1)]), Ok(vec![]));
    let shown = |stream| Event::End { stream };
    assert_eq!(of_runtime(&[reply(5), data(5, 1, b""), reset(5)]), Ok(vec![shown(Stream::Stdout)]));
}

#[test]
fn a_connection_that_the_runtime_does_not_take_is_over() {
    let mut codec = Codec::forward_streams(Role::Client, false);
    codec.send(&Event::Connected { connection: 4, port: 80 }).unwrap();
    let frames = [numbered(SYN_REPLY, 1, &[]), numbered(RST_STREAM, 3, &[0, 0, 0, 3])].concat();
    let text = Bytes::from_static(b"the cluster did not accept the connection's streams");
    let expected =
        vec![Event::ConnectionError { connection: 4, text }, Event::Disconnected { connection: 4 }];
    assert_eq!(told(&mut codec, vec![Input::Bytes(frames.into())]), Ok(expected));
    // And after it said that it goes, none is asked for.
    codec.receive(Input::Bytes(control(GOAWAY, &[0; 8]).into())).unwrap();
    let connected = Event::Connected { connection: 5, port: 80 };
    assert_eq!(codec.send(&connected), Err(Violation::GoingAway));
}
