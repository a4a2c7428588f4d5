//! What was typed, as far as keys alone say it.
//!
//! A command line is never taken from here: history, completion and cursor keys make of keys what only the line
//! editor knows. Keys tell when a line was entered or given up, and confirm what the screen shows.

/// Longest line that is compared.
const MAX_BYTES: usize = 16 << 10;
/// Longest escape sequence that a key sends.
const MAX_ESCAPE: usize = 32;

#[derive(Debug, Default)]
pub(crate) struct Keys {
    text: Vec<u8>,
    /// A key was pressed of which only the line editor knows what it did.
    is_edited: bool,
    escape: Vec<u8>,
    is_pasting: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    Typed,
    /// The line is entered.
    Enter,
    /// The line is given up, or the program.
    Interrupt,
}

/// What was typed since the line before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Typed {
    /// Letters that every line editor takes as they are.
    Plainly(String),
    Edited,
}

impl Keys {
    pub(crate) fn byte(&mut self, byte: u8) -> Key {
        if !self.escape.is_empty() {
            self.in_escape(byte);
            return Key::Typed;
        }
        match byte {
            0x1b => self.escape.push(byte),
            b'\r' | b'\n' if self.is_pasting => self.push(b'\n'),
            b'\r' | b'\n' => return Key::Enter,
            0x03 | 0x1c if !self.is_pasting => return Key::Interrupt,
            0x08 | 0x7f => self.erase(),
            0x15 => self.text.clear(),
            // Draw the screen again; end of input.
            0x0c => {}
            0x04 if self.text.is_empty() => {}
            0x20.. => self.push(byte),
            _ => self.is_edited = true,
        }
        Key::Typed
    }

    /// What was typed up to here; what comes is of the next line.
    pub(crate) fn take(&mut self) -> Typed {
        let text = String::from_utf8_lossy(&std::mem::take(&mut self.text)).into_owned();
        if std::mem::take(&mut self.is_edited) { Typed::Edited } else { Typed::Plainly(text) }
    }

    /// What was typed up to here, where it is plain.
    pub(crate) fn plainly(&self) -> Option<&str> {
        let is_plain = !self.is_edited && !self.is_pasting && self.escape.is_empty();
        if is_plain { std::str::from_utf8(&self.text).ok() } else { None }
    }

    fn push(&mut self, byte: u8) {
        if self.text.len() < MAX_BYTES {
            self.text.push(byte);
        } else {
            self.is_edited = true;
        }
    }

    fn erase(&mut self) {
        while self.text.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {}
    }

    fn in_escape(&mut self, byte: u8) {
        self.escape.push(byte);
        let is_over = match self.escape.as_slice() {
            [_, b'[' | b'O'] => false,
            [_, b'[' | b'O', ..] => (0x40..0x7f).contains(&byte) || self.escape.len() > MAX_ESCAPE,
            _ => true,
        };
        if !is_over {
            return;
        }
        let escape = std::mem::take(&mut self.escape);
        match escape.as_slice() {
            b"\x1b[200~" => self.is_pasting = true,
            b"\x1b[201~" => self.is_pasting = false,
            // A terminal's answer, not a key: where the cursor is, what it is, whether it has the focus.
            [_, b'[', .., b'R' | b'c' | b'n' | b'I' | b'O'] => {}
            _ => self.is_edited = true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(bytes: &[u8]) -> (Vec<Key>, Typed) {
        let mut keys = Keys::default();
        let special = bytes.iter().map(|byte| keys.byte(*byte)).filter(|key| *key != Key::Typed);
        (special.collect(), keys.take())
    }

    #[test]
    fn plain_letters_are_what_was_typed() {
        let plain = |text: &str| Typed::Plainly(text.to_owned());
        assert_eq!(typed("lsü\u{7f}x".as_bytes()), (vec![], plain("lsx")));
        assert_eq!(typed(b"a\x15b\r"), (vec![Key::Enter], plain("b")));
        assert_eq!(typed(b"\x1b[3;4R\x0c\x04ls"), (vec![], plain("ls")));
        assert_eq!(typed(b"\x1b[200~a\rb\x1b[201~"), (vec![], plain("a\nb")));
        assert_eq!(typed(b"x\x03"), (vec![Key::Interrupt], plain("x")));
        for edited in [&b"\x1b[A"[..], b"l\t", b"\x1bOA", b"\x1bf", b"\x12"] {
            assert_eq!(typed(edited), (vec![], Typed::Edited));
        }
    }
}
