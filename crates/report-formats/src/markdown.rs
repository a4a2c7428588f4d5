//! Text and code inside Markdown as GitHub renders it, safe against whatever the text holds.
//!
//! A backslash would not do: it is literal inside code, `|` ends a table cell before escapes are read,
//! and GitHub looks for `@names`, `#numbers` and addresses after the Markdown is parsed. Character
//! references are never Markdown syntax (CommonMark 0.31 §2.5), so all punctuation that could mean
//! anything is written as one.

use crate::{visible, visible_lines};
use std::fmt::Write as _;

/// Inline text. Pairs of backticks become code, as they read in our own messages.
pub fn inline(text: &str) -> String {
    let text = visible(text);
    if text.matches('`').count() % 2 == 1 {
        return plain(&text);
    }
    let part = |(index, part): (usize, &str)| if index % 2 == 1 { code(part) } else { plain(part) };
    text.split('`').enumerate().map(part).collect()
}

/// Inline code.
pub fn code(text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    let mut html = String::from("<code>");
    push_text(&mut html, &visible(text), "/.-_:=,");
    html + "</code>"
}

/// A fenced block; the fence is longer than any run of backticks inside.
pub fn fenced(language: &str, text: &str) -> String {
    let text = visible_lines(text);
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}{language}\n{}\n{fence}\n", text.trim_end_matches('\n'))
}

fn plain(text: &str) -> String {
    let mut markdown = String::with_capacity(text.len());
    push_text(&mut markdown, text, "/.,:;?!'\"()%+=-");
    // Keeps GitHub from seeing a person or an issue in what follows.
    markdown.replace("&#64;", "&#64;&#8203;").replace("&#35;", "&#35;&#8203;")
}

/// Writes punctuation that is not in `safe`, or that would make a link, as character references.
fn push_text(markdown: &mut String, text: &str, safe: &str) {
    let mut previous = ' ';
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let makes_link = (character == ':' && characters.peek() == Some(&'/'))
            || (character == '.' && matches!(previous, 'w' | 'W'));
        if !makes_link && (!character.is_ascii_punctuation() || safe.contains(character)) {
            markdown.push(character);
        } else {
            #[expect(clippy::let_underscore_must_use, reason = "a String takes every write")]
            let _ = write!(markdown, "&#{};", u32::from(character));
        }
        previous = character;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_messages_read_well_in_source_too() {
        assert_eq!(
            inline("unknown field `form` in ingress[0] of shop/web: 53/udp → all"),
            "unknown field <code>form</code> in ingress&#91;0&#93; of shop/web: 53/udp → all"
        );
        assert_eq!(code("shop/web.yaml:1:2"), "<code>shop/web.yaml:1:2</code>");
    }

    #[test]
    fn nothing_in_a_name_is_markdown() {
        assert_eq!(inline("a|b <b> *c* `odd"), "a&#124;b &#60;b&#62; &#42;c&#42; &#96;odd");
        assert_eq!(inline("[d](http://e) www.x"), "&#91;d&#93;(http&#58;//e) www&#46;x");
        assert_eq!(inline("@me #1"), "&#64;&#8203;me &#35;&#8203;1");
        assert_eq!(code("a`|b</code>"), "<code>a&#96;&#124;b&#60;/code&#62;</code>");
        assert_eq!(code("\n@me"), "<code>&#92;n&#64;me</code>");
        assert_eq!(code(""), "");
    }

    #[test]
    fn a_fence_is_longer_than_what_it_holds() {
        assert_eq!(fenced("yaml", "a: 1\n"), "```yaml\na: 1\n```\n");
        assert_eq!(fenced("", "````\n\u{1b}"), "`````\n````\n\\u{1b}\n`````\n");
    }
}
