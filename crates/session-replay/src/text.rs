//! Bytes as text, however they are cut.

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
            let is_last = all.ends_with(invalid)
                && std::ptr::eq(invalid.as_ptr_range().end, all.as_ptr_range().end);
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
}

fn is_beginning(bytes: &[u8]) -> bool {
    matches!(std::str::from_utf8(bytes), Err(error) if error.error_len().is_none())
}

/// Whether a character does something else than stand where it is: control characters, characters without width, and
/// those that turn the direction of text around.
#[must_use]
pub fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(u32::from(character),
            0xad | 0x34f | 0x61c | 0x115f..=0x1160 | 0x17b4..=0x17b5 | 0x180b..=0x180f | 0x200b..=0x200f
            | 0x2028..=0x202e | 0x2060..=0x206f | 0x3164 | 0xfe00..=0xfe0f | 0xfeff | 0xffa0 | 0xfff0..=0xfffb
            | 0x1bca0..=0x1bca3 | 0x1d173..=0x1d17a | 0xe0000..=0xe0fff)
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
            let mut at_once = TextDecoder::default();
            let mut expected = at_once.feed(&all);
            expected.push_str(&at_once.finish());
            prop_assert_eq!(whole, expected);
        }
    }
}
