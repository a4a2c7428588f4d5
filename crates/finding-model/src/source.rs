//! Places in the files that a person gave.

use std::collections::BTreeMap;
use std::sync::OnceLock;

/// An index into [`SourceFiles`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(u32);

impl FileId {
    /// Its place among the files, in the order in which they were added.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A place on one line. Lines and columns count from 1, columns and lengths in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceSpan {
    pub file: FileId,
    pub line: u32,
    pub column: u32,
    /// At least 1; a span over several lines ends with its first line.
    pub length: u32,
}

/// The names of all files that were read, as the person would write them (`-` is standard input),
/// and the lines that findings show.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceFiles {
    names: Vec<String>,
    texts: BTreeMap<FileId, Text>,
    lines: BTreeMap<(FileId, u32), String>,
}

/// A file's text, cut at LF, CRLF and lone CR.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Text {
    text: String,
    /// Where each line starts; found when the first line is asked for, which a clean run never does.
    starts: OnceLock<Vec<usize>>,
}

impl Text {
    fn new(text: String) -> Self {
        Self { text, starts: OnceLock::new() }
    }

    fn starts(&self) -> &[usize] {
        self.starts.get_or_init(|| {
            let bytes = self.text.as_bytes();
            let breaks = bytes.iter().enumerate().filter(|(index, byte)| match byte {
                b'\n' => true,
                b'\r' => bytes.get(index + 1) != Some(&b'\n'),
                _ => false,
            });
            std::iter::once(0).chain(breaks.map(|(index, _)| index + 1)).collect()
        })
    }

    fn line(&self, number: u32) -> Option<&str> {
        let index = (number as usize).checked_sub(1)?;
        let start = *self.starts().get(index)?;
        let end = self.starts().get(index + 1).copied().unwrap_or(self.text.len());
        Some(self.text.get(start..end)?.trim_end_matches(['\n', '\r']))
    }
}

impl SourceFiles {
    #[expect(clippy::cast_possible_truncation, reason = "nobody reads four billion files")]
    pub fn add(&mut self, name: String) -> FileId {
        self.names.push(name);
        FileId(self.names.len() as u32 - 1)
    }

    /// An id of another `SourceFiles` gives `?`.
    pub fn name(&self, file: FileId) -> &str {
        self.names.get(file.index()).map_or("?", String::as_str)
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// Keeps the text of one line, so that a finding can show it after the file is gone.
    pub fn keep_line(&mut self, file: FileId, line: u32, text: &str) {
        self.lines.insert((file, line), text.to_owned());
    }

    /// Keeps a whole file, so that any of its lines can be shown.
    pub fn keep_text(&mut self, file: FileId, text: String) {
        self.texts.insert(file, Text::new(text));
    }

    /// The files that were kept whole.
    pub fn texts(&self) -> impl Iterator<Item = (FileId, &str)> {
        self.texts.iter().map(|(file, text)| (*file, text.text.as_str()))
    }

    pub fn line(&self, file: FileId, line: u32) -> Option<&str> {
        let kept = self.lines.get(&(file, line)).map(String::as_str);
        kept.or_else(|| self.texts.get(&file)?.line(line))
    }

    /// `file:line:column`.
    pub fn place(&self, span: SourceSpan) -> String {
        format!("{}:{}:{}", self.name(span.file), span.line, span.column)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_kept_text() {
        let mut files = SourceFiles::default();
        let file = files.add("a.yaml".into());
        files.keep_text(file, "one\r\ntwo\rthree\n".into());
        let lines: Vec<Option<&str>> = (0..6).map(|line| files.line(file, line)).collect();
        assert_eq!(lines, [None, Some("one"), Some("two"), Some("three"), Some(""), None]);
        files.keep_line(file, 2, "TWO");
        assert_eq!(files.line(file, 2), Some("TWO"));
    }
}
