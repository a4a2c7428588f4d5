//! Reports that the tests of all formats share: ordinary, empty and hostile.

use super::FindingReport;
use finding_model::{Code, FileId, Finding, Fix, Severity, SourceFiles, SourceSpan};

/// Every kind of text that a report must not pass on as it is.
pub(crate) const HOSTILE: &str =
    "x\u{1b}[2J\u{202e}|`<b>\n\r\u{0}\u{7f}\u{9b}\u{ffff}](http://h)@me{0}";

pub(crate) fn page(code: &str) -> Option<&'static str> {
    (code == "unknown-field").then_some(
        "# unknown-field\n\nA policy has a field\nthat its kind does not know.\n\n**How to fix it.** Remove it.\n",
    )
}

pub(crate) fn span(file: FileId, line: u32, column: u32, length: u32) -> SourceSpan {
    SourceSpan { file, line, column, length }
}

/// One finding with everything, one with a place only, one without.
pub(crate) fn ordinary() -> (Vec<Finding>, SourceFiles) {
    let mut files = SourceFiles::default();
    let web = files.add("shop/web.yaml".into());
    files.keep_line(web, 14, "\t  - form: # größe 日本");
    files.keep_line(web, 3, "  name: 日本 web");
    let full = Finding::new(
        Code("unknown-field"),
        Severity::Error,
        "unknown field `form` in an ingress rule",
        "did you mean `from`?",
    )
    .at(span(web, 14, 6, 4))
    .about("NetworkPolicy shop/web")
    .because("without `from` the rule admits every source")
    .witnessed_by("0.0.0.0 → shop/web 80/tcp")
    .fixed_by(Fix { summary: "write `from`".into(), patch: Some("  - from:\n    - a\n".into()) })
    .related_to(Some(span(web, 3, 12, 3)), "the policy")
    .related_to(None, "every namespace");
    let placed = Finding::new(Code("yaml-11"), Severity::Warning, "`y` is text", "quote it")
        .at(span(web, 99, 2, 1));
    let bare = Finding::new(Code("no-dns"), Severity::Info, "no DNS", "allow 53/udp");
    (vec![full, placed, bare], files)
}

/// Hostile text in every field that takes text.
pub(crate) fn hostile() -> (Vec<Finding>, SourceFiles) {
    let mut files = SourceFiles::default();
    let file = files.add(format!("a b/../{HOSTILE}"));
    files.keep_line(file, 1, HOSTILE);
    let finding = Finding::new(Code("unknown-field"), Severity::Error, HOSTILE, HOSTILE)
        .at(span(file, 1, 2, 3))
        .about(HOSTILE)
        .because(HOSTILE)
        .witnessed_by(HOSTILE)
        .fixed_by(Fix { summary: HOSTILE.into(), patch: Some(format!("```\n{HOSTILE}")) })
        .related_to(Some(span(file, 1, 400, 3)), HOSTILE);
    (vec![finding], files)
}

pub(crate) fn report<'a>(findings: &'a [Finding], files: &'a SourceFiles) -> FindingReport<'a> {
    FindingReport { findings, files, profile: "upstream", fail_on: Severity::Warning, page }
}

/// Calls `check` with each of the shared reports.
pub(crate) fn with_reports(check: impl Fn(&FindingReport<'_>)) {
    for (findings, files) in [(Vec::new(), SourceFiles::default()), ordinary(), hostile()] {
        check(&report(&findings, &files));
    }
}

/// What a format writes, as text; fails if it holds a hidden character other than a line end.
pub(crate) fn shown(write: impl FnOnce(&mut dyn std::io::Write) -> std::io::Result<()>) -> String {
    let mut bytes = Vec::new();
    write(&mut bytes).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let hidden: Vec<char> = text.chars().filter(|c| *c != '\n' && crate::is_hidden(*c)).collect();
    assert!(hidden.is_empty(), "{hidden:?} in {text}");
    text
}
