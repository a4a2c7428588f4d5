//! Hubble's JSON: `GetFlowsResponse` in the JSON mapping of proto3, one object in a line.
//!
//! What reads `hubble observe -o jsonpb` reads what is written here, and what others wrote in that format
//! is read as far as a flow can hold it. What Hubble has no field for is under `extensions`, so that our
//! own flows come back whole. Lost reports are a line of their own before the flow, as Hubble writes them.

mod message;
mod read;
mod reasons;
mod rest;
#[cfg(test)]
mod tests;
mod write;

use crate::lines::{Lines, Problem, ReadError};
use flow_model::Flow;
use std::collections::BTreeMap;
use std::io::{self, BufRead, Write};

/// What a line holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    Flow(Box<Flow>),
    Lost {
        node: String,
        count: u64,
    },
    /// Something that is no flow of a connection, and what it is.
    Other(&'static str),
}

/// What an input holds. Lines that are no flows are told, so that they can be counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading {
    Flow(Box<Flow>),
    Skipped { line: u64, what: &'static str },
}

pub fn write(out: &mut dyn Write, flow: &Flow) -> io::Result<()> {
    write::write(out, flow)
}

pub fn read_line(line: &[u8]) -> Result<Line, Problem> {
    read::read_line(line)
}

/// The flows of a whole input, each with what its node had lost before it.
pub struct Reader<'a> {
    lines: Lines<'a>,
    lost: BTreeMap<String, u64>,
}

impl<'a> Reader<'a> {
    pub fn new(input: &'a mut dyn BufRead) -> Self {
        Self { lines: Lines::new(input), lost: BTreeMap::new() }
    }

    /// Reports that were lost, by node, and that no flow has followed yet.
    pub fn lost(&self) -> &BTreeMap<String, u64> {
        &self.lost
    }

    fn reading(&mut self, line: Line) -> Option<Reading> {
        match line {
            Line::Flow(mut flow) => {
                let lost = self.lost.remove(flow.observer.node.as_ref()).unwrap_or_default();
                flow.lost_before = flow.lost_before.saturating_add(lost);
                Some(Reading::Flow(flow))
            }
            Line::Lost { node, count } => {
                let lost = self.lost.entry(node).or_default();
                *lost = lost.saturating_add(count);
                None
            }
            Line::Other(what) => Some(Reading::Skipped { line: self.lines.line(), what }),
        }
    }
}

impl Iterator for Reader<'_> {
    type Item = Result<Reading, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.lines.next(&mut read_line)? {
                Ok(line) => {
                    if let Some(reading) = self.reading(line) {
                        return Some(Ok(reading));
                    }
                }
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

impl std::fmt::Debug for Reader<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").field("lost", &self.lost).finish_non_exhaustive()
    }
}
