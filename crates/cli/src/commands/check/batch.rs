//! `weir check --batch`: lines in, lines out, in constant memory.

use super::CheckWorld;
use super::answerer::{Answered, BatchAnswerer, LONGEST_LINE, refuse_long};
use crate::{Console, ExpectedError, Outcome};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

const BUFFER_BYTES: usize = 256 * 1024;

/// Where queries come from.
pub(crate) struct Queries {
    path: String,
    reader: BufReader<Box<dyn Read>>,
}

/// Standard input is for the manifests or for the queries.
pub(crate) fn open(path: &Path, manifests: &[PathBuf]) -> Result<Queries, ExpectedError> {
    let shown = path.display().to_string();
    let reader: Box<dyn Read> = if path == Path::new("-") {
        if manifests.iter().any(|path| path == Path::new("-")) {
            return Err(ExpectedError::Usage(
                "standard input `-` is either manifests or queries".to_owned(),
            ));
        }
        Box::new(io::stdin())
    } else {
        let opened = File::open(path);
        let opened =
            opened.map_err(|source| ExpectedError::OpenQueries { path: shown.clone(), source })?;
        Box::new(opened)
    };
    Ok(Queries { path: shown, reader: BufReader::with_capacity(BUFFER_BYTES, reader) })
}

pub(crate) fn run(
    world: CheckWorld<'_>,
    mut queries: Queries,
    console: &mut Console,
) -> Result<Outcome, ExpectedError> {
    let mut answerer = BatchAnswerer::new(world);
    let mut line = Vec::new();
    let mut answers = Vec::with_capacity(BUFFER_BYTES);
    let mut outcome = Outcome::Yes;
    loop {
        let reader = &mut queries.reader;
        // Whoever waits for an answer before sending the next query gets it.
        if memchr::memchr(b'\n', reader.buffer()).is_none() || answers.len() >= BUFFER_BYTES {
            console.out.write_all(&answers)?;
            console.out.flush()?;
            answers.clear();
        }
        line.clear();
        let read = read_line(reader, &mut line);
        let read = read
            .map_err(|source| ExpectedError::ReadQueries { path: queries.path.clone(), source })?;
        let answered = match read {
            ReadLine::End => break,
            ReadLine::Whole => answerer.answer(&line, &mut answers),
            ReadLine::TooLong => refuse_long(&mut answers),
        };
        if answered == Answered::Error {
            outcome = Outcome::BadInput;
        }
    }
    console.out.write_all(&answers)?;
    Ok(outcome)
}

#[derive(Debug, PartialEq, Eq)]
enum ReadLine {
    End,
    Whole,
    /// It was read to its end and not kept.
    TooLong,
}

/// Reads up to a line end, which is not kept; never keeps more than the longest line.
fn read_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<ReadLine> {
    let mut n_read = 0;
    loop {
        let buffer = match reader.fill_buf() {
            Ok(buffer) => buffer,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let is_end = buffer.is_empty();
        let end = memchr::memchr(b'\n', buffer);
        let part = buffer.get(..end.unwrap_or(buffer.len())).unwrap_or_default();
        if line.len() + part.len() <= LONGEST_LINE {
            line.extend_from_slice(part);
        }
        let n_part = part.len();
        n_read += n_part;
        reader.consume(n_part + usize::from(end.is_some()));
        if is_end && n_read == 0 {
            return Ok(ReadLine::End);
        }
        if is_end || end.is_some() {
            let is_whole = n_read == line.len();
            return Ok(if is_whole { ReadLine::Whole } else { ReadLine::TooLong });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(input: &[u8], capacity: usize) -> Vec<(ReadLine, usize)> {
        let mut reader = BufReader::with_capacity(capacity, input);
        let mut lines = Vec::new();
        loop {
            let mut line = Vec::new();
            match read_line(&mut reader, &mut line).unwrap() {
                ReadLine::End => return lines,
                read @ (ReadLine::Whole | ReadLine::TooLong) => lines.push((read, line.len())),
            }
        }
    }

    #[test]
    fn lines_end_with_the_input_too() {
        let whole = |length| (ReadLine::Whole, length);
        assert_eq!(lines(b"one\n\nthree", 2), [whole(3), whole(0), whole(5)]);
        assert_eq!(lines(b"one\n", 100), [whole(3)]);
        assert_eq!(lines(b"", 100), []);
    }

    #[test]
    fn a_long_line_is_passed_over_and_not_kept() {
        let mut input = vec![b'x'; 5 * LONGEST_LINE];
        input.extend_from_slice(b"\nshort\n");
        let lines = lines(&input, 4096);
        let lengths: Vec<usize> = lines.iter().map(|(_, length)| *length).collect();
        assert_eq!(lines[0].0, ReadLine::TooLong);
        assert!(lengths[0] <= LONGEST_LINE);
        assert_eq!(lines[1], (ReadLine::Whole, 5));
        let exact = vec![b'x'; LONGEST_LINE];
        assert_eq!(self::lines(&exact, 4096), [(ReadLine::Whole, LONGEST_LINE)]);
    }
}
