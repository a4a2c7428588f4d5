//! Generators of traffic.

use super::{number, peer, tried_port};
use crate::codes;
use crate::document::{Decoder, Node, Shape};
use crate::weir_file::optional_text;
use lab_scenario::{Promise, Traffic, TrafficKind};
use net_types::Protocol;
use question_syntax::PortArgument;

const TRAFFIC: Shape = Shape {
    name: "traffic",
    fields: &[
        ("name", "it would be called by its connection"),
        ("from", "nobody would connect"),
        ("to", "nobody would be connected to"),
        ("port", "nothing would be connected to"),
        ("perSecond", "it would be tried ten times a second"),
        ("connection", "each attempt would be a new connection"),
        ("expect", "whatever happened would do"),
    ],
};
const KINDS: [(&str, TrafficKind); 2] = [("new", TrafficKind::New), ("kept", TrafficKind::Kept)];
const PROMISES: [(&str, Promise); 2] =
    [("neverAllowed", Promise::NeverAllowed), ("neverBroken", Promise::NeverBroken)];
const PER_SECOND: u16 = 10;
const MOST_PER_SECOND: u16 = 1000;

pub(super) fn traffic(decoder: &mut Decoder, node: &Node<'_>) -> Option<Traffic> {
    let fields = decoder.strict(node, &TRAFFIC)?;
    let name = optional_text(decoder, &fields, "name");
    let [from, to] = ["from", "to"].map(|name| {
        let node = fields.required(decoder, name);
        node.and_then(|node| peer(decoder, node))
    });
    let per_second = match fields.field("perSecond") {
        Some(node) => number(decoder, node, MOST_PER_SECOND),
        None => Some(PER_SECOND),
    };
    let kind = match fields.field("connection") {
        Some(node) => decoder.word(node, codes::BAD_VALUE, &KINDS),
        None => Some(TrafficKind::default()),
    };
    let promise = match fields.field("expect") {
        Some(node) => decoder.word(node, codes::BAD_VALUE, &PROMISES).map(Some),
        None => Some(None),
    };
    let node_of_port = fields.required(decoder, "port")?;
    let port = tried_port(decoder, node_of_port)?;
    let is_tcp = matches!(port, PortArgument::Number { protocol: Protocol::Tcp, .. });
    if kind == Some(TrafficKind::Kept) && !is_tcp {
        let message = format!("{port} has no connection that could be kept");
        let help = "name a TCP port, or leave `connection` away";
        decoder.error(codes::BAD_VALUE, node_of_port.place, message, help);
        return None;
    }
    Some(Traffic {
        name: name?,
        from: from?,
        to: to?,
        port,
        per_second: per_second?,
        kind: kind?,
        promise: promise?,
        span: decoder.span(node.place),
    })
}
