//! What has to be on disk before it may go on: one decision for every pump of every gateway.

use crate::event::{Event, Stream};
use crate::opening::Durability;

impl Durability {
    /// Whether `event`, and with it everything before it, must be on disk before it is forwarded.
    ///
    /// `Intent` waits for whatever can make the other side act. On a terminal that is every control character and
    /// every escape sequence, not only the ends of lines: Ctrl-C and Ctrl-\ are signals, Ctrl-O and Ctrl-X run
    /// commands in readline, Tab runs completions, Alt with a key runs what it is bound to. Plain text does not wait;
    /// a shell only collects it. A program that acts on a single plain key (a pager, an editor) is therefore up to one
    /// commit interval ahead of the disk under `Intent`, and not under `Strict`.
    #[must_use]
    pub fn waits_for(self, terminal: bool, event: &Event) -> bool {
        match self {
            Self::Group => false,
            Self::Intent => makes_act(terminal, event),
            Self::Strict => true,
        }
    }
}

fn makes_act(terminal: bool, event: &Event) -> bool {
    match event {
        Event::Data { stream: Stream::Stdin, bytes } => !terminal || !is_plain_text(bytes),
        Event::Data { stream: Stream::ToPort { connection: _ }, bytes: _ } => true,
        Event::Data {
            stream: Stream::Stdout | Stream::Stderr | Stream::FromPort { connection: _ },
            bytes: _,
        } => false,
        Event::End { stream } => stream.is_from_person(),
        // A connection is made, and a call of the API changes something, once they are forwarded.
        Event::Connected { .. } | Event::Call { .. } => true,
        Event::Resize { .. }
        | Event::Status { .. }
        | Event::ConnectionError { .. }
        | Event::Disconnected { .. }
        | Event::Notice { .. }
        | Event::Frozen { .. }
        | Event::Thawed { .. }
        | Event::Marker { .. } => false,
    }
}

/// Characters that a line editor only inserts, and the two by which it deletes one. Bytes from 0x80 on are parts
/// of characters in UTF-8; where a terminal has 8-bit controls, 0x80 to 0x9f alone would be ones, so they wait
/// unless they continue a character.
fn is_plain_text(bytes: &[u8]) -> bool {
    let is_text =
        |character: char| !character.is_control() || character == '\u{8}' || character == '\u{7f}';
    // A frame may end inside of a character; its beginning is text then.
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            let (valid, _) = bytes.split_at(error.valid_up_to());
            std::str::from_utf8(valid).unwrap_or("\0")
        }
        Err(_) => return false,
    };
    text.chars().all(is_text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn typed(bytes: &'static [u8]) -> Event {
        Event::Data { stream: Stream::Stdin, bytes: Bytes::from_static(bytes) }
    }

    #[test]
    fn text_of_a_terminal_goes_on_and_what_acts_waits() {
        let waiting = |bytes| Durability::Intent.waits_for(true, &typed(bytes));
        let text: [&[u8]; 6] = [b"ls -l", b" ", b"\x7f", b"\x08", "ä語".as_bytes(), b"\xe8\xaa"];
        assert!(!text.into_iter().any(waiting), "text waits");
        let acts: [&[u8]; 16] = [
            b"\r",
            b"\n",
            b"ls\r",
            b"\x04",
            b"\x03",
            b"\x1a",
            b"\x1c",
            b"\x0f",
            b"\x18\x05",
            b"\t",
            b"\x1b[A",
            b"\x1b#",
            b"\x85",
            b"\xc2\x85",
            b"\0",
            b"\xff",
        ];
        assert!(acts.into_iter().all(waiting), "something that acts goes on");
    }

    #[test]
    fn what_waits_depends_on_the_terminal_and_the_direction() {
        let shown = Event::Data { stream: Stream::Stdout, bytes: Bytes::from_static(b"$ \r\n") };
        let sent = Event::Data {
            stream: Stream::ToPort { connection: 0 },
            bytes: Bytes::from_static(b"a"),
        };
        let waits =
            |durability: Durability, terminal, event: &Event| durability.waits_for(terminal, event);
        let found = [
            waits(Durability::Group, false, &typed(b"ls\n")),
            waits(Durability::Intent, false, &typed(b"ls")),
            waits(Durability::Intent, true, &shown),
            waits(Durability::Intent, true, &sent),
            waits(Durability::Intent, false, &Event::End { stream: Stream::Stdin }),
            waits(Durability::Intent, false, &Event::End { stream: Stream::Stdout }),
            waits(Durability::Intent, true, &Event::Resize { columns: 80, rows: 24 }),
            waits(Durability::Strict, true, &shown),
            waits(Durability::Strict, true, &typed(b"a")),
        ];
        assert_eq!(found, [false, true, false, true, true, false, false, true, true]);
    }
}
