//! Bytes of a file with policy tests: read strictly, and what was read printed again.

use crate::places_exist;
use finding_model::SourceFiles;
use kube_import::{Limits, read_tests};

/// The reader takes text; that bytes are text is checked before it, by the reader of manifests.
pub fn test_file(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut files = SourceFiles::default();
    let file = files.add("fuzzed.yaml".to_owned());
    let (tests, findings) = read_tests(file, &text, Limits::default());
    places_exist(&findings, &files);
    for test in &tests {
        assert!(!test.cases.is_empty() || !test.assertions.is_empty(), "{test:?}");
        for case in &test.cases {
            assert!(!case.scope.to_string().is_empty());
        }
        for assertion in &test.assertions {
            assert!(!assertion.claim.to_string().is_empty());
        }
    }
}
