//! Every Rust file starts by saying what it is.

use super::{Problem, tree::Tree};

const RULE: &str = "files-and-functions";

pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    let rust = tree.files.iter().filter(|file| file.is_rust());
    let silent = rust.filter(|file| {
        let first = file.text.lines().next().unwrap_or_default();
        first.strip_prefix("//!").is_none_or(|rest| rest.trim().is_empty())
    });
    silent
        .map(|file| Problem {
            path: file.path.clone(),
            line: 1,
            message:
                "start the file with a `//!` sentence: what it is, and what it deliberately is not"
                    .to_owned(),
            rule: RULE,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Tree, check};

    #[test]
    fn a_file_needs_a_sentence_on_its_first_line() {
        assert!(check(&Tree::of(&[("a.rs", "//! What it is.\nfn a() {}\n")])).is_empty());
        assert!(check(&Tree::of(&[("a.md", "no Rust\n")])).is_empty());
        for text in
            ["fn a() {}\n", "//!\n//! Late.\n", "\n//! Late.\n", "// Not a doc comment.\n", ""]
        {
            assert_eq!(check(&Tree::of(&[("a.rs", text)])).len(), 1, "{text:?}");
        }
    }
}
