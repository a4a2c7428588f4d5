//! Files and folders: what is found, in which order, and what is said of those that are no text.

use kube_import::{ImportError, Imported, Input, Options, codes, import, read_texts};
use std::fs;
use std::path::{Path, PathBuf};
use test_folder::TestFolder;

fn input(folder: &TestFolder) -> Input {
    Input::Path(folder.path().to_owned())
}

fn pod(name: &str) -> String {
    format!("{{apiVersion: v1, kind: Pod, metadata: {{name: {name}}}}}\n")
}

fn file_names(imported: &Imported, folder: &Path) -> Vec<String> {
    let prefix = format!("{}/", folder.display());
    imported.files.names().map(|name| name.replace(&prefix, "")).collect()
}

#[test]
fn a_folder_is_read_in_order_of_names_and_only_its_manifests() {
    let folder = TestFolder::new();
    folder.write("b.yaml", pod("b"));
    folder.write("a/z.yml", pod("z"));
    folder.write("c.json", pod("c"));
    folder.write("notes.txt", "not read");
    folder.write("a/deep/er/d.yaml", pod("d"));
    let imported = import(&[input(&folder)], &Options::default()).unwrap();
    assert_eq!(
        file_names(&imported, folder.path()),
        ["a/deep/er/d.yaml", "a/z.yml", "b.yaml", "c.json"]
    );
    assert_eq!((imported.findings, imported.snapshot.pods.len()), (vec![], 4));
}

#[test]
fn links_may_lead_in_circles_and_a_file_is_read_once() {
    let folder = TestFolder::new();
    folder.write("a/p.yaml", pod("p"));
    let link = |to: &str, from: &str| {
        let from = folder.path().join(from);
        drop(fs::remove_file(&from));
        std::os::unix::fs::symlink(folder.path().join(to), from).unwrap();
    };
    link("", "a/loop");
    link("a/p.yaml", "q.yaml");
    let inputs = [input(&folder), input(&folder), Input::Path(folder.path().join("a/p.yaml"))];
    let imported = import(&inputs, &Options::default()).unwrap();
    assert_eq!((imported.findings, imported.snapshot.pods.len()), (vec![], 1));
}

#[test]
fn a_file_given_by_name_may_have_any_ending() {
    let folder = TestFolder::new();
    folder.write("dump", pod("p"));
    let input = Input::Path(folder.path().join("dump"));
    assert_eq!(import(&[input], &Options::default()).unwrap().snapshot.pods.len(), 1);
}

#[test]
fn an_empty_folder_is_warned_of() {
    let folder = TestFolder::new();
    let imported = import(&[input(&folder)], &Options::default()).unwrap();
    assert_eq!(imported.findings[0].code, codes::NOTHING_TO_READ);
    assert!(!imported.has_errors());
}

#[test]
fn what_is_missing_is_named() {
    let error = import(&[Input::from("/nowhere/at-all")], &Options::default()).unwrap_err();
    assert!(matches!(&error, ImportError::Find { path, .. } if path.ends_with("at-all")));
    assert_eq!(error.to_string(), "cannot find `/nowhere/at-all`");
}

#[test]
fn files_that_are_no_text_do_not_hide_the_others() {
    let folder = TestFolder::new();
    folder.write("a.yaml", b"a: b\nc: \xffd");
    folder.write("b.yaml", b"\xff\xfea\0");
    folder.write("c.yaml", b"\xfe\xff\0a");
    folder.write("d.yaml", b"\xef\xbb\xbfapiVersion: v1\nkind: Pod\nmetadata: {name: d}\n");
    folder.write("e.yaml", b"a:\n  \xf0\x9f");
    let imported = import(&[input(&folder)], &Options::default()).unwrap();
    let places: Vec<_> = imported
        .findings
        .iter()
        .map(|finding| (finding.code, finding.span.map(|span| (span.line, span.column))))
        .collect();
    let at = |line, column| (codes::NOT_UTF8, Some((line, column)));
    assert_eq!(places, [at(2, 4), at(1, 1), at(1, 1), at(2, 3)]);
    assert_eq!((imported.snapshot.pods.len(), imported.snapshot.left_out.len()), (1, 4));
}

#[test]
fn a_duplicate_names_both_places() {
    let folder = TestFolder::new();
    folder.write("a.yaml", pod("p"));
    folder.write("b.yaml", format!("\n{}", pod("p")));
    let imported = import(&[input(&folder)], &Options::default()).unwrap();
    let finding = &imported.findings[0];
    assert_eq!(finding.code, codes::DUPLICATE_OBJECT);
    let place = |span: Option<_>| imported.files.place(span.unwrap());
    assert!(place(finding.span).ends_with("b.yaml:2:1"));
    assert!(place(finding.related[0].span).ends_with("a.yaml:1:1"));
    assert_eq!(imported.snapshot.left_out[0].object, "Pod default/p");
}

#[test]
fn many_documents_are_read_in_parallel_in_order() {
    let text: Vec<String> = (0..5000).map(|n| pod(&format!("p{n:04}"))).collect();
    let mut text = text.join("---\n");
    text.push_str("---\nkind: 1\n---\n");
    text.push_str(&pod("p0000"));
    let input = Input::Text { name: "many".into(), text };
    let imported = import(&[input], &Options::default()).unwrap();
    assert_eq!((imported.snapshot.pods.len(), imported.findings.len()), (5000, 3));
    let span = imported.findings.last().and_then(|finding| finding.span).unwrap();
    assert_eq!(imported.files.place(span), "many:10003:1");
    assert_eq!(imported.files.line(span.file, span.line), Some(pod("p0000").trim_end()));
    assert!(imported.must_stop(&Options::default()));
    assert!(!imported.must_stop(&Options { keep_going: true, ..Options::default() }));
}

#[test]
fn texts_for_other_readers() {
    let folder = TestFolder::new();
    folder.write("a.yaml", "kind: PolicyTest\n");
    folder.write("b.yaml", "\0");
    let mut files = finding_model::SourceFiles::default();
    let (texts, findings) = read_texts(&[input(&folder)], &Options::default(), &mut files).unwrap();
    assert_eq!((texts.len(), findings.len()), (1, 1));
    assert_eq!(texts[0].text, "kind: PolicyTest\n");
    assert!(files.name(texts[0].file).ends_with("a.yaml"));
}

/// Real manifests, where they are there.
#[test]
#[expect(clippy::print_stderr, reason = "a test that is not run says so")]
fn online_boutique_has_no_findings() {
    let corpora = std::env::var_os("WEIR_CORPORA").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpora"),
        PathBuf::from,
    );
    let path = corpora.join("online-boutique");
    if !path.is_dir() {
        assert!(std::env::var_os("CI").is_none(), "the corpus is missing: {}", path.display());
        eprintln!("not run: there is no corpus at {}", path.display());
        return;
    }
    let imported = import(&[Input::Path(path)], &Options::default()).unwrap();
    assert_eq!(imported.findings, []);
    let snapshot = &imported.snapshot;
    assert_eq!(
        (snapshot.pods.len(), snapshot.policies.len(), snapshot.services.len()),
        (12, 13, 12)
    );
}
