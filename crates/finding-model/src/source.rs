//! Places in the files that a person gave.

/// An index into [`SourceFiles`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(u32);

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
    lines: std::collections::BTreeMap<(FileId, u32), String>,
}

impl SourceFiles {
    #[expect(clippy::cast_possible_truncation, reason = "nobody reads four billion files")]
    pub fn add(&mut self, name: String) -> FileId {
        self.names.push(name);
        FileId(self.names.len() as u32 - 1)
    }

    /// An id of another `SourceFiles` gives `?`.
    pub fn name(&self, file: FileId) -> &str {
        self.names.get(file.0 as usize).map_or("?", String::as_str)
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// Keeps the text of one line, so that a finding can show it after the file is gone.
    pub fn keep_line(&mut self, file: FileId, line: u32, text: &str) {
        self.lines.insert((file, line), text.to_owned());
    }

    pub fn line(&self, file: FileId, line: u32) -> Option<&str> {
        self.lines.get(&(file, line)).map(String::as_str)
    }

    /// `file:line:column`.
    pub fn place(&self, span: SourceSpan) -> String {
        format!("{}:{}:{}", self.name(span.file), span.line, span.column)
    }
}
