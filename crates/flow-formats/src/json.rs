//! Our own JSON: `weir.dev/v1alpha1` `Flow`, one object in a line.
//!
//! Unknown fields are skipped, so that older programs read what newer ones write; another `apiVersion` or
//! `kind` is refused, because its fields may mean something else.

use crate::lines::{Lines, Problem, ReadError};
use crate::record::FlowLine;
use flow_model::Flow;
use safe_output::json::{API_VERSION, write_line};
use serde::Deserialize;
use std::borrow::Cow;
use std::io::{self, BufRead, Write};

pub fn write(out: &mut dyn Write, flow: &Flow) -> io::Result<()> {
    write_line(out, &FlowLine::of(flow))
}

/// The flow of one line.
pub fn read_line(line: &[u8]) -> Result<Flow, Problem> {
    // The derived reader would take an array for the fields in their order.
    if !line.starts_with(b"{") {
        return Err(Problem::NoObject);
    }
    let record = serde_json::from_slice::<FlowLine<'_>>(line).map_err(|error| {
        // Fields of another version may look wrong; that it is another version is then what to say.
        match serde_json::from_slice::<Head<'_>>(line) {
            Ok(Head { api_version, kind }) => {
                is_ours(&api_version, &kind).err().unwrap_or(Problem::Json(error))
            }
            Err(_) => Problem::Json(error),
        }
    })?;
    is_ours(&record.api_version, &record.kind)?;
    record.read()
}

/// The flows of a whole input. A bad line is an error, and the lines behind it are read.
pub struct Reader<'a>(Lines<'a>);

impl<'a> Reader<'a> {
    pub fn new(input: &'a mut dyn BufRead) -> Self {
        Self(Lines::new(input))
    }
}

impl Iterator for Reader<'_> {
    type Item = Result<Flow, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next(&mut read_line)
    }
}

impl std::fmt::Debug for Reader<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head<'a> {
    #[serde(borrow)]
    api_version: Cow<'a, str>,
    #[serde(borrow)]
    kind: Cow<'a, str>,
}

fn is_ours(api_version: &str, kind: &str) -> Result<(), Problem> {
    if api_version == API_VERSION && kind == FlowLine::KIND {
        return Ok(());
    }
    Err(Problem::OtherFormat { api_version: api_version.to_owned(), kind: kind.to_owned() })
}

#[cfg(test)]
mod tests;
