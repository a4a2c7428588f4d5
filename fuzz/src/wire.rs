//! What the targets of sessions' protocols share: a script of what a peer says and of what the gateway says to it, and
//! the promises that every codec keeps while it runs.

use bytes::Bytes;
use session_proto::{Asked, Codec, Input, Output, Version, Violation, exit_code};
use session_record::Event;

/// Longest slice of a stream in one event.
const MAX_DATA_BYTES: usize = 64 << 10;
/// Room of what does not grow with what came: a few events, and answers to them.
const ROOM_BYTES: usize = 1 << 10;

#[derive(Debug, Clone)]
pub(crate) enum Step {
    Peer(Input),
    /// What the gateway has to say, which it heard on the other side.
    Own(Event),
}

/// Events in the order in which a codec gave or took them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Said {
    Peer(Event),
    Own(Event),
}

#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) said: Vec<Said>,
    /// One after the other: how a stream is cut is no part of what is said.
    pub(crate) outputs: Vec<u8>,
    pub(crate) violation: Option<Violation>,
}

/// Runs a script up to its end, or to the first violation.
pub(crate) fn told(mut codec: Codec, steps: &[Step]) -> Told {
    let mut told = Told::default();
    let (mut came, mut answered) = (0, 0);
    told.drain(&mut codec);
    for step in steps {
        let result = match step {
            Step::Peer(input) => {
                came += length(input);
                codec.receive(input.clone())
            }
            Step::Own(event) => {
                let result = codec.send(event);
                if result.is_ok() {
                    told.said.push(Said::Own(event.clone()));
                }
                result
            }
        };
        let written = told.drain(&mut codec);
        if matches!(step, Step::Peer(_)) {
            answered += written;
        }
        if let Err(violation) = result {
            told.violation = Some(violation);
            break;
        }
    }
    assert!(answered <= 4 * came + ROOM_BYTES, "{answered} bytes to answer {came}");
    told.is_bounded(came);
    told
}

const fn length(input: &Input) -> usize {
    match input {
        Input::Binary(bytes) | Input::Text(bytes) | Input::Bytes(bytes) => bytes.len(),
    }
}

impl Told {
    /// Takes what a codec has to give, and says how many bytes it wrote.
    fn drain(&mut self, codec: &mut Codec) -> usize {
        self.said.extend(std::iter::from_fn(|| codec.next_event()).map(Said::Peer));
        let before = self.outputs.len();
        while let Some(output) = codec.next_output() {
            match output {
                Output::Binary(bytes) | Output::Bytes(bytes) => self.outputs.extend(bytes),
                Output::Text(text) => self.outputs.extend(text.into_bytes()),
            }
        }
        self.outputs.len() - before
    }

    fn is_bounded(&self, came: usize) {
        let (mut data, mut others) = (0, 0);
        for event in self.heard() {
            if let Event::Data { bytes, .. } = &event {
                assert!(!bytes.is_empty() && bytes.len() <= MAX_DATA_BYTES);
                data += bytes.len();
            } else {
                others += 1;
            }
            if let Event::Status { text } = &event {
                // Text becomes JSON, of which a character is at most six.
                assert!(text.len() <= 6 * came + ROOM_BYTES);
                std::hint::black_box(exit_code(text));
            }
        }
        assert!(data <= came, "more data than came");
        assert!(others <= came + ROOM_BYTES, "more events than bytes");
    }

    /// What the peer did, pieces of a stream put together.
    pub(crate) fn heard(&self) -> Vec<Event> {
        let heard = self.said.iter().filter_map(|said| match said {
            Said::Peer(event) => Some(event.clone()),
            Said::Own(_) => None,
        });
        joined(heard)
    }

    /// That another cut of the same bytes was told as the same.
    pub(crate) fn is_same_as(&self, other: &Self) {
        assert_eq!(self.heard(), other.heard(), "cut in another way, it is something else");
        assert_eq!(self.outputs, other.outputs, "cut in another way, it is answered in another");
        match (&self.violation, &other.violation) {
            // How much too long is known only of what came at once.
            (
                Some(Violation::TooLong { what, limit, bytes: _ }),
                Some(Violation::TooLong { what: other, limit: other_limit, bytes: _ }),
            ) => assert_eq!((what, limit), (other, other_limit)),
            (ours, other) => assert_eq!(ours, other, "cut in another way, it fails in another"),
        }
    }
}

/// Pieces of one stream put together: how they were cut is no part of what was said.
pub(crate) fn joined(events: impl IntoIterator<Item = Event>) -> Vec<Event> {
    let mut whole: Vec<(Event, Vec<u8>)> = Vec::new();
    for event in events {
        match (whole.last_mut(), event) {
            (Some((Event::Data { stream, .. }, all)), Event::Data { stream: next, bytes })
                if *stream == next =>
            {
                all.extend_from_slice(&bytes);
            }
            (_, Event::Data { stream, bytes }) => {
                whole.push((Event::Data { stream, bytes: Bytes::new() }, bytes.to_vec()));
            }
            (_, event) => whole.push((event, Vec::new())),
        }
    }
    let of = |(event, all): (Event, Vec<u8>)| {
        if let Event::Data { stream, bytes: _ } = event {
            Event::Data { stream, bytes: all.into() }
        } else {
            event
        }
    };
    whole.into_iter().map(of).collect()
}

/// What was decoded, said again by a codec of the other role to a second one of the first role.
#[derive(Debug)]
pub(crate) struct Again {
    pub(crate) encoder: Codec,
    pub(crate) decoder: Codec,
    pub(crate) events: Vec<Event>,
}

impl Again {
    pub(crate) fn say(encoder: Codec, decoder: Codec, said: &[Said]) -> Self {
        let mut again = Self { encoder, decoder, events: Vec::new() };
        again.carry();
        for said in said {
            let result = match said {
                Said::Peer(event) => again.encoder.send(event),
                Said::Own(event) => again.decoder.send(event),
            };
            assert_eq!(result, Ok(()), "{said:?}");
            again.carry();
        }
        again
    }

    /// Carries what either has to say, until neither has.
    pub(crate) fn carry(&mut self) {
        loop {
            let back = passed(&mut self.decoder, &mut self.encoder);
            while self.encoder.next_event().is_some() {}
            let forth = passed(&mut self.encoder, &mut self.decoder);
            self.events.extend(std::iter::from_fn(|| self.decoder.next_event()));
            if back + forth == 0 {
                return;
            }
        }
    }
}

fn passed(from: &mut Codec, to: &mut Codec) -> usize {
    let mut n_outputs = 0;
    while let Some(output) = from.next_output() {
        n_outputs += 1;
        let input = match output {
            Output::Binary(bytes) => Input::Binary(bytes),
            Output::Text(text) => Input::Text(text.into()),
            Output::Bytes(bytes) => Input::Bytes(bytes),
        };
        assert_eq!(to.receive(input), Ok(()), "what a codec writes is read");
    }
    n_outputs
}

/// Runs of bytes for whatever a script needs; zeros when there are no more.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cursor<'bytes>(pub(crate) &'bytes [u8]);

impl<'bytes> Cursor<'bytes> {
    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn byte(&mut self) -> u8 {
        let Some((byte, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *byte
    }

    pub(crate) fn take(&mut self, length: usize) -> &'bytes [u8] {
        let (now, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        now
    }
}

pub(crate) const fn asked(bits: u8) -> Asked {
    let terminal = bits & 8 != 0;
    Asked {
        stdin: bits & 1 != 0,
        stdout: bits & 2 != 0,
        stderr: bits & 4 != 0 && !terminal,
        terminal,
    }
}

pub(crate) const fn version(bits: u8) -> Version {
    match bits % 5 {
        0 => Version::V5,
        1 => Version::V4,
        2 => Version::V3,
        3 => Version::V2,
        _ => Version::V1,
    }
}
