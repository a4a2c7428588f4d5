//! How records are written in the two sections of a chunk.
//!
//! The output section has every record in the order in which they happened. Of what the person sent it has stream and
//! length; the bytes are in the input section, one after the other. Who has the output's key alone sees when something
//! was sent and how much; who has both sees what, at its exact place.

use crate::event::{Event, Record, Stream};
use crate::wire::{Cursor, Malformed, malformed, put_bytes, put_length, put_text, put_varint};
use bytes::Bytes;

const SENT: u8 = 1;
const SHOWN: u8 = 2;
const END: u8 = 3;
const RESIZE: u8 = 4;
const STATUS: u8 = 5;
const CONNECTED: u8 = 6;
const CONNECTION_ERROR: u8 = 7;
const DISCONNECTED: u8 = 8;
const CALL: u8 = 9;
const NOTICE: u8 = 10;
const FROZEN: u8 = 11;
const THAWED: u8 = 12;
const MARKER: u8 = 13;

/// One record, as whoever has some of the keys sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    Known(Record),
    /// The person sent bytes, for which the key is not at hand.
    Withheld {
        at_us: u64,
        stream: Stream,
        length: u64,
    },
}

impl Step {
    #[must_use]
    pub const fn at_us(&self) -> u64 {
        match self {
            Self::Known(record) => record.at_us,
            Self::Withheld { at_us, stream: _, length: _ } => *at_us,
        }
    }
}

/// Appends an event that happened `after_us` after the one before.
pub(crate) fn put_event(output: &mut Vec<u8>, input: &mut Vec<u8>, after_us: u64, event: &Event) {
    put_varint(output, after_us);
    match event {
        Event::Data { stream, bytes } if stream.is_from_person() => {
            output.push(SENT);
            put_stream(output, *stream);
            put_length(output, bytes.len());
            input.extend_from_slice(bytes);
        }
        Event::Data { stream, bytes } => {
            output.push(SHOWN);
            put_stream(output, *stream);
            put_bytes(output, bytes);
        }
        Event::End { stream } => {
            output.push(END);
            put_stream(output, *stream);
        }
        Event::Resize { columns, rows } => {
            put_numbers(output, RESIZE, [*columns, *rows].map(u32::from))
        }
        Event::Status { text } => put_tagged(output, STATUS, text),
        Event::Connected { connection, port } => {
            put_numbers(output, CONNECTED, [*connection, u32::from(*port)])
        }
        Event::ConnectionError { connection, text } => {
            put_numbers(output, CONNECTION_ERROR, [*connection]);
            put_bytes(output, text);
        }
        Event::Disconnected { connection } => put_numbers(output, DISCONNECTED, [*connection]),
        Event::Call { json } => put_tagged(output, CALL, json),
        Event::Notice { text } => put_tagged(output, NOTICE, text.as_bytes()),
        Event::Frozen { by } => put_tagged(output, FROZEN, by.as_bytes()),
        Event::Thawed { by } => put_tagged(output, THAWED, by.as_bytes()),
        Event::Marker { by, text } => {
            put_tagged(output, MARKER, by.as_bytes());
            put_text(output, text);
        }
    }
}

/// How many bytes an event has that nothing bounds.
#[must_use]
pub fn payload_bytes(event: &Event) -> usize {
    match event {
        Event::Data { stream: _, bytes } => bytes.len(),
        Event::Status { text } | Event::ConnectionError { connection: _, text } => text.len(),
        Event::Call { json } => json.len(),
        Event::Notice { text } => text.len(),
        Event::Frozen { by } | Event::Thawed { by } => by.len(),
        Event::Marker { by, text } => by.len().saturating_add(text.len()),
        Event::End { .. }
        | Event::Resize { .. }
        | Event::Connected { .. }
        | Event::Disconnected { .. } => 0,
    }
}

fn put_tagged(into: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
    into.push(tag);
    put_bytes(into, bytes);
}

fn put_numbers<const N: usize>(into: &mut Vec<u8>, tag: u8, numbers: [u32; N]) {
    into.push(tag);
    for number in numbers {
        put_varint(into, u64::from(number));
    }
}

fn put_stream(into: &mut Vec<u8>, stream: Stream) {
    match stream {
        Stream::Stdin => into.push(0),
        Stream::Stdout => into.push(1),
        Stream::Stderr => into.push(2),
        Stream::ToPort { connection } => put_numbers(into, 3, [connection]),
        Stream::FromPort { connection } => put_numbers(into, 4, [connection]),
    }
}

/// Reads the records of one chunk. `input` is none where its key is not at hand.
#[derive(Debug, Clone)]
pub(crate) struct RecordCursor {
    output: Cursor,
    input: Option<Cursor>,
    at_us: u64,
}

impl RecordCursor {
    pub(crate) fn new(output: Bytes, input: Option<Bytes>, first_us: u64) -> Self {
        Self { output: Cursor::new(output), input: input.map(Cursor::new), at_us: first_us }
    }

    /// That all of both sections was read.
    pub(crate) fn end(&self) -> Result<(), Malformed> {
        self.output.end("the end of a chunk's records")?;
        self.input.as_ref().map_or(Ok(()), |input| input.end("the end of a chunk's input"))
    }

    pub(crate) fn step(&mut self) -> Result<Step, Malformed> {
        let after_us = self.output.varint("a record's time")?;
        let at_us = self.at_us.checked_add(after_us).ok_or(malformed("a record's time"))?;
        self.at_us = at_us;
        let tag = self.output.byte("a record's kind")?;
        if tag == SENT {
            return self.sent(at_us);
        }
        let event = self.event(tag)?;
        Ok(Step::Known(Record { at_us, event }))
    }

    fn sent(&mut self, at_us: u64) -> Result<Step, Malformed> {
        let stream = stream(&mut self.output)?;
        let length = self.output.varint("the length of input")?;
        if !stream.is_from_person() || length == 0 {
            return Err(malformed("what was sent"));
        }
        let Some(input) = &mut self.input else {
            return Ok(Step::Withheld { at_us, stream, length });
        };
        let length = usize::try_from(length).or(Err(malformed("the length of input")))?;
        let bytes = input.take(length, "input")?;
        Ok(Step::Known(Record { at_us, event: Event::Data { stream, bytes } }))
    }

    fn event(&mut self, tag: u8) -> Result<Event, Malformed> {
        let cursor = &mut self.output;
        Ok(match tag {
            SHOWN => {
                let stream = stream(cursor)?;
                let bytes = cursor.bytes("output")?;
                if stream.is_from_person() || bytes.is_empty() {
                    return Err(malformed("what was shown"));
                }
                Event::Data { stream, bytes }
            }
            END => Event::End { stream: stream(cursor)? },
            RESIZE => {
                Event::Resize { columns: cursor.number("columns")?, rows: cursor.number("rows")? }
            }
            STATUS => Event::Status { text: cursor.bytes("a status")? },
            CONNECTED => Event::Connected {
                connection: cursor.number("a connection")?,
                port: cursor.number("a port")?,
            },
            CONNECTION_ERROR => Event::ConnectionError {
                connection: cursor.number("a connection")?,
                text: cursor.bytes("a connection's error")?,
            },
            DISCONNECTED => Event::Disconnected { connection: cursor.number("a connection")? },
            CALL => Event::Call { json: cursor.bytes("a call")? },
            NOTICE => Event::Notice { text: cursor.text("a notice")? },
            FROZEN => Event::Frozen { by: cursor.text("who froze")? },
            THAWED => Event::Thawed { by: cursor.text("who thawed")? },
            MARKER => {
                Event::Marker { by: cursor.text("who marked")?, text: cursor.text("a marker")? }
            }
            _ => return Err(malformed("a record's kind")),
        })
    }
}

fn stream(cursor: &mut Cursor) -> Result<Stream, Malformed> {
    let what = "a stream";
    Ok(match cursor.byte(what)? {
        0 => Stream::Stdin,
        1 => Stream::Stdout,
        2 => Stream::Stderr,
        3 => Stream::ToPort { connection: cursor.number(what)? },
        4 => Stream::FromPort { connection: cursor.number(what)? },
        _ => return Err(malformed(what)),
    })
}
