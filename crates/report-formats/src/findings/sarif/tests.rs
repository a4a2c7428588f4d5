//! The exact document, its validity against the official schema, and fingerprints that last.

use super::super::fixtures::{hostile, ordinary, report, shown, span, with_reports};
use super::*;
use expect_test::{expect, expect_file};
use finding_model::SourceFiles;
use serde_json::Value;
use std::process::Command;

fn sarif(report: &FindingReport<'_>) -> Value {
    serde_json::from_str(&shown(|out| write(out, report))).unwrap()
}

/// The schema is published in the `serde-sarif` package, which only this test depends on.
fn official_schema() -> Value {
    let arguments = ["metadata", "--format-version", "1", "--offline", "--locked"];
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let package = packages.iter().find(|package| package["name"] == "serde-sarif").unwrap();
    let manifest = std::path::Path::new(package["manifest_path"].as_str().unwrap());
    let schema = std::fs::read(manifest.with_file_name("src").join("schema.json")).unwrap();
    serde_json::from_slice(&schema).unwrap()
}

#[test]
fn valid_by_the_official_schema() {
    let mut schemas = boon::Schemas::new();
    let mut compiler = boon::Compiler::new();
    compiler.enable_format_assertions();
    compiler.add_resource("sarif.json", official_schema()).unwrap();
    let index = compiler.compile("sarif.json", &mut schemas).unwrap();
    with_reports(|report| {
        let document = sarif(report);
        if let Err(error) = schemas.validate(&document, index) {
            panic!("{error:#}\n{document:#}");
        }
    });
    let broken = serde_json::json!({"version": "2.1.0", "runs": [{"results": []}]});
    assert!(schemas.validate(&broken, index).is_err(), "a run without a tool");
}

#[test]
fn readable_by_other_programs() {
    with_reports(|report| {
        let log: serde_sarif::sarif::Sarif = serde_json::from_value(sarif(report)).unwrap();
        let results = log.runs[0].results.as_ref().unwrap();
        assert_eq!(results.len(), report.findings.len());
        for result in results {
            let rules = log.runs[0].tool.driver.rules.as_ref().unwrap();
            let index = usize::try_from(result.rule_index.unwrap()).unwrap();
            assert_eq!(Some(&rules[index].id), result.rule_id.as_ref());
        }
    });
}

#[test]
fn the_document_is_this() {
    let (findings, files) = ordinary();
    let text = shown(|out| write(out, &report(&findings, &files)));
    expect_file!["ordinary.sarif"].assert_eq(&text);
}

#[test]
fn hostile_text_is_neither_a_link_nor_a_placeholder() {
    let (findings, files) = hostile();
    let document = sarif(&report(&findings, &files));
    let result = &document["runs"][0]["results"][0];
    expect![[
        r#"x\u{{1b}}\[2J\u{{202e}}|`<b>\n\r\u{{0}}\u{{7f}}\u{{9b}}\u{{ffff}}\](http://h)@me{{0}}"#
    ]]
    .assert_eq(result["relatedLocations"][0]["message"]["text"].as_str().unwrap());
}

#[test]
fn fingerprints_outlast_moved_lines_and_tell_equal_findings_apart() {
    let mut files = SourceFiles::default();
    let file = files.add("a.yaml".into());
    let at = |line| Finding::new(Code("c"), Severity::Info, "m", "h").at(span(file, line, 1, 1));
    let prints = |findings: &[Finding]| -> Vec<Value> {
        let document = sarif(&report(findings, &files));
        let results = document["runs"][0]["results"].as_array().unwrap().clone();
        results.iter().map(|r| r["partialFingerprints"]["weirFinding/v1"].clone()).collect()
    };
    let (before, after) = (prints(&[at(1), at(2)]), prints(&[at(11), at(12)]));
    assert_eq!(before, after);
    assert_ne!(before[0], before[1]);
    assert_eq!(fnv1a(&[]), 0xcbf2_9ce4_8422_2325);
    assert_eq!(fnv1a(&["a", "b"]), fnv1a(&["a\0b"]));
}

#[test]
fn every_result_has_a_place() {
    let mut files = SourceFiles::default();
    let finding = Finding::new(Code("c"), Severity::Info, "m", "h");
    let uri = |files: &SourceFiles, finding: &Finding| {
        let document = sarif(&report(std::slice::from_ref(finding), files));
        let place = &document["runs"][0]["results"][0]["locations"][0]["physicalLocation"];
        (place["artifactLocation"]["uri"].clone(), place["region"]["startLine"].clone())
    };
    assert_eq!(uri(&files, &finding), ("stdin".into(), 1.into()));
    let _first = files.add("a.yaml".into());
    assert_eq!(uri(&files, &finding), ("a.yaml".into(), 1.into()));
    let second = files.add("b.yaml".into());
    let related = finding.related_to(Some(span(second, 7, 1, 1)), "here");
    assert_eq!(uri(&files, &related), ("b.yaml".into(), 7.into()));
}
