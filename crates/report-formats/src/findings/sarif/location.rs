//! Places in files as SARIF names them: URIs and regions.

use super::document::{ArtifactLocation, Location, PhysicalLocation, Region};
use finding_model::{Related, SourceFiles, SourceSpan};
use std::fmt::Write as _;

/// Standard input has no address; this name says what it was.
const STANDARD_INPUT_URI: &str = "stdin";

/// A place without a span is a location that only has a message.
pub(super) fn of(span: Option<SourceSpan>, files: &SourceFiles) -> Location {
    let physical_location = span.map(|span| PhysicalLocation {
        artifact_location: artifact(files.name(span.file)),
        region: region(span),
    });
    Location { id: None, message: None, physical_location }
}

/// GitHub refuses a whole file in which one result has no place. A finding about something that is
/// missing stands where something related is, else at the top of the first file.
pub(super) fn of_result(
    span: Option<SourceSpan>,
    related: &[Related],
    files: &SourceFiles,
) -> Location {
    let span = span.or_else(|| related.iter().find_map(|related| related.span));
    if span.is_some() {
        return of(span, files);
    }
    let physical_location = PhysicalLocation {
        artifact_location: artifact(files.names().next().unwrap_or("-")),
        region: Region { start_line: 1, start_column: 1, end_column: None },
    };
    Location { id: None, message: None, physical_location: Some(physical_location) }
}

/// The end is exclusive. SARIF counts from 1, so a span that says 0 is moved.
fn region(SourceSpan { file: _, line, column, length }: SourceSpan) -> Region {
    let start_column = column.max(1);
    Region {
        start_line: line.max(1),
        start_column,
        end_column: Some(start_column.saturating_add(length)),
    }
}

/// Relative paths start at the root of the source tree, which is where CI runs; one that leaves the
/// folder it starts in cannot be based there (§3.4.4).
fn artifact(name: &str) -> ArtifactLocation {
    if name == "-" {
        return ArtifactLocation { uri: STANDARD_INPUT_URI.to_owned(), uri_base_id: None };
    }
    if name.starts_with('/') {
        return ArtifactLocation {
            uri: format!("file://{}", percent_encoded(name)),
            uri_base_id: None,
        };
    }
    let name = name.strip_prefix("./").unwrap_or(name);
    let leaves = name.split('/').any(|segment| segment == "..");
    ArtifactLocation { uri: percent_encoded(name), uri_base_id: (!leaves).then_some("%SRCROOT%") }
}

/// RFC 3986: everything but unreserved characters and `/`.
fn percent_encoded(path: &str) -> String {
    let mut uri = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            #[expect(clippy::let_underscore_must_use, reason = "a String takes every write")]
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_uris() {
        let uri = |name| {
            let ArtifactLocation { uri, uri_base_id } = artifact(name);
            (uri, uri_base_id.is_some())
        };
        assert_eq!(uri("./a/b c.yaml"), ("a/b%20c.yaml".to_owned(), true));
        assert_eq!(uri("c:ü"), ("c%3A%C3%BC".to_owned(), true));
        assert_eq!(uri("../a"), ("../a".to_owned(), false));
        assert_eq!(uri("/x/y"), ("file:///x/y".to_owned(), false));
        assert_eq!(uri("-"), ("stdin".to_owned(), false));
    }
}
