//! Reads scenarios of a lab: the documents of kind `Scenario` of a file, strictly.
//!
//! `docs/design/scenario.md` describes the format. Whatever else the file holds are manifests or tests.
//! A scenario with an error is not in the result.

mod steps;
mod traffic;

use crate::codes;
use crate::document::{Decoder, Fields, Limits, Node, Shape, Value};
use crate::test_file::port;
use crate::weir_file::{self, Kind, text};
use finding_model::{FileId, Finding};
use lab_scenario::{LabOptions, Manifests, Question, Reading, Scenario};
use question_syntax::{PeerArgument, PortArgument};
use std::net::IpAddr;

const OBJECT: Shape = Shape {
    name: "a Scenario",
    fields: &[
        ("apiVersion", ""),
        ("kind", ""),
        ("metadata", "the scenario would have no name"),
        ("spec", "the scenario would do nothing"),
    ],
};
const SPEC: Shape = Shape {
    name: "a Scenario's spec",
    fields: &[
        ("manifests", "the lab would be made of what the command line names, and nothing else"),
        ("lab", "the lab would be made as `weir lab up` makes it"),
        ("traffic", "nothing would run beside the steps"),
        ("steps", "nothing would be done"),
    ],
};
const LAB: Shape = Shape {
    name: "`lab`",
    fields: &[
        ("nodes", "there would be as many nodes as the manifests name"),
        ("replicas", "workloads would have at most two pods"),
        ("external", "there would be no peers outside"),
        ("profile", "the profile would be `upstream`"),
        ("observe", "policies would be enforced"),
        ("failOpenStart", "a pod without policies yet would pass nothing"),
        ("keepEstablished", "connections that a change denies would be cut"),
    ],
};
const INLINE: Shape =
    Shape { name: "inline manifests", fields: &[("inline", "there would be no manifests")] };
const READINGS: [(&str, Reading); 2] =
    [("upstream", Reading::Upstream), ("cilium", Reading::Cilium)];

/// The scenarios of one file, and everything that is wrong with them and with documents that could not
/// be read at all. Never panics, whatever the text.
pub fn read_scenarios(file: FileId, text: &str, limits: Limits) -> (Vec<Scenario>, Vec<Finding>) {
    weir_file::read((file, text), limits, Kind::Scenario, lower)
}

fn lower(decoder: &mut Decoder, node: &Node<'_>) -> Option<Scenario> {
    let object = decoder.strict(node, &OBJECT)?;
    let name = weir_file::name(decoder, &object);
    let spec = object.required(decoder, "spec")?;
    let spec = decoder.strict(spec, &SPEC)?;
    let manifests = match spec.field("manifests") {
        Some(node) => manifests(decoder, node),
        None => Some(Vec::new()),
    };
    let lab = match spec.field("lab") {
        Some(node) => lab(decoder, node),
        None => Some(LabOptions::default()),
    };
    let traffic = match spec.field("traffic") {
        Some(node) => decoder.sequence(node).and_then(|items| decoder.all(items, traffic::traffic)),
        None => Some(Vec::new()),
    };
    let list = spec.required(decoder, "steps")?;
    let items = decoder.sequence(list)?;
    if items.is_empty() {
        decoder.error(codes::EMPTY_LIST, list.place, "there are no steps", "add a step");
        return None;
    }
    let steps = decoder.all(items, steps::step);
    let span = decoder.span(object.place);
    Some(Scenario {
        name: name?,
        span,
        manifests: manifests?,
        lab: lab?,
        traffic: traffic?,
        steps: steps?,
    })
}

fn lab(decoder: &mut Decoder, node: &Node<'_>) -> Option<LabOptions> {
    let fields = decoder.strict(node, &LAB)?;
    let profile = match fields.field("profile") {
        Some(node) => decoder.word(node, codes::BAD_VALUE, &READINGS),
        None => Some(Reading::default()),
    };
    let external = match fields.field("external") {
        Some(node) => one_or_more(decoder, node, address),
        None => Some(Vec::new()),
    };
    let number = |decoder: &mut Decoder, name, most| {
        fields
            .field(name)
            .map(|node| number(decoder, node, most))
            .map_or(Ok(None), |read| read.map(Some).ok_or(()))
    };
    let (nodes, replicas) = (number(decoder, "nodes", 250), number(decoder, "replicas", 65_535));
    let flag = |decoder: &mut Decoder, name| match fields.field(name) {
        Some(node) => decoder.boolean(node),
        None => Some(false),
    };
    let observe = flag(decoder, "observe");
    let fail_open_start = flag(decoder, "failOpenStart");
    let keep_established = flag(decoder, "keepEstablished");
    Some(LabOptions {
        nodes: nodes.ok()?,
        replicas: replicas.ok()?,
        external: external?,
        profile: profile?,
        observe: observe?,
        fail_open_start: fail_open_start?,
        keep_established: keep_established?,
    })
}

fn address(decoder: &mut Decoder, node: &Node<'_>) -> Option<IpAddr> {
    let written = text(decoder, node)?;
    let address = written.parse().ok();
    if address.is_none() {
        let message = format!("`{written}` is no address");
        decoder.error(codes::BAD_ADDRESS, node.place, message, "write one, as 203.0.113.9");
    }
    address
}

/// From 1 to `most`.
fn number(decoder: &mut Decoder, node: &Node<'_>, most: u16) -> Option<u16> {
    let written = decoder.integer(node)?;
    let number = u16::try_from(written).ok().filter(|number| (1..=most).contains(number));
    if number.is_none() {
        let message = format!("{written} is not 1 to {most}");
        decoder.error(codes::BAD_VALUE, node.place, message, "write a number in between");
    }
    number
}

/// A list, or one item for a list of one. Not empty.
fn one_or_more<T>(
    decoder: &mut Decoder,
    node: &Node<'_>,
    read: impl FnMut(&mut Decoder, &Node<'_>) -> Option<T>,
) -> Option<Vec<T>> {
    let items = match &node.value {
        Value::Sequence(items) => items.as_slice(),
        Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::Text { .. }
        | Value::Mapping(_) => std::slice::from_ref(node),
    };
    if items.is_empty() {
        decoder.error(codes::EMPTY_LIST, node.place, "the list is empty", "list at least one");
        return None;
    }
    decoder.all(items, read)
}

/// Paths, and texts under `inline`.
fn manifests(decoder: &mut Decoder, node: &Node<'_>) -> Option<Vec<Manifests>> {
    one_or_more(decoder, node, |decoder, item| {
        let span = decoder.span(item.place);
        if let Value::Mapping(_) = &item.value {
            let fields = decoder.strict(item, &INLINE)?;
            let inline = fields.required(decoder, "inline")?;
            return Some(Manifests::Inline { text: text(decoder, inline)?, span });
        }
        let path = text(decoder, item)?;
        if path == "-" {
            let message = "a scenario cannot name standard input";
            let help = "write a path, or the manifests under `inline`";
            decoder.error(codes::BAD_VALUE, item.place, message, help);
            return None;
        }
        Some(Manifests::Path { path, span })
    })
}

fn peer(decoder: &mut Decoder, node: &Node<'_>) -> Option<PeerArgument> {
    let written = text(decoder, node)?;
    match written.parse() {
        Ok(peer) => Some(peer),
        Err(error) => {
            let error: question_syntax::PeerArgumentError = error;
            let help =
                "write `namespace/name`, `service/namespace/name`, `namespace/` or an address";
            decoder.error(codes::BAD_VALUE, node.place, error.to_string(), help);
            None
        }
    }
}

/// A number with its protocol: only such a port can be tried.
fn tried_port(decoder: &mut Decoder, node: &Node<'_>) -> Option<PortArgument> {
    let read = port(decoder, node)?;
    match read {
        PortArgument::Number { .. } => Some(read),
        PortArgument::All | PortArgument::Named { .. } | PortArgument::Portless(_) => {
            let message = format!("`{read}` cannot be tried");
            decoder.error(
                codes::BAD_PORT,
                node.place,
                message,
                "write a number, as 8080 or 53/udp",
            );
            None
        }
    }
}

/// `from`, `to` and `port` of a mapping that was checked for other fields before.
fn question(decoder: &mut Decoder, fields: &Fields<'_, '_>) -> Option<Question> {
    let end = |decoder: &mut Decoder, name| match fields.field(name) {
        Some(node) => peer(decoder, node).map(Some).ok_or(()),
        None => Ok(None),
    };
    let (from, to) = (end(decoder, "from"), end(decoder, "to"));
    let port = match fields.field("port") {
        Some(node) => tried_port(decoder, node)?,
        None => PortArgument::All,
    };
    Some(Question { from: from.ok()?, to: to.ok()?, port })
}
