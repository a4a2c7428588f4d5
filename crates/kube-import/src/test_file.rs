//! Reads policy tests: the documents of kind `PolicyTest` of a file, strictly.
//!
//! `docs/design/policy-test.md` describes the format. Whatever else the file holds are manifests and is
//! left to [`import`](crate::import()). A test with an error is not in the result.

mod checks;
mod sets;

pub(crate) use checks::policy_or_rule;
pub(crate) use sets::port;

use crate::codes;
use crate::document::{Decoder, Fields, Limits, Node, Shape};
use crate::weir_file::{self, Kind, optional_text, text};
use finding_model::{FileId, Finding};
use policy_assertions::{ManifestPath, PolicyTest, Semantics};

const OBJECT: Shape = Shape {
    name: "a PolicyTest",
    fields: &[
        ("apiVersion", ""),
        ("kind", ""),
        ("metadata", "the test would have no name"),
        ("spec", "the test would say nothing"),
    ],
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
    weir_file::read((file, text), limits, Kind::PolicyTest, lower)
}

fn lower(decoder: &mut Decoder, node: &Node<'_>) -> Option<PolicyTest> {
    let object = decoder.strict(node, &OBJECT)?;
    let name = weir_file::name(decoder, &object);
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
