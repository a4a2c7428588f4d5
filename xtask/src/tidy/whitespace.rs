//! Every text file ends with one newline and has no spaces at the ends of lines.

use super::{Problem, tree::Tree};

const RULE: &str = "files-and-functions";

pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    for file in tree.files.iter().filter(|file| !is_verbatim(&file.path)) {
        let mut report = |line, message: &str| {
            problems.push(Problem {
                path: file.path.clone(),
                line,
                message: message.to_owned(),
                rule: RULE,
            });
        };
        if !file.text.is_empty() && (!file.text.ends_with('\n') || file.text.ends_with("\n\n")) {
            report(file.text.lines().count(), "end the file with exactly one newline");
        }
        // `str::lines` would take the carriage returns away.
        for (index, text) in file.text.split('\n').enumerate() {
            if text.ends_with([' ', '\t', '\r']) {
                report(index + 1, "remove the white space at the end of the line");
            }
        }
    }
    problems
}

/// Inputs that are odd on purpose (seeds of the fuzzers, fixtures of broken files), and what a command
/// prints byte for byte.
fn is_verbatim(path: &str) -> bool {
    path.starts_with("fuzz/") && !path.ends_with(".rs")
        || path.split('/').any(|part| ["broken", "golden"].contains(&part))
}

#[cfg(test)]
mod tests {
    use super::{Tree, check};

    fn lines(path: &str, text: &str) -> Vec<usize> {
        check(&Tree::of(&[(path, text)])).iter().map(|problem| problem.line).collect()
    }

    #[test]
    fn finds_missing_and_doubled_final_newlines_and_trailing_spaces() {
        assert_eq!(lines("a.md", "x\ny"), [2]);
        assert_eq!(lines("a.md", "x\n\n"), [2]);
        assert_eq!(lines("a.md", "x \ny\t\nz\n"), [1, 2]);
        assert_eq!(lines("a.md", "x\r\n"), [1]);
    }

    #[test]
    fn accepts_clean_empty_and_verbatim_files() {
        assert!(lines("a.md", "x\n\ny\n").is_empty());
        assert!(lines("a.md", "").is_empty());
        assert!(lines("fuzz/corpus/manifest/seed", "x  ").is_empty());
        assert!(lines("crates/weir/tests/golden/usage.txt", "x  \n").is_empty());
    }
}
