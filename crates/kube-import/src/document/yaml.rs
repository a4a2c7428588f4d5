//! YAML text to a tree, through the events of `saphyr-parser`.

use super::fault::Fault;
use super::node::{Key, Place, Style, Value};
use super::scalar;
use super::split::n_breaks;
use super::tree::{Keep, Limits, Tree, TreeBuilder};
use crate::codes;
use saphyr_parser::{Event, Input, Marker, Parser, ScalarStyle, ScanError, Span, StrInput, Tag};
use std::borrow::Cow;
use std::cell::Cell;

/// What the scanner says of brackets beyond what it can count.
const RECURSION_LIMIT: &str = "recursion limit exceeded";

/// `text` is one document; `first_line` is the line of the file that it starts on.
pub(crate) fn parse(
    text: &str,
    first_line: u32,
    limits: Limits,
    keep: Keep,
) -> Result<Tree<'_>, Box<Fault>> {
    // A forgotten subtree may hold an anchor that is used outside it.
    let keep = if text.contains('&') { Keep::Everything } else { keep };
    let n_chars = Cell::new(0);
    let input = Metered { input: StrInput::new(text), n_chars: &n_chars, limit: limits.flow_chars };
    let mut reader = Reader {
        builder: TreeBuilder::new(limits, keep),
        first_line,
        n_lines: n_breaks(text.trim_end()) + 1,
        has_braces: text.contains("{{"),
        flows: Vec::new(),
    };
    let mut parser = Parser::new(input);
    loop {
        let event = parser.next_event();
        if n_chars.get() > limits.flow_chars {
            return Err(too_long(reader.last_place(&event), limits));
        }
        n_chars.set(0);
        match event {
            None => break,
            Some(Ok((event, span))) => reader.read(event, span)?,
            Some(Err(error)) => return Err(reader.broken(&error)),
        }
    }
    Ok(reader.builder.finish())
}

struct Reader<'t> {
    builder: TreeBuilder<'t>,
    first_line: u32,
    n_lines: usize,
    /// As templates have.
    has_braces: bool,
    /// For each open collection, whether it is written with brackets.
    flows: Vec<bool>,
}

impl<'t> Reader<'t> {
    fn read(&mut self, event: Event<'t>, span: Span) -> Result<(), Box<Fault>> {
        let place = self.place(span);
        match event {
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => Ok(()),
            Event::Alias(anchor) => self.builder.alias(anchor, place),
            Event::Scalar(text, style, anchor, tag) => {
                let style = self.style(style, tag.as_deref(), place);
                self.scalar(text, style, anchor, place)
            }
            Event::SequenceStart(anchor, tag) => {
                self.check_tag(tag.as_deref(), "seq", place);
                self.flows.push(!span.is_empty());
                self.builder.start_sequence(place, anchor)
            }
            Event::MappingStart(anchor, tag) => {
                self.check_tag(tag.as_deref(), "map", place);
                self.flows.push(!span.is_empty());
                self.builder.start_mapping(place, anchor)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let is_flow = self.flows.pop().unwrap_or(false);
                let after = Place { column: place.end(), ..place };
                self.builder.end(is_flow.then_some(after))
            }
        }
    }

    fn scalar(
        &mut self,
        text: Cow<'t, str>,
        style: Style,
        anchor: usize,
        place: Place,
    ) -> Result<(), Box<Fault>> {
        if self.builder.key_is_expected() {
            return self.builder.key(Key { text, style, place }, anchor);
        }
        let value = match style {
            Style::Plain => scalar::resolve(text),
            Style::Quoted => Value::Text { text, style },
        };
        self.builder.scalar(value, place, anchor)
    }

    /// `!!str` makes a text of anything; the other tags of the core schema say what the text says.
    fn style(&mut self, style: ScalarStyle, tag: Option<&Tag>, place: Place) -> Style {
        let style = match style {
            ScalarStyle::Plain => Style::Plain,
            ScalarStyle::SingleQuoted
            | ScalarStyle::DoubleQuoted
            | ScalarStyle::Literal
            | ScalarStyle::Folded => Style::Quoted,
        };
        let Some(tag) = tag else { return style };
        if tag.is_yaml_core_schema() {
            match tag.suffix.as_str() {
                "str" => return Style::Quoted,
                "int" | "float" | "bool" | "null" => return Style::Plain,
                _ => {}
            }
        } else if tag.handle.is_empty() && tag.suffix == "!" {
            return Style::Quoted;
        }
        self.warn_of_tag(tag, place);
        style
    }

    fn check_tag(&mut self, tag: Option<&Tag>, expected: &str, place: Place) {
        if let Some(tag) = tag.filter(|tag| !(tag.is_yaml_core_schema() && tag.suffix == expected))
        {
            self.warn_of_tag(tag, place);
        }
    }

    fn warn_of_tag(&mut self, tag: &Tag, place: Place) {
        self.builder.warn(*Fault::new(
            codes::UNKNOWN_TAG,
            place,
            format!("the tag `{tag}` means nothing here and is read past"),
            "remove the tag",
        ));
    }

    fn place(&self, span: Span) -> Place {
        let is_one_line = span.start.line() == span.end.line();
        let length = if is_one_line { span.end.col().saturating_sub(span.start.col()) } else { 1 };
        Place {
            line: self.first_line.saturating_add(number(span.start.line().saturating_sub(1))),
            column: number(span.start.col().saturating_add(1)),
            length: number(length.max(1)),
        }
    }

    fn broken(&self, error: &ScanError) -> Box<Fault> {
        // What is missing at the end of the text is shown on its last line, not after it.
        let marker = error.marker();
        let line = marker.line().min(self.n_lines);
        let column = if line == marker.line() { marker.col() } else { 0 };
        let place = self.place(Span::empty(Marker::new(marker.index(), line, column)));
        // Of brackets behind a key on their line the scanner sees the depth before the events do.
        if error.info() == RECURSION_LIMIT {
            return self.builder.too_deep(place);
        }
        let help = if self.has_braces {
            "if this is a template, render it first, for example with `helm template`; else look for a \
             wrong indentation, a tab, or a missing quote or bracket"
        } else {
            "look for a wrong indentation, a tab, or a missing quote or bracket at or above it"
        };
        let message = format!("this is not YAML: {}", error.info());
        Fault::new(codes::BROKEN_YAML, place, message, help)
    }

    fn last_place(&self, event: &Option<Result<(Event<'_>, Span), ScanError>>) -> Place {
        match event {
            Some(Ok((_, span))) => self.place(*span),
            Some(Err(error)) => self.place(Span::empty(*error.marker())),
            None => Place { line: self.first_line, column: 1, length: 1 },
        }
    }
}

fn too_long(place: Place, limits: Limits) -> Box<Fault> {
    Fault::new(
        codes::DOCUMENT_TOO_LARGE,
        place,
        format!("more than {} characters in one bracket, text or comment", limits.flow_chars),
        "write it as strict JSON or as block YAML, or split the document with `---` lines",
    )
}

fn number(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

/// Ends the input when the scanner has read too far ahead of its events: inside brackets it keeps
/// every token until it knows that the whole is not a mapping's key, which takes memory without end.
struct Metered<'t, 'c> {
    input: StrInput<'t>,
    n_chars: &'c Cell<usize>,
    limit: usize,
}

impl Metered<'_, '_> {
    fn count(&self, n_chars: usize) {
        self.n_chars.set(self.n_chars.get() + n_chars);
    }

    fn is_over(&self) -> bool {
        self.n_chars.get() > self.limit
    }
}

impl Input for Metered<'_, '_> {
    fn lookahead(&mut self, count: usize) {
        self.input.lookahead(count);
    }

    fn buflen(&self) -> usize {
        self.input.buflen()
    }

    fn bufmaxlen(&self) -> usize {
        self.input.bufmaxlen()
    }

    fn buf_is_empty(&self) -> bool {
        self.input.buf_is_empty()
    }

    fn raw_read_ch(&mut self) -> char {
        self.count(1);
        if self.is_over() { '\0' } else { self.input.raw_read_ch() }
    }

    fn raw_read_non_breakz_ch(&mut self) -> Option<char> {
        self.count(1);
        if self.is_over() { None } else { self.input.raw_read_non_breakz_ch() }
    }

    fn skip(&mut self) {
        self.count(1);
        self.input.skip();
    }

    fn skip_n(&mut self, count: usize) {
        self.count(count);
        self.input.skip_n(count);
    }

    fn peek(&self) -> char {
        if self.is_over() { '\0' } else { self.input.peek() }
    }

    fn peek_nth(&self, n: usize) -> char {
        if self.is_over() { '\0' } else { self.input.peek_nth(n) }
    }

    fn peek_opt(&self) -> Option<char> {
        if self.is_over() { None } else { self.input.peek_opt() }
    }

    fn skip_while_non_breakz(&mut self) -> usize {
        let n_chars = self.input.skip_while_non_breakz();
        self.count(n_chars);
        n_chars
    }

    fn skip_while_blank(&mut self) -> usize {
        let n_chars = self.input.skip_while_blank();
        self.count(n_chars);
        n_chars
    }

    fn fetch_while_is_alpha(&mut self, out: &mut String) -> usize {
        let n_chars = self.input.fetch_while_is_alpha(out);
        self.count(n_chars);
        n_chars
    }

    fn fetch_while_is_yaml_non_space(&mut self, out: &mut String) -> usize {
        let n_chars = self.input.fetch_while_is_yaml_non_space(out);
        self.count(n_chars);
        n_chars
    }
}
