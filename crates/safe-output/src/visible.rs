//! Makes text safe to show: what cannot be seen, or changes how the rest is seen, is spelled out.
//!
//! A name in a manifest may hold terminal escapes that rewrite the screen, or bidirectional controls
//! that reorder it ("Trojan Source", CVE-2021-42574).

use std::borrow::Cow;
use std::fmt::Write as _;

/// `text` as one line in which every character shows: `\n`, `\t` and `\u{1b}` stand for hidden ones.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        push_visible(&mut shown, character);
    }
    Cow::Owned(shown)
}

/// Like [`visible()`] for text that may have several lines; tabs stay too.
pub fn visible_lines(text: &str) -> Cow<'_, str> {
    let is_layout = |character| matches!(character, '\n' | '\t');
    if !text.contains(|character| is_hidden(character) && !is_layout(character)) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for character in text.replace("\r\n", "\n").chars() {
        if is_layout(character) {
            shown.push(character);
        } else {
            push_visible(&mut shown, character);
        }
    }
    Cow::Owned(shown)
}

fn push_visible(shown: &mut String, character: char) {
    match character {
        '\n' => shown.push_str("\\n"),
        '\r' => shown.push_str("\\r"),
        '\t' => shown.push_str("\\t"),
        hidden if is_hidden(hidden) => {
            #[expect(clippy::let_underscore_must_use, reason = "a String takes every write")]
            let _ = write!(shown, "\\u{{{:x}}}", u32::from(hidden));
        }
        plain => shown.push(plain),
    }
}

/// Controls, separators of lines and paragraphs, format characters (Unicode category `Cf`) except the
/// ones that are letters of a script, and characters that are no characters.
pub fn is_hidden(character: char) -> bool {
    if character.is_ascii() {
        return character.is_ascii_control();
    }
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fdd0}'..='\u{fdef}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
        || u32::from(character) & 0xfffe == 0xfffe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_text_is_not_copied() {
        for text in ["shop/web → pay/db 5432/tcp", "größe 日本 e\u{301}", ""] {
            assert!(matches!(visible(text), Cow::Borrowed(shown) if shown == text));
        }
    }

    #[test]
    fn hidden_characters_are_spelled_out() {
        assert_eq!(visible("a\u{1b}[2Jb\r\n\u{7}"), "a\\u{1b}[2Jb\\r\\n\\u{7}");
        assert_eq!(visible("\u{202e}x\u{2066}\u{200b}"), "\\u{202e}x\\u{2066}\\u{200b}");
        assert_eq!(visible("\u{9b}31m\u{85}\u{ffff}"), "\\u{9b}31m\\u{85}\\u{ffff}");
        assert_eq!(visible("\u{e0041}\u{feff}"), "\\u{e0041}\\u{feff}");
    }

    #[test]
    fn lines_keep_their_ends() {
        assert_eq!(visible_lines("a:\r\n\tb\n"), "a:\n\tb\n");
        assert_eq!(visible_lines("a\u{1b}\nb"), "a\\u{1b}\nb");
    }
}
