//! The house rules of `STYLE.md` that a program can check, one rule a file.
//!
//! A check is a pure function from a [`Tree`] to [`Problem`]s, so its tests need no files. What clippy or
//! rustfmt already enforce is not repeated here.

mod attributes;
mod finding_codes;
mod header;
mod layers;
mod links;
mod lints_table;
mod machine_words;
mod names;
mod open_ends;
mod purity;
mod registries;
mod sizes;
mod tree;
mod unsafe_code;
mod whitespace;

use anyhow::Result;
use std::fmt;
use std::path::Path;
use std::process::ExitCode;
use tree::Tree;

/// One broken rule: where, what, and what to do.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Problem {
    path: String,
    /// 0 where the problem is about the whole file.
    line: usize,
    message: String,
    /// The heading of the rule in `STYLE.md`, as a link fragment.
    rule: &'static str,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: ", self.path)?,
            line => write!(f, "{}:{line}: ", self.path)?,
        }
        write!(f, "{} (STYLE.md#{})", self.message, self.rule)
    }
}

type Check = fn(&Tree) -> Vec<Problem>;

const CHECKS: &[Check] = &[
    attributes::check,
    finding_codes::check,
    header::check,
    layers::check,
    links::check,
    lints_table::check,
    machine_words::check,
    names::check,
    open_ends::check,
    purity::check,
    registries::check,
    sizes::check,
    unsafe_code::check,
    whitespace::check,
];

pub(crate) fn run(root: &Path) -> Result<ExitCode> {
    let tree = Tree::read(root)?;
    let mut problems: Vec<Problem> = CHECKS.iter().flat_map(|check| check(&tree)).collect();
    problems.sort();
    for problem in &problems {
        eprintln!("{problem}");
    }
    println!("tidy: {} files, {} problems", tree.files.len(), problems.len());
    Ok(if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[cfg(test)]
mod tests {
    use super::Problem;
    use crate::workspace;

    #[test]
    fn every_rule_that_a_check_names_is_a_heading_of_the_style_guide() {
        let root = workspace::root().unwrap();
        let style = std::fs::read_to_string(root.join("STYLE.md")).unwrap();
        let headings = super::links::anchors(&style);
        for (name, text) in sources(&root.join("xtask/src/tidy")) {
            for rule in text.lines().filter_map(rule_constant) {
                assert!(
                    headings.contains(rule),
                    "{name} names the rule {rule}, STYLE.md has {headings:?}"
                );
            }
        }
    }

    #[test]
    fn a_problem_prints_place_message_and_rule() {
        let problem =
            Problem { path: "a.rs".into(), line: 3, message: "is odd".into(), rule: "files" };
        assert_eq!(problem.to_string(), "a.rs:3: is odd (STYLE.md#files)");
    }

    fn rule_constant(line: &str) -> Option<&str> {
        line.strip_prefix("const RULE: &str = \"")?.strip_suffix("\";")
    }

    fn sources(folder: &std::path::Path) -> Vec<(String, String)> {
        let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let texts: Vec<_> = files
            .map(|path| (path.display().to_string(), std::fs::read_to_string(&path).unwrap()))
            .collect();
        assert!(texts.len() > 10, "the checks moved, and this test did not");
        texts
    }
}
