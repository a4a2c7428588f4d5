//! Lines of input: bounded, numbered, and what may be wrong with one.

use std::io::{self, BufRead, Read as _};
use std::net::AddrParseError;

/// A flow has at most 1,024 matching rules, each with names and labels of bounded length.
pub const MAX_LINE_BYTES: u64 = 1 << 20;

/// What is wrong, and in which line, counted from 1.
#[derive(Debug, thiserror::Error)]
#[error("line {line}")]
pub struct ReadError {
    pub line: u64,
    #[source]
    pub problem: Problem,
}

#[derive(Debug, thiserror::Error)]
pub enum Problem {
    #[error("the input could not be read")]
    Io(#[source] io::Error),
    #[error("longer than {MAX_LINE_BYTES} bytes")]
    TooLong,
    #[error("not a JSON object")]
    NoObject,
    #[error("not the JSON of a flow")]
    Json(#[source] serde_json::Error),
    #[error(
        "`apiVersion` is `{api_version}` and `kind` is `{kind}`, which this version does not read"
    )]
    OtherFormat { api_version: String, kind: String },
    #[error("`{0}` is missing")]
    Missing(&'static str),
    #[error("`{text}` is no address")]
    Address { text: String, source: AddrParseError },
    #[error("`{field}` is not possible here: {why}")]
    Impossible { field: &'static str, why: &'static str },
}

/// Lines with something in them, one at a time.
pub(crate) struct Lines<'a> {
    input: &'a mut dyn BufRead,
    line: u64,
    text: Vec<u8>,
    failed: bool,
}

impl<'a> Lines<'a> {
    pub(crate) fn new(input: &'a mut dyn BufRead) -> Self {
        Self { input, line: 0, text: Vec::new(), failed: false }
    }

    /// The number of the line that was read last.
    pub(crate) fn line(&self) -> u64 {
        self.line
    }

    /// What `read` makes of the next line. The end of the input and a broken input end it; a bad line does not.
    pub(crate) fn next<T>(
        &mut self,
        read: &mut dyn FnMut(&[u8]) -> Result<T, Problem>,
    ) -> Option<Result<T, ReadError>> {
        loop {
            if self.failed {
                return None;
            }
            let found = self.fill();
            let result = match found {
                Ok(false) => return None,
                Ok(true) if self.text.trim_ascii().is_empty() => continue,
                Ok(true) => read(self.text.trim_ascii()),
                Err(problem) => {
                    self.failed = matches!(problem, Problem::Io(_));
                    Err(problem)
                }
            };
            return Some(result.map_err(|problem| ReadError { line: self.line, problem }));
        }
    }

    fn fill(&mut self) -> Result<bool, Problem> {
        self.text.clear();
        self.line = self.line.saturating_add(1);
        let mut limited = self.input.take(MAX_LINE_BYTES);
        let n_bytes = limited.read_until(b'\n', &mut self.text).map_err(Problem::Io)?;
        if n_bytes as u64 == MAX_LINE_BYTES && !self.text.ends_with(b"\n") {
            self.text.clear();
            self.input.skip_until(b'\n').map_err(Problem::Io)?;
            return Err(Problem::TooLong);
        }
        Ok(n_bytes > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(input: &[u8]) -> Vec<String> {
        let mut input = io::BufReader::with_capacity(64, input);
        let mut lines = Lines::new(&mut input);
        let mut echo = |line: &[u8]| Ok(String::from_utf8_lossy(line).into_owned());
        let results = std::iter::from_fn(|| lines.next(&mut echo));
        results
            .map(|result| {
                result.unwrap_or_else(|error| format!("{}: {}", error.line, error.problem))
            })
            .collect()
    }

    #[test]
    fn blank_lines_have_no_result_and_long_ones_are_errors() {
        let long = "x".repeat(usize::try_from(MAX_LINE_BYTES).unwrap());
        let input = format!("a\r\n\n  \n{long}\nb\n{long}");
        assert_eq!(
            read(input.as_bytes()),
            ["a", "4: longer than 1048576 bytes", "b", "6: longer than 1048576 bytes"]
        );
        assert_eq!(read(b""), Vec::<String>::new());
        assert_eq!(read(b"only"), ["only"]);
    }
}
