//! Strict JSON text to a tree, through the tokens of `jsonc-parser`.
//!
//! Only its scanner is used: a manifest of a large cluster is mostly JSON on one line a document, and
//! tokens are read ten times faster than YAML events. What is not strict JSON is left to YAML.

use super::fault::Fault;
use super::node::{Key, Place, Style, Value};
use super::tree::{Keep, Limits, Tree, TreeBuilder};
use jsonc_parser::tokens::Token;
use jsonc_parser::{Scanner, ScannerOptions};
use std::borrow::Cow;

/// Why a text was not read as JSON.
#[derive(Debug)]
pub(crate) enum NotRead {
    /// YAML may still be able to read it.
    NotJson,
    Fault(Box<Fault>),
}

impl From<Box<Fault>> for NotRead {
    fn from(fault: Box<Fault>) -> Self {
        Self::Fault(fault)
    }
}

const STRICT: ScannerOptions = ScannerOptions {
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

/// `text` starts with `{` or `[`, after blanks, at the column after `indent` of `first_line`.
pub(crate) fn parse(
    text: &str,
    first_line: u32,
    limits: Limits,
    keep: Keep,
) -> Result<Tree<'_>, NotRead> {
    let mut reader = Reader {
        scanner: Scanner::new(text, &STRICT),
        position: Position {
            text,
            is_ascii: text.is_ascii(),
            offset: 0,
            line: first_line,
            column: 1,
        },
        builder: TreeBuilder::new(limits, keep),
        open: Vec::new(),
    };
    let mut expected = Expected::Value;
    while let Some((token, place)) = reader.next()? {
        expected = reader.accept(expected, token, place)?;
    }
    match expected {
        Expected::Nothing => Ok(reader.builder.finish()),
        Expected::Value
        | Expected::ValueOrEnd
        | Expected::Key
        | Expected::KeyOrEnd
        | Expected::Colon
        | Expected::CommaOrEnd => Err(NotRead::NotJson),
    }
}

#[derive(Clone, Copy)]
enum Expected {
    Value,
    ValueOrEnd,
    Key,
    KeyOrEnd,
    Colon,
    CommaOrEnd,
    Nothing,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    Object,
    Array,
}

struct Reader<'t> {
    scanner: Scanner<'t>,
    position: Position<'t>,
    builder: TreeBuilder<'t>,
    open: Vec<Open>,
}

impl<'t> Reader<'t> {
    fn next(&mut self) -> Result<Option<(Token<'t>, Place)>, NotRead> {
        // The scanner's error is dropped: YAML says what is wrong with the same text.
        let Ok(token) = self.scanner.scan() else { return Err(NotRead::NotJson) };
        let Some(token) = token else { return Ok(None) };
        let place = self.position.token(self.scanner.token_start(), self.scanner.token_end())?;
        Ok(Some((token, place)))
    }

    fn accept(
        &mut self,
        expected: Expected,
        token: Token<'t>,
        place: Place,
    ) -> Result<Expected, NotRead> {
        match (expected, token) {
            (Expected::Key | Expected::KeyOrEnd, Token::String(text)) => {
                self.builder.key(Key { text, style: Style::Quoted, place }, 0)?;
                Ok(Expected::Colon)
            }
            (Expected::Colon, Token::Colon) => Ok(Expected::Value),
            (Expected::CommaOrEnd, Token::Comma) => match self.open.last() {
                Some(Open::Object) => Ok(Expected::Key),
                Some(Open::Array) => Ok(Expected::Value),
                None => Err(NotRead::NotJson),
            },
            (Expected::KeyOrEnd | Expected::CommaOrEnd, Token::CloseBrace) => {
                self.close(Open::Object, place)
            }
            (Expected::ValueOrEnd | Expected::CommaOrEnd, Token::CloseBracket) => {
                self.close(Open::Array, place)
            }
            (Expected::Value | Expected::ValueOrEnd, token) => self.value(token, place),
            (
                Expected::Key
                | Expected::KeyOrEnd
                | Expected::Colon
                | Expected::CommaOrEnd
                | Expected::Nothing,
                _,
            ) => Err(NotRead::NotJson),
        }
    }

    fn value(&mut self, token: Token<'t>, place: Place) -> Result<Expected, NotRead> {
        let value = match token {
            Token::OpenBrace => {
                self.builder.start_mapping(place, 0)?;
                self.open.push(Open::Object);
                return Ok(Expected::KeyOrEnd);
            }
            Token::OpenBracket => {
                self.builder.start_sequence(place, 0)?;
                self.open.push(Open::Array);
                return Ok(Expected::ValueOrEnd);
            }
            Token::String(text) => Value::Text { text, style: Style::Quoted },
            Token::Number(text) => Value::Number(Cow::Borrowed(text)),
            Token::Boolean(value) => Value::Bool(value),
            Token::Null => Value::Null,
            Token::CloseBrace
            | Token::CloseBracket
            | Token::Comma
            | Token::Colon
            | Token::Word(_)
            | Token::CommentLine(_)
            | Token::CommentBlock(_) => return Err(NotRead::NotJson),
        };
        self.builder.scalar(value, place, 0)?;
        Ok(self.after_value())
    }

    fn close(&mut self, kind: Open, place: Place) -> Result<Expected, NotRead> {
        if self.open.pop() != Some(kind) {
            return Err(NotRead::NotJson);
        }
        self.builder.end(Some(Place { column: place.end(), ..place }))?;
        Ok(self.after_value())
    }

    fn after_value(&self) -> Expected {
        if self.open.is_empty() { Expected::Nothing } else { Expected::CommaOrEnd }
    }
}

/// Follows the tokens, to know the line and column of each.
struct Position<'t> {
    text: &'t str,
    is_ascii: bool,
    offset: usize,
    line: u32,
    column: u32,
}

impl Position<'_> {
    fn token(&mut self, start: usize, end: usize) -> Result<Place, NotRead> {
        self.skip_blanks(start)?;
        let token = self.text.get(start..end).unwrap_or_default();
        // JSON strings have no raw control characters; YAML would fold a line break in one.
        if token.bytes().any(|byte| byte < b' ') {
            return Err(NotRead::NotJson);
        }
        let length = if self.is_ascii { token.len() } else { token.chars().count() };
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        let place = Place { line: self.line, column: self.column, length: length.max(1) };
        self.offset = end;
        self.column = self.column.saturating_add(length);
        Ok(place)
    }

    /// The scanner skips more kinds of blanks than JSON has.
    fn skip_blanks(&mut self, until: usize) -> Result<(), NotRead> {
        let blanks = self.text.as_bytes().get(self.offset..until).unwrap_or_default();
        for (index, byte) in blanks.iter().enumerate() {
            match byte {
                b' ' | b'\t' => self.column = self.column.saturating_add(1),
                b'\r' if blanks.get(index + 1) == Some(&b'\n') => {}
                b'\n' | b'\r' => {
                    self.line = self.line.saturating_add(1);
                    self.column = 1;
                }
                _ => return Err(NotRead::NotJson),
            }
        }
        Ok(())
    }
}
