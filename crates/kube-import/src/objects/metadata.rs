//! `metadata`, and the label selectors that read its labels.

use crate::codes;
use crate::document::{Decoder, Entry, Field, Fields, Node, Place, Shape, Value, did_you_mean};
use crate::names;
use policy_model::{LabelSelector, Labels, Operator, Requirement};
use std::collections::BTreeSet;

#[derive(Debug)]
pub(crate) struct Metadata {
    pub name: String,
    /// `None` where it is not written.
    pub namespace: Option<String>,
    pub labels: Labels,
    pub controller: Option<OwnerRef>,
}

/// The owner that controls an object.
#[derive(Clone, Debug)]
pub(crate) struct OwnerRef {
    pub kind: String,
    pub name: String,
}

/// Whether unknown fields are errors, as they are in policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strictness {
    Strict,
    Lenient,
}

static METADATA: Shape = Shape {
    name: "metadata",
    fields: &[
        ("name", "the object would have no name"),
        ("namespace", "the policy would apply in the namespace `default`"),
        ("labels", ""),
        ("annotations", ""),
        ("generateName", ""),
        ("ownerReferences", ""),
        ("finalizers", ""),
        ("managedFields", ""),
        ("uid", ""),
        ("resourceVersion", ""),
        ("generation", ""),
        ("creationTimestamp", ""),
        ("deletionTimestamp", ""),
        ("deletionGracePeriodSeconds", ""),
        ("selfLink", ""),
    ],
};

/// Reads `metadata`; `None` where the object has no name that could be used.
pub(crate) fn metadata(
    decoder: &mut Decoder,
    object: &Fields<'_, '_>,
    strictness: Strictness,
) -> Option<Metadata> {
    let node = object.required(decoder, "metadata")?;
    let fields = match strictness {
        Strictness::Strict => decoder.strict(node, &METADATA),
        Strictness::Lenient => decoder.lenient(node, METADATA.name),
    }?;
    let namespace = match fields.field("namespace") {
        // An empty namespace is as good as none.
        Some(node) if node.text() == Some("") => None,
        Some(node) => Some(names::namespace(decoder, node)?),
        None => None,
    };
    let labels = labels(decoder, &fields);
    if strictness == Strictness::Strict
        && let Some(node) = fields.field("annotations")
    {
        string_map(decoder, node, "annotations");
    }
    let controller = controller(decoder, &fields);
    let Some(name) = fields.field("name") else {
        let help = match fields.field("generateName") {
            Some(_) => "give it a fixed name: `generateName` makes another object each time",
            None => "add `name`",
        };
        decoder.error(codes::MISSING_FIELD, fields.place, "the object has no name", help);
        return None;
    };
    let name = names::name(decoder, name)?;
    Some(Metadata { name, namespace, labels, controller })
}

/// `labels` of a `metadata` mapping.
pub(crate) fn labels(decoder: &mut Decoder, metadata: &Fields<'_, '_>) -> Labels {
    let Some(node) = metadata.field("labels") else { return Labels::default() };
    label_pairs(decoder, node, "labels").into_iter().collect()
}

fn label_pairs(
    decoder: &mut Decoder,
    node: &Node<'_>,
    name: &'static str,
) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    for entry in string_map(decoder, node, name) {
        names::check_label_key(decoder, &entry.key.text, entry.key.place);
        let value = match &entry.value.value {
            Value::Text { text, .. } => text.as_ref(),
            // Null is read as the empty string.
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::Sequence(_)
            | Value::Mapping(_) => "",
        };
        names::check_label_value(decoder, value, entry.value.place);
        pairs.push((entry.key.text.as_ref().to_owned(), value.to_owned()));
    }
    pairs
}

/// Entries of a mapping of strings, those with other values reported and left out.
fn string_map<'n, 't>(
    decoder: &mut Decoder,
    node: &'n Node<'t>,
    name: &'static str,
) -> Vec<&'n Entry<'t>> {
    let Some(fields) = decoder.lenient(node, name) else { return Vec::new() };
    let mut entries = Vec::with_capacity(fields.entries().len());
    for entry in fields.entries() {
        decoder.check_style(&entry.key.text, entry.key.style, entry.key.place);
        if entry.value.is_null() || decoder.string(&entry.value).is_some() {
            entries.push(entry);
        }
    }
    entries
}

fn controller(decoder: &mut Decoder, metadata: &Fields<'_, '_>) -> Option<OwnerRef> {
    let owners = decoder.sequence(metadata.field("ownerReferences")?)?;
    for owner in owners {
        let fields = decoder.lenient(owner, "an owner reference")?;
        let is_controller = match fields.field("controller") {
            Some(node) => decoder.boolean(node)?,
            None => false,
        };
        if is_controller {
            let kind = fields.required(decoder, "kind")?;
            let name = fields.required(decoder, "name")?;
            let kind = decoder.string(kind)?.to_owned();
            return Some(OwnerRef { kind, name: decoder.string(name)?.to_owned() });
        }
    }
    None
}

const ALL: Field = ("matchLabels", "the selector would select everything");
static SELECTOR: Shape = Shape {
    name: "a label selector",
    fields: &[ALL, ("matchExpressions", "the selector would select everything")],
};
static REQUIREMENT: Shape = Shape {
    name: "a selector's expression",
    fields: &[
        ("key", "the expression would have no key"),
        ("operator", "the expression would have no operator"),
        ("values", "the expression would have no values"),
    ],
};

/// A `metav1.LabelSelector`.
pub(crate) fn selector(decoder: &mut Decoder, node: &Node<'_>) -> Option<LabelSelector> {
    let fields = decoder.strict(node, &SELECTOR)?;
    let mut requirements = Vec::new();
    if let Some(node) = fields.field("matchLabels") {
        for (key, value) in label_pairs(decoder, node, "matchLabels") {
            requirements.push(Requirement::equals(key, value));
        }
    }
    if let Some(node) = fields.field("matchExpressions") {
        let items = decoder.sequence(node)?;
        requirements.extend(decoder.all(items, requirement)?);
    }
    Some(requirements.into_iter().collect())
}

fn requirement(decoder: &mut Decoder, node: &Node<'_>) -> Option<Requirement> {
    let fields = decoder.strict(node, &REQUIREMENT)?;
    let key_node = fields.required(decoder, "key")?;
    let key = decoder.string(key_node)?.to_owned();
    names::check_label_key(decoder, &key, key_node.place);
    let operator_node = fields.required(decoder, "operator")?;
    let operator = decoder.string(operator_node)?;
    let values = expression_values(decoder, &fields)?;
    let operator = match operator {
        "In" | "NotIn" if values.is_empty() => {
            decoder.error(
                codes::BAD_OPERATOR,
                fields.place,
                format!("`{operator}` without `values`"),
                "list at least one value, or use `Exists` or `DoesNotExist`",
            );
            return None;
        }
        "Exists" | "DoesNotExist" if !values.is_empty() => {
            decoder.error(
                codes::BAD_OPERATOR,
                fields.place,
                format!("`{operator}` with `values`"),
                "remove `values`, or use `In` or `NotIn`",
            );
            return None;
        }
        "In" => Operator::In(values),
        "NotIn" => Operator::NotIn(values),
        "Exists" => Operator::Exists,
        "DoesNotExist" => Operator::DoesNotExist,
        other => {
            bad_operator(decoder, other, operator_node.place);
            return None;
        }
    };
    Some(Requirement { key, operator })
}

fn bad_operator(decoder: &mut Decoder, written: &str, place: Place) {
    let help = match did_you_mean(written, ["In", "NotIn", "Exists", "DoesNotExist"].into_iter()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "write `In`, `NotIn`, `Exists` or `DoesNotExist`".to_owned(),
    };
    decoder.error(codes::BAD_OPERATOR, place, format!("`{written}` is no operator"), help);
}

fn expression_values(decoder: &mut Decoder, fields: &Fields<'_, '_>) -> Option<BTreeSet<String>> {
    let Some(node) = fields.field("values") else { return Some(BTreeSet::new()) };
    let items = decoder.sequence(node)?;
    let values = decoder.all(items, |decoder, item| {
        let value = decoder.string(item)?;
        names::check_label_value(decoder, value, item.place);
        Some(value.to_owned())
    })?;
    Some(values.into_iter().collect())
}
