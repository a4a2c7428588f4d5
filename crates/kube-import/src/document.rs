//! Text to trees with places, and the decoder that reads them strictly.
//!
//! Knows YAML, JSON and the art of saying what is wrong; knows no Kubernetes kind.

mod decode;
mod fault;
mod json;
mod node;
mod scalar;
mod split;
mod tree;
mod yaml;

pub(crate) use decode::listed;
pub use decode::{Decoder, Field, Fields, Shape, did_you_mean};
pub use fault::Fault;
pub use node::{Entry, Key, Node, Place, Style, Value};
pub use split::{Segment, split};
pub(crate) use split::{line_end, n_breaks};
pub use tree::{Keep, Limits};

/// A document that could be read as YAML or JSON.
#[derive(Debug)]
pub struct Document<'t> {
    /// `None` for an empty document.
    pub root: Option<Node<'t>>,
    /// Duplicate keys (errors) and unknown tags (warnings): the tree is there, but not to be trusted
    /// where they stand.
    pub faults: Vec<Fault>,
}

/// Reads one document.
pub fn parse<'t>(
    segment: Segment<'t>,
    limits: Limits,
    keep: Keep,
) -> Result<Document<'t>, Box<Fault>> {
    let (text, first_line) = json_part(segment);
    if text.trim_start_matches([' ', '\t', '\r', '\n']).starts_with(['{', '[']) {
        match json::parse(text, first_line, limits, keep) {
            Ok(tree) => return Ok(Document { root: tree.root, faults: tree.faults }),
            Err(json::NotRead::Fault(fault)) => return Err(fault),
            Err(json::NotRead::NotJson) => {}
        }
    }
    let tree = yaml::parse(segment.text, segment.first_line, limits, keep)?;
    Ok(Document { root: tree.root.filter(|root| !root.is_null()), faults: tree.faults })
}

/// The segment after a `---` line and without a `...` line, as JSON knows neither.
fn json_part(segment: Segment<'_>) -> (&str, u32) {
    let Segment { text, first_line } = segment;
    let end = line_end(text.as_bytes(), 0);
    let body = match text.get(..end).map(str::trim_end) {
        Some("---") => text.get(end..).unwrap_or_default(),
        _ => return (without_end(text), first_line),
    };
    (without_end(body), first_line.saturating_add(1))
}

fn without_end(text: &str) -> &str {
    text.trim_end().strip_suffix("\n...").unwrap_or(text)
}
