//! Reads policy tests: the documents of kind `PolicyTest` of a file, strictly.
//!
//! `docs/design/policy-test.md` describes the format. Whatever else the file holds are manifests and is
//! left to [`import`](crate::import()). A test with an error is not in the result.

mod checks;
mod sets;

use crate::codes;
use crate::document::{
    self, Decoder, Document, Fault, Fields, Keep, Limits, Node, Shape, Value, did_you_mean,
};
use finding_model::{FileId, Finding};
use policy_assertions::{ManifestPath, PolicyTest, Semantics};

const API_VERSION: &str = "weir.dev/v1alpha1";
const GROUP: &str = "weir.dev/";
const KIND: &str = "PolicyTest";

const OBJECT: Shape = Shape {
    name: "a PolicyTest",
    fields: &[
        ("apiVersion", ""),
        ("kind", ""),
        ("metadata", "the test would have no name"),
        ("spec", "the test would say nothing"),
    ],
};
const METADATA: Shape = Shape {
    name: "a test's metadata",
    fields: &[("name", "the test would have no name"), ("labels", ""), ("annotations", "")],
};
const SPEC: Shape = Shape {
    name: "a PolicyTest's spec",
    fields: &[
        ("manifests", "the test would run against what the command line names, and nothing else"),
        ("profile", "the test would run under whatever profile the command line names"),
        ("cases", "the cases would not be checked"),
        ("assertions", "the assertions would not be checked"),
    ],
};
const PROFILES: [(&str, Semantics); 2] =
    [("upstream", Semantics::Upstream), ("cilium", Semantics::Cilium)];

/// The tests of one file, and everything that is wrong with them and with documents that could not be
/// read at all. Never panics, whatever the text.
pub fn read_tests(file: FileId, text: &str, limits: Limits) -> (Vec<PolicyTest>, Vec<Finding>) {
    let mut tests = Vec::new();
    let mut findings = Vec::new();
    for segment in document::split(text) {
        match document::parse(segment, limits, Keep::Everything) {
            Err(fault) => findings.extend(of_faults(file, vec![*fault])),
            Ok(Document { root: None, faults: _ }) => {}
            Ok(Document { root: Some(root), faults }) => {
                let items = test_nodes(&root);
                if !items.is_empty() {
                    findings.extend(of_faults(file, faults));
                }
                for item in items {
                    let mut decoder = Decoder::of_weir(file);
                    let test = lower(&mut decoder, item);
                    if decoder.n_errors() == 0 {
                        tests.extend(test);
                    }
                    findings.extend(decoder.into_findings());
                }
            }
        }
    }
    (tests, findings)
}

fn of_faults(file: FileId, faults: Vec<Fault>) -> Vec<Finding> {
    let mut decoder = Decoder::of_weir(file);
    faults.into_iter().for_each(|fault| decoder.fault(fault));
    decoder.into_findings()
}

/// The document itself or the items of a list, as far as they are meant to be tests.
fn test_nodes<'n, 't>(root: &'n Node<'t>) -> Vec<&'n Node<'t>> {
    let text = |node: &'n Node<'t>, field| node.child(field).and_then(Node::text);
    let is_test = |node: &&Node<'_>| {
        text_of(node, "kind") == Some(KIND)
            || text_of(node, "apiVersion").is_some_and(|version| version.starts_with(GROUP))
    };
    let items = root.child("items").filter(|_| text(root, "kind") == Some("List"));
    match items.map(|items| &items.value) {
        Some(Value::Sequence(items)) => items.iter().filter(is_test).collect(),
        Some(_) | None => Some(root).into_iter().filter(is_test).collect(),
    }
}

fn text_of<'n>(node: &'n Node<'_>, field: &str) -> Option<&'n str> {
    node.child(field).and_then(Node::text)
}

fn lower(decoder: &mut Decoder, node: &Node<'_>) -> Option<PolicyTest> {
    let name = node.child("metadata").and_then(|metadata| text_of(metadata, "name"));
    decoder.set_object(Some(format!("{KIND} {}", name.unwrap_or("without a name"))));
    is_this_version(decoder, node)?;
    let object = decoder.strict(node, &OBJECT)?;
    let name = test_name(decoder, &object);
    let spec = object.required(decoder, "spec")?;
    let spec = decoder.strict(spec, &SPEC)?;
    let manifests = manifests(decoder, &spec);
    let profile = match spec.field("profile") {
        Some(node) => decoder.word(node, codes::BAD_VALUE, &PROFILES).map(Some),
        None => Some(None),
    };
    let cases = checks::cases(decoder, &spec);
    let assertions = checks::assertions(decoder, &spec);
    let (cases, assertions) = (cases?, assertions?);
    if cases.is_empty() && assertions.is_empty() {
        let message = "the test has neither cases nor assertions";
        decoder.error(codes::EMPTY_LIST, spec.place, message, "add `cases` or `assertions`").why =
            Some("a test that checks nothing would always pass".into());
        return None;
    }
    let span = decoder.span(object.place);
    Some(PolicyTest { name: name?, span, manifests, profile: profile?, cases, assertions })
}

/// Another version of the format may mean something else by the same words, so it is not read.
fn is_this_version(decoder: &mut Decoder, node: &Node<'_>) -> Option<()> {
    let kind = node.child("kind");
    if let Some(kind) = kind
        && kind.text() != Some(KIND)
    {
        let written = kind.text().unwrap_or_default();
        let help = match did_you_mean(written, std::iter::once(KIND)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the kind of {API_VERSION} is `{KIND}`"),
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
        let message = format!("{KIND} is not read in `{written}`");
        let help = format!("write `apiVersion: {API_VERSION}`");
        decoder.error(codes::UNSUPPORTED_VERSION, version.place, message, help);
        return None;
    }
    for (field, found) in [("apiVersion", version), ("kind", kind)] {
        if found.is_none() {
            let message = format!("the test has no `{field}`");
            decoder.error(codes::MISSING_FIELD, node.place, message, format!("add `{field}`"));
            return None;
        }
    }
    Some(())
}

fn test_name(decoder: &mut Decoder, object: &Fields<'_, '_>) -> Option<String> {
    let metadata = object.required(decoder, "metadata")?;
    let metadata = decoder.strict(metadata, &METADATA)?;
    let name = metadata.required(decoder, "name")?;
    text(decoder, name)
}

fn manifests(decoder: &mut Decoder, spec: &Fields<'_, '_>) -> Vec<ManifestPath> {
    let Some(list) = spec.field("manifests") else { return Vec::new() };
    let Some(items) = decoder.sequence(list) else { return Vec::new() };
    let mut paths = Vec::new();
    for item in items {
        match text(decoder, item) {
            Some(path) if path == "-" => {
                let message = "a test cannot name standard input";
                let help = "write `-` on the command line";
                decoder.error(codes::BAD_VALUE, item.place, message, help);
            }
            Some(path) => paths.push(ManifestPath { path, span: decoder.span(item.place) }),
            None => {}
        }
    }
    paths
}

/// A text that is not empty.
fn text(decoder: &mut Decoder, node: &Node<'_>) -> Option<String> {
    let text = decoder.string(node)?;
    if text.trim().is_empty() {
        decoder.error(codes::BAD_VALUE, node.place, "the text is empty", "write something");
        return None;
    }
    Some(text.to_owned())
}

/// A text that may be left away: `Some(None)` where it is.
#[expect(clippy::option_option, reason = "the outer one is whether it could be read")]
fn optional_text(
    decoder: &mut Decoder,
    fields: &Fields<'_, '_>,
    name: &str,
) -> Option<Option<String>> {
    match fields.field(name) {
        Some(node) => text(decoder, node).map(Some),
        None => Some(None),
    }
}
