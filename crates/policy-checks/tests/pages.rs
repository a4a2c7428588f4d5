//! The manual of each check is its file's first comment; `docs/findings/CODE.md` is the same text.
//!
//! `WEIR_WRITE_PAGES=1 cargo test -p policy-checks --test pages` writes the pages anew.

use policy_checks::CHECKS;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The comment as a page: the first line names the code.
fn page_of(code: &str) -> String {
    let source = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("src/checks")
        .join(format!("{}.rs", code.replace('-', "_")));
    let text = fs::read_to_string(&source).unwrap_or_default();
    let mut lines = text.lines().map_while(|line| line.strip_prefix("//!"));
    let title = lines.next().map(str::trim);
    assert_eq!(title, Some(format!("Check: `{code}`").as_str()), "{source:?}");
    let body: Vec<&str> = lines.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
    format!("# {code}\n{}\n", body.join("\n"))
}

#[test]
fn every_page_is_the_comment_of_its_check() {
    let write = std::env::var_os("WEIR_WRITE_PAGES").is_some();
    for check in CHECKS {
        let path = root().join(format!("docs/findings/{}.md", check.code));
        let page = page_of(check.code.0);
        if write {
            fs::write(&path, &page).unwrap();
        }
        let found = fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(found, page, "{path:?}: write it anew with WEIR_WRITE_PAGES=1");
    }
}

#[test]
fn every_page_says_why_and_how_to_fix() {
    for check in CHECKS {
        let page = page_of(check.code.0);
        for part in ["**Why it matters.**", "**How to fix.**"] {
            assert!(page.contains(part), "{}: {part}", check.code);
        }
    }
}
