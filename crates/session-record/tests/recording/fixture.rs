//! Small recordings.

use bytes::Bytes;
use session_record::{
    Access, Client, ContentKey, Durability, Ending, Event, Head, Header, KeyPair, Keys, Opening,
    Packing, Reader, Record, SessionId, SourceError, State, Step, Stream, User, Writer, pack,
};

pub(crate) struct Recorded {
    pub(crate) bytes: Bytes,
    pub(crate) keys: KeyPair,
}

pub(crate) fn opening() -> Opening {
    Opening {
        session: SessionId(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef),
        at_ms: 1_790_000_000_000,
        gateway: "gateway-0".to_owned(),
        cluster: "shop".to_owned(),
        user: User {
            name: "ada".to_owned(),
            uid: Some("7".to_owned()),
            groups: vec!["ops".to_owned()],
            proof: "client certificate".to_owned(),
        },
        client: Client {
            address: "192.0.2.1:40000".to_owned(),
            user_agent: Some("kubectl/v1.36.0".to_owned()),
            kubectl_session: None,
            kubectl_command: Some("kubectl exec".to_owned()),
            protocol: "v5.channel.k8s.io".to_owned(),
        },
        access: Access {
            verb: "exec".to_owned(),
            namespace: Some("shop".to_owned()),
            name: Some("web-0".to_owned()),
            uid: None,
            container: Some("web".to_owned()),
            command: vec!["sh".to_owned()],
            terminal: true,
        },
        reason: None,
        rule: "ops".to_owned(),
        durability: Durability::Intent,
    }
}

pub(crate) fn keys(seed: u8) -> KeyPair {
    KeyPair { output: ContentKey::new([seed; 32]), input: ContentKey::new([seed ^ 0x80; 32]) }
}

pub(crate) fn data(stream: Stream, bytes: &[u8]) -> Event {
    Event::Data { stream, bytes: Bytes::copy_from_slice(bytes) }
}

/// One event a millisecond, a chunk for each `every` of them.
pub(crate) fn record_all(events: &[Event], every: usize) -> Recorded {
    record_with(events, every, 1)
}

/// Keys and salt by the seed.
pub(crate) fn record_with(events: &[Event], every: usize, seed: u8) -> Recorded {
    let keys = keys(seed);
    let header = Header::new(opening(), [seed; 32], 100, &keys);
    let (mut writer, beginning) = Writer::begin(&header, &keys).expect("a header");
    let mut bytes = beginning.to_vec();
    for (n, event) in events.iter().enumerate() {
        writer.push(n as u64 * 1000, event).expect("short events");
        if n % every == every - 1 {
            bytes.extend(writer.cut(Vec::new()).expect("a chunk"));
        }
    }
    let ended =
        writer.end(State::Sealed, Ending::Finished { exit_code: Some(0) }, 1_790_000_009_000);
    let ended = ended.expect("an end");
    bytes.extend(ended.bytes);
    bytes.extend(ended.seal.write());
    Recorded { bytes: bytes.into(), keys }
}

pub(crate) fn steps(bytes: &Bytes, keys: &Keys) -> Vec<Step> {
    let reader = Reader::open(bytes.clone(), keys).expect("a recording");
    reader.map(|step| step.expect("a step")).collect()
}

/// What somebody without the input's key sees of a record.
pub(crate) fn withheld(record: Record) -> Step {
    if let Event::Data { stream, bytes } = &record.event
        && stream.is_from_person()
    {
        return Step::Withheld { at_us: record.at_us, stream: *stream, length: bytes.len() as u64 };
    }
    Step::Known(record)
}

/// The compressed form.
pub(crate) fn packed(recorded: &Recorded, heads: &[Head]) -> Bytes {
    let mut bytes = Vec::new();
    let packing = Packing { keys: &recorded.keys, salt: [5; 32], level: 3, heads };
    let mut sink = |part: &[u8]| -> Result<(), SourceError> {
        bytes.extend_from_slice(part);
        Ok(())
    };
    pack(recorded.bytes.clone(), &packing, &mut sink).expect("packed");
    bytes.into()
}

/// A recording's heads, chunk by chunk.
pub(crate) fn heads(recorded: &Recorded) -> Vec<Head> {
    let mut reader =
        Reader::open(recorded.bytes.clone(), &recorded.keys.clone().into()).expect("a recording");
    let mut heads = Vec::new();
    while reader.next_step().expect("a step").is_some() {
        if heads.last() != Some(&reader.head()) {
            heads.push(reader.head());
        }
    }
    heads
}

/// A session at a terminal: prompts, keys, echo, some output.
pub(crate) fn terminal_session(n_lines: usize) -> Vec<Event> {
    let mut events = vec![Event::Resize { columns: 80, rows: 24 }];
    for n in 0..n_lines {
        events.push(data(Stream::Stdout, b"$ "));
        for key in format!("ls {n}").bytes().chain([b'\r']) {
            events.push(data(Stream::Stdin, &[key]));
            events.push(data(Stream::Stdout, &[key]));
        }
        events.push(data(
            Stream::Stdout,
            "drwxr-xr-x  2 root root 4096 etc\r\n".repeat(n % 7 + 1).as_bytes(),
        ));
    }
    events.push(Event::Status { text: Bytes::from_static(b"{\"status\":\"Success\"}") });
    events
}
