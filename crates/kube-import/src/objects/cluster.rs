//! Namespaces and nodes.

use super::Object;
use super::metadata::{Metadata, Strictness, metadata};
use super::pod::address;
use crate::codes;
use crate::document::{Decoder, Fields};
use crate::names;
use policy_model::{NAMESPACE_NAME_LABEL, Namespace, Node};
use std::net::IpAddr;

pub(super) fn lower_namespace(decoder: &mut Decoder, object: &Fields<'_, '_>) -> Option<Object> {
    let Metadata { name, namespace: _, mut labels, controller: _ } =
        metadata(decoder, object, Strictness::Lenient)?;
    if !names::is_dns_label(&name) {
        let message = format!("`{name}` is no namespace name");
        let help = "a namespace has up to 63 lower-case letters, digits and inner `-`";
        decoder.error(codes::BAD_NAME, object.place, message, help);
        return None;
    }
    if let Some(written) = labels.value(NAMESPACE_NAME_LABEL).filter(|written| *written != name) {
        let message = format!("the label `{NAMESPACE_NAME_LABEL}` is `{written}`, not `{name}`");
        let finding = decoder.warning(
            codes::NAMESPACE_LABEL_OVERWRITTEN,
            object.place,
            message,
            "remove the label: the API server sets it",
        );
        finding.why = Some(format!("the API server sets it to `{name}`, which is used here too"));
    }
    labels.0.insert(NAMESPACE_NAME_LABEL.to_owned(), name.clone());
    Some(Object::Namespace(Namespace { name, labels, span: Some(decoder.span(object.place)) }))
}

pub(super) fn lower_node(decoder: &mut Decoder, object: &Fields<'_, '_>) -> Option<Object> {
    let Metadata { name, namespace: _, labels, controller: _ } =
        metadata(decoder, object, Strictness::Lenient)?;
    let addresses = addresses(decoder, object)?;
    Some(Object::Node(Node { name, labels, addresses, span: Some(decoder.span(object.place)) }))
}

/// `status.addresses` of the types `InternalIP` and `ExternalIP`; the others are names.
fn addresses(decoder: &mut Decoder, object: &Fields<'_, '_>) -> Option<Vec<IpAddr>> {
    let mut addresses = Vec::new();
    let Some(status) = object.field("status") else { return Some(addresses) };
    let status = decoder.lenient(status, "status")?;
    let Some(list) = status.field("addresses") else { return Some(addresses) };
    for item in decoder.sequence(list)? {
        let fields = decoder.lenient(item, "a node address")?;
        let kind = fields.required(decoder, "type")?;
        if matches!(decoder.string(kind)?, "InternalIP" | "ExternalIP") {
            let node = fields.required(decoder, "address")?;
            addresses.extend(address(decoder, node)?);
        }
    }
    addresses.sort_unstable();
    addresses.dedup();
    Some(addresses)
}
