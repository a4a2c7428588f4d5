//! Findings for programs. `docs/formats.md` describes the fields; they only ever grow.

use super::FindingReport;
use crate::json::{API_VERSION, write_pretty};
use finding_model::{Finding, Fix, Related, SourceFiles, SourceSpan};
use serde::Serialize;
use std::io::{self, Write};

pub fn write(out: &mut dyn Write, report: &FindingReport<'_>) -> io::Result<()> {
    write_pretty(out, &document(report))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    api_version: &'a str,
    kind: &'a str,
    profile: &'a str,
    summary: SummaryDocument,
    findings: Vec<FindingDocument<'a>>,
}

#[derive(Serialize)]
struct SummaryDocument {
    error: usize,
    warning: usize,
    info: usize,
}

/// A field without a value is left out.
#[derive(Serialize)]
struct FindingDocument<'a> {
    code: &'a str,
    severity: String,
    message: &'a str,
    #[serde(flatten)]
    place: Option<PlaceDocument<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    object: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    witness: Option<&'a str>,
    help: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<FixDocument<'a>>,
    related: Vec<RelatedDocument<'a>>,
}

#[derive(Serialize)]
struct PlaceDocument<'a> {
    file: &'a str,
    line: u32,
    column: u32,
    length: u32,
}

#[derive(Serialize)]
struct FixDocument<'a> {
    summary: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch: Option<&'a str>,
}

#[derive(Serialize)]
struct RelatedDocument<'a> {
    message: &'a str,
    #[serde(flatten)]
    place: Option<PlaceDocument<'a>>,
}

fn document<'a>(report: &'a FindingReport<'_>) -> Document<'a> {
    let super::Counts { errors, warnings, infos } = report.counts();
    Document {
        api_version: API_VERSION,
        kind: "Findings",
        profile: report.profile,
        summary: SummaryDocument { error: errors, warning: warnings, info: infos },
        findings: report.findings.iter().map(|finding| of_finding(finding, report.files)).collect(),
    }
}

fn of_finding<'a>(finding: &'a Finding, files: &'a SourceFiles) -> FindingDocument<'a> {
    let Finding { code, severity, span, object, message, why, witness, help, fix, related } =
        finding;
    let of_fix = |Fix { summary, patch }: &'a Fix| FixDocument { summary, patch: patch.as_deref() };
    FindingDocument {
        code: code.0,
        severity: severity.to_string(),
        message,
        place: span.map(|span| of_span(span, files)),
        object: object.as_deref(),
        why: why.as_deref(),
        witness: witness.as_deref(),
        help,
        fix: fix.as_ref().map(of_fix),
        related: related.iter().map(|related| of_related(related, files)).collect(),
    }
}

fn of_span(span: SourceSpan, files: &SourceFiles) -> PlaceDocument<'_> {
    let SourceSpan { file, line, column, length } = span;
    PlaceDocument { file: files.name(file), line, column, length }
}

fn of_related<'a>(related: &'a Related, files: &'a SourceFiles) -> RelatedDocument<'a> {
    let Related { span, message } = related;
    RelatedDocument { message, place: span.map(|span| of_span(span, files)) }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{HOSTILE, hostile, ordinary, report, shown};
    use super::*;
    use expect_test::expect;

    #[test]
    fn the_fields_are_these() {
        let (findings, files) = ordinary();
        expect![[r#"
            {
              "apiVersion": "weir.dev/v1alpha1",
              "kind": "Findings",
              "profile": "upstream",
              "summary": {
                "error": 1,
                "warning": 1,
                "info": 1
              },
              "findings": [
                {
                  "code": "unknown-field",
                  "severity": "error",
                  "message": "unknown field `form` in an ingress rule",
                  "file": "shop/web.yaml",
                  "line": 14,
                  "column": 6,
                  "length": 4,
                  "object": "NetworkPolicy shop/web",
                  "why": "without `from` the rule admits every source",
                  "witness": "0.0.0.0 → shop/web 80/tcp",
                  "help": "did you mean `from`?",
                  "fix": {
                    "summary": "write `from`",
                    "patch": "  - from:\n    - a\n"
                  },
                  "related": [
                    {
                      "message": "the policy",
                      "file": "shop/web.yaml",
                      "line": 3,
                      "column": 12,
                      "length": 3
                    },
                    {
                      "message": "every namespace"
                    }
                  ]
                },
                {
                  "code": "yaml-11",
                  "severity": "warning",
                  "message": "`y` is text",
                  "file": "shop/web.yaml",
                  "line": 99,
                  "column": 2,
                  "length": 1,
                  "help": "quote it",
                  "related": []
                },
                {
                  "code": "no-dns",
                  "severity": "info",
                  "message": "no DNS",
                  "help": "allow 53/udp",
                  "related": []
                }
              ]
            }
        "#]]
        .assert_eq(&shown(|out| write(out, &report(&findings, &files))));
    }

    #[test]
    fn hostile_text_comes_back_unchanged() {
        let (findings, files) = hostile();
        let text = shown(|out| write(out, &report(&findings, &files)));
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["findings"][0]["message"], HOSTILE);
    }
}
