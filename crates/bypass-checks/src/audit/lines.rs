//! Lines of bounded length, from a stream of any length.

use std::io::{self, BufRead};

/// What is next in a stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// In the buffer, without its end.
    Whole,
    /// In the buffer; the stream ended before the line did.
    CutOff,
    /// Skipped.
    TooLong,
    End,
}

/// Reads the next line into `buffer`, which never becomes longer than `limit`.
pub(super) fn next(
    stream: &mut dyn BufRead,
    buffer: &mut Vec<u8>,
    limit: usize,
) -> io::Result<Line> {
    buffer.clear();
    let mut is_too_long = false;
    loop {
        let piece = match stream.fill_buf() {
            Ok(piece) => piece,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if piece.is_empty() {
            return Ok(match (is_too_long, buffer.is_empty()) {
                (true, _) => Line::TooLong,
                (false, true) => Line::End,
                (false, false) => Line::CutOff,
            });
        }
        let end = piece.iter().position(|byte| *byte == b'\n');
        let part = piece.get(..end.unwrap_or(piece.len())).unwrap_or_default();
        if buffer.len() + part.len() > limit {
            is_too_long = true;
            buffer.clear();
        } else if !is_too_long {
            buffer.extend_from_slice(part);
        }
        let used = end.map_or(piece.len(), |end| end + 1);
        stream.consume(used);
        if end.is_some() {
            return Ok(if is_too_long { Line::TooLong } else { Line::Whole });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::BufReader;

    #[test]
    fn lines_are_whole_cut_off_or_too_long() {
        let text = b"one\n\nfar too long\nlast\ncut";
        let mut stream = BufReader::with_capacity(2, text.as_slice());
        let mut buffer = Vec::new();
        let mut found = Vec::new();
        loop {
            let line = next(&mut stream, &mut buffer, 5).unwrap();
            if line == Line::End {
                break;
            }
            found.push((line, String::from_utf8(buffer.clone()).unwrap()));
        }
        let text = |text: &str| text.to_owned();
        assert_eq!(
            found,
            [
                (Line::Whole, text("one")),
                (Line::Whole, text("")),
                (Line::TooLong, text("")),
                (Line::Whole, text("last")),
                (Line::CutOff, text("cut")),
            ]
        );
    }
}
