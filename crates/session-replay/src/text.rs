//! Bytes as text, however they are cut, and characters that do more than stand where they are.

use unicode_width::UnicodeWidthChar as _;

/// Decodes UTF-8 that comes in pieces. What is not UTF-8 is U+FFFD.
#[derive(Debug, Default, Clone)]
pub struct TextDecoder {
    /// The beginning of a character, at most three bytes.
    rest: Vec<u8>,
}

impl TextDecoder {
    /// The text of a piece; a character that is cut comes with the next one.
    pub fn feed(&mut self, bytes: &[u8]) -> String {
        let mut all = std::mem::take(&mut self.rest);
        all.extend_from_slice(bytes);
        let mut text = String::with_capacity(all.len());
        for chunk in all.utf8_chunks() {
            text.push_str(chunk.valid());
            let invalid = chunk.invalid();
            if invalid.is_empty() {
                continue;
            }
            let is_last = std::ptr::eq(invalid.as_ptr_range().end, all.as_ptr_range().end);
            if is_last && is_beginning(invalid) {
                self.rest = invalid.to_vec();
            } else {
                text.push('\u{fffd}');
            }
        }
        text
    }

    /// What is left when nothing more comes.
    pub fn finish(&mut self) -> String {
        if std::mem::take(&mut self.rest).is_empty() {
            String::new()
        } else {
            "\u{fffd}".to_owned()
        }
    }

    pub(crate) fn is_between_characters(&self) -> bool {
        self.rest.is_empty()
    }
}

fn is_beginning(bytes: &[u8]) -> bool {
    matches!(std::str::from_utf8(bytes), Err(error) if error.error_len().is_none())
}

/// Whether a character does something else than stand where it is: control characters, characters that are none or
/// have no width, and those that turn the direction of text around.
#[must_use]
pub fn is_hidden(character: char) -> bool {
    if character.is_ascii() {
        return character.is_ascii_control();
    }
    let has_width = character.width().is_some_and(|width| width > 0);
    let code = u32::from(character);
    !has_width
        || code & 0xfffe == 0xfffe
        || matches!(code,
            0xad | 0x34f | 0x61c | 0x115f..=0x1160 | 0x17b4..=0x17b5 | 0x180b..=0x180f | 0x200b..=0x200f
            | 0x2028..=0x202e | 0x2060..=0x206f | 0x3164 | 0xfdd0..=0xfdef | 0xfe00..=0xfe0f | 0xfeff | 0xffa0
            | 0xfff0..=0xfffb | 0x1bca0..=0x1bca3 | 0x1d173..=0x1d17a | 0xe0000..=0xe0fff)
}

/// What stands for a character in a cell of its own.
pub(crate) fn in_cell(character: char) -> char {
    if is_hidden(character) { '\u{fffd}' } else { character }
}

/// The first `most` bytes of a text, or fewer where that would cut a character.
pub(crate) fn cut_off(text: &str, most: usize) -> &str {
    text.get(..text.floor_char_boundary(most)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn cuts_do_not_matter(bytes in prop::collection::vec(any::<u8>(), 0..60), text in "\\PC{0,20}", cut in 0_usize..80) {
            let all = [bytes.as_slice(), text.as_bytes()].concat();
            let (one, other) = all.split_at(cut.min(all.len()));
            let mut decoder = TextDecoder::default();
            let mut whole = decoder.feed(one);
            whole.push_str(&decoder.feed(other));
            whole.push_str(&decoder.finish());
            prop_assert_eq!(whole, String::from_utf8_lossy(&all).into_owned());
        }
    }

    #[test]
    fn what_does_more_than_stand_there_is_hidden() {
        let hidden = "\u{1b}\u{7f}\u{85}\u{9b}\u{ad}\u{200b}\u{202e}\u{2066}\u{301}\u{20dd}\u{fe0f}\u{feff}\u{e0041}\u{ffff}";
        assert!(hidden.chars().all(is_hidden));
        assert!(!"a~ü日→🙂".chars().any(is_hidden));
    }
}
