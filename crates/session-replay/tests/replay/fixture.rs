//! Sessions to tell again.

use bytes::Bytes;
use session_record::{
    Access, Client, Durability, Event, Opening, Record, SessionId, Step, Stream, User,
};

pub(crate) fn opening(command: &[&str], terminal: bool) -> Opening {
    Opening {
        session: SessionId(7),
        at_ms: 0,
        gateway: "g".to_owned(),
        cluster: "c".to_owned(),
        user: User { name: "ann".to_owned(), uid: None, groups: vec![], proof: String::new() },
        client: Client {
            address: String::new(),
            user_agent: None,
            kubectl_session: None,
            kubectl_command: None,
            protocol: String::new(),
        },
        access: Access {
            verb: "exec".to_owned(),
            namespace: None,
            name: None,
            uid: None,
            container: None,
            command: command.iter().map(|argument| (*argument).to_owned()).collect(),
            terminal,
        },
        reason: None,
        rule: "r".to_owned(),
        durability: Durability::Intent,
    }
}

pub(crate) fn data(at_us: u64, stream: Stream, bytes: &[u8]) -> Step {
    Step::Known(Record {
        at_us,
        event: Event::Data { stream, bytes: Bytes::copy_from_slice(bytes) },
    })
}

/// A real session: `fixtures/record.py` wrote it.
pub(crate) fn recorded(text: &str) -> Vec<Step> {
    text.lines().map(|line| step(line).unwrap()).collect()
}

/// The same, for somebody who has no key for what was typed.
pub(crate) fn without_keys(steps: &[Step]) -> Vec<Step> {
    let withheld = |step: &Step| match step {
        Step::Known(Record { at_us, event: Event::Data { stream, bytes } })
            if stream.is_from_person() =>
        {
            Step::Withheld { at_us: *at_us, stream: *stream, length: bytes.len() as u64 }
        }
        Step::Known(_) | Step::Withheld { .. } => step.clone(),
    };
    steps.iter().map(withheld).collect()
}

fn step(line: &str) -> Option<Step> {
    let (at_us, rest) = line.split_once(' ')?;
    let (kind, text) = rest.split_once(' ')?;
    let at_us = at_us.parse().ok()?;
    Some(match kind {
        "i" => data(at_us, Stream::Stdin, &unescaped(text)?),
        "o" => data(at_us, Stream::Stdout, &unescaped(text)?),
        _ => {
            let (columns, rows) = text.split_once('x')?;
            let (columns, rows) = (columns.parse().ok()?, rows.parse().ok()?);
            Step::Known(Record { at_us, event: Event::Resize { columns, rows } })
        }
    })
}

/// Bytes as Python writes them.
fn unescaped(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        bytes.push(match letter {
            '\\' => match letters.next()? {
                'r' => b'\r',
                'n' => b'\n',
                't' => b'\t',
                'x' => {
                    let digits: String = letters.by_ref().take(2).collect();
                    u8::from_str_radix(&digits, 16).ok()?
                }
                other => u8::try_from(other).ok()?,
            },
            plain => u8::try_from(plain).ok()?,
        });
    }
    Some(bytes)
}
