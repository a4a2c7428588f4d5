//! Cuts a file into its YAML documents.
//!
//! A line that starts with `---` or `...` and a blank ends a document wherever it stands, also inside
//! quotes and brackets (YAML 1.2.2 §9.1.2), so lines are enough to find the cuts.

/// One document: a part of the file's text, and the line that it starts on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment<'t> {
    pub text: &'t str,
    pub first_line: u32,
}

/// Documents in order. Parts with nothing but comments and blanks are left out.
pub fn split(text: &str) -> Vec<Segment<'_>> {
    let mut splitter = Splitter {
        text,
        segments: Vec::new(),
        start: 0,
        first_line: 1,
        is_started: false,
        has_content: false,
    };
    let mut line_number = 1;
    let mut offset = 0;
    while offset < text.len() {
        let end = line_end(text.as_bytes(), offset);
        let line = text.get(offset..end).unwrap_or_default();
        splitter.line(line, offset, end, line_number);
        offset = end;
        line_number += 1;
    }
    splitter.cut(text.len(), line_number);
    splitter.segments
}

/// The offset after the line break that ends the line: LF, CRLF or a lone CR.
pub(crate) fn line_end(bytes: &[u8], start: usize) -> usize {
    let rest = bytes.get(start..).unwrap_or_default();
    match memchr::memchr2(b'\n', b'\r', rest) {
        None => bytes.len(),
        Some(index) => {
            let is_crlf = rest.get(index..index + 2) == Some(b"\r\n");
            start + index + if is_crlf { 2 } else { 1 }
        }
    }
}

/// The number of line breaks.
pub(crate) fn n_breaks(text: &str) -> usize {
    let bytes = text.as_bytes();
    memchr::memchr2_iter(b'\n', b'\r', bytes)
        .filter(|index| bytes.get(*index) == Some(&b'\n') || bytes.get(index + 1) != Some(&b'\n'))
        .count()
}

struct Splitter<'t> {
    text: &'t str,
    segments: Vec<Segment<'t>>,
    start: usize,
    first_line: u32,
    /// Whether the current part has its `---`. What comes before it is a prefix.
    is_started: bool,
    /// Whether it has more than a prefix, comments and blanks.
    has_content: bool,
}

impl Splitter<'_> {
    fn line(&mut self, line: &str, start: usize, end: usize, number: u32) {
        if is_marker(line, "---") {
            if self.has_content || self.is_started {
                self.cut(start, number);
            }
            self.is_started = true;
            self.has_content = !is_blank(line.get(3..).unwrap_or_default());
        } else if is_marker(line, "...") {
            self.cut(end, number + 1);
        } else if !self.has_content {
            let is_directive = line.starts_with('%') && !self.is_started;
            self.has_content = !is_blank(line) && !is_directive;
        }
    }

    fn cut(&mut self, end: usize, next_line: u32) {
        if self.has_content {
            let text = self.text.get(self.start..end).unwrap_or_default();
            self.segments.push(Segment { text, first_line: self.first_line });
        }
        self.start = end;
        self.first_line = next_line;
        self.is_started = false;
        self.has_content = false;
    }
}

/// Nothing but blanks and a comment.
fn is_blank(line: &str) -> bool {
    let content = line.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']);
    content.is_empty() || content.starts_with('#')
}

fn is_marker(line: &str, marker: &str) -> bool {
    line.strip_prefix(marker)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\n', '\r']))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[(u32, &str)]) {
        let found: Vec<(u32, &str)> =
            split(text).iter().map(|segment| (segment.first_line, segment.text)).collect();
        assert_eq!(found, expected, "{text:?}");
    }

    #[test]
    fn markers_at_column_zero_cut() {
        check("a: 1\n---\nb: 2\n", &[(1, "a: 1\n"), (2, "---\nb: 2\n")]);
        check("a: '\n---\n'\n", &[(1, "a: '\n"), (2, "---\n'\n")]);
        check("--- a\n--- b", &[(1, "--- a\n"), (2, "--- b")]);
        check("a\r\n---\r\nb\r---\rc", &[(1, "a\r\n"), (2, "---\r\nb\r"), (4, "---\rc")]);
    }

    #[test]
    fn other_dashes_do_not_cut() {
        for text in ["a: |\n  ---\n", "----\n", "---a: 1\n", "- - -\n"] {
            check(text, &[(1, text)]);
        }
    }

    #[test]
    fn prefixes_belong_to_the_document_that_follows() {
        check("# c\n%YAML 1.2\n---\na\n", &[(1, "# c\n%YAML 1.2\n---\na\n")]);
        check("a\n...\n# c\n---\nb\n", &[(1, "a\n...\n"), (3, "# c\n---\nb\n")]);
        check("# only a comment\n\n", &[]);
        check("\u{feff}\n# Source: x\n", &[]);
        check("---\n# empty\n---\n--- # c\n---\na", &[(5, "---\na")]);
    }
}
