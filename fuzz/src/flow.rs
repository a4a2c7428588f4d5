//! Bytes of recorded flows: read as our JSON and as Hubble's, and what was read written again.

use flow_formats::hubble::Reading;
use flow_formats::{hubble, json, text};
use flow_model::Flow;
use safe_output::{Palette, is_hidden};

pub fn flow(bytes: &[u8]) {
    flows_of(bytes);
}

/// What our own reader and the reader of Hubble's JSON took from the lines.
pub fn flows_of(bytes: &[u8]) -> (Vec<Flow>, Vec<Flow>) {
    (ours(bytes), hubbles(bytes))
}

fn ours(mut bytes: &[u8]) -> Vec<Flow> {
    let flows: Vec<Flow> = json::Reader::new(&mut bytes).filter_map(Result::ok).collect();
    for flow in &flows {
        is_a_line(flow);
        let mut line = Vec::new();
        assert!(json::write(&mut line, flow).is_ok());
        assert_eq!(json::read_line(&line).ok().as_ref(), Some(flow), "another flow came back");
    }
    flows
}

fn hubbles(mut bytes: &[u8]) -> Vec<Flow> {
    let readings = hubble::Reader::new(&mut bytes).filter_map(Result::ok);
    let flows = readings.filter_map(|reading| match reading {
        Reading::Flow(flow) => Some(*flow),
        Reading::Skipped { line, what } => {
            assert!(line > 0 && !what.is_empty());
            None
        }
    });
    let flows: Vec<Flow> = flows.collect();
    for flow in &flows {
        is_a_line(flow);
        let mut lines = Vec::new();
        assert!(hubble::write(&mut lines, flow).is_ok());
        let mut lines = lines.as_slice();
        let again: Vec<Option<Reading>> = hubble::Reader::new(&mut lines).map(Result::ok).collect();
        let expected = Reading::Flow(Box::new(flow.clone()));
        assert_eq!(again, [Some(expected)], "another flow came back");
    }
    flows
}

/// A person sees one line, and nothing that hides or reorders it.
fn is_a_line(flow: &Flow) {
    let mut line = Vec::new();
    assert!(text::write(&mut line, flow, Palette::Plain).is_ok());
    let line = String::from_utf8_lossy(&line);
    let line = line.strip_suffix('\n');
    assert!(line.is_some_and(|line| !line.contains(is_hidden)), "{line:?}");
}
