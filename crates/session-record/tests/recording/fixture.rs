//! Small recordings.

use bytes::Bytes;
use session_record::{
    Access, Client, DataKey, Durability, Ending, Event, Header, KeyPair, Keys, Opening, Reader,
    Record, SessionId, State, Step, Stream, User, Writer,
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
    KeyPair { output: DataKey::new([seed; 32]), input: DataKey::new([seed ^ 0x80; 32]) }
}

pub(crate) fn data(stream: Stream, bytes: &[u8]) -> Event {
    Event::Data { stream, bytes: Bytes::copy_from_slice(bytes) }
}

/// One event a millisecond, a chunk for each `every` of them.
pub(crate) fn record_all(events: &[Event], every: usize) -> Recorded {
    let keys = keys(1);
    let header = Header::new(opening(), [9; 32], 100, &keys);
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
    match record.event {
        Event::Data { stream, ref bytes } if stream.is_from_person() => {
            Step::Withheld { at_us: record.at_us, stream, length: bytes.len() as u64 }
        }
        _ => Step::Known(record),
    }
}
