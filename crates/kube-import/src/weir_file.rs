//! Documents of `weir.dev` among the others of a file: found by kind, and read strictly.

use crate::codes;
use crate::document::{
    self, Decoder, Document, Fault, Fields, Keep, Limits, Node, Shape, Value, did_you_mean,
};
use finding_model::{FileId, Finding};

const API_VERSION: &str = "weir.dev/v1alpha1";
const GROUP: &str = "weir.dev/";

/// What a document of `weir.dev` may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    PolicyTest,
    Scenario,
}

const KINDS: [Kind; 2] = [Kind::PolicyTest, Kind::Scenario];

const METADATA: Shape = Shape {
    name: "the metadata",
    fields: &[("name", "the document would have no name"), ("labels", ""), ("annotations", "")],
};

impl Kind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::PolicyTest => "PolicyTest",
            Self::Scenario => "Scenario",
        }
    }
}

/// What `lower` makes of the documents of one kind, and everything that is wrong with them and with
/// documents that could not be read at all. What has an error is not in the result.
pub(crate) fn read<T>(
    (file, text): (FileId, &str),
    limits: Limits,
    kind: Kind,
    lower: impl Fn(&mut Decoder, &Node<'_>) -> Option<T>,
) -> (Vec<T>, Vec<Finding>) {
    let mut read = Vec::new();
    let mut findings = Vec::new();
    for segment in document::split(text) {
        match document::parse(segment, limits, Keep::Everything) {
            Err(fault) => findings.extend(of_faults(file, vec![*fault])),
            Ok(Document { root: None, faults: _ }) => {}
            Ok(Document { root: Some(root), faults }) => {
                let items = nodes(&root, kind);
                if !items.is_empty() {
                    findings.extend(of_faults(file, faults));
                }
                for item in items {
                    let mut decoder = Decoder::of_weir(file);
                    let lowered = of_kind(&mut decoder, item, kind, &lower);
                    if decoder.n_errors() == 0 {
                        read.extend(lowered);
                    }
                    findings.extend(decoder.into_findings());
                }
            }
        }
    }
    (read, findings)
}

fn of_kind<T>(
    decoder: &mut Decoder,
    node: &Node<'_>,
    kind: Kind,
    lower: impl Fn(&mut Decoder, &Node<'_>) -> Option<T>,
) -> Option<T> {
    let name = node.child("metadata").and_then(|metadata| text_of(metadata, "name"));
    decoder.set_object(Some(format!("{} {}", kind.as_str(), name.unwrap_or("without a name"))));
    is_this_version(decoder, node, kind)?;
    lower(decoder, node)
}

fn of_faults(file: FileId, faults: Vec<Fault>) -> Vec<Finding> {
    let mut decoder = Decoder::of_weir(file);
    faults.into_iter().for_each(|fault| decoder.fault(fault));
    decoder.into_findings()
}

/// The document itself or the items of a list, as far as they are meant to be of the kind. What is
/// plainly of another kind is left to whoever reads that one.
fn nodes<'n, 't>(root: &'n Node<'t>, kind: Kind) -> Vec<&'n Node<'t>> {
    let text = |node: &'n Node<'t>, field| node.child(field).and_then(Node::text);
    let is_meant = |node: &&Node<'_>| {
        let written = text_of(node, "kind");
        let is_other = KINDS.iter().any(|other| *other != kind && written == Some(other.as_str()));
        written == Some(kind.as_str())
            || !is_other
                && text_of(node, "apiVersion").is_some_and(|version| version.starts_with(GROUP))
    };
    let items = root.child("items").filter(|_| text(root, "kind") == Some("List"));
    match items.map(|items| &items.value) {
        Some(Value::Sequence(items)) => items.iter().filter(is_meant).collect(),
        Some(_) | None => Some(root).into_iter().filter(is_meant).collect(),
    }
}

fn text_of<'n>(node: &'n Node<'_>, field: &str) -> Option<&'n str> {
    node.child(field).and_then(Node::text)
}

/// Another version of the format may mean something else by the same words, so it is not read.
fn is_this_version(decoder: &mut Decoder, node: &Node<'_>, wanted: Kind) -> Option<()> {
    let kind = node.child("kind");
    if let Some(kind) = kind
        && kind.text() != Some(wanted.as_str())
    {
        let written = kind.text().unwrap_or_default();
        let help = match did_you_mean(written, KINDS.iter().map(|kind| kind.as_str())) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the kind of {API_VERSION} is `{}`", wanted.as_str()),
        };
        let message = format!("{API_VERSION} has no kind `{written}`");
        decoder.error(codes::UNKNOWN_KIND, kind.place, message, help);
        return None;
    }
    let version = node.child("apiVersion");
    if let Some(version) = version
        && version.text() != Some(API_VERSION)
    {
        let written = version.text().unwrap_or_default();
        let message = format!("{} is not read in `{written}`", wanted.as_str());
        let help = format!("write `apiVersion: {API_VERSION}`");
        decoder.error(codes::UNSUPPORTED_VERSION, version.place, message, help);
        return None;
    }
    for (field, found) in [("apiVersion", version), ("kind", kind)] {
        if found.is_none() {
            let message = format!("the document has no `{field}`");
            decoder.error(codes::MISSING_FIELD, node.place, message, format!("add `{field}`"));
            return None;
        }
    }
    Some(())
}

/// The name in `metadata`.
pub(crate) fn name(decoder: &mut Decoder, object: &Fields<'_, '_>) -> Option<String> {
    let metadata = object.required(decoder, "metadata")?;
    let metadata = decoder.strict(metadata, &METADATA)?;
    let name = metadata.required(decoder, "name")?;
    text(decoder, name)
}

/// A text that is not empty.
pub(crate) fn text(decoder: &mut Decoder, node: &Node<'_>) -> Option<String> {
    let text = decoder.string(node)?;
    if text.trim().is_empty() {
        decoder.error(codes::BAD_VALUE, node.place, "the text is empty", "write something");
        return None;
    }
    Some(text.to_owned())
}

/// A text that may be left away: `Some(None)` where it is.
#[expect(clippy::option_option, reason = "the outer one is whether it could be read")]
pub(crate) fn optional_text(
    decoder: &mut Decoder,
    fields: &Fields<'_, '_>,
    name: &str,
) -> Option<Option<String>> {
    match fields.field(name) {
        Some(node) => text(decoder, node).map(Some),
        None => Some(None),
    }
}
