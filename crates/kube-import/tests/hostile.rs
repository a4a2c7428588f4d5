//! Input that was made to hurt: bounded time and memory, an error with a place, never a panic.
//!
//! The sizes are small enough for a debug build and far over what the limits let through.

use kube_import::document::{Keep, Segment, parse};
use kube_import::{Input, Limits, Options, codes, import, import_text};
use proptest::prelude::*;

/// The only error is this code, at this line and column.
fn check(text: &str, code: finding_model::Code, place: (u32, u32)) {
    let imported = import_text("a.yaml", text);
    let errors: Vec<_> = imported
        .findings
        .iter()
        .map(|finding| (finding.code, finding.span.map(|span| (span.line, span.column))))
        .collect();
    assert_eq!(errors, [(code, Some(place))]);
    assert!(imported.has_errors());
    assert_eq!(imported.snapshot.left_out.len(), 1);
}

#[test]
fn nesting_of_a_hundred_thousand() {
    check(&"[".repeat(100_000), codes::NESTING_TOO_DEEP, (1, 101));
    check(&"{\"a\":".repeat(100_000), codes::NESTING_TOO_DEEP, (1, 501));
    check(&"- ".repeat(100_000), codes::NESTING_TOO_DEEP, (1, 201));
    check(&"{a: ".repeat(100_000), codes::NESTING_TOO_DEEP, (1, 1021));
    check(&"? ".repeat(100_000), codes::BROKEN_YAML, (1, 3));
    let block: String = (0..2000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
    check(&block, codes::NESTING_TOO_DEEP, (101, 101));
    check(&format!("a: {}", "[".repeat(100_000)), codes::NESTING_TOO_DEEP, (1, 259));
}

#[test]
fn nesting_at_the_limit_is_read() {
    let nested = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let read = |text: &str| {
        parse(Segment { text, first_line: 1 }, Limits::default(), Keep::Everything).is_ok()
    };
    assert!(read(&nested(100)) && !read(&nested(101)));
    assert!(read(&format!("a: {}", nested(99))) && !read(&format!("a: {}", nested(100))));
}

#[test]
fn alias_bombs() {
    let level = |level: u32| {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        format!("a{level}: &a{level} [{aliases}]\n")
    };
    let levels: String = (1..12).map(level).collect();
    let bomb = format!("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n{levels}");
    check(&bomb, codes::ALIAS_BOMB, (5, 5));
    let keys: Vec<String> = (0..1000).map(|key| format!("k{key}: 1")).collect();
    let merges: String = (0..1000).map(|n| format!("b{n}: {{<<: *a}}\n")).collect();
    let text = format!("a: &a {{{}}}\n{merges}", keys.join(", "));
    check(&text, codes::ALIAS_BOMB, (200, 12));
    let deep: String = (1..300).map(|n| format!("a{n}: &a{n} [*a{}]\n", n - 1)).collect();
    check(&format!("a0: &a0 [x]\n{deep}"), codes::NESTING_TOO_DEEP, (99, 12));
    check("a: &a [*a]\n", codes::BROKEN_YAML, (1, 8));
}

#[test]
fn brackets_without_end() {
    // Scanners keep all tokens of a bracket that may turn out to be a mapping's key.
    let text = format!("[a{}", ", a".repeat(1_000_000));
    check(&text, codes::DOCUMENT_TOO_LARGE, (1, 1));
    check(&format!("x: \"{}", "y ".repeat(1_500_000)), codes::DOCUMENT_TOO_LARGE, (1, 4));
}

#[test]
fn too_many_values() {
    let limits = Limits { nodes: 1000, ..Limits::default() };
    let options = Options { limits, ..Options::default() };
    let text = format!("[{}1]", "1,".repeat(2000));
    let imported = import(&[Input::Text { name: "a".into(), text }], &options).unwrap();
    assert_eq!(imported.findings[0].code, codes::DOCUMENT_TOO_LARGE);
}

#[test]
fn a_file_over_the_limit_is_not_read() {
    let options = Options { max_file_bytes: 100, ..Options::default() };
    let read = |length: usize| {
        let text = " ".repeat(length);
        let imported = import(&[Input::Text { name: "a".into(), text }], &options).unwrap();
        imported.findings.first().map(|finding| finding.code)
    };
    assert_eq!((read(100), read(101)), (None, Some(codes::FILE_TOO_LARGE)));
}

#[test]
fn nul_bytes() {
    check("a: b\nc: \0d", codes::NUL_BYTE, (2, 4));
    check("é\r\né\0", codes::NUL_BYTE, (2, 2));
}

#[test]
fn a_million_errors_are_counted_not_kept() {
    let fields: String = (0..5000).map(|field| format!(", \"k{field}\": 1")).collect();
    let text = format!(
        "{{\"apiVersion\": \"networking.k8s.io/v1\", \"kind\": \"NetworkPolicy\", \
         \"metadata\": {{\"name\": \"a\"}}, \"spec\": {{\"podSelector\": {{}}{fields}}}}}"
    );
    let imported = import_text("a.yaml", &text);
    assert_eq!(imported.findings.len(), 1000);
    let rest = imported.findings.iter().find_map(|finding| finding.related.first());
    let message = rest.map(|related| related.message.as_str());
    assert_eq!(message, Some("4000 more findings of this object are not shown"));
    let doubles = "a: 1\n".repeat(5000);
    assert_eq!(import_text("a.yaml", &doubles).findings.len(), 1000);
}

/// Pieces that manifests and attacks on them are made of.
fn fragment() -> impl Strategy<Value = String> {
    let words = [
        "apiVersion: networking.k8s.io/v1\n",
        "kind: NetworkPolicy\n",
        "kind: Pod\n",
        "metadata: ",
        "spec:\n",
        "  ingress:\n",
        "- from:\n",
        "{",
        "}",
        "[",
        "]",
        ",",
        ": ",
        "\"",
        "'",
        "\n",
        "\r",
        "---\n",
        "...\n",
        "- ",
        "? ",
        "&a ",
        "*a",
        "<<: ",
        "!!str ",
        "!x ",
        "|\n",
        ">-\n",
        "#",
        "%YAML 1.1\n",
        "\t",
        "  ",
        "name: a\n",
        "name",
        "\u{feff}",
        "é",
        "\u{2028}",
        "\0",
        "0x1",
        "1e9",
        "null",
        "~",
        "\\u00",
        "\\",
        "kind: List\nitems:\n",
        "10.0.0.0/8",
        "ipBlock",
        "@",
        "`",
    ];
    prop_oneof![
        8 => proptest::sample::select(words.to_vec()).prop_map(str::to_owned),
        1 => "\\PC{0,4}",
    ]
}

const MANIFEST: &str = include_str!("manifest.yaml");

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_text_panics(text in ".{0,200}") {
        import_text("a.yaml", &text);
    }

    #[test]
    fn no_sequence_of_fragments_panics(fragments in prop::collection::vec(fragment(), 0..60)) {
        let imported = import_text("a.yaml", &fragments.concat());
        for finding in imported.findings {
            let span = finding.span.unwrap();
            prop_assert!(span.line >= 1 && span.column >= 1 && span.length >= 1);
        }
    }

    /// A changed manifest is read as something or refused; what is refused is named.
    #[test]
    fn no_change_of_a_manifest_panics(
        changes in prop::collection::vec((0..MANIFEST.len(), 0_usize..6, fragment()), 1..6),
    ) {
        let mut text = MANIFEST.to_owned();
        for (at, n_removed, fragment) in changes {
            let start = (0..=at.min(text.len())).rev().find(|i| text.is_char_boundary(*i)).unwrap();
            let end = (start + n_removed).min(text.len());
            let end = (end..=text.len()).find(|i| text.is_char_boundary(*i)).unwrap();
            text.replace_range(start..end, &fragment);
        }
        let imported = import_text("a.yaml", &text);
        // An object that says nothing of reachability need not be named when it is wrong.
        let is_named = !imported.snapshot.left_out.is_empty() || !imported.other_kinds.is_empty();
        prop_assert!(is_named || !imported.has_errors());
        prop_assert!(imported.has_errors() || imported.snapshot.left_out.is_empty());
        let again = import_text("a.yaml", &text);
        prop_assert_eq!(imported.snapshot, again.snapshot);
    }
}

#[test]
fn the_manifest_that_is_changed_is_right() {
    let imported = import_text("a.yaml", MANIFEST);
    assert_eq!(imported.findings, []);
    assert_eq!((imported.n_objects, imported.snapshot.policies.len()), (6, 3));
}
